//! Local users on disk: `users.json` in the data folder, for companies without a provider of identities.
//!
//! The file holds names, groups and argon2 hashes of passwords. As with keys, a folder that once had users stays closed to
//! those who have not signed in: `users.required` says so, whatever becomes of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use storage::{Principal, PrincipalError, PrincipalKind, Principals};
use unicode_normalization::UnicodeNormalization as _;

use super::record_file::{RecordFile, RecordFileError, Stamps};
use super::secret::{self, SecretError};
use crate::guard::Scope;
use crate::jobs::now;

const NAME: &str = "users.json";
const REQUIRED: &str = "Users were added to this index, so nobody is let in who has not signed in or brings an API key, even if \
                        users.json is gone: add another with `quarry users add`. To open the server to everybody on this \
                        machine, stop it and remove both files.\n";
/// Characters of a name.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 1..=100;
/// Characters of a password.
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 10..=200;
/// Random bytes of what sessions are bound to.
const BOND_BYTES: usize = 8;

/// One user, without the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRecord {
    /// As they sign in: in small letters.
    pub name: String,
    /// What they may do.
    pub scopes: Vec<Scope>,
    /// In which groups they are.
    pub groups: BTreeSet<String>,
    /// Argon2id hash of the password, as a PHC string.
    pub hash: String,
    /// Seconds of Unix time when they were added.
    pub created: i64,
    /// Seconds of Unix time since when they may not sign in.
    pub disabled: Option<i64>,
    /// What their sessions are bound to: another one ends those that have begun.
    pub(crate) bond: String,
}

impl UserRecord {
    /// As whom they ask.
    ///
    /// # Errors
    /// The file was written by hand and holds a name that is none.
    pub fn principals(&self) -> Result<Principals, PrincipalError> {
        let groups = self.groups.iter().map(|group| Principal::named(PrincipalKind::Group, group));
        let all: Result<Vec<_>, _> = groups.chain([Principal::named(PrincipalKind::User, &self.name)]).collect();
        Ok(Principals::of(all?))
    }
}

/// Why users cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum UserFileError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] RecordFileError),
    /// There is no such user.
    #[error("there is no user {name:?}; `quarry users list` shows them")]
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// There is one already.
    #[error("there is a user {name:?} already; `quarry users passwd` changes a password")]
    Taken {
        /// The name that was given.
        name: String,
    },
    /// Nobody is in that group.
    #[error("nobody is in a group {group:?}; `quarry groups list` shows them")]
    UnknownGroup {
        /// The group that was given.
        group: String,
    },
    /// Not a name for a user.
    #[error(
        "{name:?} is no name for a user: expected 1 to 100 letters, digits and . _ - + @, such as anna or anna@example.com"
    )]
    Name {
        /// The name that was given.
        name: String,
    },
    /// Not a name for a group.
    #[error(
        "{group:?} is no name for a group: expected a short text without commas and control characters, such as hr"
    )]
    Group {
        /// The group that was given.
        group: String,
    },
    /// Too easy, or too long.
    #[error("the password has {characters} characters: expected 10 to 200")]
    Length {
        /// How many it has.
        characters: usize,
    },
    /// The first that anybody would guess.
    #[error("the password is the name: choose another one")]
    PasswordIsName,
    /// A password cannot be hashed.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Content {
    users: Vec<UserRecord>,
}

/// The users of a data folder.
pub struct UserFile(RecordFile);

impl UserFile {
    /// The users of the index in `data_dir`; the file need not exist.
    pub fn of(data_dir: &Path) -> Self {
        Self(RecordFile::new(data_dir, NAME, "users", REQUIRED))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn stamps(&self) -> Stamps {
        self.0.stamps()
    }

    /// Whether there are users, or ever were: then nothing is open to those who have not signed in.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn are_required(&self) -> Result<bool, UserFileError> {
        Ok(self.0.is_marked()? || !self.records()?.is_empty())
    }

    pub(crate) fn require(&self) -> Result<(), UserFileError> {
        Ok(self.0.mark()?)
    }

    /// All users, in the order in which they were added.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn records(&self) -> Result<Vec<UserRecord>, UserFileError> {
        Ok(self.0.read::<Content>()?.users)
    }

    /// Adds a user.
    ///
    /// # Errors
    /// The name is none or taken, the password too short, a group has no name; the file cannot be read or written.
    pub fn add(
        &self,
        name: &str,
        password: &str,
        scopes: Vec<Scope>,
        groups: &[String],
    ) -> Result<UserRecord, UserFileError> {
        let name = user_name(name)?;
        let groups = groups.iter().map(|group| group_name(group)).collect::<Result<_, _>>()?;
        let hash = hash_of(&name, password)?;
        let record = UserRecord { name, scopes, groups, hash, created: now(), disabled: None, bond: bond()? };
        self.change(|users| {
            if users.iter().any(|user| user.name == record.name) {
                return Err(UserFileError::Taken { name: record.name.clone() });
            }
            users.push(record.clone());
            Ok(record)
        })
    }

    /// Changes a password. Sessions that have begun are over.
    ///
    /// # Errors
    /// There is no such user, or the password is too short; the file cannot be read or written.
    pub fn set_password(&self, name: &str, password: &str) -> Result<UserRecord, UserFileError> {
        let name = user_name(name)?;
        let (hash, bond) = (hash_of(&name, password)?, bond()?);
        self.change_one(&name, |user| {
            user.hash = hash;
            user.bond = bond;
        })
    }

    /// Says what a user may do. Counts from their next request.
    ///
    /// # Errors
    /// There is no such user; the file cannot be read or written.
    pub fn set_scopes(&self, name: &str, scopes: Vec<Scope>) -> Result<UserRecord, UserFileError> {
        self.change_one(&user_name(name)?, |user| user.scopes = scopes)
    }

    /// Says what a user may do, and in which groups they are and in no other. Counts from their next request.
    ///
    /// # Errors
    /// There is no such user, or a group has no name; the file cannot be read or written.
    pub(crate) fn set(&self, name: &str, scopes: Vec<Scope>, groups: &[String]) -> Result<UserRecord, UserFileError> {
        let groups = groups.iter().map(|group| group_name(group)).collect::<Result<_, _>>()?;
        self.change_one(&user_name(name)?, |user| {
            user.scopes = scopes;
            user.groups = groups;
        })
    }

    /// Lets a user sign in, or not. Sessions that have begun are over.
    ///
    /// # Errors
    /// There is no such user; the file cannot be read or written.
    pub fn set_disabled(&self, name: &str, disabled: Option<i64>) -> Result<UserRecord, UserFileError> {
        let bond = bond()?;
        self.change_one(&user_name(name)?, |user| {
            user.disabled = disabled;
            user.bond = bond;
        })
    }

    /// Removes a user.
    ///
    /// # Errors
    /// There is no such user; the file cannot be read or written.
    pub fn remove(&self, name: &str) -> Result<UserRecord, UserFileError> {
        let name = user_name(name)?;
        self.change(|users| {
            let at = users.iter().position(|user| user.name == name);
            at.map(|at| users.remove(at)).ok_or(UserFileError::Unknown { name })
        })
    }

    /// Puts users into a group. Counts from their next request.
    ///
    /// # Errors
    /// One of them does not exist, and nothing was changed; the file cannot be read or written.
    pub fn join(&self, group: &str, names: &[String]) -> Result<(), UserFileError> {
        let group = group_name(group)?;
        self.change_all(names, |user| {
            user.groups.insert(group.clone());
        })
    }

    /// Takes users out of a group; without any, takes everybody out of it.
    ///
    /// # Errors
    /// One of them, or the group, does not exist, and nothing was changed; the file cannot be read or written.
    pub fn leave(&self, group: &str, names: &[String]) -> Result<(), UserFileError> {
        let group = group_name(group)?;
        if !names.is_empty() {
            return self.change_all(names, |user| {
                user.groups.remove(&group);
            });
        }
        self.change(|users| {
            let left = users.iter_mut().filter_map(|user| user.groups.remove(&group).then_some(())).count();
            if left == 0 { Err(UserFileError::UnknownGroup { group }) } else { Ok(()) }
        })
    }

    /// Every group that anybody is in, with its users.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn groups(&self) -> Result<BTreeMap<String, Vec<String>>, UserFileError> {
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for user in self.records()? {
            for group in user.groups {
                groups.entry(group).or_default().push(user.name.clone());
            }
        }
        Ok(groups)
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<UserRecord>) -> Result<T, UserFileError>,
    ) -> Result<T, UserFileError> {
        let _lock = self.0.lock()?;
        let mut users = self.records()?;
        let changed = change(&mut users)?;
        self.0.write(&Content { users })?;
        Ok(changed)
    }

    fn change_one(&self, name: &str, change: impl FnOnce(&mut UserRecord)) -> Result<UserRecord, UserFileError> {
        self.change(|users| {
            let user = users.iter_mut().find(|user| user.name == name);
            let user = user.ok_or_else(|| UserFileError::Unknown { name: name.to_owned() })?;
            change(user);
            Ok(user.clone())
        })
    }

    fn change_all(&self, names: &[String], change: impl Fn(&mut UserRecord)) -> Result<(), UserFileError> {
        let names = names.iter().map(|name| user_name(name)).collect::<Result<Vec<_>, _>>()?;
        self.change(|users| {
            for name in names {
                let user = users.iter_mut().find(|user| user.name == name);
                change(user.ok_or(UserFileError::Unknown { name })?);
            }
            Ok(())
        })
    }
}

/// A user's name as it is stored and compared: telephones like to begin with a capital.
pub(crate) fn user_name(name: &str) -> Result<String, UserFileError> {
    let normal: String = name.trim().nfc().flat_map(char::to_lowercase).nfc().collect();
    let is_good = |c: char| c.is_alphanumeric() || "._-+@".contains(c);
    if !NAME_CHARS.contains(&normal.chars().count()) || !normal.chars().all(is_good) {
        return Err(UserFileError::Name { name: name.chars().take(100).collect() });
    }
    Ok(normal)
}

fn group_name(group: &str) -> Result<String, UserFileError> {
    let bad = || UserFileError::Group { group: group.chars().take(100).collect() };
    let principal = Principal::named(PrincipalKind::Group, group.trim()).map_err(|_| bad())?;
    let name = principal.kind().map(|(_, name)| name.to_owned()).ok_or_else(bad)?;
    if name.contains(',') { Err(bad()) } else { Ok(name) }
}

/// A password as it is compared, however the keyboard composes its characters.
pub(super) fn normal_password(password: &str) -> String {
    password.nfc().collect()
}

fn hash_of(name: &str, password: &str) -> Result<String, UserFileError> {
    let password = normal_password(password);
    let characters = password.chars().count();
    if !PASSWORD_CHARS.contains(&characters) {
        return Err(UserFileError::Length { characters });
    }
    if user_name(&password).is_ok_and(|password| password == name) {
        return Err(UserFileError::PasswordIsName);
    }
    Ok(secret::hash(&password)?)
}

fn bond() -> Result<String, SecretError> {
    Ok(secret::hex(&secret::random::<BOND_BYTES>()?))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const PASSWORD: &str = "correct horse";

    fn file() -> (tempfile::TempDir, UserFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = UserFile::of(folder.path());
        (folder, file)
    }

    fn add(file: &UserFile, name: &str) -> Result<UserRecord, UserFileError> {
        file.add(name, PASSWORD, vec![Scope::Search], &["staff".to_owned()])
    }

    #[test]
    fn a_user_is_kept_without_the_password() {
        let (_folder, file) = file();
        assert!(!file.are_required().unwrap());
        let anna = add(&file, " Anna ").unwrap();
        assert_eq!(anna.name, "anna");
        let principals: Vec<String> = anna.principals().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(principals, ["everyone", "group:staff", "signed-in", "user:anna"]);
        let stored = fs::read_to_string(file.path()).unwrap();
        assert!(!stored.contains("horse") && stored.contains("$argon2id$"), "{stored}");
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(add(&file, "ANNA"), Err(UserFileError::Taken { .. })));
        file.remove("anna").unwrap();
        assert!(file.records().unwrap().is_empty() && file.are_required().unwrap(), "closed for good");
        fs::remove_file(file.path()).unwrap();
        assert!(file.are_required().unwrap());
    }

    #[test]
    fn what_ends_sessions_changes_their_bond() {
        let (_folder, file) = file();
        let mut bonds = vec![add(&file, "anna").unwrap().bond];
        bonds.push(file.set_password("anna", "another horse").unwrap().bond);
        bonds.push(file.set_disabled("anna", Some(1)).unwrap().bond);
        bonds.push(file.set_disabled("anna", None).unwrap().bond);
        file.remove("anna").unwrap();
        bonds.push(add(&file, "anna").unwrap().bond);
        let before = bonds.len();
        bonds.sort();
        bonds.dedup();
        assert_eq!(bonds.len(), before);
        file.join("hr", &["anna".to_owned()]).unwrap();
        file.set_scopes("Anna", vec![Scope::Admin]).unwrap();
        let anna = file.records().unwrap().remove(0);
        assert!(bonds.contains(&anna.bond) && anna.scopes == [Scope::Admin], "a group does not, nor what they may do");
        assert!(matches!(file.set_scopes("nobody", Vec::new()), Err(UserFileError::Unknown { .. })));
    }

    #[test]
    fn groups_are_who_is_in_them() {
        let (_folder, file) = file();
        add(&file, "anna").unwrap();
        add(&file, "bert").unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let nobody = file.join("hr", &names(&["anna", "nobody"]));
        assert!(matches!(nobody, Err(UserFileError::Unknown { .. })));
        assert!(!file.groups().unwrap().contains_key("hr"), "nothing was changed");
        file.join("hr", &names(&["anna", "BERT"])).unwrap();
        file.leave("hr", &names(&["bert"])).unwrap();
        assert_eq!(file.groups().unwrap()["hr"], ["anna"]);
        file.leave("staff", &[]).unwrap();
        assert_eq!(file.groups().unwrap().len(), 1);
        assert!(matches!(file.leave("staff", &[]), Err(UserFileError::UnknownGroup { .. })));
    }

    #[test]
    fn names_and_passwords_have_a_form() {
        let (_folder, file) = file();
        for bad in ["", "a b", "a:b", "a#b", "a/b", "a,b", "!a", "a\nb", &"x".repeat(101)] {
            assert!(matches!(add(&file, bad), Err(UserFileError::Name { .. })), "{bad:?}");
        }
        for good in ["anna@example.com", "größe", "王芳"] {
            add(&file, good).unwrap();
        }
        let with = |password: &str| file.add("benjamin.b", password, vec![Scope::Search], &[]);
        assert!(matches!(with("short"), Err(UserFileError::Length { characters: 5 })));
        assert!(matches!(with(&"x".repeat(201)), Err(UserFileError::Length { .. })));
        assert!(matches!(with("Benjamin.B"), Err(UserFileError::PasswordIsName)));
        let group = file.add("benjamin.b", PASSWORD, vec![Scope::Search], &["a,b".to_owned()]);
        assert!(matches!(group, Err(UserFileError::Group { .. })));
    }
}
