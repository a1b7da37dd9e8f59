//! Signing in by the provider: the way there, and the way back.
//!
//! Promises: an answer is taken only in the browser that has asked, once; whoever signs in gets a new token, whatever the
//! browser brought, and is led to a page of this server.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::cookie::DEPARTURE;
use super::oidc::{Answer, DEPARTURE_SECONDS, Provider, ProviderError};
use super::secret;
use super::sessions::Holder;
use super::sign_in::{address, begin, event, given};
use crate::app::App;
use crate::error::Error;
use crate::jobs::now;

/// Random bytes of the word by which a browser is known.
const WORD_BYTES: usize = 32;

/// Where a browser goes, and what it is given on the way.
pub(crate) struct Way {
    pub(crate) place: String,
    pub(crate) cookies: Vec<HeaderValue>,
}

/// The provider of this server.
///
/// # Errors
/// There is none.
pub(super) fn provider(app: &App) -> Result<Arc<Provider>, Error> {
    app.upstreams.provider.clone().ok_or(Error::NotFound { what: "an identity provider" })
}

/// Begins to sign somebody in by the provider.
///
/// # Errors
/// There is no provider, or it cannot be asked; too many sign-ins are begun.
pub(crate) async fn depart(app: &Arc<App>, request: &HttpRequest, back: String) -> Result<Way, Error> {
    let provider = provider(app)?;
    app.attempts.errands.take(&address(app, request))?;
    // A browser that signs in twice, in two windows, is known by one word.
    let known = DEPARTURE.token(request).filter(|word| provider.has_departures(word, now()));
    let word = match known {
        Some(word) => word,
        None => URL_SAFE_NO_PAD.encode(secret::random::<WORD_BYTES>().map_err(Error::internal)?),
    };
    let cookie = given(&DEPARTURE.given(request, &word, DEPARTURE_SECONDS))?;
    let begin = tokio::task::spawn_blocking(move || provider.depart(&word, &back, now()));
    let place = begin.await.map_err(Error::internal)?.map_err(Error::Provider)?;
    Ok(Way { place, cookies: vec![cookie] })
}

/// Signs somebody in whom the provider has sent back.
///
/// # Errors
/// There is no provider; it refuses, cannot be asked, or cannot be believed; nobody has let them in.
pub(crate) async fn arrive(app: &Arc<App>, request: &HttpRequest, answer: Answer) -> Result<Way, Error> {
    let provider = provider(app)?;
    if app.audit.refuses() {
        return Err(Error::Audit);
    }
    let from = address(app, request);
    app.attempts.errands.take(&from)?;
    let word = DEPARTURE.token(request).unwrap_or_default();
    let arrive = tokio::task::spawn_blocking(move || provider.arrive(&word, &answer, now()));
    let (upstream, back) = match arrive.await.map_err(Error::internal)? {
        Ok(arrived) => arrived,
        Err(error) => return Err(failed(app, request, &from, error)),
    };
    let who = upstream.key();
    tracing::info!(target: "access", address = from, name = who, "signed in");
    app.audit.note(&event("signed-in", &who, app, request).about("name", &upstream.name));
    let session = begin(app, request, Holder::Upstream(Box::new(upstream))).await?;
    Ok(Way { place: back, cookies: vec![session] })
}

fn failed(app: &App, request: &HttpRequest, from: &str, error: ProviderError) -> Error {
    tracing::warn!(target: "access", address = from, "not signed in by the provider: {}", storage::chain(&error));
    app.audit.note(&event("sign-in-failed", "unknown", app, request).about("reason", error.reason()));
    Error::Provider(error)
}
