//! The errors of the laboratory: of models, of files of examples, questions and vectors, and of a training run that
//! cannot begin or go on. Every message names the file, the line where there is one, and what was expected.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the laboratory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A model could not be read or could not compute.
    #[error(transparent)]
    Model(#[from] qwen3::Error),

    /// A tensor operation failed; a bug or a lack of memory.
    #[error("model computation failed")]
    Compute(#[from] candle_core::Error),

    /// An index could not be searched.
    #[error(transparent)]
    Search(#[from] searcher::SearchError),

    /// An index could not be read or written.
    #[error(transparent)]
    Storage(#[from] storage::Error),

    /// A training run cannot begin or go on as it was asked for.
    #[error("training: {0}")]
    Training(String),

    /// There is nothing to measure, or not as it was asked for.
    #[error("measuring: {0}")]
    Measuring(String),

    /// A file was read and does not make sense.
    #[error("{file} is not usable: {reason}")]
    BadFile {
        /// The file's path or name.
        file: String,
        /// What is wrong, and what to do.
        reason: String,
    },

    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },

    /// A file could not be opened or read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },

    /// A line of a file is not text.
    #[error("{}, line {line}: expected text in UTF-8, got other bytes", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },

    /// A line of a JSON Lines file is not a record of the expected form.
    #[error("{}, line {line}: expected a JSON object with {expected}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The fields that a record must have.
        expected: &'static str,
        /// The parser's reason.
        source: serde_json::Error,
    },

    /// An id stands twice in a file whose ids must be unique.
    #[error("{}, line {line}: the id {id:?} occurred before; expected unique ids", path.display())]
    RepeatedId {
        /// The file.
        path: PathBuf,
        /// The line of the second occurrence, counted from 1.
        line: usize,
        /// The id.
        id: String,
    },

    /// A line of a file of judgements could not be read.
    #[error("{}, line {line}: expected {expected}, got {got:?}", path.display())]
    Judgement {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What the line should have been.
        expected: &'static str,
        /// What it is.
        got: String,
    },

    /// The folder has no `qrels/*.tsv`.
    #[error("no qrels/*.tsv in {}: name a file of judgements", folder.display())]
    NoJudgements {
        /// The data set's folder.
        folder: PathBuf,
    },

    /// The folder has several `qrels/*.tsv`, none of them `test.tsv`.
    #[error("several files of judgements in {}: choose one ({})", folder.display(), choices.join(", "))]
    AmbiguousJudgements {
        /// The folder `qrels`.
        folder: PathBuf,
        /// Names of the files in it, sorted.
        choices: Vec<String>,
    },

    /// No query has the language that was asked for.
    #[error("no query of {} has the language {language:?}; languages there: {}", path.display(), list(found))]
    NoQueryInLanguage {
        /// The file of queries.
        path: PathBuf,
        /// The language asked for.
        language: String,
        /// The languages in the file, sorted.
        found: Vec<String>,
    },

    /// Not one query has a positive judgement: the two files hardly belong together.
    #[error("no query of {} has a positive judgement in {}: do the files belong together?", queries.display(), judgements.display())]
    NothingJudged {
        /// The file of queries.
        queries: PathBuf,
        /// The file of judgements.
        judgements: PathBuf,
    },
}

impl Error {
    /// A function for `map_err` that says which file could not be written.
    pub(crate) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Write { path: path.to_owned(), source }
    }
}

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// The names with commas between them, or "none".
fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
