//! The caller of a request: who asks, what they may do, and as whom.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use storage::{Principal, Principals, Viewer};

use super::forwarded;
use super::keyfile::Scope;
use super::keys::Known;
use super::site::Site;
use crate::app::App;
use crate::error::Error;
use crate::identity::{self, ProxyUser, SignedIn};
use crate::socket::{Owner, Way};

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Name for the log and for the rate: the id of a key, a user, or an address.
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
    /// The person, where there is one, for the page to show.
    pub(crate) visitor: Option<Visitor>,
    /// Whether it is the user that the server runs as, who may do here what they may do with the data folder.
    pub(crate) is_owner: bool,
}

/// A person who looks at pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visitor {
    /// As they are called.
    pub(crate) name: String,
    /// As whom they ask, in words: what an administrator writes where documents are to be open to them.
    pub(crate) known_as: String,
    /// Whether they signed in here, and can sign out here.
    pub(crate) has_session: bool,
}

impl Visitor {
    fn new(name: String, principals: &Principals, has_session: bool) -> Self {
        let known_as = principals.iter().map(Principal::as_str).collect::<Vec<_>>().join(", ");
        Self { name, known_as, has_session }
    }
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
    /// Whom the proxy names, or who has signed in.
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
        Self { name, scopes, asker: None, principals, sees, sources: None, visitor: None, is_owner: false }
    }

    /// Whether there is nothing that is hidden from the caller.
    pub(crate) fn sees_everything(&self) -> bool {
        self.sees == Sees::Everything
    }

    /// Whether the caller may put and remove documents of a source, as far as it is limited to some.
    pub(crate) fn may_change(&self, source: &str) -> bool {
        self.sees_everything()
            || self.sources.as_ref().is_none_or(|sources| sources.iter().any(|known| known == source))
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

    /// Whether it is by a session that they are known.
    pub(super) fn has_session(&self) -> bool {
        self.visitor.as_ref().is_some_and(|visitor| visitor.has_session)
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

/// How somebody who is not known is told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// As programs are.
    Program,
    /// As assistants are: they are told where tokens come from, and those that are made for their address count.
    Agent,
    /// The browser asks for a key.
    Prompt,
    /// The browser is led to the page to sign in.
    SignIn,
}

impl Manner {
    fn no_key(self, request: &HttpRequest) -> Error {
        match self {
            Self::SignIn => {
                Error::SignIn { back: request.uri().path_and_query().map_or("/", |path| path.as_str()).into() }
            }
            manner => Error::NoKey { browser: manner == Self::Prompt },
        }
    }

    fn bad_key(self) -> Error {
        Error::BadKey { browser: self == Self::Prompt }
    }
}

/// Who asks, with the user of the file system that they are.
pub(super) async fn caller(
    app: &Arc<App>,
    request: &ServiceRequest,
    site: Site,
    manner: Manner,
    address: &str,
) -> Result<Caller, Error> {
    let mut caller = identified(app, request, site, manner, address).await?;
    if caller.sees == Sees::Permitted
        && let Some(user) = app.posix.user_of(&caller.principals)
    {
        let more = posix(app, &user).await?;
        caller.principals = Principals::of(caller.principals.iter().cloned().chain(more));
    }
    Ok(caller)
}

/// All that a user of the file system is. Where the system cannot tell, somebody is none, to whom fewer files are open.
async fn posix(app: &Arc<App>, user: &str) -> Result<Vec<Principal>, Error> {
    if let Some(known) = app.posix.known(user) {
        return Ok(known);
    }
    let (asking, name) = (Arc::clone(app), user.to_owned());
    let asked = tokio::task::spawn_blocking(move || asking.posix.ask(&name)).await.map_err(Error::internal)?;
    Ok(asked.unwrap_or_else(|error| {
        tracing::error!("the system does not say who its user {user:?} is: {error}");
        Vec::new()
    }))
}

/// Who asks: whom a trusted proxy names, who holds a key, who has signed in; without any of these, whoever is at this machine.
async fn identified(
    app: &Arc<App>,
    request: &ServiceRequest,
    site: Site,
    manner: Manner,
    address: &str,
) -> Result<Caller, Error> {
    let own = (site == Site::Own).then_some(());
    if request.app_data::<Way>() == Some(&Way::Owner) {
        return owner(request.request());
    }
    let auth = &app.config.auth;
    let is_named = app.config.trusts_proxy() && forwarded::is_by_proxy(request.request(), auth);
    let named = if is_named { identity::proxy_user(request.request(), auth)? } else { None };
    if let Some(ProxyUser { name, principals }) = named {
        let principals = app.upstreams.with_groups(principals, Some(&name)).await?;
        let asker = own.map(|()| Person::User(name.clone()));
        let visitor = Some(Visitor::new(name.clone(), &principals, false));
        let caller = Caller::new(format!("user {name}"), auth.proxy_scopes.clone(), principals);
        return Ok(Caller { asker, visitor, ..caller });
    }
    // Without keys and users only loopback addresses are listened on: see `server`. Some clients cannot send no key at all;
    // what they send then means nothing.
    if app.is_open() {
        let asker = own.map(|()| Person::Anybody);
        return Ok(Caller { asker, ..Caller::new(address.to_string(), vec![Scope::Admin], Principals::anybody()) });
    }
    match presented(request) {
        Some(presented) => holder(app, presented, site, manner).await,
        None => {
            let visitor = identity::session_visitor(app, request.request()).await?;
            let visitor = visitor.ok_or_else(|| manner.no_key(request.request()))?;
            known(app, visitor, own, By::Browser).await
        }
    }
}

/// Who comes by the socket in the data folder. Whoever is not its owner has got hold of a folder that is not theirs.
fn owner(request: &HttpRequest) -> Result<Caller, Error> {
    let Owner { user } = request.conn_data::<Owner>().copied().ok_or(Error::BadKey { browser: false })?;
    let asker = Some(Person::User(format!("uid {user}")));
    let caller = Caller::new(format!("command line, user {user}"), vec![Scope::Admin], Principals::anybody());
    Ok(Caller { asker, is_owner: true, ..caller })
}

/// Somebody who has shown who they are: by a session of a browser, or a program by a token.
async fn known(app: &App, visitor: SignedIn, own: Option<()>, by: By) -> Result<Caller, Error> {
    let SignedIn { key, name, login, principals, scopes } = visitor;
    let principals = app.upstreams.with_groups(principals, login.as_deref()).await?;
    let asker = own.map(|()| Person::User(key.clone()));
    let shown = matches!(by, By::Browser).then(|| Visitor::new(name, &principals, true));
    Ok(Caller { asker, visitor: shown, ..Caller::new(format!("user {key}"), scopes, principals) })
}

/// Who holds a key.
async fn holder(app: &Arc<App>, presented: Presented, site: Site, manner: Manner) -> Result<Caller, Error> {
    let Presented { key, by } = presented;
    let is_meant = match (site, by) {
        (Site::Own, _) | (Site::Unknown, By::Program) => true,
        (Site::Unknown, By::Browser) | (Site::Foreign, _) => false,
    };
    let meant = is_meant.then_some(());
    if let Some(visitor) = identity::bearer_visitor(app, &key, audiences(app, manner)).await? {
        return known(app, visitor, meant, By::Program).await;
    }
    let record = match app.keys.look_up(&key) {
        Known::Valid(record) => record,
        Known::Invalid => return Err(manner.bad_key()),
        Known::Unchecked(record) => {
            let permit = app.admission.enter().await?;
            let (app, candidate) = (Arc::clone(app), Arc::clone(&record));
            let check = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                app.keys.check(&candidate, &key)
            });
            if !check.await.map_err(Error::internal)? {
                return Err(manner.bad_key());
            }
            record
        }
    };
    let asker = meant.map(|()| Person::Key(record.id.clone()));
    let sources = record.holder.sources.clone();
    let caller = Caller::new(format!("key {}", record.id), record.scopes.clone(), record.holder.principals());
    Ok(Caller { asker, sources, ..caller })
}

/// For whom a token of the provider has to be made.
fn audiences(app: &App, manner: Manner) -> Vec<String> {
    let own = Some(app.config.auth.oidc.audience.clone()).filter(|audience| !audience.is_empty());
    let agents = (manner == Manner::Agent).then(|| app.config.agent_audience()).flatten();
    own.into_iter().chain(agents).collect()
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
    fn admin_includes_the_others() {
        let admin = Caller { scopes: vec![Scope::Admin], ..Caller::default() };
        let search = Caller { scopes: vec![Scope::Search], ..Caller::default() };
        assert!(admin.may(Scope::Index) && search.may(Scope::Search) && !search.may(Scope::Index));
        assert!(admin.sees_places() && !search.sees_places() && !Caller::default().may(Scope::Search));
    }
}
