//! What can go wrong in this crate.
//!
//! A query never fails to parse (bad syntax is searched as plain words), so the errors here are about the index and the
//! models.

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

    /// A stage of the search panicked.
    #[error("the {stage} stage of the search panicked: a bug, please report the query")]
    Panicked {
        /// The stage.
        stage: &'static str,
    },
}
