//! The reader of files: the process itself, or one that is made for it and may die.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use extract::{ExtractLimits, Extraction, FileError, extract};

use crate::stop::Stop;

/// Makes text of the bytes of a file. Called by several threads at once.
pub trait FileReader: Debug + Send + Sync {
    /// Reads a file that is called `path` below its source.
    ///
    /// # Errors
    /// As [`extract`], and what befalls the reader itself: [`FileError::Crashed`], [`FileError::TimedOut`], and
    /// [`FileError::Stopped`] soon after `stop` is asked.
    fn read(&self, path: &Path, bytes: &[u8], limits: &ExtractLimits, stop: &Stop) -> Result<Extraction, FileError>;

    /// What it was told that decides about outcomes: where this changes, files that could not be read whole are tried
    /// again.
    fn settings(&self) -> String;
}

/// Reads in this process: quick to start, for trusted files and tests. A panic in a parser is caught; an endless loop, a
/// stack overflow or a bomb that gets around the limits is not, and no reading is stopped before its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

impl FileReader for InProcess {
    fn read(&self, path: &Path, bytes: &[u8], limits: &ExtractLimits, _: &Stop) -> Result<Extraction, FileError> {
        let read = catch_unwind(AssertUnwindSafe(|| extract(path, bytes, limits)));
        read.unwrap_or_else(|_| Err(FileError::Crashed { how: "a panic".to_string() }))
    }

    fn settings(&self) -> String {
        "in process".to_string()
    }
}

/// Counted up when files must be read again though neither they nor the settings have changed: dates are new in 2, page types in 3,
/// calendars and whole words in 4, dates of commits in 5, what nobody sees in 6, news, copyrights
/// and numbers of charts in 7.
const READING: u32 = 7;

/// The version of what reads: quarry's own, and a hash of everything that can be set. The ledger's lines hold it.
pub(crate) fn version(reader: &dyn FileReader, limits: &ExtractLimits) -> String {
    let settings = format!("{READING} {} {limits:?}", reader.settings());
    let hash = blake3::hash(settings.as_bytes()).to_hex();
    format!("{}+{}", env!("CARGO_PKG_VERSION"), hash.as_str().get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_follows_what_is_set() {
        let usual = version(&InProcess, &ExtractLimits::default());
        assert_eq!(usual, version(&InProcess, &ExtractLimits::default()));
        assert_ne!(usual, version(&InProcess, &ExtractLimits { max_unpacked: 1, ..ExtractLimits::default() }));
        assert!(usual.starts_with(env!("CARGO_PKG_VERSION")));
    }
}
