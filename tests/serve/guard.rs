//! Admission of requests: who may ask, from where, how much and how often.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::json;

use crate::server::{PATIENCE, Reply, Server, over_documents};
use crate::support::Bench;

#[test]
fn every_answer_carries_its_guards() {
    let (_bench, server) = over_documents(1);
    for path in ["/", "/api/v1/search?q=x", "/nothing", "/health/live", "/api/docs"] {
        let reply = server.get(path);
        let policy = reply.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert!(!reply.header("x-request-id").is_empty(), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), "", "{path}");
    }
    // The client would unpack the body that a HEAD has not.
    let head = server.request("HEAD", "/api/docs", &[("accept-encoding", "identity")], &[]);
    assert!(head.status == 200 && head.text.is_empty(), "{}", head.text);
    let reply = server.request("GET", "/health/live", &[("x-request-id", "mine-1")], &[]);
    assert_eq!(reply.header("x-request-id"), "mine-1");
}

#[test]
fn foreign_hosts_and_sites_are_refused() {
    let (_bench, server) = over_documents(1);
    let at = |host: &'static str| server.request("GET", "/api/v1/status", &[("host", host)], &[]);
    at("evil.example").problem(421, "host-not-allowed");
    at("localhost").expect(200);
    assert_eq!(
        server.request("GET", "/health/ready", &[("host", "10.1.2.3")], &[]).status,
        200,
        "probes come by address"
    );
    let body = json!({ "path": "a.md", "text": "x" }).to_string();
    for header in [("origin", "http://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        let headers = [("content-type", "application/json"), header];
        server.request("PUT", "/api/v1/documents", &headers, body.as_bytes()).problem(403, "origin-not-allowed");
    }
    // A form of another site can only send these types.
    server.request("POST", "/api/v1/search", &[("content-type", "text/plain")], b"{}").problem(415, "media-type");
}

#[test]
fn keys_open_what_their_scope_says_until_they_are_revoked() {
    let bench = Bench::with_documents(2);
    bench.run(&["serve", "--listen", "0.0.0.0:0"]).refused(&["without access control", "quarry keys create"]);
    let key = |scope: &str| {
        let run = bench.run(&["keys", "create", "test", "--scope", scope]).succeeded();
        run.stdout().trim().to_string()
    };
    let docs = bench.docs().display().to_string();
    let server = Server::start(&bench, &[&docs]).ready();
    server.get("/api/v1/status").expect(200);
    let any = [("authorization", "Bearer none")];
    server.request("GET", "/api/v1/status", &any, &[]).expect(200);
    let (search, index) = (key("search"), key("index"));
    let with = |key: &str, method: &str, path: &str| {
        let bearer = format!("Bearer {key}");
        server.request(method, path, &[("authorization", &bearer), ("content-type", "application/json")], b"{}")
    };
    server.get("/api/v1/status").problem(401, "key-missing");
    assert!(server.get("/").header("www-authenticate").starts_with("Basic"), "a browser asks for the key");
    assert!(server.get("/api/v1/status").header("www-authenticate").starts_with("Bearer"));
    assert_eq!(server.get("/health/ready").status, 200);
    with(&search, "GET", "/api/v1/search?q=note").expect(200);
    let status = with(&search, "GET", "/api/v1/status").expect(200);
    assert!(status["sources"][0]["folder"].is_null(), "where things are is for administrators");
    with(&search, "PUT", "/api/v1/documents").problem(403, "scope-missing");
    with(&search, "GET", "/metrics").problem(403, "scope-missing");
    with(&index, "GET", "/api/v1/search?q=note").problem(403, "scope-missing");
    with(&index, "POST", "/api/v1/sources/docs/index").expect(202);
    with(&format!("{search}x"), "GET", "/api/v1/status").problem(401, "key-invalid");
    with("qk_00000000_abc", "GET", "/api/v1/status").problem(401, "key-invalid");
    let list = bench.run(&["keys", "list"]).succeeded().stdout();
    assert!(!list.contains(search.splitn(3, '_').nth(2).unwrap()), "{list}");
    bench.run(&["keys", "revoke", search.split('_').nth(1).unwrap()]).succeeded();
    with(&search, "GET", "/api/v1/search?q=note").problem(401, "key-invalid");
}

#[test]
fn a_trusted_proxy_names_the_user() {
    let bench = Bench::with_documents(1);
    let config = "[auth]\nproxy_header = \"X-Forwarded-User\"\nproxy_from = [\"127.0.0.1\"]\nproxy_scopes = [\"search\"]\n\
                  [server]\nallowed_hosts = [\"search.example\"]\n";
    let server = Server::configured(&bench, config, &[]).ready();
    let user = ("x-forwarded-user", "ann");
    let host = ("host", "search.example");
    server.request("GET", "/api/v1/status", &[user, host], &[]).expect(200);
    server.request("GET", "/api/v1/status", &[host], &[]).problem(401, "key-missing");
    server.request("GET", "/metrics", &[user, host], &[]).problem(403, "scope-missing");
    let other = config.replace("127.0.0.1", "10.0.0.1");
    let server = Server::configured(&Bench::new(), &other, &[]).ready();
    server.request("GET", "/api/v1/status", &[user, host], &[]).problem(401, "key-missing");
}

#[test]
fn limits_hold() {
    let bench = Bench::with_documents(3);
    let config = "[limits]\nbody_bytes = 300\nupload_bytes = 400\nquery_chars = 20\nfilter_values = 2\npage_depth = 30\n\
                  model_texts = 2\n";
    let docs = bench.docs().display().to_string();
    let server = Server::configured(&bench, config, &[&docs]).ready();
    server.get("/api/v1/search?q=123456789012345678901").problem(400, "over-limit");
    server.get("/api/v1/search?q=x&offset=25&top=6").problem(400, "over-limit");
    server.get("/api/v1/search?q=x&type=a&type=b&lang=en").problem(400, "over-limit");
    server.put("a.md", &"x".repeat(300)).problem(413, "too-large");
    server
        .request("POST", "/api/v1/documents/bulk", &[("content-type", "application/x-ndjson")], &[b' '; 500])
        .problem(413, "too-large");
    server.send("POST", "/embed", &json!({ "inputs": ["a", "b", "c"] })).problem(400, "over-limit");
    // Without a length, the body is counted as it comes.
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(stream, "POST /api/v1/search HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1000\r\n{}", " ".repeat(0x1000)).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[test]
fn who_is_too_slow_is_given_up_and_who_is_too_many_is_sent_away() {
    let bench = Bench::with_documents(1);
    let config = "[limits]\nrequest_seconds = 2\nconcurrent = 1\nqueue = 0\n";
    let server = Server::configured(&bench, config, &[]).ready();
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = "POST /api/v1/search HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503", "the body never came");

    let texts = vec!["holidays and leave of absence ".repeat(300); 100];
    let seen = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Again and again, as it may itself come while the other request has the only place.
        scope.spawn(|| {
            while !seen.load(Ordering::Relaxed) {
                server.send("POST", "/embed", &json!({ "inputs": texts }));
            }
        });
        let started = Instant::now();
        let mut refused = None;
        while refused.is_none() && started.elapsed() < PATIENCE {
            refused = Some(server.get("/api/v1/documents")).filter(|reply| reply.status == 503);
        }
        seen.store(true, Ordering::Relaxed);
        let refused = refused.expect("the only place is taken");
        assert_eq!(refused.header("retry-after"), "1");
        refused.problem(503, "busy");
        assert_eq!(server.get("/health/ready").status, 200, "probes need no place");
    });
}

#[test]
fn a_client_that_asks_too_often_waits() {
    let bench = Bench::with_documents(1);
    let config = "[limits]\nrate_per_second = 1\nrate_burst = 3\n";
    let server = Server::configured(&bench, config, &[]).ready();
    let replies: Vec<Reply> = (0..6).map(|_| server.get("/api/v1/status")).collect();
    assert!(replies.iter().filter(|reply| reply.status == 200).count() >= 3);
    let refused = replies.into_iter().find(|reply| reply.status == 429).expect("six at once are too many");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
    refused.problem(429, "rate-limited");
    assert_eq!(server.get("/health/live").status, 200, "probes are not counted");
}
