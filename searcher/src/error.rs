//! What can go wrong in this crate.
//!
//! A query never fails to parse (bad syntax is searched as plain words), so the errors here are about the index, the
//! models and the files of an evaluation. Every message names the file, the line where there is one, and what was expected.

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

    /// A stage of the search panicked.
    #[error("the {stage} stage of the search panicked: a bug, please report the query")]
    Panicked {
        /// The stage.
        stage: &'static str,
    },

    /// A file could not be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
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
    #[error("{}, line {line}: expected a JSON object with {expected}, got: {source}", path.display())]
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
    #[error("no qrels/*.tsv in {}: name the file of judgements with --qrels FILE", folder.display())]
    NoJudgements {
        /// The data set's folder.
        folder: PathBuf,
    },

    /// The folder has several `qrels/*.tsv`, none of them `test.tsv`.
    #[error("several files of judgements in {}: choose one with --qrels FILE ({})", folder.display(), choices.join(", "))]
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

/// The names with commas between them, or "none".
fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
