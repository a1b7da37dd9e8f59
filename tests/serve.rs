//! `quarry serve` over HTTP: what a client sees, and what it may not.

mod load;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{PATIENCE, Reply, Server, over_documents};
use crate::support::{Bench, fixture};

#[test]
fn it_lives_at_once_is_ready_when_searchable_and_stops_cleanly() {
    let bench = Bench::new();
    let handbook = fixture("handbook").display().to_string();
    let mut server = Server::start(&bench, &[&handbook]);
    assert_eq!(server.get("/health/live").status, 200);
    server = server.ready();
    assert!(server.paths("q=how+do+I+get+my+travel+money+back&top=10").contains(&"travel/expenses.md".to_string()));
    let page = server.get("/?q=vacation");
    assert!(page.status == 200 && page.header("content-type").starts_with("text/html"), "{}", page.text);
    assert_eq!(server.signal("-TERM"), Some(0));
    bench.verify();
}

#[test]
fn a_search_has_the_shape_of_the_command_line() {
    let (bench, mut server) = over_documents(8);
    let mut answer = server.get("/api/v1/search?q=leave+and+holidays+marker001&top=3").expect(200);
    assert_eq!(server.signal("-INT"), Some(0));
    let mut printed = bench.search(&["leave and holidays marker001", "--top", "3"]);
    for either in [&mut answer, &mut printed] {
        assert!(either["timings"].as_object_mut().unwrap().values().all(Value::is_f64));
        either["timings"] = Value::Null;
    }
    assert_eq!(answer, printed);
}

#[test]
fn filters_facets_pages_and_explanations() {
    let bench = Bench::with_documents(8);
    bench.write("b/beta.txt", "The blue pump works on Mondays.");
    let docs = bench.docs().display().to_string();
    let server = Server::start(&bench, &[&docs]).ready();
    assert_eq!(server.paths("q=pump&type=text&type=html"), ["b/beta.txt"]);
    assert!(server.paths("q=pump&before=2001").is_empty());
    let body = json!({ "query": "note marker001", "filters": { "path": ["note"] }, "facets": true, "explain": true });
    let answer = server.send("POST", "/api/v1/search", &body).expect(200);
    assert_eq!(answer["facets"]["kind"], json!([{ "value": "markdown", "count": 8 }]));
    assert_eq!(answer["facets"]["source"], json!([{ "value": "docs", "count": 8 }]));
    assert_eq!(answer["understood"]["words"], json!(["note", "marker001"]));
    let first = server.paths("q=note&top=4");
    let second = server.paths("q=note&top=4&offset=4");
    assert!(first.len() == 4 && second.iter().all(|path| !first.contains(path)));

    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/api/v1/documents?limit=4{cursor}")).expect(200);
        assert_eq!(page["total"], 9);
        listed.extend(page["documents"].as_array().unwrap().iter().map(|document| document["id"].clone().to_string()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed.len(), 9);
    listed.sort();
    listed.dedup();
    assert_eq!(listed.len(), 9, "no document twice");
}

#[test]
fn what_is_wrong_is_said_with_its_cure() {
    let (_bench, server) = over_documents(2);
    server.get("/api/v1/search?q=x&tpo=3").problem(400, "bad-request");
    server.get("/api/v1/search").problem(400, "bad-request");
    server.get("/api/v1/search?q=x&top=0").problem(400, "bad-request");
    server.get("/api/v1/search?q=x&after=yesterday").problem(400, "bad-request");
    server.send("POST", "/api/v1/search", &json!({ "query": "x", "tpo": 3 })).problem(400, "bad-request");
    server
        .send("POST", "/api/v1/search", &json!({ "query": "x", "filters": { "knd": [] } }))
        .problem(400, "bad-request");
    server.request("POST", "/api/v1/search", &[], b"{}").problem(415, "media-type");
    server.get("/api/v1/nothing").problem(404, "not-found");
    server.get("/api/v1/documents/0123").problem(404, "not-found");
    server.get("/api/v1/documents/00000000000000000000000000000000/passages").problem(404, "not-found");
    server.send("DELETE", "/api/v1/search", &json!({})).problem(405, "method-not-allowed");
    server.put("../../etc/passwd", "x").problem(400, "bad-request");
    server.put("empty.md", "").problem(422, "unreadable");
    let body = json!({ "query": "x", "texts": ["y"] });
    server.send("POST", "/rerank", &body).problem(501, "no-reranker");
    let body = json!({ "name": "etc", "folder": "/etc" });
    server.send("POST", "/api/v1/sources", &body).problem(403, "folder-not-allowed");
}

#[test]
fn failures_are_pages_for_people_in_their_language() {
    let bench = Bench::with_documents(1);
    let config = "[limits]\nrate_per_second = 1\nrate_burst = 12\n";
    let server = Server::configured(&bench, config, &[]).ready();
    let browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8"), ("accept-language", "zh-CN")];
    let ask =
        |method: &str, path: &str, more: &[(&str, &str)]| server.request(method, path, &[&browser, more].concat(), &[]);
    let refused = [
        (ask("GET", "/nowhere", &[]), 404, "这里什么也没有"),
        (ask("POST", "/search", &[]), 405, "此地址只能读取"),
        (ask("GET", "/search?q=x&after=yesterday", &[]), 400, "无法理解此地址"),
        (ask("GET", "/search?q=x&offset=x", &[]), 400, "无法理解此地址"),
        (ask("GET", "/", &[("host", "evil.example")]), 421, "服务器没有这个名称"),
        (ask("POST", "/", &[("origin", "http://evil.example")]), 403, "请求来自其他网站"),
        ((0..60).map(|_| ask("GET", "/status", &[])).find(|reply| reply.status == 429).unwrap(), 429, "请求过于频繁"),
    ];
    for (reply, status, title) in refused {
        assert_eq!(reply.status, status, "{}", reply.text);
        assert!(reply.header("content-type").starts_with("text/html"), "{}", reply.text);
        assert!(reply.text.contains("lang=\"zh-Hans\"") && reply.text.contains(title), "{}", reply.text);
        for english in ["expected", "That did not", "request", "not valid", "Try again"] {
            let text: String = reply.text.split('<').filter_map(|part| Some(part.split_once('>')?.1)).collect();
            assert!(!text.contains(english), "{english}: {text}");
        }
        assert!(status != 429 || !reply.header("retry-after").is_empty());
    }
    // Programs, and whoever looks at the API, get problem documents.
    assert_eq!(
        server.request("GET", "/api/v1/nothing", &browser, &[]).header("content-type"),
        "application/problem+json"
    );
    assert_eq!(server.request("GET", "/nowhere", &[], &[]).header("content-type"), "application/problem+json");
}

#[test]
fn a_page_of_results_is_light() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[&fixture("handbook").display().to_string()]).ready();
    let page = server.get("/search?q=how+do+I+get+my+travel+money+back");
    assert_eq!(page.text.matches("<li class=\"hit\"").count(), 10);
    assert!(page.text.len() < 32_000, "the page has {} bytes", page.text.len());
    // Everything that its first visit fetches: styles, and scripts with what they import.
    let mut fetched: Vec<String> = Vec::new();
    let mut waiting: Vec<String> = ["page.css", "page.js"].map(str::to_string).into();
    let at = page.text.find("/assets/").unwrap();
    let folder = page.text[at..].split('/').take(3).collect::<Vec<_>>().join("/");
    let mut bytes = page.text.len();
    while let Some(name) = waiting.pop() {
        let asset = server.get(&format!("{folder}/{name}"));
        assert_eq!(asset.status, 200, "{name}");
        bytes += asset.text.len();
        fetched.push(name);
        let imports =
            asset.text.lines().filter(|line| line.starts_with("import ")).filter_map(|line| line.split("\"./").nth(1));
        let new = imports.filter_map(|rest| rest.split('"').next()).map(str::to_string);
        waiting.extend(new.filter(|name| !fetched.contains(name)).collect::<Vec<_>>());
        waiting.sort();
        waiting.dedup();
    }
    assert!(fetched.len() > 4, "{fetched:?}");
    assert!(bytes < 60_000, "a first visit takes {bytes} bytes: {fetched:?}");
    println!("a first visit: {bytes} bytes, {} of them the page", page.text.len());
}

#[test]
fn the_sentence_that_answers_is_marked_where_no_word_is() {
    let bench = Bench::new();
    let filler = "The committee met in the large room on the second floor. Minutes were taken by the secretary. ";
    bench.write(
        "pets.md",
        &format!("# Rules of the house\n\n{filler}{filler}{filler}Dogs and cats may not be brought to work. {filler}"),
    );
    bench.write("other.md", "# Parking\n\nCars are left behind the building. The gate closes at nine.");
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    let ask = |mark: &str| {
        let answer = server.get(&format!("/api/v1/search?q=animals+pets&mode=semantic&mark={mark}")).expect(200);
        let hit = answer["results"].as_array().unwrap().iter().find(|hit| hit["path"] == "pets.md").unwrap().clone();
        (hit["passages"][0].clone(), answer["timings"]["highlight_ms"].as_f64().unwrap())
    };
    let (plain, _) = ask("words");
    assert_eq!((&plain["marked"], &plain["highlights"]), (&json!("nothing"), &json!([])));
    // A model that is kept from computing marks nothing; it is not always kept from it.
    let started = Instant::now();
    let (passage, took) = loop {
        let (passage, took) = ask("sentences");
        if passage["marked"] == "sentence" || started.elapsed() > PATIENCE {
            break (passage, took);
        }
    };
    assert_eq!(passage["marked"], "sentence", "{passage}");
    let mark = &passage["highlights"][0];
    let range = mark["start"].as_u64().unwrap() as usize..mark["end"].as_u64().unwrap() as usize;
    assert_eq!(&passage["snippet"].as_str().unwrap()[range], "Dogs and cats may not be brought to work.");
    assert!(took > 0.0);
    server.get("/api/v1/search?q=x&mark=all").problem(400, "bad-request");
}

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
fn documents_are_put_found_and_deleted() {
    let (bench, mut server) = over_documents(2);
    let put = server.send(
        "PUT",
        "/api/v1/documents",
        &json!({ "path": "animals/zebra.md", "title": "Zebra care", "text": "Feed it flamingo42.", "modified": 1_000_000_000 }),
    );
    let put = put.expect(200);
    assert_eq!((put["state"].as_str(), put["passages"].as_u64()), (Some("indexed"), Some(1)));
    let hit = server.get("/api/v1/search?q=flamingo42&mode=lexical").expect(200)["results"][0].clone();
    assert_eq!((hit["id"].clone(), hit["title"].as_str()), (put["id"].clone(), Some("Zebra care")));
    assert_eq!(hit["modified"], 1_000_000_000);
    let id = put["id"].as_str().unwrap();
    let passages = server.get(&format!("/api/v1/documents/{id}/passages")).expect(200);
    assert_eq!(passages["passages"][0]["text"], "Feed it flamingo42.");
    let similar = server.get(&format!("/api/v1/similar?id={id}&top=2")).expect(200);
    assert_eq!(similar["results"].as_array().unwrap().len(), 2);
    assert!(similar["results"].as_array().unwrap().iter().all(|hit| hit["id"] != put["id"]));

    server.put("animals/zebra.md", "Feed it pelican43.").expect(200);
    assert!(server.paths("q=flamingo42&mode=lexical").is_empty());
    assert_eq!(server.paths("q=pelican43&mode=lexical"), ["animals/zebra.md"]);

    let bulk = "{\"put\":{\"path\":\"one.md\",\"text\":\"heron44\"}}\n\n{\"put\":{\"path\":\"two.txt\",\"text\":\"heron44\"}}\n{\"delete\":{\"path\":\"animals/zebra.md\"}}\n";
    let reply =
        server.request("POST", "/api/v1/documents/bulk", &[("content-type", "application/x-ndjson")], bulk.as_bytes());
    let states: Vec<Value> =
        reply.expect(200)["items"].as_array().unwrap().iter().map(|item| item["state"].clone()).collect();
    assert_eq!(states, ["indexed", "indexed", "deleted"]);
    assert_eq!(server.paths("q=heron44&mode=lexical&copies=apart").len(), 2);
    assert!(server.paths("q=pelican43&mode=lexical").is_empty());

    let form = "--x\r\ncontent-disposition: form-data; name=\"path\"\r\n\r\nup/\r\n--x\r\n\
                content-disposition: form-data; name=\"file\"; filename=\"page.html\"\r\n\r\n<title>T</title><p>stork45\r\n--x--\r\n";
    let reply = server.request(
        "POST",
        "/api/v1/documents",
        &[("content-type", "multipart/form-data; boundary=x")],
        form.as_bytes(),
    );
    let item = reply.expect(200)["items"][0].clone();
    assert_eq!((item["path"].as_str(), item["state"].as_str()), (Some("up/page.html"), Some("indexed")));
    server.send("DELETE", &format!("/api/v1/documents/{}", item["id"].as_str().unwrap()), &json!({})).expect(200);
    assert!(server.paths("q=stork45&mode=lexical").is_empty());

    let file = server.get("/api/v1/search?q=marker001&mode=lexical").expect(200)["results"][0]["id"].clone();
    server
        .send("DELETE", &format!("/api/v1/documents/{}", file.as_str().unwrap()), &json!({}))
        .problem(409, "conflict");
    assert_eq!(server.signal("-TERM"), Some(0));
    bench.verify();
    bench.run(&["index"]).succeeded();
    let twin = &bench.search(&["heron44", "--lexical"])["results"][0];
    assert_eq!(twin["copies"].as_array().unwrap().len(), 1, "pushed documents are files like others");
}

#[test]
fn sources_are_looked_through_again_and_removed() {
    let bench = Bench::with_documents(3);
    let other = bench.root.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("x.md"), "# X\n\nostrich46").unwrap();
    fs::write(other.join("y.bin"), [0, 1, 2]).unwrap();
    let docs = bench.docs().display().to_string();
    let config = format!("[index]\nallow_folders = [{:?}]\n", bench.root.path());
    let server = Server::configured(&bench, &config, &[&docs]).ready();
    bench.write("late.md", "# Late\n\nemu47");
    let job = server.send("POST", "/api/v1/sources/docs/index", &json!({})).expect(202)["job"].clone();
    assert_eq!(server.job(&job)["state"], "done");
    assert_eq!(server.paths("q=emu47&mode=lexical"), ["late.md"]);
    let job =
        server.send("POST", "/api/v1/sources", &json!({ "name": "other", "folder": other })).expect(202)["job"].clone();
    assert_eq!(server.job(&job)["state"], "done");
    assert_eq!(server.paths("q=ostrich46&mode=lexical&source=other"), ["x.md"]);
    let sources = server.get("/api/v1/sources").expect(200);
    assert_eq!(sources["sources"][1]["skipped"], 1);
    let ledger = server.get("/api/v1/sources/other/ledger?state=skipped").expect(200);
    assert_eq!(ledger["files"][0]["path"], "y.bin");
    let page = server.get("/api/v1/sources/docs/ledger?limit=2").expect(200);
    let next = page["next"].as_str().unwrap();
    let rest = server.get(&format!("/api/v1/sources/docs/ledger?cursor={next}")).expect(200);
    assert_eq!(rest["files"].as_array().unwrap().len(), 2);
    let job = server.send("DELETE", "/api/v1/sources/other", &json!({})).expect(202)["job"].clone();
    assert_eq!(server.job(&job)["state"], "done");
    assert!(server.paths("q=ostrich46&mode=lexical").is_empty() && other.join("x.md").exists());
    server.get("/api/v1/sources/other/ledger").problem(404, "not-found");
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

#[test]
fn a_stream_sends_the_fused_order_then_better_ones() {
    let bench = Bench::with_documents(6);
    let docs = bench.docs().display().to_string();
    let reranker = fixture("models/tiny-reranker").display().to_string();
    let server = Server::start(&bench, &["--reranker", &reranker, &docs]).ready();
    let reply = server.get("/api/v1/search/stream?q=holidays&top=3");
    assert_eq!(reply.header("content-type"), "text/event-stream");
    let events: Vec<(&str, Value)> = reply
        .text
        .split_terminator("\n\n")
        .map(|event| {
            let (name, data) = event.split_once('\n').unwrap();
            (name.strip_prefix("event: ").unwrap(), serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap())
        })
        .collect();
    let names: Vec<&str> = events.iter().map(|(name, _)| *name).collect();
    assert_eq!((names.first(), names.last()), (Some(&"results"), Some(&"done")));
    assert_eq!(events[0].1["reranked"], 0, "the first order costs nothing but recall");
    let best = &events[events.len() - 2].1;
    assert!(best["reranked"].as_u64().unwrap() > 0);
    let plain = server.get("/api/v1/search?q=holidays&top=3&rerank_candidates=0").expect(200);
    assert_eq!(plain["reranked"], 0);
    let ranked = server.send(
        "POST",
        "/v2/rerank",
        &json!({ "model": "m", "query": "q", "documents": ["a", { "text": "b" }], "top_n": 1 }),
    );
    assert_eq!(ranked.expect(200)["results"].as_array().unwrap().len(), 1);
    let ranks =
        server.send("POST", "/rerank", &json!({ "query": "q", "texts": ["a", "b"], "return_text": true })).expect(200);
    assert!(ranks[0]["score"].as_f64() >= ranks[1]["score"].as_f64());
}

#[test]
fn embeddings_speak_the_shapes_of_others() {
    let (_bench, server) = over_documents(1);
    let body = json!({ "model": "m", "input": ["leave", "holidays"], "user": "u", "dimensions": 64 });
    let answer = server.send("POST", "/v1/embeddings", &body).expect(200);
    assert_eq!((answer["object"].as_str(), answer["model"].as_str()), (Some("list"), Some("m")));
    let vector: Vec<f64> = serde_json::from_value(answer["data"][1]["embedding"].clone()).unwrap();
    assert_eq!(vector.len(), 64);
    assert!((vector.iter().map(|value| value * value).sum::<f64>() - 1.0).abs() < 1e-5);
    let body = json!({ "input": "holidays", "dimensions": 64, "encoding_format": "base64" });
    let encoded = server.send("POST", "/v1/embeddings", &body).expect(200)["data"][0]["embedding"].clone();
    assert_eq!(encoded.as_str().unwrap().len(), (64 * 4usize).div_ceil(3) * 4);
    // The bundled model gives the instruction no weight, so the form of a query shows in what is refused.
    let form = |form: &str| json!({ "input": "holidays", "input_type": form, "instruct": "Find policies" });
    server.send("POST", "/v1/embeddings", &form("query")).expect(200);
    server.send("POST", "/v1/embeddings", &form("document")).problem(400, "bad-request");
    server.send("POST", "/v1/embeddings", &form("poem")).problem(400, "bad-request");
    // Token ids of the model's own tokenizer; of another one, as far as it can be told.
    let embed = |input: Value| server.send("POST", "/v1/embeddings", &json!({ "input": input }));
    let one = embed(json!([7, 8, 9])).expect(200);
    assert_eq!(one["usage"]["prompt_tokens"], 4, "the end of the text is added");
    let two = embed(json!([[7, 8, 9], [7]])).expect(200);
    assert_eq!((&two["data"][0], two["data"].as_array().unwrap().len()), (&one["data"][0], 2));
    let detail = embed(json!([[7], [4_000_000]])).problem(400, "bad-request")["detail"].clone();
    assert!(detail.as_str().unwrap().contains("token 4000000 does not exist"), "{detail}");
    let detail = embed(json!([1, "x"])).problem(400, "bad-request")["detail"].clone();
    assert!(detail.as_str().unwrap().contains("expected a text, a list of texts"), "{detail}");
    let query = json!({ "input": [7], "input_type": "query" });
    server.send("POST", "/v1/embeddings", &query).problem(400, "bad-request");
    server.send("POST", "/v1/embeddings", &json!({ "input": "x", "dimensions": 8 })).problem(400, "bad-request");
    let vectors = server.send("POST", "/embed", &json!({ "inputs": "holidays" })).expect(200);
    assert_eq!(vectors[0].as_array().unwrap().len(), 256);
}

#[test]
fn suggestions_forgive_a_slip() {
    let bench = Bench::new();
    bench.write("a.md", "# Vacation policy\n\n## Carrying days over\n\nText about it.");
    let docs = bench.docs().display().to_string();
    let server = Server::start(&bench, &[&docs]).ready();
    let started = Instant::now();
    loop {
        let answer = server.get("/api/v1/suggest?q=vacaton").expect(200);
        if answer["suggestions"][0]["text"] == "Vacation policy" {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let answer = server.get("/api/v1/suggest?q=days+ca").expect(200);
    assert_eq!(answer["suggestions"][0], json!({ "text": "Carrying days over", "kind": "heading", "count": 1 }));
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let (bench, mut server) = over_documents(3);
    for number in 0..4 {
        server.put(&format!("kept-{number}.md"), &format!("cassowary{number}")).expect(200);
    }
    assert_eq!(server.signal("-KILL"), None);
    let mut server = Server::start(&bench, &[]).ready();
    for number in 0..4 {
        assert_eq!(server.paths(&format!("q=cassowary{number}&mode=lexical")), [format!("kept-{number}.md")]);
    }
    assert_eq!(server.signal("-TERM"), Some(0));
    bench.verify();
}

#[test]
fn the_configuration_is_checked() {
    let bench = Bench::new();
    let path = bench.root.path().join("quarry.toml");
    let check = |text: &str| {
        fs::write(&path, text).unwrap();
        bench.run(&["--config", path.to_str().unwrap(), "config", "check"])
    };
    check("[server]\nlisten = \"127.0.0.1:9\"\n").succeeded();
    check("[server]\nlisten = \"nowhere\"\n").refused(&["quarry.toml", "listen"]);
    check("[servr]\n").refused(&["unknown field", "servr"]);
    check("[limits]\nbody_bytes = 0\n").refused(&["limits.body_bytes"]);
    let shown = bench.run(&["--dimension", "64", "config", "show"]).succeeded().stdout();
    assert!(shown.contains("dimension = 64") && shown.contains("query_chars = 2000"), "{shown}");
    bench.run(&["--config", "/nowhere/quarry.toml", "config", "check"]).refused(&["/nowhere/quarry.toml"]);
}

#[test]
fn another_process_cannot_serve_the_same_folder() {
    let (bench, _server) = over_documents(1);
    bench.run(&["serve", "--listen", "127.0.0.1:0"]).refused(&["in use"]);
}

#[test]
fn metrics_tell_what_the_model_did() {
    let bench = Bench::with_documents(3);
    let docs = bench.docs().display().to_string();
    let server = Server::start(&bench, &[&docs]).ready();
    (0..2).for_each(|_| drop(server.get("/api/v1/search?q=holidays")));
    let value = |name: &str| server.metric(name, "embedding");
    assert!(value("model_tokens") > 0.0 && value("model_utilisation") > 0.0);
    assert_eq!((value("model_cache_hits"), value("model_waiting_queries")), (1.0, 0.0));
    let status = server.get("/api/v1/status").expect(200);
    let model = &status["model"];
    assert_eq!(
        (&model["precision"], &model["device"], &model["dimension"]),
        (&json!("f32"), &json!("cpu"), &json!(256))
    );
    assert!(model["tokens_per_second"].as_f64() > Some(0.0) && model["waiting"] == 0, "{model}");
    assert!(status["reranker"].is_null());
}

#[test]
fn near_duplicates_are_one_result() {
    let bench = Bench::new();
    let rule =
        |n: usize| format!("Rule {n}: the claim number {n} needs form F-{n} and the signature of a manager.\n\n");
    let policy = (0..30).map(rule).collect::<String>();
    bench.write("2025/policy.md", &format!("# Claims\n\n{policy}"));
    bench.write("2026/policy.md", &format!("# Claims\n\n{}", policy.replace("Rule 7:", "Rule 7 (changed):")));
    bench
        .write("other.md", "# Gateway\n\nA claim about sensors: they send readings and need no form and no signature.");
    let old = std::fs::File::options().write(true).open(bench.docs().join("2025/policy.md")).unwrap();
    old.set_modified(std::time::SystemTime::now() - Duration::from_secs(86_400)).unwrap();
    let server = Server::start(&bench, &[bench.docs().to_str().unwrap()]).ready();
    let answer = server.get("/api/v1/search?q=claim+form+signature").expect(200);
    assert_eq!(answer["total"], 2, "{answer}");
    let policy = answer["results"].as_array().unwrap().iter().find(|hit| hit["title"] == "Claims").unwrap();
    assert_eq!((&policy["path"], &policy["copies"][0]["path"]), (&"2026/policy.md".into(), &"2025/policy.md".into()));
    assert!(server.get("/search?q=claim+form+signature").text.contains("Also in 1 place"));
    assert!(server.get("/search?q=claim+form+signature&lang=zh").status == 200);
    let apart = server.get("/api/v1/search?q=claim+form+signature&copies=apart").expect(200);
    assert_eq!(apart["total"], 3, "{apart}");
}
