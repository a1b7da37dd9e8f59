//! Searching while typing: phrases, the end of a word, a document that is the answer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{PATIENCE, Server};
use crate::support::Bench;

/// What is suggested once the thread that makes suggestions had its turn.
fn suggested(server: &Server, typed: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let answer = server.get(&format!("/api/v1/suggest?documents=3&q={typed}")).expect(200);
        if is_there(&answer) {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{typed}: {answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_is_typed_is_completed_and_found_before_it_is_whole() {
    let bench = Bench::new();
    bench.write("a.md", "# Vacation policy\n\nThe travel allowance is paid monthly.");
    bench.write("b.md", "# Trips\n\nAsk for the travel allowance before the trip.");
    bench.write("x/c.md", "# Twins\n\nOne zebra.");
    bench.write("y/c.md", "# Twins\n\nAnother giraffe.");
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    let first = |answer: &Value| answer["suggestions"][0].clone();
    let title = suggested(&server, "vacat", |answer| first(answer)["text"] == "Vacation policy");
    let id = first(&title)["document"].as_str().unwrap().to_string();
    let page = server.get(&format!("/document/{id}"));
    assert!(page.status == 200 && page.text.contains("travel allowance"), "the title leads to its document");
    let twins = suggested(&server, "twins", |answer| first(answer)["text"] == "Twins");
    assert!(first(&twins)["document"].is_null(), "of two none is the one that is meant: {twins}");
    let phrase = suggested(&server, "travel+allo", |answer| first(answer)["kind"] == "phrase");
    assert_eq!(first(&phrase), json!({ "text": "travel allowance", "kind": "phrase", "count": 2 }));
    let slip = suggested(&server, "travle+allowance", |answer| first(answer)["kind"] == "phrase");
    assert_eq!(first(&slip)["text"], "travel allowance");
    let end =
        suggested(&server, "who+pays+my+travel+al", |answer| !answer["suggestions"].as_array().unwrap().is_empty());
    assert_eq!(first(&end)["text"], "who pays my travel allowance");
    let mut paths: Vec<&str> =
        phrase["documents"].as_array().unwrap().iter().map(|hit| hit["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["a.md", "b.md"], "found by a word that is not typed to its end: {phrase}");
    assert!(server.get("/api/v1/suggest?q=travel").expect(200)["documents"].is_null(), "only where they are asked for");
    server.get("/api/v1/suggest?q=travel&documents=11").problem(400, "over-limit");
}
