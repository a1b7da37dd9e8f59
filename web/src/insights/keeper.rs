//! The thread that keeps the counts: what comes in is marked, taken into the day's counts and appended to its log; when the
//! day is over, it becomes counts, and what is too old goes.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::civil::Date;
use prometheus_client::metrics::counter::Counter;

use super::day::{Counted, Day};
use super::event::Line;
use super::folder::{Folder, Log};
use super::people::Salt;
use super::{InsightsConfig, Message, Noted, day_of, first_of, today};

/// Longest that what was appended waits to survive a failure of the machine.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Time between two looks whether the day is over.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Events that are appended at once.
const TOGETHER: usize = 256;

/// What the thread owns.
pub(super) struct Keeper {
    folder: Folder,
    config: InsightsConfig,
    left_out: Counter,
    today: Arc<Mutex<Day>>,
    day: Date,
    salt: Salt,
    log: Log,
    /// Since when something waits to be synced.
    unsynced: Option<Instant>,
    /// Whether the last write failed: a full disk is said once.
    is_failing: bool,
}

impl Keeper {
    /// Makes the folder, finishes the days that are over, and reads again what was noted today.
    ///
    /// # Errors
    /// The system refused.
    pub(super) fn open(folder: &Folder, config: &InsightsConfig, day: Date, left_out: Counter) -> io::Result<Self> {
        folder.make()?;
        tidy(folder, config, day)?;
        let salt = Salt::of(folder.path(), day)?;
        let mut counts = Day::new(day, config);
        let log = folder.log(&mut counts)?;
        Ok(Self {
            folder: folder.clone(),
            config: config.clone(),
            left_out,
            today: Arc::new(Mutex::new(counts)),
            day,
            salt,
            log,
            unsynced: None,
            is_failing: false,
        })
    }

    /// The counts of the day, for those who look at them.
    pub(super) fn today(&self) -> Arc<Mutex<Day>> {
        Arc::clone(&self.today)
    }

    /// Keeps counts until it is told to stop.
    pub(super) fn run(mut self, receiver: &Receiver<Message>) {
        loop {
            let patience = if self.unsynced.is_some() { SYNC_EVERY } else { LOOK_EVERY };
            let first = match receiver.recv_timeout(patience) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut stops = false;
            let mut events = Vec::new();
            for message in first.into_iter().chain(receiver.try_iter().take(TOGETHER)) {
                match message {
                    Message::Note(noted) => events.push(noted),
                    Message::Stop => stops = true,
                }
            }
            let kept = self.turn_to(today()).and_then(|()| self.keep(events)).and_then(|()| self.sync(stops));
            self.tell(kept);
            if stops {
                break;
            }
        }
    }

    /// Begins a new day, if it is one. A clock that is set back begins none.
    fn turn_to(&mut self, day: Date) -> io::Result<()> {
        if day <= self.day {
            return Ok(());
        }
        self.log.sync()?;
        let mut counts = Day::new(day, &self.config);
        let log = self.folder.log(&mut counts)?;
        if !self.salt.is_of(day) {
            self.salt = Salt::of(self.folder.path(), day)?;
        }
        // Who looks now sees the old day in its file, and the new one here.
        *self.today.lock().unwrap_or_else(PoisonError::into_inner) = counts;
        (self.log, self.day, self.unsynced) = (log, day, None);
        tidy(&self.folder, &self.config, day)
    }

    fn keep(&mut self, events: Vec<Noted>) -> io::Result<()> {
        let mut lines = Vec::new();
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        for Noted { second, person, event } in events {
            // What was noted a moment before midnight counts for the day that has begun.
            let second = if day_of(second) < self.day { first_second(self.day) } else { second };
            let line = Line::of(second, self.salt.mark(event.query(), &person), event);
            match today.take(&line) {
                Counted::Yes => lines.push(line),
                Counted::Known => {}
                Counted::NoRoom => drop(self.left_out.inc()),
            }
        }
        drop(today);
        if lines.is_empty() {
            return Ok(());
        }
        let appended = self.log.append(&lines);
        if appended.is_err() {
            self.left_out.inc_by(lines.len() as u64);
        }
        self.unsynced.get_or_insert_with(Instant::now);
        appended
    }

    fn sync(&mut self, now: bool) -> io::Result<()> {
        if self.unsynced.is_some_and(|since| now || since.elapsed() >= SYNC_EVERY) {
            self.log.sync()?;
            self.unsynced = None;
        }
        Ok(())
    }

    fn tell(&mut self, kept: io::Result<()>) {
        match kept {
            Err(error) if !self.is_failing => {
                tracing::error!("insights cannot be written, and what is asked now may be missing from them: {error}");
                self.is_failing = true;
            }
            Ok(()) if self.is_failing => {
                tracing::warn!("insights can be written again");
                self.is_failing = false;
            }
            _ => {}
        }
    }
}

/// Makes counts of the days before `day`, and removes those that are too old.
fn tidy(folder: &Folder, config: &InsightsConfig, day: Date) -> io::Result<()> {
    folder.expire(first_of(day, config.keep_days))?;
    let over = folder.days()?.into_iter().filter(|other| *other < day);
    over.into_iter().try_for_each(|over| folder.finish(over, config))
}

/// The first second of a day.
fn first_second(day: Date) -> i64 {
    day.to_zoned(jiff::tz::TimeZone::UTC).map_or(0, |start| start.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use storage::DocumentId;

    use super::super::counts::DocumentKey;
    use super::super::event::{Event, Outcome, Searched};
    use super::super::period::Period;
    use super::*;
    use crate::guard::Person;

    fn noted(second: i64, key: &str, query: &str) -> Noted {
        let shown = vec![DocumentKey(DocumentId::of("wiki", "a.md"))];
        let searched = Searched { outcome: Outcome::Found, ms: 3, shown };
        let event = Event::Search { query: query.to_string(), searched };
        Noted { second, person: Person::Key(key.to_string()), event }
    }

    fn searches(keeper: &Keeper) -> Vec<(String, u64)> {
        let today = keeper.today.lock().unwrap();
        today.counts().map(|query| (query.query.clone(), query.searches)).collect()
    }

    #[test]
    fn a_new_day_begins_with_nothing_and_leaves_the_counts_of_the_old_one() {
        let data = tempfile::tempdir().unwrap();
        let (folder, config) = (Folder::of(data.path()), InsightsConfig { keep_days: 2, ..Default::default() });
        let day = date(2026, 11, 30);
        let at = first_second(day);
        let mut keeper = Keeper::open(&folder, &config, day, Counter::default()).unwrap();
        keeper.keep(vec![noted(at, "a", "one"), noted(at + 5, "a", "one"), noted(at, "b", "two")]).unwrap();
        assert_eq!(searches(&keeper), [("one".to_string(), 1), ("two".to_string(), 1)]);
        let salt = keeper.salt.clone();
        keeper.turn_to(date(2026, 11, 29)).unwrap();
        assert_eq!(searches(&keeper).len(), 2, "a clock that is set back begins no day");
        keeper.turn_to(date(2026, 12, 1)).unwrap();
        assert!(searches(&keeper).is_empty() && keeper.salt != salt, "another month has another key");
        // It was asked before midnight, and comes behind it.
        keeper.keep(vec![noted(at + 86_399, "c", "one")]).unwrap();
        let read = |days| Period::read(&folder, date(2026, 12, 1), days, &config, None).unwrap();
        assert_eq!((read(1).totals().searches, read(2).totals().searches), (1, 3));
        keeper.turn_to(date(2026, 12, 2)).unwrap();
        let days: Vec<Date> = folder.days().unwrap().into_iter().collect();
        assert_eq!(days, [date(2026, 12, 1), date(2026, 12, 2)], "the first has been kept as long as it may");
    }

    #[test]
    fn who_is_killed_reads_the_day_again() {
        let data = tempfile::tempdir().unwrap();
        let (folder, config) = (Folder::of(data.path()), InsightsConfig::default());
        let day = date(2026, 11, 30);
        let at = first_second(day);
        let mut keeper = Keeper::open(&folder, &config, day, Counter::default()).unwrap();
        keeper.keep(vec![noted(at, "a", "one")]).unwrap();
        // No goodbye.
        std::mem::forget(keeper);
        let mut again = Keeper::open(&folder, &config, day, Counter::default()).unwrap();
        again.keep(vec![noted(at + 60, "a", "one"), noted(at + 60, "b", "one")]).unwrap();
        assert_eq!(searches(&again), [("one".to_string(), 2)], "the first sitting is remembered");
        assert_eq!(Period::read(&folder, day, 1, &config, None).unwrap().totals().searches, 2);
    }
}
