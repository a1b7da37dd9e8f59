//! The answer of the provider that a browser brings back, and who it turns out to be.

use openidconnect::Nonce;
use serde::Deserialize;

use super::fault::ProviderError;
use super::provider::Provider;
use super::upstream::Upstream;

/// Characters of the provider's word for why not.
const MAX_CODE: usize = 60;

/// What the address holds to which the provider has sent somebody back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    pub(crate) state: String,
    pub(crate) code: String,
    pub(crate) error: String,
    pub(crate) iss: Option<String>,
}

impl Provider {
    /// Who somebody is that the provider has sent back, and where they wanted to go.
    ///
    /// # Errors
    /// Nobody waits for the answer; the provider refuses, cannot be asked, or cannot be believed; nobody has let them in.
    pub(crate) fn arrive(&self, browser: &str, answer: &Answer, now: i64) -> Result<(Upstream, String), ProviderError> {
        let departure = self.departures.take(&answer.state, browser, now)?;
        self.is_from_here(answer, now)?;
        if !answer.error.is_empty() {
            return Err(ProviderError::Refused { code: plain(&answer.error) });
        }
        if answer.code.is_empty() {
            return Err(ProviderError::untrusted("it holds no code"));
        }
        let known = self.known(now)?;
        let tokens = self.exchange(&known, &answer.code, &departure.verifier)?;
        let id_token = tokens.id_token.as_ref().ok_or_else(|| {
            ProviderError::unusable("it holds no ID token: is the client registered for OpenID Connect?")
        })?;
        let is_same = |nonce: Option<&Nonce>| match nonce {
            Some(nonce) if nonce.secret() == &departure.nonce => Ok(()),
            Some(_) => Err("it is of another sign-in".to_owned()),
            None => Err("there is none".to_owned()),
        };
        let claims = self.believed(id_token, is_same, now)?;
        let mut upstream = self.person(&known, Some(claims), &tokens, None)?;
        upstream.nonce = departure.nonce;
        upstream.checked = now;
        if self.config.scopes_of(upstream.groups.iter().map(String::as_str)).is_empty() {
            return Err(ProviderError::NotLetIn);
        }
        Ok((upstream, departure.back))
    }

    /// Whether another provider has answered in place of ours (RFC 9207).
    fn is_from_here(&self, answer: &Answer, now: i64) -> Result<(), ProviderError> {
        let expects = self.known(now)?.metadata.authorization_response_iss_parameter_supported;
        match &answer.iss {
            Some(issuer) if *issuer != self.config.issuer => {
                Err(ProviderError::untrusted("it is of another issuer (iss)"))
            }
            None if expects => Err(ProviderError::untrusted("it does not say of which issuer it is (iss)")),
            _ => Ok(()),
        }
    }
}

/// A word that anybody may have written into an address, as far as it is one.
fn plain(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(MAX_CODE).collect()
}
