//! Settings of a server that follows another one's backups.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Whose backups are followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FollowConfig {
    /// Folder of the backups; empty: the index is the server's own, and it writes to it.
    pub from: PathBuf,
    /// Seconds between two looks for a newer backup.
    pub poll_seconds: u64,
}

impl Default for FollowConfig {
    fn default() -> Self {
        Self { from: PathBuf::new(), poll_seconds: 60 }
    }
}

impl FollowConfig {
    /// Where the backups lie, for a server that follows.
    pub fn place(&self) -> Option<&Path> {
        (!self.from.as_os_str().is_empty()).then_some(self.from.as_path())
    }

    pub(super) fn problem(&self) -> Option<String> {
        (self.poll_seconds == 0).then(|| "follow.poll_seconds: expected at least 1, got 0".to_owned())
    }
}
