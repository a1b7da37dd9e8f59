//! The record of attempts: which files were being worked on when the process died. A file that takes the process with
//! it (memory, a stack, an abort in a library) would do so again at every start, and nothing behind it would ever be
//! indexed. So a line is written before a file is touched and another once its commit is done; what has the first and
//! not the second when the index is opened next was under way when the process was killed, and is a suspect.
//!
//! A suspect is tried again alone ([`Attempts::strikes`] is 1), so that a second death says who did it; one that did is
//! set aside ([`SET_ASIDE`]). Whoever goes through is cleared. A death that may have come from outside says half as much:
//! one that the process did not bring about itself (by an abort, as for want of memory or stack) and that came soon after
//! the file's turn began (a process that eats all memory takes longer).
//!
//! Promises: a file has at most one strike for a death; ends
//! in good order, errors among them, strike nobody; nor does a death after the process was asked to stop
//! ([`Attempts::pardon`]). The lines survive the death of the process as soon as they are written, and that of the
//! machine once [`Attempts::sync`] has run.
//!
//! The file is a log of JSON lines, made small again as it grows. One that cannot be read is put aside: it says nothing
//! about the documents.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;

/// Deaths after which a file is left alone.
pub const SET_ASIDE: u32 = 2;

/// Time after which a suspect that is still under way has made itself more suspicious: most files take a small part of it.
const LONG: Duration = Duration::from_millis(400);

/// Seconds after which a file that was set aside is tried once more: whoever killed the process may have meant no harm to
/// it. The next wait is a day, and doubles with every further death.
const APPEAL: i64 = 60 * 60;

/// Bytes of the log above which it is written anew.
const MAX_LOG: u64 = 1 << 20;

const NAME: &str = "attempts.log";

/// A file in one state of it, read by one version of quarry with its settings: another state is another attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Name of the source.
    pub source: String,
    /// Path below the source's root.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Modification time in nanoseconds of Unix time.
    pub modified_ns: i64,
    /// Device and inode, where the system has them.
    pub inode: Option<(u64, u64)>,
    /// What reads it: see [`crate::LedgerEntry::reader`].
    pub reader: String,
}

/// A line of the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    /// Work on a file begins.
    Begin(u64, Attempt),
    /// Suspects have been under way for a while.
    Long(Vec<u64>),
    /// It was committed.
    End(Vec<u64>),
    /// The run ended in good order, or was asked to.
    Pardon,
    /// Its strikes, of which there may have been doubts, and when the last death was noticed; no strike: it is cleared.
    Strikes(Attempt, u32, u32, i64),
}

/// A file that is being worked on.
#[derive(Debug)]
struct UnderWay {
    attempt: Attempt,
    since: Instant,
    is_long: bool,
}

#[derive(Debug)]
struct Suspect {
    attempt: Attempt,
    strikes: u32,
    /// Deaths that say half as much: two of them are a strike.
    doubts: u32,
    /// Seconds of Unix time of the last death that was noticed.
    last: i64,
}

/// The attempts of a data folder. Its lock is held by whoever has one.
#[derive(Debug)]
pub struct Attempts {
    path: PathBuf,
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    /// Open once there is something to write.
    file: Option<Marked>,
    bytes: u64,
    next: u64,
    under_way: BTreeMap<u64, UnderWay>,
    /// By source and path.
    suspects: BTreeMap<(String, String), Suspect>,
    unsynced: bool,
    /// Whether the process that wrote it brought its end about itself.
    aborted: bool,
    /// Runs that go on.
    runs: usize,
    /// Why the log can no longer be written.
    broken: Option<String>,
}

/// The log of the index in `folder`.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

impl Attempts {
    /// Reads the log in `folder` and counts the strikes of a process that died.
    ///
    /// # Errors
    /// The log cannot be read or written.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = path(folder);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let mut log = Log::default();
        let is_whole = log.replay(&text);
        if !is_whole {
            tracing::warn!("{} is damaged: what was set aside is tried again", path.display());
        }
        let died = !log.under_way.is_empty();
        log.strike_all(now());
        let attempts = Self { path, log: Mutex::new(log) };
        if died || !is_whole {
            attempts.lock().rewrite(&attempts.path)?;
        }
        Ok(attempts)
    }

    /// How often the process died while it worked on a file in this state, alone or among others.
    pub fn strikes(&self, attempt: &Attempt) -> u32 {
        self.lock().suspect(attempt).map_or(0, |suspect| suspect.strikes)
    }

    /// How often it was met by a death that says little.
    pub fn doubts(&self, attempt: &Attempt) -> u32 {
        self.lock().suspect(attempt).map_or(0, |suspect| suspect.doubts)
    }

    /// Whether a file is to be left alone: it has its strikes, and it is too early to try it once more.
    pub fn is_set_aside(&self, attempt: &Attempt) -> bool {
        self.lock().suspect(attempt).is_some_and(|suspect| {
            let wait = match suspect.strikes.saturating_sub(SET_ASIDE) {
                0 => APPEAL,
                more => (24 * APPEAL) << (more - 1).min(6),
            };
            suspect.strikes >= SET_ASIDE && now().saturating_sub(suspect.last) < wait
        })
    }

    /// Work on a file begins. Its number is what ends it.
    pub fn begin(&self, attempt: Attempt) -> u64 {
        let mut log = self.lock();
        let number = log.next;
        log.next += 1;
        log.append(&self.path, &Line::Begin(number, attempt.clone()));
        log.under_way.insert(number, UnderWay::new(attempt));
        number
    }

    /// Notes which suspects have been under way for so long that chance does not explain a death.
    pub fn note_long(&self) {
        let mut log = self.lock();
        let is_new = |it: &UnderWay| !it.is_long && it.since.elapsed() >= LONG;
        let long = log.under_way.iter().filter(|(number, it)| is_new(it) && log.is_suspect(**number));
        let long: Vec<u64> = long.map(|(number, _)| *number).collect();
        if !long.is_empty() {
            log.mark(&long, |it| it.is_long = true);
            log.append(&self.path, &Line::Long(long));
        }
    }

    /// These files are committed, and thereby cleared of all suspicion.
    ///
    /// # Errors
    /// The log cannot be written: the run should end, or nobody would know who ended it.
    pub fn end(&self, numbers: &[u64]) -> Result<()> {
        let mut log = self.lock();
        if let Some(reason) = log.broken.take() {
            return Err(Error::io("write", &self.path)(io::Error::other(reason)));
        }
        let ended: Vec<u64> = numbers.iter().copied().filter(|number| log.under_way.contains_key(number)).collect();
        if ended.is_empty() {
            return Ok(());
        }
        log.append(&self.path, &Line::End(ended.clone()));
        log.clear(&ended);
        if log.bytes > MAX_LOG {
            log.rewrite(&self.path)?;
        }
        Ok(())
    }

    /// A file turns out to have been committed by a process that died right after it: it is cleared.
    pub fn acquit(&self, attempt: &Attempt) {
        let mut log = self.lock();
        if log.suspect(attempt).is_some() {
            log.append(&self.path, &Line::Strikes(attempt.clone(), 0, 0, now()));
            log.suspects.remove(&key(attempt));
        }
    }

    /// Whether there is any suspect.
    pub fn has_suspects(&self) -> bool {
        !self.lock().suspects.is_empty()
    }

    /// The run ends in good order, or was asked to end: what is under way has not killed anybody.
    pub fn pardon(&self) {
        let mut log = self.lock();
        if log.under_way.is_empty() {
            return;
        }
        log.append(&self.path, &Line::Pardon);
        log.under_way.clear();
    }

    /// A run begins; it may be in the middle of another.
    pub fn start(&self) {
        self.lock().runs += 1;
    }

    /// A run is over. The outermost leaves nothing under way, and no log where there is nothing to remember.
    pub fn finish(&self) {
        let mut log = self.lock();
        log.runs = log.runs.saturating_sub(1);
        if log.runs > 0 {
            return;
        }
        drop(log);
        self.pardon();
        let mut log = self.lock();
        if log.bytes > 0 && log.suspects.is_empty() {
            // Left behind, it is read in vain.
            let _ = std::fs::remove_file(&self.path);
            (log.file, log.bytes, log.unsynced) = (None, 0, false);
        }
    }

    /// Makes what was written survive the death of the machine, too.
    pub fn sync(&self) {
        let file = {
            let mut log = self.lock();
            if !std::mem::take(&mut log.unsynced) {
                return;
            }
            log.file.as_ref().and_then(|marked| marked.file.try_clone().ok())
        };
        // Without it, only a fall of the whole machine goes unnoticed.
        let _ = file.map(|file| file.sync_data());
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Takes the lines of a log; false if it is not what was written. A last line that was cut off never counted.
    fn replay(&mut self, text: &[u8]) -> bool {
        self.bytes = text.len() as u64;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(line) = serde_json::from_slice::<Line>(line) else { return false };
            match line {
                Line::Begin(number, attempt) => {
                    self.next = self.next.max(number + 1);
                    self.under_way.insert(number, UnderWay::new(attempt));
                }
                Line::Long(numbers) => self.mark(&numbers, |it| it.is_long = true),
                Line::End(numbers) => self.clear(&numbers),
                Line::Pardon => self.under_way.clear(),
                Line::Strikes(attempt, 0, ..) => {
                    self.suspects.remove(&key(&attempt));
                }
                Line::Strikes(attempt, strikes, doubts, last) => {
                    self.suspects.insert(key(&attempt), Suspect { attempt, strikes, doubts, last });
                }
            }
        }
        self.aborted = text[whole..] == *ABORTED;
        whole == text.len() || self.aborted
    }

    fn suspect(&self, attempt: &Attempt) -> Option<&Suspect> {
        self.suspects.get(&key(attempt)).filter(|suspect| suspect.attempt == *attempt)
    }

    fn clear(&mut self, numbers: &[u64]) {
        for number in numbers {
            if let Some(UnderWay { attempt, .. }) = self.under_way.remove(number) {
                self.suspects.remove(&key(&attempt));
            }
        }
    }

    fn mark(&mut self, numbers: &[u64], mark: impl Fn(&mut UnderWay)) {
        for number in numbers {
            self.under_way.get_mut(number).into_iter().for_each(&mark);
        }
    }

    fn is_suspect(&self, number: u64) -> bool {
        self.under_way.get(&number).is_some_and(|it| self.suspect(&it.attempt).is_some())
    }

    fn strike_all(&mut self, now: i64) {
        for UnderWay { attempt, is_long, .. } in std::mem::take(&mut self.under_way).into_values() {
            let (mut strikes, mut doubts) =
                self.suspect(&attempt).map_or((0, 0), |suspect| (suspect.strikes, suspect.doubts));
            let is_doubtful = strikes > 0 && !is_long && !self.aborted;
            doubts += u32::from(is_doubtful);
            strikes += u32::from(!is_doubtful || doubts.is_multiple_of(2));
            self.suspects.insert(key(&attempt), Suspect { attempt, strikes, doubts, last: now });
        }
    }

    /// A failure is told by the next [`Attempts::end`].
    fn append(&mut self, path: &Path, line: &Line) {
        if let Err(error) = self.try_append(path, line) {
            self.broken = Some(error.to_string());
        }
    }

    fn try_append(&mut self, path: &Path, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        if self.file.is_none() {
            self.file = Some(Marked::open(path)?);
        }
        if let Some(marked) = &mut self.file {
            marked.file.write_all(&text)?;
        }
        self.bytes += text.len() as u64;
        self.unsynced = true;
        Ok(())
    }

    /// The log with nothing in it that is past.
    fn rewrite(&mut self, path: &Path) -> Result<()> {
        let strikes = self.suspects.values();
        let strikes = strikes.map(|it| Line::Strikes(it.attempt.clone(), it.strikes, it.doubts, it.last));
        let under_way = self.under_way.iter().map(|(number, it)| Line::Begin(*number, it.attempt.clone()));
        let mut text = Vec::new();
        for line in strikes.chain(under_way) {
            serde_json::to_writer(&mut text, &line).map_err(|error| Error::io("write", path)(error.into()))?;
            text.push(b'\n');
        }
        files::replace(path, &text)?;
        (self.file, self.bytes, self.unsynced) = (None, text.len() as u64, false);
        Ok(())
    }
}

/// What an abort leaves at the end of the log.
const ABORTED: &[u8] = b"X";

/// The log's file, which an abort of the process leaves its mark in.
#[derive(Debug)]
struct Marked {
    file: File,
    #[cfg(unix)]
    mark: signal_hook::SigId,
}

impl Marked {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        // Writes one `X`, and lets the abort go on.
        #[cfg(unix)]
        let mark = signal_hook::low_level::pipe::register(signal_hook::consts::SIGABRT, file.try_clone()?)?;
        Ok(Self {
            file,
            #[cfg(unix)]
            mark,
        })
    }
}

#[cfg(unix)]
impl Drop for Marked {
    fn drop(&mut self) {
        signal_hook::low_level::unregister(self.mark);
    }
}

impl UnderWay {
    fn new(attempt: Attempt) -> Self {
        Self { attempt, since: Instant::now(), is_long: false }
    }
}

fn key(attempt: &Attempt) -> (String, String) {
    (attempt.source.clone(), attempt.path.clone())
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(path: &str) -> Attempt {
        Attempt {
            source: "docs".to_string(),
            path: path.to_string(),
            bytes: 3,
            modified_ns: 4,
            inode: Some((5, 6)),
            reader: "1".to_string(),
        }
    }

    /// Opening again without an end is what the next process finds after a death.
    fn reopened(folder: &Path) -> Attempts {
        Attempts::open(folder).unwrap()
    }

    #[test]
    fn whoever_is_under_way_twice_is_set_aside_and_the_others_are_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let first = reopened(folder.path());
        let numbers: Vec<u64> = ["a", "b", "c"].iter().map(|path| first.begin(attempt(path))).collect();
        first.end(&numbers[..1]).unwrap();
        drop(first);
        let second = reopened(folder.path());
        assert_eq!(["a", "b", "c"].map(|path| second.strikes(&attempt(path))), [0, 1, 1]);
        assert!(!second.is_set_aside(&attempt("b")));
        let acquitted = reopened(folder.path());
        acquitted.acquit(&attempt("b"));
        drop(acquitted);
        assert_eq!(["b", "c"].map(|path| reopened(folder.path()).strikes(&attempt(path))), [0, 1]);
        let cleared = second.begin(attempt("b"));
        second.end(&[cleared]).unwrap();
        second.begin(attempt("c"));
        drop(second);
        OpenOptions::new().append(true).open(folder.path().join(NAME)).unwrap().write_all(ABORTED).unwrap();
        let third = reopened(folder.path());
        assert_eq!(["a", "b", "c"].map(|path| third.strikes(&attempt(path))), [0, 0, 2]);
        assert!(third.is_set_aside(&attempt("c")));
        // Another state of the file, or another reader, is another matter.
        assert!(!third.is_set_aside(&Attempt { modified_ns: 9, ..attempt("c") }));
        assert!(!third.is_set_aside(&Attempt { reader: "2".to_string(), ..attempt("c") }));
        drop(third);
        assert!(reopened(folder.path()).is_set_aside(&attempt("c")), "opening alone changes nothing");
        let asked = reopened(folder.path());
        let number = asked.begin(attempt("c"));
        asked.end(&[number]).unwrap();
        asked.finish();
        assert!(!folder.path().join(NAME).exists(), "nothing is left to remember");
    }

    #[test]
    fn a_death_that_may_have_come_from_outside_says_half_as_much() {
        #[derive(Clone, Copy, PartialEq)]
        enum Death {
            Sudden,
            Late,
            Abort,
        }
        let folder = tempfile::tempdir().unwrap();
        let die = |death: Death| {
            let attempts = reopened(folder.path());
            attempts.begin(attempt("a"));
            if death == Death::Late {
                std::thread::sleep(LONG);
                attempts.note_long();
            }
            drop(attempts);
            if death == Death::Abort {
                let mut log = OpenOptions::new().append(true).open(folder.path().join(NAME)).unwrap();
                log.write_all(ABORTED).unwrap();
            }
            let after = reopened(folder.path());
            (after.strikes(&attempt("a")), after.doubts(&attempt("a")))
        };
        assert_eq!(die(Death::Sudden), (1, 0), "the first time, it is a suspect among others");
        assert_eq!(die(Death::Sudden), (1, 1));
        assert_eq!(die(Death::Sudden), (2, 2));
        assert_eq!(die(Death::Abort), (3, 2));
        assert_eq!(die(Death::Late), (4, 2));
    }

    #[test]
    fn ends_in_good_order_strike_nobody() {
        let folder = tempfile::tempdir().unwrap();
        for end in [Attempts::finish, Attempts::pardon] {
            let attempts = reopened(folder.path());
            attempts.begin(attempt("a"));
            end(&attempts);
            drop(attempts);
            assert_eq!(reopened(folder.path()).strikes(&attempt("a")), 0);
        }
    }

    #[test]
    fn the_log_stays_small_and_survives_cuts_and_nonsense() {
        let folder = tempfile::tempdir().unwrap();
        let attempts = reopened(folder.path());
        let open = attempts.begin(attempt("long"));
        for round in 0..20_000 {
            let number = attempts.begin(attempt(&format!("folder/file {round}")));
            attempts.end(&[number]).unwrap();
        }
        let path = folder.path().join(NAME);
        assert!(std::fs::metadata(&path).unwrap().len() < 2 * MAX_LOG);
        attempts.sync();
        drop(attempts);
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"begin\":[99999,{\"sour");
        std::fs::write(&path, &text).unwrap();
        let attempts = reopened(folder.path());
        assert_eq!(attempts.strikes(&attempt("long")), 1, "{open}");
        drop(attempts);
        std::fs::write(&path, b"\xff nonsense\n").unwrap();
        assert_eq!(reopened(folder.path()).strikes(&attempt("long")), 0);
    }

    #[test]
    fn a_file_that_was_set_aside_may_appeal_later() {
        let folder = tempfile::tempdir().unwrap();
        let line = |strikes, age| {
            format!("{}\n", serde_json::to_string(&Line::Strikes(attempt("a"), strikes, 0, now() - age)).unwrap())
        };
        for (strikes, age, aside) in [
            (2, APPEAL - 60, true),
            (2, APPEAL + 60, false),
            (3, APPEAL + 60, true),
            (3, 25 * APPEAL, false),
            (1, 0, false),
        ] {
            std::fs::write(folder.path().join(NAME), line(strikes, age)).unwrap();
            assert_eq!(reopened(folder.path()).is_set_aside(&attempt("a")), aside, "{strikes} {age}");
        }
    }
}
