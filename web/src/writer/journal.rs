//! The journal of what was accepted for whole sources and is not done yet, kept in the data folder: a removal that was
//! answered 202 is made after a restart too, and so is a source that was added. Written whole and renamed into place,
//! before the answer.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use storage::{Readers, Source, replace_durably, sync_folder};

use super::queue::Task;
use super::{Deletions, Look};

/// Name of the file in the data folder.
const NAME: &str = "accepted.json";
/// Name of the file of backups, which is in no backup: whoever restores one is not to make it again.
const BACKUPS: &str = "accepted-backups.json";

/// The file and what stands in it.
pub(super) struct Journal {
    path: PathBuf,
    entries: Mutex<Vec<Entry>>,
}

/// Something that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Unique among those in the file.
    id: u64,
    errand: Errand,
    pub(super) source: Source,
    /// Whether files are compared by their content.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_content: bool,
    /// Whether it waits until somebody lets it go on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_paused: bool,
    /// Which backups are kept once one is made; left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep: Option<String>,
}

/// What is to be done with a source, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Errand {
    /// Bring it up to date.
    Index,
    /// The same, and what is gone was deleted.
    IndexWithDeletions,
    /// Take it out.
    Remove,
    /// Check the index: of no source.
    Verify,
    /// Give space back: of no source.
    Compact,
    /// Make the vectors that are still to come, of no source: noted only while that is paused.
    Embed,
    /// Make a backup: of no source, whose folder is where it goes.
    Backup,
}

impl Entry {
    fn new(id: u64, task: Task, source: &Source) -> Self {
        let (errand, by_content) = match task {
            Task::Index(Look { deletions: Deletions::Guarded, by_content }) => (Errand::Index, by_content),
            Task::Index(Look { deletions: Deletions::Confirmed, by_content }) => {
                (Errand::IndexWithDeletions, by_content)
            }
            Task::Remove => (Errand::Remove, false),
            Task::Verify => (Errand::Verify, false),
            Task::Compact => (Errand::Compact, false),
        };
        Self { id, errand, source: source.clone(), by_content, is_paused: false, keep: None }
    }

    /// What the writer has to do; `None` for what is done beside it.
    pub(super) fn task(&self) -> Option<Task> {
        let by_content = self.by_content;
        match self.errand {
            Errand::Index => Some(Task::Index(Look { deletions: Deletions::Guarded, by_content })),
            Errand::IndexWithDeletions => Some(Task::Index(Look { deletions: Deletions::Confirmed, by_content })),
            Errand::Remove => Some(Task::Remove),
            Errand::Verify => Some(Task::Verify),
            Errand::Compact => Some(Task::Compact),
            Errand::Embed | Errand::Backup => None,
        }
    }

    /// Whether it says that the making of vectors waits.
    pub(super) fn holds_vectors(&self) -> bool {
        self.errand == Errand::Embed
    }
}

/// The number of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryId(u64);

impl Journal {
    /// Reads what an earlier process left undone, in the order in which it was accepted.
    ///
    /// # Errors
    /// The file cannot be read, or makes no sense: what was acknowledged must not be forgotten in silence.
    pub(super) fn open(data_dir: &Path) -> io::Result<Self> {
        Self::read(data_dir.join(NAME))
    }

    /// The same of backups.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub(super) fn of_backups(data_dir: &Path) -> io::Result<Self> {
        Self::read(data_dir.join(BACKUPS))
    }

    fn read(path: PathBuf) -> io::Result<Self> {
        let entries = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                let words = format!("{} cannot be read ({error}); move it away to start without it", path.display());
                io::Error::new(io::ErrorKind::InvalidData, words)
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()))),
        };
        Ok(Self { path, entries: Mutex::new(entries) })
    }

    /// Everything that is not done, the earliest first.
    pub(super) fn entries(&self) -> Vec<(EntryId, Entry)> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().map(|entry| (EntryId(entry.id), entry.clone())).collect()
    }

    /// Notes that something was accepted, durably.
    ///
    /// # Errors
    /// The disk refused; nothing is noted.
    pub(super) fn add(&self, task: Task, source: &Source) -> io::Result<EntryId> {
        self.push(|id| Entry::new(id, task, source))
    }

    /// Notes that the making of vectors waits until somebody lets it go on, durably.
    ///
    /// # Errors
    /// As [`Journal::add`].
    pub(super) fn hold_vectors(&self) -> io::Result<EntryId> {
        let source = Source { name: String::new(), root: PathBuf::new() };
        self.push(|id| Entry { id, errand: Errand::Embed, source, by_content: false, is_paused: true, keep: None })
    }

    /// Notes that a backup was accepted, durably.
    ///
    /// # Errors
    /// As [`Journal::add`].
    pub(super) fn add_backup(&self, destination: &Path, keep: Option<String>) -> io::Result<EntryId> {
        let source = Source { name: String::new(), root: destination.to_path_buf() };
        self.push(|id| Entry { id, errand: Errand::Backup, source, by_content: false, is_paused: false, keep })
    }

    /// The backups that are not made: where they go, and which are kept.
    pub(super) fn backups(&self) -> Vec<(EntryId, PathBuf, Option<String>)> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let backups = entries.iter().filter(|entry| entry.errand == Errand::Backup);
        backups.map(|entry| (EntryId(entry.id), entry.source.root.clone(), entry.keep.clone())).collect()
    }

    fn push(&self, entry: impl FnOnce(u64) -> Entry) -> io::Result<EntryId> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let id = entries.iter().map(|entry| entry.id).max().unwrap_or(0) + 1;
        let mut with = entries.clone();
        with.push(entry(id));
        self.write(&with)?;
        *entries = with;
        Ok(EntryId(id))
    }

    /// Notes whether it waits until somebody lets it go on.
    ///
    /// # Errors
    /// The disk refused; what was noted before holds.
    pub(super) fn pause(&self, id: EntryId, is_paused: bool) -> io::Result<()> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = entries.clone();
        changed.iter_mut().filter(|entry| entry.id == id.0).for_each(|entry| entry.is_paused = is_paused);
        self.write(&changed)?;
        *entries = changed;
        Ok(())
    }

    /// Notes that it is done, or never will be.
    ///
    /// # Errors
    /// The disk refused; it still counts as accepted.
    pub(super) fn done(&self, id: EntryId) -> io::Result<()> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let without: Vec<Entry> = entries.iter().filter(|entry| entry.id != id.0).cloned().collect();
        if without.len() < entries.len() {
            self.write(&without)?;
            *entries = without;
        }
        Ok(())
    }

    fn write(&self, entries: &[Entry]) -> io::Result<()> {
        if entries.is_empty() {
            match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => return sync_folder(self.path.parent().unwrap_or(Path::new("."))),
            }
        }
        let text = serde_json::to_vec_pretty(entries)?;
        replace_durably(&self.path, Readers::Owner, |file| file.write_all(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_is_read_again_in_order_until_it_is_done() {
        let data = tempfile::tempdir().unwrap();
        let source = |name: &str| Source { name: name.to_string(), root: data.path().join(name) };
        let journal = Journal::open(data.path()).unwrap();
        let first = journal.add(Task::Remove, &source("a")).unwrap();
        let look = Task::Index(Look { deletions: Deletions::Confirmed, by_content: true });
        let second = journal.add(look, &source("a")).unwrap();
        journal.pause(second, true).unwrap();
        let again = Journal::open(data.path()).unwrap().entries();
        let tasks: Vec<_> = again.iter().map(|(_, entry)| (entry.task(), entry.is_paused)).collect();
        assert_eq!((tasks, again[0].0), (vec![(Some(Task::Remove), false), (Some(look), true)], first));
        journal.done(first).unwrap();
        journal.done(first).unwrap();
        assert_eq!(journal.entries(), Journal::open(data.path()).unwrap().entries());
        journal.entries().into_iter().for_each(|(id, _)| journal.done(id).unwrap());
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0, "nothing is left behind");
        fs::write(data.path().join(NAME), "not json").unwrap();
        assert!(Journal::open(data.path()).is_err_and(|error| error.to_string().contains(NAME)));
    }
}
