//! The errors of the store, each with its cure.

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
    /// The index has no totals for readers: it was made by an older version, or a writer died while it made the index.
    #[error("the index in {} was not counted yet; the next run of the indexer does it", path.display())]
    NoTotals {
        /// The folder of the index.
        path: PathBuf,
    },
    /// The index was written by a newer version of quarry, or by one whose format is no longer known.
    #[error("the index in {} has format {found}, this quarry knows format {expected}; {}", path.display(), format_cure(*found, *expected))]
    Format {
        /// The folder of the index.
        path: PathBuf,
        /// Format version found.
        found: u32,
        /// Format version this build reads and writes.
        expected: u32,
    },
    /// The index has an earlier format, which the next writer brings forward.
    #[error(
        "the index in {} has format {found}; whatever writes to it next (`quarry index`, `quarry serve`) brings it to \
         format {expected} and embeds nothing again",
        path.display()
    )]
    Outdated {
        /// The folder of the index.
        path: PathBuf,
        /// Format version found.
        found: u32,
        /// Format version this build reads and writes.
        expected: u32,
    },
    /// The index has an earlier format and is too damaged to be brought forward.
    #[error(
        "the index in {} has format {found} and is too damaged to be brought forward ({detail}); \
         make it anew with `quarry index --rebuild`",
        path.display()
    )]
    NotUpgradable {
        /// The folder of the index.
        path: PathBuf,
        /// Format version found.
        found: u32,
        /// What is wrong with it.
        detail: String,
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
    /// The store is being opened again after a failure.
    #[error("the index is being opened again after a failure; try again soon")]
    Reopening,
    /// The document store failed.
    #[error("the document store failed: {}{}", .0, told_cure(.0))]
    Documents(#[source] sled::Error),
    /// The lexical index failed.
    #[error("the lexical index failed: {}{}", .0, told_cure(.0))]
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

    /// The system's answer, if the disk is what failed: what to tell people who may not see paths.
    pub fn system(&self) -> Option<io::Error> {
        match self {
            Self::Io { source, .. } | Self::Vectors(VectorError::Io { source, .. }) => Some(same(source)),
            Self::Documents(error) => system_answer(error),
            Self::Lexical(error) => system_answer(error),
            _ => None,
        }
    }

    /// Whether this says no to what was asked, and the store is as it was: everything else leaves it in doubt, and it has
    /// to be opened again.
    pub fn is_refusal(&self) -> bool {
        use VectorError::{Dimension, NotFinite};
        matches!(
            self,
            Self::NoVector { .. }
                | Self::SourceName { .. }
                | Self::SourceRoot { .. }
                | Self::Model { .. }
                | Self::Vectors(Dimension { .. } | NotFinite { .. })
        )
    }
}

/// Whether an answer of the system means that there is no room left.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

fn format_cure(found: u32, expected: u32) -> &'static str {
    if found > expected {
        "it was written by a newer quarry: use that one, or index into a new folder with --data-dir"
    } else {
        "it is too old to be brought forward: make it anew with `quarry index --rebuild`"
    }
}

fn same(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

/// The system's answer within an error of a library. sled and tantivy hand it on as text: `Os { code: 28, ..` or
/// `.. (os error 28)`.
pub(crate) fn system_answer(error: &impl std::fmt::Debug) -> Option<io::Error> {
    let text = format!("{error:?}");
    let number = |mark: &str| {
        let digits = text.split_once(mark)?.1;
        digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    number("os error ").or_else(|| number("code: ")).map(io::Error::from_raw_os_error)
}

fn told_cure(error: &impl std::fmt::Debug) -> &'static str {
    system_answer(error).as_ref().map_or("", io_cure)
}

/// What helps against an answer of the system, to be put behind it; empty where nothing general can be said.
pub(crate) fn io_cure(error: &io::Error) -> &'static str {
    match error.kind() {
        _ if is_full(error) => "; free some space and run the same command again, nothing that was committed is lost",
        io::ErrorKind::PermissionDenied => "; check the permissions, or choose another folder with --data-dir",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_the_disk_is_found_in_every_wrapping() {
        let full = || io::Error::from_raw_os_error(28);
        let cloned = sled::Error::Io(full()).clone();
        let wrapped = [
            Error::io("write", Path::new("/x"))(full()),
            Error::Documents(sled::Error::Io(full())),
            Error::Documents(cloned),
            Error::Lexical(full().into()),
            Error::Lexical(tantivy::TantivyError::ErrorInThread(format!("{:?}", full()))),
        ];
        for error in wrapped {
            let answer = error.system().unwrap_or_else(|| panic!("{error:?}"));
            assert!(is_full(&answer), "{error:?}");
            assert!(error.to_string().contains("free some space") && !error.is_refusal(), "{error}");
        }
        assert!(Error::Reopening.system().is_none());
    }
}
