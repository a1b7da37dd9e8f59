//! What can go wrong in the store, each with its cure.

use std::io;
use std::path::{Path, PathBuf};

use crate::vectors::VectorError;

/// Result of the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}{}", path.display(), io_cure(source))]
    Io {
        /// What was tried: `open`, `write`, ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process writes to the data folder.
    #[error(
        "the data folder {} is in use by {holder}; wait until it is done, or choose another one with --data-dir",
        path.display()
    )]
    Locked {
        /// The data folder.
        path: PathBuf,
        /// Who holds it, as far as it told.
        holder: String,
    },
    /// There is no index in the folder.
    #[error("there is no index in {}; make one with `quarry index FOLDER`", path.display())]
    NoIndex {
        /// The data folder.
        path: PathBuf,
    },
    /// The data folder was written by another version of quarry.
    #[error(
        "the data folder {} has format {found}, this quarry reads format {expected}; \
         index into a new folder with --data-dir, or run `quarry index --rebuild`",
        path.display()
    )]
    Format {
        /// The data folder.
        path: PathBuf,
        /// Format version found.
        found: u32,
        /// Format version this build reads and writes.
        expected: u32,
    },
    /// The index was built with another model.
    #[error(
        "the index was built with the model {index}, not with {given}; vectors of different models cannot be mixed: \
         name the index's model with --model, choose another --data-dir, or run `quarry index --rebuild`"
    )]
    Model {
        /// The index's model.
        index: String,
        /// The model at hand.
        given: String,
    },
    /// Something on disk is not what was written.
    #[error("{what} is damaged ({detail}); run `quarry verify --repair`")]
    Damaged {
        /// The part of the data folder.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A draft refers to an embedding that is neither given nor stored.
    #[error("chunk {chunk} of {path} has no vector and none is stored for its content; embed it first")]
    NoVector {
        /// Path of the document.
        path: String,
        /// Number of the chunk in the document.
        chunk: usize,
    },
    /// The name is not usable for a source.
    #[error("{name:?} is not a source name; expected 1 to 200 characters without control characters")]
    SourceName {
        /// The name that was given.
        name: String,
    },
    /// A source of that name has another folder.
    #[error(
        "the source {name:?} is the folder {}, not {}; choose another name with --name",
        existing.display(),
        given.display()
    )]
    SourceRoot {
        /// The source's name.
        name: String,
        /// Its folder.
        existing: PathBuf,
        /// The folder that was given.
        given: PathBuf,
    },
    /// The store stopped writing after an earlier failure.
    #[error("the store stopped after an earlier error ({cause}); what was committed is safe: open it again")]
    Poisoned {
        /// The earlier failure.
        cause: String,
    },
    /// The document store failed.
    #[error("the document store failed: {0}")]
    Documents(#[from] sled::Error),
    /// The lexical index failed.
    #[error("the lexical index failed: {0}")]
    Lexical(#[from] tantivy::TantivyError),
    /// The vector side failed.
    #[error(transparent)]
    Vectors(#[from] VectorError),
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn damaged(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Damaged { what: what.into(), detail: detail.into() }
    }
}

/// What helps against an answer of the system, to be put behind it; empty where nothing general can be said.
pub(crate) fn io_cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "; free some space and run the same command again, nothing that was committed is lost"
        }
        io::ErrorKind::PermissionDenied => "; check the permissions, or choose another folder with --data-dir",
        _ => "",
    }
}
