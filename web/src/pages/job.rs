//! A job in words: what it does, how it fares, how far it is.

use super::strings::Strings;
use crate::jobs::{Job, JobKind, JobState};

/// What jobs of a kind do.
pub(super) fn kind(words: &'static Strings, job: &Job) -> &'static str {
    match job.kind {
        JobKind::Index => words.job_index,
        JobKind::Documents => words.job_documents,
        JobKind::RemoveSource => words.job_remove,
        JobKind::Embed => words.job_embed,
        JobKind::Verify => words.job_verify,
        JobKind::Backup => words.job_backup,
        JobKind::Follow => words.job_follow,
        JobKind::Compact => words.job_compact,
    }
}

pub(super) fn state(words: &'static Strings, job: &Job) -> &'static str {
    match job.state {
        JobState::Queued => words.job_queued,
        JobState::Running => words.job_running,
        JobState::Paused => words.job_paused,
        JobState::Done => words.job_done,
        JobState::Failed => words.failed,
        JobState::Interrupted => words.job_interrupted,
        JobState::Cancelled => words.job_cancelled,
    }
}

/// How much is done, and of how much, in what jobs of the kind count; none where nothing is counted.
pub(super) fn share(job: &Job) -> Option<(u64, u64)> {
    let progress = &job.progress;
    let (done, all) = match job.kind {
        JobKind::Embed => (progress.passages, progress.planned),
        JobKind::Backup | JobKind::Follow => (progress.bytes, progress.planned_bytes),
        _ => (progress.files, progress.planned),
    };
    (all > 0).then_some((done, all))
}
