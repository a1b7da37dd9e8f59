//! Settings: what stands in `[search]` of the configuration file is what searches do.

use std::fs;

use serde_json::Value;

use crate::server::Server;
use crate::support::Bench;

/// A bench of documents with a configuration file.
fn configured(text: &str) -> (Bench, String) {
    let bench = Bench::with_documents(8);
    bench.index().succeeded();
    let path = bench.root.path().join("quarry.toml");
    fs::write(&path, text).unwrap();
    (bench, path.to_str().unwrap().to_owned())
}

fn longest_snippet(answer: &Value) -> usize {
    let passages = answer["results"].as_array().unwrap().iter().flat_map(|hit| hit["passages"].as_array().unwrap());
    passages.map(|passage| passage["snippet"].as_str().unwrap().chars().count()).max().unwrap()
}

#[test]
fn search_settings_are_in_force_on_the_command_line_and_in_the_server() {
    let (bench, config) = configured("[search]\nsnippet_chars = 40\nvector_weight = 0.0\n");
    assert!(longest_snippet(&bench.search(&["note marker001"])) > 40, "the default shows more");
    let answer = bench.search(&["--config", &config, "note marker001"]);
    assert!(longest_snippet(&answer) <= 40, "{answer}");
    let is_lexical_alone = |answer: &Value| {
        let hits = answer["results"].as_array().unwrap();
        !hits.is_empty() && hits.iter().all(|hit| hit["passages"][0]["vector"].is_null())
    };
    assert!(is_lexical_alone(&answer), "{answer}");

    let server = Server::start(&bench, &["--config", &config]).ready();
    let served = server.get("/api/v1/search?q=note+marker001").expect(200);
    assert!(longest_snippet(&served) <= 40 && is_lexical_alone(&served), "{served}");
}

#[test]
fn search_settings_are_shown_and_senseless_ones_refused() {
    let (bench, config) = configured("[search]\ndepth = 50\n[search.lexical]\ntitle = 0.5\n");
    let shown = bench.run(&["--config", &config, "config", "show"]).succeeded().stdout();
    assert!(
        shown.contains("depth = 50") && shown.contains("title = 0.5") && shown.contains("[search.lexical]"),
        "{shown}"
    );
    let (bench, config) = configured("[search]\ndepth = 0\nrerank_weight = 2.0\n");
    let expected = ["search.depth: expected 1 to 10000 passages, got 0", "search.rerank_weight: expected"];
    bench.run(&["--config", &config, "config", "check"]).refused(&expected);
    bench.run(&["--config", &config, "search", "note"]).refused(&expected);
    let (bench, config) = configured("[search]\ndpeth = 7\n");
    bench.run(&["--config", &config, "search", "note"]).refused(&["unknown field", "dpeth"]);
}

#[test]
fn a_request_beyond_the_limits_is_refused_by_field() {
    let (bench, config) = configured("[limits]\nfilter_values = 2\n");
    bench.run(&["search", "--top", "0", "note"]).refused(&["top: expected at least 1"]);
    // Before a folder is indexed for it.
    let fresh = Bench::with_documents(1);
    let docs = fresh.docs().display().to_string();
    fresh.run(&["search", "--in", &docs, "--top", "0", "note"]).refused(&["top: expected at least 1"]);
    assert!(!fresh.data().join("index.json").exists());
    bench
        .run(&["search", "--top", "2000", "note"])
        .refused(&["offset + top is 2000, more than the limit of 1000", "--top"]);
    let server = Server::start(&bench, &["--config", &config]).ready();
    for (parameters, field, code) in [
        ("q=note&top=0", "top", "top-too-small"),
        ("q=note&top=5000", "top", "top-too-large"),
        ("q=note&after=soon", "after", "after-not-a-date"),
        ("q=note&lang=en&lang=de&lang=fr", "filters", "filters-too-many"),
    ] {
        let problem = server.get(&format!("/api/v1/search?{parameters}")).expect(400);
        assert_eq!((&problem["errors"][0]["field"], &problem["errors"][0]["code"]), (&field.into(), &code.into()));
    }
}
