//! A BERT-family folder in the place of the bundled model: indexed, searched, checked, served by name of its files.

use std::fs;

use crate::support::{Bench, fixture};

#[test]
fn a_bert_folder_indexes_and_searches() {
    let bench = Bench::with_documents(6);
    let model = fixture("golden/bert-tiny").display().to_string();
    let docs = bench.docs().display().to_string();
    bench.run(&["--model", &model, "index", &docs]).succeeded();
    let found = bench.search(&["--model", &model, "marker003"]);
    assert_eq!(found["results"][0]["path"], "note-003.md");
    let status = bench.run(&["--model", &model, "status", "--json"]).succeeded().stdout();
    assert!(status.contains("bert-tiny"), "{status}");
    // Vectors of another model do not compare.
    bench.run(&["search", "marker003"]).refused(&["bert-tiny"]);
    bench.run(&["--model", &model, "--precision", "int8", "search", "marker003"]).succeeded();
}

#[test]
fn a_bert_folder_is_verified_and_refused_by_name_when_damaged() {
    let bench = Bench::new();
    let model = fixture("golden/bert-tiny");
    let report = bench.run(&["models", "verify", &model.display().to_string()]).succeeded().stdout();
    assert!(report.contains("embedding") || report.contains("every value finite"), "{report}");
    let copy = bench.root.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(model.join(file), copy.join(file)).unwrap();
    }
    let docs = bench.docs().display().to_string();
    bench.run(&["--model", &copy.display().to_string(), "index", &docs]).refused(&["1_Pooling/config.json is missing"]);
    let reranker = model.display().to_string();
    bench.run(&["--reranker", &reranker, "search", "x"]).refused(&["model_type must be qwen3, got bert"]);
}
