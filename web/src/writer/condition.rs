//! The condition of the index: whether it can be written, what the matter is if not, and when it is tried again. Pure:
//! the time comes along.

use std::time::{Duration, Instant};

use indexer::IndexError;

/// Time until the first new try; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest time between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Why something could not be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// In words that anybody may read: they name no place on the server.
    pub(crate) words: String,
    pub(crate) cause: Cause,
    /// In the words of administrators, where these say more.
    place: Option<String>,
}

/// What has to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The disk has no room.
    Full,
    /// The disk refused for another reason.
    Disk,
    /// Something else; the log says what.
    Other,
}

impl Failure {
    /// What may be told of an error; the whole of it goes to the log.
    pub(crate) fn of(error: &IndexError) -> Self {
        if let IndexError::Storage(storage) = error
            && let Some(answer) = storage.system()
        {
            return Self::disk(&answer);
        }
        let place = match error {
            // What they say is too long for anybody but the log.
            IndexError::Storage(_) | IndexError::Model(_) => None,
            IndexError::SuddenlyEmpty { .. } | IndexError::ManyGone { .. } => Some(format!(
                "{error}; if they were really deleted, `POST /api/v1/sources/NAME/index?accept_deletions=true`"
            )),
            other => Some(other.to_string()),
        };
        Self { words: placeless(error), cause: Cause::Other, place }
    }

    /// Something that has no cause on a disk.
    pub(crate) fn other(words: impl Into<String>) -> Self {
        Self { words: words.into(), cause: Cause::Other, place: None }
    }

    /// A source could not be fetched from where it lies; where that is and why is for administrators.
    pub(crate) fn elsewhere(reason: &str) -> Self {
        let words = "what lies elsewhere could not be fetched; what was fetched before is kept and searched".to_owned();
        Self {
            words,
            cause: Cause::Other,
            place: Some(format!("not fetched: {reason}; what was fetched before is kept and searched")),
        }
    }

    /// A newer backup could not be had; where they lie and why is for administrators.
    pub(crate) fn no_newer(reason: &str) -> Self {
        let words = "no newer backup could be had; what there was before is searched".to_owned();
        Self { words, cause: Cause::Other, place: Some(format!("no newer backup: {reason}")) }
    }

    pub(crate) fn for_admins(&self) -> &str {
        self.place.as_deref().unwrap_or(&self.words)
    }

    /// The disk's answer.
    pub(crate) fn disk(answer: &std::io::Error) -> Self {
        let cause = if storage::is_full(answer) { Cause::Full } else { Cause::Disk };
        Self { words: format!("the disk refused: {answer}"), cause, place: None }
    }

    pub(super) fn panic() -> Self {
        Self::other("the writer failed; the server's log says why")
    }
}

/// An error in words that name no place on the server.
fn placeless(error: &IndexError) -> String {
    match error {
        IndexError::Root(_) => "the source's folder cannot be read: is a disk not mounted?".to_string(),
        IndexError::RootChanged { .. } => {
            "the source's folder was moved, unmounted or replaced while it was indexed; nothing was removed".to_string()
        }
        IndexError::SuddenlyEmpty { documents, .. } => {
            format!("the source's folder is empty, but {documents} of its files are indexed: is a disk not mounted?")
        }
        IndexError::ManyGone { gone, known, .. } => format!(
            "{gone} of {known} indexed files are gone: is part of the source's folder not mounted? New and changed files \
             were indexed, nothing was removed"
        ),
        IndexError::Storage(_) => "the index failed; the server's log says why".to_string(),
        IndexError::Model(_) => "the model failed; the server's log says why".to_string(),
    }
}

/// The state of the writer.
#[derive(Debug, Default)]
pub(super) struct Condition {
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    failure: Failure,
    wait: Duration,
    retry: Instant,
}

impl Condition {
    /// The index could not be opened again.
    pub(super) fn failed(&mut self, failure: Failure, now: Instant) {
        let wait = self.failing.as_ref().map_or(FIRST_WAIT, |before| (before.wait * 2).min(LONGEST_WAIT));
        self.failing = Some(Failing { failure, wait, retry: now + wait });
    }

    /// The index can be written.
    pub(super) fn recovered(&mut self) {
        self.failing = None;
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failing.as_ref().map(|failing| &failing.failure)
    }

    /// When it is tried again.
    pub(super) fn retry(&self) -> Option<Instant> {
        self.failing.as_ref().map(|failing| failing.retry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_again_less_and_less_often_but_always() {
        let full = Failure::disk(&std::io::Error::from_raw_os_error(28));
        assert_eq!(full.cause, Cause::Full);
        assert!(full.words.contains("No space left on device"), "{}", full.words);
        let (mut condition, now) = (Condition::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..8 {
            condition.failed(full.clone(), now);
            waits.push((condition.retry().unwrap() - now).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        condition.recovered();
        assert_eq!((condition.failure(), condition.retry()), (None, None));
    }
}
