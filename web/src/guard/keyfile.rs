//! API keys on disk: `keys.json` in the data folder, one record for each key ever made, replaced whole and synced.
//!
//! A key is `qk_ID_SECRET`. The file holds the id and the argon2 hash of the whole key, never the key.
//!
//! Promise: a folder that once had keys stays closed to those without one, also when the last key is revoked, and when the
//! file is emptied or gone: a second file, `keys.required`, is written before the first key and never removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use storage::{Readers, replace_durably};

use crate::jobs::now;

const NAME: &str = "keys.json";
/// What the second file says to whoever finds it.
const REQUIRED: &str = "API keys were made for this index, so nobody is let in without one, even if keys.json is gone: make \
                        another with `quarry keys create`. To open the server to everybody on this machine, stop it and \
                        remove both files.\n";
const PREFIX: &str = "qk_";
/// Random bytes of the part that nobody can guess.
const SECRET_BYTES: usize = 32;
const ID_BYTES: usize = 4;

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Search, read documents and status, use the models.
    Search,
    /// Put and delete documents, bring sources up to date.
    Index,
    /// Everything.
    Admin,
}

impl Scope {
    /// Its name, as in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Index => "index",
            Self::Admin => "admin",
        }
    }
}

/// One key, without what opens anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Its public part.
    pub id: String,
    /// What it is for, in the words of who made it.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// Argon2id hash of the key, as a PHC string.
    pub hash: String,
    /// Seconds of Unix time when it was made.
    pub created: i64,
    /// Seconds of Unix time from which it is not valid any more.
    pub expires: Option<i64>,
    /// Seconds of Unix time when it was revoked.
    pub revoked: Option<i64>,
}

impl KeyRecord {
    /// Whether the key opens anything at that second of Unix time.
    pub fn is_valid(&self, second: i64) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| second < expires)
    }

    /// Whether a presented key is this one. Takes some 20 ms, by design.
    pub(crate) fn verifies(&self, key: &str) -> bool {
        PasswordHash::new(&self.hash).is_ok_and(|hash| Argon2::default().verify_password(key.as_bytes(), &hash).is_ok())
    }
}

/// A key that was just made.
pub struct NewKey {
    /// The key itself: shown once, stored nowhere.
    pub key: String,
    /// Its record.
    pub record: KeyRecord,
}

/// Why the keys cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The system refused.
    #[error("cannot {action} the API keys in {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("the API keys in {} cannot be read; restore the file, or remove it and make new keys", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There is no such key.
    #[error("there is no key {id:?}; `quarry keys list` shows their ids")]
    Unknown {
        /// The id that was given.
        id: String,
    },
    /// A key without a scope would open nothing.
    #[error("a key needs at least one scope: search, index or admin")]
    NoScope,
    /// No randomness, no key.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// The key could not be hashed.
    #[error("the key cannot be hashed: {0}")]
    Hash(String),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Content {
    keys: Vec<KeyRecord>,
}

/// The keys of a data folder.
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// The keys of the index in `data_dir`; the file need not exist.
    pub fn of(data_dir: &Path) -> Self {
        Self { path: data_dir.join(NAME) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn marker(&self) -> PathBuf {
        self.path.with_extension("required")
    }

    /// Whether there are keys, or ever were: then nothing is open to those without one.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn are_required(&self) -> Result<bool, KeyFileError> {
        // Whatever has that name counts: it may be a link that leads nowhere.
        match fs::symlink_metadata(self.marker()) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(!self.records()?.is_empty()),
            Err(error) => Err(self.io("read")(error)),
        }
    }

    /// Closes the folder for good to those without a key. Index folders that had keys before this file existed get it when
    /// a server first reads them.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn require(&self) -> Result<(), KeyFileError> {
        if fs::symlink_metadata(self.marker()).is_ok() {
            return Ok(());
        }
        let write = |file: &mut File| file.write_all(REQUIRED.as_bytes());
        let written = replace_durably(&self.marker(), Readers::Owner, write);
        // Somebody else may have written it just now.
        written
            .or_else(|error| fs::symlink_metadata(self.marker()).map(drop).map_err(|_| error))
            .map_err(self.io("write"))
    }

    /// All records, oldest first. A file without content has none.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn records(&self) -> Result<Vec<KeyRecord>, KeyFileError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.io("read")(error)),
        };
        if text.trim_ascii().is_empty() {
            return Ok(Vec::new());
        }
        let content: Content = serde_json::from_slice(&text)
            .map_err(|source| KeyFileError::Damaged { path: self.path.clone(), source })?;
        Ok(content.keys)
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`KeyFileError::NoScope`]; the file cannot be read or written.
    pub fn create(&self, name: &str, mut scopes: Vec<Scope>, expires: Option<i64>) -> Result<NewKey, KeyFileError> {
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(KeyFileError::NoScope);
        }
        let _lock = self.lock()?;
        let mut keys = self.records()?;
        let id = hex(&random::<ID_BYTES>()?);
        let key = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(random::<SECRET_BYTES>()?));
        let hash = Argon2::default().hash_password(key.as_bytes());
        let hash = hash.map_err(|error| KeyFileError::Hash(error.to_string()))?.to_string();
        let record = KeyRecord { id, name: name.to_string(), scopes, hash, created: now(), expires, revoked: None };
        self.require()?;
        keys.push(record.clone());
        self.write(keys)?;
        Ok(NewKey { key, record })
    }

    /// Revokes a key; a running server refuses it from its next request on.
    ///
    /// # Errors
    /// [`KeyFileError::Unknown`]; the file cannot be read or written.
    pub fn revoke(&self, id: &str) -> Result<KeyRecord, KeyFileError> {
        let _lock = self.lock()?;
        let mut keys = self.records()?;
        let key = keys.iter_mut().find(|key| key.id == id);
        let key = key.ok_or_else(|| KeyFileError::Unknown { id: id.to_string() })?;
        key.revoked = key.revoked.or_else(|| Some(now()));
        let record = key.clone();
        self.require()?;
        self.write(keys)?;
        Ok(record)
    }

    /// Held while the file is changed, so that two commands do not undo each other.
    fn lock(&self) -> Result<File, KeyFileError> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(self.io("write"))?;
        }
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false).mode(0o600);
        let lock = options.open(self.path.with_extension("lock")).map_err(self.io("lock"))?;
        lock.lock().map_err(self.io("lock"))?;
        Ok(lock)
    }

    fn write(&self, keys: Vec<KeyRecord>) -> Result<(), KeyFileError> {
        let text = serde_json::to_vec_pretty(&Content { keys })
            .map_err(|source| KeyFileError::Damaged { path: self.path.clone(), source })?;
        replace_durably(&self.path, Readers::Owner, |file| file.write_all(&text)).map_err(self.io("write"))
    }

    fn io(&self, action: &'static str) -> impl FnOnce(io::Error) -> KeyFileError {
        let path = self.path.clone();
        move |source| KeyFileError::Io { action, path, source }
    }
}

/// The public part of a presented key; `None` if it is no key of ours.
pub(crate) fn id_of(key: &str) -> Option<&str> {
    let (id, secret) = key.strip_prefix(PREFIX)?.split_once('_')?;
    (id.len() == 2 * ID_BYTES && !secret.is_empty()).then_some(id)
}

fn random<const N: usize>() -> Result<[u8; N], KeyFileError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(KeyFileError::Random)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_revoked_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::of(folder.path());
        assert!(file.records().unwrap().is_empty());
        let NewKey { key, record } = file.create("intranet", vec![Scope::Search, Scope::Search], None).unwrap();
        assert_eq!(id_of(&key), Some(record.id.as_str()));
        assert_eq!(record.scopes, [Scope::Search]);
        assert!(record.verifies(&key) && !record.verifies(&format!("{key}x")));
        let stored = fs::read_to_string(file.path()).unwrap();
        let secret = key.splitn(3, '_').nth(2).unwrap();
        assert!(!stored.contains(secret) && stored.contains("$argon2id$"), "{stored}");
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        file.revoke(&record.id).unwrap();
        assert!(!file.records().unwrap()[0].is_valid(now()));
        assert!(matches!(file.revoke("nobody"), Err(KeyFileError::Unknown { .. })));
        assert!(matches!(file.create("x", Vec::new(), None), Err(KeyFileError::NoScope)));
    }

    #[test]
    fn once_closed_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::of(folder.path());
        assert!(!file.are_required().unwrap());
        assert!(matches!(file.revoke("nobody"), Err(KeyFileError::Unknown { .. })));
        assert!(!file.are_required().unwrap(), "no key was made");
        file.create("x", vec![Scope::Search], None).unwrap();
        let mode = fs::metadata(file.marker()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for emptied in ["", " \n", "{}", "[]", "{\"keys\":[]}"] {
            fs::write(file.path(), emptied).unwrap();
            assert!(file.records().unwrap().is_empty() && file.are_required().unwrap(), "{emptied:?}");
        }
        fs::remove_file(file.path()).unwrap();
        assert!(file.are_required().unwrap());
        file.create("y", vec![Scope::Search], None).unwrap();
        assert_eq!(file.records().unwrap().len(), 1, "and it can be used again");
    }

    #[test]
    fn expiry_is_the_first_second_without() {
        let folder = tempfile::tempdir().unwrap();
        let record = KeyFile::of(folder.path()).create("x", vec![Scope::Admin], Some(100)).unwrap().record;
        assert!(record.is_valid(99) && !record.is_valid(100));
    }

    #[test]
    fn other_words_are_no_keys() {
        for other in ["", "qk_", "qk_12345678_", "qk_1234_abc", "sk-abc", "qk_12345678"] {
            assert_eq!(id_of(other), None, "{other}");
        }
    }
}
