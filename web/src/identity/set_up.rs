//! The set-up link of a server that nobody can be let into yet: whoever started it reads the link where the server says it,
//! and makes the first administrator with it.
//!
//! Promise: it is good once, for an hour, and only where there never were keys or users.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::secret::{self, SecretError};

/// Seconds that the link is good for.
const GOOD_FOR: i64 = 3_600;
/// Random bytes of its token.
const TOKEN_BYTES: usize = 32;

/// The link, as long as it is good.
#[derive(Default)]
pub(crate) struct SetUp(Mutex<Option<Pending>>);

/// A token that nobody has used.
#[derive(PartialEq, Eq)]
pub(crate) struct Pending {
    hash: blake3::Hash,
    until: i64,
}

impl SetUp {
    /// Makes the link's token.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(crate) fn begin(&self, now: i64) -> Result<String, SecretError> {
        let token = URL_SAFE_NO_PAD.encode(secret::random::<TOKEN_BYTES>()?);
        let pending = Pending { hash: blake3::hash(token.as_bytes()), until: now + GOOD_FOR };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(pending);
        Ok(token)
    }

    /// Whether this is the token.
    pub(crate) fn is_good(&self, token: &str, now: i64) -> bool {
        let pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.as_ref().is_some_and(|pending| pending.is_of(token, now))
    }

    /// Whether anybody is waited for.
    pub(crate) fn is_pending(&self, now: i64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|pending| now < pending.until)
    }

    /// Uses the token: nobody else can. What was meant by it may fail; then it is given back.
    pub(crate) fn take(&self, token: &str, now: i64) -> Option<Pending> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.take_if(|pending| pending.is_of(token, now))
    }

    pub(crate) fn give_back(&self, taken: Pending) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
    }
}

impl Pending {
    fn is_of(&self, token: &str, now: i64) -> bool {
        // Hashes of this kind are compared in constant time.
        now < self.until && self.hash == blake3::hash(token.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_once_and_for_an_hour() {
        let set_up = SetUp::default();
        assert!(!set_up.is_good("", 0) && !set_up.is_pending(0));
        let token = set_up.begin(0).unwrap();
        assert!(set_up.is_good(&token, 3_599) && !set_up.is_good(&token, 3_600) && !set_up.is_pending(3_600));
        assert!(set_up.take("x", 0).is_none() && set_up.take(&token, 3_600).is_none());
        let taken = set_up.take(&token, 0).unwrap();
        assert!(set_up.take(&token, 0).is_none() && !set_up.is_good(&token, 0), "two at once");
        set_up.give_back(taken);
        assert!(set_up.is_good(&token, 0));
    }
}
