//! Rest: an endpoint that failed several times in a row is left alone for a while, so that nobody waits for what is away.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row after which it rests.
const FAILURES: u32 = 3;
/// How long it rests the first time; twice as long after each further failure.
const FIRST: Duration = Duration::from_secs(5);
/// How long it rests at the most.
const LONGEST: Duration = Duration::from_secs(60);

/// What is known of an endpoint's failures.
#[derive(Debug, Default)]
pub(crate) struct Rest(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    until: Option<Instant>,
}

impl Rest {
    /// How long it still rests.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.until.and_then(|until| until.checked_duration_since(now)).filter(|left| !left.is_zero())
    }

    pub(crate) fn worked(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// A failure; it rests as long as the endpoint asks for, if it does.
    pub(crate) fn failed(&self, now: Instant, wanted: Option<Duration>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.saturating_add(1);
        let further = state.failures.saturating_sub(FAILURES);
        let own = (state.failures >= FAILURES).then(|| FIRST * 2u32.pow(further.min(8)));
        state.until = own.max(wanted).map(|rest| now + rest.min(LONGEST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_rests_longer() {
        let (rest, now) = (Rest::default(), Instant::now());
        rest.failed(now, None);
        rest.failed(now, None);
        assert_eq!(rest.left(now), None, "twice may be chance");
        rest.failed(now, None);
        assert_eq!(rest.left(now), Some(FIRST));
        assert_eq!(rest.left(now + FIRST), None, "then it is asked once");
        rest.failed(now, None);
        assert_eq!(rest.left(now), Some(FIRST * 2));
        (0..20).for_each(|_| rest.failed(now, None));
        assert_eq!(rest.left(now), Some(LONGEST));
        rest.worked();
        assert_eq!(rest.left(now), None);
        rest.failed(now, Some(Duration::from_secs(7)));
        assert_eq!(rest.left(now), Some(Duration::from_secs(7)), "what the endpoint asks for counts at once");
    }
}
