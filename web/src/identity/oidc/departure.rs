//! Departures: sign-ins that were begun here and go on at the provider.
//!
//! Promise: what ties the answer to the one who asked (state, nonce, the PKCE verifier) never leaves the server but as the
//! flow says, is good once, for ten minutes, and in the browser alone in which it was begun.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use openidconnect::core::CoreAuthenticationFlow;
use openidconnect::{CsrfToken, Nonce, PkceCodeChallenge, Scope};

use super::fault::ProviderError;
use super::provider::Provider;

/// Seconds that somebody may take at the provider.
pub(crate) const GOOD_FOR: i64 = 600;
/// Sign-ins that are under way; the oldest makes room.
const MAX_DEPARTURES: usize = 10_000;

/// Those that are under way, by the hash of their state.
#[derive(Default)]
pub(super) struct Departures(Mutex<HashMap<[u8; 32], Departure>>);

/// A sign-in that was begun.
pub(super) struct Departure {
    /// The hash of what the browser is known by.
    browser: [u8; 32],
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// Where to go on.
    pub(super) back: String,
    until: i64,
}

fn hash(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

impl Departures {
    fn begin(&self, state: &str, departure: Departure, now: i64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, departure| now < departure.until);
        if all.len() >= MAX_DEPARTURES {
            let oldest = all.iter().min_by_key(|(_, departure)| departure.until).map(|(state, _)| *state);
            oldest.map(|oldest| all.remove(&oldest));
        }
        all.insert(hash(state), departure);
    }

    /// The one that an answer belongs to. Nobody can use it again, whoever asked.
    pub(super) fn take(&self, state: &str, browser: &str, now: i64) -> Result<Departure, ProviderError> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(state));
        taken
            .filter(|departure| now < departure.until && departure.browser == hash(browser))
            .ok_or(ProviderError::Stale)
    }

    fn knows(&self, browser: &str, now: i64) -> bool {
        let browser = hash(browser);
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().any(|departure| departure.browser == browser && now < departure.until)
    }
}

impl Provider {
    /// Whether a browser has sign-ins under way: then one more is known by the same word.
    pub(crate) fn has_departures(&self, browser: &str, now: i64) -> bool {
        self.departures.knows(browser, now)
    }

    /// Begins a sign-in; where the browser is sent.
    ///
    /// # Errors
    /// Nothing is known of the provider.
    pub(crate) fn depart(&self, browser: &str, back: &str, now: i64) -> Result<String, ProviderError> {
        let known = self.known(now)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client(&known)?;
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let scopes = self.config.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new);
        let request = client.authorize_url(flow, || CsrfToken::new_random_len(32), || Nonce::new_random_len(32));
        let (address, state, nonce) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
        let departure = Departure {
            browser: hash(browser),
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
            back: back.to_owned(),
            until: now + GOOD_FOR,
        };
        self.departures.begin(state.secret(), departure, now);
        Ok(address.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn departure(browser: &str, until: i64) -> Departure {
        let [nonce, verifier, back] = ["n", "v", "/"].map(str::to_owned);
        Departure { browser: hash(browser), nonce, verifier, back, until }
    }

    #[test]
    fn an_answer_is_good_once_in_one_browser_and_in_time() {
        let all = Departures::default();
        all.begin("a", departure("browser", 10), 0);
        assert!(all.knows("browser", 9) && !all.knows("browser", 10) && !all.knows("other", 9));
        assert!(matches!(all.take("b", "browser", 5), Err(ProviderError::Stale)));
        assert!(all.take("a", "browser", 5).is_ok());
        assert!(matches!(all.take("a", "browser", 5), Err(ProviderError::Stale)), "once");
        all.begin("a", departure("browser", 10), 0);
        assert!(matches!(all.take("a", "other", 5), Err(ProviderError::Stale)), "in one browser");
        assert!(matches!(all.take("a", "browser", 5), Err(ProviderError::Stale)), "whoever tried");
        all.begin("a", departure("browser", 10), 0);
        assert!(matches!(all.take("a", "browser", 10), Err(ProviderError::Stale)), "in time");
    }

    #[test]
    fn there_is_room_for_so_many() {
        let all = Departures::default();
        for n in 0..=MAX_DEPARTURES {
            all.begin(&n.to_string(), departure("browser", 100_000 + n as i64), 0);
        }
        assert_eq!(all.0.lock().unwrap().len(), MAX_DEPARTURES);
        assert!(all.take("0", "browser", 0).is_err() && all.take("1", "browser", 0).is_ok());
    }
}
