//! A flipped byte in every file of the data folder: a clear message and a rebuild or a refusal, never a wrong answer.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Bench;

const DOCUMENTS: usize = 12;
const QUESTIONS: [&[&str]; 2] =
    [&["marker003 details of the set", "-n", "12"], &["marker007", "--semantic", "-n", "12"]];

/// Where in a file the byte is flipped, as a share of its length.
const PLACES: [f64; 3] = [0.0, 0.45, 0.98];

#[test]
fn no_flipped_byte_gives_a_wrong_answer() {
    let bench = Bench::with_documents(DOCUMENTS);
    let docs = bench.docs().display().to_string();
    let mut command = bench.command(&["index", &docs]);
    assert!(command.env("QUARRY_SEAL_AT", "10").status().unwrap().success());
    let right: Vec<Vec<String>> = QUESTIONS.map(|question| bench.paths(question)).to_vec();
    let kept = bench.root.path().join("kept");
    copy(&bench.data(), &kept);
    let files = files_below(&kept);
    assert!(files.len() > 8, "{files:?}");
    for file in files {
        let file = file.strip_prefix(&kept).unwrap();
        for place in PLACES {
            fs::remove_dir_all(bench.data()).unwrap();
            copy(&kept, &bench.data());
            if flip(&bench.data().join(file), place) {
                check(&bench, &docs, &right, &format!("{} at {place}", file.display()));
            }
        }
    }
}

fn check(bench: &Bench, docs: &str, right: &[Vec<String>], what: &str) {
    // A process that only reads: the right answer, or a refusal that says what to do.
    for (question, right) in QUESTIONS.iter().zip(right) {
        let run = bench.run(&[&["search", "--json"], *question].concat());
        assert!(run.ended_well(), "{what}: {}", run.stderr());
        if run.0.status.success() {
            assert_eq!(&paths(&run.stdout()), right, "{what}");
        } else {
            assert!(
                run.stderr().contains("--repair") || run.stderr().contains("--rebuild"),
                "{what}: {}",
                run.stderr()
            );
        }
    }
    // A writer: repairs what is derived, or refuses.
    let run = bench.run(&["index", docs]);
    assert!(run.ended_well(), "{what}: {}", run.stderr());
    assert!(run.0.status.success() || !run.stderr().trim().is_empty(), "{what}: refused without a word");
    // Repairing by hand helps where it does not by itself.
    let answers = || QUESTIONS.iter().all(|question| bench.run(&[&["search"], *question].concat()).0.status.success());
    if !run.0.status.success() || !answers() {
        bench.run(&["verify", "--repair"]).succeeded();
    }
    bench.run(&["index", docs]).succeeded();
    for (question, right) in QUESTIONS.iter().zip(right) {
        // A rebuilt index may order equal scores otherwise.
        let found = bench.paths(question);
        assert_eq!(found.first(), right.first(), "{what}, after the repair");
        assert_eq!(sorted(&found), sorted(right), "{what}, after the repair");
    }
    bench.verify();
}

fn sorted(paths: &[String]) -> Vec<String> {
    let mut paths = paths.to_vec();
    paths.sort();
    paths
}

fn paths(json: &str) -> Vec<String> {
    let answer: serde_json::Value = serde_json::from_str(json).unwrap();
    let results = answer["results"].as_array().unwrap();
    results.iter().map(|hit| hit["path"].as_str().unwrap().to_string()).collect()
}

fn flip(path: &Path, place: f64) -> bool {
    let mut bytes = fs::read(path).unwrap();
    if bytes.is_empty() {
        return false;
    }
    let at = ((bytes.len() - 1) as f64 * place) as usize;
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
    true
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { fs::copy(&path, &target).map(|_| ()).unwrap() }
    }
}
