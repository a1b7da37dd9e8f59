//! Signing out: here, at the provider as well, and when the provider says so.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderValue;

use super::arrival::provider;
use super::cookie::SESSION;
use super::sessions::Holder;
use super::sign_in::{address, event, given, save};
use crate::app::App;
use crate::error::Error;
use crate::jobs::now;

/// What is left to do for the browser.
pub(crate) struct Farewell {
    /// What takes the cookie away.
    pub(crate) cookie: HeaderValue,
    /// Where somebody signs out at the provider as well.
    pub(crate) onward: Option<String>,
}

/// Ends the session of a browser.
///
/// # Errors
/// The server is stopping.
pub(crate) async fn sign_out(app: &Arc<App>, request: &HttpRequest) -> Result<Farewell, Error> {
    let mut onward = None;
    if let Some(ended) = SESSION.token(request).and_then(|token| app.sessions.end(&token)) {
        let who = ended.holder.key();
        tracing::info!(target: "access", name = who, "signed out");
        app.audit.note(&event("signed-out", &who, app, request));
        save(app).await?;
        if let (Holder::Upstream(upstream), Some(provider)) = (ended.holder, app.upstreams.provider.clone()) {
            let bid = tokio::task::spawn_blocking(move || provider.farewell(&upstream, now()));
            onward = bid.await.map_err(Error::internal)?;
        }
    }
    Ok(Farewell { cookie: given(&SESSION.taken(request))?, onward })
}

/// Ends the sessions that the provider says are over.
///
/// # Errors
/// There is no provider; its token cannot be believed.
pub(crate) async fn signed_out_upstream(app: &Arc<App>, request: &HttpRequest, token: String) -> Result<(), Error> {
    let provider = provider(app)?;
    let from = address(app, request);
    app.attempts.errands.take(&from)?;
    let hear = tokio::task::spawn_blocking(move || provider.ending(&token, now()));
    let ending = hear.await.map_err(Error::internal)?.map_err(|error| {
        tracing::warn!(target: "access", address = from, "a token to sign out is refused: {}", storage::chain(&error));
        Error::Provider(error)
    })?;
    for ended in app.sessions.end_of(|upstream| ending.is_of(upstream)) {
        tracing::info!(target: "access", name = ended.key(), "signed out by the provider");
        app.audit.note(&event("signed-out", &ended.key(), app, request).about("by", "provider"));
    }
    save(app).await
}
