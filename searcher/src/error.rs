//! What can go wrong in this crate.
//!
//! A query never fails to parse (bad syntax is searched as plain words), so the errors here are about the index and the
//! models.

use std::path::PathBuf;

/// An error of the searcher.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The index could not be searched.
    #[error(transparent)]
    Storage(#[from] storage::Error),

    /// A model could not read the query or the passages.
    #[error(transparent)]
    Model(#[from] qwen3::Error),

    /// The request cannot be read.
    #[error(transparent)]
    Request(#[from] crate::request::RequestError),

    /// A file of calibration cannot be opened.
    #[error("cannot read the calibration {}", file.display())]
    CalibrationUnread {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },

    /// A file of calibration is none.
    #[error("{} is no calibration; make one with `quarry train calibrate`", file.display())]
    Calibration {
        /// The file.
        file: PathBuf,
        /// The parser's reason.
        source: serde_json::Error,
    },

    /// A stage of the search panicked.
    #[error("the {stage} stage of the search panicked: a bug, please report the query")]
    Panicked {
        /// The stage.
        stage: &'static str,
    },
}
