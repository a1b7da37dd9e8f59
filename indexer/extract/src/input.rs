//! The input of a reader: bytes, the name they came under, and what reading them may cost.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use crate::Format;
use crate::error::FileError;
use crate::extraction::Extraction;

/// What reading one file may cost.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ExtractLimits {
    /// Largest file that is read, in bytes. Holds for a file inside an archive too.
    pub max_bytes: u64,
    /// Most bytes that one file may unpack to, all its parts together.
    pub max_unpacked: u64,
    /// Most bytes of text that one document may give.
    pub max_text: u64,
    /// Most documents inside of one file (an archive, a mailbox).
    pub max_parts: usize,
    /// Deepest nesting of files within files that is followed: an archive in a mail in an archive is 3.
    pub max_depth: usize,
    /// Whether pictures of pages without text are handed out ([`crate::Scan`]) for OCR.
    pub scans: bool,
}

impl Default for ExtractLimits {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_unpacked: 256 << 20,
            max_text: 32 << 20,
            max_parts: 10_000,
            max_depth: 4,
            scans: false,
        }
    }
}

/// A file handed to a reader.
pub(crate) struct Input<'a> {
    pub(crate) path: &'a Path,
    pub(crate) bytes: &'a [u8],
    pub(crate) limits: &'a ExtractLimits,
    /// Files around this one: 0 for a file on the disk.
    depth: usize,
    /// What the file on the disk has cost so far, all files inside of it together.
    spent: Rc<Spent>,
}

/// What is counted over a whole file, however its parts nest: else ten archives in an archive would cost tenfold.
#[derive(Debug, Default)]
struct Spent {
    /// Bytes unpacked.
    unpacked: Cell<u64>,
    /// Documents inside.
    parts: Cell<usize>,
    /// Bytes of text.
    text: Cell<u64>,
}

impl<'a> Input<'a> {
    /// A file on the disk.
    pub(crate) fn new(path: &'a Path, bytes: &'a [u8], limits: &'a ExtractLimits) -> Self {
        Self { path, bytes, limits, depth: 0, spent: Rc::default() }
    }

    /// The file's own name; lossy where it is not Unicode.
    pub(crate) fn file_name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Lower-case extension without the dot; empty without one.
    pub(crate) fn extension(&self) -> String {
        self.path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
    }

    /// Whether the name is one that files of this format bear.
    pub(crate) fn is_named(&self, format: &Format) -> bool {
        format.is_name_of(&self.file_name())
    }

    /// Whether the name ends in one of these extensions (lower case, without the dot).
    pub(crate) fn has_extension(&self, extensions: &[&str]) -> bool {
        extensions.contains(&self.extension().as_str())
    }

    /// Reads a file inside this one by its own format.
    ///
    /// # Errors
    /// As [`crate::extract`]; [`FileError::Limit`] below [`ExtractLimits::max_depth`].
    pub(crate) fn inner(&self, path: &Path, bytes: &[u8]) -> Result<Extraction, FileError> {
        if self.depth >= self.limits.max_depth {
            return Err(FileError::Limit { what: format!("nested more than {} files deep", self.limits.max_depth) });
        }
        let spent = Rc::clone(&self.spent);
        crate::readers::read(&Input { path, bytes, limits: self.limits, depth: self.depth + 1, spent })
    }

    /// Bytes that may still be unpacked out of the file on the disk.
    pub(crate) fn left_to_unpack(&self) -> u64 {
        self.limits.max_unpacked.saturating_sub(self.spent.unpacked.get())
    }

    /// Notes bytes that were unpacked.
    pub(crate) fn note_unpacked(&self, bytes: u64) {
        self.spent.unpacked.set(self.spent.unpacked.get().saturating_add(bytes));
    }

    /// Notes the text of a document, which is kept until the whole file is read.
    ///
    /// # Errors
    /// [`FileError::Limit`] where all documents together give more than [`ExtractLimits::max_unpacked`].
    pub(crate) fn note_text(&self, bytes: u64) -> Result<(), FileError> {
        let text = self.spent.text.get().saturating_add(bytes);
        if text > self.limits.max_unpacked.max(self.limits.max_text) {
            let mebibytes = self.limits.max_unpacked >> 20;
            return Err(FileError::Limit {
                what: format!("the documents inside give more than {mebibytes} MiB of text"),
            });
        }
        self.spent.text.set(text);
        Ok(())
    }

    /// Notes one more document inside of the file on the disk.
    ///
    /// # Errors
    /// [`FileError::Limit`] above [`ExtractLimits::max_parts`].
    pub(crate) fn note_part(&self) -> Result<(), FileError> {
        let parts = self.spent.parts.get() + 1;
        if parts > self.limits.max_parts {
            return Err(FileError::Limit { what: format!("more than {} documents inside", self.limits.max_parts) });
        }
        self.spent.parts.set(parts);
        Ok(())
    }
}
