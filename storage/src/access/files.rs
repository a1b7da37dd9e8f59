//! Whether the files of a source themselves say who may see them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the files of a source say of who may see them. A source for which this is set has no document that is open because
/// nothing was said of it: what is not known yet, or cannot be known, is open to administrators only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FilePermissions {
    /// As the file system does: who may read the file, and search every folder above it.
    Posix,
    /// The owner of a file and nobody else, whatever its mode: folders of mail.
    Owner,
}

/// Why a text names no permissions of files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not how files say who may see them: expected \"posix\" (as the file system does) or \"owner\" (their owner)"
)]
pub struct FilePermissionsError {
    text: String,
}

impl FilePermissions {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Posix => "posix",
            Self::Owner => "owner",
        }
    }
}

impl FromStr for FilePermissions {
    type Err = FilePermissionsError;

    fn from_str(text: &str) -> Result<Self, FilePermissionsError> {
        let known = [Self::Posix, Self::Owner].into_iter().find(|known| known.name() == text);
        known.ok_or_else(|| FilePermissionsError { text: text.chars().take(100).collect() })
    }
}

impl fmt::Display for FilePermissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
