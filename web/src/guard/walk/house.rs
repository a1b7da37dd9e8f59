//! The house that is walked through, and everybody who asks there: by keys, sessions and proxies, those who may and those who
//! may not, or no more.

use std::path::Path;
use std::sync::Arc;

use actix_web::web;
use serde_json::json;

use crate::app::App;
use crate::audit::Audit;
use crate::brand::Brand;
use crate::config::{AuthConfig, Config, ServerConfig};
use crate::guard::{KeyFile, KeyHolder, Keys, Need, Scope};
use crate::identity::stand_in::{self, ISSUER, Key, StandIn};
use crate::identity::{Holder, People, Session, Upstreams, UserFile};
use crate::jobs::now;

/// Somebody who asks, and what they may do.
pub(super) struct Guest {
    pub(super) name: &'static str,
    /// What they bring.
    pub(super) headers: Vec<(&'static str, String)>,
    /// Where they come from.
    pub(super) peer: &'static str,
    pub(super) scopes: Vec<Scope>,
}

const COOKIE: &str = "quarry-session=";
pub(super) const HERE: &str = "127.0.0.1:9";
const PROXY: &str = "10.0.0.1:9";

impl Guest {
    fn new(name: &'static str, headers: &[(&'static str, &str)], scopes: &[Scope]) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { name, headers, peer: HERE, scopes: scopes.to_vec() }
    }

    fn by_proxy(self) -> Self {
        Self { peer: PROXY, ..self }
    }

    pub(super) fn may(&self, need: Need) -> bool {
        match need {
            Need::Nothing | Need::Host => true,
            Need::Caller => !self.scopes.is_empty(),
            Need::Scope(scope) => self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin),
        }
    }

    /// What those are told who may not come in: who they are not, or that nobody can tell.
    pub(super) fn turned_away(&self) -> u16 {
        if self.name == "an unreadable user" { 403 } else { 401 }
    }
}

/// A server without an index: what passes the check is told that it is starting, or that its body is missing.
pub(super) struct House {
    pub(super) app: web::Data<App>,
    pub(super) guests: Vec<Guest>,
    /// Sessions that last, with their tokens.
    sessions: Vec<(String, Session)>,
    _folder: tempfile::TempDir,
}

impl House {
    pub(super) fn new(server: ServerConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let auth = AuthConfig {
            proxy_header: "x-user".into(),
            proxy_groups_header: "x-groups".into(),
            proxy_from: vec!["10.0.0.1".parse().unwrap()],
            proxy_scopes: vec![Scope::Search],
            oidc: StandIn::config(),
            ..AuthConfig::default()
        };
        let mut guests = holders(folder.path());
        let people = with_people(folder.path());
        let keys = Keys::open(KeyFile::of(folder.path())).unwrap();
        let config = Config { server, auth, ..Config::default() };
        let audit = Audit::start(&config.audit, folder.path()).unwrap();
        let upstreams = Upstreams { provider: Some(Arc::new(StandIn::new().provider(|_| {}))), ..Upstreams::default() };
        let app = App::new(config, Brand::default(), keys, people, upstreams, audit, folder.path());
        guests.extend(visitors(&app));
        guests.extend(known_to_the_provider(&app));
        guests.extend(named_by_proxies());
        let tokens = guests.iter().flat_map(|guest| &guest.headers).filter_map(|(_, value)| value.strip_prefix(COOKIE));
        let sessions = tokens.filter_map(|token| Some((token.to_owned(), app.sessions.find(token, now())?))).collect();
        Self { app: web::Data::from(Arc::new(app)), guests, sessions, _folder: folder }
    }

    /// Signs those in again whom the last request has signed out.
    pub(super) fn renew(&self) {
        self.sessions.iter().for_each(|(token, session)| self.app.sessions.put_back(token, session.clone()));
    }
}

/// Those who bring a key, or none.
fn holders(folder: &Path) -> Vec<Guest> {
    let file = KeyFile::of(folder);
    let make = |scope, expires, holder| file.create("x", vec![scope], expires, holder).unwrap();
    let with = |name, key: &str, scopes: &[Scope]| Guest::new(name, &[("x-api-key", key)], scopes);
    let mut guests = vec![Guest::new("nobody", &[], &[]), with("a guesser", "qk_00000000_x", &[])];
    for scope in [Scope::Search, Scope::Index, Scope::Admin] {
        guests.push(with(scope.name(), &make(scope, None, KeyHolder::default()).key, &[scope]));
    }
    let bot = KeyHolder {
        user: Some("user:bot".parse().unwrap()),
        groups: vec!["group:staff".parse().unwrap()],
        sources: Some(vec!["wiki".into()]),
    };
    guests.push(with("a bot", &make(Scope::Search, None, bot).key, &[Scope::Search]));
    let revoked = make(Scope::Admin, None, KeyHolder::default());
    file.revoke(&revoked.record.id).unwrap();
    guests.push(with("revoked", &revoked.key, &[]));
    guests.push(with("expired", &make(Scope::Admin, Some(now() - 1), KeyHolder::default()).key, &[]));
    guests
}

/// Whom the visitors below are.
fn with_people(folder: &Path) -> People {
    let file = UserFile::of(folder);
    let add = |name, scope| file.add(name, "correct horse", vec![scope], &["staff".to_owned()]).unwrap();
    add("anna", Scope::Search);
    for administrator in ["root", "disabled", "removed", "renewed"] {
        add(administrator, Scope::Admin);
    }
    People::open(file).unwrap()
}

/// Those who have signed in, and those who have no more.
fn visitors(app: &App) -> Vec<Guest> {
    let begin = |name: &str, now| {
        let user = app.people.find(name).unwrap();
        let holder = Holder::Local { user: user.name.clone(), bond: user.bond.clone() };
        app.sessions.begin(holder, now).unwrap()
    };
    let session = |name: &str| begin(name, now());
    let with = |name, token: &str, scopes: &[Scope]| {
        // What a browser says of a request that one of our own pages makes.
        let headers = [("cookie", &*format!("{COOKIE}{token}")), ("sec-fetch-site", "same-origin")];
        Guest::new(name, &headers, scopes)
    };
    let mut guests = vec![with("a user", &session("anna"), &[Scope::Search])];
    guests.push(with("an administrator", &session("root"), &[Scope::Admin]));
    guests.push(with("a forger", "x", &[]));
    for gone in ["disabled", "removed", "renewed"] {
        guests.push(with(gone, &session(gone), &[]));
    }
    let ended = session("root");
    app.sessions.end(&ended);
    guests.push(with("signed out", &ended, &[]));
    let old = begin("root", now() - 1_000_000);
    guests.push(with("too late", &old, &[]));
    let file = UserFile::of(&app.data_dir);
    file.set_disabled("disabled", Some(1)).unwrap();
    file.remove("removed").unwrap();
    file.set_password("renewed", "another horse").unwrap();
    guests
}

/// Those whom the provider has signed in, and programs that bring its tokens.
fn known_to_the_provider(app: &App) -> Vec<Guest> {
    let session = |name, groups: &[&str], ago, scopes: &[Scope]| {
        let upstream = stand_in::upstream("anna", groups, ago);
        let token = app.sessions.begin(Holder::Upstream(Box::new(upstream)), now()).unwrap();
        Guest::new(name, &[("cookie", &*format!("{COOKIE}{token}")), ("sec-fetch-site", "same-origin")], scopes)
    };
    let token = |name, audience: &str, until, scopes: &[Scope]| {
        let claims = json!({"iss": ISSUER, "aud": audience, "sub": "bot", "groups": [], "iat": now(), "exp": until});
        Guest::new(name, &[("authorization", &*format!("Bearer {}", Key::Ed.token(&claims)))], scopes)
    };
    vec![
        session("a person of the provider", &["staff"], 0, &[Scope::Search]),
        session("an administrator of the provider", &["it"], 0, &[Scope::Admin]),
        session("somebody who cannot be asked for again", &["it"], 1_000_000, &[]),
        token("a program with a token", "quarry-api", now() + 100_000, &[Scope::Search]),
        token("a program with an old token", "quarry-api", now() - 1_000, &[]),
        token("a program with a token for others", "quarry", now() + 100_000, &[]),
    ]
}

/// A program with a token of the provider that is made for the place where assistants connect.
pub(super) fn assistant(audience: &str) -> Guest {
    let claims =
        json!({"iss": ISSUER, "aud": audience, "sub": "bot", "groups": [], "iat": now(), "exp": now() + 100_000});
    Guest::new("an assistant", &[("authorization", &*format!("Bearer {}", Key::Ed.token(&claims)))], &[])
}

/// Those whom a proxy names, and those who say so themselves.
fn named_by_proxies() -> Vec<Guest> {
    vec![
        Guest::new("a user of the proxy", &[("x-user", "anna"), ("x-groups", "hr, staff")], &[Scope::Search])
            .by_proxy(),
        Guest::new("nobody of the proxy", &[("x-groups", "hr")], &[]).by_proxy(),
        Guest::new("an unreadable user", &[("x-user", "anna"), ("x-groups", "a\tb")], &[]).by_proxy(),
        Guest::new("a user of no proxy", &[("x-user", "root"), ("x-groups", "hr")], &[]),
    ]
}
