//! A signed token (RFC 7515, 7519) that is no ID token: read, and its signature checked by the keys of the provider.
//!
//! Promise: only signatures that nobody but the provider can make count. `none`, and whatever is keyed by a secret that we
//! know as well, are refused before anything is compared.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey as _, SignatureVerificationError};
use serde::Deserialize;

use super::claims::Claims;
use super::fault::ProviderError;

/// Bytes of a token.
const MAX_TOKEN: usize = 64 << 10;
/// Seconds by which two clocks may differ.
pub(super) const LEEWAY: i64 = 60;

/// How the provider may sign.
pub(super) const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// A token that has been read, and nothing more.
pub(super) struct Signed<'a> {
    header: Header,
    message: &'a str,
    signature: Vec<u8>,
    claims: Claims,
}

#[derive(Deserialize)]
struct Header {
    alg: CoreJwsSigningAlgorithm,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde_json::Value>,
}

/// What the keys say of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signature {
    /// One of them has made it.
    Good,
    /// None of them can have: there may be newer ones.
    UnknownKey,
    /// It is not what it should be.
    Wrong,
}

impl<'a> Signed<'a> {
    /// Reads a token.
    ///
    /// # Errors
    /// It is none, or signed in a way that proves nothing.
    pub(super) fn read(token: &'a str) -> Result<Self, ProviderError> {
        let none = || ProviderError::untrusted("it is no signed token");
        let (message, signature) = token.rsplit_once('.').filter(|_| token.len() <= MAX_TOKEN).ok_or_else(none)?;
        let (header, payload) = message.split_once('.').ok_or_else(none)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| none());
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| none())?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(ProviderError::untrusted(format!("it is signed by {:?}, which proves nothing", header.alg)));
        }
        if header.crit.is_some() {
            return Err(ProviderError::untrusted("its header asks for what is not known here (crit)"));
        }
        let claims = serde_json::from_slice(&decoded(payload)?).map_err(|_| none())?;
        Ok(Self { header, message, signature: decoded(signature)?, claims })
    }

    /// Who signed it.
    pub(super) fn signature(&self, keys: &CoreJsonWebKeySet) -> Signature {
        let is_named = |kid: Option<&str>| self.header.kid.is_none() || self.header.kid.as_deref() == kid;
        let mut may_be_other = true;
        for key in keys.keys().iter().filter(|key| is_named(key.key_id().map(|kid| kid.as_str()))) {
            match key.verify_signature(&self.header.alg, self.message.as_bytes(), &self.signature) {
                Ok(()) => return Signature::Good,
                // A key of another kind, or for something else.
                Err(SignatureVerificationError::InvalidKey(_)) => {}
                Err(_) => may_be_other = false,
            }
        }
        if may_be_other { Signature::UnknownKey } else { Signature::Wrong }
    }

    /// What it says it is.
    pub(super) fn kind(&self) -> Option<String> {
        let kind = self.header.typ.as_deref().map(str::to_ascii_lowercase);
        kind.map(|kind| kind.strip_prefix("application/").map(str::to_owned).unwrap_or(kind))
    }

    pub(super) fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// The claims of a token whose signature has been checked elsewhere.
pub(super) fn claims_of(token: &str) -> Result<Claims, ProviderError> {
    let none = || ProviderError::untrusted("it is no signed token");
    let payload = token.split('.').nth(1).ok_or_else(none)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).map_err(|_| none())?).map_err(|_| none())
}
