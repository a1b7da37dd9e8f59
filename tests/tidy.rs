//! House rules that a compiler does not check.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines before the tests from which a file is a reason to split.
const MAX_LINES: usize = 500;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "fixtures", ".git"].contains(&name.as_str()) {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_file_says_what_it_is_and_stays_readable() {
    for path in sources(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} does not open with //!", path.display());
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        let is_test = path.components().any(|part| part.as_os_str() == "tests");
        assert!(is_test || lines <= MAX_LINES, "{} has {lines} lines before its tests", path.display());
    }
}

#[test]
fn synchronous_rooms_know_no_runtime() {
    for room in ["qwen3", "storage", "indexer", "searcher"] {
        let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(room).join("Cargo.toml")).unwrap();
        assert!(!manifest.contains("tokio") && !manifest.contains("actix"), "{room} must stay synchronous");
    }
    let searcher = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("searcher/Cargo.toml")).unwrap();
    assert!(!searcher.contains("indexer"), "searcher and indexer never meet");
}

#[test]
fn rooms_that_serve_do_not_know_the_laboratory() {
    for room in ["indexer/extract", "indexer/formats", "indexer", "qwen3", "storage", "searcher", "web"] {
        let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(room).join("Cargo.toml")).unwrap();
        let names = |name: &str| manifest.lines().any(|line| line.starts_with(name));
        assert!(!names("lab") && !names("candle-transformers"), "{room} must not depend on the laboratory");
    }
}
