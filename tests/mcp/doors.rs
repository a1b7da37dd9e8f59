//! Who is let in at `/mcp`, and what those are told who are not.

use std::fs;

use serde_json::{Value, json};

use super::speech::{Agent, Manner, Web, called};
use crate::server::{PATIENCE, Server, over_documents};
use crate::support::Bench;

#[test]
fn strangers_are_told_how_they_would_be_let_in() {
    let bench = Bench::with_documents(2);
    let made =
        |scope: &str| bench.run(&["keys", "create", "test", "--scope", scope]).succeeded().stdout().trim().to_string();
    let (search, index) = (made("search"), made("index"));
    let config = "[server]\npublic_url = \"https://search.example\"\n";
    let server = Server::configured(&bench, config, &[&bench.docs().display().to_string()]).ready();
    let list = Manner::Alone.request(1, "tools/list", json!({}));
    let metadata = "resource_metadata=\"https://search.example/.well-known/oauth-protected-resource/mcp\"";
    let nobody = Web::new(&server, &[]).post(&list);
    assert_eq!(nobody.header("www-authenticate"), format!("Bearer realm=\"quarry\", {metadata}"));
    nobody.problem(401, "key-missing");
    let guesser = Web::by_key(&server, "qk_00000000_x").post(&list);
    assert_eq!(
        guesser.header("www-authenticate"),
        format!("Bearer realm=\"quarry\", error=\"invalid_token\", {metadata}")
    );
    guesser.problem(401, "key-invalid");
    Web::by_key(&server, &index).post(&list).problem(403, "scope-missing");
    Web::by_key(&server, &search).post(&list).expect(200);
    // Elsewhere nobody is led there.
    let elsewhere = server.get("/api/v1/sources");
    assert_eq!((elsewhere.status, elsewhere.header("www-authenticate")), (401, "Bearer realm=\"quarry\""));
    for path in ["", "/mcp"] {
        let told = server.get(&format!("/.well-known/oauth-protected-resource{path}")).expect(200);
        assert_eq!(told["resource"], "https://search.example/mcp");
        assert_eq!(told["bearer_methods_supported"], json!(["header"]));
        assert!(told["authorization_servers"].is_null(), "keys alone: {told}");
    }
}

#[test]
fn other_sites_and_other_names_are_turned_away() {
    let (_bench, server) = over_documents(1);
    let list = Manner::Alone.request(1, "tools/list", json!({}));
    let with = |name: &str, value: &str| Web::new(&server, &[(name, value)]).post(&list);
    with("origin", "https://evil.example").problem(403, "origin-not-allowed");
    with("origin", "null").problem(403, "origin-not-allowed");
    with("sec-fetch-site", "cross-site").problem(403, "origin-not-allowed");
    with("host", "evil.example").problem(421, "host-not-allowed");
    with("origin", &format!("http://{}", server.address)).expect(200);
    for method in ["GET", "DELETE", "PUT"] {
        let reply = server.request(method, "/mcp", &[("accept", "text/event-stream")], &[]);
        assert_eq!(reply.header("allow"), "POST", "{method}");
        reply.problem(405, "method-not-allowed");
    }
}

#[test]
fn what_an_assistant_opens_is_in_the_audit_log() {
    let bench = Bench::with_documents(2);
    let key = bench.run(&["keys", "create", "claude", "--as", "user:anna"]).succeeded().stdout().trim().to_string();
    let config = "[audit]\nenabled = true\nqueries = true\n";
    let mut server = Server::configured(&bench, config, &[&bench.docs().display().to_string()]).ready();
    let mut web = Web::by_key(&server, &key);
    let mut agent = Agent::new(&mut web, Manner::Handshake);
    let found = called(&agent.tool("search", json!({ "query": "marker001" })));
    let id = found["results"][0]["id"].as_str().unwrap().to_owned();
    called(&agent.tool("fetch", json!({ "id": id })));
    agent.tool("fetch", json!({ "id": "0".repeat(32) }));
    agent.ask("resources/read", json!({ "uri": format!("quarry://doc/{id}") }));
    called(&agent.tool("list_sources", json!({})));
    assert_eq!(server.signal("-TERM"), Some(0));
    let folder = fs::read_dir(bench.data().join("audit")).unwrap();
    let text: String = folder.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_anna: Vec<(&str, &Value)> = lines
        .iter()
        .filter(|line| line["as"].as_array().is_some_and(|names| names.contains(&json!("user:anna"))))
        .map(|line| {
            (line["event"].as_str().unwrap(), if line["query"].is_null() { &line["document"] } else { &line["query"] })
        })
        .collect();
    let (query, id) = (json!("marker001"), json!(id));
    assert_eq!(of_anna, [("searched", &query), ("document-opened", &id), ("document-opened", &id)]);
    assert!(lines.iter().filter(|line| line["event"] == "document-opened").all(|line| line["request"].is_string()));
}

#[test]
fn requests_count_for_the_rate() {
    let bench = Bench::with_documents(1);
    let config = "[limits]\nrate_per_second = 1\nrate_burst = 3\n";
    let server = Server::configured(&bench, config, &[&bench.docs().display().to_string()]);
    let list = Manner::Alone.request(1, "tools/list", json!({}));
    let started = std::time::Instant::now();
    while Web::new(&server, &[]).post(&list).status != 429 {
        assert!(started.elapsed() < PATIENCE, "it never counts");
    }
}
