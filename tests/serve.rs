//! `quarry serve` over HTTP: what a client sees, and what it may not.

mod access;
mod answer;
mod audit;
mod backups;
mod below;
mod brand;
mod chat;
mod commands;
mod dates;
mod doors;
mod elsewhere;
mod flow;
mod follow;
mod guard;
mod guidance;
mod identity;
#[cfg(unix)]
mod insights;
mod links;
mod load;
mod manage;
mod pages;
mod paging;
mod provider;
mod scripts;
mod shapes;
mod tls;
mod typing;
mod written;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{PATIENCE, Server, over_documents};
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

    // What is said of a file after it would be left out of account: the document would be everybody's.
    let late = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"pay.txt\"\r\n\r\nstork45\r\n--x\r\n\
                content-disposition: form-data; name=\"access\"\r\n\r\n[\"group:hr\"]\r\n--x--\r\n";
    let headers = [("content-type", "multipart/form-data; boundary=x")];
    let refused = server.request("POST", "/api/v1/documents", &headers, late.as_bytes()).problem(400, "bad-request");
    assert!(refused["detail"].as_str().unwrap().starts_with("access: expected before the file"), "{refused}");
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
    assert!(detail.as_str().unwrap().contains("input[1]: expected a token id, got a text"), "{detail}");
    let query = json!({ "input": [7], "input_type": "query" });
    server.send("POST", "/v1/embeddings", &query).problem(400, "bad-request");
    server.send("POST", "/v1/embeddings", &json!({ "input": "x", "dimensions": 8 })).problem(400, "bad-request");
    let vectors = server.send("POST", "/embed", &json!({ "inputs": "holidays" })).expect(200);
    assert_eq!(vectors[0].as_array().unwrap().len(), 384);
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
fn a_model_that_cannot_be_opened_is_told_with_its_cause() {
    let bench = Bench::with_documents(1);
    let folder = bench.root.path().join("no-tokenizer");
    fs::create_dir(&folder).unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(fixture("models/tiny-reranker").join(file), folder.join(file)).unwrap();
    }
    let reranker = folder.display().to_string();
    let docs = bench.docs().display().to_string();
    bench.run(&["index", &docs]).succeeded();
    for [command, argument] in [["search", "holidays"], ["serve", "--listen=127.0.0.1:0"]] {
        let run = bench.run(&["--reranker", reranker.as_str(), command, argument]);
        run.refused(&["cannot use the reranker", "tokenizer.json is missing"]);
    }
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
        (&json!("f32"), &json!("cpu"), &json!(384))
    );
    assert!(model["tokens_per_second"].as_f64() > Some(0.0) && model["waiting"] == 0, "{model}");
    assert!(status["reranker"].is_null());
}
