//! The audit log: what is written of what people do, and what happens while it cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::server::{PATIENCE, Server};
use crate::support::Bench;

/// The lines of all days, each with its event.
fn lines(folder: &Path) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        all.extend(fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()));
    }
    all
}

/// Asks until something holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn what_people_do_is_written_down_and_no_secret() {
    let bench = Bench::with_documents(2);
    let config = format!("[audit]\nenabled = true\n[index]\nallow_folders = [{:?}]\n", bench.root.path());
    let path = bench.root.path().join("quarry.toml");
    fs::write(&path, &config).unwrap();
    let configured = ["--config", path.to_str().unwrap()];
    let run = |args: &[&str], input: &str| bench.run_with(&[&configured, args].concat(), input).succeeded().stdout();
    run(&["users", "add", "anna", "--groups", "staff", "--password-stdin"], "correct horse");
    run(&["groups", "add", "hr", "anna"], "");
    let key = run(&["keys", "create", "importer", "--scope", "admin"], "").trim().to_string();
    let docs = bench.docs().display().to_string();
    let mut server = Server::configured(&bench, &config, &[&docs]).ready();
    let form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    let enter = |form_body: &str| server.unfollowed("POST", "/sign-in", &form, form_body.as_bytes());
    enter("name=anna&password=wrong+horse");
    enter("name=swordfish&password=x");
    let cookie = enter("name=anna&password=correct+horse").header("set-cookie").split(';').next().unwrap().to_string();
    let session = ("cookie", &*cookie);
    let found = server.request("GET", "/api/v1/search?q=note+marker001", &[session], &[]).expect(200);
    let id = found["results"][0]["id"].as_str().unwrap().to_string();
    for path in ["", "/file"] {
        assert_eq!(
            server.request("GET", &format!("/document/{id}{path}"), &[session, ("x-request-id", "mine")], &[]).status,
            200
        );
    }
    server.request("GET", &format!("/document/{}", "0".repeat(32)), &[session], &[]);
    server.request("GET", "/api/v1/sources/docs/ledger?format=csv", &[session], &[]);
    server.request("DELETE", "/api/v1/sources/docs", &[session, form[1]], &[]).problem(403, "scope-missing");
    let by_key = |method: &str, path: &str, kind: &str, body: &str| {
        server.request(method, path, &[("x-api-key", &key), ("content-type", kind)], body.as_bytes())
    };
    by_key("PUT", "/api/v1/documents", "application/json", "{\"path\":\"a.md\",\"text\":\"plover\"}").expect(200);
    let bulk = "{\"put\":{\"path\":\"b.md\",\"text\":\"plover\"}}\n{\"delete\":{\"path\":\"a.md\"}}\n";
    by_key("POST", "/api/v1/documents/bulk", "application/x-ndjson", bulk).expect(200);
    by_key("DELETE", "/api/v1/sources/api", "", "").expect(202);
    server.unfollowed("POST", "/sign-out", &[&form as &[_], &[session]].concat(), b"");
    assert_eq!(server.signal("-TERM"), Some(0));
    run(&["keys", "revoke", key.split('_').nth(1).unwrap()], "");
    run(&["users", "passwd", "anna", "--password-stdin"], "another horse");

    let lines = lines(&bench.data().join("audit"));
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    let expected = [
        "user-added",
        "group-joined",
        "key-made",
        "server-started",
        "sign-in-failed",
        "sign-in-failed",
        "signed-in",
        "document-opened",
        "file-opened",
        "files-listed",
        "documents-pushed",
        "documents-changed",
        "source-removed",
        "signed-out",
        "key-revoked",
        "password-changed",
    ];
    assert_eq!(events, expected, "{lines:#?}");
    let of = |event: &str| lines.iter().find(|line| line["event"] == event).unwrap();
    assert_eq!((&lines[4]["who"], &lines[5]["who"]), (&json!("user anna"), &json!("user unknown")));
    assert!(of("user-added")["who"].as_str().unwrap().starts_with("command line, user "));
    let opened = of("document-opened");
    assert_eq!(
        (&opened["who"], &opened["document"], &opened["request"]),
        (&json!("user anna"), &json!(id), &json!("mine"))
    );
    assert_eq!(opened["as"], json!(["everyone", "group:hr", "group:staff", "signed-in", "user:anna"]));
    assert_eq!((&opened["address"], opened.get("sees")), (&json!("127.0.0.1"), None));
    let changed = of("documents-changed");
    assert_eq!((&changed["deletions"], &changed["changes"]), (&json!(["api/a.md"]), &json!(2)));
    assert_eq!((&changed["sees"], &of("documents-pushed")["path"]), (&json!("everything"), &json!("api/a.md")));
    assert_eq!((&of("source-removed")["source"], &of("files-listed")["source"]), (&json!("api"), &json!("docs")));
    let text = serde_json::to_string(&lines).unwrap();
    for secret in ["horse", "swordfish", "marker001", "plover", cookie.split('=').nth(1).unwrap(), &key] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn queries_are_written_where_that_is_wanted() {
    let bench = Bench::with_documents(1);
    let docs = bench.docs().display().to_string();
    let config = "[audit]\nenabled = true\nqueries = true\n";
    let mut server = Server::configured(&bench, config, &[&docs]).ready();
    assert_eq!(server.get("/search?q=first").status, 200);
    server.send("POST", "/api/v1/search", &json!({ "query": "second" })).expect(200);
    server.get("/api/v1/search/stream?q=third");
    assert_eq!(server.signal("-TERM"), Some(0));
    let lines = lines(&bench.data().join("audit"));
    let queries: Vec<&Value> =
        lines.iter().filter(|line| line["event"] == "searched").map(|line| &line["query"]).collect();
    assert_eq!(queries, ["first", "second", "third"]);
    assert_eq!((&lines[1]["who"], &lines[1]["sees"]), (&json!("127.0.0.1"), &json!("everything")));
}

#[test]
fn what_cannot_be_written_is_said_refused_if_that_is_wanted_and_written_later() {
    let bench = Bench::with_documents(1);
    let docs = bench.docs().display().to_string();
    let folder = bench.root.path().join("audit");
    let config = format!("[audit]\nenabled = true\nrequired = true\npath = {folder:?}\n");
    fs::write(&folder, "in the way").unwrap();
    let path = bench.root.path().join("quarry.toml");
    fs::write(&path, &config).unwrap();
    let serve = ["--config", path.to_str().unwrap(), "serve", "--listen", "127.0.0.1:0"];
    bench.run(&serve).refused(&["the audit log cannot be written"]);
    fs::remove_file(&folder).unwrap();
    let server = Server::configured(&bench, &config, &[&docs]).ready();
    let id = server.get("/api/v1/documents").expect(200)["documents"][0]["id"].as_str().unwrap().to_string();
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    let open = || server.get(&format!("/api/v1/documents/{id}"));
    assert_eq!(open().status, 200, "nobody has noticed yet");
    until("it is refused", || open().status == 503);
    assert_eq!(open().problem(503, "audit-unwritable")["status"], 503);
    server.get("/api/v1/search?q=note").expect(200);
    assert_eq!(server.get("/api/v1/status").expect(200)["audit"], json!({ "failing": true, "lost": 0 }));
    assert!(server.get("/metrics").text.contains("quarry_audit_failing 1"));
    assert!(server.get("/status").text.contains("The audit log cannot be written"));
    assert!(server.log.lock().unwrap().iter().any(|line| line.contains("the audit log cannot be written")));
    fs::remove_file(&folder).unwrap();
    until("it is allowed again", || open().status == 200);
    let lines = lines(&folder);
    assert!(lines.iter().any(|line| line["document"] == json!(id)), "{lines:?}");
    assert_eq!(server.get("/api/v1/status").expect(200)["audit"]["failing"], json!(false));
}
