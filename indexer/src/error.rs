//! The errors that end a run.

use std::path::PathBuf;

use crate::walk::{ProblemKind, WalkProblem};

/// Why a run could not go on. A single file is never the reason.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The source's folder cannot be listed.
    #[error("cannot index {0}")]
    Root(WalkProblem),
    /// The folder has no file left, though the index knows some.
    #[error(
        "{} is empty, but {documents} of its files are indexed: is a disk not mounted?",
        root.display()
    )]
    SuddenlyEmpty {
        /// The source's folder.
        root: PathBuf,
        /// Files the ledger knows.
        documents: usize,
    },
    /// A large share of the documents is gone at once.
    #[error(
        "{gone} of {known} indexed files are gone from {}: is part of it not mounted? New and changed files were \
         indexed, nothing was removed",
        root.display()
    )]
    ManyGone {
        /// The source's folder.
        root: PathBuf,
        /// Files that are gone and were not moved.
        gone: usize,
        /// Files the ledger knew.
        known: usize,
    },
    /// The folder is no longer the one that the run began with.
    #[error(
        "{} was moved, unmounted or replaced while it was indexed: the run was stopped and nothing was removed; \
         put the folder back, or run again if the new one is meant",
        root.display()
    )]
    RootChanged {
        /// The source's folder.
        root: PathBuf,
    },
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] qwen3::Error),
}

impl IndexError {
    /// Whether it is the source's own trouble: others can be indexed all the same.
    pub fn is_of_source(&self) -> bool {
        !matches!(self, Self::Storage(_) | Self::Model(_))
    }

    /// The root, or what it leads to, cannot be looked at.
    pub(crate) fn no_root(path: &std::path::Path, error: &std::io::Error) -> Self {
        let reason = format!("cannot be opened ({error})");
        Self::Root(WalkProblem { path: path.to_owned(), folder: None, kind: ProblemKind::Unreadable, reason })
    }
}
