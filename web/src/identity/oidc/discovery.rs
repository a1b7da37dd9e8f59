//! What the provider says of itself, and the keys that it signs with.

use openidconnect::core::CoreJsonWebKeySet;
use serde::Deserialize;

use super::fault::ProviderError;
use super::wire::{Wire, is_safe};

/// The parts of a provider's description that are used (OpenID Connect Discovery 1.0, RP-Initiated Logout 1.0, RFC 9207).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) jwks_uri: String,
    pub(super) userinfo_endpoint: Option<String>,
    pub(super) end_session_endpoint: Option<String>,
    pub(super) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// All that is known of the provider.
pub(super) struct Known {
    pub(super) metadata: Metadata,
    pub(super) keys: CoreJsonWebKeySet,
    /// Seconds of Unix time when the description was fetched.
    pub(super) described: i64,
    /// The same of the keys.
    pub(super) keyed: i64,
}

impl Known {
    /// Asks the provider.
    pub(super) fn fetch(wire: &Wire, issuer: &str, now: i64) -> Result<Self, ProviderError> {
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let metadata: Metadata = wire.fetch(&address)?.map_err(ProviderError::unusable)?;
        metadata.check(issuer)?;
        let keys = fetch_keys(wire, &metadata)?;
        Ok(Self { metadata, keys, described: now, keyed: now })
    }

    /// The same, with the keys of now.
    pub(super) fn with_new_keys(&self, wire: &Wire, now: i64) -> Result<Self, ProviderError> {
        let keys = fetch_keys(wire, &self.metadata)?;
        Ok(Self { metadata: self.metadata.clone(), keys, described: self.described, keyed: now })
    }
}

fn fetch_keys(wire: &Wire, metadata: &Metadata) -> Result<CoreJsonWebKeySet, ProviderError> {
    wire.fetch(&metadata.jwks_uri)?.map_err(ProviderError::unusable)
}

impl Metadata {
    /// Whether it is of the provider that was meant, and leads nowhere that anybody listens to.
    fn check(&self, issuer: &str) -> Result<(), ProviderError> {
        if self.issuer != issuer {
            return Err(ProviderError::unusable(format!(
                "it calls itself {:?}; write that as auth.oidc.issuer if it is meant, expected {issuer:?}",
                self.issuer
            )));
        }
        let all = [Some(&self.authorization_endpoint), Some(&self.token_endpoint), Some(&self.jwks_uri)];
        let all = all.into_iter().chain([self.userinfo_endpoint.as_ref(), self.end_session_endpoint.as_ref()]);
        match all.flatten().find(|address| !is_safe(address)) {
            Some(address) => Err(ProviderError::unusable(format!("{address:?} is neither https nor on this machine"))),
            None => Ok(()),
        }
    }
}
