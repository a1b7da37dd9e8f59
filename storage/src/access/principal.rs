//! Principals: to whom documents are open, and as whom somebody asks.
//!
//! A principal is a string with a kind. Documents name principals, a person is a set of them, and nothing else is compared:
//! a group that nobody is in opens nothing, and a user that no provider knows is only a name.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

/// Bytes of a principal.
const MAX_LENGTH: usize = 500;

/// Somebody, or a set of people, to whom documents may be open: `user:anna`, `user:https://id.example#4711`, `group:hr`,
/// `posix-user:1000`, `posix-group:50`, `signed-in` or `everyone`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Principal(String);

/// A kind of principals that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A person or a program: `user:<name>` of this server, `user:<issuer>#<subject>` of a provider.
    User,
    /// People that a provider, a directory or this server puts together.
    Group,
    /// An owner of files, by number or name.
    PosixUser,
    /// A group of files, by number or name.
    PosixGroup,
}

/// Why a text is no principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no principal: expected user:NAME, group:NAME, user:ISSUER#SUBJECT, group:ISSUER#ID, posix-user:NAME, \
     posix-group:NAME, posix, signed-in or everyone, of at most 500 bytes and without control characters"
)]
pub struct PrincipalError {
    text: String,
}

impl PrincipalKind {
    const ALL: [Self; 4] = [Self::User, Self::Group, Self::PosixUser, Self::PosixGroup];

    /// What stands before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::PosixUser => "posix-user",
            Self::PosixGroup => "posix-group",
        }
    }
}

const EVERYONE: &str = "everyone";
const SIGNED_IN: &str = "signed-in";
const POSIX: &str = "posix";

impl Principal {
    /// Whoever may search.
    pub fn everyone() -> Self {
        Self(EVERYONE.to_owned())
    }

    /// Whoever has shown who they are.
    pub fn signed_in() -> Self {
        Self(SIGNED_IN.to_owned())
    }

    /// Whoever is known as a user of the file system: of nobody else can be told that a file keeps them out.
    pub fn posix() -> Self {
        Self(POSIX.to_owned())
    }

    /// A principal of this kind.
    ///
    /// # Errors
    /// The name is empty, longer than 500 bytes with its kind, or holds control characters.
    pub fn named(kind: PrincipalKind, name: &str) -> Result<Self, PrincipalError> {
        format!("{}:{name}", kind.name()).parse()
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its kind and name; `None` for `everyone`, `signed-in` and `posix`.
    pub fn kind(&self) -> Option<(PrincipalKind, &str)> {
        PrincipalKind::ALL
            .into_iter()
            .find_map(|kind| Some((kind, self.0.strip_prefix(kind.name())?.strip_prefix(':')?)))
    }
}

impl FromStr for Principal {
    type Err = PrincipalError;

    fn from_str(text: &str) -> Result<Self, PrincipalError> {
        let principal = Self(text.trim().nfc().collect());
        let has_form = match principal.0.as_str() {
            EVERYONE | SIGNED_IN | POSIX => true,
            _ => principal.kind().is_some_and(|(_, name)| !name.is_empty() && name.trim() == name),
        };
        if has_form && principal.0.len() <= MAX_LENGTH && !principal.0.contains(char::is_control) {
            return Ok(principal);
        }
        Err(PrincipalError { text: text.chars().take(100).collect() })
    }
}

impl TryFrom<String> for Principal {
    type Error = PrincipalError;

    fn try_from(text: String) -> Result<Self, PrincipalError> {
        text.parse()
    }
}

impl From<Principal> for String {
    fn from(principal: Principal) -> Self {
        principal.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As whom somebody asks: always `everyone`, `signed-in` with any user, `posix` with any user of the file system, and
/// whatever else a provider says of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principals(BTreeSet<Principal>);

impl Principals {
    /// Somebody of whom nothing is known.
    pub fn anybody() -> Self {
        Self(BTreeSet::from([Principal::everyone()]))
    }

    /// Somebody who is all of these.
    pub fn of(principals: impl IntoIterator<Item = Principal>) -> Self {
        let mut all: BTreeSet<Principal> = principals.into_iter().chain([Principal::everyone()]).collect();
        let has = |kind: PrincipalKind| all.iter().any(|one| one.kind().is_some_and(|(of, _)| of == kind));
        let implied = [(PrincipalKind::User, Principal::signed_in()), (PrincipalKind::PosixUser, Principal::posix())];
        let implied: Vec<Principal> = implied.into_iter().filter_map(|(kind, all)| has(kind).then_some(all)).collect();
        all.extend(implied);
        Self(all)
    }

    /// Whether this is one of them.
    pub fn contains(&self, principal: &Principal) -> bool {
        self.0.contains(principal)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Principal> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_has_a_kind_and_a_name() {
        for good in [
            "everyone",
            "signed-in",
            "user:anna",
            "user:https://id.example/realms/a#4711",
            "group:hr",
            "group:Größe & Co",
            "posix-user:1000",
            "posix-group:staff",
            "posix",
        ] {
            assert_eq!(good.parse::<Principal>().unwrap().as_str(), good);
        }
        for bad in ["", "anna", "user:", "user: ", "role:hr", "Everyone", "user:a\nb", "group"] {
            assert!(bad.parse::<Principal>().is_err(), "{bad:?}");
        }
        assert!(format!("user:{}", "x".repeat(500)).parse::<Principal>().is_err());
        let composed: Principal = "group:Gro\u{308}ße".parse().unwrap();
        assert_eq!(composed.kind(), Some((PrincipalKind::Group, "Größe")));
    }

    #[test]
    fn whoever_is_a_user_is_signed_in() {
        let anna: Principal = "user:anna".parse().unwrap();
        let known = Principals::of([anna.clone()]);
        assert!(known.contains(&anna) && known.contains(&Principal::signed_in()));
        assert!(known.contains(&Principal::everyone()));
        let group = Principals::of(["group:hr".parse().unwrap()]);
        assert!(!group.contains(&Principal::signed_in()) && !known.contains(&Principal::posix()));
        let posix = Principals::of(["posix-user:anna".parse().unwrap()]);
        assert!(posix.contains(&Principal::posix()) && !posix.contains(&Principal::signed_in()));
        assert_eq!(Principals::anybody().iter().collect::<Vec<_>>(), [&Principal::everyone()]);
    }
}
