//! "Not here": questions that nothing answers are told from those with an answer, and the judgement can be calibrated.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::server::Server;
use crate::support::{Bench, fixture};

/// A bench with the handbook in its index.
fn handbook() -> Bench {
    let bench = Bench::new();
    bench.run(&["index", &fixture("handbook").display().to_string()]).succeeded();
    bench
}

fn verdict(answer: &Value) -> &str {
    answer["answerable"]["verdict"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

fn results(answer: &Value) -> usize {
    answer["results"].as_array().unwrap().len()
}

#[test]
fn nonsense_finds_nothing_and_what_is_not_there_at_most_the_three_closest() {
    let bench = handbook();
    for nonsense in ["zxqvb wrtplk mfghjd", "qwpoei zmxncb", "fjghdk slaqpw eiruty"] {
        for mode in [&[nonsense][..], &[nonsense, "--lexical"]] {
            let answer = bench.search(mode);
            assert_eq!((verdict(&answer), results(&answer)), ("unlikely", 0), "{nonsense}: {answer}");
        }
    }
    for elsewhere in
        ["how do I bake sourdough bread", "who won the football world cup in brazil", "chords of a guitar ballad"]
    {
        let answer = bench.search(&[elsewhere, "--top", "10"]);
        assert_eq!(verdict(&answer), "unlikely", "{elsewhere}: {answer}");
        assert!(results(&answer) <= 3 && answer["total"] == results(&answer), "{elsewhere}: {answer}");
        let printed = bench.run(&["search", elsewhere]).succeeded().stdout();
        assert!(printed.starts_with("Nothing f"), "{printed}");
    }
}

#[test]
fn questions_with_an_answer_are_not_turned_away() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[&fixture("handbook").display().to_string()]).ready();
    let questions = fs::read_to_string(fixture("questions").join("queries.jsonl")).unwrap();
    let mut turned_away: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in questions.lines() {
        let question: Value = serde_json::from_str(line).unwrap();
        for mode in ["hybrid", "lexical", "semantic"] {
            let body = json!({ "query": question["text"], "mode": mode });
            let answer = server.send("POST", "/api/v1/search", &body).expect(200);
            // The words of a Chinese question about an English page stand nowhere.
            let is_told_by_words = mode == "lexical" && question["kind"] == "cross";
            if verdict(&answer) == "unlikely" && !is_told_by_words {
                turned_away.entry(mode).or_default().push(question["text"].to_string());
            }
        }
    }
    // 2 % of 70; a retriever alone knows less.
    let count = |mode: &str| turned_away.get(mode).map_or(0, Vec::len);
    assert!(count("hybrid") <= 1 && count("lexical") <= 3 && count("semantic") <= 3, "{turned_away:#?}");
}

#[test]
fn a_slip_is_no_sign_that_something_is_missing() {
    let bench = handbook();
    for slip in ["anual holliday", "reimbursment of expences", "parental laeve weeks"] {
        let answer = bench.search(&[slip]);
        assert_ne!(verdict(&answer), "unlikely", "{slip}: {answer}");
    }
}

#[test]
fn what_is_there_by_its_exact_form_is_never_unanswered() {
    let bench = handbook();
    for exact in ["ERR_4711", "BRW-117", "\"invitation letter\"", "Grebe", "Strongbox", "kittiwake ERR_6008 xylophone"]
    {
        let answer = bench.search(&[exact]);
        assert_ne!(verdict(&answer), "unlikely", "{exact}: {answer}");
        assert!(results(&answer) > 0, "{exact}");
    }
    // Filters alone ask nothing that could be judged.
    assert!(bench.search(&["type:html"]).get("answerable").is_none());
}

#[test]
fn the_page_says_that_nothing_fits_and_marks_no_sentence() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[&fixture("handbook").display().to_string()]).ready();
    let page = server.get("/search?q=plot+of+the+second+star+wars+movie").text;
    assert!(page.contains("Nothing fits well. Closest:"), "{page}");
    assert!(page.matches("class=\"hit\"").count() <= 3 && !page.contains("snippet sense"), "{page}");
    let page = server.get("/search?q=zxqvb+wrtplk+mfghjd").text;
    assert!(page.contains("Nothing found for") && !page.contains("class=\"hit\""), "{page}");
    let page = server.get("/search?q=how+many+PTO+days+do+I+get").text;
    assert!(!page.contains("Nothing fits"), "{page}");
    // A program may have all that was found.
    let all = server.get("/api/v1/search?q=plot+of+the+second+star+wars+movie&unlikely=all").expect(200);
    assert!(verdict(&all) == "unlikely" && results(&all) > 3, "{all}");
}

#[test]
fn the_floor_is_a_setting_and_zero_switches_the_judgement_off() {
    let bench = handbook();
    let config = bench.root.path().join("quarry.toml");
    let ask = |floor: &str| {
        fs::write(&config, format!("[search]\nanswerable_floor = {floor}\n")).unwrap();
        let config = config.display().to_string();
        bench.search(&["--config", &config, "how do I bake sourdough bread", "--top", "10"])
    };
    let off = ask("0");
    assert!(off.get("answerable").is_none() && results(&off) > 3, "{off}");
    assert_eq!(verdict(&ask("0.000001")), "unsure");
    fs::write(&config, "[search]\nanswerable_floor = 1.5\n").unwrap();
    let run = bench.run(&["--config", &config.display().to_string(), "search", "bread"]);
    run.refused(&["search.answerable_floor", "a probability from 0 to below 1"]);
}

/// A small set of judged questions in BEIR's layout.
fn set(bench: &Bench, name: &str, topics: &[(&str, &str)]) -> String {
    let folder = bench.root.path().join(name);
    fs::create_dir_all(folder.join("qrels")).unwrap();
    let line = |value: Value| value.to_string() + "\n";
    let numbered = || topics.iter().enumerate();
    let corpus = numbered().map(|(n, (_, text))| line(json!({"_id": format!("d{n}"), "title": "", "text": text})));
    fs::write(folder.join("corpus.jsonl"), corpus.collect::<String>()).unwrap();
    let queries = numbered().map(|(n, (query, _))| line(json!({"_id": format!("q{n}"), "text": query})));
    fs::write(folder.join("queries.jsonl"), queries.collect::<String>()).unwrap();
    let judged = numbered().map(|(n, _)| format!("q{n}\td{n}\t1\n")).collect::<String>();
    fs::write(folder.join("qrels/test.tsv"), format!("query-id\tcorpus-id\tscore\n{judged}")).unwrap();
    folder.display().to_string()
}

#[test]
fn a_calibration_is_fitted_measured_and_used() {
    let bench = Bench::new();
    let office = set(
        &bench,
        "office",
        &[
            ("where is the printer", "The printer stands on the second floor beside the kitchen."),
            ("days of annual leave", "Everyone has thirty days of annual leave in a year."),
            ("who repairs bicycles", "Bicycles are repaired in the cellar on Mondays."),
            ("lost key card", "Report a lost key card to the reception within one hour."),
        ],
    );
    let garden = set(
        &bench,
        "garden",
        &[
            ("when to plant tulips", "Plant the bulbs of tulips in October, ten centimetres deep."),
            ("how often to water tomatoes", "Water tomatoes every morning, never on their leaves."),
            ("prune an apple tree", "An apple tree is pruned in late winter, before the buds open."),
            ("slugs on salad", "Slugs avoid salad that stands behind a fence of copper."),
        ],
    );
    let file = bench.root.path().join("calibration.json");
    let out = file.display().to_string();
    let run = bench.run(&["train", "calibrate", &office, &garden, "--out", &out, "--evaluate"]).succeeded();
    assert!(run.stdout().contains("words and meaning") && run.stdout().contains("AUC"), "{}", run.stdout());
    let fitted: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert!(fitted["words"]["weights"]["coverage"].as_f64().unwrap() > 0.0, "{fitted}");
    assert!(fitted["made"].as_str().unwrap().contains("office (4 questions)"), "{fitted}");
    let again = bench.run(&["train", "calibrate", &office, &garden, "--out", &out]).succeeded();
    assert!(again.stdout().contains("calibration.json"));
    assert_eq!(
        fitted,
        serde_json::from_str::<Value>(&fs::read_to_string(&file).unwrap()).unwrap(),
        "no chance is involved"
    );

    bench.write("a.md", "The printer stands on the second floor.");
    bench.index();
    let config = bench.root.path().join("quarry.toml");
    fs::write(&config, format!("[search]\ncalibration = {out:?}\n")).unwrap();
    let config = config.display().to_string();
    let answer = bench.search(&["--config", &config, "where is the printer"]);
    assert_eq!(verdict(&answer), "likely", "{answer}");
    fs::write(&file, "{}").unwrap();
    bench
        .run(&["--config", &config, "search", "printer"])
        .refused(&["calibration.json is no calibration", "quarry train calibrate"]);
    bench.run(&["train", "calibrate", &office, "--evaluate"]).refused(&["give two or more"]);
}
