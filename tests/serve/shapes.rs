//! The shapes that other software speaks: parameters are honoured or refused by name, bodies come packed or with a mark
//! before them, and what a client has kept is not sent again.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};

use crate::server::{Reply, Server, over_documents};
use crate::support::{Bench, fixture};

/// More than the bundled model and the small reranker read.
const LONG: usize = 12_000;

fn with_reranker() -> (Bench, Server) {
    let bench = Bench::with_documents(1);
    let (docs, reranker) = (bench.docs().display().to_string(), fixture("models/tiny-reranker").display().to_string());
    let server = Server::start(&bench, &["--reranker", &reranker, &docs]).ready();
    (bench, server)
}

fn detail(problem: &Value) -> &str {
    problem["detail"].as_str().unwrap()
}

fn vectors(answer: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(answer.clone()).unwrap()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn a_text_that_is_too_long_is_cut_where_asked_or_refused_by_its_place() {
    let (_bench, server) = over_documents(1);
    let (head, tail) = ("alpine hut ".repeat(LONG), "salary band ".repeat(LONG));
    let long = format!("{head}{tail}");
    let embed = |body: Value| server.send("POST", "/embed", &body);
    let halves = vectors(&embed(json!({ "inputs": [head, tail] })).expect(200));
    for (more, kept, lost) in [
        (json!({}), 0, 1),
        (json!({ "truncate": true, "truncation_direction": "Right" }), 0, 1),
        (json!({ "truncate": true, "truncation_direction": "Left" }), 1, 0),
        (json!({ "truncate": "START" }), 1, 0),
    ] {
        let mut body = json!({ "inputs": long });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let vector = &vectors(&embed(body).expect(200))[0];
        assert!(cosine(vector, &halves[kept]) > 0.99 && cosine(vector, &halves[lost]) < 0.9, "{more}");
    }
    let problem = embed(json!({ "inputs": ["short", long], "truncate": false })).problem(413, "text-too-long");
    assert!(detail(&problem).starts_with("inputs[1] has "), "{problem}");
    let body = json!({ "inputs": ["short", long], "truncate": false, "prompt_name": "query" });
    assert!(detail(&embed(body).problem(413, "text-too-long")).starts_with("inputs[1] has "));
    let openai = |body: Value| server.send("POST", "/v1/embeddings", &body);
    for input in [json!([long, "short"]), json!(long)] {
        let problem = openai(json!({ "input": input, "truncate": false })).problem(400, "text-too-long");
        assert!(detail(&problem).starts_with("input[0] has "), "{problem}");
    }
    openai(json!({ "input": "short", "truncate": false })).expect(200);
}

#[test]
fn what_is_no_text_is_named_by_its_place() {
    let (_bench, server) = over_documents(1);
    for (path, body, place) in [
        ("/v1/embeddings", json!({ "input": ["a", "b", 7] }), "input[2]"),
        ("/v1/embeddings", json!({ "input": [] }), "input: expected at least one"),
        ("/embed", json!({ "inputs": ["a", null] }), "inputs[1]"),
        ("/embed", json!({ "inputs": [] }), "inputs: expected at least one"),
        ("/rerank", json!({ "query": "q", "texts": ["a", {}] }), "texts[1]"),
        ("/v2/rerank", json!({ "query": "q", "documents": ["a", { "image": "x" }] }), "documents[1]"),
    ] {
        let problem = server.send("POST", path, &body).problem(400, "bad-request");
        assert!(detail(&problem).contains(place), "{place}: {problem}");
    }
    for (path, body, place) in [
        ("/v1/embeddings", json!({ "input": ["a", "", "b"] }), "input[1]"),
        ("/v1/embeddings", json!({ "input": ["a", "b", ""], "input_type": "query" }), "input[2]"),
        ("/embed", json!({ "inputs": [""] }), "inputs[0]"),
    ] {
        let problem = server.send("POST", path, &body).problem(422, "text-without-meaning");
        assert!(detail(&problem).starts_with(place), "{place}: {problem}");
    }
}

#[test]
fn no_parameter_is_passed_over() {
    let (_bench, server) = over_documents(1);
    let bodies = [
        ("/v1/embeddings", json!({ "input": "a" })),
        ("/embed", json!({ "inputs": "a" })),
        ("/rerank", json!({ "query": "q", "texts": ["a"] })),
        ("/v1/rerank", json!({ "query": "q", "documents": ["a"] })),
        ("/v2/rerank", json!({ "query": "q", "documents": ["a"] })),
    ];
    let refused = |path: &str, body: &Value, name: &str, value: Value| {
        let mut body = body.clone();
        body[name] = value;
        let problem = server.send("POST", path, &body).problem(400, "bad-request");
        assert!(detail(&problem).contains(name), "{path} {name}: {problem}");
    };
    for (path, body) in &bodies {
        refused(path, body, "tempreature", json!(1));
        refused(path, body, "truncate", json!("MIDDLE"));
    }
    let [openai, tei, _, cohere, _] = &bodies;
    refused(openai.0, &openai.1, "encoding_format", json!("int8"));
    refused(openai.0, &openai.1, "dimensions", json!(4_000));
    refused(tei.0, &tei.1, "prompt_name", json!("nope"));
    refused(tei.0, &tei.1, "normalize", json!(false));
    refused(tei.0, &tei.1, "truncation_direction", json!("Up"));
    for (name, value) in [
        ("rank_fields", json!(["title"])),
        ("max_chunks_per_doc", json!(3)),
        ("top_n", json!(0)),
        ("top_k", json!(0)),
        ("max_tokens_per_doc", json!(0)),
    ] {
        refused(cohere.0, &cohere.1, name, value);
    }
    // What cannot change the answer is accepted, and null is as good as nothing.
    let body = json!({ "input": "a", "user": "u", "dimensions": null, "model": null, "encoding_format": null });
    server.send("POST", "/v1/embeddings", &body).expect(200);
    let body = json!({ "inputs": "a", "prompt_name": "document", "normalize": true, "truncate": null });
    server.send("POST", "/embed", &body).expect(200);
}

#[test]
fn reranking_honours_what_it_is_asked() {
    let (_bench, server) = with_reranker();
    let long = "the budget is signed by the head of finance ".repeat(LONG / 4);
    let documents = json!([{ "text": "lunch is at noon", "id": 7 }, "travel claims are signed by finance", long]);
    let ranked = |more: Value| {
        let mut body = json!({ "query": "who signs travel claims", "documents": documents });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.send("POST", "/v2/rerank", &body)
    };
    let results = |reply: Reply| reply.expect(200)["results"].as_array().unwrap().clone();
    let all = results(ranked(json!({ "priority": 1, "rank_fields": null, "max_chunks_per_doc": null })));
    assert_eq!(all.len(), 3);
    assert_eq!(results(ranked(json!({ "top_k": 2 }))), all[..2]);
    assert_eq!(results(ranked(json!({ "top_n": 1, "top_k": 1 }))), all[..1]);
    let shown = results(ranked(json!({ "return_documents": true })));
    let first = shown.iter().find(|result| result["index"] == 0).unwrap();
    assert_eq!(first["document"], json!({ "text": "lunch is at noon", "id": 7 }));
    let scores = |results: &[Value]| {
        let mut scores: Vec<(u64, f64)> = results
            .iter()
            .map(|result| (result["index"].as_u64().unwrap(), result["relevance_score"].as_f64().unwrap()))
            .collect();
        scores.sort_by_key(|(index, _)| *index);
        scores
    };
    let cut = scores(&results(ranked(json!({ "max_tokens_per_doc": 2 }))));
    assert!(cut.iter().zip(scores(&all)).all(|(cut, whole)| (cut.1 - whole.1).abs() > 1e-7), "{cut:?}");
    let problem = ranked(json!({ "truncate": false })).problem(400, "text-too-long");
    assert!(detail(&problem).starts_with("documents[2] has "), "{problem}");
    results(ranked(json!({ "truncate": false, "max_tokens_per_doc": 50 })));
    let tei = |more: Value| {
        let mut body = json!({ "query": "claims", "texts": ["short", long] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.send("POST", "/rerank", &body)
    };
    assert!(detail(&tei(json!({ "truncate": false })).problem(413, "text-too-long")).starts_with("texts[1] has "));
    let probability = tei(json!({ "raw_scores": false })).expect(200)[0]["score"].as_f64().unwrap();
    let log_odds = tei(json!({ "raw_scores": true })).expect(200)[0]["score"].as_f64().unwrap();
    assert!(((probability / (1.0 - probability)).ln() - log_odds).abs() < 1e-3, "{probability} {log_odds}");
    let models = server.get("/v1/models").expect(200);
    assert_eq!(models["object"], "list");
    let names: Vec<&str> = models["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!((names.len(), names[1]), (2, "tiny-reranker"));
    assert!(models["data"][0]["created"].is_u64() && models["data"][0]["object"] == "model");
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(text).unwrap();
    packer.finish().unwrap()
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
    packer.write_all(text).unwrap();
    packer.finish().unwrap()
}

#[test]
fn bodies_may_be_packed_and_begin_with_a_mark() {
    let (_bench, server) = over_documents(1);
    let send = |path: &str, kind: &str, coding: &str, body: &[u8]| {
        server.request("POST", path, &[("content-type", kind), ("content-encoding", coding)], body)
    };
    let marked = |text: &str| [b"\xEF\xBB\xBF", text.as_bytes()].concat();
    let json = "application/json";
    for (path, body) in [("/api/v1/search", r#"{"query":"holidays"}"#), ("/v1/embeddings", r#"{"input":"holidays"}"#)] {
        for body in [body.as_bytes().to_vec(), marked(body)] {
            send(path, json, "identity", &body).expect(200);
            send(path, json, "gzip", &gzip(&body)).expect(200);
            send(path, json, "deflate", &deflate(&body)).expect(200);
        }
    }
    let put = |path: &str| format!("{{\"put\":{{\"path\":\"{path}\",\"text\":\"gecko\"}}}}\n");
    let lines = [marked(&put("a.md")), marked(&put("b.md"))].concat();
    send("/api/v1/documents/bulk", "application/x-ndjson", "gzip", &gzip(&lines)).expect(200);
    let form = "--x\r\ncontent-disposition: form-data; name=\"path\"\r\n\r\n\u{feff}in/c.md\r\n--x\r\n\
                content-disposition: form-data; name=\"file\"; filename=\"c.md\"\r\n\r\ngecko\r\n--x--\r\n";
    send("/api/v1/documents", "multipart/form-data; boundary=x", "gzip", &gzip(form.as_bytes())).expect(200);
    let mut paths = server.paths("q=gecko&source=api&copies=apart");
    paths.sort();
    assert_eq!(paths, ["a.md", "b.md", "in/c.md"]);
    for coding in ["br", "zstd", "gzip, gzip"] {
        let refused = send("/api/v1/search", json, coding, b"{}");
        assert_eq!(refused.header("accept-encoding"), "gzip, deflate");
        assert!(detail(&refused.problem(415, "content-encoding")).contains(coding));
    }
    let problem = send("/api/v1/search", json, "gzip", br#"{"query":"x"}"#).problem(400, "bad-request");
    assert!(detail(&problem).contains("Content-Encoding"), "{problem}");
    let bomb = gzip(&vec![b' '; 80 << 20]);
    send("/api/v1/search", json, "gzip", &bomb).problem(413, "too-large");
    send("/api/v1/documents/bulk", "application/x-ndjson", "gzip", &bomb).problem(413, "too-large");
}

#[test]
fn bodies_and_addresses_take_the_same_names() {
    let bench = Bench::new();
    bench.write("a.md", "# Gecko\n\nA gecko.");
    bench.write("b.html", "<h1>Gecko</h1><p>A gecko.");
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    let found =
        |answer: Value| answer["results"].as_array().unwrap().iter().map(|hit| hit["path"].clone()).collect::<Vec<_>>();
    let post = |body: Value| found(server.send("POST", "/api/v1/search", &body).expect(200));
    let nested = json!({ "query": "gecko", "filters": { "type": ["md"] }, "rerank": { "candidates": 0 }, "top": 5 });
    let flat = json!({ "q": "gecko", "type": ["md"], "rerank_candidates": 0, "top": 5 });
    let expected = vec![json!("a.md")];
    assert_eq!((post(nested), post(flat)), (expected.clone(), expected.clone()));
    for query in ["q=gecko&type=md&rerank_candidates=0", "query=gecko&filters.type=md&rerank.candidates=0"] {
        assert_eq!(found(server.get(&format!("/api/v1/search?{query}")).expect(200)), expected, "{query}");
    }
    let problem = server.send("POST", "/api/v1/search", &json!({ "q": "a", "query": "b" })).problem(400, "bad-request");
    assert!(detail(&problem).contains("q: expected either"), "{problem}");
}

#[test]
fn a_method_that_is_not_taken_is_told_which_are() {
    let (_bench, server) = over_documents(1);
    for (method, path, allowed) in [
        ("DELETE", "/api/v1/search", "GET, POST, HEAD"),
        ("GET", "/v1/embeddings", "POST"),
        ("PUT", "/v1/models", "GET, HEAD"),
        ("PATCH", "/api/v1/documents", "GET, PUT, POST, HEAD"),
        ("POST", "/status", "GET, HEAD"),
    ] {
        let refused = server.request(method, path, &[], &[]);
        assert_eq!(refused.header("allow"), allowed, "{method} {path}");
        assert!(detail(&refused.problem(405, "method-not-allowed")).contains(allowed));
    }
}

#[test]
fn what_a_client_has_kept_is_not_sent_again() {
    let (_bench, server) = over_documents(2);
    let id = server.get("/api/v1/documents").expect(200)["documents"][0]["id"].as_str().unwrap().to_string();
    let page = server.get("/").text;
    let style = page.split("href=\"").filter_map(|rest| rest.split('"').next()).find(|href| href.ends_with("page.css"));
    let (document, passages) = (format!("/api/v1/documents/{id}"), format!("/api/v1/documents/{id}/passages"));
    let search = "/api/v1/search?q=gecko&rerank_candidates=0&explain=true";
    for path in [document.as_str(), &passages, search, "/api/openapi.json", "/api/docs", "/favicon.ico", style.unwrap()]
    {
        let first = server.get(path);
        let tag = first.header("etag").to_string();
        assert!(first.status == 200 && tag.starts_with("W/\""), "{path}: {tag}");
        let kept = server.request("GET", path, &[("if-none-match", &tag)], &[]);
        assert_eq!((kept.status, kept.text.as_str(), kept.header("etag")), (304, "", tag.as_str()), "{path}");
        assert_eq!(server.request("GET", path, &[("if-none-match", "W/\"0\"")], &[]).status, 200, "{path}");
    }
    // A commit may have changed it.
    let tags = [document.as_str(), search].map(|path| (path, server.get(path).header("etag").to_string()));
    server.put("new.md", "gecko").expect(200);
    for (path, tag) in tags {
        assert_eq!(server.request("GET", path, &[("if-none-match", &tag)], &[]).status, 200, "{path}");
    }
}

#[test]
fn a_name_is_one_document_however_its_letters_are_composed() {
    let (_bench, server) = over_documents(1);
    let apart = server.put("Pru\u{308}fung/Te\u{301}st.md", "The gecko is examined.").expect(200);
    let composed = server.put("Pr\u{fc}fung/T\u{e9}st.md", "The gecko is examined again.").expect(200);
    assert_eq!((&apart["id"], &apart["path"]), (&composed["id"], &json!("Pr\u{fc}fung/T\u{e9}st.md")));
    let line = json!({ "delete": { "path": "Pru\u{308}fung/Te\u{301}st.md" } }).to_string();
    let bulk = [("content-type", "application/x-ndjson")];
    server.request("POST", "/api/v1/documents/bulk", &bulk, line.as_bytes()).expect(200);
    assert_eq!(server.get(&format!("/api/v1/documents/{}", apart["id"].as_str().unwrap())).status, 404);
}
