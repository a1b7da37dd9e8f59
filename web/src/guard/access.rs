//! Who asks, and whether they may: one table from addresses to scopes, checked before any handler.

use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::hosts;
use super::keyfile::Scope;
use super::keys::Known;
use crate::app::App;
use crate::error::Error;

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Name for the log: the id of a key, a user the proxy names, or an address.
    pub(crate) name: String,
    /// What they may do.
    pub(crate) scopes: Vec<Scope>,
}

impl Caller {
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }
}

/// What an address needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Nothing, not even a known host: for probes.
    Nothing,
    /// Nothing but a known host: what is the same for all.
    Host,
    Scope(Scope),
}

/// The table. What is not in it is a page or does not exist: for those who may search.
fn need(method: &Method, path: &str) -> Need {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let api = path.strip_prefix("/api/v1/");
    match (path, api) {
        ("/health/live" | "/health/ready", _) if reads => Need::Nothing,
        ("/opensearch.xml" | "/favicon.ico", _) if reads => Need::Host,
        _ if reads
            && (path.starts_with("/assets/") || path.starts_with("/api/docs") || path == "/api/openapi.json") =>
        {
            Need::Host
        }
        ("/metrics", _) => Need::Scope(Scope::Admin),
        (_, Some(rest)) if !reads && rest.starts_with("documents") => Need::Scope(Scope::Index),
        (_, Some(rest)) if !reads && rest.starts_with("sources/") && rest.ends_with("/index") => {
            Need::Scope(Scope::Index)
        }
        (_, Some(rest)) if !reads && rest.starts_with("sources") => Need::Scope(Scope::Admin),
        _ => Need::Scope(Scope::Search),
    }
}

/// The middleware: host and origin, caller and scope, rate.
pub(crate) async fn access<B: MessageBody + 'static>(
    app: web::Data<App>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let app = app.into_inner();
    if let Err(error) = admit(&app, &request).await {
        return Ok(request.error_response(error).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

async fn admit(app: &Arc<App>, request: &ServiceRequest) -> Result<(), Error> {
    let need = need(request.method(), request.path());
    if need == Need::Nothing {
        return Ok(());
    }
    hosts::check(request, &app.config.server)?;
    let Need::Scope(scope) = need else { return Ok(()) };
    let address = request.peer_addr().map_or_else(|| "unknown".to_string(), |peer| peer.ip().to_string());
    let caller = match caller(app, request, &address).await {
        Ok(caller) => caller,
        Err(error) => {
            // Guessing keys costs tokens of the address it comes from.
            app.rates.take(&address)?;
            return Err(error);
        }
    };
    app.rates.take(&caller.name)?;
    let may = caller.may(scope);
    request.extensions_mut().insert(caller);
    if may { Ok(()) } else { Err(Error::Scope { needed: scope.name() }) }
}

async fn caller(app: &Arc<App>, request: &ServiceRequest, address: &str) -> Result<Caller, Error> {
    if let Some(caller) = by_proxy(app, request) {
        return Ok(caller);
    }
    // Without keys only loopback addresses are listened on: see `server`. Some clients cannot send no key at all; what
    // they send then means nothing.
    if !app.keys.exist() && !app.config.trusts_proxy() && app.config.server.listen.ip().is_loopback() {
        return Ok(Caller { name: address.to_string(), scopes: vec![Scope::Admin] });
    }
    let browser = is_page(request.path());
    let key = presented(request).ok_or(Error::NoKey { browser })?;
    let record = match app.keys.look_up(&key) {
        Known::Valid(record) => record,
        Known::Invalid => return Err(Error::BadKey { browser }),
        Known::Unchecked(record) => {
            let permit = app.admission.enter().await?;
            let (app, candidate) = (Arc::clone(app), Arc::clone(&record));
            let check = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                app.keys.check(&candidate, &key)
            });
            if !check.await.map_err(Error::internal)? {
                return Err(Error::BadKey { browser });
            }
            record
        }
    };
    Ok(Caller { name: format!("key {}", record.id), scopes: record.scopes.clone() })
}

/// The user that a trusted proxy names.
fn by_proxy(app: &App, request: &ServiceRequest) -> Option<Caller> {
    let auth = &app.config.auth;
    let peer = request.peer_addr()?.ip();
    if auth.proxy_header.is_empty() || !auth.proxy_from.contains(&peer) {
        return None;
    }
    let mut users = request.headers().get_all(auth.proxy_header.as_str());
    let user = users.next()?.to_str().ok().filter(|user| !user.is_empty())?;
    // Two values: one of them may have come through from the client.
    users.next().is_none().then(|| Caller { name: format!("user {user}"), scopes: auth.proxy_scopes.clone() })
}

/// The key of a request: `Authorization: Bearer`, `X-API-Key`, or the password a browser was asked for.
fn presented(request: &ServiceRequest) -> Option<String> {
    let headers = request.headers();
    if let Some(key) = headers.get("x-api-key") {
        return key.to_str().ok().map(str::to_string);
    }
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, value) = authorization.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_string());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_string())
}

/// Whether an address is looked at by people, whose browser can ask for a key.
pub(crate) fn is_page(path: &str) -> bool {
    !["/api/", "/v1/", "/v2/", "/metrics", "/embed", "/rerank"].iter().any(|start| path.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_asks_more_of_those_who_change_something() {
        let cases = [
            (Method::GET, "/health/live", Need::Nothing),
            (Method::GET, "/assets/page.css", Need::Host),
            (Method::GET, "/api/openapi.json", Need::Host),
            (Method::GET, "/", Need::Scope(Scope::Search)),
            (Method::POST, "/api/v1/search", Need::Scope(Scope::Search)),
            (Method::GET, "/api/v1/documents", Need::Scope(Scope::Search)),
            (Method::PUT, "/api/v1/documents", Need::Scope(Scope::Index)),
            (Method::DELETE, "/api/v1/documents/0", Need::Scope(Scope::Index)),
            (Method::POST, "/api/v1/documents/bulk", Need::Scope(Scope::Index)),
            (Method::POST, "/api/v1/sources/a/index", Need::Scope(Scope::Index)),
            (Method::POST, "/api/v1/sources", Need::Scope(Scope::Admin)),
            (Method::DELETE, "/api/v1/sources/a", Need::Scope(Scope::Admin)),
            (Method::GET, "/metrics", Need::Scope(Scope::Admin)),
            (Method::POST, "/v1/embeddings", Need::Scope(Scope::Search)),
            (Method::POST, "/health/live", Need::Scope(Scope::Search)),
        ];
        for (method, path, expected) in cases {
            assert_eq!(need(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn admin_includes_the_others() {
        let admin = Caller { name: String::new(), scopes: vec![Scope::Admin] };
        let search = Caller { name: String::new(), scopes: vec![Scope::Search] };
        assert!(admin.may(Scope::Index) && search.may(Scope::Search) && !search.may(Scope::Index));
    }
}
