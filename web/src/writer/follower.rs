//! A server that follows another one's backups: in the place of the writer, a thread looks for a newer one, fills it beside the
//! index in force, and puts it in force. Searches go on all the while, on the last snapshot.
//!
//! Promise: whatever is wrong with a backup or its place, what was in force stays, and it is tried again, less and less often
//! where the same backup fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use connect::{BucketConfig, ConnectError, Mirrors};
use serde::Serialize;
use storage::{BackupError, BackupObserver, BackupSummary, Destination, Pulled, Store, chain};
use utoipa::ToSchema;

use super::condition::Failure;
use super::shared::Shared;
use super::thread::Held;
use crate::config::{FollowConfig, IndexConfig};
use crate::guard::Caller;
use crate::jobs::{JobKind, JobState, Progress, now};
use crate::pushed::Pushed;

/// Longest time between two looks where something is wrong.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// The backup that a server follows, and how that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Following {
    /// Name of the backup that is searched.
    pub(crate) backup: String,
    /// When it was made, in seconds of Unix time: what changed after it is not known here.
    pub(crate) made: i64,
    /// When a newer one was last looked for with success, in seconds of Unix time; null before the first time.
    pub(crate) looked: Option<i64>,
    /// Where the backups lie; told to administrators.
    pub(crate) from: Option<String>,
    /// Why there is no newer one, if that failed; told to administrators.
    pub(crate) problem: Option<String>,
}

impl Following {
    /// As a caller may see it.
    pub(crate) fn seen_by(self, caller: &Caller) -> Self {
        if caller.sees_places() { self } else { Self { from: None, problem: None, ..self } }
    }
}

/// The thread's side for requests.
pub(super) struct Follower {
    destination: Box<dyn Destination>,
    config: FollowConfig,
    /// Sources that are fetched from elsewhere, by the configuration: for the links of their documents.
    index: IndexConfig,
    shared: Arc<Shared>,
    pushed: Arc<Pushed>,
    mirrors: Arc<Mirrors>,
    following: Mutex<Following>,
    bell: Condvar,
    stopping: AtomicBool,
}

impl Follower {
    /// Whoever follows what is configured, from `in_force` on.
    ///
    /// # Errors
    /// How the place is reached is not said.
    pub(super) fn new(
        (config, index, s3): (&FollowConfig, &IndexConfig, &BucketConfig),
        in_force: Option<BackupSummary>,
        shared: Arc<Shared>,
        pushed: Arc<Pushed>,
        mirrors: Arc<Mirrors>,
    ) -> Result<Self, ConnectError> {
        let (backup, made) = in_force.map(|summary| (summary.name, summary.created)).unwrap_or_default();
        let from = Some(config.from.display().to_string());
        let following = Mutex::new(Following { backup, made, looked: None, from, problem: None });
        let destination = connect::destination(&config.from, s3)?;
        let (config, index, bell, stopping) = (config.clone(), index.clone(), Condvar::new(), AtomicBool::new(false));
        Ok(Self { destination, config, index, shared, pushed, mirrors, following, bell, stopping })
    }

    fn lock(&self) -> MutexGuard<'_, Following> {
        self.following.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is followed, and how that goes.
    pub(super) fn following(&self) -> Following {
        self.lock().clone()
    }

    /// Tells the thread to leave off.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Whoever is about to wait has seen the flag, or is waiting.
        drop(self.lock());
        self.bell.notify_one();
    }

    fn is_stopped(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Follows until it is told to stop.
    pub(super) fn run(&self, store: Store) {
        let mut held = Some(Held::Open(Box::new(store)));
        let mut failures = 0;
        while !self.is_stopped() {
            held = held.map(|held| self.look(held));
            let is_well = self.lock().problem.is_none();
            failures = if is_well { 0 } else { failures + 1 };
            self.wait(wait_after(failures, Duration::from_secs(self.config.poll_seconds)));
        }
        if let Some(Held::Open(store)) = held
            && let Err(error) = store.close()
        {
            tracing::error!("the index could not be closed in good order: {}", chain(&error));
        }
    }

    fn wait(&self, time: Duration) {
        let following = self.lock();
        if !self.is_stopped() {
            drop(self.bell.wait_timeout(following, time));
        }
    }

    /// Looks for a newer backup, and puts it in force.
    fn look(&self, held: Held) -> Held {
        let store = match held {
            Held::Open(store) => store,
            Held::Closed(closed) => return self.open(closed.open_following()),
        };
        let watch = Watch { follower: self, job: OnceLock::new() };
        match store.pull(&*self.destination, &watch) {
            Ok(None) => {
                self.is_well(None);
                Held::Open(store)
            }
            Ok(Some(pulled)) => self.adopt(*store, &pulled, &watch),
            Err(error) => {
                self.failed(&error, &watch);
                Held::Open(store)
            }
        }
    }

    fn adopt(&self, store: Store, pulled: &Pulled, watch: &Watch<'_>) -> Held {
        let mut closed = store.suspend();
        match closed.adopt(pulled) {
            Ok(()) => {
                self.read_beside();
                self.is_well(Some(&pulled.summary));
                let words = words(pulled);
                tracing::info!("{words}");
                watch.finish(JobState::Done, words);
            }
            Err(error) => self.failed(&error, watch),
        }
        self.open(closed.open_following())
    }

    /// A store that was opened, or one that is to be tried again.
    fn open(&self, opened: Result<Store, (Box<storage::ClosedStore>, storage::Error)>) -> Held {
        match opened {
            Ok(store) => {
                self.shared.recovered();
                Held::Open(Box::new(store))
            }
            Err((closed, error)) => {
                tracing::error!("the index cannot be opened; searches go on, and it is tried again: {}", chain(&error));
                self.lock().problem = Some(chain(&error));
                self.shared.failing(&Failure::of(&error.into()));
                Held::Closed(closed)
            }
        }
    }

    /// What came with a backup and is kept in memory. What cannot be read is as it was.
    fn read_beside(&self) {
        if let Err(error) = self.pushed.reload() {
            tracing::error!("what was given with pushed documents cannot be read again: {error}");
        }
        if let Err(error) = self.mirrors.reload(self.index.fetched()) {
            tracing::error!("where mirrored sources come from cannot be read again: {}", chain(&error));
        }
    }

    fn is_well(&self, newer: Option<&BackupSummary>) {
        let mut following = self.lock();
        following.looked = Some(now());
        if let Some(summary) = newer {
            following.backup.clone_from(&summary.name);
            following.made = summary.created;
        }
        if following.problem.take().is_some() {
            tracing::info!("the backups can be followed again");
        }
    }

    fn failed(&self, error: &BackupError, watch: &Watch<'_>) {
        match error {
            BackupError::Stopped => {
                watch.finish(JobState::Interrupted, "stopped with the server; brought after its next start".to_owned());
            }
            // Somebody removes old backups just now.
            BackupError::InUse { .. } => {}
            error => {
                let told = chain(error);
                watch.fail(&Failure::no_newer(&told));
                let mut following = self.lock();
                if following.problem.as_ref() != Some(&told) {
                    tracing::error!("no newer backup: {told}");
                }
                following.problem = Some(told);
            }
        }
    }
}

/// Tells how far a backup is, and ends it with the server. A job is noted once there is something to bring.
struct Watch<'a> {
    follower: &'a Follower,
    job: OnceLock<u64>,
}

impl Watch<'_> {
    fn finish(&self, state: JobState, words: String) {
        self.job.get().into_iter().for_each(|job| self.follower.shared.jobs.finish(*job, state, words.clone()));
    }

    fn fail(&self, failure: &Failure) {
        self.job.get().into_iter().for_each(|job| self.follower.shared.jobs.fail(*job, failure));
    }
}

impl BackupObserver for Watch<'_> {
    fn progressed(&self, done: u64, all: u64) {
        let jobs = &self.follower.shared.jobs;
        let job = self.job.get_or_init(|| {
            let job = jobs.add(JobKind::Follow, "");
            jobs.start(job);
            job
        });
        jobs.progress(*job, Progress { bytes: done, planned_bytes: all, ..Progress::default() });
    }

    fn is_stopped(&self) -> bool {
        self.follower.is_stopped()
    }
}

fn words(pulled: &Pulled) -> String {
    let Pulled { summary, fetched, .. } = pulled;
    format!(
        "{}: {} documents, {} passages; {:.1} MB fetched",
        summary.name,
        summary.documents,
        summary.passages,
        *fetched as f64 / 1e6
    )
}

/// Time until the next look, after so many that failed.
fn wait_after(failures: u32, poll: Duration) -> Duration {
    let longest = LONGEST_WAIT.max(poll);
    poll.checked_mul(1 << failures.saturating_sub(1).min(20)).map_or(longest, |wait| wait.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_tried_less_and_less_often_and_never_given_up() {
        let seconds = |failures, poll| wait_after(failures, Duration::from_secs(poll)).as_secs();
        assert_eq!([0, 1, 2, 3].map(|failures| seconds(failures, 60)), [60, 60, 120, 240]);
        assert_eq!([seconds(9, 60), seconds(u32::MAX, 60)], [3600, 3600]);
        assert_eq!([seconds(0, 7200), seconds(5, 7200)], [7200, 7200], "no more often than asked for");
    }
}
