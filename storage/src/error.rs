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
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: `open`, `write`, ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process writes to the data folder.
    #[error("the data folder {} is in use by {holder}", path.display())]
    Locked {
        /// The data folder.
        path: PathBuf,
        /// Who holds it, as far as it told.
        holder: String,
    },
    /// What is in the data folder comes from backups: a change would be gone with the next one.
    #[error("the data folder {} follows the backups in {place} and takes no changes of its own", path.display())]
    Follows {
        /// The data folder.
        path: PathBuf,
        /// Where the backups lie.
        place: String,
    },
    /// There is no index in the folder.
    #[error("there is no index in {}", path.display())]
    NoIndex {
        /// The data folder.
        path: PathBuf,
    },
    /// There is nothing that a rebuild has replaced.
    #[error("nothing is kept in {} that a rebuild has replaced", path.display())]
    NothingReplaced {
        /// The data folder.
        path: PathBuf,
    },
    /// The index has no totals for readers: it was made by an older version, or a writer died while it made the index.
    #[error("the index in {} was not counted yet", path.display())]
    NoTotals {
        /// The folder of the index.
        path: PathBuf,
    },
    /// The index was written by a newer version of quarry, or by one whose format is no longer known.
    #[error("the index in {} has format {found}, this quarry knows format {expected}", path.display())]
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
        "the index in {} has format {found}; whatever writes to it next brings it to format {expected} and embeds nothing \
         again",
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
        "the index in {} has format {found} and is too damaged to be brought forward ({detail})",
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
        "the index was built with the model {index}, not with {given}; vectors of different models cannot be mixed"
    )]
    Model {
        /// The index's model.
        index: String,
        /// The model at hand.
        given: String,
    },
    /// Something on disk is not what was written.
    #[error("{what} is damaged ({detail})")]
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
        "the source {name:?} is the folder {}, not {}",
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
    #[error("the document store failed")]
    Documents(#[source] sled::Error),
    /// The lexical index failed.
    #[error("the lexical index failed")]
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

    /// Whether something on disk is not what was written, and can be made anew by [`repair`](crate::repair).
    pub fn is_damage(&self) -> bool {
        use VectorError::{Corrupt, CorruptVector};
        matches!(self, Self::Damaged { .. } | Self::Vectors(Corrupt { .. } | CorruptVector { .. }))
    }

    /// Whether this says no to what was asked, and the store is as it was: everything else leaves it in doubt, and it has
    /// to be opened again.
    pub fn is_refusal(&self) -> bool {
        use VectorError::{Dimension, NotFinite};
        matches!(
            self,
            Self::Follows { .. }
                | Self::NoVector { .. }
                | Self::SourceName { .. }
                | Self::SourceRoot { .. }
                | Self::Model { .. }
                | Self::Vectors(Dimension { .. } | NotFinite { .. })
        )
    }
}

/// An error with all its causes, outermost first. A message of ours never repeats its cause; where another library's does,
/// that is not said twice.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

/// Whether an answer of the system means that there is no room left.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
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
            assert!(!error.is_refusal() && !error.is_damage(), "{error}");
            let told = chain(&error);
            assert_eq!(told.matches("No space left on device").count(), 1, "{told}");
        }
        assert!(Error::Reopening.system().is_none());
    }
}
