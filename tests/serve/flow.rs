//! Clients that are slow or take nothing, requests that are refused: what others and the disk notice of them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::server::{PATIENCE, Reply, Server};
use crate::support::{Bench, fixture};

/// Bytes of the file that slow clients ask for or send.
const LARGE: usize = 24 << 20;
/// Slow clients at once.
const CLIENTS: usize = 12;

/// A client that takes next to nothing by itself.
fn unread(server: &Server, path: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&server.address.parse::<SocketAddr>().unwrap().into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    stream
}

/// Memory of the server, in MiB.
fn memory(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until the server has cut off a client that took nothing; what it can still read is not the whole.
fn is_cut_off(server: &Server, mut stream: TcpStream, whole: usize) {
    let port = |address: SocketAddr| format!(":{:04X}", address.port());
    let (here, there) = (port(server.address.parse().unwrap()), port(stream.local_addr().unwrap()));
    until("who takes nothing is cut off", || {
        // The client itself learns of it only when it reads on.
        let connections = fs::read_to_string("/proc/net/tcp").unwrap();
        !connections.lines().any(|line| {
            let mut words = line.split_whitespace().skip(1);
            let mut next = |end: &str| words.next().is_some_and(|word| word.ends_with(end));
            next(&here) && next(&there) && next("01")
        })
    });
    let mut taken = 0;
    let mut buffer = [0; 65_536];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        taken += read;
    }
    assert!(taken < whole, "{taken} of {whole}");
}

/// A whole answer, with its head.
fn whole(server: &Server, path: &str, header: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{header}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// A client that has read how its answer begins, and nothing more.
fn begun(server: &Server, path: &str, expected: &[u8; 12]) -> TcpStream {
    let mut stream = unread(server, path);
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, expected, "{}", String::from_utf8_lossy(&head));
    stream
}

/// A tar archive with a document and as much as fits beside it.
fn archive(text: &str) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, content) in [("in.md", text.as_bytes().to_vec()), ("rest.bin", vec![0xA7; LARGE])] {
        let mut header = [0u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        header[148..156].copy_from_slice(b"        ");
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend_from_slice(&header);
        tar.extend_from_slice(&content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1_024, 0);
    tar
}

fn bulk(server: &Server, lines: &[Value]) -> Reply {
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    let headers = [("content-type", "application/x-ndjson")];
    server.request("POST", "/api/v1/documents/bulk", &headers, lines.join("\n").as_bytes())
}

fn form(server: &Server, files: &[(&str, &str)]) -> Reply {
    let part = |(name, text): &(&str, &str)| {
        format!("--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{text}\r\n")
    };
    let body = files.iter().map(part).collect::<String>() + "--x--\r\n";
    server.request("POST", "/api/v1/documents", &[("content-type", "multipart/form-data; boundary=x")], body.as_bytes())
}

fn states(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|item| item["state"].as_str().unwrap()).collect()
}

fn id_of(server: &Server, path: &str) -> String {
    let found = server.get(&format!("/api/v1/documents?path={path}")).expect(200);
    found["documents"][0]["id"].as_str().unwrap_or_else(|| panic!("{path}: {found}")).to_string()
}

fn drafts(data: &Path) -> usize {
    fs::read_dir(data.join("pushed/.unfinished")).unwrap().count()
}

#[test]
fn streams_that_are_not_read_leave_searching_to_others_and_are_cut_off() {
    let bench = Bench::new();
    let words = "holidays leave notice claim travel office laptop budget review contract";
    for number in 0..260 {
        let text = format!("{words} {number}. ").repeat(70);
        bench.write(&format!("{number:03}.txt"), &text);
    }
    let docs = bench.docs().display().to_string();
    let reranker = fixture("models/tiny-reranker").display().to_string();
    let config = "[limits]\nconcurrent = 1\nstalled_seconds = 5\n";
    let server = Server::configured(&bench, config, &["--reranker", &reranker, &docs]).ready();
    let path = "/api/v1/search/stream?q=claim+travel&top=1000&copies=apart";
    let whole = whole(&server, path, "").len();
    assert!(whole > 6 << 20, "more than a connection holds by itself: {whole}");
    let streams: Vec<TcpStream> =
        (0..6).map(|number| unread(&server, &format!("{path}&offset={}", number % 2))).collect();
    let started = Instant::now();
    let mut answered = 0;
    while answered < 3 || started.elapsed() < Duration::from_secs(4) {
        server.get("/api/v1/search?q=holidays&rerank_ms=0").expect(200);
        server.get("/api/v1/sources/docs/ledger?format=csv");
        answered += 1;
    }
    for stream in streams {
        is_cut_off(&server, stream, whole);
    }
    // Every place is free again.
    server.get("/api/v1/search?q=holidays&rerank_ms=60000").expect(200);
}

#[test]
fn slow_downloads_cost_no_memory_and_are_cut_off() {
    let bench = Bench::new();
    let content = archive("# In\n\nThe gecko is inside.");
    fs::write(bench.docs().join("big.tar"), &content).unwrap();
    let docs = bench.docs().display().to_string();
    let config = format!("[limits]\nstalled_seconds = 4\ntransfers = {CLIENTS}\nclient_transfers = {CLIENTS}\n");
    let server = Server::configured(&bench, &config, &[&docs]).ready();
    let path = format!("/document/{}/file", id_of(&server, "big.tar/in.md"));
    let before = memory(&server);
    let clients: Vec<TcpStream> = (0..CLIENTS).map(|_| begun(&server, &path, b"HTTP/1.1 200")).collect();
    begun(&server, &path, b"HTTP/1.1 429");
    std::thread::sleep(Duration::from_secs(1));
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < CLIENTS * LARGE / (1 << 20) / 4, "{CLIENTS} downloads that nobody reads hold {grown} MiB");
    assert_eq!(server.paths("q=gecko&mode=lexical"), ["big.tar/in.md"]);
    for client in clients {
        is_cut_off(&server, client, content.len());
    }
    // Who reads gets all of it, also compressed.
    for accepts in ["", "accept-encoding: gzip\r\n"] {
        let answer = whole(&server, &path, accepts);
        let end = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        if accepts.is_empty() {
            assert!(answer[end..] == content[..], "{} bytes of {}", answer.len() - end, content.len());
        } else {
            assert!(answer.ends_with(b"0\r\n\r\n") && answer.len() < content.len(), "{}", answer.len());
        }
    }
}

#[test]
fn slow_uploads_wait_on_disk_and_leave_nothing_when_they_break_off() {
    let bench = Bench::with_documents(1);
    let server = Server::start(&bench, &[]).ready();
    let before = memory(&server);
    let text = vec![b'x'; LARGE];
    let send = |number: usize| {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let part = format!("--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{number}.md\"\r\n\r\n");
        write!(stream, "POST /api/v1/documents HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n{part}", part.len() + LARGE + 100).unwrap();
        stream.write_all(&text).unwrap();
        stream
    };
    let clients: Vec<TcpStream> = (0..CLIENTS).map(send).collect();
    until("all uploads are drafts", || drafts(&bench.data()) == CLIENTS);
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < CLIENTS * LARGE / (1 << 20) / 4, "{CLIENTS} uploads that do not end hold {grown} MiB");
    drop(clients);
    until("drafts of uploads that broke off are gone", || drafts(&bench.data()) == 0);
    assert!(!bench.data().join("pushed/api").exists(), "nothing of them is in place");
    server.put("after.md", "gecko").expect(200);
}

#[test]
fn a_client_has_a_share_of_what_is_under_way() {
    let bench = Bench::new();
    let config = "[limits]\nupload_bytes = 400000\nbody_bytes = 4000\ninflight_bytes = 400000\n\
                  client_inflight_bytes = 400000\nunfinished_bytes = 400000\nclient_unfinished_bytes = 400000\n";
    let server = Server::configured(&bench, config, &[]).ready();
    let begun = |path: &str, kind: &str, body: &str| {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let length = body.len() + 1_000;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        stream
    };
    // Whoever comes first has the room: a slow request that came second is refused itself, and is begun again.
    let held = |what: &str, begin: &dyn Fn() -> TcpStream, other: &dyn Fn() -> u16| {
        for _ in 0..30 {
            let slow = begin();
            for _ in 0..20 {
                std::thread::sleep(Duration::from_millis(50));
                if other() == 429 {
                    return slow;
                }
            }
        }
        panic!("never: {what}")
    };
    let text = "x".repeat(300_000);
    let part = format!("--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"slow.md\"\r\n\r\n{text}");
    let slow = held(
        "another upload is refused",
        &|| begun("/api/v1/documents", "multipart/form-data; boundary=x", &part),
        &|| form(&server, &[("a.md", &text)]).status,
    );
    let refused = form(&server, &[("a.md", &text)]);
    assert_eq!(refused.header("retry-after"), "1");
    refused.problem(429, "over-share");
    drop(slow);
    until("there is room again", || form(&server, &[("a.md", &text)]).status == 200);

    let line = json!({ "put": { "path": "b.md", "text": text } });
    let slow = held(
        "another bulk request is refused",
        &|| begun("/api/v1/documents/bulk", "application/x-ndjson", &line.to_string()),
        &|| bulk(&server, std::slice::from_ref(&line)).status,
    );
    server.put("c.md", "a small request has its room").expect(200);
    drop(slow);
    until("there is room again", || bulk(&server, std::slice::from_ref(&line)).status == 200);
}

#[test]
fn a_request_that_is_refused_has_changed_nothing() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[]).ready();
    server.put("keepme.md", "quokka stays").expect(200);
    server.put("folder/a.md", "quokka in a folder").expect(200);
    let on_disk = |path: &str| bench.data().join("pushed/api").join(path).exists();
    let delete = |path: &str| json!({ "delete": { "path": path } });
    let put = |path: &str| json!({ "put": { "path": path, "text": "quokka new" } });
    let cases: [(&str, Value, u16, &str); 9] = [
        ("a path that leaves", put("../x"), 400, "bad-request"),
        (
            "a source that is none",
            json!({ "put": { "path": "x.md", "text": "x", "source": ".." } }),
            400,
            "bad-request",
        ),
        ("not a line", json!({ "putt": {} }), 400, "bad-request"),
        (
            "a time that is none",
            json!({ "put": { "path": "x.md", "text": "x", "modified": i64::MAX } }),
            400,
            "bad-request",
        ),
        ("below a document", put("keepme.md/x.md"), 200, ""),
        ("below a new document", put("new1.md/x.md"), 409, "conflict"),
        ("a folder", put("folder"), 409, "conflict"),
        ("deleting a folder", delete("folder"), 409, "not-whole"),
        ("deleting below a document", delete("folder/a.md/x.md"), 409, "not-whole"),
    ];
    for (what, line, status, code) in cases {
        if code.is_empty() {
            continue;
        }
        let reply = bulk(&server, &[put("new1.md"), delete("keepme.md"), line]);
        let detail = reply.problem(status, code)["detail"].as_str().unwrap().to_string();
        assert!(detail.contains("line 3"), "{what}: {detail}");
        assert!(!on_disk("new1.md") && on_disk("keepme.md"), "{what}");
    }
    let refused = form(&server, &[("new1.md", "quokka"), ("folder", "x")]);
    let detail = refused.problem(409, "conflict")["detail"].clone();
    assert!(detail.as_str().unwrap().starts_with("file 2: "), "{detail}");
    form(&server, &[("new1.md", "quokka"), ("../x", "x")]).problem(400, "bad-request");
    assert!(!on_disk("new1.md") && drafts(&bench.data()) == 0);
    assert_eq!(server.paths("q=quokka&mode=lexical&copies=apart").len(), 2, "the index has seen nothing of it");

    // Removals make room, wherever they stand.
    let answer =
        bulk(&server, &[put("keepme.md/x.md"), delete("keepme.md"), delete("folder/a.md"), put("folder")]).expect(200);
    assert_eq!(states(&answer), ["indexed", "deleted", "deleted", "indexed"], "{answer}");
    assert!(on_disk("keepme.md/x.md") && bench.data().join("pushed/api/folder").is_file());
}

#[test]
fn the_last_line_of_a_document_counts_and_what_was_not_there_is_told() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[]).ready();
    let put = |text: &str| json!({ "put": { "path": "dup.md", "text": text } });
    let lines = [put("first"), put("second"), json!({ "delete": { "path": "dup.md" } }), put("third gecko")];
    let answer = bulk(&server, &lines).expect(200);
    assert_eq!(states(&answer), ["replaced", "replaced", "replaced", "indexed"]);
    assert!(answer["items"][0]["reason"].as_str().unwrap().contains("line 4"), "{answer}");
    assert_eq!(server.paths("q=gecko&mode=lexical"), ["dup.md"]);
    let answer = bulk(&server, &[json!({ "delete": { "path": "a/b/none.md" } })]).expect(200);
    assert_eq!(
        (states(&answer)[0], answer["items"][0]["reason"].as_str()),
        ("deleted", Some("there was no such document"))
    );
    // Nor is a source of which nothing was ever put a disk that is not mounted.
    let answer = bulk(&server, &[json!({ "delete": { "source": "never", "path": "none.md" } })]).expect(200);
    assert_eq!(states(&answer), ["deleted"], "{answer}");
}

#[test]
fn a_document_inside_of_a_pushed_archive_is_not_deleted_by_itself() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[]).ready();
    let tar = &archive("# In\n\nThe zebra is inside.")[..1_024];
    let boundary = b"--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"inner.tar\"\r\n\r\n";
    let body = [boundary, tar, &[0; 1_024], b"\r\n--x--\r\n"].concat();
    let kind = [("content-type", "multipart/form-data; boundary=x")];
    server.request("POST", "/api/v1/documents", &kind, &body).expect(200);
    let id = id_of(&server, "inner.tar/in.md");
    let problem = server.send("DELETE", &format!("/api/v1/documents/{id}"), &json!({})).problem(409, "not-whole");
    assert!(problem["detail"].as_str().unwrap().contains("inside of inner.tar"), "{problem}");
    bulk(&server, &[json!({ "delete": { "path": "inner.tar/in.md" } })]).problem(409, "not-whole");
    assert_eq!(server.paths("q=zebra&mode=lexical"), ["inner.tar/in.md"]);
    let answer = bulk(&server, &[json!({ "delete": { "path": "inner.tar" } })]).expect(200);
    assert_eq!(states(&answer), ["deleted"]);
    assert!(server.paths("q=zebra&mode=lexical").is_empty());
}

#[test]
fn vectors_for_a_client_that_has_gone_are_not_computed() {
    let bench = Bench::with_documents(1);
    let server = Server::configured(&bench, "[limits]\nconcurrent = 1\n", &[]).ready();
    let texts: Vec<String> = (0..1_000).map(|number| format!("leave and travel {number} ").repeat(30)).collect();
    let body = json!({ "inputs": texts }).to_string();
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(
        stream,
        "POST /embed HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let requests = server.metric("model_requests", "embedding");
    until("the model has begun", || {
        server.metric("model_requests", "embedding") > requests || server.metric("model_batches", "embedding") > 0.0
    });
    drop(stream);
    until("the model has left off", || server.metric("model_abandoned", "embedding") > 0.0);
    server.get("/api/v1/documents").expect(200);
}

#[test]
fn stages_of_searches_and_of_indexing_are_histograms() {
    let bench = Bench::with_documents(4);
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    server.get("/api/v1/search?q=rivers").expect(200);
    let metrics = server.get("/metrics").text;
    let count = |metric: &str, stage: &str| {
        let line = format!("quarry_{metric}_stage_seconds_count{{stage=\"{stage}\"}} ");
        let found =
            metrics.lines().find_map(|text| text.strip_prefix(&line)).unwrap_or_else(|| panic!("{line}: {metrics}"));
        found.parse::<u64>().unwrap()
    };
    for stage in ["plan", "lexical", "embed", "vector", "fuse", "rerank", "highlight", "total"] {
        assert_eq!(count("search", stage), 1, "{stage}");
    }
    assert_eq!((count("index", "extract"), count("index", "chunk")), (4, 4));
    let commits = ["commit_vectors", "commit_truth", "commit_lexical", "commit_totals", "commit_snapshot"];
    for stage in ["list", "embed", "commit"].into_iter().chain(commits) {
        assert!(count("index", stage) >= 1, "{stage}");
    }
}

#[test]
fn a_problem_and_the_log_name_the_request_that_the_header_names() {
    let bench = Bench::with_documents(1);
    let mut command = bench.command(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    command.env("RUST_LOG", "warn,access=info");
    let server = Server::spawn(command).ready();
    let reply = server.request("GET", "/api/v1/documents/nosuch", &[("x-request-id", "mine-7")], &[]);
    assert_eq!(reply.header("x-request-id"), "mine-7");
    assert_eq!(reply.problem(404, "not-found")["request_id"], "mine-7");
    let made = server.get("/api/v1/documents/nosuch");
    assert_eq!(made.json()["request_id"], made.header("x-request-id"));
    let started = Instant::now();
    let line: Value = loop {
        let log = server.log.lock().unwrap().clone();
        if let Some(line) = log.iter().find(|line| line.contains("mine-7")) {
            break serde_json::from_str(line).unwrap();
        }
        assert!(started.elapsed() < PATIENCE, "{log:?}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!((&line["span"]["id"], &line["path"]), (&"mine-7".into(), &"/api/v1/documents/nosuch".into()), "{line}");
    assert_is_utc(line["timestamp"].as_str().unwrap());
}

#[test]
fn a_line_of_the_log_begins_with_its_time_and_has_no_colours_in_a_file() {
    let bench = Bench::with_documents(1);
    let run = bench.run(&["index", "-vv", &bench.docs().display().to_string()]).succeeded();
    let log = run.stderr();
    assert!(!log.contains('\u{1b}'), "{log}");
    let stage =
        log.lines().find(|line| line.contains("extract") && line.contains("close")).unwrap_or_else(|| panic!("{log}"));
    assert!(stage.contains("index{source=") && stage.contains("time.busy="), "{stage}");
    assert_is_utc(stage.split_whitespace().next().unwrap());
}

/// As RFC 3339 writes it.
fn assert_is_utc(time: &str) {
    let parsed: jiff::Timestamp = time.parse().unwrap_or_else(|error| panic!("{time}: {error}"));
    assert!(time.ends_with('Z') && parsed.as_second() > 0, "{time}");
}
