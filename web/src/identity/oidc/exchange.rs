//! Exchanges with the provider: a code or a refresh token for tokens, and an access token for what is known of somebody.

use openidconnect::core::{CoreErrorResponseType, CoreIdToken, CoreTokenResponse};
use openidconnect::http::{HeaderValue, Method, Request, StatusCode, header};
use openidconnect::{
    AuthorizationCode, HttpRequest, OAuth2TokenResponse as _, PkceCodeVerifier, RefreshToken, RequestTokenError,
    StandardErrorResponse, TokenResponse as _,
};

use super::claims::{self, Claims};
use super::discovery::Known;
use super::fault::ProviderError;
use super::provider::Provider;
use super::upstream::{Sealed, Upstream};
use super::wire::WireError;

/// Bytes of an ID token that is kept for signing out.
const MAX_KEPT: usize = 4 << 10;

/// What the provider gives.
pub(super) struct Tokens {
    access: String,
    refresh: Option<String>,
    pub(super) id_token: Option<CoreIdToken>,
}

impl Provider {
    /// The tokens for a code.
    pub(super) fn exchange(&self, known: &Known, code: &str, verifier: &str) -> Result<Tokens, ProviderError> {
        let client = self.client(known)?;
        let request = client.exchange_code(AuthorizationCode::new(code.to_owned()));
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()));
        given(request.request(&|request: HttpRequest| self.wire.ask(request)))
    }

    /// The tokens for a refresh token.
    pub(super) fn exchange_refresh(&self, known: &Known, refresh: &str) -> Result<Tokens, ProviderError> {
        let client = self.client(known)?;
        let refresh = RefreshToken::new(refresh.to_owned());
        given(client.exchange_refresh_token(&refresh).request(&|request: HttpRequest| self.wire.ask(request)))
    }

    /// Who somebody is: by the ID token, where there is one, and by asking the provider for what that does not say.
    /// `before` is who they were, where the provider has been asked before.
    pub(super) fn person(
        &self,
        known: &Known,
        id_claims: Option<Claims>,
        tokens: &Tokens,
        before: Option<&Upstream>,
    ) -> Result<Upstream, ProviderError> {
        let path = self.config.groups_claim.as_str();
        let mut said = id_claims.clone().unwrap_or_default();
        let mut groups = claims::groups(&said, path)?;
        let is_open = id_claims.is_none() || groups.is_none() && !path.is_empty();
        let subject = claims::text(&said, "sub").map(str::to_owned);
        let subject = before.map(|before| before.subject.clone()).or(subject).unwrap_or_default();
        if is_open && let Some(address) = &known.metadata.userinfo_endpoint {
            let told = self.told(address, &tokens.access)?;
            if claims::text(&told, "sub") != Some(subject.as_str()) {
                return Err(ProviderError::untrusted("it tells of somebody else (sub of userinfo)"));
            }
            groups = groups.or(claims::groups(&told, path)?);
            said.extend(told);
        } else if id_claims.is_none() {
            return Err(ProviderError::unusable("it gives no ID token again, and tells nothing else (userinfo)"));
        }
        if claims::text(&said, "sub") != Some(subject.as_str()) || subject.is_empty() {
            return Err(ProviderError::untrusted("it is about somebody else (sub)"));
        }
        let groups = self.accepted(groups)?;
        let sid = id_claims.as_ref().and_then(|claims| claims::text(claims, "sid")).map(str::to_owned);
        let id_token = tokens.id_token.as_ref().map(ToString::to_string).filter(|token| token.len() <= MAX_KEPT);
        let name = claims::name(&said, &self.config.name_claim).or_else(|| Some(before?.name.clone()));
        let login = claims::text(&said, &self.config.login_claim).map(str::to_owned);
        let upstream = Upstream {
            issuer: self.config.issuer.clone(),
            name: name.unwrap_or_else(|| subject.clone()),
            login: login.or_else(|| before?.login.clone()),
            subject,
            groups,
            sid: sid.or_else(|| before?.sid.clone()),
            nonce: before.map(|before| before.nonce.clone()).unwrap_or_default(),
            refresh: tokens.refresh.clone().map(Sealed).or_else(|| before?.refresh.clone()),
            id_token: id_token.map(Sealed).or_else(|| before?.id_token.clone()),
            checked: before.map_or(0, |before| before.checked),
            tried: 0,
        };
        let named = upstream.principals();
        named.map_err(|error| ProviderError::unusable(error.to_string()))?;
        Ok(upstream)
    }

    /// The groups that somebody is in, as far as that is known.
    pub(super) fn accepted(
        &self,
        groups: Option<std::collections::BTreeSet<String>>,
    ) -> Result<std::collections::BTreeSet<String>, ProviderError> {
        match groups {
            None if !self.config.groups_claim.is_empty() && !self.config.groups_optional => {
                Err(ProviderError::NoGroups { claim: self.config.groups_claim.clone() })
            }
            groups => Ok(groups.unwrap_or_default()),
        }
    }

    /// What the provider tells of whoever an access token is for.
    fn told(&self, address: &str, access: &str) -> Result<Claims, ProviderError> {
        let odd = |why: String| ProviderError::unusable(why);
        let mut bearer = HeaderValue::from_str(&format!("Bearer {access}")).map_err(|error| odd(error.to_string()))?;
        bearer.set_sensitive(true);
        let request = Request::builder().method(Method::GET).uri(address).header(header::AUTHORIZATION, bearer);
        let request = request.header(header::ACCEPT, "application/json").body(Vec::new());
        let answer = self.wire.ask(request.map_err(|error| odd(error.to_string()))?)?;
        match answer.status() {
            StatusCode::OK => serde_json::from_slice(answer.body()).map_err(|error| {
                odd(format!("{address}: expected JSON that is not signed (userinfo_signed_response_alg): {error}"))
            }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(ProviderError::Refused { code: "userinfo".to_owned() })
            }
            status => Err(odd(format!("{address} answers with the status {status}"))),
        }
    }
}

type Exchanged = Result<CoreTokenResponse, RequestTokenError<WireError, StandardErrorResponse<CoreErrorResponseType>>>;

fn given(exchanged: Exchanged) -> Result<Tokens, ProviderError> {
    let tokens = exchanged.map_err(|error| match error {
        RequestTokenError::ServerResponse(refusal) => ProviderError::Refused { code: refusal.error().to_string() },
        RequestTokenError::Request(error) => ProviderError::Away(error),
        // What it has sent may hold tokens.
        RequestTokenError::Parse(error, _) => ProviderError::unusable(error.to_string()),
        RequestTokenError::Other(why) => ProviderError::unusable(why),
    })?;
    Ok(Tokens {
        access: tokens.access_token().secret().clone(),
        refresh: tokens.refresh_token().map(|token| token.secret().clone()),
        id_token: tokens.id_token().cloned(),
    })
}
