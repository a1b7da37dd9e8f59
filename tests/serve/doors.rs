//! Attempts of strangers to get in: spellings, hosts, proxies, lost keys, planted queries. Each gave something away
//! once.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{PATIENCE, Server, over_documents};
use crate::support::Bench;

fn key(bench: &Bench, scope: &str) -> String {
    bench.run(&["keys", "create", "test", "--scope", scope]).succeeded().stdout().trim().to_string()
}

/// The status of an answer to bytes; `None` if the connection was closed without one.
fn raw(server: &Server, request: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The server may close before it has read all.
    let _ = stream.write_all(request);
    let mut head = Vec::new();
    let _ = stream.take(12).read_to_end(&mut head);
    std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()
}

#[test]
fn no_bytes_of_an_address_open_what_a_scope_closes() {
    let bench = Bench::with_documents(1);
    let (search, index) = (key(&bench, "search"), key(&bench, "index"));
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    let send = |method: &str, target: &[u8], key: &str| {
        let head = format!(
            " HTTP/1.1\r\nhost: localhost\r\nx-api-key: {key}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
             connection: close\r\n\r\n{{}}"
        );
        raw(&server, &[method.as_bytes(), b" ", target, head.as_bytes()].concat())
    };
    let closed: [(&str, &str, &str); 6] = [
        ("PUT", "/api/v1/documents", &search),
        ("POST", "/api/v1/documents/bulk", &search),
        ("POST", "/api/v1/sources/docs/index", &search),
        ("GET", "/metrics", &search),
        ("DELETE", "/api/v1/sources/index", &index),
        ("POST", "/api/v1/sources", &index),
    ];
    let mut sent = 0;
    for (method, path, key) in closed {
        assert_eq!(send(method, path.as_bytes(), key), Some(403), "{method} {path}");
        let last = path.rfind('/').unwrap() + 1;
        let (before, after) = path.split_at(last);
        let encoded = format!("{before}%{:02x}{}", after.as_bytes()[0], &after[1..]);
        assert_eq!(send(method, encoded.as_bytes(), key), Some(403), "the same address: {method} {encoded}");
        let mut spellings: Vec<Vec<u8>> = vec![encoded.to_uppercase().into_bytes()];
        for end in
            ["/", "//", "/.", "/..", ";x", "%00", "%2f", "#x", "?x", "%", "%zz", "%0d%0ahost:x", "/%69ndex", "/index"]
        {
            spellings.push(format!("{path}{end}").into_bytes());
        }
        for start in [
            "/",
            "/.",
            "/x/..",
            "/health/live/..",
            "/assets/0/..",
            "http://localhost",
            "http://localhost/health/live/..",
            "//localhost",
        ] {
            spellings.push(format!("{start}{path}").into_bytes());
        }
        spellings.push(path.replace("/", "\\").into_bytes());
        for byte in [0u8, 1, 9, 10, 13, 32, 127, 128, 0xc0, 0xff] {
            spellings.push([before.as_bytes(), &[byte], after.as_bytes()].concat());
            spellings.push([path.as_bytes(), &[byte]].concat());
        }
        for spelling in spellings {
            sent += 1;
            let status = send(method, &spelling, key);
            let refused = status.is_none_or(|status| matches!(status, 400 | 401 | 403 | 404 | 405 | 421));
            assert!(refused, "{method} {} gives {status:?}", spelling.escape_ascii());
        }
    }
    assert!(sent > 200, "{sent}");
    assert_eq!(server.request("GET", "/api/v1/status", &[("x-api-key", &search)], &[]).status, 200);
}

#[test]
fn lost_keys_never_open_a_server() {
    let bench = Bench::with_documents(1);
    let docs = bench.docs().display().to_string();
    let file = bench.data().join("keys.json");
    let admin = key(&bench, "admin");
    let losses: [&dyn Fn(); 5] = [
        &|| fs::write(&file, "").unwrap(),
        &|| fs::write(&file, "{}").unwrap(),
        &|| fs::write(&file, "[]").unwrap(),
        &|| fs::write(&file, "{\"keys\":[]}").unwrap(),
        &|| fs::remove_file(&file).unwrap(),
    ];
    for (number, lose) in losses.iter().enumerate() {
        let admin = if number == 0 { admin.clone() } else { key(&bench, "admin") };
        let server = Server::start(&bench, &[&docs]).ready();
        server.request("GET", "/api/v1/status", &[("x-api-key", &admin)], &[]).expect(200);
        server.get("/api/v1/status").problem(401, "key-missing");
        lose();
        let is_closed = |server: &Server| {
            let problem = server.get("/api/v1/status").problem(401, "key-missing");
            assert!(problem["cure"].as_str().unwrap().contains("quarry keys create"), "loss {number}: {problem}");
            server.request("GET", "/metrics", &[("x-api-key", &admin)], &[]).problem(401, "key-invalid");
        };
        is_closed(&server);
        drop(server);
        is_closed(&Server::start(&bench, &[&docs]).ready());
        bench.run(&["serve", "--listen", "0.0.0.0:0"]).refused(&["quarry keys create"]);
        let list = bench.run(&["keys", "list"]).succeeded().stderr();
        assert!(list.contains("nobody") && list.contains("quarry keys create"), "{list}");
    }
}

#[test]
fn only_hosts_as_urls_have_them_are_answered() {
    let (_bench, server) = over_documents(1);
    let to = |hosts: &[&str]| {
        let hosts: String = hosts.iter().map(|host| format!("host: {host}\r\n")).collect();
        raw(&server, format!("GET /api/v1/status HTTP/1.1\r\n{hosts}connection: close\r\n\r\n").as_bytes())
    };
    for good in ["127.0.0.1:7700", "LOCALHOST", "localhost.:1", "[::1]", "[::ffff:127.0.0.1]:7700"] {
        assert_eq!(to(&[good]), Some(200), "{good}");
    }
    for bad in [
        "127.0.0.1:1@evil",
        "127.0.0.1@evil.example",
        "evil@127.0.0.1",
        "127.0.0.1:99999",
        "127.0.0.1:x",
        "[::1].evil.example",
        "[::1]x",
        "127.1",
        "localhost/evil",
        "localhost..",
    ] {
        assert!(matches!(to(&[bad]), Some(400 | 421)), "{bad}: {:?}", to(&[bad]));
    }
    assert!(matches!(to(&["localhost", "evil.example"]), Some(400 | 421)));
    assert!(matches!(to(&["evil.example", "localhost"]), Some(400 | 421)));
    assert!(matches!(to(&[]), Some(400 | 421)));
}

/// What is suggested, once the thread that makes suggestions had its turn.
fn suggested(server: &Server, key: &str, typed: &str) -> Vec<Value> {
    let path = format!("/api/v1/suggest?q={typed}");
    let answer = server.request("GET", &path, &[("x-api-key", key)], &[]).expect(200);
    answer["suggestions"].as_array().unwrap().iter().filter(|one| one["kind"] == "query").cloned().collect()
}

#[test]
fn what_one_person_asks_is_not_told_to_others() {
    for config in ["", "[suggest]\nhistory = 10\n"] {
        let bench = Bench::with_documents(2);
        let (one, two) = (key(&bench, "search"), key(&bench, "search"));
        let server = Server::configured(&bench, config, &[&bench.docs().display().to_string()]).ready();
        let ask = |key: &str, query: &str, headers: &[(&str, &str)]| {
            let bearer = format!("Bearer {key}");
            let headers = [&[("authorization", bearer.as_str())], headers].concat();
            server.request("GET", &format!("/api/v1/search?q={query}"), &headers, &[]).expect(200);
        };
        for _ in 0..4 {
            ask(&one, "note+jane+miller", &[]);
            ask(&two, "note+planted+words", &[("sec-fetch-site", "cross-site")]);
            ask(&one, "note+planted+words", &[("origin", "http://evil.example")]);
            ask(&two, "note+planted+words", &[("referer", "http://evil.example/page")]);
        }
        for key in [&one, &two] {
            // What a browser sends by itself, as any page can make it: the password it was asked for.
            let basic = format!("Basic {}", base64(&format!("x:{key}")));
            server.request("GET", "/search?q=note+planted+words", &[("authorization", &basic)], &[]);
        }
        assert_eq!(suggested(&server, &one, "jane").is_empty(), config.is_empty(), "off by default: {config:?}");
        for (key, typed) in [(&two, "jane"), (&one, "planted"), (&two, "planted")] {
            assert!(suggested(&server, key, typed).is_empty(), "{typed} with {config:?}");
        }
    }
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut coded = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            coded.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    coded
}

#[test]
fn places_on_the_server_are_for_administrators() {
    let bench = Bench::with_documents(2);
    let docs = bench.docs().display().to_string();
    let (search, index, admin) = (key(&bench, "search"), key(&bench, "search,index"), key(&bench, "admin"));
    let server = Server::start(&bench, &[&docs]).ready();
    let with = |key: &str, method: &str, path: &str| server.request(method, path, &[("x-api-key", key)], &[]);
    fs::remove_dir_all(bench.docs()).unwrap();
    let job = with(&index, "POST", "/api/v1/sources/docs/index").expect(202)["job"].clone();
    let started = Instant::now();
    let failed = loop {
        let job = with(&admin, "GET", &format!("/api/v1/jobs/{job}")).expect(200);
        if job["state"] == "failed" {
            break job;
        }
        assert!(started.elapsed() < PATIENCE, "{job}");
        std::thread::sleep(Duration::from_millis(20));
    };
    let here = bench.root.path().display().to_string();
    assert!(failed["error"].as_str().unwrap().contains(&docs), "{failed}");
    let document =
        with(&search, "GET", "/api/v1/documents").expect(200)["documents"][0]["id"].as_str().unwrap().to_string();
    let read = [
        format!("/api/v1/jobs/{job}"),
        "/api/v1/jobs".to_string(),
        "/api/v1/status".to_string(),
        "/api/v1/sources".to_string(),
        "/api/v1/sources/docs/ledger".to_string(),
        "/api/v1/sources/docs/ledger?format=csv".to_string(),
        "/api/v1/documents".to_string(),
        format!("/api/v1/documents/{document}"),
        format!("/api/v1/documents/{document}/passages"),
        format!("/api/v1/similar?id={document}"),
        "/api/v1/search?q=note&explain=true&facets=true".to_string(),
        "/".to_string(),
        "/search?q=note".to_string(),
        "/status".to_string(),
        "/status/files.csv".to_string(),
        format!("/document/{document}"),
        format!("/document/{document}/file"),
        format!("/document/{document}/similar"),
    ];
    for path in &read {
        let reply = with(&search, "GET", path);
        assert!(!reply.text.contains(&here), "{path}: {}", reply.text);
        assert_ne!(reply.status, 403, "{path}");
    }
    let told = with(&index, "GET", &format!("/api/v1/jobs/{job}")).expect(200);
    assert!(told["error"].as_str().unwrap().contains("folder cannot be read"), "who asked hears what it is: {told}");
    with(&search, "GET", &format!("/api/v1/jobs/{job}")).problem(404, "not-found");
    assert_eq!(told["source"], "docs");
    assert!(with(&admin, "GET", "/status").text.contains(&docs), "administrators see the place");
}

#[test]
fn forwarded_headers_count_from_trusted_proxies_alone() {
    let config = |proxy: &str| {
        format!(
            "[auth]\nproxy_header = \"X-User\"\nproxy_from = [\"{proxy}\"]\nproxy_scopes = [\"search\"]\n\
             [server]\nallowed_hosts = [\"search.example\"]\n[limits]\nrate_per_second = 1\nrate_burst = 3\n"
        )
    };
    let forwarded = [
        ("host", "localhost"),
        ("x-forwarded-host", "search.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.example;proto=https"),
    ];
    let (by_proxy, by_stranger) = (Bench::new(), Bench::new());
    // A proxy's address may be written as an IPv6 one.
    let server = Server::configured(&by_proxy, &config("::ffff:127.0.0.1"), &[]).ready();
    let description = server.request("GET", "/opensearch.xml", &forwarded, &[]).text;
    assert!(description.contains("\"https://search.example/search"), "{description}");
    let evil = [("host", "localhost"), ("x-forwarded-host", "evil.example")];
    server.request("GET", "/opensearch.xml", &evil, &[]).problem(421, "host-not-allowed");
    let guess = |server: &Server, address: &str| {
        server
            .request("GET", "/api/v1/status", &[("x-forwarded-for", address), ("x-api-key", "qk_00000000_x")], &[])
            .status
    };
    assert!((0..50).any(|_| guess(&server, "6.6.6.6, 1.1.1.1") == 429));
    assert_eq!(guess(&server, "2.2.2.2"), 401, "another client of the proxy has a rate of its own");
    let server = Server::configured(&by_stranger, &config("10.0.0.1"), &[]).ready();
    let description = server.request("GET", "/opensearch.xml", &forwarded, &[]).text;
    assert!(description.contains("\"http://localhost/search") && !description.contains("example"), "{description}");
    let refused = (0..50).any(|number| guess(&server, &format!("1.1.1.{number}")) == 429);
    assert!(refused, "who invents addresses is still one client");
}

#[test]
fn a_proxy_without_users_needs_keys() {
    let bench = Bench::new();
    let server = Server::configured(&bench, "[auth]\nproxy_from = [\"127.0.0.1\"]\n", &[]).ready();
    server.get("/api/v1/status").problem(401, "key-missing");
}

#[test]
fn numbers_and_probes_have_an_address_of_their_own() {
    let bench = Bench::with_documents(1);
    let admin = key(&bench, "admin");
    let server = Server::configured(&bench, "[server]\nmetrics_listen = \"127.0.0.1:0\"\n", &[]).ready();
    let numbers =
        server.said.iter().find_map(|line| line.strip_prefix("quarry: metrics at http://")?.strip_suffix("/metrics"));
    let at = |path: &str, host: &str| {
        let mut stream = TcpStream::connect(numbers.unwrap()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(at("/metrics", "localhost").contains("quarry_http_requests"));
    assert!(at("/health/ready", "10.0.0.1").starts_with("HTTP/1.1 200"));
    assert!(at("/metrics", "evil.example").starts_with("HTTP/1.1 421"));
    assert!(at("/api/v1/status", "localhost").starts_with("HTTP/1.1 401"));
    server.request("GET", "/metrics", &[("x-api-key", &admin)], &[]).problem(404, "not-found");
    assert_eq!(server.get("/health/ready").status, 200);

    let open = Bench::new();
    let path = open.root.path().join("quarry.toml");
    fs::write(&path, "[server]\nmetrics_listen = \"0.0.0.0:0\"\n").unwrap();
    open.run(&["--config", path.to_str().unwrap(), "serve", "--listen", "127.0.0.1:0"])
        .refused(&["without access control"]);
}

#[test]
fn what_cannot_be_searched_is_not_said_to_be_served() {
    let bench = Bench::with_documents(1);
    let nowhere = bench.root.path().join("no-model").display().to_string();
    let run = bench.run(&["--model", &nowhere, "serve", "--listen", "127.0.0.1:0"]).refused(&["quarry: starting at"]);
    assert!(!run.stderr().contains("serving"), "{}", run.stderr());
    let server = Server::start(&bench, &[]);
    assert_ne!(server.get("/api/v1/search?q=a").status, 503, "what is said to be served can be searched at once");
}

#[test]
fn nobody_writes_lines_or_colours_into_the_log() {
    let bench = Bench::with_documents(1);
    let mut command = bench.command(&["serve", "--listen", "127.0.0.1:0"]);
    let log = bench.root.path().join("log");
    command.env("RUST_LOG", "debug").env("TERM", "xterm-256color").stderr(fs::File::create(&log).unwrap());
    let mut process = command.spawn().unwrap();
    let said = |part: &str| {
        let started = Instant::now();
        loop {
            let text = fs::read_to_string(&log).unwrap();
            if text.contains(part) {
                return text;
            }
            assert!(started.elapsed() < PATIENCE, "{part}: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let text = said("quarry: serving http://");
    let address = text.lines().find_map(|line| line.strip_prefix("quarry: serving http://")).unwrap();
    let mut stream = TcpStream::connect(address.trim_end_matches('/')).unwrap();
    let path = "/a%0aERROR%20forged%1b%5b31m%c2%9b";
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nx-request-id: a%1b[31m\r\nconnection: close\r\n\r\n")
        .unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    let text = said("forged");
    process.kill().unwrap();
    process.wait().unwrap();
    let bad = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(bad, None, "{text:?}");
    assert!(!text.lines().any(|line| line.starts_with("ERROR")), "{text}");
}

#[test]
fn the_description_says_which_scope_each_address_needs() {
    let (_bench, server) = over_documents(1);
    let description = server.get("/api/openapi.json").expect(200);
    let needs = |path: &str, method: &str| description["paths"][path][method]["security"][1]["key"][0].clone();
    assert_eq!(needs("/api/v1/sources/{name}", "delete"), json!("admin"));
    assert_eq!(needs("/api/v1/documents", "put"), json!("index"));
    assert_eq!(needs("/api/v1/search", "get"), json!("search"));
    assert_eq!(description["paths"]["/health/live"]["get"]["security"], json!([{}]));
}
