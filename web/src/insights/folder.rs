//! The folder `insights/` of a data folder: for the day that is going on a log of its events, for each day before it the
//! counts that came of them.
//!
//! A log (`2026-11-29.log`) is only appended to, a line for each event; what a crash leaves of the last line is cut off. When
//! the day is over, its counts (`2026-11-29.counts`, a line for each query) are written durably, and only then is the log
//! removed: where both are there, the counts are whole. Both are their owner's alone, in a group's data folder too.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::de::DeserializeOwned;
use storage::{Readers, replace_durably, sync_folder};

use super::counts::QueryCounts;
use super::day::Day;
use super::event::Line;
use super::people::SALT;
use super::{InsightsConfig, first_of};

const NAME: &str = "insights";
const LOG: &str = "log";
const COUNTS: &str = "counts";
/// Bytes of the log of a day. What comes behind is left out.
const MOST_BYTES: u64 = 256 << 20;

/// The folder, which may not be there.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
}

/// The log of the day that is going on.
pub(super) struct Log {
    file: File,
    length: u64,
}

impl Folder {
    pub(super) fn of(data_dir: &Path) -> Self {
        Self { path: data_dir.join(NAME) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it, for its owner alone.
    ///
    /// # Errors
    /// The system refused.
    pub(super) fn make(&self) -> io::Result<()> {
        if self.path.is_dir() {
            return Ok(());
        }
        make_private(&self.path).map_err(|error| self.failed("make", &self.path, &error))?;
        sync_folder(self.path.parent().unwrap_or(Path::new(".")))
    }

    /// Where insights are switched off: removes what is too old, and says what is left.
    ///
    /// # Errors
    /// The system refused.
    pub(super) fn let_go(&self, today: Date, keep_days: u32) -> io::Result<()> {
        if !self.path.is_dir() {
            return Ok(());
        }
        self.expire(first_of(today, keep_days))?;
        let left = self.days()?;
        if left.is_empty() {
            remove(&self.path.join(SALT))?;
            return fs::remove_dir(&self.path).map_err(|error| self.failed("remove", &self.path, &error));
        }
        tracing::warn!(
            "insights are switched off, and counts of {} days from before are still in {}: they are removed at the starts \
             after insights.keep_days; delete the folder to remove them now",
            left.len(),
            self.path.display()
        );
        Ok(())
    }

    /// The days of which something is kept.
    ///
    /// # Errors
    /// The system refused.
    pub(super) fn days(&self) -> io::Result<BTreeSet<Date>> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(self.failed("list", &self.path, &error)),
        };
        let mut days = BTreeSet::new();
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let day = name.split_once('.').filter(|(_, kind)| [LOG, COUNTS].contains(kind));
            days.extend(day.and_then(|(day, _)| day.parse::<Date>().ok()));
        }
        Ok(days)
    }

    /// Removes the days before `first`.
    ///
    /// # Errors
    /// The system refused.
    pub(super) fn expire(&self, first: Date) -> io::Result<()> {
        let old: Vec<Date> = self.days()?.into_iter().filter(|day| *day < first).collect();
        for day in &old {
            remove(&self.file(*day, LOG))?;
            remove(&self.file(*day, COUNTS))?;
        }
        if old.is_empty() { Ok(()) } else { sync_folder(&self.path) }
    }

    /// The counts of a day: those that were written, or what follows from its log.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn counts(&self, day: Date, config: &InsightsConfig) -> io::Result<Vec<QueryCounts>> {
        let written = || self.lines::<QueryCounts>(&self.file(day, COUNTS));
        if let Some(counts) = written()? {
            return Ok(counts);
        }
        let log = self.file(day, LOG);
        if log.exists() {
            let mut counts = Day::new(day, config);
            self.replay(&log, &mut counts)?;
            return Ok(counts.counts().collect());
        }
        // It may have been finished this very moment.
        Ok(written()?.unwrap_or_default())
    }

    /// Makes counts of the log of a day that is over.
    ///
    /// # Errors
    /// The system refused; the log is still there.
    pub(super) fn finish(&self, day: Date, config: &InsightsConfig) -> io::Result<()> {
        let (log, counts) = (self.file(day, LOG), self.file(day, COUNTS));
        if log.exists() && !counts.exists() {
            let of_day = self.counts(day, config)?;
            let written = replace_durably(&counts, Readers::Owner, |file| {
                let mut out = BufWriter::new(file);
                for query in of_day {
                    serde_json::to_writer(&mut out, &query)?;
                    out.write_all(b"\n")?;
                }
                out.flush()
            });
            written.map_err(|error| self.failed("write", &counts, &error))?;
        }
        remove(&log)
    }

    /// Opens the log of a day behind its last whole line, and tells the day what stands in it.
    ///
    /// # Errors
    /// The system refused.
    pub(super) fn log(&self, counts: &mut Day) -> io::Result<Log> {
        let path = self.file(counts.date(), LOG);
        let length = if path.exists() { self.replay(&path, counts)? } else { 0 };
        let file = open_private(&path).map_err(|error| self.failed("open", &path, &error))?;
        file.set_len(length)?;
        sync_folder(&self.path)?;
        Ok(Log { file, length })
    }

    /// Tells a day what stands in its log; how many bytes its whole lines have.
    fn replay(&self, log: &Path, day: &mut Day) -> io::Result<u64> {
        let mut length = 0;
        self.each_line(log, |line, bytes| {
            day.take(&line);
            length = bytes;
        })?;
        Ok(length)
    }

    /// The records of a file; `None` if it is not there.
    fn lines<T: DeserializeOwned>(&self, path: &Path) -> io::Result<Option<Vec<T>>> {
        if !path.exists() {
            return Ok(None);
        }
        let mut records = Vec::new();
        self.each_line(path, |record, _| records.push(record))?;
        Ok(Some(records))
    }

    /// Hands over each record of a file, with the bytes up to its end. What a crash left of the last line is passed over, and
    /// so is a damaged line, which is said.
    fn each_line<T: DeserializeOwned>(&self, path: &Path, mut record: impl FnMut(T, u64)) -> io::Result<()> {
        let failed = |error: io::Error| self.failed("read", path, &error);
        let mut reader = BufReader::new(File::open(path).map_err(failed)?);
        let (mut line, mut bytes, mut damaged) = (Vec::new(), 0, 0);
        loop {
            line.clear();
            bytes += reader.read_until(b'\n', &mut line).map_err(failed)? as u64;
            if line.last() != Some(&b'\n') {
                break;
            }
            match serde_json::from_slice(&line) {
                Ok(read) => record(read, bytes),
                Err(_) => damaged += 1,
            }
        }
        if damaged > 0 {
            tracing::warn!("{}: {damaged} damaged lines are passed over; the counts lack them", path.display());
        }
        Ok(())
    }

    fn file(&self, day: Date, kind: &str) -> PathBuf {
        self.path.join(format!("{day}.{kind}"))
    }

    fn failed(&self, what: &str, path: &Path, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("cannot {what} {}: {error}", path.display()))
    }
}

impl Log {
    /// Appends lines. A kill of the process loses none of them, a failure of the machine those since the last
    /// [sync](Log::sync).
    ///
    /// # Errors
    /// The disk refused, or the log is full; none is there then.
    pub(super) fn append(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        let length = self.length + text.len() as u64;
        if length > MOST_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the log of the day is full"));
        }
        if let Err(error) = self.file.write_all(&text) {
            // Half a line would spoil the one behind it.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length = length;
        Ok(())
    }

    /// Makes what was appended survive a failure of the machine.
    ///
    /// # Errors
    /// The disk refused.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io::Error::new(error.kind(), format!("cannot remove {}: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    fs::DirBuilder::new().mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)
}

#[cfg(unix)]
fn open_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use storage::DocumentId;

    use super::super::counts::DocumentKey;
    use super::super::event::{Did, Outcome, Searched};
    use super::super::people::Mark;
    use super::*;

    fn line(at: i64, who: u32, query: &str) -> Line {
        let searched =
            Searched { outcome: Outcome::Found, ms: 3, shown: vec![DocumentKey(DocumentId::of("wiki", "a.md"))] };
        Line { at, who: Mark::from_parts(1, who), query: query.to_string(), did: Did::Search(searched) }
    }

    fn folder() -> (tempfile::TempDir, Folder, InsightsConfig) {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::of(data.path());
        folder.make().unwrap();
        (data, folder, InsightsConfig::default())
    }

    fn names(folder: &Folder) -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_log_goes_on_behind_what_a_crash_left_of_a_line() {
        let (_data, folder, config) = folder();
        let day = date(2026, 11, 29);
        let mut log = folder.log(&mut Day::new(day, &config)).unwrap();
        log.append(&[line(0, 1, "one"), line(0, 1, "two")]).unwrap();
        log.sync().unwrap();
        drop(log);
        let path = folder.file(day, LOG);
        let mut torn = fs::read(&path).unwrap();
        torn.extend_from_slice(b"{\"at\":0,\"who\":\"00");
        fs::write(&path, &torn).unwrap();
        let mut again = Day::new(day, &config);
        folder.log(&mut again).unwrap().append(&[line(0, 2, "two"), line(0, 1, "three")]).unwrap();
        assert_eq!(again.counts().count(), 2, "what was whole is known again");
        let counts = folder.counts(day, &config).unwrap();
        let found: Vec<(&str, u64)> = counts.iter().map(|query| (query.query.as_str(), query.searches)).collect();
        assert_eq!(found, [("one", 1), ("three", 1), ("two", 2)]);
    }

    #[test]
    fn a_day_that_is_over_becomes_counts_at_whatever_moment_it_is_killed() {
        let (_data, folder, config) = folder();
        let day = date(2026, 11, 28);
        folder.log(&mut Day::new(day, &config)).unwrap().append(&[line(0, 1, "one"), line(0, 2, "one")]).unwrap();
        let log = fs::read(folder.file(day, LOG)).unwrap();
        let before = folder.counts(day, &config).unwrap();
        folder.finish(day, &config).unwrap();
        assert_eq!((names(&folder), folder.counts(day, &config).unwrap()), (vec!["2026-11-28.counts".into()], before));
        // Killed before the log was removed: the counts are whole, and nothing counts twice.
        fs::write(folder.file(day, LOG), log).unwrap();
        assert_eq!(folder.counts(day, &config).unwrap()[0].searches, 2);
        folder.finish(day, &config).unwrap();
        assert_eq!((names(&folder).len(), folder.counts(day, &config).unwrap()[0].searches), (1, 2));
    }

    #[test]
    fn what_is_too_old_is_removed_and_the_rest_is_not_touched() {
        let (_data, folder, config) = folder();
        for day in [date(2026, 8, 31), date(2026, 9, 1), date(2026, 11, 29)] {
            folder.log(&mut Day::new(day, &config)).unwrap().append(&[line(0, 1, "one")]).unwrap();
        }
        folder.finish(date(2026, 9, 1), &config).unwrap();
        fs::write(folder.path().join("notes.txt"), "of the administrator").unwrap();
        folder.expire(first_of(date(2026, 11, 29), 90)).unwrap();
        assert_eq!(names(&folder), ["2026-09-01.counts", "2026-11-29.log", "notes.txt"]);
        folder.expire(first_of(date(2026, 11, 29), 1)).unwrap();
        assert_eq!(names(&folder), ["2026-11-29.log", "notes.txt"]);
    }

    #[test]
    fn switched_off_what_is_left_goes_in_time() {
        let (data, folder, config) = folder();
        fs::write(folder.path().join(SALT), "{}").unwrap();
        folder.log(&mut Day::new(date(2026, 11, 1), &config)).unwrap().append(&[line(0, 1, "one")]).unwrap();
        folder.let_go(date(2026, 11, 20), 30).unwrap();
        assert_eq!(names(&folder).len(), 2);
        folder.let_go(date(2026, 12, 20), 30).unwrap();
        assert!(!folder.path().exists());
        Folder::of(&data.path().join("nowhere")).let_go(date(2026, 12, 20), 30).unwrap();
    }

    #[test]
    fn a_damaged_line_costs_itself() {
        let (_data, folder, config) = folder();
        let day = date(2026, 11, 29);
        folder.log(&mut Day::new(day, &config)).unwrap().append(&[line(0, 1, "one"), line(0, 1, "two")]).unwrap();
        let path = folder.file(day, LOG);
        let text = fs::read_to_string(&path).unwrap().replacen("\"who\"", "\"whx\"", 1);
        fs::write(&path, text).unwrap();
        assert_eq!(folder.counts(day, &config).unwrap().len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_people_ask_is_the_owners_alone() {
        use std::os::unix::fs::MetadataExt as _;

        let (_data, folder, config) = folder();
        let day = date(2026, 11, 29);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        folder.log(&mut Day::new(day, &config)).unwrap();
        assert_eq!((mode(folder.path()), mode(&folder.file(day, LOG))), (0o700, 0o600));
        folder.finish(day, &config).unwrap();
        assert_eq!(mode(&folder.file(day, COUNTS)), 0o600);
    }
}
