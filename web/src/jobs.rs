//! The writer's jobs, to be done, under way and done: for `/api/v1/jobs`, the status page and those who wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use utoipa::ToSchema;

use crate::guard::Caller;
use crate::writer::Failure;

/// Finished jobs that are remembered.
const REMEMBERED: usize = 200;

/// What a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobKind {
    /// A source is brought up to date.
    Index,
    /// Pushed documents are put or removed.
    Documents,
    /// A source is removed.
    RemoveSource,
    /// Vectors are made that are still to come.
    Embed,
    /// The index is checked.
    Verify,
    /// The space of what was removed is given back.
    Compact,
    /// A backup is made.
    Backup,
    /// A newer backup is brought, in a server that follows them.
    Follow,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobState {
    /// Waits for the writer.
    Queued,
    /// Waits until somebody lets it go on, also after a restart.
    Paused,
    /// Is being done.
    Running,
    /// Done.
    Done,
    /// Ended with an error.
    Failed,
    /// Stopped with the server; goes on at the next start.
    Interrupted,
    /// Somebody called it off. What it had committed stays.
    Cancelled,
}

/// One piece of work of the writer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Job {
    /// Number, from 1 at each start of the server.
    pub(crate) id: u64,
    pub(crate) kind: JobKind,
    pub(crate) state: JobState,
    /// Name of the source; empty where it is about the whole index.
    pub(crate) source: String,
    /// Seconds of Unix time when it was asked for.
    pub(crate) created: i64,
    /// Seconds of Unix time when it was begun.
    pub(crate) started: Option<i64>,
    /// Seconds of Unix time when it ended.
    pub(crate) finished: Option<i64>,
    pub(crate) progress: Progress,
    /// What it waits for, where it does: a model elsewhere that gives no answer. The reason is for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waiting_for: Option<String>,
    /// What was done, in words.
    pub(crate) outcome: Option<String>,
    /// Why it failed, in words; of a job that is queued: why it has to be tried again. Where on the server it failed is for
    /// administrators.
    pub(crate) error: Option<String>,
    /// The same in words that name no place on the server.
    #[serde(skip)]
    placeless: Option<String>,
    /// Who asked for it, where somebody did: to others its source may be hidden.
    #[serde(skip)]
    askers: BTreeSet<String>,
}

/// How far an indexing job has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Progress {
    /// Files that have to be read; of vectors that are to come, passages.
    pub(crate) planned: u64,
    /// Bytes of these files.
    pub(crate) planned_bytes: u64,
    /// Files that have not changed.
    pub(crate) unchanged: u64,
    /// Files that were read.
    pub(crate) files: u64,
    /// Bytes of these.
    pub(crate) bytes: u64,
    /// Passages of these files.
    pub(crate) passages: u64,
    /// Tokens that were embedded.
    pub(crate) tokens: u64,
    /// Tokens embedded each second.
    pub(crate) tokens_per_second: f64,
    /// About how many seconds until all is done, by the bytes that are left and the speed so far.
    pub(crate) seconds_left: Option<f64>,
}

/// All jobs that are known.
#[derive(Default)]
pub(crate) struct Jobs {
    jobs: Mutex<BTreeMap<u64, Job>>,
}

impl Jobs {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a job that waits; its number.
    pub(crate) fn add(&self, kind: JobKind, source: &str) -> u64 {
        let mut jobs = self.lock();
        let id = jobs.last_key_value().map_or(1, |(last, _)| last + 1);
        let job = Job {
            id,
            kind,
            state: JobState::Queued,
            source: source.to_string(),
            created: now(),
            started: None,
            finished: None,
            progress: Progress::default(),
            waiting_for: None,
            outcome: None,
            error: None,
            placeless: None,
            askers: BTreeSet::new(),
        };
        jobs.insert(id, job);
        forget_old(&mut jobs);
        id
    }

    pub(crate) fn start(&self, id: u64) {
        self.change(id, |job| {
            job.state = JobState::Running;
            job.started = job.started.or_else(|| Some(now()));
        });
    }

    pub(crate) fn progress(&self, id: u64, progress: Progress) {
        self.change(id, |job| job.progress = progress);
    }

    /// A job waits for a model elsewhere, and why; `None` once it goes on.
    pub(crate) fn wait_for(&self, id: u64, reason: Option<&str>) {
        self.change(id, |job| job.waiting_for = reason.map(str::to_owned));
    }

    /// Puts a job that was begun back into the queue.
    pub(crate) fn postpone(&self, id: u64) {
        self.change(id, |job| job.state = JobState::Queued);
    }

    /// A job waits until somebody lets it go on.
    pub(crate) fn pause(&self, id: u64) {
        self.change(id, |job| {
            job.state = JobState::Paused;
            job.progress.seconds_left = None;
        });
    }

    /// Puts a job that failed back into the queue, with the reason: it is tried again.
    pub(crate) fn retry(&self, id: u64, failure: &Failure) {
        self.change(id, |job| {
            job.state = JobState::Queued;
            job.explain(failure);
        });
    }

    /// A job is over, with what was done in words.
    pub(crate) fn finish(&self, id: u64, state: JobState, outcome: String) {
        self.change(id, |job| {
            job.end(state);
            job.error = None;
            job.outcome = Some(outcome);
        });
    }

    /// A job failed for good.
    pub(crate) fn fail(&self, id: u64, failure: &Failure) {
        self.change(id, |job| {
            job.end(JobState::Failed);
            job.explain(failure);
        });
    }

    /// Forgets a job that turned out to be none.
    pub(crate) fn forget(&self, id: u64) {
        self.lock().remove(&id);
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.lock().get_mut(&id) {
            change(job);
        }
    }

    pub(crate) fn get(&self, id: u64) -> Option<Job> {
        self.lock().get(&id).cloned()
    }

    /// Notes who asked for a job.
    pub(crate) fn asked_by(&self, id: u64, caller: &Caller) {
        self.change(id, |job| job.askers.extend([caller.name.clone()]));
    }

    /// A job as a caller may see it; `None` where it is not for them.
    pub(crate) fn get_as(&self, id: u64, caller: &Caller) -> Option<Job> {
        self.lock().get(&id).cloned()?.seen_by(caller)
    }

    /// The jobs that a caller may see, the newest first: all of them for those who see everything, their own for others.
    pub(crate) fn seen_by(&self, caller: &Caller) -> Vec<Job> {
        self.all().into_iter().filter_map(|job| job.seen_by(caller)).collect()
    }

    /// All known jobs, the newest first.
    pub(crate) fn all(&self) -> Vec<Job> {
        self.lock().values().rev().cloned().collect()
    }
}

impl Job {
    fn end(&mut self, state: JobState) {
        self.state = state;
        self.waiting_for = None;
        self.finished = Some(now());
        self.progress.seconds_left = None;
    }

    fn explain(&mut self, failure: &Failure) {
        self.error = Some(failure.for_admins().to_string());
        self.placeless = Some(failure.words.clone());
    }

    /// The job as a caller may see it. What nobody has put into words for all is not shown to all.
    fn seen_by(mut self, caller: &Caller) -> Option<Self> {
        if !caller.sees_everything() && !self.askers.contains(&caller.name) {
            return None;
        }
        if !caller.sees_places() {
            self.error = self.placeless.take();
            self.waiting_for = self.waiting_for.map(|_| "the embedding model gives no answer at the moment".to_owned());
        }
        Some(self)
    }

    /// Whether a caller who sees it may have it stop: nobody stops what others wait for, too.
    pub(crate) fn may_be_stopped_by(&self, caller: &Caller) -> bool {
        caller.sees_everything() || self.askers.iter().eq([&caller.name])
    }

    fn is_over(&self) -> bool {
        matches!(self.state, JobState::Done | JobState::Failed | JobState::Interrupted | JobState::Cancelled)
    }
}

fn forget_old(jobs: &mut BTreeMap<u64, Job>) {
    let over: Vec<u64> = jobs.values().filter(|job| job.is_over()).map(|job| job.id).collect();
    for id in over.iter().take(over.len().saturating_sub(REMEMBERED)) {
        jobs.remove(id);
    }
}

/// Seconds of Unix time.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use indexer::IndexError;
    use storage::Principals;

    use super::*;
    use crate::guard::Scope;

    #[test]
    fn places_on_the_server_are_for_administrators() {
        let jobs = Jobs::default();
        let id = jobs.add(JobKind::Index, "wiki");
        let root = "/srv/secret/wiki".into();
        jobs.fail(id, &Failure::of(&IndexError::SuddenlyEmpty { root, documents: 7 }));
        let caller =
            |name: &str, scopes: &[Scope]| Caller::new(name.to_string(), scopes.to_vec(), Principals::anybody());
        let shown = |caller: &Caller| serde_json::to_string(&jobs.get_as(id, caller)).unwrap();
        assert!(shown(&caller("root", &[Scope::Admin])).contains("/srv/secret/wiki"));
        let other = caller("key a", &[Scope::Search, Scope::Index]);
        assert_eq!(shown(&other), "null", "what others asked for may be about what is hidden");
        jobs.asked_by(id, &other);
        assert!(!shown(&other).contains("/srv") && shown(&other).contains("7 of its files are indexed"));
        let third = caller("key b", &[Scope::Search, Scope::Index]);
        assert!(jobs.seen_by(&third).is_empty() && jobs.seen_by(&other).len() == 1);
        assert!(jobs.get(id).unwrap().may_be_stopped_by(&other));
        // Who asks for the same later does not take it away from who asked first.
        jobs.asked_by(id, &third);
        let job = jobs.get_as(id, &other).unwrap();
        assert!(jobs.get_as(id, &third).is_some() && !job.may_be_stopped_by(&other) && !job.may_be_stopped_by(&third));
        assert!(job.may_be_stopped_by(&caller("root", &[Scope::Admin])));
    }

    #[test]
    fn old_jobs_are_forgotten_and_waiting_ones_are_not() {
        let jobs = Jobs::default();
        let waiting = jobs.add(JobKind::Index, "a");
        for _ in 0..REMEMBERED + 50 {
            let id = jobs.add(JobKind::Documents, "b");
            jobs.finish(id, JobState::Done, String::new());
        }
        let last = jobs.add(JobKind::Index, "c");
        assert_eq!(jobs.all().len(), REMEMBERED + 2);
        assert!(jobs.get(waiting).is_some());
        assert_eq!(jobs.all()[0].id, last);
    }
}
