//! Signing out that begins or ends at the provider: it says that a session is over (OpenID Connect Back-Channel Logout 1.0),
//! or is told so by a browser (RP-Initiated Logout 1.0).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use openidconnect::url::Url;
use serde_json::Value;

use super::claims::{text, time};
use super::fault::ProviderError;
use super::provider::{Provider, not_from_later};
use super::token::{LEEWAY, Signed};
use super::upstream::Upstream;

/// What a token to sign out is about.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Seconds after which such a token is too old.
const GOOD_FOR: i64 = 600;
/// Tokens that are remembered.
const MAX_HEARD: usize = 10_000;

/// Tokens that have been heard, by the hashes of their names, until they are too old.
#[derive(Default)]
pub(super) struct Heard(Mutex<HashMap<[u8; 32], i64>>);

impl Heard {
    fn is_new(&self, name: &str, now: i64) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, until| now < *until);
        // Those that are forgotten early end at most sessions that were begun since.
        if all.len() >= MAX_HEARD {
            all.clear();
        }
        all.insert(*blake3::hash(name.as_bytes()).as_bytes(), now + GOOD_FOR + 2 * LEEWAY).is_none()
    }
}

/// Whose sessions are over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    issuer: String,
    subject: Option<String>,
    sid: Option<String>,
}

impl Ending {
    /// Whether a session of somebody is over: the one session that is named, or all of a person.
    pub(crate) fn is_of(&self, upstream: &Upstream) -> bool {
        let is_subject = self.subject.as_ref().is_none_or(|subject| *subject == upstream.subject);
        let is_session = self.sid.as_ref().is_none_or(|sid| upstream.sid.as_ref() == Some(sid));
        upstream.issuer == self.issuer && is_subject && is_session
    }
}

impl Provider {
    /// Whose sessions the provider says are over.
    ///
    /// # Errors
    /// It cannot be believed.
    pub(crate) fn ending(&self, token: &str, now: i64) -> Result<Ending, ProviderError> {
        let wrong = |why: &str| Err(ProviderError::untrusted(why));
        let signed = Signed::read(token)?;
        if !matches!(signed.kind().as_deref(), None | Some("jwt" | "logout+jwt")) {
            return wrong("its header says that it is something else (typ)");
        }
        let claims = self.signed_claims(&signed, std::slice::from_ref(&self.config.client_id), now)?;
        let is_event = claims.get("events").and_then(Value::as_object).and_then(|events| events.get(EVENT));
        if !is_event.is_some_and(Value::is_object) {
            return wrong("it is not about signing out (events)");
        }
        if claims.contains_key("nonce") {
            return wrong("it belongs to a sign-in (nonce)");
        }
        not_from_later(&claims, now)?;
        match (time(&claims, "iat"), time(&claims, "exp")) {
            (None, _) => return wrong("it does not say when it was made (iat)"),
            (Some(made), _) if made < now - GOOD_FOR - LEEWAY => return wrong("it was made too long ago (iat)"),
            (_, Some(until)) if until <= now - LEEWAY => return wrong("it is over (exp)"),
            (_, None) if claims.contains_key("exp") => return wrong("its end is no time (exp)"),
            _ => {}
        }
        let of = |name: &str| text(&claims, name).map(str::to_owned);
        let ending = Ending { issuer: self.config.issuer.clone(), subject: of("sub"), sid: of("sid") };
        if ending.subject.is_none() && ending.sid.is_none() {
            return wrong("it says nobody (sub, sid)");
        }
        let Some(name) = of("jti") else { return wrong("it has no name (jti)") };
        if self.heard.is_new(&name, now) { Ok(ending) } else { wrong("it has been heard before (jti)") }
    }

    /// Where a browser signs out at the provider as well; `None`: it offers no such thing, or nothing is known of it.
    pub(crate) fn farewell(&self, upstream: &Upstream, now: i64) -> Option<String> {
        let known = self.known(now).ok()?;
        let mut address = Url::parse(known.metadata.end_session_endpoint.as_ref()?).ok()?;
        let back = format!("{}/sign-in", self.config.place());
        {
            let mut query = address.query_pairs_mut();
            query.append_pair("client_id", &self.config.client_id).append_pair("post_logout_redirect_uri", &back);
            if let Some(id_token) = &upstream.id_token {
                query.append_pair("id_token_hint", &id_token.0);
            }
        }
        Some(address.into())
    }
}
