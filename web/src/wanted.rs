//! The demand for a piece of work, whether somebody still waits for it: who has gone, or was told that it took too
//! long, wants nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use qwen3::{Arrival, Pending};

use crate::error::Error;

/// How often work looks whether it is wanted.
const LOOK_UP: Duration = Duration::from_millis(50);

/// The side of the work.
#[derive(Debug, Clone)]
pub(crate) struct Wanted(Arc<AtomicBool>);

/// The side of the one who waits; the work is wanted until this is dropped.
#[must_use = "dropping it ends the work"]
pub(crate) struct Waiting(Arc<AtomicBool>);

impl Waiting {
    pub(crate) fn new() -> (Self, Wanted) {
        let gone = Arc::new(AtomicBool::new(false));
        (Self(Arc::clone(&gone)), Wanted(gone))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Wanted {
    pub(crate) fn holds(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }

    /// Goes on only if somebody waits.
    ///
    /// # Errors
    /// [`Error::Unwanted`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.holds() { Ok(()) } else { Err(Error::Unwanted) }
    }

    /// Waits for a model as long as somebody waits for the answer.
    ///
    /// # Errors
    /// The model's; [`Error::Unwanted`], and the model leaves off.
    pub(crate) fn wait<O>(&self, mut pending: Pending<O>) -> Result<Vec<O>, Error> {
        while pending.advance_until(Instant::now() + LOOK_UP)? != Arrival::Complete {
            self.check()?;
        }
        Ok(pending.wait()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_wanted_until_nobody_waits() {
        let (waiting, wanted) = Waiting::new();
        assert!(wanted.holds() && wanted.check().is_ok());
        drop(waiting);
        assert!(matches!(wanted.check(), Err(Error::Unwanted)));
    }
}
