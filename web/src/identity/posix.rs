//! People as users of the file system: who of those that ask is which user there, and in which of its groups.
//!
//! Nobody is one because of their name alone, unless that is switched on: a name that a provider gives away would open
//! somebody's files. Whoever is one is all that this user is: a group that was left out would let through whom a file keeps out.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indexer::posix_principals;
use serde::{Deserialize, Serialize};
use storage::{Principal, PrincipalKind, Principals};

use crate::config::AuthConfig;

/// Which people are users of the file system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PosixConfig {
    /// Those whom `posix_users` names.
    #[default]
    Named,
    /// Those as well who are called like one by this server or its proxy.
    SameNames,
}

/// How long it counts what a user is: groups that change in the system change here no later.
const FRESH: Duration = Duration::from_secs(60);
/// Users that are remembered.
const MAX_KNOWN: usize = 10_000;

/// The users of the system that people are.
pub(crate) struct PosixUsers {
    config: PosixConfig,
    named: BTreeMap<Principal, String>,
    known: Mutex<HashMap<String, (Instant, Vec<Principal>)>>,
}

impl PosixUsers {
    pub(crate) fn new(auth: &AuthConfig) -> Self {
        // What is no principal was told when the configuration was checked.
        let named =
            auth.posix_users.iter().filter_map(|(principal, user)| Some((principal.parse().ok()?, user.clone())));
        Self { config: auth.posix, named: named.collect(), known: Mutex::default() }
    }

    /// The user that somebody is, if any.
    pub(crate) fn user_of(&self, principals: &Principals) -> Option<String> {
        let mut users = principals.iter().filter_map(|principal| match principal.kind() {
            Some((PrincipalKind::User, name)) => self.named.get(principal).cloned().or_else(|| self.same_name(name)),
            _ => None,
        });
        // Whoever would be several is none: what keeps out the one lets through the other.
        users.next().filter(|_| users.next().is_none())
    }

    /// Names of providers are theirs to give.
    fn same_name(&self, name: &str) -> Option<String> {
        (self.config == PosixConfig::SameNames && !name.contains('#')).then(|| name.to_owned())
    }

    /// What was found out of a user lately.
    pub(crate) fn known(&self, user: &str) -> Option<Vec<Principal>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(user).filter(|(asked, _)| asked.elapsed() < FRESH).map(|(_, principals)| principals.clone())
    }

    /// All that a user is. Asks the system, which may ask a directory: blocks.
    ///
    /// # Errors
    /// The system cannot tell.
    pub(crate) fn ask(&self, user: &str) -> io::Result<Vec<Principal>> {
        let principals = posix_principals(user)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.retain(|_, (asked, _)| asked.elapsed() < FRESH);
        }
        if known.len() < MAX_KNOWN {
            known.insert(user.to_owned(), (Instant::now(), principals.clone()));
        }
        Ok(principals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(posix: PosixConfig) -> PosixUsers {
        let named = [("user:https://id.example#4711", "root"), ("user:boss", "daemon")];
        let posix_users = named.map(|(principal, user)| (principal.to_owned(), user.to_owned())).into();
        PosixUsers::new(&AuthConfig { posix, posix_users, ..AuthConfig::default() })
    }

    fn user_of(posix: PosixConfig, names: &[&str]) -> Option<String> {
        users(posix).user_of(&Principals::of(names.iter().map(|name| name.parse().unwrap())))
    }

    #[test]
    fn nobody_is_a_user_of_the_system_by_a_name_that_somebody_else_gave() {
        use PosixConfig::{Named, SameNames};
        assert_eq!(user_of(Named, &["user:root"]), None);
        assert_eq!(user_of(SameNames, &["user:root", "group:daemon"]), Some("root".to_owned()));
        for config in [Named, SameNames] {
            assert_eq!(user_of(config, &["user:https://id.example#4711"]), Some("root".to_owned()));
            assert_eq!(user_of(config, &["user:https://id.example#root"]), None);
            assert_eq!(user_of(config, &["user:boss"]), Some("daemon".to_owned()), "what is named goes first");
            assert_eq!(user_of(config, &["group:root"]), None);
            assert_eq!(user_of(config, &["user:boss", "user:https://id.example#4711"]), None, "two are none");
        }
    }

    #[test]
    fn what_the_system_says_is_remembered() {
        let users = users(PosixConfig::Named);
        assert_eq!(users.known("root"), None);
        let asked = users.ask("root").unwrap();
        assert!(asked.iter().any(|principal| principal.as_str() == "posix-user:root"));
        assert_eq!(users.known("root"), Some(asked));
        assert_eq!(users.ask("no such user").unwrap(), []);
    }
}
