//! Whole visits of somebody who signs in by the provider, through the server as it is.

use actix_web::body::to_bytes;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web;
use serde_json::{Value, json};
use std::sync::Arc;

use super::stand_in::{ISSUER, Key, PLACE, StandIn};
use super::upstream::Upstream;
use crate::app::App;
use crate::audit::{Audit, AuditConfig};
use crate::brand::Brand;
use crate::config::{AuthConfig, Config};
use crate::guard::{KeyFile, Keys};
use crate::identity::{Holder, People, Upstreams, UserFile};
use crate::jobs::now;
use crate::server::{Door, service};

/// A server without an index: what is let through is told that it is starting.
struct Desk {
    stand_in: StandIn,
    app: web::Data<App>,
    folder: tempfile::TempDir,
}

/// What is answered.
struct Answered {
    status: StatusCode,
    place: String,
    cookies: Vec<String>,
    refresh: String,
    text: String,
}

impl Answered {
    /// The value of a cookie that is given; empty: it is not, or is taken away.
    fn cookie(&self, name: &str) -> String {
        let start = format!("{name}=");
        let given = self.cookies.iter().find_map(|cookie| cookie.strip_prefix(&start));
        given.and_then(|rest| rest.split(';').next()).unwrap_or_default().to_owned()
    }
}

const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");

impl Desk {
    fn new(change: impl FnOnce(&mut AuthConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stand_in = StandIn::new();
        let mut auth = AuthConfig { oidc: StandIn::config(), ..AuthConfig::default() };
        change(&mut auth);
        let oidc = auth.oidc.clone();
        let provider = stand_in.provider(|config| *config = oidc);
        let config =
            Config { auth, audit: AuditConfig { enabled: true, ..AuditConfig::default() }, ..Config::default() };
        let audit = Audit::start(&config.audit, folder.path()).unwrap();
        let (keys, people) = (KeyFile::of(folder.path()), UserFile::of(folder.path()));
        let (keys, people) = (Keys::open(keys).unwrap(), People::open(people).unwrap());
        let upstreams = Upstreams { provider: Some(Arc::new(provider)), ..Upstreams::default() };
        let app = App::new(config, Brand::default(), keys, people, upstreams, audit, folder.path());
        Self { stand_in, app: web::Data::from(Arc::new(app)), folder }
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let server = init_service(service(self.app.clone(), Door::Main)).await;
        let request = TestRequest::default().method(method.parse().unwrap()).uri(path);
        let request = request.peer_addr("127.0.0.1:9".parse().unwrap()).insert_header(("host", "localhost"));
        let request = request.insert_header(("accept", "text/html")).set_payload(body.to_owned());
        let request = headers.iter().fold(request, |request, header| request.append_header(*header));
        let response = call_service(&server, request.to_request()).await;
        let header = |name: &str| {
            let value = response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            value.unwrap_or_default()
        };
        let cookies = response.headers().get_all("set-cookie").map(|value| value.to_str().unwrap().to_owned());
        let (place, refresh, cookies) = (header("location"), header("refresh"), cookies.collect());
        let status = response.status();
        let text = to_bytes(response.into_body()).await.ok().unwrap_or_default();
        Answered { status, place, cookies, refresh, text: String::from_utf8_lossy(&text).into_owned() }
    }

    async fn look(&self, path: &str, cookie: &str) -> Answered {
        self.ask("GET", path, &[("cookie", cookie)], "").await
    }

    /// Goes to the provider and comes back; with the cookie that the browser had by then.
    async fn comes_back(&self, back: &str, session: &str) -> Answered {
        let left = self.look(&format!("/sign-in/provider?back={back}"), session).await;
        assert_eq!(left.status, 303, "{}", left.text);
        let word = left.cookie("quarry-departure");
        assert!(
            word.len() == 43 && left.cookies[0].ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"),
            "{word}"
        );
        let answer = self.stand_in.signs_in(&left.place);
        let path = format!("/sign-in/callback?state={}&code={}", answer.state, answer.code);
        self.look(&path, &format!("quarry-departure={word}; {session}")).await
    }

    /// The cookie of somebody who has signed in.
    async fn signed_in(&self) -> String {
        let back = self.comes_back("%2Fstatus", "").await;
        assert_eq!((back.status.as_u16(), back.place.as_str()), (303, "/status"), "{}", back.text);
        format!("quarry-session={}", back.cookie("quarry-session"))
    }

    /// Makes a session look as if the provider had been asked so many minutes ago.
    fn age(&self, cookie: &str, minutes: i64) {
        let token = cookie.split_once('=').unwrap().1;
        let session = self.app.sessions.find(token, now()).unwrap();
        let Holder::Upstream(upstream) = session.holder else { panic!("of no provider") };
        self.app.sessions.keep(token, Upstream { checked: now() - minutes * 60, ..*upstream });
    }

    /// What the audit log says, once nothing more is written.
    fn audit(&self) -> Vec<Value> {
        self.app.audit.stop();
        let files = std::fs::read_dir(self.folder.path().join("audit")).unwrap();
        let text: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[actix_web::test]
async fn somebody_signs_in_by_the_provider_and_out_again() {
    let desk = Desk::new(|_| {});
    assert_eq!(desk.look("/status", "").await.place, "/sign-in?back=%2Fstatus", "nothing is open without");
    let page = desk.look("/sign-in?back=%2Fstatus", "").await;
    assert!(page.text.contains("/sign-in/provider?back=%2Fstatus") && page.text.contains("Sign in with id.example"));
    assert!(!page.text.contains("type=\"password\""), "nobody has one");

    let planted = "quarry-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let back = desk.comes_back("%2Fstatus", planted).await;
    let token = back.cookie("quarry-session");
    assert!(token.len() == 43 && !planted.contains(&token), "a token that nobody chose");
    let cookie = format!("quarry-session={token}");
    assert_eq!(desk.look("/status", &cookie).await.status, 503, "let in: there is no index");
    assert_eq!(desk.look("/metrics", &cookie).await.status, 403);
    assert_eq!(desk.look("/status", planted).await.status, 303);
    assert_eq!(desk.look("/sign-in?back=%2Fsearch", &cookie).await.place, "/search", "who is known goes on");

    let left = desk.ask("POST", "/sign-out", &[("cookie", &cookie), OWN], "").await;
    assert_eq!((left.status.as_u16(), left.cookie("quarry-session").as_str()), (200, ""));
    assert!(left.refresh.starts_with(&format!("0; url={ISSUER}/end?client_id=quarry&")), "{}", left.refresh);
    assert!(left.text.contains("You are signed out") && left.text.contains("Sign out of id.example as well"));
    assert_eq!(desk.look("/status", &cookie).await.status, 303);
    let events: Vec<String> = desk.audit().iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(events, ["server-started", "signed-in", "signed-out"]);
}

#[actix_web::test]
async fn nobody_is_led_to_another_site_or_signed_in_as_somebody_else() {
    let desk = Desk::new(|_| {});
    for evil in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "javascript%3Aalert(1)"] {
        assert_eq!(desk.comes_back(evil, "").await.place, "/", "{evil}");
    }
    let left = desk.look("/sign-in/provider", "").await;
    let answer = desk.stand_in.signs_in(&left.place);
    let path = format!("/sign-in/callback?state={}&code={}", answer.state, answer.code);
    let victim = desk.look(&path, "").await;
    assert_eq!((victim.status.as_u16(), victim.cookies.len()), (410, 0), "begun in another browser");
    assert!(victim.text.contains("This sign-in is over"), "{}", victim.text);
    let own = desk.look(&path, &format!("quarry-departure={}", left.cookie("quarry-departure"))).await;
    assert_eq!(own.status, 410, "nobody can use it any more");
    for odd in ["/sign-in/callback", "/sign-in/callback?state=x&code=y", "/sign-in/callback?error=x"] {
        assert_eq!(desk.look(odd, "quarry-departure=x").await.status, 410, "{odd}");
    }
    let twice = desk.look("/sign-in/callback?state=a&state=b", "").await.status;
    assert!(twice == 400 || twice == 410, "{twice}");
    let events = desk.audit();
    let failed: Vec<&Value> = events.iter().filter(|line| line["event"] == "sign-in-failed").collect();
    assert!(failed.len() >= 5 && failed.iter().all(|line| line["reason"] == "sign-in-stale"), "{failed:?}");
}

#[actix_web::test]
async fn two_windows_of_one_browser_sign_in() {
    let desk = Desk::new(|_| {});
    let first = desk.look("/sign-in/provider?back=%2Fa", "").await;
    let word = format!("quarry-departure={}", first.cookie("quarry-departure"));
    let second = desk.look("/sign-in/provider?back=%2Fb", &word).await;
    assert_eq!(second.cookie("quarry-departure"), first.cookie("quarry-departure"), "known by one word");
    let strange = desk.look("/sign-in/provider?back=%2Fb", "quarry-departure=planted").await;
    assert_ne!(strange.cookie("quarry-departure"), "planted", "and not by one that somebody else chose");
    for (left, place) in [(&first, "/a"), (&second, "/b")] {
        let answer = desk.stand_in.signs_in(&left.place);
        let back = desk.look(&format!("/sign-in/callback?state={}&code={}", answer.state, answer.code), &word).await;
        assert_eq!((back.status.as_u16(), back.place.as_str()), (303, place));
    }
}

#[actix_web::test]
async fn what_becomes_of_somebody_counts_while_their_session_lasts() {
    let desk = Desk::new(|_| {});
    desk.stand_in.state().person["groups"] = json!(["it"]);
    let cookie = desk.signed_in().await;
    assert_eq!(desk.look("/metrics", &cookie).await.status, 200, "an administrator");
    desk.stand_in.state().person["groups"] = json!(["staff"]);
    assert_eq!(desk.look("/metrics", &cookie).await.status, 200, "it is not asked all the time");
    desk.age(&cookie, 15);
    assert_eq!(desk.look("/metrics", &cookie).await.status, 403, "no more");
    assert_eq!(desk.look("/status", &cookie).await.status, 503, "but still somebody");
    desk.age(&cookie, 15);
    desk.stand_in.state().is_down = true;
    assert_eq!(desk.look("/status", &cookie).await.status, 503, "it is waited for");
    desk.stand_in.state().is_down = false;
    desk.age(&cookie, 16);
    assert_eq!(desk.look("/status", &cookie).await.status, 503, "not tried again at once");
    desk.stand_in.state().refuses = Some((400, "invalid_grant"));
    desk.app.sessions.keep(cookie.split_once('=').unwrap().1, {
        let session = desk.app.sessions.find(cookie.split_once('=').unwrap().1, now()).unwrap();
        let Holder::Upstream(upstream) = session.holder else { panic!("of no provider") };
        Upstream { tried: 0, checked: now() - 900, ..*upstream }
    });
    assert_eq!(desk.look("/status", &cookie).await.status, 303, "gone upstream, gone here");
    let ended = desk.audit();
    let ended = ended.iter().find(|line| line["event"] == "session-ended").unwrap();
    assert_eq!((&ended["reason"], &ended["who"]), (&json!("provider-refused"), &json!(format!("user {ISSUER}#anna"))));
}

#[actix_web::test]
async fn requests_that_come_at_once_use_a_refresh_token_once() {
    let desk = Desk::new(|_| {});
    let cookie = desk.signed_in().await;
    desk.age(&cookie, 20);
    let before = desk.stand_in.asked("/token");
    let all = futures_util::future::join_all((0..8).map(|_| desk.look("/status", &cookie))).await;
    assert!(all.iter().all(|answered| answered.status == 503), "all are let in");
    assert_eq!(desk.stand_in.asked("/token") - before, 1);
}

#[actix_web::test]
async fn the_provider_ends_sessions() {
    let desk = Desk::new(|_| {});
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let number = std::cell::Cell::new(0);
    let token = |more: Value| {
        number.set(number.get() + 1);
        let mut claims = json!({"iss": ISSUER, "aud": "quarry", "iat": now(), "exp": now() + 120, "jti": number.get().to_string(),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}}});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("logout_token={}", Key::Ed.token(&claims))
    };
    let first = desk.signed_in().await;
    desk.stand_in.state().person["sid"] = json!("s2");
    let second = desk.signed_in().await;
    let ended = desk.ask("POST", "/sign-in/back-channel", &[kind], &token(json!({"sub": "bert"}))).await;
    assert_eq!(ended.status, 200);
    assert_eq!(desk.look("/status", &first).await.status, 503, "somebody else's");
    desk.ask("POST", "/sign-in/back-channel", &[kind], &token(json!({"sid": "s1"}))).await;
    assert_eq!(
        (desk.look("/status", &first).await.status.as_u16(), desk.look("/status", &second).await.status.as_u16()),
        (303, 503)
    );
    let body = token(json!({"sub": "anna"}));
    desk.ask("POST", "/sign-in/back-channel", &[kind], &body).await;
    assert_eq!(desk.look("/status", &second).await.status, 303, "all of a person");
    for wrong in [body.as_str(), "logout_token=x", "", &token(json!({"sub": "anna", "nonce": "n"}))] {
        assert_eq!(desk.ask("POST", "/sign-in/back-channel", &[kind], wrong).await.status, 400, "{wrong}");
    }
    let browser = desk.ask("POST", "/sign-in/back-channel", &[kind, ("origin", "https://evil.example")], &body).await;
    assert_eq!(browser.status, 403, "no page of another site");
    let events = desk.audit();
    let ended: Vec<&Value> = events.iter().filter(|line| line["by"] == "provider").collect();
    assert!(ended.len() == 2 && ended.iter().all(|line| line["event"] == "signed-out"), "{events:?}");
}

#[actix_web::test]
async fn a_program_brings_a_token_in_place_of_a_key() {
    let desk = Desk::new(|_| {});
    let token = |groups: &[&str], until: i64| {
        let claims =
            json!({"iss": ISSUER, "aud": "quarry-api", "sub": "anna", "groups": groups, "iat": now(), "exp": until});
        format!("Bearer {}", Key::Ed.token(&claims))
    };
    let ask =
        async |path: &str, token: &str| desk.ask("GET", path, &[("authorization", token)], "").await.status.as_u16();
    assert_eq!(ask("/api/v1/search?q=a", &token(&["staff"], now() + 60)).await, 503, "let in: there is no index");
    assert_eq!(ask("/metrics", &token(&["staff"], now() + 60)).await, 403);
    assert_eq!(ask("/metrics", &token(&["it"], now() + 60)).await, 200);
    assert_eq!(ask("/api/v1/search?q=a", &token(&["staff"], now() - 100)).await, 401);
    assert_eq!(ask("/api/v1/search?q=a", "Bearer a.b.c").await, 401);
}

#[actix_web::test]
async fn passwords_can_be_switched_off() {
    let desk = Desk::new(|auth| auth.local_sign_in = false);
    let users = UserFile::of(desk.folder.path());
    users.add("anna", "correct horse", vec![crate::guard::Scope::Admin], &[]).unwrap();
    let bond = desk.app.people.find("anna").unwrap().bond.clone();
    let token = desk.app.sessions.begin(Holder::Local { user: "anna".to_owned(), bond }, now()).unwrap();
    assert_eq!(desk.look("/status", &format!("quarry-session={token}")).await.status, 303, "such sessions are over");
    assert!(!desk.look("/sign-in", "").await.text.contains("type=\"password\""));
    let form = [("content-type", "application/x-www-form-urlencoded"), OWN];
    let entered = desk.ask("POST", "/sign-in", &form, "name=anna&password=correct+horse").await;
    assert_eq!((entered.status.as_u16(), entered.cookies.len()), (404, 0));
    let with = Desk::new(|_| {});
    UserFile::of(with.folder.path()).add("anna", "correct horse", vec![crate::guard::Scope::Search], &[]).unwrap();
    let page = with.look("/sign-in", "").await.text;
    assert!(page.contains("type=\"password\"") && page.contains("/sign-in/provider"), "both ways");
}

#[actix_web::test]
async fn a_provider_that_is_away_is_said_on_a_page_in_two_languages() {
    let desk = Desk::new(|_| {});
    desk.stand_in.state().is_down = true;
    let away = desk.look("/sign-in/provider", "").await;
    assert!(away.status == 503 && away.text.contains("Signing in is not possible at the moment"), "{}", away.text);
    let chinese = desk.ask("GET", "/sign-in/provider", &[("accept-language", "zh")], "").await;
    assert!(chinese.text.contains("暂时无法登录"), "{}", chinese.text);
    assert!(!away.text.contains(PLACE) || !away.text.contains("id.example"), "nothing of the machinery");
}

#[actix_web::test]
async fn sessions_of_the_provider_survive_a_restart() {
    let desk = Desk::new(|_| {});
    let cookie = desk.signed_in().await;
    desk.app.sessions.save();
    let again = crate::identity::Sessions::open(&desk.app.config.auth, desk.folder.path(), now());
    let session = again.find(cookie.split_once('=').unwrap().1, now()).unwrap();
    assert_eq!(Some(session), desk.app.sessions.find(cookie.split_once('=').unwrap().1, now()));
}
