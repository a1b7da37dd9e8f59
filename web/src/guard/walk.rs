//! Every registered route, in every spelling, asked for by everybody: no spelling gives anybody more than the plain one.
//!
//! The routes come from the registry that the server is made of, so a route that is added is walked as well. What each of
//! them needs is written down here a second time: whoever changes that has to mean it.

mod house;

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, Uri};
use actix_web::test::{TestRequest, call_service, init_service, read_body};

use super::{Need, Scope};
use crate::config::ServerConfig;
use crate::server::{Door, service};
use house::{Guest, HERE, House, assistant};

const SEARCH: Need = Need::Scope(Scope::Search);
const INDEX: Need = Need::Scope(Scope::Index);
const ADMIN: Need = Need::Scope(Scope::Admin);

const EXPECTED: &[(&str, &str, Need)] = &[
    ("GET", "/", SEARCH),
    ("GET", "/.well-known/oauth-protected-resource", Need::Host),
    ("GET", "/.well-known/oauth-protected-resource/mcp", Need::Host),
    ("GET", "/admin", ADMIN),
    ("POST", "/admin/backup", ADMIN),
    ("POST", "/admin/compact", ADMIN),
    ("GET", "/admin/guidance", ADMIN),
    ("POST", "/admin/guidance/rules", ADMIN),
    ("POST", "/admin/guidance/synonyms", ADMIN),
    ("POST", "/admin/jobs/{id}/cancel", ADMIN),
    ("POST", "/admin/jobs/{id}/pause", ADMIN),
    ("POST", "/admin/jobs/{id}/resume", ADMIN),
    ("GET", "/admin/keys", ADMIN),
    ("POST", "/admin/keys", ADMIN),
    ("POST", "/admin/keys/{id}/revoke", ADMIN),
    ("GET", "/admin/server", ADMIN),
    ("POST", "/admin/sources", ADMIN),
    ("POST", "/admin/sources/{name}/accept-deletions", ADMIN),
    ("POST", "/admin/sources/{name}/index", ADMIN),
    ("POST", "/admin/sources/{name}/remove", ADMIN),
    ("GET", "/admin/users", ADMIN),
    ("POST", "/admin/users", ADMIN),
    ("POST", "/admin/users/{name}", ADMIN),
    ("POST", "/admin/users/{name}/disable", ADMIN),
    ("POST", "/admin/users/{name}/enable", ADMIN),
    ("POST", "/admin/users/{name}/password", ADMIN),
    ("POST", "/admin/users/{name}/remove", ADMIN),
    ("POST", "/admin/verify", ADMIN),
    ("GET", "/api/docs", Need::Host),
    ("GET", "/api/docs/{file}", Need::Host),
    ("GET", "/api/openapi.json", Need::Host),
    ("POST", "/api/v1/answer", SEARCH),
    ("POST", "/api/v1/backups", ADMIN),
    ("POST", "/api/v1/compact", ADMIN),
    ("GET", "/api/v1/documents", SEARCH),
    ("POST", "/api/v1/documents", INDEX),
    ("PUT", "/api/v1/documents", INDEX),
    ("POST", "/api/v1/documents/bulk", INDEX),
    ("DELETE", "/api/v1/documents/{id}", INDEX),
    ("GET", "/api/v1/documents/{id}", SEARCH),
    ("GET", "/api/v1/documents/{id}/access", ADMIN),
    ("GET", "/api/v1/documents/{id}/passages", SEARCH),
    ("POST", "/api/v1/feedback", SEARCH),
    ("GET", "/api/v1/insights", ADMIN),
    ("GET", "/api/v1/insights/judgements", ADMIN),
    ("GET", "/api/v1/jobs", SEARCH),
    ("GET", "/api/v1/jobs/{id}", SEARCH),
    ("POST", "/api/v1/jobs/{id}/cancel", INDEX),
    ("POST", "/api/v1/jobs/{id}/pause", INDEX),
    ("POST", "/api/v1/jobs/{id}/resume", INDEX),
    ("GET", "/api/v1/search", SEARCH),
    ("POST", "/api/v1/search", SEARCH),
    ("GET", "/api/v1/search/stream", SEARCH),
    ("GET", "/api/v1/similar", SEARCH),
    ("GET", "/api/v1/sources", SEARCH),
    ("POST", "/api/v1/sources", ADMIN),
    ("DELETE", "/api/v1/sources/{name}", ADMIN),
    ("GET", "/api/v1/sources/{name}/access", ADMIN),
    ("PUT", "/api/v1/sources/{name}/access", ADMIN),
    ("POST", "/api/v1/sources/{name}/index", INDEX),
    ("GET", "/api/v1/sources/{name}/ledger", SEARCH),
    ("GET", "/api/v1/status", SEARCH),
    ("GET", "/api/v1/suggest", SEARCH),
    ("POST", "/api/v1/verify", ADMIN),
    ("GET", "/assets/{version}/{name}", Need::Host),
    ("GET", "/document/{id}", SEARCH),
    ("GET", "/document/{id}/file", SEARCH),
    ("GET", "/document/{id}/similar", SEARCH),
    ("POST", "/embed", SEARCH),
    ("GET", "/favicon.ico", Need::Host),
    ("GET", "/health/live", Need::Nothing),
    ("GET", "/health/ready", Need::Nothing),
    ("GET", "/insights", ADMIN),
    ("GET", "/insights/queries.csv", ADMIN),
    ("POST", "/mcp", SEARCH),
    ("GET", "/metrics", ADMIN),
    ("GET", "/opensearch.xml", Need::Host),
    ("GET", "/preferences", Need::Host),
    ("POST", "/rerank", SEARCH),
    ("GET", "/search", SEARCH),
    ("GET", "/search/answer", SEARCH),
    ("GET", "/set-up", Need::Host),
    ("POST", "/set-up", Need::Host),
    ("GET", "/sign-in", Need::Host),
    ("POST", "/sign-in", Need::Host),
    ("POST", "/sign-in/back-channel", Need::Host),
    ("GET", "/sign-in/callback", Need::Host),
    ("GET", "/sign-in/provider", Need::Host),
    ("POST", "/sign-out", Need::Host),
    ("GET", "/status", SEARCH),
    ("GET", "/status/files.csv", SEARCH),
    ("POST", "/v1/chat/completions", SEARCH),
    ("POST", "/v1/embeddings", SEARCH),
    ("GET", "/v1/models", SEARCH),
    ("POST", "/v1/rerank", SEARCH),
    ("POST", "/v2/rerank", SEARCH),
];

/// What a door registers, in the order of [`EXPECTED`].
fn registered(door: Door, config: &ServerConfig) -> Vec<(Method, &'static str, Need)> {
    let endpoints = door.endpoints(config);
    let routes = endpoints
        .iter()
        .flat_map(|endpoint| endpoint.methods().iter().map(|(method, need)| (method.clone(), endpoint.path(), *need)));
    let mut routes: Vec<_> = routes.collect();
    routes.sort_by_key(|(method, path, _)| (*path, method.to_string()));
    routes
}

/// An address that a route answers.
fn example(pattern: &str) -> String {
    match pattern {
        "/api/docs/{file}" => "/api/docs/docs.css".to_string(),
        "/assets/{version}/{name}" => "/assets/0/page.css".to_string(),
        of_job if of_job.contains("/jobs/{id}") => of_job.replace("{id}", "1"),
        // A source of that name is what the old table took for the address below it.
        "/api/v1/sources/{name}" => "/api/v1/sources/index".to_string(),
        other => other.replace("{id}", &"0".repeat(32)).replace("{name}", "wiki"),
    }
}

/// What a route reads from the query, so that the check is the only one to refuse.
fn query(pattern: &str) -> &'static str {
    match pattern {
        "/api/v1/search" | "/api/v1/search/stream" | "/api/v1/suggest" => "?q=a",
        "/api/v1/similar" => "?id=00000000000000000000000000000000",
        _ => "",
    }
}

/// Ways to write an address, without the address as it is.
fn spellings(path: &str) -> Vec<String> {
    let mut spelled = Vec::new();
    for (at, byte) in path.bytes().enumerate().skip(1) {
        let (before, after) = (&path[..at], &path[at + 1..]);
        spelled.extend([format!("{before}%{byte:02x}{after}"), format!("{before}%{byte:02X}{after}")]);
        spelled.extend([format!("{before}%25{byte:02x}{after}"), format!("{before}%2525{byte:02x}{after}")]);
        let swapped = if byte.is_ascii_lowercase() { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() };
        spelled.push(format!("{before}{}{after}", char::from(swapped)));
        spelled.push(format!("{before}%00{}", &path[at..]));
    }
    for (at, _) in path.match_indices('/') {
        for other in [
            "//",
            "///",
            "/./",
            "/%2e/",
            "/x/../",
            "/x/%2e%2e/",
            "/x%2f../",
            "%2f",
            "%2F",
            "/%2f",
            "%5c",
            "%c0%af",
            "/;x/",
            "/;/",
        ] {
            spelled.push(format!("{}{other}{}", &path[..at], &path[at + 1..]));
        }
    }
    for before in [
        "/health/live/..",
        "/health/live/%2e%2e",
        "/health/live%2f..%2f..",
        "/assets/0/..",
        "/assets/0/..%2f..",
        "/api/docs/..",
        "/api/docs/%2e%2e",
        "/api/openapi.json",
        "/health/live",
        "/favicon.ico/..",
    ] {
        spelled.push(format!("{before}{path}"));
        spelled.push(format!("http://127.0.0.1:7700{before}{path}"));
    }
    for after in [
        "/",
        "//",
        "/.",
        "/..",
        "/../",
        "/x/..",
        ";",
        ";x",
        ";x=1",
        "%00",
        "%0a",
        "%0d%0a",
        "%20",
        "%09",
        ".",
        ".json",
        ".css",
        "%2f",
        "%5c",
        "%3f",
        "%23",
        "%3b",
        "?",
        "??",
        "?/health/live",
        "/health/live",
        "%2f..%2fhealth%2flive",
        "/index",
        "/%69ndex",
        "+",
    ] {
        spelled.push(format!("{path}{after}"));
    }
    let all: String =
        path.bytes().map(|byte| if byte == b'/' { "/".to_string() } else { format!("%{byte:02x}") }).collect();
    spelled.extend([
        all,
        path.to_uppercase(),
        format!("http://127.0.0.1:7700{path}"),
        format!("http://localhost{path}"),
    ]);
    spelled.retain(|spelling| spelling != path);
    spelled
}

/// Statuses of those who were turned away, or asked for what is not there.
fn is_refusal(status: u16) -> bool {
    matches!(status, 400 | 401 | 403 | 404 | 405 | 421)
}

async fn ask<B: MessageBody>(
    server: &impl AsyncFn(TestRequest) -> ServiceResponse<B>,
    guest: &Guest,
    method: &Method,
    uri: Uri,
) -> (u16, Option<String>) {
    let host = uri.authority().map_or_else(|| "localhost".to_string(), |authority| authority.to_string());
    let request = TestRequest::default().method(method.clone()).uri(&uri.to_string()).insert_header(("host", host));
    let request = request.peer_addr(guest.peer.parse().unwrap());
    let request =
        guest.headers.iter().fold(request, |request, (name, value)| request.insert_header((*name, value.as_str())));
    let response = server(request).await;
    (response.status().as_u16(), response.request().match_pattern())
}

#[test]
fn every_route_needs_what_it_is_meant_to_need() {
    let registered = registered(Door::Main, &ServerConfig::default());
    let registered: Vec<_> = registered.iter().map(|(method, path, need)| (method.as_str(), *path, *need)).collect();
    assert_eq!(registered, EXPECTED);
}

#[actix_web::test]
async fn no_spelling_of_an_address_gives_more_than_the_plain_one() {
    let house = House::new(ServerConfig::default());
    let server = init_service(service(house.app.clone(), Door::Main)).await;
    let server = async |request: TestRequest| {
        house.renew();
        call_service(&server, request.to_request()).await
    };
    let (mut asked, mut reached) = (0, 0);
    let routes = registered(Door::Main, &house.app.config.server);
    for (method, pattern, need) in routes.clone() {
        let plain = example(pattern);
        for guest in &house.guests {
            let uri = format!("{plain}{}", query(pattern)).parse().unwrap();
            let (status, _) = ask(&server, guest, &method, uri).await;
            assert_eq!(!is_refusal(status), guest.may(need), "{method} {plain} by {}: {status}", guest.name);
        }
        for spelling in spellings(&plain) {
            // What is no address at all is refused before: `tests/serve/guard.rs` sends such bytes.
            let Ok(uri) = format!("{spelling}{}", query(pattern)).parse::<Uri>() else { continue };
            for guest in &house.guests {
                let (status, matched) = ask(&server, guest, &method, uri.clone()).await;
                asked += 1;
                if is_refusal(status) {
                    continue;
                }
                reached += 1;
                // An encoded slash may make it another address: then that one has to be open as well.
                let route =
                    routes.iter().find(|(other, path, _)| *other == method && Some(*path) == matched.as_deref());
                let matched = route.map(|(_, _, need)| *need).unwrap();
                assert!(guest.may(matched), "{method} {spelling} by {}: {status}", guest.name);
                assert!(guest.may(need), "{method} {spelling} by {}: {status}", guest.name);
            }
        }
    }
    println!("{asked} asked, {reached} of them reached something");
    assert!(asked > 10_000 && reached > 1_000, "{asked} asked, {reached} reached something");
}

#[actix_web::test]
async fn head_needs_what_get_needs_and_other_methods_give_nothing() {
    let house = House::new(ServerConfig::default());
    let server = init_service(service(house.app.clone(), Door::Main)).await;
    let server = async |request: TestRequest| {
        house.renew();
        call_service(&server, request.to_request()).await
    };
    let config = &house.app.config.server;
    for endpoint in Door::Main.endpoints(config) {
        let uri: Uri = format!("{}{}", example(endpoint.path()), query(endpoint.path())).parse().unwrap();
        for guest in &house.guests {
            for method in
                ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "QUERY"]
            {
                let looks_like = if method == "HEAD" { "GET" } else { method };
                let need = endpoint.methods().iter().find(|(known, _)| known.as_str() == looks_like);
                let (status, _) =
                    ask(&server, guest, &Method::from_bytes(method.as_bytes()).unwrap(), uri.clone()).await;
                let expected = need.is_some_and(|(_, need)| guest.may(*need));
                assert_eq!(!is_refusal(status), expected, "{method} {uri} by {}: {status}", guest.name);
                if need.is_none() {
                    let expected = if guest.may(Need::Caller) { 405 } else { guest.turned_away() };
                    assert_eq!(status, expected, "{method} {uri} by {}", guest.name);
                }
            }
        }
    }
}

#[actix_web::test]
async fn what_does_not_exist_is_told_to_those_who_may_come_in() {
    let house = House::new(ServerConfig::default());
    let server = init_service(service(house.app.clone(), Door::Main)).await;
    let server = async |request: TestRequest| call_service(&server, request.to_request()).await;
    for path in ["/nothing", "/api/v1/nothing", "/api/v2/search", "/assets", "/health", "/health/live/x", "/api/v1"] {
        for guest in &house.guests {
            let (status, _) = ask(&server, guest, &Method::GET, path.parse().unwrap()).await;
            assert_eq!(
                status,
                if guest.may(Need::Caller) { 404 } else { guest.turned_away() },
                "{path} by {}",
                guest.name
            );
        }
    }
}

#[actix_web::test]
async fn a_token_for_the_place_of_assistants_opens_that_and_nothing_else() {
    let house = House::new(ServerConfig::default());
    let server = init_service(service(house.app.clone(), Door::Main)).await;
    let server = async |request: TestRequest| call_service(&server, request.to_request()).await;
    let place = house.app.config.agent_audience().unwrap();
    assert_eq!(place, "http://localhost:7700/mcp");
    let guest = assistant(&place);
    for (method, pattern, need) in registered(Door::Main, &house.app.config.server) {
        if need == Need::Host || need == Need::Nothing {
            continue;
        }
        let uri: Uri = format!("{}{}", example(pattern), query(pattern)).parse().unwrap();
        let (status, _) = ask(&server, &guest, &method, uri).await;
        if pattern == "/mcp" {
            assert!(!is_refusal(status), "{status}");
        } else {
            assert_eq!(status, 401, "{method} {pattern}");
        }
    }
    for others in ["http://localhost:7700", "http://localhost:7700/mcp/", "https://evil.example/mcp", "quarry"] {
        let (status, _) = ask(&server, &assistant(others), &Method::POST, "/mcp".parse().unwrap()).await;
        assert_eq!(status, 401, "{others}");
    }
    // Who is not let in is told where tokens come from.
    let request = TestRequest::post().uri("/mcp").insert_header(("host", "localhost")).peer_addr(HERE.parse().unwrap());
    let challenge = server(request).await.headers().get("www-authenticate").cloned().unwrap();
    let expected = "Bearer realm=\"quarry\", resource_metadata=\"http://localhost:7700/.well-known/oauth-protected-resource/mcp\", \
                    scope=\"openid profile email\"";
    assert_eq!(challenge.to_str().unwrap(), expected);
    let request =
        TestRequest::get().uri("/.well-known/oauth-protected-resource/mcp").insert_header(("host", "localhost"));
    let told = read_body(server(request.peer_addr(HERE.parse().unwrap())).await).await;
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(
        (&told["resource"], &told["authorization_servers"][0]),
        (&place.into(), &house.app.config.auth.oidc.issuer.as_str().into())
    );
}

#[actix_web::test]
async fn numbers_have_one_door() {
    let near: ServerConfig =
        ServerConfig { metrics_listen: Some(([127, 0, 0, 1], 1).into()), ..ServerConfig::default() };
    let far = ServerConfig { metrics_listen: Some(([0, 0, 0, 0], 1).into()), ..ServerConfig::default() };
    for (config, need) in [(near, Need::Host), (far, ADMIN)] {
        let house = House::new(config);
        let main = init_service(service(house.app.clone(), Door::Main)).await;
        let main = async |request: TestRequest| call_service(&main, request.to_request()).await;
        let numbers = init_service(service(house.app.clone(), Door::Metrics)).await;
        let numbers = async |request: TestRequest| call_service(&numbers, request.to_request()).await;
        for guest in &house.guests {
            let (status, _) = ask(&main, guest, &Method::GET, "/metrics".parse().unwrap()).await;
            assert_eq!(status, if guest.may(Need::Caller) { 404 } else { guest.turned_away() }, "{}", guest.name);
            let (status, _) = ask(&numbers, guest, &Method::GET, "/metrics".parse().unwrap()).await;
            assert_eq!(status == 200, guest.may(need), "{need:?} by {}: {status}", guest.name);
            let (status, _) = ask(&numbers, guest, &Method::GET, "/api/v1/status".parse().unwrap()).await;
            assert!(is_refusal(status), "{}: {status}", guest.name);
            assert_eq!(ask(&numbers, guest, &Method::GET, "/health/live".parse().unwrap()).await.0, 200);
            assert_eq!(ask(&main, guest, &Method::GET, "/health/live".parse().unwrap()).await.0, 200);
        }
    }
}

/// Asks as a browser does that looks at pages, for which the check of the site is left out.
async fn visit<B: MessageBody>(
    server: &impl AsyncFn(TestRequest) -> ServiceResponse<B>,
    guest: &Guest,
    method: &Method,
    path: &str,
    more: &[(&'static str, &str)],
) -> ServiceResponse<B> {
    let request = TestRequest::default().method(method.clone()).uri(path).peer_addr(guest.peer.parse().unwrap());
    let own = guest.headers.iter().map(|(name, value)| (*name, value.as_str()));
    let headers = [("host", "localhost"), ("accept", "text/html")].into_iter().chain(own).chain(more.iter().copied());
    server(headers.fold(request, |request, header| request.insert_header(header))).await
}

#[actix_web::test]
async fn whoever_looks_at_a_page_and_is_not_known_is_led_to_sign_in() {
    let house = House::new(ServerConfig::default());
    let server = init_service(service(house.app.clone(), Door::Main)).await;
    let server = async |request: TestRequest| call_service(&server, request.to_request()).await;
    for endpoint in Door::Main.endpoints(&house.app.config.server) {
        let Some((method, need)) = endpoint.methods().iter().find(|(method, _)| method == Method::GET) else {
            continue;
        };
        let path = format!("{}{}", example(endpoint.path()), query(endpoint.path()));
        for guest in house.guests.iter().filter(|guest| !guest.may(*need) && guest.scopes.is_empty()) {
            let response = visit(&server, guest, method, &path, &[]).await;
            let place = response.headers().get("location").map(|place| place.to_str().unwrap());
            let challenge = response.headers().get("www-authenticate").map(|text| text.to_str().unwrap());
            let brings_key = guest.headers.iter().any(|(name, _)| ["x-api-key", "authorization"].contains(name));
            assert!(challenge.is_none_or(|challenge| !challenge.starts_with("Basic")), "{path} by {}", guest.name);
            if endpoint.is_api() || brings_key || guest.turned_away() == 403 {
                assert_eq!(
                    (response.status().as_u16(), place),
                    (guest.turned_away(), None),
                    "{path} by {}",
                    guest.name
                );
            } else {
                assert_eq!(response.status(), 303, "{path} by {}", guest.name);
                assert!(place.unwrap().starts_with("/sign-in?back=%2F"), "{place:?}");
                // What a script puts in place is told plainly.
                let part = visit(&server, guest, method, &path, &[("x-quarry-part", "1")]).await;
                assert_eq!(part.status(), 401, "{path} by {}", guest.name);
            }
        }
    }
}

#[actix_web::test]
async fn no_other_site_changes_anything_by_a_session() {
    let house = House::new(ServerConfig::default());
    let server = init_service(service(house.app.clone(), Door::Main)).await;
    let server = async |request: TestRequest| call_service(&server, request.to_request()).await;
    let root = house.guests.iter().find(|guest| guest.name == "an administrator").unwrap();
    let cookie = [root.headers[0].clone()];
    let bare = Guest { name: "bare", headers: cookie.to_vec(), peer: HERE, scopes: vec![Scope::Admin] };
    let own = [("origin", "http://localhost")];
    let mut changes = 0;
    for (method, pattern, need) in registered(Door::Main, &house.app.config.server) {
        if method == Method::GET || need == Need::Host {
            continue;
        }
        changes += 1;
        let path = example(pattern);
        for silence in [&[] as &[(&str, &str)], &[("origin", "null")], &[("sec-fetch-site", "cross-site")]] {
            let refused = visit(&server, &bare, &method, &path, silence).await;
            assert_eq!(refused.status(), 403, "{method} {path} {silence:?}");
        }
        let meant = visit(&server, &bare, &method, &path, &own).await;
        assert_ne!(meant.status(), 403, "{method} {path}");
    }
    assert!(changes > 10, "{changes}");
}
