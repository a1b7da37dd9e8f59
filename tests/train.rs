//! `quarry train` as a user runs it: adapt, kill and go on, merge, export, distill, and search with what came out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Bench, fixture};

/// Examples about parts that no text of the bundled model's training spelled so.
fn examples(count: usize) -> String {
    let subjects = ["pump", "valve", "gear", "lamp", "cable", "motor", "sensor", "filter", "switch", "relay"];
    let line = |at: usize| {
        let subject = subjects[at % subjects.len()];
        json!({
            "query": format!("who repairs the {subject} of line {}", at / subjects.len()),
            "response": format!("Workshop {at} looks after it, see sheet {}.", at * 7 % 31),
            "rejected_response": [format!("Workshop {} looks after it, see sheet {at}.", at + 40)],
        })
    };
    (0..count).map(|at| format!("{}\n", line(at))).collect()
}

struct Training {
    bench: Bench,
    data: String,
}

impl Training {
    fn new() -> Self {
        let bench = Bench::new();
        let data = bench.root.path().join("train.jsonl");
        fs::write(&data, examples(40)).unwrap();
        Self { bench, data: data.display().to_string() }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.bench.root.path().join(name)
    }

    /// The arguments of a run that learns the token table only.
    fn embed<'a>(&'a self, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let base = ["train", "embed", "--data", &self.data, "--out", out, "--only", "embed_tokens"];
        let numbers = ["--epochs", "4", "--batch", "8", "--learning-rate", "2e-3", "--checkpoint-every", "2"];
        [&base[..], &numbers, more].concat()
    }
}

fn curve(out: &Path) -> Vec<Value> {
    let record: Value = serde_json::from_slice(&fs::read(out.join("training.json")).unwrap()).unwrap();
    record["curve"].as_array().unwrap().clone()
}

#[test]
fn a_killed_run_goes_on_and_ends_in_the_same_model() {
    let training = Training::new();
    let (whole, killed) = (training.place("whole"), training.place("killed"));
    let (whole_text, killed_text) = (whole.display().to_string(), killed.display().to_string());
    training.bench.run(&training.embed(&whole_text, &[])).succeeded();
    let losses: Vec<f64> = curve(&whole).iter().map(|report| report["loss"].as_f64().unwrap()).collect();
    assert!(losses.last().unwrap() < &(losses[0] * 0.8), "{losses:?}");

    let mut command = training.bench.command(&training.embed(&killed_text, &[]));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !has_checkpoint(&killed) && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "no checkpoint in two minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    training.bench.run(&training.embed(&killed_text, &["--seed", "7"])).refused(&["other settings (run)"]);
    training.bench.run(&training.embed(&killed_text, &[])).succeeded();
    let weights = |folder: &Path| fs::read(folder.join("model.safetensors")).unwrap();
    assert!(weights(&whole) == weights(&killed), "the models differ");
    assert!(!killed.join("checkpoints").exists());
    training.bench.run(&training.embed(&killed_text, &[])).refused(&["holds a"]);
}

fn has_checkpoint(out: &Path) -> bool {
    let Ok(entries) = fs::read_dir(out.join("checkpoints")) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("step-"))
}

#[test]
fn a_trained_model_is_merged_exported_and_searched() {
    let training = Training::new();
    let tuned = training.place("tuned").display().to_string();
    training.bench.run(&training.embed(&tuned, &[])).succeeded();
    let merged = training.place("merged").display().to_string();
    training.bench.run(&["train", "merge", "nano", &tuned, "--weights", "1,1", "--out", &merged]).succeeded();
    training
        .bench
        .run(&["train", "merge", "nano", &tuned, "--weights", "1", "--out", &merged])
        .refused(&["2 models and 1 weights"]);
    let reranker = fixture("models/tiny-reranker").display().to_string();
    let nowhere = training.place("nowhere").display().to_string();
    training.bench.run(&["train", "merge", "nano", &reranker, "--out", &nowhere]).refused(&["another shape"]);
    for (format, model) in [("int8", ""), ("gguf", "model-q8_0.gguf")] {
        let out = training.place(format);
        let text = out.display().to_string();
        training.bench.run(&["train", "export", &merged, "--format", format, "--out", &text]).succeeded();
        let model = out.join(model).display().to_string();
        // An index of its own: vectors of different models do not compare.
        let bench = Bench::new();
        bench.write("a.md", "# Pumps\n\nThe workshop repairs pumps.\n");
        bench.run(&["--model", &model, "index", &bench.docs().display().to_string()]).succeeded();
        let found = bench.run(&["--model", &model, "search", "pumps"]).succeeded();
        assert!(found.stdout().contains("a.md"));
    }
}

#[test]
fn a_reranker_is_taught_with_low_rank_differences() {
    let training = Training::new();
    let model = fixture("models/tiny-reranker").display().to_string();
    let out = training.place("reranker");
    let text = out.display().to_string();
    let args = ["--reranker", &model, "train", "rerank", "--data", &training.data, "--out", &text];
    let more = ["--lora-rank", "4", "--max-tokens", "256", "--batch", "8", "--learning-rate", "1e-3", "--epochs", "4"];
    training.bench.run(&[&args[..], &more].concat()).succeeded();
    let curve = curve(&out);
    let loss = |at: usize| curve[at]["loss"].as_f64().unwrap();
    assert!(loss(curve.len() - 1) < loss(0), "{} -> {}", loss(0), loss(curve.len() - 1));
    training.bench.write("a.md", "# Pumps\n\nThe workshop repairs pumps.\n");
    training.bench.index();
    training.bench.run(&["--reranker", &text, "search", "pumps"]).succeeded();
    let none = training.place("none").display().to_string();
    training.bench.run(&["train", "rerank", "--data", &training.data, "--out", &none]).refused(&["--reranker MODEL"]);
}

/// The tiny BERT stands for a teacher: what it knows is noise, and the student has to learn that noise.
#[test]
fn a_small_model_is_distilled_from_a_teacher() {
    let training = Training::new();
    let teacher = fixture("golden/bert-tiny").display().to_string();
    let tokenizer = fixture("models/tiny-reranker/tokenizer.json").display().to_string();
    let out = training.place("distilled");
    let text = out.display().to_string();
    let args = ["train", "distill", "--teacher", &teacher, "--tokenizer", &tokenizer, "--data", &training.data];
    let numbers = ["--out", &text, "--width", "64", "--epochs", "20", "--batch", "16", "--learning-rate", "1e-2"];
    let translations = training.place("translations.jsonl").display().to_string();
    let words = [("pump", "水泵"), ("valve", "阀门"), ("report", "报告")];
    let line = |at: usize| {
        let (source, translation) = words[at % 3];
        format!("{{\"source\": \"{source} {at}\", \"translation\": \"{translation} {at}\"}}\n")
    };
    fs::write(&translations, (0..40).map(line).collect::<String>()).unwrap();
    training.bench.run(&[&args[..], &numbers, &["--translations", &translations]].concat()).succeeded();
    let curve = curve(&out);
    let told = curve.iter().filter_map(|report| report["figures"]["cosine of translations"].as_f64());
    let told: Vec<f64> = told.collect();
    assert!(told[told.len() - 1] > told[0], "{told:?}");
    let loss = |at: usize| curve[at]["loss"].as_f64().unwrap();
    assert!(loss(curve.len() - 1) < 0.9 * loss(0), "{} -> {}", loss(0), loss(curve.len() - 1));
    training.bench.write("a.md", "# Pumps\n\nThe workshop repairs pumps.\n");
    let docs = training.bench.docs().display().to_string();
    training.bench.run(&["--model", &text, "index", &docs]).succeeded();
    assert_eq!(training.bench.search(&["--model", &text, "pumps"])["results"][0]["path"], "a.md");
}

/// The bundled model learns three words of a made-up language out of a few translations, and forgets nothing for it.
#[test]
fn a_table_is_extended_by_a_language() {
    let training = Training::new();
    let mut tokenizer: Value =
        serde_json::from_slice(&fs::read(fixture("models/nano/tokenizer.json")).unwrap()).unwrap();
    let specials = tokenizer["added_tokens"].as_array().unwrap().clone();
    let last = specials.iter().map(|token| token["id"].as_u64().unwrap()).max().unwrap();
    let model = tokenizer["model"].as_object_mut().unwrap();
    // The three words are a letter of Georgian each, of three bytes.
    let letters = ["\u{10d0}", "\u{10d1}", "\u{10d2}"];
    let mut next = last + 1;
    let mut add = |left: &str, right: &str| {
        let token = format!("{left}{right}");
        if model["vocab"].get(&token).is_some() {
            return;
        }
        model["vocab"][&token] = json!(next);
        next += 1;
        model["merges"].as_array_mut().unwrap().push(json!(format!("{left} {right}")));
    };
    for last in ["\u{0132}", "\u{0133}", "\u{0134}"] {
        add("\u{e1}", "\u{0125}");
        add("\u{e1}\u{0125}", last);
    }
    for special in &specials {
        tokenizer["model"]["vocab"][special["content"].as_str().unwrap()] = special["id"].clone();
    }
    let path = training.place("longer.json").display().to_string();
    fs::write(&path, tokenizer.to_string()).unwrap();
    let translations = training.place("translations.jsonl").display().to_string();
    let words = ["holiday", "invoice", "pump"];
    let line = |at: usize| json!({"source": words[at % 3], "translation": letters[at % 3]}).to_string() + "\n";
    fs::write(&translations, (0..60).map(line).collect::<String>()).unwrap();
    let out = training.place("extended");
    let text = out.display().to_string();
    let args = ["train", "extend", "--translations", &translations, "--out", &text, "--tokenizer"];
    let numbers = ["--epochs", "40", "--batch", "8", "--learning-rate", "2e-2", "--format", "int8"];
    let own = fixture("models/tiny-reranker/tokenizer.json").display().to_string();
    training.bench.run(&[&args[..], &[&own], &numbers].concat()).refused(&["does not begin with the tokens"]);
    training.bench.run(&[&args[..], &[&path], &numbers].concat()).succeeded();
    let told = curve(&out).iter().filter_map(|report| report["figures"]["cosine of translations"].as_f64()).next_back();
    assert!(told.is_some_and(|cosine| cosine > 0.9), "{told:?}");
    training.bench.write("a.md", "# Pumps\n\nThe workshop repairs pumps.\n");
    let docs = training.bench.docs().display().to_string();
    training.bench.run(&["--model", &text, "index", &docs]).succeeded();
    assert_eq!(training.bench.search(&["--model", &text, "pumps"])["results"][0]["path"], "a.md");
}

#[test]
fn bad_data_is_refused_by_line() {
    let training = Training::new();
    fs::write(&training.data, "{\"query\": \"q\", \"response\": \"r\"}\n{\"query\": \"\", \"response\": \"r\"}\n")
        .unwrap();
    let out = training.place("out").display().to_string();
    training.bench.run(&training.embed(&out, &[])).refused(&["line 2", "empty query"]);
    fs::write(&training.data, examples(40)).unwrap();
    training.bench.run(&training.embed(&out, &["--widths", "900"])).refused(&["dimension 900", "1 to 384"]);
    let args = ["train", "embed", "--data", &training.data, "--out", &out, "--only", "heads"];
    training.bench.run(&args).refused(&["nothing would be trained", "embed_tokens"]);
}
