//! `quarry train synthesize` and `quarry train mine`: documents in, training data out.

#[cfg(feature = "hub")]
mod asked;
#[cfg(feature = "hub")]
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Bench, fixture};

impl Bench {
    fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn rows(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.file(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Makes pairs of the documents; the rows.
    fn synthesize(&self, args: &[&str]) -> Vec<Value> {
        let (docs, out) = (self.docs().display().to_string(), self.file("pairs.jsonl").display().to_string());
        self.run(&[&["train", "synthesize", &docs, "--out", &out], args].concat()).succeeded();
        self.rows("pairs.jsonl")
    }
}

fn field<'r>(row: &'r Value, key: &str) -> &'r str {
    row[key].as_str().unwrap_or_else(|| panic!("no {key} in {row}"))
}

#[test]
fn the_handbook_gives_pairs_and_the_same_ones_again() {
    let bench = Bench::new();
    let out = |name: &str| bench.file(name).display().to_string();
    let handbook = fixture("handbook").display().to_string();
    let run = bench.run(&["train", "synthesize", &handbook, "--out", &out("a.jsonl")]).succeeded();
    assert!(run.stdout().contains("pairs in") && run.stdout().contains("heading"), "{}", run.stdout());
    bench.run(&["train", "synthesize", &handbook, "--out", &out("b.jsonl")]).succeeded();
    let rows = bench.rows("a.jsonl");
    assert!(rows.len() > 300, "{}", rows.len());
    assert_eq!(fs::read(bench.file("a.jsonl")).unwrap(), fs::read(bench.file("b.jsonl")).unwrap());
    let has = |rule: &str, query: &str| rows.iter().any(|row| row["rule"] == rule && row["query"] == query);
    assert!(has("heading", "Annual holiday: Closing days"));
    assert!(has("heading", "供应商来料检验规定: 新供应商"));
    assert!(rows.iter().any(|row| row["rule"] == "docstring" && field(row, "path").ends_with(".py")));

    let few = |seed: &str| {
        bench
            .run(&["train", "synthesize", &handbook, "--out", &out("c.jsonl"), "--limit", "20", "--seed", seed])
            .succeeded();
        bench.rows("c.jsonl")
    };
    let (one, two) = (few("1"), few("2"));
    assert_eq!((one.len(), two.len()), (20, 20));
    assert!(one.iter().all(|row| rows.contains(row)) && one != two && one == few("1"));
}

#[test]
fn rules_and_languages_are_chosen() {
    let bench = Bench::new();
    bench.write("leave.md", "# Annual leave policy\n\nEmployees get twenty-five days of paid leave in every calendar year.\n\n## Moving days to the next year\n\nUp to five unused days move into the next year by themselves.\n");
    bench.write("urlaub.md", "# Regeln für den Urlaub\n\nAlle Angestellten bekommen fünfundzwanzig bezahlte Tage Urlaub in jedem Kalenderjahr, und nicht genommene Tage verfallen.\n");
    assert_eq!(bench.synthesize(&["--rules", "title"]).len(), 2);
    let german = bench.synthesize(&["--rules", "title", "--lang", "de"]);
    assert_eq!(german.len(), 1);
    assert_eq!(field(&german[0], "query"), "Regeln für den Urlaub");
    let out = bench.file("x.jsonl").display().to_string();
    let docs = bench.docs().display().to_string();
    bench.run(&["train", "synthesize", &docs, "--out", "/no/such/folder/x.jsonl"]).refused(&["/no/such/folder"]);
    bench.run(&["train", "synthesize", "/no/such/folder", "--out", &out]).refused(&["/no/such/folder"]);
    assert!(!bench.file("x.jsonl").exists());
    // Nothing is left beside the file that was wanted.
    let left: Vec<_> = fs::read_dir(bench.root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn a_filter_drops_what_a_search_does_not_find() {
    let bench = Bench::with_documents(30);
    bench.write("badge.md", "# Lost badges and keys\n\nTell reception at once when a badge or a key is lost, and it will be blocked within the hour.\n");
    bench.write(
        "odd.md",
        "# Quite another headline\n\nThe canteen serves soup and bread between noon and two on every working day.\n",
    );
    let all = bench.synthesize(&["--rules", "title"]);
    let near = bench.synthesize(&["--rules", "title", "--filter", "--top", "1"]);
    assert!(near.len() < all.len(), "{} of {}", near.len(), all.len());
    assert!(near.iter().any(|row| row["path"] == "badge.md") && !near.iter().any(|row| row["path"] == "odd.md"));
    assert_eq!(bench.synthesize(&["--rules", "title", "--filter", "--min-cosine", "0.999"]).len(), 0);
}

/// Rows with a query for each of several notes that are much alike.
fn notes(bench: &Bench) -> String {
    let mut lines = String::new();
    for (number, place) in
        ["Oslo", "Leeds", "Utrecht", "Halifax", "Chengdu", "Turin", "Porto", "Ghent"].iter().enumerate()
    {
        let row = serde_json::json!({
            "query": format!("canteen hours in {place}"),
            "response": format!("The canteen of the office in {place} opens at {} and serves soup, salad and bread until the afternoon.", 8 + number),
            "path": format!("{place}.md"),
        });
        lines.push_str(&format!("{row}\n"));
    }
    // A second answer to the first query: it must not be taken for a wrong one.
    let second = serde_json::json!({"query": "canteen hours in Oslo", "response": "Opening hours of all canteens are on the screens in the halls of our offices, also those of Oslo."});
    lines.push_str(&format!("{second}\n"));
    let path = bench.file("data.jsonl");
    fs::write(&path, lines).unwrap();
    path.display().to_string()
}

#[test]
fn responses_of_other_queries_become_negatives() {
    let bench = Bench::new();
    let data = notes(&bench);
    let out = bench.file("mined.jsonl").display().to_string();
    let mine = |args: &[&str]| {
        bench.run(&[&["train", "mine", "--data", &data, "--out", &out], args].concat()).succeeded();
        bench.rows("mined.jsonl")
    };
    let rows = mine(&["--margin", "+2", "--negatives", "3", "--scores"]);
    assert_eq!(rows.len(), 9);
    for row in &rows {
        let rejected: Vec<&str> =
            row["rejected_response"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        assert_eq!(rejected.len(), 3, "{row}");
        assert_eq!(row["scores"].as_array().unwrap().len(), 4);
        assert!(!rejected.contains(&field(row, "response")));
        if row["query"] == "canteen hours in Oslo" {
            assert!(rejected.iter().all(|text| !text.contains("Oslo")), "{row}");
        }
    }
    assert_eq!(rows, mine(&["--margin", "+2", "--negatives", "3", "--scores"]), "mining is not deterministic");
    let random = mine(&["--margin", "+2", "--negatives", "3", "--pick", "random", "--seed", "4"]);
    assert!(random[0]["rejected_response"].as_array().unwrap().len() == 3 && random[0].get("scores").is_none());
    // What is as near as the answer is left out: here, everything that is at all alike.
    let strict = mine(&["--negatives", "3", "--margin", "0.01"]);
    let left =
        |rows: &[Value]| rows.iter().map(|row| row["rejected_response"].as_array().map_or(0, Vec::len)).sum::<usize>();
    assert!(left(&strict) < left(&rows), "{} and {}", left(&strict), left(&rows));
    for by in ["vector", "lexical"] {
        assert_eq!(mine(&["--negatives", "2", "--by", by]).len(), 9);
    }
}

#[test]
fn judged_questions_become_examples() {
    let bench = Bench::new();
    let folder = bench.file("set");
    fs::create_dir_all(folder.join("qrels")).unwrap();
    let documents = [
        ("d1", "Rain gauges", "A rain gauge measures how much rain falls on a spot in one day."),
        ("d2", "River gauges", "A river gauge measures how high the water of a river stands."),
        ("d3", "Snow pillows", "A snow pillow weighs the snow that lies on it during the winter."),
        ("d4", "Rain radars", "A rain radar sees where rain falls in the country at this moment."),
    ];
    let corpus: String = documents
        .iter()
        .map(|(id, title, text)| format!("{}\n", serde_json::json!({"_id": id, "title": title, "text": text})))
        .collect();
    fs::write(folder.join("corpus.jsonl"), corpus).unwrap();
    fs::write(folder.join("queries_train.jsonl"), "{\"_id\":\"q1\",\"text\":\"how is rain measured\"}\n").unwrap();
    fs::write(folder.join("qrels/train.tsv"), "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td4\t1\nq1\td2\t0\n").unwrap();
    fs::write(folder.join("qrels/test.tsv"), "query-id\tcorpus-id\tscore\nq9\td1\t1\n").unwrap();
    let (set, out) = (folder.display().to_string(), bench.file("mined.jsonl").display().to_string());
    let args = [
        "train",
        "mine",
        "--beir",
        &set,
        "--queries",
        "queries_train.jsonl",
        "--qrels",
        "train",
        "--out",
        &out,
        "--margin",
        "+2",
    ];
    let run = bench.run(&args).succeeded();
    assert!(run.stdout().contains("2 examples"), "{}", run.stdout());
    let rows = bench.rows("mined.jsonl");
    assert_eq!(
        field(&rows[0], "response"),
        "Rain gauges\nA rain gauge measures how much rain falls on a spot in one day."
    );
    for row in rows {
        let rejected = row["rejected_response"].to_string();
        assert!(
            rejected.contains("River gauges\\n") && rejected.contains("snow") && !rejected.contains("radar"),
            "{rejected}"
        );
    }
}

#[test]
fn negatives_come_from_an_index_that_is_there() {
    let bench = Bench::with_documents(12);
    bench.index();
    let data = bench.file("data.jsonl");
    fs::write(&data, "{\"query\":\"what is said of rivers\",\"response\":\"Rivers have sensors, says a text that no file holds.\",\"path\":\"note-000.md\"}\n").unwrap();
    let (data, out) = (data.display().to_string(), bench.file("mined.jsonl").display().to_string());
    bench.run(&["train", "mine", "--data", &data, "--out", &out, "--indexed", "--margin", "+2"]).succeeded();
    let rejected = bench.rows("mined.jsonl")[0]["rejected_response"].to_string();
    assert!(rejected.contains("This note is about") && !rejected.contains("marker000"), "{rejected}");
    fs::write(bench.file("bad.jsonl"), "{\"query\":\"a\"}\n").unwrap();
    let bad = bench.file("bad.jsonl").display().to_string();
    bench.run(&["train", "mine", "--data", &bad, "--out", &out]).refused(&["line 1", "expected {\"query\""]);
    bench.run(&["train", "mine", "--data", &data, "--out", &out, "--negatives", "0"]).refused(&["--negatives"]);
}
