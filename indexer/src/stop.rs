//! The end of the whole process, which is waited for: unlike a run that makes room and goes on later, one that is stopped
//! does not finish what it has begun. A file that is being read, cut or embedded is left for the next run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long what is with the model may still take, so that nearly finished work is not thrown away.
pub(crate) const GRACE: Duration = Duration::from_secs(3);
/// How often whoever waits looks.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// Asked once, holds for ever. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// The one that a flag stands for, such as that of a signal.
    pub fn of(flag: &Arc<AtomicBool>) -> Self {
        Self(Arc::clone(flag))
    }

    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
