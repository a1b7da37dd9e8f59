//! The trust in a model elsewhere: that it is the one whose vectors the index holds. It is lost with every failure, for a server
//! that comes back may have come back with another model, and with time.

use std::time::{Duration, Instant};

/// How long a model that was the same stays trusted.
const LASTS: Duration = Duration::from_secs(600);
/// How long a model that was another one is not asked again.
const DISTRUSTED: Duration = Duration::from_secs(10);

/// What is known of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Trust {
    /// It has to be asked.
    #[default]
    Wanting,
    /// It was the same then, when there had been so many failures.
    Earned {
        /// When it was asked.
        at: Instant,
        /// Failures by then.
        failures: u64,
    },
    /// It was another one, and what was said of it.
    Lost {
        /// When it was asked.
        at: Instant,
        /// What is wrong.
        reason: String,
    },
}

/// What follows from it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its vectors can be used.
    Trusted,
    /// It is asked first.
    Ask,
    /// It is not used.
    Refused(String),
}

impl Trust {
    pub(super) fn earned(failures: u64) -> Self {
        Self::Earned { at: Instant::now(), failures }
    }

    pub(super) fn lost(reason: String) -> Self {
        Self::Lost { at: Instant::now(), reason }
    }

    pub(super) fn verdict(&self, now: Instant, failures: u64) -> Verdict {
        let since = |at: &Instant| now.saturating_duration_since(*at);
        match self {
            Self::Earned { at, failures: before } if *before == failures && since(at) < LASTS => Verdict::Trusted,
            Self::Lost { at, reason } if since(at) < DISTRUSTED => Verdict::Refused(reason.clone()),
            Self::Wanting | Self::Earned { .. } | Self::Lost { .. } => Verdict::Ask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_lost_with_a_failure_and_with_time() {
        let now = Instant::now();
        assert_eq!(Trust::default().verdict(now, 0), Verdict::Ask);
        let earned = Trust::Earned { at: now, failures: 2 };
        assert_eq!(earned.verdict(now, 2), Verdict::Trusted);
        assert_eq!(earned.verdict(now, 3), Verdict::Ask);
        assert_eq!(earned.verdict(now + LASTS, 2), Verdict::Ask);
        let lost = Trust::Lost { at: now, reason: "another".to_owned() };
        assert_eq!(lost.verdict(now, 0), Verdict::Refused("another".to_owned()));
        assert_eq!(lost.verdict(now + DISTRUSTED, 0), Verdict::Ask);
    }
}
