//! Giving space back in a running server: when somebody asks, and after removals that leave much behind. The store is closed
//! meanwhile; searches go on on the last snapshot, and what is accepted waits.

use std::time::Instant;

use storage::{Compaction, Snapshot, chain};

use super::condition::Failure;
use super::no_source;
use super::order::PlaceId;
use super::queue::{Origin, Task};
use super::shared::Shared;
use super::thread::{Held, Worker};
use super::turns::Kind;
use crate::jobs::{JobState, Progress};

/// Vectors of removed texts from which on it pays.
const WORTH_IT: u64 = 20_000;

impl Shared {
    /// Has the index made anew without what was removed, where that is more than what is left.
    pub(super) fn compact_if_wasteful(&self, snapshot: &Snapshot) {
        let (used, all) = snapshot.vectors_in_use();
        if is_wasteful(used, all) {
            let mut queue = self.lock();
            self.queue_run_in(&mut queue, no_source(), Task::Compact, Origin::Timetable);
            self.ring();
        }
    }
}

impl Worker {
    /// Makes the index anew without what was removed. Whatever comes of it, the store is opened again.
    pub(super) fn compact(&mut self, id: PlaceId) {
        let store = match self.held.take() {
            Some(Held::Open(store)) => store,
            other => {
                self.held = other;
                return self.shared.make_room(&[id]);
            }
        };
        let Some(run) = self.desk.begin(id) else {
            self.held = Some(Held::Open(store));
            return;
        };
        let started = Instant::now();
        let mut closed = store.suspend();
        let compacted = closed.compact(|files, planned| {
            self.shared.jobs.progress(run.job, Progress { files, planned, ..Progress::default() });
        });
        self.open(closed);
        self.shared.spent(Kind::Pass, started.elapsed());
        if let Err(error) = self.desk.close(&run) {
            tracing::warn!("a compaction that is over stays noted, and is made at the next start: {}", chain(&error));
        }
        match compacted {
            Ok(compaction) => self.shared.jobs.finish(run.job, JobState::Done, words(&compaction)),
            Err(error) => {
                tracing::error!("no space was given back: {}", chain(&error));
                self.shared.jobs.fail(run.job, &Failure::of(&error.into()));
            }
        }
        self.shared.run_done(id);
    }
}

/// Whether most of what is stored is of no use any more, and that is much.
fn is_wasteful(used: u64, all: u64) -> bool {
    let unused = all.saturating_sub(used);
    unused >= WORTH_IT && unused > used
}

fn words(compaction: &Compaction) -> String {
    let (before, after) = (compaction.before() as f64 / 1e6, compaction.after() as f64 / 1e6);
    format!("{before:.1} MB before, {after:.1} MB after; {} vectors of removed texts are gone", compaction.dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_much_that_is_most_of_all_is_given_back_unasked() {
        assert!(is_wasteful(0, 20_000) && is_wasteful(19_999, 40_000));
        assert!(!is_wasteful(20_000, 40_000), "half is not most");
        assert!(!is_wasteful(10, 20_009), "it is not much");
        assert!(!is_wasteful(7, 5));
    }
}
