//! Settings of backups.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use storage::Keep;

/// Where the server backs itself up, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupConfig {
    /// Folder of the backups, which may be a share of another machine; empty: the server makes none by itself.
    pub destination: PathBuf,
    /// Hours between two backups; 0: only when asked.
    pub every_hours: u32,
    /// Which backups are kept: the newest of each of so many days, weeks and months, such as `7d4w6m`; empty: all.
    pub keep: String,
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self { destination: PathBuf::new(), every_hours: 24, keep: String::new() }
    }
}

impl BackupConfig {
    /// Where backups go, if that is said.
    pub(crate) fn destination(&self) -> Option<PathBuf> {
        (!self.destination.as_os_str().is_empty()).then(|| self.destination.clone())
    }

    /// What is kept; `None`: all.
    pub(crate) fn keep(&self) -> Option<Keep> {
        self.keep.parse().ok()
    }

    pub(super) fn problem(&self) -> Option<String> {
        let wrong = self.keep.parse::<Keep>().err().filter(|_| !self.keep.is_empty());
        wrong.map(|error| format!("backup.keep: {error}"))
    }
}
