//! The upgrade of a stored index of format 2: by itself, embedding nothing, and whole whatever ends it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use storage::Step;

use crate::support::{Bench, fixture};

/// Questions with documents of every format of the stored index among their answers.
const QUESTIONS: [&str; 9] = [
    "tide weir",
    "float stuck",
    "mooring ropes",
    "who takes the outboard motor",
    "G-23",
    "年假",
    "lost password",
    "hotel receipts",
    "echo sounder of the Plover",
];

/// The stored index in its data folder; where its documents were need not exist.
fn stored() -> Bench {
    let bench = Bench::new();
    copy(&fixture("index-format-2/data"), &bench.data());
    bench
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to)
        } else {
            fs::copy(entry.path(), to).map(drop).unwrap()
        }
    }
}

/// Has a writer open the index: it adds a source with nothing new in it.
fn write_to(bench: &Bench) -> String {
    bench.write("empty.md", "# Empty\n");
    bench.index().stderr()
}

fn format_of(bench: &Bench) -> u64 {
    let mut editions = (1..=9).rev().map(|number| bench.data().join(format!("index-{number}")));
    let in_force = editions.find(|folder| folder.exists()).unwrap_or_else(|| bench.data());
    let described: Value = serde_json::from_slice(&fs::read(in_force.join("index.json")).unwrap()).unwrap();
    described["format"].as_u64().unwrap()
}

/// What a question finds in the source of the stored index: documents in order, with their passages and scores.
fn found(bench: &Bench, question: &str) -> Vec<(String, Vec<(u64, String)>)> {
    let answer = bench.search(&["--top", "20", &format!("source:survey {question}")]);
    let passages = |hit: &Value| {
        let all = hit["passages"].as_array().unwrap().iter();
        all.map(|passage| (passage["number"].as_u64().unwrap(), format!("{:.4}", passage["score"].as_f64().unwrap())))
            .collect()
    };
    let hits = answer["results"].as_array().unwrap();
    hits.iter().map(|hit| (format!("{} {}", hit["id"], hit["path"]), passages(hit))).collect()
}

/// Place and kinds of the blocks of the first passage that a question finds.
fn shape(bench: &Bench, question: &str) -> (Option<String>, Vec<String>) {
    let answer = bench.search(&[&format!("source:survey {question}")]);
    let passage = &answer["results"][0]["passages"][0];
    let label = passage["place"]["label"].as_str().map(str::to_string);
    let blocks = passage["blocks"].as_array().unwrap().iter();
    (label, blocks.map(|block| block["kind"].as_str().unwrap().to_string()).collect())
}

#[test]
fn an_index_of_format_2_gives_the_answers_of_a_fresh_one() {
    let fresh = Bench::new();
    let survey = fresh.root.path().join("survey");
    copy(&fixture("index-format-2/files"), &survey);
    fresh.run(&["index", &survey.display().to_string()]).succeeded();
    // Scores depend on all documents of an index.
    write_to(&fresh);
    let places = ["mooring ropes", "echo sounder of the Plover", "outboard motor estuary"]
        .map(|question| shape(&fresh, question).0);
    assert_eq!(places.map(Option::unwrap), ["Budget!A1:C6", "slide 2", "mail"]);
    let upgraded = stored();
    let said = write_to(&upgraded);
    assert!(said.contains("brought the index from format 2 to format 3; nothing was embedded again"), "{said}");
    assert_eq!(format_of(&upgraded), 8);
    for question in QUESTIONS {
        assert_eq!(found(&upgraded, question), found(&fresh, question), "{question}");
    }
    upgraded.verify();
    // Vectors were kept by what they were made from: the same files under another name have nothing to embed.
    let again = upgraded.run(&["index", "--name", "again", &survey.display().to_string()]).succeeded();
    assert!(again.stderr().contains("21 passages, 0 embedded"), "{}", again.stderr());
}

#[test]
fn old_passages_get_blocks_and_places() {
    let bench = stored();
    write_to(&bench);
    assert_eq!(shape(&bench, "echo sounder of the Plover").0.as_deref(), Some("slide 2"));
    assert_eq!(shape(&bench, "mooring ropes"), (Some("Budget".to_string()), vec!["table".to_string()]));
    assert_eq!(shape(&bench, "outboard motor estuary").0.as_deref(), Some("mail"));
    let (place, blocks) = shape(&bench, "correction height gauge WEIR f64");
    assert_eq!((place, blocks), (None, vec!["code".to_string()]));
    let (_, blocks) = shape(&bench, "Curlew covered in winter");
    assert!(["heading", "item", "table"].iter().all(|kind| blocks.iter().any(|block| block == kind)), "{blocks:?}");
}

#[test]
fn a_reader_names_the_cure_and_changes_nothing() {
    let bench = stored();
    bench.run(&["search", "tide"]).refused(&["has format 2", "quarry index"]);
    bench.run(&["verify"]).refused(&["has format 2"]);
    assert_eq!(format_of(&bench), 2);
    // What an upgrade under way tells others.
    fs::create_dir(bench.data().join("upgrade")).unwrap();
    fs::write(bench.data().join("upgrade/progress.json"), r#"{"from":2,"to":3,"percent":41}"#).unwrap();
    let told = bench.run(&["status"]).succeeded().stdout();
    assert!(told.contains("from format 2 to format 3: 41 % done"), "{told}");
    assert_eq!(bench.status()["upgrade"]["percent"], 41);
    write_to(&bench);
    assert_eq!(bench.status()["documents"], 13, "it was begun again");
}

#[test]
fn a_second_writer_finds_nothing_to_do() {
    let bench = stored();
    write_to(&bench);
    let said = write_to(&bench);
    assert!(!said.contains("format"), "{said}");
    let left: Vec<_> = fs::read_dir(bench.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let editions = left.iter().filter(|name| name.to_string_lossy().starts_with("index-")).count();
    assert!(editions == 1 && !left.iter().any(|name| name == "documents" || name == "upgrade"), "{left:?}");
}

#[test]
fn a_kill_at_any_step_leaves_the_old_index_or_the_new_one() {
    // The steps of each format, and the format that is in force after a kill there.
    let steps = [
        (Step::TruthWritten, 1, 2),
        (Step::TruthFlushed, 1, 2),
        (Step::UpgradeConverted, 1, 2),
        (Step::UpgradeFinished, 1, 2),
        (Step::UpgradeInForce, 1, 3),
        (Step::UpgradeConverted, 2, 3),
        (Step::UpgradeFinished, 2, 3),
        (Step::UpgradeInForce, 2, 4),
        (Step::UpgradeConverted, 3, 4),
        (Step::UpgradeFinished, 3, 4),
        (Step::UpgradeInForce, 3, 5),
        (Step::UpgradeConverted, 4, 5),
        (Step::UpgradeFinished, 4, 5),
        (Step::UpgradeInForce, 4, 6),
        (Step::UpgradeConverted, 5, 6),
        (Step::UpgradeFinished, 5, 6),
        (Step::UpgradeInForce, 5, 7),
        (Step::UpgradeConverted, 6, 7),
        (Step::LexicalPrepared, 1, 7),
        (Step::LexicalCommitted, 1, 7),
        (Step::UpgradeFinished, 6, 7),
        (Step::UpgradeInForce, 6, 8),
    ];
    let whole = stored();
    write_to(&whole);
    for (step, passage, expected) in steps {
        let bench = stored();
        bench.write("empty.md", "# Empty\n");
        let mut command = bench.command(&["index", &bench.docs().display().to_string()]);
        let ended = command.env("QUARRY_KILL_AT", format!("{step:?}:{passage}")).output().unwrap();
        assert!(!ended.status.success(), "{step:?}:{passage} was never passed");
        assert_eq!(format_of(&bench), expected, "killed at {step:?}");
        let said = write_to(&bench);
        assert_eq!(said.contains("format 2 to format 3"), expected == 2, "{step:?}: {said}");
        assert_eq!(said.contains("format 3 to format 4"), expected < 4, "{step:?}: {said}");
        assert_eq!(said.contains("format 4 to format 5"), expected < 5, "{step:?}: {said}");
        assert_eq!(said.contains("format 5 to format 6"), expected < 6, "{step:?}: {said}");
        assert_eq!(said.contains("format 6 to format 7"), expected < 7, "{step:?}: {said}");
        assert_eq!(said.contains("format 7 to format 8"), expected < 8, "{step:?}: {said}");
        assert_eq!(bench.status()["documents"], 13, "killed at {step:?}");
        for question in ["tide weir", "年假"] {
            assert_eq!(found(&bench, question), found(&whole, question), "killed at {step:?}");
        }
        bench.verify();
    }
}

#[test]
fn a_damaged_index_of_format_2_is_left_as_it_is() {
    let bench = stored();
    let database = bench.data().join("documents/db");
    let mut bytes = fs::read(&database).unwrap();
    let at = bytes.windows(8).position(|window| window == b"Calibrat").unwrap();
    bytes[at] ^= 1;
    fs::write(&database, bytes).unwrap();
    bench.write("empty.md", "# Empty\n");
    bench.run(&["index", &bench.docs().display().to_string()]).refused(&["format 2", "--rebuild"]);
    assert_eq!(format_of(&bench), 2);
    assert!(bench.data().join("vectors.bin").exists());
}
