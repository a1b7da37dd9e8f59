//! The errors of one file on its way from the disk to its chunks. Every variant is about that file alone: the ledger
//! records it and the run goes on. [`FileError::verdict`] says under which state it is recorded.

use std::io;

use serde::{Deserialize, Serialize};

/// Why a file gave no text. The messages are shown to people as they are: they say what was found and what helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FileError {
    /// The file was there when the folder was listed and is gone now.
    #[error("the file vanished while it was being indexed; the next run will notice")]
    Vanished,
    /// The system did not let the file be read.
    #[error("cannot be read ({reason}); check its permissions and the disk")]
    Unreadable {
        /// What the system said.
        reason: String,
    },
    /// The file was written to while it was being read: its bytes would belong to no single state of it.
    #[error("the file changed while it was being read; it will be read again in the next run")]
    Changed,
    /// No longer an ordinary file (a pipe, a device, a folder): opening it could block for ever.
    #[error("expected an ordinary file, got {found}; it was not opened")]
    NotAFile {
        /// What is there instead, in words.
        found: String,
    },
    /// A folder on its path, or the file itself, became a symbolic link after the folder was listed.
    #[error(
        "its path leads through a symbolic link, which is not followed; put the file itself there, the next run will look again"
    )]
    Link,
    /// Above the size limit.
    #[error("{bytes} bytes, more than the limit of {limit}; raise `max_file_mb` under [extract] to index it")]
    TooLarge {
        /// Size of the file.
        bytes: u64,
        /// The limit it broke.
        limit: u64,
    },
    /// Nothing in it: no byte, or nothing but white space and markup.
    #[error("the file holds no text")]
    Empty,
    /// Neither text nor a format that quarry knows.
    #[error("not text, and no format that quarry can read")]
    Binary,
    /// A format that quarry recognises and has no reader for.
    #[error("{format} files cannot be read yet")]
    Unsupported {
        /// The format's usual name.
        format: String,
    },
    /// Opening it needs a password.
    #[error("protected by a password; save a copy without one to have it indexed")]
    Encrypted,
    /// The bytes do not keep to the rules of their format.
    #[error("not a sound {format} file ({reason}); open it in the program it was made with and save it again")]
    Damaged {
        /// The format's usual name.
        format: String,
        /// What is wrong with it, in the words of the library that read it.
        reason: String,
    },
    /// Pages, but no text on any of them: a scan.
    #[error("{pages} pages and no text on any of them, likely a scan; switch on OCR (`ocr`) to have it read")]
    NoTextLayer {
        /// Number of pages.
        pages: u32,
    },
    /// A picture: what text it shows can only be had by OCR.
    #[error("a picture; switch on OCR (`ocr`) to have the text in it read")]
    Picture,
    /// Reading it would cost more than the limits allow: a decompression bomb, endless nesting.
    #[error("given up: {what}; if the file is to be trusted, raise the limit under [extract] in quarry.toml")]
    Limit {
        /// Which limit, with its value: `unpacks to more than 256 MiB`.
        what: String,
    },
    /// The process that read it died.
    #[error("the reader for this format crashed on it ({how}); please report the file")]
    Crashed {
        /// How it died: a signal, a panic.
        how: String,
    },
    /// The whole process was told to end.
    #[error("the run was stopped while the file was being read; the next run reads it")]
    Stopped,
    /// It took too long.
    #[error("given up after {seconds} s; raise `seconds` under [extract] in quarry.toml, or split the file")]
    TimedOut {
        /// The limit.
        seconds: u64,
    },
}

/// How the ledger files a [`FileError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// By a rule: nothing is wrong, there is just nothing to index. Not tried again until the file changes.
    Skipped,
    /// Something outside of quarry has to be mended (permissions, a disk, a limit).
    Unreadable,
    /// Worth another try in the next run even if the file looks the same.
    Failed,
}

impl FileError {
    /// The state under which the ledger records this error.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Empty | Self::Binary | Self::Picture | Self::Unsupported { .. } | Self::NotAFile { .. } => {
                Verdict::Skipped
            }
            Self::Unreadable { .. }
            | Self::TooLarge { .. }
            | Self::Encrypted
            | Self::Damaged { .. }
            | Self::NoTextLayer { .. }
            | Self::Limit { .. } => Verdict::Unreadable,
            Self::Vanished
            | Self::Changed
            | Self::Link
            | Self::Stopped
            | Self::Crashed { .. }
            | Self::TimedOut { .. } => Verdict::Failed,
        }
    }

    /// A missing file is [`FileError::Vanished`], everything else the system says is [`FileError::Unreadable`].
    pub fn from_io(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Vanished,
            _ => Self::Unreadable { reason: source.to_string() },
        }
    }

    /// A [`FileError::Damaged`] in the words of a library.
    pub fn damaged(format: &str, reason: impl ToString) -> Self {
        Self::Damaged { format: format.to_string(), reason: reason.to_string() }
    }
}
