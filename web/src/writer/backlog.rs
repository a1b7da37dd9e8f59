//! The backlog: vectors that are still to come are made while nobody waits for the writer, and what is searched meanwhile by
//! words is searched by meaning as they come.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indexer::{BacklogReport, Counters, IndexError, Indexer, Observer, Planned, Until};
use storage::{Store, Waiting, chain};

use super::desk::{Desk, refusal};
use super::journal::EntryId;
use super::shared::Shared;
use super::turns::Kind;
use super::watch::{Room, SLICE};
use crate::jobs::{JobKind, JobState, Progress};

/// Time until it is tried again what could not be embedded.
const RETRY: Duration = Duration::from_secs(30);

impl Shared {
    /// Vectors are still to come: the thread makes them as soon as nothing else is to be done.
    pub(super) fn expect_vectors(&self) {
        let mut queue = self.lock();
        queue.backlog.get_or_insert_with(Instant::now);
        if queue.backlog_job.is_none() {
            let job = self.jobs.add(JobKind::Embed, "");
            queue.backlog_job = Some(job);
            if queue.backlog_paused.is_some() {
                self.jobs.pause(job);
            }
        }
    }

    /// When vectors are made next; `None` once all are there.
    fn set_backlog(&self, next: Option<Instant>) {
        let mut queue = self.lock();
        queue.backlog = next;
        match (next, queue.backlog_job, queue.backlog_paused) {
            (None, job, held) => {
                queue.seconds_left = None;
                queue.backlog_paused = None;
                queue.backlog_job = None;
                if let Some(job) = job {
                    self.jobs.finish(job, JobState::Done, "all passages are found by meaning".to_string());
                }
                drop(queue);
                held.into_iter().for_each(|held| self.let_vectors_go(held));
            }
            (Some(_), Some(job), None) => self.jobs.postpone(job),
            (Some(_), Some(job), Some(_)) => self.jobs.pause(job),
            (Some(_), None, _) => {}
        }
    }

    /// Takes a pause that holds nothing any more out of the journal.
    pub(super) fn let_vectors_go(&self, held: EntryId) {
        if let Err(error) = self.journal.done(held) {
            tracing::error!("cannot note that the making of vectors is not paused any more: {error}");
        }
    }

    /// About how long it takes until all vectors are there, while they are made and that is known.
    pub(super) fn seconds_left(&self) -> Option<f64> {
        self.lock().seconds_left
    }
}

impl Desk {
    /// Works on the backlog until it is done or a source waits to be brought up to date; changes are let in meanwhile.
    ///
    /// # Errors
    /// The store is in doubt.
    pub(super) fn backlog(&mut self, store: &mut Store) -> Result<(), IndexError> {
        let shared = Arc::clone(&self.shared);
        let (cancel, embedder, options) = (AtomicBool::new(false), self.embedder.clone(), self.options.clone());
        let job = shared.lock().backlog_job;
        let gauge = Gauge::new(&shared, &cancel, store.waiting(), job);
        job.into_iter().for_each(|job| shared.jobs.start(job));
        let mut room = Room { desk: self, source: String::new(), since: Instant::now() };
        let outcome = Indexer::new(store, &embedder, options, &gauge, &cancel)
            .with_interlude(&mut room)
            .embed_backlog(Until::Done);
        shared.spent(Kind::Pass, room.since.elapsed());
        let next = match outcome {
            _ if store.waiting().is_over() => None,
            Ok(BacklogReport { embedded: 0, refused: 0, interrupted: false, .. }) => {
                tracing::warn!(
                    "vectors are still to come, and none could be made; tried again in {} s",
                    RETRY.as_secs()
                );
                Some(Instant::now() + RETRY)
            }
            Ok(_) => Some(Instant::now()),
            Err(error) => {
                let words = chain(&error);
                refusal(error)?;
                tracing::error!("vectors that are still to come could not be made; tried again later: {words}");
                Some(Instant::now() + RETRY)
            }
        };
        shared.set_backlog(next);
        Ok(())
    }
}

/// Measures how fast the backlog shrinks, and ends a piece of the work where a source waits.
struct Gauge<'a> {
    shared: &'a Shared,
    cancel: &'a AtomicBool,
    started: Instant,
    at_first: Waiting,
    left: Cell<Waiting>,
    job: Option<u64>,
    /// Whether a model elsewhere is away.
    is_away: Cell<bool>,
}

impl<'a> Gauge<'a> {
    fn new(shared: &'a Shared, cancel: &'a AtomicBool, at_first: Waiting, job: Option<u64>) -> Self {
        let (started, left, is_away) = (Instant::now(), Cell::new(at_first), Cell::new(false));
        Self { shared, cancel, started, at_first, left, job, is_away }
    }

    /// How far the job is: in passages.
    fn progress(&self, counters: &Counters, seconds_left: Option<f64>) -> Progress {
        let seconds = self.started.elapsed().as_secs_f64().max(1e-3);
        Progress {
            planned: self.at_first.passages,
            passages: self.at_first.passages.saturating_sub(self.left.get().passages),
            tokens: counters.tokens,
            tokens_per_second: counters.tokens as f64 / seconds,
            seconds_left,
            ..Progress::default()
        }
    }
}

impl Observer for Gauge<'_> {
    fn planned(&self, _: &Planned) {}

    fn progressed(&self, counters: &Counters) {
        let mut queue = self.shared.lock();
        // Nothing gets on while a model is away: whoever needs none goes first.
        let is_over = self.started.elapsed() >= SLICE && (counters.embedded > 0 || self.is_away.get());
        if queue.stopping || queue.backlog_paused.is_some() || (is_over && queue.pass_waits(Instant::now())) {
            self.cancel.store(true, Ordering::Relaxed);
        }
        // By the texts that are left, not by files: those differ a thousandfold.
        let done = self.at_first.bytes.saturating_sub(self.left.get().bytes);
        if done > 0 {
            let speed = done as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
            queue.seconds_left = Some(self.left.get().bytes as f64 / speed);
        }
        if let Some(job) = self.job {
            self.shared.jobs.progress(job, self.progress(counters, queue.seconds_left));
        }
    }

    fn waiting(&self, reason: Option<&str>) {
        self.is_away.set(reason.is_some());
        self.job.into_iter().for_each(|job| self.shared.jobs.wait_for(job, reason));
    }

    fn backlog(&self, left: &Waiting) {
        self.left.set(*left);
    }
}
