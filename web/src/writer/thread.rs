//! The loop of the writer's thread: the next step, and the store that it needs.
//!
//! A step that fails or panics leaves the store in doubt: it is closed and opened again at once, as at a start, and the
//! step is done again. Where that does not work, it is tried again after a while, and longer and longer ones, for as long
//! as it takes; searches go on on the last snapshot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use storage::{ClosedStore, Store, chain};

use super::condition::Failure;
use super::desk::Desk;
use super::queue::Step;
use super::shared::{Next, Shared};
use super::turns::Kind;

/// The thread's own.
pub(super) struct Worker {
    pub(super) held: Option<Held>,
    pub(super) desk: Desk,
    pub(super) shared: Arc<Shared>,
}

/// The store as the thread has it.
pub(super) enum Held {
    Open(Box<Store>),
    /// It failed, and could not be opened again yet.
    Closed(Box<ClosedStore>),
}

impl Worker {
    pub(super) fn new(store: Store, desk: Desk, shared: Arc<Shared>) -> Self {
        Self { held: Some(Held::Open(Box::new(store))), desk, shared }
    }

    pub(super) fn run(mut self) {
        loop {
            match self.shared.next() {
                Next::Step(step) => self.step(step),
                Next::Reopen => self.reopen(),
                Next::Stop => break,
            }
        }
        let closed = match self.held.take() {
            Some(Held::Open(store)) => store.close(),
            _ => return,
        };
        if let Err(error) = closed {
            tracing::error!(
                "the index could not be closed in good order; the next start repairs it: {}",
                chain(&error)
            );
        }
    }

    fn step(&mut self, step: Step) {
        if let Step::Compaction(id) = step {
            return self.compact(id);
        }
        let (kind, started) = (step.kind(), Instant::now());
        let Some(Held::Open(store)) = &mut self.held else { return self.reopen() };
        let desk = &mut self.desk;
        let failure = match catch_unwind(AssertUnwindSafe(|| desk.step(store, step))) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                tracing::error!("a commit failed; the index is opened again: {}", chain(&error));
                Some(Failure::of(&error))
            }
            Err(_) => {
                tracing::error!("the writer panicked; the index is opened again");
                Some(Failure::panic())
            }
        };
        // A pass accounts for itself: part of the time was that of others.
        if kind != Kind::Pass {
            self.shared.spent(kind, started.elapsed());
        }
        if let Some(failure) = failure {
            self.reopen();
            let under_way = std::mem::take(&mut self.desk.under_way);
            self.shared.put_back(&under_way, &failure);
        }
    }

    /// Closes the store and opens it again, with the repairs of a start.
    fn reopen(&mut self) {
        let closed = match self.held.take() {
            Some(Held::Open(store)) => store.suspend(),
            Some(Held::Closed(closed)) => *closed,
            None => return,
        };
        self.open(closed);
    }

    /// Opens a closed store, or keeps it for another try.
    pub(super) fn open(&mut self, closed: ClosedStore) {
        match closed.open() {
            Ok(store) => {
                store.repairs().iter().for_each(|repair| tracing::warn!("repaired: {repair}"));
                tracing::info!("the index is open again");
                self.held = Some(Held::Open(Box::new(store)));
                self.shared.recovered();
            }
            Err((closed, error)) => {
                tracing::error!(
                    "the index cannot be opened again; searches go on, and it is tried again: {}",
                    chain(&error)
                );
                self.held = Some(Held::Closed(closed));
                self.shared.failing(&Failure::of(&error.into()));
            }
        }
    }
}
