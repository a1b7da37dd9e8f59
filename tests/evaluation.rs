//! The bundled documents, questions and model together: search has to be good, not only to run.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Bench, fixture};

fn evaluate(language: &str) -> Value {
    let bench = Bench::new();
    let questions = fixture("questions").display().to_string();
    let handbook = fixture("handbook").display().to_string();
    let run = bench.run(&["eval", &questions, "--docs", &handbook, "--lang", language, "--json"]).succeeded();
    serde_json::from_str(&run.stdout()).unwrap()
}

fn ndcg(report: &Value, run: &str) -> f64 {
    report["legs"][run]["ndcg@10"].as_f64().unwrap()
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

/// Two small sets of questions about the sample documents, in BEIR's layout.
fn sets(bench: &Bench) -> [String; 2] {
    ["alpha", "beta"].map(|name| {
        let folder = bench.root.path().join(name);
        fs::create_dir_all(folder.join("qrels")).unwrap();
        let mut corpus = String::new();
        let topics =
            ["river sensors", "annual leave", "unpaid invoices", "lost keys", "pump pressure", "meeting rooms"];
        for (number, topic) in topics.iter().enumerate() {
            let text = format!("What {name} says about {topic}: part {number} of the set, with word{number}.");
            corpus += &json!({"_id": format!("{name}-{number}"), "title": "", "text": text}).to_string();
            corpus.push('\n');
        }
        fs::write(folder.join("corpus.jsonl"), corpus).unwrap();
        let queries = topics.iter().enumerate().map(|(number, topic)| {
            let text = if number % 2 == 0 { (*topic).to_string() } else { format!("word{number}") };
            json!({"_id": format!("q{number}"), "text": text}).to_string()
        });
        fs::write(folder.join("queries.jsonl"), queries.collect::<Vec<_>>().join("\n")).unwrap();
        let judged = (0..topics.len()).map(|number| format!("q{number}\t{name}-{number}\t1"));
        let lines: Vec<String> = std::iter::once("query-id\tcorpus-id\tscore".to_string()).chain(judged).collect();
        fs::write(folder.join("qrels/test.tsv"), lines.join("\n")).unwrap();
        folder.display().to_string()
    })
}

fn compare(bench: &Bench, sides: [&str; 2]) -> Value {
    let [alpha, beta] = sets(bench);
    let run = bench.run(&["eval", &alpha, &beta, "--json", "--compare", sides[0], sides[1]]).succeeded();
    serde_json::from_str(&run.stdout()).unwrap()
}

#[test]
fn several_sets_are_shown_with_their_mean() {
    let bench = Bench::new();
    let [alpha, beta] = sets(&bench);
    let run = bench.run(&["eval", &alpha, &beta, "--lang", "en", "--json"]).succeeded();
    assert!(run.stderr().contains("alpha: its questions name no language"), "{}", run.stderr());
    let report: Value = serde_json::from_str(&run.stdout()).unwrap();
    let of = |set: usize| ndcg(&report["sets"][set], "bm25");
    assert_eq!(report["sets"][1]["dataset"], "beta");
    assert!((ndcg(&report["mean"], "bm25") - (of(0) + of(1)) / 2.0).abs() < 1e-12, "{report}");
    let again = bench.run(&["eval", &alpha, &beta]).succeeded();
    assert_eq!(again.stderr().matches("is complete and used as it is").count(), 2, "{}", again.stderr());
    assert!(again.stdout().contains("mean of the 2 sets"), "{}", again.stdout());
    let handbook = fixture("handbook").display().to_string();
    bench.run(&["eval", &alpha, &beta, "--docs", &handbook]).refused(&["--docs", "one DIR"]);
}

#[test]
fn equal_setups_do_not_differ() {
    let report = compare(&Bench::new(), ["default", ""]);
    assert_eq!((&report["a"], &report["b"]), (&json!("default"), &json!("default")));
    for run in ["bm25", "vector", "hybrid"] {
        let all = &report["all"]["legs"][run]["ndcg@10"];
        assert_eq!((&all["difference"], &all["p"], &all["ties"]), (&json!(0.0), &json!(1.0), &json!(12)), "{report}");
        assert_eq!(report["sets"][0]["legs"][run]["ndcg@10"]["ties"], 6);
    }
}

#[test]
fn settings_and_models_stand_beside_each_other() {
    let bench = Bench::new();
    // A model of random weights, which has its own index: it knows nothing.
    let random = format!("model={},vector-weight=3", fixture("golden/bert-tiny").display());
    let report = compare(&bench, ["default", &random]);
    let run = |name: &str| report["all"]["legs"][name]["ndcg@10"].clone();
    assert_eq!(run("bm25")["difference"], 0.0, "{report}");
    for name in ["vector", "hybrid"] {
        let run = run(name);
        let number = |field: &str| run[field].as_f64().unwrap();
        assert!((number("b") - number("a") - number("difference")).abs() < 1e-12);
        assert!(run["interval_95"][0].as_f64().unwrap() <= number("difference"));
        assert!(run["interval_95"][1].as_f64().unwrap() >= number("difference"));
        let counts: u64 = ["wins", "ties", "losses"].iter().map(|field| run[*field].as_u64().unwrap()).sum();
        assert_eq!(counts, 12);
    }
    let lost = run("vector");
    assert!(lost["difference"].as_f64().unwrap() < -0.05 && lost["p"].as_f64().unwrap() < 0.3, "{report}");
    assert_eq!(report, compare(&bench, ["default", &random]), "it repeats exactly");
    let [alpha, _] = sets(&bench);
    let shown = bench.run(&["eval", &alpha, "--compare", "fusion=rrf", "default"]).succeeded().stdout();
    assert!(shown.contains("A: fusion=rrf\nB: default") && shown.contains("95 % interval"), "{shown}");
    bench.run(&["eval", &alpha, "--compare", "modle=x", ""]).refused(&["\"modle=x\" is no setting", "reranker"]);
}

#[test]
fn candidates_are_written_with_the_scores_of_both_legs() {
    let bench = Bench::new();
    let [alpha, _] = sets(&bench);
    let file = bench.root.path().join("candidates.jsonl");
    bench.run(&["eval", &alpha, "--candidates", &file.display().to_string()]).succeeded();
    let lines: Vec<Value> =
        fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6);
    for line in &lines {
        assert_eq!(line["set"], "alpha");
        let candidates = line["candidates"].as_array().unwrap();
        assert!(!candidates.is_empty(), "{line}");
        assert!(candidates.iter().all(|it| it[2].is_f64()), "every passage has a cosine: {line}");
    }
    assert_eq!(lines[1]["candidates"][0][0], "alpha-1");
    let scores: Vec<&Value> = lines[1]["candidates"].as_array().unwrap().iter().map(|it| &it[1]).collect();
    assert!(scores[0].as_f64().unwrap() > 0.0 && scores[1..].iter().all(|score| score.is_null()), "{scores:?}");
}
