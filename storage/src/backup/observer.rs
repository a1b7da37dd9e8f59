//! Whoever watches a backup or a restore, and may stop it.

/// Hears how far it is. Called from several threads.
pub trait BackupObserver: Sync {
    /// So many bytes of all are done.
    fn progressed(&self, done: u64, all: u64) {
        let _ = (done, all);
    }

    /// Whether to stop. What is done stays of use for the next backup; what was restored is removed.
    fn is_stopped(&self) -> bool {
        false
    }
}

/// Nobody.
pub struct Unobserved;

impl BackupObserver for Unobserved {}
