//! Sessions of people who have signed in: kept on the server, known again by a token in a cookie.
//!
//! A token is 256 random bits; kept is its BLAKE3 hash. What a session is worth is looked up with every request: somebody
//! who is disabled, removed, or put out of a group is so from their next request on. Sessions survive a restart; a file of
//! sessions that is lost or damaged only makes people sign in again.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use storage::{Readers, replace_durably};

use super::oidc::Upstream;
use super::secret::{self, SecretError};
use crate::config::AuthConfig;

const NAME: &str = "sessions.json";
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// Sessions of all people; the one that was used longest ago makes room.
const MAX_SESSIONS: usize = 10_000;
/// Sessions of one person.
const MAX_OF_ONE: usize = 20;
/// Seconds between two times that they are written in passing.
const SAVE_AGAIN: i64 = 10;

/// What a token is known by.
type Hash = [u8; 32];

/// Somebody who has signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Who it is.
    #[serde(flatten)]
    pub(crate) holder: Holder,
    /// Seconds of Unix time when it began.
    began: i64,
    /// Seconds of Unix time when it was last used.
    seen: i64,
}

/// Whose a session is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Holder {
    /// A user of this server.
    Local {
        /// Their name.
        user: String,
        /// What it is bound to: see `UserRecord`.
        bond: String,
    },
    /// Somebody whom the provider has signed in.
    Upstream(Box<Upstream>),
}

impl Holder {
    /// What tells one person from others.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Local { user, .. } => user.clone(),
            Self::Upstream(upstream) => upstream.key(),
        }
    }
}

/// All sessions.
pub(crate) struct Sessions {
    idle: i64,
    longest: i64,
    path: PathBuf,
    all: Mutex<HashMap<Hash, Session>>,
    /// Held while the file is written.
    saving: Mutex<()>,
    /// Seconds of Unix time when it was last written in passing.
    saved: AtomicI64,
}

/// A session as it is written.
#[derive(Serialize, Deserialize)]
struct Line {
    token: blake3_hex::Hex,
    #[serde(flatten)]
    session: Session,
}

impl Sessions {
    /// Those of the last run that are not over.
    pub(crate) fn open(config: &AuthConfig, data_dir: &Path, now: i64) -> Self {
        let sessions = Self {
            idle: i64::try_from(config.session_idle_minutes).unwrap_or(i64::MAX).saturating_mul(60),
            longest: i64::try_from(config.session_hours).unwrap_or(i64::MAX).saturating_mul(3_600),
            path: data_dir.join(NAME),
            all: Mutex::default(),
            saving: Mutex::default(),
            saved: AtomicI64::default(),
        };
        let lines = match fs::read(&sessions.path).map(|text| serde_json::from_slice::<Vec<Line>>(&text)) {
            Ok(Ok(lines)) => lines,
            Ok(Err(error)) => {
                tracing::warn!("{} cannot be read, so people sign in again: {error}", sessions.path.display());
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        {
            let mut all = sessions.all.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(lines.into_iter().map(|line| (line.token.0, line.session)));
            all.retain(|_, session| !sessions.is_over(session, now));
        }
        sessions
    }

    /// Seconds that a session may last.
    pub(crate) fn longest(&self) -> i64 {
        self.longest
    }

    /// Begins a session; its token, which is kept nowhere.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(crate) fn begin(&self, holder: Holder, now: i64) -> Result<String, SecretError> {
        let token = URL_SAFE_NO_PAD.encode(secret::random::<TOKEN_BYTES>()?);
        let key = holder.key();
        let session = Session { holder, began: now, seen: now };
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, session| !self.is_over(session, now));
        make_room(&mut all, MAX_OF_ONE, |session| session.holder.key() == key);
        make_room(&mut all, MAX_SESSIONS, |_| true);
        all.insert(hash_of(&token), session);
        Ok(token)
    }

    /// The session of a token, which is used now.
    pub(crate) fn find(&self, token: &str, now: i64) -> Option<Session> {
        let hash = hash_of(token);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let session = all.get_mut(&hash)?;
        if self.is_over(session, now) {
            all.remove(&hash);
            return None;
        }
        session.seen = session.seen.max(now);
        Some(session.clone())
    }

    /// Keeps what the provider has said of somebody since, if their session still lasts.
    pub(crate) fn keep(&self, token: &str, upstream: Upstream) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = all.get_mut(&hash_of(token)) {
            session.holder = Holder::Upstream(Box::new(upstream));
        }
    }

    /// Ends all sessions of those whom the provider has signed in and says are out; whose they were.
    pub(crate) fn end_of(&self, is_out: impl Fn(&Upstream) -> bool) -> Vec<Holder> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |session: &Session| matches!(&session.holder, Holder::Upstream(upstream) if is_out(upstream));
        all.extract_if(|_, session| is_over(session)).map(|(_, session)| session.holder).collect()
    }

    /// Ends a session; whose it was.
    pub(crate) fn end(&self, token: &str) -> Option<Session> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash_of(token))
    }

    /// Puts a session back that a test has ended.
    #[cfg(test)]
    pub(crate) fn put_back(&self, token: &str, session: Session) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).insert(hash_of(token), session);
    }

    /// Writes them down unless that was done a moment ago: what changes all the time is written when the server ends as well.
    pub(crate) fn save_soon(&self, now: i64) {
        let last = self.saved.load(Ordering::Relaxed);
        let is_due = now >= last.saturating_add(SAVE_AGAIN);
        if is_due && self.saved.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.save();
        }
    }

    /// Writes them down for the next run. What fails costs no more than signing in again, and is said.
    pub(crate) fn save(&self) {
        let _saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<Line> = {
            let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter().map(|(hash, session)| Line { token: blake3_hex::Hex(*hash), session: session.clone() }).collect()
        };
        if lines.is_empty() && !self.path.exists() {
            return;
        }
        let written = serde_json::to_vec(&lines)
            .map_err(std::io::Error::other)
            .and_then(|text| replace_durably(&self.path, Readers::Owner, |file| file.write_all(&text)));
        if let Err(error) = written {
            tracing::warn!("the sessions cannot be kept for the next start in {}: {error}", self.path.display());
        }
    }

    fn is_over(&self, session: &Session, now: i64) -> bool {
        now >= session.began.saturating_add(self.longest) || now >= session.seen.saturating_add(self.idle)
    }
}

/// Takes away those that were used longest ago, so that one more has room.
fn make_room(all: &mut HashMap<Hash, Session>, most: usize, is_of_them: impl Fn(&Session) -> bool) {
    while all.values().filter(|session| is_of_them(session)).count() >= most {
        let oldest = all.iter().filter(|(_, session)| is_of_them(session)).min_by_key(|(_, session)| session.seen);
        let Some(oldest) = oldest.map(|(hash, _)| *hash) else { return };
        all.remove(&oldest);
    }
}

fn hash_of(token: &str) -> Hash {
    *blake3::hash(token.as_bytes()).as_bytes()
}

/// Hashes as text.
mod blake3_hex {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    pub(super) struct Hex(pub(super) [u8; 32]);

    impl Serialize for Hex {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
        }
    }

    impl<'de> Deserialize<'de> for Hex {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let text = String::deserialize(from)?;
            blake3::Hash::from_hex(&text).map(|hash| Self(*hash.as_bytes())).map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn local(user: &str) -> Holder {
        Holder::Local { user: user.to_owned(), bond: "b".to_owned() }
    }

    fn sessions(folder: &Path, now: i64) -> Sessions {
        let config = AuthConfig { session_idle_minutes: 10, session_hours: 1, ..AuthConfig::default() };
        Sessions::open(&config, folder, now)
    }

    #[test]
    fn a_session_ends_when_it_rests_when_it_is_old_and_when_it_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = sessions(folder.path(), 0);
        let token = sessions.begin(local("anna"), 0).unwrap();
        assert_eq!(token.len(), 43, "256 bits");
        for now in [599, 1_198, 1_797, 2_396, 2_995, 3_594] {
            assert_eq!(sessions.find(&token, now).unwrap().holder, local("anna"), "{now}");
        }
        assert!(sessions.find(&token, 3_600).is_none(), "an hour is the longest");
        let token = sessions.begin(local("anna"), 0).unwrap();
        assert!(sessions.find(&token, 600).is_none() && sessions.find(&token, 1).is_none(), "ten minutes of rest");
        let token = sessions.begin(local("anna"), 0).unwrap();
        assert!(sessions.find("", 0).is_none() && sessions.find(&token[1..], 0).is_none());
        assert!(sessions.end(&token).is_some() && sessions.find(&token, 0).is_none());
    }

    #[test]
    fn sessions_survive_a_restart_and_their_tokens_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let before = sessions(folder.path(), 0);
        before.save();
        let path = folder.path().join(NAME);
        assert!(!path.exists(), "there is nothing to keep");
        let [kept, rested, ended] = [0, 0, 0].map(|now| before.begin(local("anna"), now).unwrap());
        before.find(&kept, 300).unwrap();
        before.end(&ended);
        before.save();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&kept) && fs::metadata(&path).unwrap().permissions().mode() & 0o777 == 0o600);
        let after = sessions(folder.path(), 700);
        assert!(after.find(&kept, 700).is_some());
        assert!(after.find(&rested, 700).is_none() && after.find(&ended, 700).is_none());
        fs::write(&path, "nonsense").unwrap();
        assert!(sessions(folder.path(), 700).find(&kept, 700).is_none());
    }

    #[test]
    fn nobody_fills_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = sessions(folder.path(), 0);
        let bert = sessions.begin(local("bert"), 0).unwrap();
        let tokens: Vec<String> = (0..30).map(|second| sessions.begin(local("anna"), second).unwrap()).collect();
        let alive = tokens.iter().filter(|token| sessions.find(token, 30).is_some()).count();
        assert!(alive == MAX_OF_ONE && sessions.find(&tokens[9], 30).is_none());
        assert!(sessions.find(&tokens[10], 30).is_some() && sessions.find(&bert, 30).is_some());
    }
}
