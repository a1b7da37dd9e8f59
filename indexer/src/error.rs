//! Why a run could not go on.

use std::path::PathBuf;

use crate::walk::WalkProblem;

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
