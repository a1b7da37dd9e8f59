//! Access control: the check that stands around each route.

use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, HttpRequest, web};
use serde_json::{Map, Value};

use super::caller::{Caller, Manner, caller};
use super::forwarded;
use super::hosts;
use super::keyfile::Scope;
use super::observe::current_request;
use super::site::{self, Site};
use crate::app::App;
use crate::audit::{self, AuditEvent};
use crate::error::Error;
use crate::mcp;

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing, not even a known host: for probes.
    Nothing,
    /// Nothing but a known host: what is the same for all.
    Host,
    /// Somebody who may come in, for whatever: to hear that there is nothing here.
    Caller,
    /// Somebody with this scope.
    Scope(Scope),
}

/// Who looks at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// People, whose browser can ask for a key.
    Page,
    Program,
    /// Assistants, which can be told where to get a token.
    Agent,
    /// Nothing is there: whoever asks for HTML, and not below the API, is taken for a person.
    Either,
}

impl Face {
    fn is_page(self, request: &HttpRequest) -> bool {
        match self {
            Self::Page => true,
            Self::Program | Self::Agent => false,
            Self::Either => accepts_html(request) && !is_below_api(request.match_info().as_str()),
        }
    }
}

/// Only the form of an answer hangs on it, never whether there is one.
fn is_below_api(path: &str) -> bool {
    ["/api/", "/v1/", "/v2/"].iter().any(|start| path.starts_with(start))
}

/// Whether a failure is told as a page.
pub(crate) fn wants_page(request: &HttpRequest) -> bool {
    let face = request.extensions().get::<Face>().copied();
    face.is_some_and(|face| face.is_page(request)) && accepts_html(request)
}

fn accepts_html(request: &HttpRequest) -> bool {
    let accepts = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accepts.is_some_and(|accept| accept.contains("text/html"))
}

/// The check: host and origin, caller and scope, rate. Only what passes reaches the handler.
pub(super) async fn pass(
    app: web::Data<App>,
    need: Need,
    face: Face,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, actix_web::Error> {
    request.extensions_mut().insert(face);
    let app = app.into_inner();
    let admitted = admit(&app, need, face, &request).await;
    // The path as the router read it.
    let admitted = admitted.and_then(|()| in_normal_form(request.match_info().as_str()));
    let event = request.match_pattern().and_then(|pattern| {
        audit::event_of(request.method(), &pattern, app.audit.has_queries()).filter(|_| app.audit.is_on())
    });
    let refused = if event.is_some() && app.audit.refuses() { Err(Error::Audit) } else { Ok(()) };
    match (admitted.and(refused), event) {
        (Ok(()), None) => next.call(request).await,
        (Ok(()), Some(event)) => {
            let (response, about) = audit::observed(next.call(request)).await;
            let response = response?;
            // What failed has not happened.
            let is_good = response.status().is_success() || response.status().is_redirection();
            if is_good && !audit::is_refused(&about) {
                note(&app, event, &response, about);
            }
            Ok(response)
        }
        (Err(error), _) => {
            let mut refused = request.error_response(error);
            if face == Face::Agent {
                mcp::lead_to_tokens(&mut refused);
            }
            Ok(refused)
        }
    }
}

/// Puts what was answered into the audit log.
fn note(app: &App, event: &'static str, response: &ServiceResponse, about: Map<String, Value>) {
    let request = response.request();
    let address = forwarded::client(request, &app.config.auth).map(|address| address.to_string());
    let caller = request.extensions().get::<Caller>().cloned().unwrap_or_default();
    let mut event = AuditEvent::new(event, &caller.name).of(&caller).by(address, current_request());
    let pattern = request.match_pattern().unwrap_or_default();
    for (what, value) in request.match_info().iter() {
        let what = match what {
            "id" if pattern.contains("/jobs/") => "job",
            "id" if pattern.contains("/keys/") => "key",
            "id" => "document",
            "name" if pattern.contains("/users/") => "user",
            _ => "source",
        };
        event = event.about(what, value);
    }
    app.audit.note(&event.with(about));
}

/// How a browser is asked who it is: by the page to sign in where there are users, else for a key as a password.
fn manner(app: &App, face: Face, request: &HttpRequest) -> Manner {
    if face == Face::Agent {
        return Manner::Agent;
    }
    if !app.has_sign_in() {
        // There is no key to ask for before the server is set up.
        let is_set_up = !app.set_up.is_pending(crate::jobs::now());
        return if is_set_up && face.is_page(request) { Manner::Prompt } else { Manner::Program };
    }
    // A script that puts a page in place is no visitor who could sign in there.
    let is_visit = *request.method() == Method::GET && !request.headers().contains_key("x-quarry-part");
    if is_visit && face.is_page(request) && accepts_html(request) { Manner::SignIn } else { Manner::Program }
}

/// An address has one form: others that browsers or proxies would turn into it are no addresses here.
fn in_normal_form(path: &str) -> Result<(), Error> {
    let segments = path.strip_prefix('/').unwrap_or(path);
    let is_root = segments.is_empty();
    let is_normal =
        |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains(|c: char| c.is_control() || c == '\\');
    if is_root || segments.split('/').all(is_normal) { Ok(()) } else { Err(Error::NotFound { what: "this address" }) }
}

async fn admit(app: &Arc<App>, need: Need, face: Face, request: &ServiceRequest) -> Result<(), Error> {
    if need == Need::Nothing {
        return Ok(());
    }
    let host = hosts::check(request.request(), &app.config)?;
    let site = site::of(request.headers(), &host);
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if site == Site::Foreign && is_change {
        return Err(Error::Origin);
    }
    if need == Need::Host {
        return Ok(());
    }
    let address = forwarded::client(request.request(), &app.config.auth);
    let address = address.map_or_else(|| "unknown".to_string(), |address| address.to_string());
    let manner = manner(app, face, request.request());
    let caller = match caller(app, request, site, manner, &address).await {
        Ok(caller) => caller,
        Err(error) => {
            // Guessing keys costs tokens of the address it comes from.
            app.rates.take(&address)?;
            return Err(error);
        }
    };
    if !caller.is_owner {
        app.rates.take(&caller.name)?;
    }
    // A browser adds a cookie to whatever it is made to send: only what one of our own pages asks for is a wish.
    if is_change && site != Site::Own && caller.has_session() {
        return Err(Error::Origin);
    }
    let missing = match need {
        Need::Scope(scope) if !caller.may(scope) => Some(scope),
        _ => None,
    };
    request.extensions_mut().insert(caller);
    if let Some(scope) = missing {
        return Err(Error::Scope { needed: scope.name() });
    }
    // Whatever needs more than searching changes what the next backup brings.
    let changes = is_change && matches!(need, Need::Scope(Scope::Index | Scope::Admin));
    if changes && app.config.follow.place().is_some() { Err(Error::Follows) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form() {
        for good in ["/", "/a", "/api/v1/sources/.wiki", "/api/v1/sources/a.b/index", "/a/...", "/größe"] {
            assert!(in_normal_form(good).is_ok(), "{good}");
        }
        for bad in ["//", "/a/", "/a//b", "//a", "/./a", "/a/.", "/a/..", "/../a", "/a\\b", "/a\0", "/a\n", "/a/\u{9b}"]
        {
            assert!(matches!(in_normal_form(bad), Err(Error::NotFound { .. })), "{bad:?}");
        }
    }
}
