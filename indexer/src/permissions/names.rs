//! The names of the system's users and groups: from their numbers, as files have them, to the principals that documents name;
//! and from a user to all that they are.

use std::collections::{BTreeSet, HashMap};
use std::ffi::CString;
use std::io;
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use storage::{Principal, PrincipalKind};

/// Names that were asked for, for as long as a run takes: the next one asks the system again.
#[derive(Debug, Default)]
pub(crate) struct Names {
    users: Mutex<HashMap<u32, Principal>>,
    groups: Mutex<HashMap<u32, Principal>>,
}

impl Names {
    /// A user, by name; by number where the system knows no name that can stand for them.
    pub(crate) fn user(&self, id: u32) -> io::Result<Principal> {
        known(&self.users, id, || Ok(principal(PrincipalKind::PosixUser, id, user_name(id)?.as_deref())))
    }

    /// A group, likewise.
    pub(crate) fn group(&self, id: u32) -> io::Result<Principal> {
        known(&self.groups, id, || Ok(principal(PrincipalKind::PosixGroup, id, group_name(id)?.as_deref())))
    }
}

/// All that a user of the system is: they and their groups, by name and by number, so that files count whose owner could not be
/// named when they were read. None where there is no such user.
///
/// # Errors
/// The system cannot tell.
pub fn posix_principals(name: &str) -> io::Result<Vec<Principal>> {
    let user = match User::from_name(name) {
        Ok(user) => user,
        Err(error) => not_found(error)?,
    };
    let Some(user) = user else { return Ok(Vec::new()) };
    let named = CString::new(user.name.as_bytes()).map_err(io::Error::other)?;
    let groups = getgrouplist(&named, user.gid)?;
    let mut all = BTreeSet::from(both(PrincipalKind::PosixUser, user.uid.as_raw(), user_name(user.uid.as_raw())?));
    for group in groups {
        all.extend(both(PrincipalKind::PosixGroup, group.as_raw(), group_name(group.as_raw())?));
    }
    Ok(all.into_iter().collect())
}

fn known(
    names: &Mutex<HashMap<u32, Principal>>,
    id: u32,
    ask: impl FnOnce() -> io::Result<Principal>,
) -> io::Result<Principal> {
    let locked = || names.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = locked().get(&id) {
        return Ok(known.clone());
    }
    // Asked without the lock: a directory may take its time.
    let asked = ask()?;
    locked().insert(id, asked.clone());
    Ok(asked)
}

fn user_name(id: u32) -> io::Result<Option<String>> {
    match User::from_uid(Uid::from_raw(id)) {
        Ok(user) => Ok(user.map(|user| user.name)),
        Err(error) => not_found(error),
    }
}

fn group_name(id: u32) -> io::Result<Option<String>> {
    match Group::from_gid(Gid::from_raw(id)) {
        Ok(group) => Ok(group.map(|group| group.name)),
        Err(error) => not_found(error),
    }
}

/// What some systems say of a user that there is none of (getpwnam(3)).
fn not_found<T>(error: Errno) -> io::Result<Option<T>> {
    match error {
        Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM => Ok(None),
        error => Err(error.into()),
    }
}

fn both(kind: PrincipalKind, id: u32, name: Option<String>) -> [Principal; 2] {
    [principal(kind, id, name.as_deref()), principal(kind, id, None)]
}

/// A name of digits alone could be another one's number, and one that is written in two ways another one's name.
fn principal(kind: PrincipalKind, id: u32, name: Option<&str>) -> Principal {
    let usable = name.filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()));
    let named =
        usable.and_then(|name| Principal::named(kind, name).ok().filter(|named| named.kind() == Some((kind, name))));
    named.unwrap_or_else(|| Principal::named(kind, &id.to_string()).expect("digits are a name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_told_by_name_where_one_can_stand_for_them() {
        let named = |name: Option<&str>| principal(PrincipalKind::PosixUser, 4_711, name).to_string();
        assert_eq!(named(Some("anna")), "posix-user:anna");
        for not_usable in [None, Some("1000"), Some(""), Some("gro\u{308}\u{df}e"), Some(" anna"), Some("a\nb")] {
            assert_eq!(named(not_usable), "posix-user:4711", "{not_usable:?}");
        }
        let names = Names::default();
        assert_eq!(names.user(0).unwrap().as_str(), "posix-user:root");
        assert_eq!(names.group(3_999_999_999).unwrap().as_str(), "posix-group:3999999999");
    }

    #[test]
    fn a_user_is_their_groups_by_name_and_number() {
        let root = posix_principals("root").unwrap();
        for expected in ["posix-user:root", "posix-user:0", "posix-group:0"] {
            assert!(root.iter().any(|principal| principal.as_str() == expected), "{root:?}");
        }
        assert_eq!(posix_principals("no such user").unwrap(), []);
    }
}
