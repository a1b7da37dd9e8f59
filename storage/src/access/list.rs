//! Who may see a document: a conjunction of lists.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::principal::{Principal, PrincipalError, Principals};

/// Lists and principals of one access.
const MAX_ENTRIES: usize = 2_000;

/// Who may see a document: whom every list lets through. One list is a folder's, a page's or a space's; a chain of folders
/// is as many lists as there are folders. No list at all is open to whoever may search.
///
/// In text, a list is principals, with `!` before those that it keeps out: `["group:hr", "!group:interns"]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Access(BTreeSet<AccessList>);

/// Whom one list lets through: who is in `allow` and not in `deny`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccessList {
    /// Whom it lets through.
    pub allow: BTreeSet<Principal>,
    /// Whom it keeps out, whatever else they are.
    pub deny: BTreeSet<Principal>,
}

/// Why something is no access.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// An entry is no principal.
    #[error(transparent)]
    Principal(#[from] PrincipalError),
    /// There is too much of it.
    #[error("an access of {entries} entries: at most {MAX_ENTRIES} are kept; put people together in groups")]
    TooLong {
        /// How many there are.
        entries: usize,
    },
}

impl Access {
    /// Open to whoever may search.
    pub fn everyone() -> Self {
        Self::default()
    }

    /// Open to administrators only: what is not known or cannot be read.
    pub fn nobody() -> Self {
        Self(BTreeSet::from([AccessList::default()]))
    }

    /// Whom all of these lists let through. A list that lets everybody through says nothing and is left out.
    pub fn of(lists: impl IntoIterator<Item = AccessList>) -> Self {
        Self(lists.into_iter().filter(|list| !list.admits_everyone()).collect())
    }

    /// One list as it is written, of principals with `!` before those that it keeps out.
    ///
    /// # Errors
    /// An entry is no principal, or there are more than 2,000.
    pub fn parse<T: AsRef<str>>(entries: &[T]) -> Result<Self, AccessError> {
        if entries.len() > MAX_ENTRIES {
            return Err(AccessError::TooLong { entries: entries.len() });
        }
        let mut list = AccessList::default();
        for entry in entries {
            let entry = entry.as_ref().trim();
            match entry.strip_prefix('!') {
                Some(denied) => list.deny.insert(denied.parse()?),
                None => list.allow.insert(entry.parse()?),
            };
        }
        Ok(Self::of([list]))
    }

    /// Whom both let through.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether somebody who is all of these may see the document.
    pub fn admits(&self, principals: &Principals) -> bool {
        self.0.iter().all(|list| list.admits(principals))
    }

    /// The lists, in order.
    pub fn lists(&self) -> impl Iterator<Item = &AccessList> {
        self.0.iter()
    }

    /// Whether whoever may search may see the document.
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether no principal that anybody could be lets through.
    pub fn is_closed(&self) -> bool {
        self.0.iter().any(|list| list.allow.iter().all(|allowed| list.deny.contains(allowed)))
            || self.0.iter().any(|list| list.deny.contains(&Principal::everyone()))
    }
}

impl AccessList {
    /// Whether it lets somebody through who is all of these.
    pub fn admits(&self, principals: &Principals) -> bool {
        let is_in = |list: &BTreeSet<Principal>| list.iter().any(|principal| principals.contains(principal));
        is_in(&self.allow) && !is_in(&self.deny)
    }

    fn admits_everyone(&self) -> bool {
        self.deny.is_empty() && self.allow.contains(&Principal::everyone())
    }

    /// As it is written: those that it lets through, then those that it keeps out.
    pub fn entries(&self) -> Vec<String> {
        let denied = self.deny.iter().map(|principal| format!("!{principal}"));
        self.allow.iter().map(Principal::to_string).chain(denied).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(names: &[&str]) -> Principals {
        Principals::of(names.iter().map(|name| name.parse().unwrap()))
    }

    #[test]
    fn every_list_must_let_through_and_denying_goes_first() {
        let hr = Access::parse(&["group:hr", "user:boss", "!group:interns"]).unwrap();
        assert!(hr.admits(&who(&["group:hr"])) && hr.admits(&who(&["user:boss"])));
        assert!(!hr.admits(&who(&["group:hr", "group:interns"])) && !hr.admits(&Principals::anybody()));
        let both = hr.and(Access::parse(&["group:berlin"]).unwrap());
        assert!(!both.admits(&who(&["group:hr"])) && both.admits(&who(&["group:hr", "group:berlin"])));
    }

    #[test]
    fn open_and_closed_are_told() {
        assert!(Access::everyone().admits(&Principals::anybody()) && Access::everyone().is_open());
        assert_eq!(Access::parse(&["everyone", "user:anna"]).unwrap(), Access::everyone());
        let closed =
            [Access::nobody(), Access::parse::<&str>(&[]).unwrap(), Access::parse(&["user:a", "!user:a"]).unwrap()];
        for access in closed {
            assert!(access.is_closed() && !access.is_open() && !access.admits(&who(&["user:a", "user:b"])));
        }
        let but_one = Access::parse(&["everyone", "!user:anna"]).unwrap();
        assert!(!but_one.is_open() && !but_one.is_closed() && !but_one.admits(&who(&["user:anna"])));
        assert!(but_one.admits(&Principals::anybody()));
    }

    #[test]
    fn what_is_no_access_is_refused_by_name() {
        assert!(Access::parse(&["hr"]).unwrap_err().to_string().contains("\"hr\" is no principal"));
        assert!(matches!(Access::parse(&vec!["user:a"; 2_001]), Err(AccessError::TooLong { entries: 2_001 })));
    }
}
