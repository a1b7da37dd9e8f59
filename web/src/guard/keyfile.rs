//! API keys on disk: `keys.json` in the data folder, one record for each key ever made.
//!
//! A key is `qk_ID_SECRET`. The file holds the id and the argon2 hash of the whole key, never the key.
//!
//! Promise: a folder that once had keys stays closed to those without one, also when the last key is revoked, and when the
//! file is emptied or gone: a second file, `keys.required`, is written before the first key and never removed.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use storage::{Principal, PrincipalError, PrincipalKind, Principals};

use crate::identity::{self, RecordFile, RecordFileError, SecretError, Stamps};
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

/// What a key, or somebody, may do.
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

/// Whose rights a key has beside what its scopes allow. Whoever holds one that is of nobody sees what everyone may see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyHolder {
    /// As which user it asks.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub user: Option<Principal>,
    /// In which groups that user is for this key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Principal>,
    /// The only sources that there are for it; `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<String>>,
}

impl KeyHolder {
    /// Somebody by the names of user, groups and sources, as people write them.
    ///
    /// # Errors
    /// [`KeyFileError::Principal`], [`KeyFileError::NoUser`], [`KeyFileError::NoGroup`], [`KeyFileError::NoSource`] with what is none.
    pub fn named(user: Option<&str>, groups: &[String], sources: &[String]) -> Result<Self, KeyFileError> {
        let user = user.map(user_of).transpose()?;
        let groups = groups.iter().map(|group| group_of(group)).collect::<Result<_, _>>()?;
        if let Some(text) = sources.iter().find(|source| source.trim().is_empty()) {
            return Err(KeyFileError::NoSource { text: text.clone() });
        }
        let sources = (!sources.is_empty()).then(|| sources.to_vec());
        Ok(Self { user, groups, sources })
    }

    /// As whom its key asks.
    pub fn principals(&self) -> Principals {
        Principals::of(self.user.iter().chain(&self.groups).cloned())
    }

    fn is_nobody(&self) -> bool {
        *self == Self::default()
    }

    fn check(&self, scopes: &[Scope]) -> Result<(), KeyFileError> {
        if self.user.is_none() && !self.groups.is_empty() {
            return Err(KeyFileError::GroupsOfNobody);
        }
        if self.sources.is_some() && scopes.contains(&Scope::Admin) {
            return Err(KeyFileError::LimitedAdmin);
        }
        Ok(())
    }
}

fn user_of(text: &str) -> Result<Principal, KeyFileError> {
    let user = text.parse::<Principal>()?;
    match user.kind() {
        Some((PrincipalKind::User, _)) => Ok(user),
        _ => Err(KeyFileError::NoUser { text: text.to_owned() }),
    }
}

/// A group by its name alone, or as a principal.
fn group_of(text: &str) -> Result<Principal, KeyFileError> {
    match text.parse::<Principal>() {
        Ok(group) => match group.kind() {
            Some((PrincipalKind::Group | PrincipalKind::PosixGroup, _)) => Ok(group),
            _ => Err(KeyFileError::NoGroup { text: text.to_owned() }),
        },
        Err(_) => Ok(Principal::named(PrincipalKind::Group, text)?),
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
    /// Whose rights it has.
    #[serde(default, skip_serializing_if = "KeyHolder::is_nobody")]
    pub holder: KeyHolder,
}

impl KeyRecord {
    /// Whether the key opens anything at that second of Unix time.
    pub fn is_valid(&self, second: i64) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| second < expires)
    }

    /// Whether a presented key is this one. Takes some 20 ms, by design.
    pub(crate) fn verifies(&self, key: &str) -> bool {
        identity::is_of(&self.hash, key)
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
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] RecordFileError),
    /// There is no such key.
    #[error("there is no key {id:?}; `quarry keys list` shows their ids")]
    Unknown {
        /// The id that was given.
        id: String,
    },
    /// A key without a scope would open nothing.
    #[error("a key needs at least one scope: search, index or admin")]
    NoScope,
    /// A name of nobody.
    #[error(transparent)]
    Principal(#[from] PrincipalError),
    /// A key asks as a user.
    #[error("{text:?}: expected a user, such as user:bot")]
    NoUser {
        /// What was given.
        text: String,
    },
    /// It may be in groups.
    #[error("{text:?}: expected a group, such as staff")]
    NoGroup {
        /// What was given.
        text: String,
    },
    /// It may be limited to sources.
    #[error("{text:?}: expected names of sources, as the status shows them")]
    NoSource {
        /// What was given.
        text: String,
    },
    /// Groups without anybody who is in them.
    #[error("groups without a user: say as whom the key asks, such as user:bot")]
    GroupsOfNobody,
    /// An administrator adds and removes sources.
    #[error("a key with the scope admin cannot be limited to sources: give it the scopes search and index")]
    LimitedAdmin,
    /// No key can be made.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Content {
    keys: Vec<KeyRecord>,
}

/// The keys of a data folder.
pub struct KeyFile(RecordFile);

impl KeyFile {
    /// The keys of the index in `data_dir`; the file need not exist.
    pub fn of(data_dir: &Path) -> Self {
        Self(RecordFile::new(data_dir, NAME, "API keys", REQUIRED))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn stamps(&self) -> Stamps {
        self.0.stamps()
    }

    /// Whether there are keys, or ever were: then nothing is open to those without one.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn are_required(&self) -> Result<bool, KeyFileError> {
        Ok(self.0.is_marked()? || !self.records()?.is_empty())
    }

    /// Closes the folder for good to those without a key. Index folders that had keys before this file existed get it when
    /// a server first reads them.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn require(&self) -> Result<(), KeyFileError> {
        Ok(self.0.mark()?)
    }

    /// All records, oldest first. A file without content has none.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn records(&self) -> Result<Vec<KeyRecord>, KeyFileError> {
        Ok(self.0.read::<Content>()?.keys)
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`KeyFileError::NoScope`], or a holder that does not go with the scopes; the file cannot be read or written.
    pub fn create(
        &self,
        name: &str,
        mut scopes: Vec<Scope>,
        expires: Option<i64>,
        holder: KeyHolder,
    ) -> Result<NewKey, KeyFileError> {
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(KeyFileError::NoScope);
        }
        holder.check(&scopes)?;
        let _lock = self.0.lock()?;
        let mut keys = self.records()?;
        let id = identity::hex(&identity::random::<ID_BYTES>()?);
        let key = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(identity::random::<SECRET_BYTES>()?));
        let hash = identity::hash(&key)?;
        let name = name.to_string();
        let record = KeyRecord { id, name, scopes, hash, created: now(), expires, revoked: None, holder };
        keys.push(record.clone());
        self.0.write(&Content { keys })?;
        Ok(NewKey { key, record })
    }

    /// Revokes a key; a running server refuses it from its next request on.
    ///
    /// # Errors
    /// [`KeyFileError::Unknown`]; the file cannot be read or written.
    pub fn revoke(&self, id: &str) -> Result<KeyRecord, KeyFileError> {
        let _lock = self.0.lock()?;
        let mut keys = self.records()?;
        let key = keys.iter_mut().find(|key| key.id == id);
        let key = key.ok_or_else(|| KeyFileError::Unknown { id: id.to_string() })?;
        key.revoked = key.revoked.or_else(|| Some(now()));
        let record = key.clone();
        self.0.write(&Content { keys })?;
        Ok(record)
    }
}

/// The public part of a presented key; `None` if it is no key of ours.
pub(crate) fn id_of(key: &str) -> Option<&str> {
    let (id, secret) = key.strip_prefix(PREFIX)?.split_once('_')?;
    (id.len() == 2 * ID_BYTES && !secret.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_revoked_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::of(folder.path());
        assert!(file.records().unwrap().is_empty());
        let NewKey { key, record } =
            file.create("intranet", vec![Scope::Search, Scope::Search], None, KeyHolder::default()).unwrap();
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
        assert!(matches!(file.create("x", Vec::new(), None, KeyHolder::default()), Err(KeyFileError::NoScope)));
    }

    #[test]
    fn once_closed_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::of(folder.path());
        assert!(!file.are_required().unwrap());
        assert!(matches!(file.revoke("nobody"), Err(KeyFileError::Unknown { .. })));
        assert!(!file.are_required().unwrap(), "no key was made");
        file.create("x", vec![Scope::Search], None, KeyHolder::default()).unwrap();
        let mode = fs::metadata(file.path().with_extension("required")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for emptied in ["", " \n", "{}", "[]", "{\"keys\":[]}"] {
            fs::write(file.path(), emptied).unwrap();
            assert!(file.records().unwrap().is_empty() && file.are_required().unwrap(), "{emptied:?}");
        }
        fs::remove_file(file.path()).unwrap();
        assert!(file.are_required().unwrap());
        file.create("y", vec![Scope::Search], None, KeyHolder::default()).unwrap();
        assert_eq!(file.records().unwrap().len(), 1, "and it can be used again");
    }

    #[test]
    fn expiry_is_the_first_second_without() {
        let folder = tempfile::tempdir().unwrap();
        let record =
            KeyFile::of(folder.path()).create("x", vec![Scope::Admin], Some(100), KeyHolder::default()).unwrap().record;
        assert!(record.is_valid(99) && !record.is_valid(100));
    }

    #[test]
    fn other_words_are_no_keys() {
        for other in ["", "qk_", "qk_12345678_", "qk_1234_abc", "sk-abc", "qk_12345678"] {
            assert_eq!(id_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_key_asks_as_whom_it_was_made_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::of(folder.path());
        let [bot, staff, bob] = ["user:bot", "group:staff", "user:bob"].map(|name| name.parse::<Principal>().unwrap());
        let holder =
            KeyHolder { user: Some(bot.clone()), groups: vec![staff.clone()], sources: Some(vec!["wiki".into()]) };
        file.create("x", vec![Scope::Search], None, holder.clone()).unwrap();
        let read = file.records().unwrap().remove(0).holder;
        let principals = read.principals();
        assert!(
            principals.contains(&bot) && principals.contains(&staff) && principals.contains(&Principal::signed_in())
        );
        assert!(!principals.contains(&bob) && read == holder);
        let admin = file.create("x", vec![Scope::Admin], None, holder);
        assert!(matches!(admin, Err(KeyFileError::LimitedAdmin)));
        let nobody = KeyHolder { groups: vec![staff], ..KeyHolder::default() };
        assert!(matches!(file.create("x", vec![Scope::Search], None, nobody), Err(KeyFileError::GroupsOfNobody)));
    }

    #[test]
    fn a_key_of_an_earlier_version_is_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::of(folder.path());
        let old = r#"{"keys":[{"id":"01234567","name":"x","scopes":["search"],"hash":"","created":1,"expires":null,"revoked":null}]}"#;
        fs::write(file.path(), old).unwrap();
        let record = file.records().unwrap().remove(0);
        assert_eq!((record.holder.principals(), record.holder.sources), (Principals::anybody(), None));
    }
}
