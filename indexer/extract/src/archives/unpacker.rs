//! The unpacker that all archives share: it decides which members are read, and what unpacking them may cost. A member
//! that breaks a limit of its own is recorded and the next one follows; when the limits of the whole archive are used
//! up, unpacking ends and what is left out is said. Nothing is ever written, so absolute paths, `..` and links cannot
//! do harm: links and devices are no documents and are passed over, paths are cleaned by [`Extraction`].

use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use crate::error::FileError;
use crate::extraction::Extraction;
use crate::{Format, Input};

/// Text packs to a fifth or a tenth, logs to a fiftieth. What unpacks to more than this many times its size is a bomb,
const MAX_RATIO: u64 = 250;

/// if it is larger than this many bytes.
const RATIO_FREE: u64 = 32 << 20;

/// Folders and files that systems and version control put into archives and nobody reads.
const JUNK: &[&str] =
    &["__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini", ".git", ".hg", ".svn", ".Spotlight-V100", ".Trashes"];

/// Unpacks the members of an archive into an [`Extraction`].
pub(crate) struct Unpacker<'i, 'b> {
    input: &'i Input<'b>,
    extraction: Extraction,
    /// Bytes that this archive may still unpack to.
    left: u64,
    /// The limit of the whole archive that ended it.
    stopped: Option<FileError>,
}

/// Whether the next member is wanted.
pub(crate) type Flow = ControlFlow<()>;

impl<'i, 'b> Unpacker<'i, 'b> {
    pub(crate) fn new(input: &'i Input<'b>, format: &Format) -> Self {
        let by_ratio = (input.bytes.len() as u64).saturating_mul(MAX_RATIO).max(RATIO_FREE);
        let left = input.left_to_unpack().min(by_ratio);
        Self { input, extraction: Extraction::container(format), left, stopped: None }
    }

    /// Reads a member to its end and by its own format.
    pub(crate) fn member(&mut self, path: &str, modified: Option<i64>, reader: &mut dyn Read) -> Flow {
        let wanted = !is_junk(path);
        let bytes = match self.unpack(reader) {
            Ok(bytes) => bytes,
            Err(error @ FileError::Limit { .. }) => return self.stop(path, error),
            Err(error) if wanted => return self.failed(path, 0, modified, error),
            Err(_) => return Flow::Continue(()),
        };
        if !wanted {
            return Flow::Continue(());
        }
        if let Err(error) = self.input.note_part() {
            return self.stop(path, error);
        }
        let outcome = self.input.inner(Path::new(path), &bytes);
        self.extraction.add(path, bytes.len() as u64, modified, outcome);
        Flow::Continue(())
    }

    /// Records a member that gave no bytes.
    pub(crate) fn failed(&mut self, path: &str, bytes: u64, modified: Option<i64>, error: FileError) -> Flow {
        if is_junk(path) {
            return Flow::Continue(());
        }
        if let Err(limit) = self.input.note_part() {
            return self.stop(path, limit);
        }
        self.extraction.add(path, bytes, modified, Err(error));
        Flow::Continue(())
    }

    fn stop(&mut self, path: &str, limit: FileError) -> Flow {
        self.extraction.warnings.push(format!("{limit}: {path} and what follows it was left out"));
        self.stopped = Some(limit);
        Flow::Break(())
    }

    /// The folder of all members; `broken` says why the archive could not be read to its end.
    ///
    /// # Errors
    /// The reason itself when nothing was read before it.
    pub(crate) fn finish(mut self, broken: Option<FileError>) -> Result<Extraction, FileError> {
        if let Some(error) = self.stopped.or_else(|| broken.clone()).filter(|_| self.extraction.parts.is_empty()) {
            return Err(error);
        }
        let Some(error) = broken else { return Ok(self.extraction) };
        self.extraction.warnings.push(format!("not read to its end: {error}"));
        Ok(self.extraction)
    }

    /// All bytes of a member. A larger one than allowed is read on without being kept: in a solid archive the next
    /// member starts behind it.
    fn unpack(&mut self, reader: &mut dyn Read) -> Result<Vec<u8>, FileError> {
        // Archives inside of this one draw on the same account.
        self.left = self.left.min(self.input.left_to_unpack());
        let keep = self.input.limits.max_bytes.min(self.left);
        let mut bytes = Vec::new();
        let damaged = |error: std::io::Error| FileError::damaged(&self.extraction.kind, error);
        reader.take(keep).read_to_end(&mut bytes).map_err(damaged)?;
        let mut size = bytes.len() as u64;
        if size == keep {
            size += std::io::copy(&mut reader.take(self.left - keep + 1), &mut std::io::sink()).map_err(damaged)?;
        }
        self.input.note_unpacked(size);
        if size > self.left {
            let mebibytes = self.input.limits.max_unpacked >> 20;
            self.left = 0;
            let what = format!("unpacks to more than {mebibytes} MiB or {MAX_RATIO} times its size");
            return Err(FileError::Limit { what });
        }
        self.left -= size;
        if size > keep {
            return Err(FileError::TooLarge { bytes: size, limit: self.input.limits.max_bytes });
        }
        Ok(bytes)
    }
}

/// `._name` holds what a Mac's file system knows about `name`.
fn is_junk(path: &str) -> bool {
    path.split(['/', '\\']).any(|part| JUNK.contains(&part) || part.starts_with("._"))
}

/// Seconds of Unix time of a date and time of day in UTC, by the days since 1970-01-01 of the proleptic Gregorian
/// calendar.
pub(crate) fn unix_time(date: (i64, i64, i64), time: (i64, i64, i64)) -> i64 {
    let (year, month, day) = date;
    // Years that start in March put the leap day at their end.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468;
    days * 86_400 + time.0 * 3600 + time.1 * 60 + time.2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExtractLimits;

    #[test]
    fn junk_is_known_anywhere_in_a_path() {
        assert!(is_junk("__MACOSX/a/._b.txt") && is_junk("a/.DS_Store") && is_junk("a\\Thumbs.db") && is_junk("._x"));
        assert!(!is_junk("a/b.txt") && !is_junk(".env/notes"));
    }

    #[test]
    fn dates_become_seconds() {
        assert_eq!(unix_time((1970, 1, 1), (0, 0, 0)), 0);
        assert_eq!(unix_time((2000, 2, 29), (12, 30, 5)), 951_827_405);
        assert_eq!(unix_time((2026, 11, 22), (0, 0, 0)), 1_795_305_600);
    }

    #[test]
    fn limits_hold_for_members_and_for_the_whole() {
        let limits = ExtractLimits { max_bytes: 10, max_unpacked: 30, max_parts: 3, ..ExtractLimits::default() };
        let input = Input::new(Path::new("a.zip"), b"x", &limits);
        let mut unpacker = Unpacker::new(&input, Format::of("zip"));
        assert!(unpacker.member("large.txt", None, &mut &[b'a'; 20][..]).is_continue());
        assert!(unpacker.member("small.txt", None, &mut &b"words"[..]).is_continue());
        assert!(unpacker.member("more.txt", None, &mut &[b'a'; 9][..]).is_break());
        let extraction = unpacker.finish(None).unwrap();
        assert_eq!(extraction.parts[0].outcome, Err(FileError::TooLarge { bytes: 20, limit: 10 }));
        assert!(extraction.parts[1].outcome.is_ok());
        assert_eq!(extraction.parts.len(), 2);
        assert!(extraction.warnings[0].contains("more.txt"), "{:?}", extraction.warnings);
    }
}
