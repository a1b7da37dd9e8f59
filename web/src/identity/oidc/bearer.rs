//! A token of the provider that a program brings in place of a key (RFC 6750, RFC 9068).

use super::claims::{self, text, time};
use super::fault::ProviderError;
use super::provider::{Provider, not_from_later};
use super::token::{LEEWAY, Signed};
use super::upstream::Upstream;

/// Whether something that a program brings looks like a token, and not like a key.
pub(crate) fn is_token(text: &str) -> bool {
    text.matches('.').count() == 2
}

impl Provider {
    /// Who brings a token that is made for one of these audiences, for as long as this request lasts.
    ///
    /// # Errors
    /// It cannot be believed, is over, or is for something else; nobody has let them in.
    pub(crate) fn bearer(&self, token: &str, audiences: &[String], now: i64) -> Result<Upstream, ProviderError> {
        let wrong = |why: &str| Err(ProviderError::untrusted(why));
        let signed = Signed::read(token)?;
        if !matches!(signed.kind().as_deref(), None | Some("jwt" | "at+jwt")) {
            return wrong("its header says that it is something else (typ)");
        }
        let claims = self.signed_claims(&signed, audiences, now)?;
        if claims.contains_key("events") {
            return wrong("it tells of something that has happened (events)");
        }
        not_from_later(&claims, now)?;
        match time(&claims, "exp") {
            None => return wrong("it does not say when it is over (exp)"),
            Some(until) if until <= now - LEEWAY => return wrong("it is over (exp)"),
            Some(_) => {}
        }
        let Some(subject) = text(&claims, "sub").map(str::to_owned) else { return wrong("it says nobody (sub)") };
        let upstream = Upstream {
            issuer: self.config.issuer.clone(),
            name: claims::name(&claims, &self.config.name_claim).unwrap_or_else(|| subject.clone()),
            login: text(&claims, &self.config.login_claim).map(str::to_owned),
            subject,
            groups: self.accepted(claims::groups(&claims, &self.config.groups_claim)?)?,
            sid: None,
            nonce: String::new(),
            refresh: None,
            id_token: None,
            checked: now,
            tried: 0,
        };
        upstream.principals().map_err(|error| ProviderError::unusable(error.to_string()))?;
        if self.config.scopes_of(upstream.groups.iter().map(String::as_str)).is_empty() {
            return Err(ProviderError::NotLetIn);
        }
        Ok(upstream)
    }
}
