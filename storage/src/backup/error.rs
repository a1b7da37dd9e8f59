//! The errors of backups. Each names the place that it is about, in the data folder or at the destination.

use std::io;
use std::path::PathBuf;

use crate::error::Error;

/// Result of a backup or a restore.
pub type BackupResult<T, E = BackupError> = std::result::Result<T, E>;

/// A backup, a restore or a check that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The destination refused.
    #[error("cannot {action} {name} in the backup folder {place}")]
    Destination {
        /// What was tried: `read`, `write`, ..
        action: &'static str,
        /// What it was about, as it is called at the destination.
        name: String,
        /// The destination.
        place: String,
        /// The system's answer.
        source: io::Error,
    },
    /// There is something else at the destination.
    #[error("{place} holds other things and no backups; expected a new or empty folder, or one with backups of quarry")]
    NotARepository {
        /// The destination.
        place: String,
    },
    /// A newer quarry wrote the backups.
    #[error("the backups in {place} have format {found}, this quarry knows format {expected}")]
    Format {
        /// The destination.
        place: String,
        /// Format version found.
        found: u32,
        /// Format version that this build reads and writes.
        expected: u32,
    },
    /// Somebody else backs up, restores or checks there.
    #[error("another backup, restore or check is at work in {place}")]
    InUse {
        /// The destination.
        place: String,
    },
    /// Nothing was backed up yet, or nothing by then.
    #[error("there is no backup {wanted}in {place}")]
    NoBackup {
        /// The destination.
        place: String,
        /// Which one was asked for, with a space behind it; empty for any.
        wanted: String,
    },
    /// Something at the destination is not what was written.
    #[error("{what} is damaged ({detail})")]
    Damaged {
        /// What it is, and what it belongs to.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// There is something where a backup is to be restored.
    #[error("{} is not empty; a backup is restored into a folder that is new or empty", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A backup would back up itself.
    #[error("{place} lies in the data folder, which is what is backed up; expected a folder outside of it")]
    Inside {
        /// The destination.
        place: String,
    },
    /// What was restored is not a sound index, and is not put in force.
    #[error("the backup {name} does not make a sound index ({finding})")]
    Unsound {
        /// The backup.
        name: String,
        /// The first thing that is wrong.
        finding: String,
    },
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
    /// The data folder failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl BackupError {
    pub(super) fn damaged(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Damaged { what: what.into(), detail: detail.into() }
    }

    /// The system's answer, if the destination or the data folder is what failed.
    pub fn system(&self) -> Option<io::Error> {
        match self {
            Self::Destination { source, .. } => Some(
                source
                    .raw_os_error()
                    .map_or_else(|| io::Error::new(source.kind(), source.to_string()), io::Error::from_raw_os_error),
            ),
            Self::Store(error) => error.system(),
            _ => None,
        }
    }
}
