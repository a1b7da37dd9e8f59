//! The provider as a running server knows it: its description and keys, fetched when they are needed and kept for a while.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use openidconnect::core::{CoreClient, CoreIdToken};
use openidconnect::{
    AuthType, AuthUrl, ClaimsVerificationError, ClientId, ClientSecret, EndpointNotSet, EndpointSet, IssuerUrl, Nonce,
    RedirectUrl, SignatureVerificationError, TokenUrl,
};

use super::back_channel::Heard;
use super::claims::{Claims, audiences, text, time};
use super::config::OidcConfig;
use super::departure::Departures;
use super::discovery::Known;
use super::fault::ProviderError;
use super::token::{ALGORITHMS, LEEWAY, Signature, Signed, claims_of};
use super::wire::{Wire, WireError};
use crate::identity::turns::Turns;

/// Seconds that a description is good for.
const GOOD_FOR: i64 = 86_400;
/// Seconds between two tries to get a description that could not be got.
const AGAIN: i64 = 5;
/// Seconds between two looks for newer keys.
const KEYS_AGAIN: i64 = 30;

/// A client that knows where it may sign in.
pub(super) type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet, EndpointNotSet>;

/// The provider by which people sign in.
pub(crate) struct Provider {
    pub(super) config: OidcConfig,
    pub(super) secret: ClientSecret,
    pub(super) wire: Wire,
    pub(super) departures: Departures,
    pub(super) heard: Heard,
    pub(crate) turns: Turns,
    known: RwLock<Option<Arc<Known>>>,
    /// Held while it is asked; seconds of Unix time when it was last asked in vain.
    asking: Mutex<i64>,
}

impl Provider {
    /// The provider of a configuration.
    ///
    /// # Errors
    /// The secret or the certificates cannot be read, in words.
    pub(crate) fn open(config: &OidcConfig) -> Result<Self, String> {
        let wire = Wire::new(&config.ca_file).map_err(|why| format!("auth.oidc.ca_file: {why}"))?;
        Ok(Self::with(config.clone(), config.secret()?, wire))
    }

    pub(super) fn with(config: OidcConfig, secret: String, wire: Wire) -> Self {
        Self {
            config,
            secret: ClientSecret::new(secret),
            wire,
            departures: Departures::default(),
            heard: Heard::default(),
            turns: Turns::default(),
            known: RwLock::default(),
            asking: Mutex::default(),
        }
    }

    /// Says whether the provider can be used, for whoever starts the server. It is asked again when somebody signs in.
    pub(crate) fn greet(&self, now: i64) {
        match self.known(now) {
            Ok(known) => tracing::info!("people sign in by {}", known.metadata.issuer),
            Err(error) => tracing::error!(
                "nobody can sign in by {} yet, which is tried again with the next sign-in: {}",
                self.config.issuer,
                storage::chain(&error)
            ),
        }
    }

    /// What is known of it. A description that is old is still good while there is no newer one.
    pub(super) fn known(&self, now: i64) -> Result<Arc<Known>, ProviderError> {
        let current = || self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        let is_good = |known: &Arc<Known>| now < known.described + GOOD_FOR;
        if let Some(known) = current().filter(is_good) {
            return Ok(known);
        }
        let mut failed = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have asked meanwhile.
        let known = current();
        if let Some(known) = known.clone().filter(|known| is_good(known) || now < *failed + AGAIN) {
            return Ok(known);
        }
        if now < *failed + AGAIN {
            return Err(ProviderError::Away(WireError::Resting));
        }
        match Known::fetch(&self.wire, &self.config.issuer, now) {
            Ok(fresh) => Ok(self.keep(fresh)),
            Err(error) => {
                *failed = now;
                known.ok_or(error)
            }
        }
    }

    /// What is known with newer keys; `None`: those that are known are as new as can be asked for.
    fn with_newer_keys(&self, known: &Known, now: i64) -> Result<Option<Arc<Known>>, ProviderError> {
        let mut failed = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(current) = current.filter(|current| current.keyed > known.keyed) {
            return Ok(Some(current));
        }
        if now < known.keyed.max(*failed) + KEYS_AGAIN {
            return Ok(None);
        }
        match known.with_new_keys(&self.wire, now) {
            Ok(fresh) => Ok(Some(self.keep(fresh))),
            Err(error) => {
                *failed = now;
                Err(error)
            }
        }
    }

    fn keep(&self, known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
        known
    }

    /// What speaks with it in our name.
    pub(super) fn client(&self, known: &Known) -> Result<Client, ProviderError> {
        let odd = |error: openidconnect::url::ParseError| ProviderError::unusable(error.to_string());
        let metadata = &known.metadata;
        let issuer = IssuerUrl::new(metadata.issuer.clone()).map_err(odd)?;
        let arrival = RedirectUrl::new(format!("{}/sign-in/callback", self.config.place())).map_err(odd)?;
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let takes = |method: &str| methods.iter().any(|known| known == method);
        let is_by_form = takes("client_secret_post") && !takes("client_secret_basic");
        Ok(CoreClient::new(ClientId::new(self.config.client_id.clone()), issuer, known.keys.clone())
            .set_client_secret(self.secret.clone())
            .set_auth_type(if is_by_form { AuthType::RequestBody } else { AuthType::BasicAuth })
            .set_redirect_uri(arrival)
            .set_auth_uri(AuthUrl::new(metadata.authorization_endpoint.clone()).map_err(odd)?)
            .set_token_uri(TokenUrl::new(metadata.token_endpoint.clone()).map_err(odd)?))
    }

    /// The claims of an ID token (OpenID Connect Core 3.1.3.7): signature, issuer, audience, authorized party, time, nonce.
    pub(super) fn believed(
        &self,
        id_token: &CoreIdToken,
        nonce: impl Fn(Option<&Nonce>) -> Result<(), String>,
        now: i64,
    ) -> Result<Claims, ProviderError> {
        let known = self.known(now)?;
        let verified = self.verify(&known, id_token, &nonce, now)?;
        let verified = match verified {
            Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
                match self.with_newer_keys(&known, now)? {
                    Some(newer) => self.verify(&newer, id_token, &nonce, now)?,
                    None => verified,
                }
            }
            verified => verified,
        };
        verified.map_err(|error| ProviderError::untrusted(storage::chain(&error)))?;
        let claims = claims_of(&id_token.to_string())?;
        self.is_to_us(&claims)?;
        not_from_later(&claims, now)?;
        Ok(claims)
    }

    fn verify(
        &self,
        known: &Known,
        id_token: &CoreIdToken,
        nonce: &impl Fn(Option<&Nonce>) -> Result<(), String>,
        now: i64,
    ) -> Result<Result<(), ClaimsVerificationError>, ProviderError> {
        let client = self.client(known)?;
        let clock = chrono::DateTime::from_timestamp(now - LEEWAY, 0).unwrap_or_default();
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS).set_time_fn(move || clock);
        // Whom else it is for says the authorized party: see below.
        let verifier = verifier.set_other_audience_verifier_fn(|_| true);
        Ok(id_token.claims(&verifier, |found: Option<&Nonce>| nonce(found)).map(|_| ()))
    }

    /// A token that is for several is one of ours only if it was made for us.
    fn is_to_us(&self, claims: &Claims) -> Result<(), ProviderError> {
        let party = text(claims, "azp");
        if party.is_none() && audiences(claims).len() > 1 {
            return Err(ProviderError::untrusted("it is for several audiences, and names no authorized party (azp)"));
        }
        match party.filter(|party| *party != self.config.client_id) {
            Some(party) => Err(ProviderError::untrusted(format!("it was made for {party:?} (azp)"))),
            None => Ok(()),
        }
    }

    /// The claims of another token of the provider, whose signature, issuer and audience are right. Its times are not
    /// looked at.
    pub(super) fn signed_claims(
        &self,
        signed: &Signed<'_>,
        of_us: &[String],
        now: i64,
    ) -> Result<Claims, ProviderError> {
        let known = self.known(now)?;
        let mut signature = signed.signature(&known.keys);
        if signature == Signature::UnknownKey
            && let Some(newer) = self.with_newer_keys(&known, now)?
        {
            signature = signed.signature(&newer.keys);
        }
        match signature {
            Signature::Good => {}
            Signature::UnknownKey => return Err(ProviderError::untrusted("no key of the provider has signed it")),
            Signature::Wrong => return Err(ProviderError::untrusted("its signature is wrong")),
        }
        let claims = signed.claims();
        if text(claims, "iss") != Some(self.config.issuer.as_str()) {
            return Err(ProviderError::untrusted("it is of another issuer"));
        }
        if !audiences(claims).iter().any(|audience| of_us.iter().any(|own| own == audience)) {
            return Err(ProviderError::untrusted("it is for another audience"));
        }
        Ok(claims.clone())
    }
}

/// Refuses what was made in the future.
pub(super) fn not_from_later(claims: &Claims, now: i64) -> Result<(), ProviderError> {
    let is_later = |name: &str| time(claims, name).is_some_and(|time| time > now + LEEWAY);
    if is_later("iat") || is_later("nbf") {
        return Err(ProviderError::untrusted("it is from the future: compare the clocks"));
    }
    Ok(())
}
