//! Who reads files: the process itself, or one that is made for it and may die.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use extract::{ExtractLimits, Extraction, FileError, extract};

/// Makes text of the bytes of a file. Called by several threads at once.
pub trait FileReader: Debug + Send + Sync {
    /// Reads a file that is called `path` below its source.
    ///
    /// # Errors
    /// As [`extract`], and what befalls the reader itself: [`FileError::Crashed`] and [`FileError::TimedOut`].
    fn read(&self, path: &Path, bytes: &[u8], limits: &ExtractLimits) -> Result<Extraction, FileError>;
}

/// Reads in this process: quick to start, for trusted files and tests. A panic in a parser is caught; an endless loop, a
/// stack overflow or a bomb that gets around the limits is not.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

impl FileReader for InProcess {
    fn read(&self, path: &Path, bytes: &[u8], limits: &ExtractLimits) -> Result<Extraction, FileError> {
        let read = catch_unwind(AssertUnwindSafe(|| extract(path, bytes, limits)));
        read.unwrap_or_else(|_| Err(FileError::Crashed { how: "a panic".to_string() }))
    }
}
