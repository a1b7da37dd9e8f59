//! Access control, who asks and whether they may: the check that stands around each route.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use storage::{Principal, PrincipalKind, Principals, Viewer};

use super::forwarded;
use super::hosts;
use super::keyfile::Scope;
use super::keys::Known;
use super::site::{self, Site};
use crate::app::App;
use crate::error::Error;

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Name for the log and for the rate: the id of a key, a user the proxy names, or an address.
    pub(crate) name: String,
    /// What they may do.
    pub(crate) scopes: Vec<Scope>,
    /// Whose wish this request is; `None` where another site may have made a browser send it.
    pub(crate) asker: Option<Person>,
    /// As whom they ask.
    pub(crate) principals: Principals,
    /// Which documents there are for them.
    pub(crate) sees: Sees,
    /// The only sources that there are for them; `None`: all.
    pub(crate) sources: Option<Vec<String>>,
}

/// Which documents there are for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sees {
    /// All, whatever their access: the one person of a machine without keys, and whoever has the scope `admin`.
    Everything,
    /// Those whose access lets the caller's principals through.
    Permitted,
}

/// Somebody who can be told from others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Person {
    /// Whoever comes without a key: all of them count as one.
    Anybody,
    /// Who holds the key with this id.
    Key(String),
    /// Whom the proxy names.
    User(String),
}

/// Nobody, who may do nothing.
impl Default for Caller {
    fn default() -> Self {
        Self::new(String::new(), Vec::new(), Principals::anybody())
    }
}

impl Caller {
    /// Somebody with these scopes, who asks as all of these.
    pub(crate) fn new(name: String, scopes: Vec<Scope>, principals: Principals) -> Self {
        let sees = if scopes.contains(&Scope::Admin) { Sees::Everything } else { Sees::Permitted };
        Self { name, scopes, asker: None, principals, sees, sources: None }
    }

    /// Whether there is nothing that is hidden from the caller.
    pub(crate) fn sees_everything(&self) -> bool {
        self.sees == Sees::Everything
    }

    /// For whom documents are read.
    pub(crate) fn viewer(&self) -> Viewer {
        match (self.sees, &self.sources) {
            (Sees::Everything, _) => Viewer::of_everything(),
            (Sees::Permitted, None) => Viewer::person(self.principals.clone()),
            (Sees::Permitted, Some(sources)) => Viewer::person(self.principals.clone()).within(sources.iter().cloned()),
        }
    }

    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// Whether the caller may know where things are on the server.
    pub(crate) fn sees_places(&self) -> bool {
        self.may(Scope::Admin)
    }
}

/// The caller that the check let in; nobody, with no rights, where a route needs none.
impl FromRequest for Caller {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(request.extensions().get::<Self>().cloned().unwrap_or_default()))
    }
}

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
    /// Nothing is there: whoever asks for HTML, and not below the API, is taken for a person.
    Either,
}

impl Face {
    fn is_page(self, request: &HttpRequest) -> bool {
        match self {
            Self::Page => true,
            Self::Program => false,
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
    let admitted = admit(&app.into_inner(), need, face, &request).await;
    // The path as the router read it.
    match admitted.and_then(|()| in_normal_form(request.match_info().as_str())) {
        Ok(()) => next.call(request).await,
        Err(error) => Ok(request.error_response(error)),
    }
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
    if site == Site::Foreign && !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Err(Error::Origin);
    }
    if need == Need::Host {
        return Ok(());
    }
    let address = forwarded::client(request.request(), &app.config.auth);
    let address = address.map_or_else(|| "unknown".to_string(), |address| address.to_string());
    let caller = match caller(app, request, site, face, &address).await {
        Ok(caller) => caller,
        Err(error) => {
            // Guessing keys costs tokens of the address it comes from.
            app.rates.take(&address)?;
            return Err(error);
        }
    };
    app.rates.take(&caller.name)?;
    let missing = match need {
        Need::Scope(scope) if !caller.may(scope) => Some(scope),
        _ => None,
    };
    request.extensions_mut().insert(caller);
    missing.map_or(Ok(()), |scope| Err(Error::Scope { needed: scope.name() }))
}

async fn caller(
    app: &Arc<App>,
    request: &ServiceRequest,
    site: Site,
    face: Face,
    address: &str,
) -> Result<Caller, Error> {
    let own = (site == Site::Own).then_some(());
    if let Some(user) = proxy_user(app, request.request()) {
        let asker = own.map(|()| Person::User(user.clone()));
        let principals = Principals::of(Principal::named(PrincipalKind::User, &user).ok());
        let caller = Caller::new(format!("user {user}"), app.config.auth.proxy_scopes.clone(), principals);
        return Ok(Caller { asker, ..caller });
    }
    // Without keys only loopback addresses are listened on: see `server`. Some clients cannot send no key at all; what
    // they send then means nothing. Behind a proxy everybody comes from its address: that proves nothing.
    if !app.keys.are_required() && !app.config.has_proxy() && app.config.server.is_local() {
        let asker = own.map(|()| Person::Anybody);
        return Ok(Caller { asker, ..Caller::new(address.to_string(), vec![Scope::Admin], Principals::anybody()) });
    }
    let browser = face.is_page(request.request());
    let Presented { key, by } = presented(request).ok_or(Error::NoKey { browser })?;
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
    let is_meant = match (site, by) {
        (Site::Own, _) | (Site::Unknown, By::Program) => true,
        (Site::Unknown, By::Browser) | (Site::Foreign, _) => false,
    };
    let asker = is_meant.then(|| Person::Key(record.id.clone()));
    let caller = Caller::new(format!("key {}", record.id), record.scopes.clone(), Principals::anybody());
    Ok(Caller { asker, ..caller })
}

/// The user that a trusted proxy names.
fn proxy_user(app: &App, request: &HttpRequest) -> Option<String> {
    let auth = &app.config.auth;
    if auth.proxy_header.is_empty() || !forwarded::is_by_proxy(request, auth) {
        return None;
    }
    let mut users = request.headers().get_all(auth.proxy_header.as_str());
    let user = users.next()?.to_str().ok().filter(|user| !user.is_empty())?;
    // Two values: one of them may have come through from the client.
    users.next().is_none().then(|| user.to_string())
}

/// The key of a request, and who put it there.
struct Presented {
    key: String,
    by: By,
}

/// Who put a key into a request.
#[derive(Clone, Copy)]
enum By {
    /// A program, or a script of our own page: no other site can make a browser send these headers.
    Program,
    /// The browser, by itself, as it was asked for a password: whichever site made it send the request.
    Browser,
}

/// The key of a request: `Authorization: Bearer`, `X-API-Key`, or the password a browser was asked for.
fn presented(request: &ServiceRequest) -> Option<Presented> {
    let headers = request.headers();
    let by_program = |key: &str| Presented { key: key.to_string(), by: By::Program };
    if let Some(key) = headers.get("x-api-key") {
        return key.to_str().ok().map(by_program);
    }
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, value) = authorization.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(by_program(value.trim()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| Presented { key: password.to_string(), by: By::Browser })
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

    #[test]
    fn admin_includes_the_others() {
        let admin = Caller { scopes: vec![Scope::Admin], ..Caller::default() };
        let search = Caller { scopes: vec![Scope::Search], ..Caller::default() };
        assert!(admin.may(Scope::Index) && search.may(Scope::Search) && !search.may(Scope::Index));
        assert!(admin.sees_places() && !search.sees_places() && !Caller::default().may(Scope::Search));
    }
}
