//! The watch over work that is under way: tells how far a pass is, makes room for the others beside it, and has a
//! commit of changes that takes long make room for the next.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indexer::{Counters, IndexError, Interlude, Observer, Planned};
use storage::Store;

use super::desk::Desk;
use super::queue::Step;
use super::shared::Shared;
use crate::jobs::Progress;

/// How long changes are worked on before they make room: a large file must not hold up those behind it.
pub(super) const SLICE: Duration = Duration::from_secs(2);
/// Time between two looks at how far a pass is.
const REPORT_EVERY: Duration = Duration::from_millis(200);

/// Tells how far work is.
pub(super) struct Watch<'a> {
    shared: &'a Shared,
    job: u64,
    started: Instant,
    reported: Cell<Option<Instant>>,
    progress: Cell<Progress>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(shared: &'a Shared, job: u64) -> Self {
        Self { shared, job, started: Instant::now(), reported: Cell::default(), progress: Cell::default() }
    }

    fn tell(&self, progress: Progress) {
        self.progress.set(progress);
        self.reported.set(Some(Instant::now()));
        self.shared.jobs.progress(self.job, progress);
    }
}

impl Observer for Watch<'_> {
    fn planned(&self, plan: &Planned) {
        let Planned { files, bytes, unchanged } = *plan;
        self.tell(Progress { planned: files, planned_bytes: bytes, unchanged, ..Progress::default() });
    }

    fn waiting(&self, reason: Option<&str>) {
        self.shared.jobs.wait_for(self.job, reason);
    }

    fn progressed(&self, counters: &Counters) {
        if self.reported.get().is_some_and(|reported| reported.elapsed() < REPORT_EVERY) {
            return;
        }
        let seconds = self.started.elapsed().as_secs_f64().max(1e-3);
        // By bytes, not by files: those differ a thousandfold.
        let left = self.progress.get().planned_bytes.saturating_sub(counters.bytes) as f64;
        self.tell(Progress {
            files: counters.files,
            bytes: counters.bytes,
            passages: counters.chunks,
            tokens: counters.tokens,
            tokens_per_second: counters.tokens as f64 / seconds,
            // Of the last files nothing is known until they are embedded: better no guess than none left.
            seconds_left: (counters.bytes > 0 && left > 0.0).then(|| left * seconds / counters.bytes as f64),
            ..self.progress.get()
        });
    }
}

/// Watches changes: stops them once they have had their time, have got on, and somebody else waits.
pub(super) struct Slice<'a> {
    watch: Watch<'a>,
    cancel: &'a AtomicBool,
}

impl<'a> Slice<'a> {
    pub(super) fn new(shared: &'a Shared, job: u64, cancel: &'a AtomicBool) -> Self {
        Self { watch: Watch::new(shared, job), cancel }
    }
}

impl Observer for Slice<'_> {
    fn planned(&self, plan: &Planned) {
        self.watch.planned(plan);
    }

    fn waiting(&self, reason: Option<&str>) {
        self.watch.waiting(reason);
        // Nothing gets on while a model is away: whoever needs none goes first.
        let is_over = reason.is_some() && self.watch.started.elapsed() >= SLICE;
        if is_over && self.watch.shared.lock().others_wait() {
            self.cancel.store(true, Ordering::Relaxed);
        }
    }

    fn progressed(&self, counters: &Counters) {
        self.watch.progressed(counters);
        // What is embedded is kept: each slice begins where the last one ended.
        let is_over = self.watch.started.elapsed() >= SLICE && counters.embedded > 0;
        let queue = self.watch.shared.lock();
        if queue.stopping || (is_over && queue.others_wait()) {
            self.cancel.store(true, Ordering::Relaxed);
        }
    }
}

/// Makes room for changes and removals beside a pass.
pub(super) struct Room<'a> {
    pub(super) desk: &'a mut Desk,
    /// The source that the pass is over.
    pub(super) source: String,
    /// Since when the time is the pass's.
    pub(super) since: Instant,
}

impl Interlude for Room<'_> {
    fn room(&mut self, store: &mut Store) -> Result<Vec<String>, IndexError> {
        let mut overtaken = Vec::new();
        let mut spent = self.since.elapsed();
        while let Some(step) = self.desk.shared.next_beside_pass(std::mem::take(&mut spent)) {
            let (kind, started) = (step.kind(), Instant::now());
            if let Step::Changes(ids) = &step {
                overtaken.extend(self.desk.paths(ids, &self.source));
            }
            self.desk.step(store, step)?;
            self.desk.shared.spent(kind, started.elapsed());
        }
        self.since = Instant::now();
        Ok(overtaken)
    }
}
