//! The mirror: a folder that is brought up to date with what a connector names.
//!
//! Promises: a file is put in place whole or not at all; what has not changed is not fetched; nothing is taken for gone unless
//! the whole was named; an error of one file costs that file its news and nothing else, and an error of the list ends the sync
//! with everything kept. A sync may be killed at any moment and made again.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use storage::{Access, rename_durably, sync_folder};

use crate::connector::{Connector, Fetched, Known, Remote};
use crate::error::ConnectError;
use crate::manifest::{Entry, Manifest};
use crate::names::{self, NameFault};

/// Files whose trouble is told by name.
const TOLD: usize = 20;
/// Failures in a row after which the place counts as gone away.
const PATIENCE: u32 = 8;

/// How much a mirror takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files.
    pub files: usize,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Time of one sync.
    pub time: Duration,
}

/// What a sync did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncCounters {
    /// Things that were named.
    pub named: u64,
    /// Files that were fetched and put in place.
    pub fetched: u64,
    /// Bytes of these.
    pub bytes: u64,
}

/// Told how far a sync is.
pub trait SyncObserver {
    /// After each file.
    fn progressed(&self, counters: &SyncCounters);

    /// A file has come, or its content is another: it is in place, at this path below the mirror's files, and the manifest tells
    /// of it.
    fn brought(&self, path: &str) {
        let _ = path;
    }
}

/// Nobody is told.
impl SyncObserver for () {
    fn progressed(&self, _: &SyncCounters) {}
}

/// What a sync did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncReport {
    /// Files that came, or whose content is another.
    pub fetched: u64,
    /// Files that are as they were.
    pub unchanged: u64,
    /// Files that are gone.
    pub removed: u64,
    /// What is there and not wanted: hidden, of a type that is not read, not to be indexed.
    pub unwanted: u64,
    /// What could not be fetched; what was there of it before is kept.
    pub failed: u64,
    /// The first of these, and why.
    pub problems: Vec<String>,
    /// Why what was named is not all that there is, where that is so.
    pub left_out: Option<String>,
    /// What else people should know of it.
    pub notes: Vec<String>,
    /// Whether it was stopped before its end.
    pub is_interrupted: bool,
}

/// A folder that is brought up to date.
#[derive(Debug)]
pub struct Mirror {
    files: PathBuf,
    draft: PathBuf,
    manifest: Manifest,
    limits: Limits,
}

impl Mirror {
    /// The mirror in a folder, which is made if it is not there: its files lie in `files` below it.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn open(folder: &Path, limits: Limits) -> Result<Self, ConnectError> {
        let files = folder.join("files");
        fs::create_dir_all(&files).map_err(ConnectError::disk("make", &files))?;
        let mut manifest = Manifest::open(&folder.join("manifest.jsonl"))?;
        let is_there = |entry: &Entry| {
            let metadata = fs::symlink_metadata(files.join(&entry.path));
            metadata.is_ok_and(|metadata| metadata.is_file() && metadata.len() == entry.bytes)
        };
        let lost: Vec<String> =
            manifest.entries().filter(|entry| !is_there(entry)).map(|entry| entry.id.clone()).collect();
        lost.iter().try_for_each(|id| manifest.remove(id))?;
        Ok(Self { files, draft: folder.join("draft"), manifest, limits })
    }

    /// Brings the folder up to date.
    ///
    /// # Errors
    /// It cannot be found out what is there, or the disk refuses: what is in the folder stays as far as it has come.
    pub fn sync(
        &mut self,
        connector: &mut dyn Connector,
        observer: &dyn SyncObserver,
        stop: &AtomicBool,
    ) -> Result<SyncReport, ConnectError> {
        let mut sync = Sync {
            mirror: self,
            report: SyncReport::default(),
            counters: SyncCounters::default(),
            named: HashSet::new(),
            failures: 0,
        };
        let outcome = sync.run(connector, observer, stop);
        let report = sync.report;
        let finished = self.manifest.finish();
        outcome.and(finished).map(|()| report)
    }
}

/// A sync that is under way.
struct Sync<'a> {
    mirror: &'a mut Mirror,
    report: SyncReport,
    counters: SyncCounters,
    named: HashSet<String>,
    /// In a row.
    failures: u32,
}

impl Sync<'_> {
    fn run(
        &mut self,
        connector: &mut dyn Connector,
        observer: &dyn SyncObserver,
        stop: &AtomicBool,
    ) -> Result<(), ConnectError> {
        let started = Instant::now();
        loop {
            if stop.load(Ordering::Relaxed) {
                return self.interrupted();
            }
            if started.elapsed() >= self.mirror.limits.time {
                let minutes = self.mirror.limits.time.as_secs() / 60;
                self.report.left_out = Some(format!("its time of {minutes} minutes was over (max_minutes)"));
                return Ok(());
            }
            let remote = match connector.next() {
                Ok(Some(remote)) => remote,
                Ok(None) => break,
                Err(ConnectError::Stopped) => return self.interrupted(),
                Err(error) => return Err(error),
            };
            if !self.named.insert(remote.id.clone()) {
                continue;
            }
            self.counters.named += 1;
            match self.bring(connector, &remote, observer) {
                Ok(()) => self.failures = 0,
                Err(ConnectError::Stopped) => return self.interrupted(),
                Err(error) if error.ends_sync() => return Err(error),
                Err(error) => self.fault(&remote, error)?,
            }
            observer.progressed(&self.counters);
        }
        self.report.notes = connector.notes();
        let left_out = connector.left_out();
        self.report.left_out = self.report.left_out.take().or(left_out);
        if self.report.left_out.is_none() { self.forget_others() } else { Ok(()) }
    }

    fn interrupted(&mut self) -> Result<(), ConnectError> {
        self.report.is_interrupted = true;
        Ok(())
    }

    /// Has one thing as it is there now.
    fn bring(
        &mut self,
        connector: &mut dyn Connector,
        remote: &Remote,
        observer: &dyn SyncObserver,
    ) -> Result<(), ConnectError> {
        let wanted = match names::path_of(&remote.name) {
            Ok(path) => path,
            Err(NameFault::Hidden | NameFault::Empty) => return self.unwanted(remote),
        };
        let known = self.mirror.manifest.get(&remote.id).cloned();
        if let Some(entry) = known.as_ref().filter(|entry| remote.version.is_some() && entry.version == remote.version)
        {
            return self.as_before(entry, remote, &wanted);
        }
        if known.is_none() && self.mirror.manifest.len() >= self.mirror.limits.files {
            return self.full(format!("more than {} files (max_files)", self.mirror.limits.files));
        }
        let files = &self.mirror.files;
        let shown = known.as_ref().map(|entry| Known { version: entry.version.clone(), file: files.join(&entry.path) });
        match connector.fetch(remote, shown.as_ref(), self.mirror.limits.file_bytes)? {
            Fetched::Content { bytes, remote: told } => {
                self.put(known.as_ref(), &bytes, &Remote { id: remote.id.clone(), ..told }, observer)
            }
            Fetched::Unchanged => match &known {
                Some(entry) => {
                    self.report.unchanged += 1;
                    // A file that is not fetched may be open to others than before all the same.
                    let access = remote.access.clone().or(entry.access.clone());
                    self.mirror.manifest.put(Entry { access, ..entry.clone() })
                }
                None => self.unwanted(remote),
            },
            Fetched::Unwanted(reason) => {
                tracing::debug!("{} is left out: {reason}", remote.id);
                self.unwanted(remote)
            }
            Fetched::Gone => self.gone(&remote.id),
        }
    }

    /// What was said of a file that has not changed.
    fn as_before(&mut self, entry: &Entry, remote: &Remote, wanted: &str) -> Result<(), ConnectError> {
        self.report.unchanged += 1;
        let path = self.mirror.manifest.path_for(&remote.id, wanted);
        let (url, access) = (remote.url.clone(), remote.access.clone());
        if path != entry.path {
            self.mirror.rename(&entry.path, &path)?;
        }
        self.mirror.manifest.put(Entry { path, url, access, ..entry.clone() })
    }

    fn put(
        &mut self,
        known: Option<&Entry>,
        bytes: &[u8],
        remote: &Remote,
        observer: &dyn SyncObserver,
    ) -> Result<(), ConnectError> {
        // The name may be another now that it is known what it is.
        let Ok(wanted) = names::path_of(&remote.name) else { return self.unwanted(remote) };
        let length = bytes.len() as u64;
        let others = self.mirror.manifest.bytes() - known.map_or(0, |entry| entry.bytes);
        if others + length > self.mirror.limits.bytes {
            return self.full(format!("more than {} MiB (max_total_mb)", self.mirror.limits.bytes >> 20));
        }
        let path = self.mirror.manifest.path_for(&remote.id, &wanted);
        let entry = Entry {
            id: remote.id.clone(),
            path,
            version: remote.version.clone(),
            url: remote.url.clone(),
            access: remote.access.clone(),
            bytes: length,
        };
        let is_as_before = known.is_some_and(|known| known.path == entry.path && self.mirror.holds(&entry.path, bytes));
        if is_as_before {
            self.report.unchanged += 1;
            return self.mirror.manifest.put(entry);
        }
        // Whom the new text is not open to must not see it under what was said of the old one.
        if let Some(known) = known.filter(|known| known.access != entry.access) {
            let both = closed(known.access.clone(), entry.access.clone());
            self.mirror.manifest.put(Entry { access: both, ..known.clone() })?;
        }
        if let Some(known) = known.filter(|known| known.path != entry.path) {
            self.mirror.remove(&known.path)?;
        }
        self.mirror.write(&entry.path, bytes, remote.date)?;
        let path = entry.path.clone();
        self.mirror.manifest.put(entry)?;
        observer.brought(&path);
        self.report.fetched += 1;
        self.counters.fetched += 1;
        self.counters.bytes += length;
        Ok(())
    }

    fn unwanted(&mut self, remote: &Remote) -> Result<(), ConnectError> {
        self.report.unwanted += 1;
        self.drop(&remote.id)
    }

    fn gone(&mut self, id: &str) -> Result<(), ConnectError> {
        self.report.removed += u64::from(self.mirror.manifest.get(id).is_some());
        self.drop(id)
    }

    fn drop(&mut self, id: &str) -> Result<(), ConnectError> {
        let Some(path) = self.mirror.manifest.get(id).map(|entry| entry.path.clone()) else { return Ok(()) };
        self.mirror.remove(&path)?;
        self.mirror.manifest.remove(id)
    }

    /// Something is left out because there is no more room.
    fn full(&mut self, why: String) -> Result<(), ConnectError> {
        self.report.left_out.get_or_insert_with(|| format!("there is {why}; what is beyond is left out"));
        Ok(())
    }

    /// One thing could not be had.
    fn fault(&mut self, remote: &Remote, error: ConnectError) -> Result<(), ConnectError> {
        self.report.failed += 1;
        let words = storage::chain(&error);
        tracing::debug!("{} cannot be fetched: {words}", remote.id);
        if self.report.problems.len() < TOLD {
            self.report.problems.push(format!("{}: {words}", remote.id));
        }
        self.failures = if error.is_passing() { self.failures + 1 } else { 0 };
        // Who gives no answer again and again is not asked for ten thousand more.
        if self.failures >= PATIENCE { Err(error) } else { Ok(()) }
    }

    /// Forgets what was not named, now that everything was.
    fn forget_others(&mut self) -> Result<(), ConnectError> {
        let others = self.mirror.manifest.entries().map(|entry| &entry.id).filter(|id| !self.named.contains(*id));
        let others: Vec<String> = others.cloned().collect();
        others.iter().try_for_each(|id| self.gone(id))?;
        self.mirror.sweep()
    }
}

/// Whom both of two accesses let through, where either says anything.
fn closed(one: Option<Access>, other: Option<Access>) -> Option<Access> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        // What says nothing goes by the rules of its source, which are not known here.
        _ => Some(Access::nobody()),
    }
}

impl Mirror {
    fn holds(&self, path: &str, bytes: &[u8]) -> bool {
        fs::read(self.files.join(path)).is_ok_and(|held| held == bytes)
    }

    fn write(&self, path: &str, bytes: &[u8], date: Option<i64>) -> Result<(), ConnectError> {
        let place = self.files.join(path);
        let fill = || -> io::Result<()> {
            let mut file = File::create(&self.draft)?;
            file.write_all(bytes)?;
            if let Some(seconds) = date.and_then(|seconds| u64::try_from(seconds).ok()) {
                file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))?;
            }
            make_room(&self.files, &place)?;
            rename_durably(&self.draft, &place)
        };
        fill().map_err(ConnectError::disk("write", place.clone()))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), ConnectError> {
        let (from, to) = (self.files.join(from), self.files.join(to));
        make_room(&self.files, &to)
            .and_then(|()| rename_durably(&from, &to))
            .map_err(ConnectError::disk("write", to.clone()))
    }

    /// Removes a file, and the folders that are empty without it.
    fn remove(&self, path: &str) -> Result<(), ConnectError> {
        let place = self.files.join(path);
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ConnectError::disk("remove", &place)(error));
            }
            _ => {}
        }
        let mut folder = place.parent();
        while let Some(this) = folder.filter(|folder| *folder != self.files && folder.starts_with(&self.files)) {
            // It fails where something is in it.
            if fs::remove_dir(this).is_err() {
                break;
            }
            folder = this.parent();
        }
        folder
            .map_or(Ok(()), |folder| match sync_folder(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            })
            .map_err(ConnectError::disk("remove", &place))
    }

    /// Removes what lies among the files and is no copy of anything: left by a crash, or put there by somebody.
    fn sweep(&self) -> Result<(), ConnectError> {
        let held: HashSet<&str> = self.manifest.entries().map(|entry| entry.path.as_str()).collect();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let place = self.files.join(&folder);
            let listed = fs::read_dir(&place).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
            for entry in listed.map_err(ConnectError::disk("list", &place))? {
                let name = entry.file_name().to_string_lossy().into_owned();
                // Hidden files are read by nobody; a connector may keep something there.
                if name.starts_with('.') {
                    continue;
                }
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                let kind = entry.file_type().map_err(ConnectError::disk("list", &place))?;
                if kind.is_dir() {
                    folders.push(path);
                } else if !held.contains(path.as_str()) {
                    fs::remove_file(entry.path()).map_err(ConnectError::disk("remove", entry.path()))?;
                }
            }
        }
        Ok(())
    }
}

/// Makes the folders above a place, in the place of files that nothing is known of, and takes an empty folder out of its way.
fn make_room(files: &Path, place: &Path) -> io::Result<()> {
    let Some(folder) = place.parent() else { return Ok(()) };
    let above: Vec<&Path> =
        folder.ancestors().take_while(|above| *above != files && above.starts_with(files)).collect();
    for above in above.into_iter().rev() {
        if fs::symlink_metadata(above).is_ok_and(|metadata| !metadata.is_dir()) {
            fs::remove_file(above)?;
        }
    }
    fs::create_dir_all(folder)?;
    if fs::symlink_metadata(place).is_ok_and(|metadata| metadata.is_dir()) {
        fs::remove_dir_all(place)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
