//! Chats with a model that writes, in OpenAI's shape. The model is tiny and its weights are random: what it writes means
//! nothing.

use serde_json::{Value, json};

use crate::server::{Reply, Server, over_documents};
use crate::support::{Bench, fixture};

/// A causal model by all that its files say.
fn with_writer() -> (Bench, Server) {
    let bench = Bench::with_documents(1);
    let (docs, writer) = (bench.docs().display().to_string(), fixture("models/tiny-reranker").display().to_string());
    let server = Server::start(&bench, &["--writer", &writer, "--precision", "f32", &docs]).ready();
    (bench, server)
}

/// A chat that a seed repeats, with more or other fields. Hot, as the weights are too sure of themselves.
fn chat(more: &Value) -> Value {
    let mut body = json!({
        "messages": [{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "Who signs?" }],
        "seed": 7, "temperature": 8.0, "max_tokens": 40
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn complete(server: &Server, more: &Value) -> Reply {
    server.send("POST", "/v1/chat/completions", &chat(more))
}

fn content(completion: &Value) -> &str {
    completion["choices"][0]["message"]["content"].as_str().unwrap()
}

/// The events of a stream, the last one as it is.
fn events(reply: &Reply) -> (Vec<Value>, String) {
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/event-stream"), "{}", reply.text);
    let mut data: Vec<&str> = reply
        .text
        .split("\n\n")
        .filter(|event| !event.is_empty())
        .map(|event| event.strip_prefix("data: ").unwrap())
        .collect();
    let last = data.pop().unwrap().to_string();
    (data.into_iter().map(|event| serde_json::from_str(event).unwrap()).collect(), last)
}

#[test]
fn a_chat_is_gone_on_with() {
    let (_bench, server) = with_writer();
    let first = complete(&server, &json!({ "model": "mine" })).expect(200);
    assert_eq!((&first["object"], &first["model"]), (&json!("chat.completion"), &json!("mine")));
    assert!(first["id"].as_str().unwrap().starts_with("chatcmpl-") && first["created"].as_i64().unwrap() > 0);
    assert_eq!(first["choices"][0]["message"]["role"], "assistant");
    assert!(!content(&first).is_empty());
    let usage = &first["usage"];
    let count = |field: &str| usage[field].as_u64().unwrap();
    assert!(count("prompt_tokens") > 10 && count("completion_tokens") <= 40);
    assert_eq!(count("total_tokens"), count("prompt_tokens") + count("completion_tokens"));
    let again = complete(&server, &json!({})).expect(200);
    assert_eq!(content(&again), content(&first), "the same seed");
    assert_eq!(again["model"], "tiny-reranker");
    assert!(
        again["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap() > 0,
        "the instruction was known"
    );
    let other = complete(&server, &json!({ "seed": 8 })).expect(200);
    assert!(content(&other) != content(&first), "another seed");
    let models = server.get("/v1/models").expect(200);
    assert!(models["data"].as_array().unwrap().iter().any(|model| model["id"] == "tiny-reranker"), "{models}");
    let status = server.get("/api/v1/status").expect(200);
    assert_eq!(
        (&status["writer"]["name"], &status["writer"]["precision"], &status["reranker"]),
        (&json!("tiny-reranker"), &json!("f32"), &Value::Null)
    );
    assert!(server.get("/metrics").text.contains("model_requests{model=\"writer\"} 3"));
    assert!(server.get("/status").text.contains("Writing"));
}

#[test]
fn a_stream_is_the_same_text_in_pieces() {
    let (_bench, server) = with_writer();
    let whole = complete(&server, &json!({})).expect(200);
    let (chunks, last) = events(&complete(&server, &json!({ "stream": true })));
    assert_eq!(last, "[DONE]");
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({ "role": "assistant", "content": "" }));
    let pieces: Vec<&str> =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert!(pieces.len() > 2);
    assert_eq!(pieces.concat(), content(&whole));
    let end = chunks.last().unwrap();
    assert_eq!(end["choices"][0]["finish_reason"], whole["choices"][0]["finish_reason"]);
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["object"] == "chat.completion.chunk"));
    assert!(chunks[..chunks.len() - 1].iter().all(|chunk| chunk["choices"][0]["finish_reason"].is_null()));
    let (chunks, _) =
        events(&complete(&server, &json!({ "stream": true, "stream_options": { "include_usage": true } })));
    let usage = chunks.last().unwrap();
    assert_eq!(
        (&usage["choices"], &usage["usage"]["completion_tokens"]),
        (&json!([]), &whole["usage"]["completion_tokens"])
    );
}

#[test]
fn texts_end_as_they_are_asked_to() {
    let (_bench, server) = with_writer();
    let whole = complete(&server, &json!({})).expect(200);
    let characters: Vec<char> = content(&whole).chars().collect();
    let stop: String = characters[characters.len() / 2..][..2].iter().collect();
    let stopped = complete(&server, &json!({ "stop": stop })).expect(200);
    assert_eq!(stopped["choices"][0]["finish_reason"], "stop");
    assert_eq!(content(&stopped), content(&whole).split(&stop).next().unwrap());
    let one = complete(&server, &json!({ "max_completion_tokens": 1 })).expect(200);
    assert_eq!(
        (&one["choices"][0]["finish_reason"], &one["usage"]["completion_tokens"]),
        (&json!("length"), &json!(1))
    );
    // The likeliest token of random weights is the same again and again.
    let circle = complete(&server, &json!({ "temperature": 0, "max_tokens": 3000 })).expect(200);
    assert_eq!(circle["choices"][0]["finish_reason"], "repetition");
    let begun =
        json!({ "messages": [{ "role": "user", "content": "Who?" }, { "role": "assistant", "content": "It is" }] });
    assert!(!content(&complete(&server, &begun).expect(200)).starts_with("It is"));
}

#[test]
fn what_cannot_be_written_is_refused_in_both_forms() {
    let (_bench, server) = with_writer();
    let refused = |more: Value, status: u16, code: &str, word: &str| {
        for streamed in [false, true] {
            let mut more = more.clone();
            more["stream"] = json!(streamed);
            let problem = complete(&server, &more).problem(status, code);
            assert!(problem["detail"].as_str().unwrap().contains(word), "{word}: {problem}");
            let error = &problem["error"];
            assert!(error["message"].as_str().unwrap().contains(word) && error["code"] == code, "{problem}");
            assert_eq!(error["type"], "invalid_request_error");
        }
    };
    refused(json!({ "n": 2 }), 400, "bad-request", "n: expected 1");
    refused(json!({ "tempreature": 1 }), 400, "bad-request", "tempreature");
    refused(json!({ "top_p": 1.5 }), 400, "bad-request", "top_p must be 0 to 1");
    refused(json!({ "messages": [] }), 400, "bad-request", "needs a message");
    let long = "word ".repeat(20_000);
    let long = json!({ "messages": [{ "role": "user", "content": long }] });
    refused(long, 400, "text-too-long", "messages has ");
    let (_bench, server) = over_documents(1);
    let problem = complete(&server, &json!({})).problem(501, "no-writer");
    assert_eq!(problem["error"]["type"], "server_error");
    assert!(server.get("/api/v1/status").expect(200)["writer"].is_null());
}

#[test]
fn a_model_that_does_not_write_is_told_before_anything_is_served() {
    let bench = Bench::with_documents(1);
    let docs = bench.docs().display().to_string();
    let serve = |writer: &str, more: &[&str]| {
        bench.run(&[&["--writer", writer], more, &["serve", "--listen=127.0.0.1:0", docs.as_str()]].concat())
    };
    serve("nano", &[]).refused(&["cannot use the writer nano", "embedding or reranking model"]);
    serve(&fixture("golden/bert-tiny").display().to_string(), &[]).refused(&["cannot use the writer", "BERT"]);
    let config = bench.root.path().join("quarry.toml");
    std::fs::write(&config, "[writing]\ncontext_tokens = 100\nmemory_tokens = 50\n").unwrap();
    let writer = fixture("models/tiny-reranker").display().to_string();
    serve(&writer, &["--config", config.to_str().unwrap()]).refused(&["writing.memory_tokens", "got 50 and 100"]);
}
