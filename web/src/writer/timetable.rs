//! The timetable by which each source is compared with its folder again: after changes have settled, by the clock, or
//! not at all. Pure: every question comes with the time, so that tests need no clock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a folder must be quiet before it is compared: an editor or a copy makes many changes at once.
const QUIET: Duration = Duration::from_millis(500);
/// Longest that a folder which never gets quiet waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// A comparison may take this part of the time: a large folder under constant change is compared less often.
const SHARE: u32 = 5;

/// By what a source is compared again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Habit {
    /// Compared after this time where changes should be told and are not.
    pub(super) poll: Option<Duration>,
    /// Compared after this time in any case.
    pub(super) every: Option<Duration>,
}

/// The sources and their times.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    habit: Habit,
    /// First and last change since the last comparison began.
    changes: Option<(Instant, Instant)>,
    /// When the last comparison was asked for, or else its end.
    compared: Instant,
    /// No comparison begins before this time has passed since.
    rest: Duration,
    /// When a comparison that failed is made again.
    retry: Option<Instant>,
}

impl Timetable {
    /// Sets how a source is compared from now on.
    pub(super) fn set(&mut self, source: &str, habit: Habit, now: Instant) {
        self.entries.entry(source.to_string()).or_insert_with(|| Entry::blank(now)).habit = habit;
    }

    /// A comparison failed, or something of a source could not be committed: it is compared at `then`.
    pub(super) fn retry(&mut self, source: &str, then: Instant) {
        self.entries.entry(source.to_string()).or_insert_with(|| Entry::blank(then)).retry = Some(then);
    }

    /// Forgets a source.
    pub(super) fn remove(&mut self, source: &str) {
        self.entries.remove(source);
    }

    /// Something changed in a source's folder.
    pub(super) fn touched(&mut self, source: &str, now: Instant) {
        if let Some(entry) = self.entries.get_mut(source) {
            let first = entry.changes.map_or(now, |(first, _)| first);
            entry.changes = Some((first, now));
        }
    }

    /// A comparison is asked for, or begins: what changes from now on counts for the next, and the clock for that one too.
    pub(super) fn begin(&mut self, source: &str, now: Instant) {
        if let Some(entry) = self.entries.get_mut(source) {
            entry.compared = now;
            entry.changes = None;
            entry.retry = None;
        }
    }

    /// A comparison ended; `took` is the time for comparing alone, without reading what changed.
    pub(super) fn end(&mut self, source: &str, now: Instant, took: Duration) {
        if let Some(entry) = self.entries.get_mut(source) {
            entry.compared = now;
            entry.rest = took * (SHARE - 1);
        }
    }

    /// The source that is due next, and when.
    pub(super) fn next(&self) -> Option<(&str, Instant)> {
        let due = self.entries.iter().filter_map(|(source, entry)| Some((source.as_str(), entry.due()?)));
        due.min_by_key(|(_, due)| *due)
    }
}

impl Entry {
    fn blank(now: Instant) -> Self {
        Self { habit: Habit::default(), changes: None, compared: now, rest: Duration::ZERO, retry: None }
    }

    fn due(&self) -> Option<Instant> {
        let settled = self.changes.map(|(first, last)| (last + QUIET).min(first + PATIENCE));
        let polled = self.habit.poll.map(|poll| self.compared + poll);
        let in_any_case = self.habit.every.map(|every| self.compared + every);
        let earliest = settled.into_iter().chain(polled).chain(in_any_case).min();
        let rested = earliest.map(|earliest| earliest.max(self.compared + self.rest));
        rested.into_iter().chain(self.retry).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn table(habit: Habit, now: Instant) -> Timetable {
        let mut table = Timetable::default();
        table.set("a", habit, now);
        table
    }

    #[test]
    fn a_change_waits_for_quiet_but_not_for_ever() {
        let now = Instant::now();
        let mut table = table(Habit::default(), now);
        assert_eq!(table.next(), None);
        table.touched("a", now);
        table.touched("a", now + SECOND / 4);
        assert_eq!(table.next(), Some(("a", now + SECOND / 4 + QUIET)));
        for step in 0..100 {
            table.touched("a", now + step * SECOND / 4);
        }
        assert_eq!(table.next(), Some(("a", now + PATIENCE)));
        table.begin("a", now);
        assert_eq!(table.next(), None);
        table.touched("nobody", now);
        assert_eq!(table.next(), None);
    }

    #[test]
    fn what_failed_is_compared_again_once() {
        let now = Instant::now();
        let mut table = Timetable::default();
        table.retry("a", now + SECOND);
        assert_eq!(table.next(), Some(("a", now + SECOND)));
        table.begin("a", now);
        assert_eq!(table.next(), None);
    }

    #[test]
    fn a_comparison_that_takes_long_is_made_less_often() {
        let now = Instant::now();
        let mut table = table(Habit::default(), now);
        table.begin("a", now);
        table.end("a", now, 3 * SECOND);
        table.touched("a", now);
        assert_eq!(table.next(), Some(("a", now + 12 * SECOND)));
    }

    #[test]
    fn the_clock_counts_from_the_last_comparison_and_the_first_source_due_comes_first() {
        let now = Instant::now();
        let mut table = table(Habit { every: Some(60 * SECOND), ..Habit::default() }, now);
        table.set("b", Habit { poll: Some(30 * SECOND), every: Some(60 * SECOND) }, now);
        assert_eq!(table.next(), Some(("b", now + 30 * SECOND)));
        table.end("b", now + 50 * SECOND, SECOND / 10);
        assert_eq!(table.next(), Some(("a", now + 60 * SECOND)));
        table.begin("a", now + 60 * SECOND);
        assert_eq!(table.next(), Some(("b", now + 80 * SECOND)), "what was asked for is not due again at once");
        table.remove("a");
        assert_eq!(table.next(), Some(("b", now + 80 * SECOND)));
    }
}
