//! The syncs of mirrored sources: what lies elsewhere is fetched in threads beside the writer's, and only then does the
//! source's pass take its place in the order. So a site that takes its time holds up nobody.
//!
//! A sync is part of its pass's job: one number for both, and what stops the one stops the other. What it has brought is
//! taken in while it goes on, as documents that are pushed are, so that the first pages of a large site are found at once; the
//! pass then finds them unchanged.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use connect::{SyncCounters, SyncObserver, SyncReport};
use storage::chain;

use super::order::{PlaceId, Stage};
use super::queue::{Change, Queue, Run, Synced, Task};
use super::shared::Shared;
use super::turns::Kind;
use crate::jobs::{JobKind, Progress};

/// Sources that are fetched from at the same time.
const AT_ONCE: usize = 4;
/// Time between two words on how far a sync is.
const REPORT_EVERY: Duration = Duration::from_millis(200);
/// Time after which what has come is taken in; before, as soon as it is as much as was taken in already, but not at once: most
/// syncs are short, and a pass follows.
const TAKE_IN_EVERY: Duration = Duration::from_secs(10);
const TAKE_IN_FROM: Duration = Duration::from_secs(2);
/// Files that are taken in at once.
const TAKEN_IN_AT_ONCE: usize = 500;
/// How long the end of syncs is waited for that are stopped; their mirrors are whole at any moment.
const END: Duration = Duration::from_secs(5);

/// The syncs that wait and those under way.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    waiting: VecDeque<PlaceId>,
    /// By place: the source, and what stops it.
    under_way: BTreeMap<PlaceId, (String, Arc<AtomicBool>)>,
}

impl Syncs {
    /// Whether a pass waits for its sync to begin.
    pub(super) fn waits(&self, id: PlaceId) -> bool {
        self.waiting.contains(&id)
    }

    /// Whether a pass waits for its sync.
    pub(super) fn holds(&self, id: PlaceId) -> bool {
        self.waits(id) || self.under_way.contains_key(&id)
    }

    /// Whether a source is being fetched.
    pub(super) fn is_busy(&self, source: &str) -> bool {
        self.under_way.values().any(|(name, _)| name == source)
    }

    /// Stops the sync of a pass.
    pub(super) fn stop(&mut self, id: PlaceId) {
        self.waiting.retain(|waiting| *waiting != id);
        if let Some((_, stop)) = self.under_way.get(&id) {
            stop.store(true, Ordering::Relaxed);
        }
    }

    /// Stops all of them.
    pub(super) fn stop_all(&mut self) {
        self.waiting.clear();
        self.under_way.values().for_each(|(_, stop)| stop.store(true, Ordering::Relaxed));
    }
}

impl Queue {
    /// The sync that can begin: never two of one source.
    fn next_sync(&mut self) -> Option<(PlaceId, Run, Arc<AtomicBool>)> {
        let can_begin = |id: &PlaceId| self.runs.get(id).is_none_or(|run| !self.syncs.is_busy(&run.source.name));
        let at = self.syncs.waiting.iter().position(can_begin)?;
        let id = self.syncs.waiting.remove(at)?;
        let run = self.runs.get(&id)?.clone();
        let stop = Arc::new(AtomicBool::new(false));
        self.syncs.under_way.insert(id, (run.source.name.clone(), Arc::clone(&stop)));
        Some((id, run, stop))
    }
}

impl Shared {
    /// Lets work begin: that on a mirrored source by fetching what has changed.
    pub(super) fn release(&self, queue: &mut Queue, id: PlaceId) {
        let is_mirrored = queue.runs.get(&id).is_some_and(|run| {
            matches!(run.task, Task::Index(_)) && run.synced.is_none() && self.mirrors.owns(&run.source)
        });
        if !is_mirrored {
            queue.order.set(id, Stage::Ready);
            return;
        }
        queue.order.set(id, Stage::Prepares);
        queue.syncs.waiting.push_back(id);
        self.sync_bell.notify_one();
    }

    /// Fetches for one pass after the other, until the server stops.
    fn sync_loop(&self) {
        loop {
            let Some((id, run, stop)) = self.await_sync() else { return };
            self.jobs.start(run.job);
            let watch = Watch::new(self, id, &run);
            let outcome = self.mirrors.sync(&run.source.name, &watch, &stop).map_err(|error| chain(&error));
            self.mirrors.refresh(&run.source.name);
            self.synced(id, &run, outcome, watch.taken_in.get());
        }
    }

    fn await_sync(&self) -> Option<(PlaceId, Run, Arc<AtomicBool>)> {
        let mut queue = self.lock();
        loop {
            if queue.stopping {
                return None;
            }
            if let Some(next) = queue.next_sync() {
                return Some(next);
            }
            queue = self.sync_bell.wait(queue).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// Has files taken in that a sync has brought which goes on; whether it can be done now.
    fn take_in(&self, id: PlaceId, run: &Run, paths: &[String]) -> bool {
        let source = &run.source;
        let mut queue = self.lock();
        let goes_on = queue.order.stage(id) == Some(Stage::Prepares) && queue.syncs.under_way.contains_key(&id);
        let is_behind = queue.changes.values().any(|change| change.is_interim && change.source == *source);
        if !goes_on || is_behind || queue.stopping || queue.condition.failure().is_some() {
            return false;
        }
        self.mirrors.refresh(&source.name);
        let claimed = paths.iter().cloned().collect();
        let place = queue.order.accept(&source.name, Kind::Change, claimed, Stage::Ready);
        let job = self.jobs.add(JobKind::Documents, &source.name);
        let (paths, source) = (paths.to_vec(), source.clone());
        let change = Change { job, source, paths, clear: None, reply: None, tries: 0, is_interim: true };
        queue.changes.insert(place, change);
        self.changed(&mut queue);
        true
    }

    /// A sync has ended: its pass is next, unless it was stopped.
    fn synced(&self, id: PlaceId, run: &Run, outcome: Result<SyncReport, String>, taken_in: usize) {
        let mut queue = self.lock();
        queue.syncs.under_way.remove(&id);
        // Another of the same source may have waited for its end, and a removal may do so.
        self.sync_bell.notify_all();
        let is_over = match &outcome {
            Ok(report) => !report.is_interrupted,
            Err(_) => true,
        };
        // Paused, called off, removed, or asked for again meanwhile.
        let is_meant = queue.order.stage(id) == Some(Stage::Prepares) && !queue.syncs.waits(id);
        if is_over && is_meant && !queue.stopping {
            if let Err(error) = &outcome {
                tracing::warn!(source = run.source.name, "not up to date: {error}");
            }
            if let Some(run) = queue.runs.get_mut(&id) {
                run.synced = Some(Synced::of(outcome, taken_in));
            }
            queue.order.set(id, Stage::Ready);
            self.jobs.postpone(run.job);
        }
        self.changed(&mut queue);
    }

    /// Waits a moment for the syncs of a source to end, which were told to; whether they have.
    pub(super) fn syncs_have_ended(&self, source: &str) -> bool {
        let until = Instant::now() + REPORT_EVERY;
        let mut queue = self.lock();
        while queue.syncs.is_busy(source) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.sync_bell.wait_timeout(queue, left).unwrap_or_else(std::sync::PoisonError::into_inner);
            queue = waited.0;
        }
        true
    }
}

/// The threads that fetch.
pub(super) struct SyncThreads(Vec<JoinHandle<()>>);

impl SyncThreads {
    pub(super) fn start(shared: &Arc<Shared>) -> std::io::Result<Self> {
        let threads = (0..AT_ONCE).map(|number| {
            let shared = Arc::clone(shared);
            std::thread::Builder::new().name(format!("sync-{number}")).spawn(move || shared.sync_loop())
        });
        threads.collect::<std::io::Result<_>>().map(Self)
    }

    /// Waits for them to end, within bounds: one may wait for a machine that gives no answer.
    pub(super) fn join(self) {
        let until = Instant::now() + END;
        for thread in self.0 {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
            if thread.is_finished() && thread.join().is_err() {
                tracing::error!("a sync panicked; its mirror is whole, and the next one goes on");
            }
        }
    }
}

impl Synced {
    fn of(outcome: Result<SyncReport, String>, taken_in: usize) -> Self {
        match outcome {
            Ok(report) => {
                let mut words = words(&report);
                if taken_in > 0 {
                    words.push_str(&format!("; {taken_in} were taken in meanwhile"));
                }
                Self { is_idle: report.fetched + report.removed == 0, words, error: None }
            }
            Err(error) => Self { is_idle: true, words: String::new(), error: Some(error) },
        }
    }
}

fn words(report: &SyncReport) -> String {
    let SyncReport { fetched, unchanged, removed, unwanted, failed, problems, left_out, notes, .. } = report;
    let mut words = format!("{fetched} fetched, {unchanged} as they were, {removed} gone, {unwanted} left out");
    if let Some(first) = problems.first() {
        words.push_str(&format!(", {failed} not fetched (the first: {first})"));
    }
    if let Some(why) = left_out {
        words.push_str(&format!("; nothing else was taken for gone: {why}"));
    }
    notes.iter().for_each(|note| words.push_str(&format!("; {note}")));
    words
}

/// Tells how far a sync is, and has taken in what it has brought.
struct Watch<'a> {
    shared: &'a Shared,
    id: PlaceId,
    run: &'a Run,
    reported: Cell<Option<Instant>>,
    /// What has come and is not taken in yet.
    brought: RefCell<Vec<String>>,
    /// Files that were taken in, and when the last ones were.
    taken_in: Cell<usize>,
    last: Cell<Instant>,
}

impl<'a> Watch<'a> {
    fn new(shared: &'a Shared, id: PlaceId, run: &'a Run) -> Self {
        let (brought, last) = (RefCell::default(), Cell::new(Instant::now()));
        Self { shared, id, run, reported: Cell::default(), brought, taken_in: Cell::default(), last }
    }

    fn take_in(&self) {
        let mut brought = self.brought.borrow_mut();
        let count = brought.len().min(TAKEN_IN_AT_ONCE);
        let since = self.last.get().elapsed();
        let is_time = since >= TAKE_IN_EVERY || (since >= TAKE_IN_FROM && count >= self.taken_in.get());
        if count > 0 && is_time && self.shared.take_in(self.id, self.run, &brought[..count]) {
            brought.drain(..count);
            self.taken_in.set(self.taken_in.get() + count);
            self.last.set(Instant::now());
        }
    }
}

impl SyncObserver for Watch<'_> {
    fn brought(&self, path: &str) {
        self.brought.borrow_mut().push(path.to_owned());
    }

    fn progressed(&self, counters: &SyncCounters) {
        self.take_in();
        if self.reported.get().is_some_and(|reported| reported.elapsed() < REPORT_EVERY) {
            return;
        }
        self.reported.set(Some(Instant::now()));
        let SyncCounters { named, fetched, bytes } = *counters;
        let progress = Progress { planned: named, files: fetched, bytes, ..Progress::default() };
        self.shared.jobs.progress(self.run.job, progress);
    }
}
