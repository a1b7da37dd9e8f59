//! The files of the audit log: one for each day (UTC), lines of JSON, its owner's alone.
//!
//! Promise: a line is whole or is followed by a line end before the next one, also after a full disk; several processes may
//! write at once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

const PREFIX: &str = "audit-";
const ENDING: &str = ".jsonl";

/// Writes lines into the file of the day.
pub(super) struct Journal {
    folder: PathBuf,
    keep_days: u64,
    open: Option<Open>,
    /// Whether the last line may have been cut off.
    torn: bool,
}

/// The file of a day.
struct Open {
    day: Date,
    path: PathBuf,
    file: File,
}

impl Open {
    /// Whether this is what people find there: a file that somebody has moved away or removed takes no more lines.
    fn is_in_place(&self) -> bool {
        let id = |metadata: io::Result<fs::Metadata>| metadata.map(|metadata| (metadata.dev(), metadata.ino())).ok();
        id(fs::metadata(&self.path)).is_some_and(|found| Some(found) == id(self.file.metadata()))
    }
}

impl Journal {
    pub(super) fn new(folder: PathBuf, keep_days: u64) -> Self {
        // What an earlier process left is not known.
        Self { folder, keep_days, open: None, torn: false }
    }

    /// Appends a line, which has no line end yet.
    ///
    /// # Errors
    /// The system refused; the same line may be tried again.
    pub(super) fn write(&mut self, line: &[u8], now: Timestamp) -> io::Result<()> {
        let today = now.to_zoned(TimeZone::UTC).date();
        let mut opened = match self.open.take().filter(|open| open.day == today && open.is_in_place()) {
            Some(opened) => opened,
            None => {
                let opened = open(&self.folder, today)?;
                self.forget(today);
                opened
            }
        };
        let mut whole = Vec::with_capacity(line.len() + 2);
        whole.extend(self.torn.then_some(b'\n'));
        whole.extend_from_slice(line);
        whole.push(b'\n');
        // One write, which others that append to the file do not part.
        let written = opened.file.write_all(&whole);
        self.torn = written.is_err();
        self.open = Some(opened);
        written
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// The system refused.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.open.as_ref().map_or(Ok(()), |open| open.file.sync_data())
    }

    /// Removes files of days that need not be kept. One that cannot be removed is said, and stays.
    fn forget(&self, today: Date) {
        let Ok(files) = fs::read_dir(&self.folder) else { return };
        if self.keep_days == 0 {
            return;
        }
        for path in files.flatten().map(|entry| entry.path()) {
            let age = day_of(&path).and_then(|day| today.since(day).ok()).map(|span| i64::from(span.get_days()));
            let is_old = age.is_some_and(|days| u64::try_from(days).is_ok_and(|days| days >= self.keep_days));
            if is_old && let Err(error) = fs::remove_file(&path) {
                tracing::warn!("{} is older than audit.keep_days and cannot be removed: {error}", path.display());
            }
        }
    }
}

fn open(folder: &Path, day: Date) -> io::Result<Open> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join(format!("{PREFIX}{day}{ENDING}"));
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
    Ok(Open { day, path, file })
}

/// The day of a file of the log; `None` if it is none.
fn day_of(path: &Path) -> Option<Date> {
    path.file_name()?.to_str()?.strip_prefix(PREFIX)?.strip_suffix(ENDING)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn every_day_has_its_file_and_old_ones_go() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("audit");
        let mut journal = Journal::new(folder.clone(), 2);
        journal.write(b"{}", at("2026-01-01T23:59:59Z")).unwrap();
        fs::write(folder.join("notes.txt"), "").unwrap();
        journal.write(b"{\"a\":1}", at("2026-01-02T00:00:00Z")).unwrap();
        journal.write(b"{\"a\":2}", at("2026-01-02T12:00:00Z")).unwrap();
        assert_eq!(names(&folder), ["audit-2026-01-01.jsonl", "audit-2026-01-02.jsonl", "notes.txt"]);
        let second = folder.join("audit-2026-01-02.jsonl");
        assert_eq!(fs::read_to_string(&second).unwrap(), "{\"a\":1}\n{\"a\":2}\n");
        assert_eq!(fs::metadata(&second).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        journal.write(b"{}", at("2026-01-03T00:00:00Z")).unwrap();
        assert_eq!(names(&folder), ["audit-2026-01-02.jsonl", "audit-2026-01-03.jsonl", "notes.txt"]);
    }

    #[test]
    fn what_cannot_be_written_is_told_and_can_be_written_later() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("audit");
        fs::write(&folder, "in the way").unwrap();
        let mut journal = Journal::new(folder.clone(), 0);
        assert!(journal.write(b"{}", at("2026-01-01T00:00:00Z")).is_err());
        fs::remove_file(&folder).unwrap();
        journal.write(b"{}", at("2026-01-01T00:00:00Z")).unwrap();
        let path = folder.join("audit-2026-01-01.jsonl");
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
        fs::remove_dir_all(&folder).unwrap();
        journal.write(b"[]", at("2026-01-01T00:00:01Z")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[]\n", "nobody writes where nobody reads");
    }
}
