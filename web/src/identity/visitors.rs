//! Visitors: those who have a session, as they are now.
//!
//! Promise: what a session is worth is found out with every request: a local user by their record, anybody else by what the
//! provider has said, not longer ago than is configured.

use std::sync::Arc;

use actix_web::HttpRequest;
use storage::Principals;

use super::cookie::SESSION;
use super::oidc::{Due, Provider, ProviderError, Renewal, Upstream, is_token};
use super::sessions::Holder;
use super::sign_in::event;
use crate::app::App;
use crate::error::Error;
use crate::guard::Scope;
use crate::jobs::now;

/// Somebody who has shown who they are.
pub(crate) struct SignedIn {
    /// What tells them from others.
    pub(crate) key: String,
    /// As they are called on the page.
    pub(crate) name: String,
    /// As a directory knows them.
    pub(crate) login: Option<String>,
    pub(crate) principals: Principals,
    pub(crate) scopes: Vec<Scope>,
}

/// Who has a session.
///
/// # Errors
/// Who it is cannot be told; the server is stopping.
pub(crate) async fn session_visitor(app: &Arc<App>, request: &HttpRequest) -> Result<Option<SignedIn>, Error> {
    let Some(token) = SESSION.token(request) else { return Ok(None) };
    let Some(session) = app.sessions.find(&token, now()) else { return Ok(None) };
    match session.holder {
        Holder::Local { user, bond } => local(app, &token, &user, &bond),
        Holder::Upstream(upstream) => {
            let current = current(app, request, &token, *upstream).await?;
            current.map(|upstream| of_provider(app, &upstream)).transpose()
        }
    }
}

/// Somebody who is disabled or removed, or has another password since, has no session any more.
fn local(app: &App, token: &str, user: &str, bond: &str) -> Result<Option<SignedIn>, Error> {
    let Some(user) = app.people.find(user).filter(|user| app.config.auth.local_sign_in && user.bond == bond) else {
        app.sessions.end(token);
        return Ok(None);
    };
    let principals = user.principals().map_err(|error| {
        tracing::error!("the user {:?} has a name or a group that is none: {error}; correct users.json", user.name);
        Error::Identity
    })?;
    let [key, name, login] = [&user.name; 3].map(Clone::clone);
    Ok(Some(SignedIn { key, name, login: Some(login), principals, scopes: user.scopes.clone() }))
}

/// Who brings a token of the provider in place of a key, made for one of these audiences; `None`: it is none that counts.
///
/// # Errors
/// Who it is cannot be told; the provider cannot be asked.
pub(crate) async fn bearer_visitor(
    app: &Arc<App>,
    token: &str,
    audiences: Vec<String>,
) -> Result<Option<SignedIn>, Error> {
    let Some(provider) = app.upstreams.provider.clone().filter(|_| is_token(token) && !audiences.is_empty()) else {
        return Ok(None);
    };
    // Anybody can send what looks like a token: as many are looked at as may compute.
    let permit = app.admission.enter().await?;
    let token = token.to_owned();
    let check = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        provider.bearer(&token, &audiences, now())
    });
    match check.await.map_err(Error::internal)? {
        Ok(upstream) => of_provider(app, &upstream).map(Some),
        Err(error @ ProviderError::Away(_)) => Err(Error::Provider(error)),
        Err(error) => {
            tracing::warn!(target: "access", "a token of the provider is refused: {}", storage::chain(&error));
            Ok(None)
        }
    }
}

/// Somebody of whom the provider has told.
fn of_provider(app: &App, upstream: &Upstream) -> Result<SignedIn, Error> {
    let principals = upstream.principals().map_err(|error| {
        tracing::error!("the provider says what is no name: {error}");
        Error::Identity
    })?;
    let scopes = app.config.auth.oidc.scopes_of(upstream.groups.iter().map(String::as_str));
    Ok(SignedIn { key: upstream.key(), name: upstream.name.clone(), login: upstream.login.clone(), principals, scopes })
}

/// Somebody as the provider knows them now; `None`: their session is over.
async fn current(
    app: &Arc<App>,
    request: &HttpRequest,
    token: &str,
    upstream: Upstream,
) -> Result<Option<Upstream>, Error> {
    let Some(provider) = app.upstreams.provider.clone() else {
        app.sessions.end(token);
        return Ok(None);
    };
    let reason = match provider.due(&upstream, now()) {
        Due::Nothing => return Ok(Some(upstream)),
        Due::Over(reason) => reason,
        Due::Asking => match renewed(app, &provider, token).await? {
            Ok(upstream) => return Ok(Some(upstream)),
            Err(None) => return Ok(None),
            Err(Some(reason)) => reason,
        },
    };
    app.sessions.end(token);
    tracing::info!(target: "access", name = upstream.key(), reason, "session over");
    app.audit.note(&event("session-ended", &upstream.key(), app, request).about("reason", reason));
    Ok(None)
}

/// Asks the provider; one request of a session at a time, to its end even if the browser has gone: a refresh token may be
/// good only once, and what it was given for must not be lost.
async fn renewed(
    app: &Arc<App>,
    provider: &Arc<Provider>,
    token: &str,
) -> Result<Result<Upstream, Option<&'static str>>, Error> {
    let turn = provider.turns.of(token).lock_owned().await;
    // Whoever had the turn before may have asked already, or the session is over.
    let session = app.sessions.find(token, now());
    let Some(Holder::Upstream(upstream)) = session.map(|session| session.holder) else { return Ok(Err(None)) };
    match provider.due(&upstream, now()) {
        Due::Nothing => return Ok(Ok(*upstream)),
        Due::Over(reason) => return Ok(Err(Some(reason))),
        Due::Asking => {}
    }
    let (app, provider, token) = (Arc::clone(app), Arc::clone(provider), token.to_owned());
    let ask = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        match provider.renew(&upstream, now()) {
            Renewal::Renewed(upstream) => {
                app.sessions.keep(&token, (*upstream).clone());
                app.sessions.save_soon(now());
                Ok(*upstream)
            }
            Renewal::Waits(upstream) => {
                app.sessions.keep(&token, (*upstream).clone());
                Ok(*upstream)
            }
            Renewal::Over(reason) => {
                app.sessions.end(&token);
                Err(Some(reason))
            }
        }
    });
    ask.await.map_err(Error::internal)
}
