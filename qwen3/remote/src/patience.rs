//! Patience: how often and how long something is tried that may work a moment later.

use std::time::{Duration, Instant};

use crate::fault::Fault;

/// Pause after the first failure; doubled each time.
const PAUSE: Duration = Duration::from_millis(500);

/// How often and how long something is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Attempts at the most.
    pub(crate) attempts: u32,
    /// Longer than this is not waited for an endpoint that says when it wants to be asked again.
    pub(crate) longest_pause: Duration,
    /// Time for all attempts together.
    pub(crate) time: Duration,
}

impl Patience {
    /// Tries again what may work a moment later.
    pub(crate) fn live_through<T>(self, mut attempt: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
        let started = Instant::now();
        let mut tried = 1;
        loop {
            let fault = match attempt() {
                Err(fault @ Fault::Failed { .. }) if tried < self.attempts => fault,
                outcome => return outcome,
            };
            let Fault::Failed { after, .. } = &fault else { return Err(fault) };
            let pause = after.unwrap_or(PAUSE * 2u32.pow(tried - 1));
            if pause > self.longest_pause || started.elapsed() + pause >= self.time {
                return Err(fault);
            }
            std::thread::sleep(pause);
            tried += 1;
        }
    }
}
