//! The journal of what was accepted for whole sources and is not done yet, kept in the data folder: a removal that was
//! answered 202 is made after a restart too, and so is a source that was added. Written whole and renamed into place,
//! before the answer.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use storage::{Readers, Source, replace_durably, sync_folder};

/// Name of the file in the data folder.
const NAME: &str = "accepted.json";

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
    pub(super) errand: Errand,
    pub(super) source: Source,
}

/// What is to be done with a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Errand {
    /// Bring it up to date.
    Index,
    /// The same, and what is gone was deleted.
    IndexWithDeletions,
    /// Take it out.
    Remove,
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
        let path = data_dir.join(NAME);
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
    pub(super) fn add(&self, errand: Errand, source: &Source) -> io::Result<EntryId> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let id = entries.iter().map(|entry| entry.id).max().unwrap_or(0) + 1;
        let mut with = entries.clone();
        with.push(Entry { id, errand, source: source.clone() });
        self.write(&with)?;
        *entries = with;
        Ok(EntryId(id))
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
        let first = journal.add(Errand::Remove, &source("a")).unwrap();
        journal.add(Errand::Index, &source("a")).unwrap();
        let again = Journal::open(data.path()).unwrap().entries();
        let errands: Vec<Errand> = again.iter().map(|(_, entry)| entry.errand).collect();
        assert_eq!((errands, again[0].0), (vec![Errand::Remove, Errand::Index], first));
        journal.done(first).unwrap();
        journal.done(first).unwrap();
        assert_eq!(journal.entries(), Journal::open(data.path()).unwrap().entries());
        journal.entries().into_iter().for_each(|(id, _)| journal.done(id).unwrap());
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0, "nothing is left behind");
        fs::write(data.path().join(NAME), "not json").unwrap();
        assert!(Journal::open(data.path()).is_err_and(|error| error.to_string().contains(NAME)));
    }
}
