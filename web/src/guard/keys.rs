//! The keys as a running server sees them: read again when the file has changed, and checked by argon2 once each.
//!
//! Promise: whatever happens to the file, nothing that was closed opens.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use storage::chain;

use super::keyfile::{KeyFile, KeyFileError, KeyRecord, id_of};
use crate::identity::Stamps;
use crate::jobs::now;

/// Presented keys, good and bad, whose check is remembered.
const REMEMBERED: usize = 10_000;

/// Checks presented keys.
pub(crate) struct Keys {
    file: KeyFile,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// Of the keys, and of the file that says that keys are required.
    stamps: Stamps,
    /// Whether nobody is let in without a key. Once true, it stays.
    required: bool,
    records: HashMap<String, Arc<KeyRecord>>,
    /// By the BLAKE3 hash of a presented key: whether argon2 said that it is the key with its id.
    checked: HashMap<[u8; 32], bool>,
}

/// What is known of a presented key without computing.
pub(crate) enum Known {
    /// Valid.
    Valid(Arc<KeyRecord>),
    /// Unknown, wrong, revoked or expired.
    Invalid,
    /// Looks like a key; argon2 has to say.
    Unchecked(Arc<KeyRecord>),
}

impl Keys {
    /// The file, to be looked at and changed.
    pub(crate) fn file(&self) -> &KeyFile {
        &self.file
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub(crate) fn open(file: KeyFile) -> Result<Self, KeyFileError> {
        let keys = Self { file, state: RwLock::default() };
        keys.read(keys.file.stamps())?;
        if keys.are_required() {
            keys.file.require()?;
            if !keys.any_valid() {
                tracing::warn!(
                    "API keys were made for this index and none is valid any more: nobody is let in without one; make one \
                     with `quarry keys create`"
                );
            }
        }
        Ok(keys)
    }

    /// Whether there are keys, or were: then nothing is open to those without one.
    pub(crate) fn are_required(&self) -> bool {
        self.refresh_or_keep();
        self.state.read().unwrap_or_else(PoisonError::into_inner).required
    }

    /// Whether a key would be accepted now.
    pub(crate) fn any_valid(&self) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.records.values().any(|record| record.is_valid(now()))
    }

    /// Looks a presented key up.
    pub(crate) fn look_up(&self, key: &str) -> Known {
        self.refresh_or_keep();
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let record = id_of(key).and_then(|id| state.records.get(id)).filter(|record| record.is_valid(now()));
        let Some(record) = record else { return Known::Invalid };
        match state.checked.get(blake3::hash(key.as_bytes()).as_bytes()) {
            Some(true) => Known::Valid(Arc::clone(record)),
            Some(false) => Known::Invalid,
            None => Known::Unchecked(Arc::clone(record)),
        }
    }

    /// Checks a key by argon2, and remembers the outcome for as long as the file stays as it is.
    pub(crate) fn check(&self, record: &KeyRecord, key: &str) -> bool {
        let good = record.verifies(key);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.checked.len() >= REMEMBERED {
            state.checked.clear();
        }
        // The file may have changed meanwhile; what was checked is the record that it had.
        if state.records.get(&record.id).is_some_and(|current| **current == *record) {
            state.checked.insert(*blake3::hash(key.as_bytes()).as_bytes(), good);
        }
        good
    }

    /// Keys that cannot be read right now stay what they were. That there is something to read closes the server.
    fn refresh_or_keep(&self) {
        let stamps = self.file.stamps();
        if self.state.read().unwrap_or_else(PoisonError::into_inner).stamps == stamps {
            return;
        }
        if let Err(error) = self.read(stamps) {
            tracing::error!("the API keys cannot be read again; the last known ones stay in force: {}", chain(&error));
            self.state.write().unwrap_or_else(PoisonError::into_inner).required = true;
        }
    }

    fn read(&self, stamps: Stamps) -> Result<(), KeyFileError> {
        let (records, required) = (self.file.records()?, self.file.are_required()?);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if records.is_empty() && !state.records.is_empty() {
            tracing::warn!(
                "the API keys are gone from {}: all are revoked, and nobody is let in until one is made with `quarry keys \
                 create`",
                self.file.path().display()
            );
        }
        state.required |= required || !records.is_empty();
        state.records = records.into_iter().map(|record| (record.id.clone(), Arc::new(record))).collect();
        state.stamps = stamps;
        state.checked.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::keyfile::{KeyHolder, Scope};
    use super::*;
    use crate::identity::RecordFileError;

    fn is_good(keys: &Keys, key: &str) -> bool {
        match keys.look_up(key) {
            Known::Valid(_) => true,
            Known::Invalid => false,
            Known::Unchecked(record) => keys.check(&record, key),
        }
    }

    #[test]
    fn changes_of_the_file_count_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(KeyFile::of(folder.path())).unwrap();
        assert!(!keys.are_required());
        let made = KeyFile::of(folder.path()).create("a", vec![Scope::Search], None, KeyHolder::default()).unwrap();
        assert!(keys.are_required() && is_good(&keys, &made.key));
        assert!(matches!(keys.look_up(&made.key), Known::Valid(_)), "argon2 ran once");
        let wrong = format!("{}x", made.key);
        assert!(!is_good(&keys, &wrong));
        assert!(matches!(keys.look_up(&wrong), Known::Invalid), "a wrong key is remembered too");
        KeyFile::of(folder.path()).revoke(&made.record.id).unwrap();
        assert!(!is_good(&keys, &made.key));
        assert!(keys.are_required() && !keys.any_valid(), "closed, though no key is left");
    }

    /// Does something to the file of keys; whether the key opens anything then, in a server that ran on.
    fn after(change: impl Fn(&Path)) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let file = || KeyFile::of(folder.path());
        let keys = Keys::open(file()).unwrap();
        let made = file().create("a", vec![Scope::Search], None, KeyHolder::default()).unwrap();
        assert!(is_good(&keys, &made.key));
        change(file().path());
        let good = is_good(&keys, &made.key);
        assert!(keys.are_required(), "a running server stays closed");
        good
    }

    #[test]
    fn a_file_that_is_gone_or_empty_opens_nothing_and_revokes_all() {
        assert!(!after(|path| fs::remove_file(path).unwrap()));
        let next_start = |change: &dyn Fn(&Path)| {
            let folder = tempfile::tempdir().unwrap();
            KeyFile::of(folder.path()).create("a", vec![Scope::Search], None, KeyHolder::default()).unwrap();
            change(KeyFile::of(folder.path()).path());
            let keys = Keys::open(KeyFile::of(folder.path())).unwrap();
            keys.are_required() && !keys.any_valid()
        };
        assert!(next_start(&|path| fs::remove_file(path).unwrap()));
        for emptied in ["", "{}", "[]", "{\"keys\":[]}"] {
            assert!(!after(|path| fs::write(path, emptied).unwrap()), "{emptied:?}");
            assert!(next_start(&|path| fs::write(path, emptied).unwrap()), "{emptied:?}");
        }
        assert!(!after(|path| {
            fs::remove_file(path).unwrap();
            fs::remove_file(path.with_extension("required")).unwrap();
        }));
    }

    #[test]
    fn a_file_that_cannot_be_read_changes_nothing() {
        assert!(after(|path| fs::write(path, "{\"keys\":").unwrap()));
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(KeyFile::of(folder.path())).unwrap();
        fs::write(folder.path().join("keys.json"), "nonsense").unwrap();
        assert!(keys.are_required(), "somebody wanted keys");
        assert!(matches!(
            Keys::open(KeyFile::of(folder.path())),
            Err(KeyFileError::File(RecordFileError::Damaged { .. }))
        ));
    }

    #[test]
    fn folders_from_before_are_closed_for_good_at_the_first_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::of(folder.path());
        file.create("a", vec![Scope::Search], None, KeyHolder::default()).unwrap();
        fs::remove_file(file.path().with_extension("required")).unwrap();
        assert!(Keys::open(KeyFile::of(folder.path())).unwrap().are_required());
        fs::remove_file(file.path()).unwrap();
        assert!(Keys::open(KeyFile::of(folder.path())).unwrap().are_required());
    }
}
