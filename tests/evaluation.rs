//! The bundled documents, questions and model together: search has to be good, not only to run.

use serde_json::Value;

use crate::support::{Bench, fixture};

fn evaluate(language: &str) -> Value {
    let bench = Bench::new();
    let questions = fixture("questions").display().to_string();
    let handbook = fixture("handbook").display().to_string();
    let run = bench.run(&["eval", &questions, "--docs", &handbook, "--lang", language, "--json"]).succeeded();
    serde_json::from_str(&run.stdout()).unwrap()
}

fn ndcg(report: &Value, leg: &str) -> f64 {
    report["legs"][leg]["ndcg@10"].as_f64().unwrap()
}

#[test]
fn english_questions_are_answered_and_the_vector_leg_helps() {
    let report = evaluate("en");
    assert!(report["queries"].as_u64().unwrap() >= 50);
    assert!(ndcg(&report, "bm25") > 0.55, "{report}");
    assert!(ndcg(&report, "hybrid") > ndcg(&report, "bm25"), "{report}");
    assert!(report["legs"]["hybrid"]["recall@100"].as_f64().unwrap() > 0.95, "{report}");
}

#[test]
fn chinese_questions_do_not_suffer_from_an_english_model() {
    let report = evaluate("zh");
    assert!(ndcg(&report, "bm25") > 0.6, "{report}");
    assert!(ndcg(&report, "hybrid") >= ndcg(&report, "bm25") - 1e-9, "{report}");
}
