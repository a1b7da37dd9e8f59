//! Files in TOML that an administrator writes for searches, and what is said where one of them cannot be used.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Why such a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WrittenError {
    /// It cannot be read.
    #[error("cannot read the {what} in {path}")]
    Unreadable {
        /// What it holds.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML, or has a table or a key of another name.
    #[error("{path} is no file of {what}")]
    Malformed {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// An entry makes no sense.
    #[error("{path}, line {line}: {problem}")]
    Entry {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was expected.
        problem: String,
    },
}

/// The text of such a file.
pub(crate) struct WrittenFile<'f> {
    pub(crate) what: &'static str,
    pub(crate) path: &'f Path,
    pub(crate) text: String,
}

impl<'f> WrittenFile<'f> {
    pub(crate) fn read(what: &'static str, path: &'f Path) -> Result<Self, WrittenError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| WrittenError::Unreadable { what, path: path.to_path_buf(), source })?;
        Ok(Self { what, path, text })
    }

    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, WrittenError> {
        let path = self.path.to_path_buf();
        toml::from_str(&self.text).map_err(|source| WrittenError::Malformed {
            what: self.what,
            path,
            source: Box::new(source),
        })
    }

    /// What is said of an entry at this byte.
    pub(crate) fn refused(&self, at: usize, problem: String) -> WrittenError {
        let line = 1 + self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
        WrittenError::Entry { path: self.path.to_path_buf(), line, problem }
    }
}
