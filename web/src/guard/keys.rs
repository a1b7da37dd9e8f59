//! The keys as a running server sees them: read again when the file has changed, and checked by argon2 once each.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use super::keyfile::{KeyFile, KeyFileError, KeyRecord, id_of};
use crate::jobs::now;

/// Presented keys, good and bad, whose check is remembered.
const REMEMBERED: usize = 10_000;

/// Checks presented keys.
pub(crate) struct Keys {
    file: KeyFile,
    state: RwLock<State>,
}

/// What tells one state of the file from another.
type Stamp = Option<(SystemTime, u64, u64)>;

#[derive(Default)]
struct State {
    stamp: Stamp,
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
    /// Reads the keys.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub(crate) fn open(file: KeyFile) -> Result<Self, KeyFileError> {
        let keys = Self { file, state: RwLock::default() };
        keys.refresh()?;
        Ok(keys)
    }

    /// Whether there are keys, or were: then nothing is open to those without one.
    pub(crate) fn exist(&self) -> bool {
        self.refresh_or_keep();
        !self.state.read().unwrap_or_else(PoisonError::into_inner).records.is_empty()
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

    /// A file that cannot be read right now closes nothing and opens nothing: the keys stay what they were.
    fn refresh_or_keep(&self) {
        if let Err(error) = self.refresh() {
            tracing::error!("the API keys cannot be read again; the last known ones stay in force: {error}");
        }
    }

    fn refresh(&self) -> Result<(), KeyFileError> {
        let stamp = self.stamp();
        if self.state.read().unwrap_or_else(PoisonError::into_inner).stamp == stamp {
            return Ok(());
        }
        let records = self.file.records()?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if stamp.is_none() && !state.records.is_empty() {
            // A removed file must not open a server that was closed.
            tracing::warn!("the file of API keys is gone; the keys known so far are revoked");
            state.records.values_mut().for_each(|record| Arc::make_mut(record).revoked = Some(now()));
        } else {
            state.records = records.into_iter().map(|record| (record.id.clone(), Arc::new(record))).collect();
        }
        state.stamp = stamp;
        state.checked.clear();
        Ok(())
    }

    fn stamp(&self) -> Stamp {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = fs::metadata(self.file.path()).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::keyfile::Scope;
    use super::*;

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
        assert!(!keys.exist());
        let made = KeyFile::of(folder.path()).create("a", vec![Scope::Search], None).unwrap();
        assert!(keys.exist() && is_good(&keys, &made.key));
        assert!(matches!(keys.look_up(&made.key), Known::Valid(_)), "argon2 ran once");
        let wrong = format!("{}x", made.key);
        assert!(!is_good(&keys, &wrong));
        assert!(matches!(keys.look_up(&wrong), Known::Invalid), "a wrong key is remembered too");
        KeyFile::of(folder.path()).revoke(&made.record.id).unwrap();
        assert!(!is_good(&keys, &made.key));
        assert!(keys.exist() && !keys.any_valid(), "closed, though no key is left");
        std::fs::remove_file(folder.path().join("keys.json")).unwrap();
        assert!(keys.exist());
    }
}
