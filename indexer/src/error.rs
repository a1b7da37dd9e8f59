//! What can befall one file on its way from the disk to its chunks. Every variant is about that file alone: the ledger
//! records it and the run goes on. [`FileError::verdict`] says under which state it is recorded.

use std::io;
use std::path::PathBuf;

use crate::walk::WalkProblem;

/// Why a file gave no text. The messages are shown to people as they are: they say what was found and what helps.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file was there when the folder was listed and is gone now.
    #[error("the file vanished while it was being indexed; the next run will notice")]
    Vanished,
    /// The system did not let the file be read.
    #[error("cannot be read ({source}); check its permissions and the disk")]
    Unreadable {
        /// What the system said.
        source: io::Error,
    },
    /// The file was written to while it was being read: its bytes would belong to no single state of it.
    #[error("the file changed while it was being read; it will be read again in the next run")]
    Changed,
    /// No longer an ordinary file (a pipe, a device, a folder): opening it could block for ever.
    #[error("expected an ordinary file, got {found}; it was not opened")]
    NotAFile {
        /// What is there instead, in words.
        found: &'static str,
    },
    /// Above the size limit.
    #[error("{bytes} bytes, more than the limit of {limit}; raise `max_bytes` to index it")]
    TooLarge {
        /// Size of the file.
        bytes: u64,
        /// The limit it broke.
        limit: u64,
    },
    /// Nothing in it: no byte, or nothing but white space and markup.
    #[error("the file holds no text")]
    Empty,
    /// Neither text nor a format that quarry knows.
    #[error("not text, and no format that quarry can read")]
    Binary,
    /// A format that quarry recognises and has no reader for.
    #[error("{format} files cannot be read yet")]
    Unsupported {
        /// The format's usual name.
        format: &'static str,
    },
}

/// How the ledger files a [`FileError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// By a rule: nothing is wrong, there is just nothing to index. Not tried again until the file changes.
    Skipped,
    /// Something outside of quarry has to be mended (permissions, a disk, a limit).
    Unreadable,
    /// Worth another try in the next run even if the file looks the same.
    Failed,
}

impl FileError {
    /// The state under which the ledger records this error.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Empty | Self::Binary | Self::Unsupported { .. } | Self::NotAFile { .. } => Verdict::Skipped,
            Self::Unreadable { .. } | Self::TooLarge { .. } => Verdict::Unreadable,
            Self::Vanished | Self::Changed => Verdict::Failed,
        }
    }

    /// A missing file is [`FileError::Vanished`], everything else the system says is [`FileError::Unreadable`].
    pub(crate) fn from_io(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Vanished,
            _ => Self::Unreadable { source },
        }
    }
}

/// Why a run could not go on. A single file is never the reason.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The source's folder cannot be listed.
    #[error("cannot index {0}")]
    Root(WalkProblem),
    /// The folder has no file left, though the index knows some.
    #[error(
        "{} is empty, but {documents} of its files are indexed: is a disk not mounted? \
         If they were really deleted, run `quarry index --accept-empty` with this folder",
        root.display()
    )]
    SuddenlyEmpty {
        /// The source's folder.
        root: PathBuf,
        /// Files the ledger knows.
        documents: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] qwen3::Error),
}
