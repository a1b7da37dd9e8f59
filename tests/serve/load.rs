//! The server while much is going on: killed under load, left by its clients, asked for vectors while it indexes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::{PATIENCE, Server, over_documents};
use crate::support::{Bench, fixture};

/// Times the server is killed.
const ROUNDS: usize = 4;
/// Programs that push documents at the same time.
const PUSHERS: usize = 3;

/// A PUT by hand, as the server may be killed in the middle of it; the status, if one came back whole.
fn put(address: &str, path: &str, text: &str) -> Option<u16> {
    let body = json!({ "path": path, "text": text }).to_string();
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let length = body.len();
    let head = format!(
        "PUT /api/v1/documents HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    // Half an answer acknowledges nothing.
    body.ends_with('}').then(|| head.split(' ').nth(1)?.parse().ok())?
}

#[test]
fn every_acknowledged_document_is_served_after_kills_under_load() {
    let (bench, mut server) = over_documents(20);
    let kept: Mutex<Vec<String>> = Mutex::default();
    let number = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let killed = AtomicBool::new(false);
        let address = server.address.clone();
        let before = kept.lock().unwrap().len();
        std::thread::scope(|scope| {
            for _ in 0..PUSHERS {
                scope.spawn(|| {
                    while !killed.load(Ordering::Relaxed) {
                        let name = format!("kill-{}", number.fetch_add(1, Ordering::Relaxed));
                        let text = format!("# {name}\n\nAcknowledged as cassowary{name}.");
                        if let Some(200 | 202) = put(&address, &format!("{name}.md"), &text) {
                            kept.lock().unwrap().push(name);
                        }
                    }
                });
            }
            scope.spawn(|| {
                while !killed.load(Ordering::Relaxed) {
                    let asked = TcpStream::connect(&address).and_then(|mut stream| {
                        stream.write_all(
                            b"GET /api/v1/search?q=holidays HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
                        )?;
                        stream.read_to_string(&mut String::new())
                    });
                    drop(asked);
                }
            });
            // On a busy machine the first takes a while.
            let started = Instant::now();
            while kept.lock().unwrap().len() == before && started.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(20));
            }
            // At another moment of the writer's work in every round.
            std::thread::sleep(Duration::from_millis(217 * round as u64));
            assert_eq!(server.signal("-KILL"), None);
            killed.store(true, Ordering::Relaxed);
        });
        assert!(kept.lock().unwrap().len() > before, "nothing was acknowledged in round {round}");
        server = Server::start(&bench, &[]).ready();
        let missing: Vec<String> = kept
            .lock()
            .unwrap()
            .iter()
            .filter(|name| {
                let found = server.paths(&format!("q=%22cassowary{name}%22&mode=lexical"));
                !found.contains(&format!("{name}.md"))
            })
            .cloned()
            .collect();
        assert!(missing.is_empty(), "round {round}: acknowledged and lost: {missing:?}");
    }
    assert_eq!(server.signal("-TERM"), Some(0));
    bench.verify();
}

#[test]
fn streams_that_nobody_reads_leave_no_work_running() {
    let bench = Bench::new();
    let words = "holidays leave notice claim travel office laptop budget review contract";
    for number in 0..120 {
        let text = format!("{words} {number}. ").repeat(30);
        bench.write(&format!("{number:03}.md"), &format!("# Rules {number}\n\n{text}"));
    }
    let docs = bench.docs().display().to_string();
    let reranker = fixture("models/tiny-reranker").display().to_string();
    let server = Server::start(&bench, &["--reranker", &reranker, &docs]).ready();
    let tokens = || server.metric("model_tokens", "reranker");
    // What one stream costs that is read to its end, unless it settles.
    server.get("/api/v1/search?q=claim+zero&top=100&rerank_ms=60000").expect(200);
    let whole = tokens();
    let streams: Vec<TcpStream> = (0..20)
        .map(|number| {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            let word = words.split(' ').nth(number % 10).unwrap();
            let head =
                format!("GET /api/v1/search/stream?q={word}+{number}&top=100 HTTP/1.1\r\nhost: localhost\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Nobody reads: what they are sent does not even fill the window of a connection.
    drop(streams);
    let left = Instant::now();
    let work = || {
        let waiting = ["model_waiting_requests", "model_waiting_documents", "model_waiting_queries"];
        let waiting: f64 = waiting.iter().map(|name| server.metric(name, "reranker")).sum();
        (waiting, server.metric("model_batches", "reranker"))
    };
    let mut before = work();
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let now = work();
        if now.0 == 0.0 && now.1 == before.1 {
            break;
        }
        assert!(left.elapsed() < PATIENCE, "work goes on for nobody: {now:?}");
        before = now;
    }
    let spent = tokens() - whole;
    assert!(spent < whole * 10.0, "{spent} tokens were read for nobody, where one stream takes {whole}");
    // Every place is free again.
    let answer = server.get("/api/v1/search?q=holidays&rerank_ms=0").expect(200);
    assert!(answer["total"].as_u64() > Some(0));
}

#[test]
fn vectors_for_someone_who_waits_do_not_wait_for_indexing() {
    let bench = Bench::with_documents(1);
    let docs = bench.docs().display().to_string();
    let server = Server::start(&bench, &[&docs]).ready();
    let texts: Vec<String> =
        (0..400).map(|number| format!("Rule {number} about leave and travel. ").repeat(40)).collect();
    for (number, text) in texts.iter().enumerate() {
        bench.write(&format!("bulk-{number}.md"), text);
    }
    let job = server.send("POST", "/api/v1/sources/docs/index", &json!({})).expect(202)["job"].clone();
    let mut answered = 0;
    while matches!(server.get(&format!("/api/v1/jobs/{job}")).expect(200)["state"].as_str(), Some("queued" | "running"))
    {
        server.send("POST", "/embed", &json!({ "inputs": ["a short text"] })).expect(200);
        answered += 1;
    }
    assert_eq!(server.job(&job)["state"], "done");
    assert!(answered > 0, "asked while it was indexing");
    assert!(server.metric("model_waiting_documents", "embedding") == 0.0);
}
