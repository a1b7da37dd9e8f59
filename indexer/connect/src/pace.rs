//! The pace at which somebody else's machine is asked: never two requests at once, a pause between them, and after a failure
//! longer and longer ones, as long as it asks for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::ConnectError;

/// Pause after a first failure; doubled with each further one.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause that is made of our own accord.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest that is waited for somebody who says when to come again.
const LONGEST_WANTED: Duration = Duration::from_secs(120);
/// Attempts at the most.
const ATTEMPTS: u32 = 4;
/// How long nobody looks at the stop flag.
const NAP: Duration = Duration::from_millis(50);

/// A pause between two requests.
#[derive(Debug)]
pub(crate) struct Pace {
    pause: Duration,
    next: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(pause: Duration) -> Self {
        Self { pause, next: None }
    }

    /// Makes the pause at least this long.
    pub(crate) fn slow_to(&mut self, pause: Duration) {
        self.pause = self.pause.max(pause);
    }

    /// Waits until the next request may be made.
    ///
    /// # Errors
    /// [`ConnectError::Stopped`].
    pub(crate) fn wait(&mut self, stop: &AtomicBool) -> Result<(), ConnectError> {
        let left = self.next.map(|next| next.saturating_duration_since(Instant::now())).unwrap_or_default();
        sleep(left, stop)?;
        self.next = Some(Instant::now() + self.pause);
        Ok(())
    }
}

/// Tries again what may work a moment later.
///
/// # Errors
/// What the last attempt failed with; [`ConnectError::Stopped`].
pub(crate) fn live_through<T>(
    stop: &AtomicBool,
    mut attempt: impl FnMut() -> Result<T, ConnectError>,
) -> Result<T, ConnectError> {
    let mut tried = 1;
    loop {
        let after = match attempt() {
            Err(ConnectError::Failed { host, reason, after }) if tried >= ATTEMPTS => {
                return Err(ConnectError::Failed { host, reason: format!("{reason} ({tried} attempts)"), after });
            }
            Err(ConnectError::Failed { host, reason, after: Some(wanted) }) if wanted > LONGEST_WANTED => {
                return Err(ConnectError::Failed { host, reason, after: Some(wanted) });
            }
            Err(ConnectError::Failed { after, .. }) => after,
            outcome => return outcome,
        };
        sleep(after.unwrap_or_else(|| pause_after(tried)), stop)?;
        tried += 1;
    }
}

/// A pause after a failure: with chance in it, so that those who failed together do not come again together.
fn pause_after(failures: u32) -> Duration {
    let full = (FIRST * 2u32.pow(failures.saturating_sub(1).min(10))).min(LONGEST);
    // Without chance the pause is whole.
    let share = getrandom::u32().map_or(1.0, |chance| f64::from(chance) / f64::from(u32::MAX));
    full.mul_f64(0.5 + share / 2.0)
}

/// Sleeps, unless somebody asks to stop.
///
/// # Errors
/// [`ConnectError::Stopped`].
pub(crate) fn sleep(time: Duration, stop: &AtomicBool) -> Result<(), ConnectError> {
    let until = Instant::now() + time;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(ConnectError::Stopped);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(NAP));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(after: Option<Duration>) -> ConnectError {
        ConnectError::Failed { host: "a.example".to_owned(), reason: "status 503".to_owned(), after }
    }

    #[test]
    fn what_fails_is_tried_again_as_often_as_makes_sense() {
        let stop = AtomicBool::new(false);
        let mut tried = 0;
        let worked = live_through(&stop, || {
            tried += 1;
            if tried < 3 { Err(failed(Some(Duration::from_millis(1)))) } else { Ok(tried) }
        });
        assert_eq!(worked.unwrap(), 3);
        let mut tried = 0;
        let error = live_through(&stop, || -> Result<(), _> {
            tried += 1;
            Err(failed(Some(Duration::from_millis(1))))
        });
        assert!(error.unwrap_err().to_string().contains("(4 attempts)"));
        assert_eq!(tried, 4);
        // Who asks for an hour is not asked again now, and who refuses is not either.
        for error in [failed(Some(Duration::from_secs(3600))), ConnectError::TooLarge { most: 1 }] {
            let (mut tried, mut error) = (0, Some(error));
            assert!(
                live_through(&stop, || -> Result<(), _> {
                    tried += 1;
                    Err(error.take().unwrap())
                })
                .is_err()
            );
            assert_eq!(tried, 1);
        }
        stop.store(true, Ordering::Relaxed);
        assert!(matches!(live_through(&stop, || -> Result<(), _> { Err(failed(None)) }), Err(ConnectError::Stopped)));
    }

    #[test]
    fn pauses_grow_and_differ() {
        for failures in 1..20 {
            let full = (FIRST * 2u32.pow((failures - 1).min(10))).min(LONGEST);
            let pause = pause_after(failures);
            assert!(pause >= full / 2 && pause <= full, "{failures}: {pause:?}");
        }
        let mut pace = Pace::new(Duration::from_millis(40));
        let (started, stop) = (Instant::now(), AtomicBool::new(false));
        (0..3).for_each(|_| pace.wait(&stop).unwrap());
        assert!(started.elapsed() >= Duration::from_millis(80));
    }
}
