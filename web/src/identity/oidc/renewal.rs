//! Renewal: the provider is asked again, while a session is used, whether somebody is still there and in which groups.
//!
//! Promise: whoever the provider no longer knows is out `recheck_minutes` after that at the latest, if it can be asked, and
//! `grace_minutes` later in any case.

use openidconnect::Nonce;

use super::fault::ProviderError;
use super::provider::Provider;
use super::upstream::Upstream;

/// Seconds between two tries while the provider cannot be asked.
const AGAIN: i64 = 30;
/// What a provider says where our settings are wrong, or something of its own: nothing of the person.
const NOT_OF_THEM: [&str; 8] = [
    "invalid_client",
    "invalid_request",
    "invalid_scope",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
];

/// What has to be done before a session counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing.
    Nothing,
    /// The provider has to be asked.
    Asking,
    /// It is over, for this reason.
    Over(&'static str),
}

/// What the provider says.
#[derive(Debug)]
pub(crate) enum Renewal {
    /// They are still there: as they are now.
    Renewed(Box<Upstream>),
    /// It cannot be asked, and they may go on for a while.
    Waits(Box<Upstream>),
    /// They are out, for this reason.
    Over(&'static str),
}

impl Provider {
    /// What has to be done before a session of somebody counts.
    pub(crate) fn due(&self, upstream: &Upstream, now: i64) -> Due {
        let minutes = |minutes: u64| i64::try_from(minutes).unwrap_or(i64::MAX).saturating_mul(60);
        // A session of another provider, from before the settings were changed.
        if upstream.issuer != self.config.issuer {
            return Due::Over("other-provider");
        }
        if upstream.refresh.is_none() {
            let until = upstream.checked.saturating_add(minutes(self.config.unrefreshed_minutes));
            return if now >= until { Due::Over("no-refresh-token") } else { Due::Nothing };
        }
        let from = upstream.checked.saturating_add(minutes(self.config.recheck_minutes));
        if now < from {
            return Due::Nothing;
        }
        if now >= upstream.tried.saturating_add(AGAIN) {
            return Due::Asking;
        }
        let is_over = now >= from.saturating_add(minutes(self.config.grace_minutes));
        if is_over { Due::Over("provider-away") } else { Due::Nothing }
    }

    /// Asks the provider whether somebody is still there.
    pub(crate) fn renew(&self, before: &Upstream, now: i64) -> Renewal {
        let error = match self.renewed(before, now) {
            Ok(upstream) if self.config.scopes_of(upstream.groups.iter().map(String::as_str)).is_empty() => {
                return Renewal::Over(ProviderError::NotLetIn.reason());
            }
            Ok(upstream) => return Renewal::Renewed(Box::new(upstream)),
            Err(error) => error,
        };
        tracing::warn!("{} could not be asked for again: {}", before.key(), storage::chain(&error));
        let may_wait = match &error {
            ProviderError::Away(_) | ProviderError::Unusable { .. } => true,
            ProviderError::Refused { code } => NOT_OF_THEM.contains(&code.as_str()),
            _ => false,
        };
        let waiting = Upstream { tried: now, ..before.clone() };
        match self.due(&waiting, now) {
            Due::Over(reason) if may_wait => Renewal::Over(reason),
            _ if may_wait => Renewal::Waits(Box::new(waiting)),
            _ => Renewal::Over(error.reason()),
        }
    }

    fn renewed(&self, before: &Upstream, now: i64) -> Result<Upstream, ProviderError> {
        let known = self.known(now)?;
        let refresh = before.refresh.as_ref().map(|refresh| refresh.0.as_str()).unwrap_or_default();
        let tokens = self.exchange_refresh(&known, refresh)?;
        // It need not be there, and is the same if it is (OpenID Connect Core 12.2).
        let is_same = |nonce: Option<&Nonce>| {
            let is_same = nonce.is_none_or(|nonce| *nonce.secret() == before.nonce);
            if is_same { Ok(()) } else { Err("it is of another sign-in".to_owned()) }
        };
        let claims = tokens.id_token.as_ref().map(|token| self.believed(token, is_same, now)).transpose()?;
        let upstream = self.person(&known, claims, &tokens, Some(before))?;
        Ok(Upstream { checked: now, ..upstream })
    }
}
