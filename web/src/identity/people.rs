//! The local users as a running server sees them: read again when their file has changed.
//!
//! Promise: whatever happens to the file, nothing that was closed opens. Whether a name exists cannot be told from how long
//! a wrong password takes.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use storage::chain;

use super::record_file::Stamps;
use super::secret;
use super::userfile::{UserFile, UserFileError, UserRecord, normal_password, user_name};
use crate::guard::Scope;

/// The users of this server.
pub(crate) struct People {
    file: UserFile,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    stamps: Stamps,
    /// Whether nobody is let in who has not signed in. Once true, it stays.
    required: bool,
    users: HashMap<String, Arc<UserRecord>>,
}

/// What a password is compared with where there is nobody of that name. Nothing has this hash.
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    let unknown = secret::random::<32>().map(|bytes| secret::hex(&bytes));
    unknown.and_then(|unknown| secret::hash(&unknown)).unwrap_or_default()
});

impl People {
    /// Reads the users.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub(crate) fn open(file: UserFile) -> Result<Self, UserFileError> {
        let people = Self { file, state: RwLock::default() };
        people.read(people.file.stamps())?;
        if people.are_required() {
            people.file.require()?;
            // Made now, and not by the first who guesses.
            LazyLock::force(&NOBODY);
            if !people.any_able() {
                tracing::warn!(
                    "users were added to this index and none may sign in any more: nobody is let in without an API key; add \
                     one with `quarry users add`"
                );
            }
        }
        Ok(people)
    }

    /// The file, to be looked at and changed.
    pub(crate) fn file(&self) -> &UserFile {
        &self.file
    }

    /// Whether there are users, or were: then nothing is open to those who have not signed in.
    pub(crate) fn are_required(&self) -> bool {
        self.refresh_or_keep();
        self.state.read().unwrap_or_else(PoisonError::into_inner).required
    }

    /// Whether anybody may sign in.
    pub(crate) fn any_able(&self) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.users.values().any(|user| user.disabled.is_none())
    }

    /// Somebody who may be signed in, by their name as it is stored.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<UserRecord>> {
        self.refresh_or_keep();
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.users.get(name).filter(|user| user.disabled.is_none()).cloned()
    }

    /// Somebody who may sign in, by their name as they write it.
    pub(crate) fn find_as_entered(&self, name: &str) -> Option<Arc<UserRecord>> {
        user_name(name).ok().and_then(|name| self.find(&name))
    }

    /// Whose name and password these are. Takes as long for a name that nobody has.
    pub(crate) fn check(&self, name: &str, password: &str) -> Option<Arc<UserRecord>> {
        let user = self.find_as_entered(name);
        let hash = user.as_ref().map_or(NOBODY.as_str(), |user| &user.hash);
        let is_good = secret::is_of(hash, &normal_password(password));
        user.filter(|_| is_good)
    }

    /// Adds somebody who may do everything.
    ///
    /// # Errors
    /// The name or the password will not do; the file cannot be written.
    pub(crate) fn add_administrator(&self, name: &str, password: &str) -> Result<UserRecord, UserFileError> {
        let added = self.file.add(name, password, vec![Scope::Admin], &[])?;
        self.refresh_or_keep();
        Ok(added)
    }

    /// Users that cannot be read right now stay who they were. That there is something to read closes the server.
    fn refresh_or_keep(&self) {
        let stamps = self.file.stamps();
        if self.state.read().unwrap_or_else(PoisonError::into_inner).stamps == stamps {
            return;
        }
        if let Err(error) = self.read(stamps) {
            tracing::error!("the users cannot be read again; the last known ones stay in force: {}", chain(&error));
            self.state.write().unwrap_or_else(PoisonError::into_inner).required = true;
        }
    }

    fn read(&self, stamps: Stamps) -> Result<(), UserFileError> {
        let (users, required) = (self.file.records()?, self.file.are_required()?);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if users.is_empty() && !state.users.is_empty() {
            tracing::warn!(
                "the users are gone from {}: nobody is let in without an API key until one is added with `quarry users add`",
                self.file.path().display()
            );
        }
        state.required |= required || !users.is_empty();
        state.users = users.into_iter().map(|user| (user.name.clone(), Arc::new(user))).collect();
        state.stamps = stamps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const PASSWORD: &str = "correct horse";

    fn with_anna(folder: &Path) -> People {
        UserFile::of(folder).add("anna", PASSWORD, vec![Scope::Search], &[]).unwrap();
        People::open(UserFile::of(folder)).unwrap()
    }

    #[test]
    fn changes_of_the_file_count_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let people = People::open(UserFile::of(folder.path())).unwrap();
        assert!(!people.are_required() && people.check("anna", PASSWORD).is_none());
        UserFile::of(folder.path()).add("anna", PASSWORD, vec![Scope::Search], &[]).unwrap();
        assert!(people.are_required() && people.check("Anna", PASSWORD).is_some());
        for (name, password) in [("anna", "wrong horse"), ("bert", PASSWORD), ("", ""), ("a:b", PASSWORD)] {
            assert!(people.check(name, password).is_none(), "{name} {password}");
        }
        UserFile::of(folder.path()).join("hr", &["anna".to_owned()]).unwrap();
        assert!(people.find("anna").unwrap().groups.contains("hr"));
        UserFile::of(folder.path()).set_disabled("anna", Some(1)).unwrap();
        assert!(people.find("anna").is_none() && people.check("anna", PASSWORD).is_none());
        assert!(people.are_required() && !people.any_able());
    }

    #[test]
    fn a_file_that_is_gone_empty_or_damaged_opens_nothing() {
        type Change = fn(&Path);
        let changes: [(Change, bool); 4] = [
            (|path| fs::remove_file(path).unwrap(), false),
            (|path| fs::write(path, "").unwrap(), false),
            (
                |path| {
                    fs::remove_file(path).unwrap();
                    fs::remove_file(path.with_extension("required")).unwrap();
                },
                false,
            ),
            (|path| fs::write(path, "{\"users\":").unwrap(), true),
        ];
        for (change, still) in changes {
            let folder = tempfile::tempdir().unwrap();
            let people = with_anna(folder.path());
            change(UserFile::of(folder.path()).path());
            assert_eq!(people.find("anna").is_some(), still, "what cannot be read changes nothing");
            assert!(people.are_required(), "a running server stays closed");
        }
        let folder = tempfile::tempdir().unwrap();
        drop(with_anna(folder.path()));
        fs::remove_file(UserFile::of(folder.path()).path()).unwrap();
        assert!(People::open(UserFile::of(folder.path())).unwrap().are_required(), "and so does the next one");
    }
}
