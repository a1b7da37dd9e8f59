//! What the directory has said of people, remembered for a while.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use storage::{Principal, PrincipalKind, chain};

use super::config::LdapConfig;
use super::fault::DirectoryError;
use super::lookup::groups_of;
use super::wire::Wire;
use crate::identity::turns::Turns;

/// Time for a whole lookup.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lookups at once.
const AT_ONCE: usize = 8;
/// People that are remembered.
const MAX_KNOWN: usize = 10_000;
/// Seconds between two tries for one person while the directory cannot be asked.
const AGAIN: i64 = 10;

/// The directory as a running server knows it.
pub(crate) struct Directory {
    config: LdapConfig,
    wire: Wire,
    known: Mutex<HashMap<String, Known>>,
    turns: Turns,
    places: Arc<tokio::sync::Semaphore>,
}

/// What is known of one person.
#[derive(Clone, Default)]
struct Known {
    /// None, if nothing was ever said.
    groups: Option<Arc<Vec<Principal>>>,
    /// Seconds of Unix time when it was said.
    said: i64,
    /// Seconds of Unix time when the directory was last asked in vain.
    tried: i64,
    /// Whether it could not be asked then.
    was_away: bool,
}

impl Directory {
    /// The directory of a configuration. It is not asked yet.
    ///
    /// # Errors
    /// The password or the certificates cannot be read, in words.
    pub(crate) fn open(config: &LdapConfig) -> Result<Self, String> {
        Ok(Self {
            config: config.clone(),
            wire: Wire::new(config)?,
            known: Mutex::default(),
            turns: Turns::default(),
            places: Arc::new(tokio::sync::Semaphore::new(AT_ONCE)),
        })
    }

    /// The groups that somebody is in, by the name that the directory knows them by.
    ///
    /// # Errors
    /// They are not known, and what was known is too old.
    pub(crate) async fn groups(&self, name: &str, now: i64) -> Result<Arc<Vec<Principal>>, DirectoryError> {
        if let Some(groups) = self.fresh(name, now) {
            return Ok(groups);
        }
        let turn = self.turns.of(name);
        let _turn = turn.lock().await;
        // Whoever had the turn before may have asked already.
        if let Some(groups) = self.fresh(name, now) {
            return Ok(groups);
        }
        let Known { tried, was_away, .. } = self.entry(name);
        if now < tried.saturating_add(AGAIN) {
            return self.old(name, now).ok_or(DirectoryError::Resting { was_away });
        }
        match self.ask(name).await {
            Ok(groups) => {
                let groups = Arc::new(groups);
                self.keep(name, Known { groups: Some(Arc::clone(&groups)), said: now, ..Known::default() });
                Ok(groups)
            }
            Err(error) => {
                tracing::error!("the groups of {name:?} are not known: {}", chain(&error));
                self.keep(name, Known { tried: now, was_away: error.is_away(), ..self.entry(name) });
                self.old(name, now).ok_or(error)
            }
        }
    }

    fn entry(&self, name: &str) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default()
    }

    fn fresh(&self, name: &str, now: i64) -> Option<Arc<Vec<Principal>>> {
        let known = self.entry(name);
        known.groups.filter(|_| now < known.said.saturating_add(seconds(self.config.cache_minutes)))
    }

    /// What was said before, as long as it still counts.
    fn old(&self, name: &str, now: i64) -> Option<Arc<Vec<Principal>>> {
        let known = self.entry(name);
        let until = seconds(self.config.cache_minutes).saturating_add(seconds(self.config.grace_minutes));
        known.groups.filter(|_| now < known.said.saturating_add(until))
    }

    fn keep(&self, name: &str, known: Known) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_KNOWN && !all.contains_key(name) {
            let oldest = all.iter().min_by_key(|(_, known)| known.said).map(|(name, _)| name.clone());
            oldest.map(|oldest| all.remove(&oldest));
        }
        all.insert(name.to_owned(), known);
    }

    /// Asks, in a task of its own: what a directory says that makes the library give up ends that alone.
    async fn ask(&self, name: &str) -> Result<Vec<Principal>, DirectoryError> {
        let unreadable = |why: String| DirectoryError::Unreadable { why };
        let place = Arc::clone(&self.places).acquire_owned();
        let place = tokio::time::timeout(PATIENCE, place).await.map_err(|_| DirectoryError::Slow)?;
        let place = place.map_err(|error| unreadable(error.to_string()))?;
        let (wire, config, name) = (self.wire.clone(), self.config.clone(), name.to_owned());
        let lookup = tokio::spawn(async move {
            let _place = place;
            let look = async {
                let mut ldap = wire.connect().await?;
                let groups = groups_of(&mut ldap, &config, &name).await;
                // The answer is there: how the connection ends is of no interest.
                let _ = ldap.unbind().await;
                groups
            };
            tokio::time::timeout(PATIENCE, look).await.unwrap_or(Err(DirectoryError::Slow))
        });
        let groups: BTreeSet<String> = lookup.await.map_err(|error| unreadable(error.to_string()))??;
        let named = |group: &String| Principal::named(PrincipalKind::Group, group);
        groups.iter().map(named).collect::<Result<_, _>>().map_err(|error| unreadable(error.to_string()))
    }
}

fn seconds(minutes: u64) -> i64 {
    i64::try_from(minutes).unwrap_or(i64::MAX).saturating_mul(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory where nothing listens.
    fn away() -> Directory {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ldap://{}", listener.local_addr().unwrap());
        drop(listener);
        Directory::open(&LdapConfig { url, ..LdapConfig::default() }).unwrap()
    }

    #[tokio::test]
    async fn what_was_said_counts_for_a_while_and_then_nobody_is_let_in() {
        let directory = away();
        assert!(matches!(directory.groups("anna", 1_000).await, Err(DirectoryError::Away(_))), "nothing was ever said");
        assert!(
            matches!(directory.groups("anna", 1_009).await, Err(DirectoryError::Resting { was_away: true })),
            "it is given some time"
        );
        let staff = Arc::new(vec!["group:staff".parse().unwrap()]);
        directory.keep("bert", Known { groups: Some(Arc::clone(&staff)), said: 1_000, ..Known::default() });
        for second in [1_000, 1_299, 1_300, 1_305, 1_000 + 65 * 60 - 1] {
            assert_eq!(directory.groups("bert", second).await.unwrap(), staff, "{second}");
        }
        let over = directory.groups("bert", 1_000 + 65 * 60).await;
        assert!(matches!(over, Err(DirectoryError::Away(_) | DirectoryError::Resting { .. })), "{over:?}");
    }

    #[tokio::test]
    async fn there_is_room_for_so_many() {
        let directory = away();
        for n in 0..=MAX_KNOWN {
            directory.keep(&n.to_string(), Known { said: n as i64, ..Known::default() });
        }
        let known = directory.known.lock().unwrap();
        assert!(known.len() == MAX_KNOWN && !known.contains_key("0") && known.contains_key("1"));
    }
}
