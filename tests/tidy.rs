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
    for room in ["qwen3", "storage", "indexer", "indexer/connect", "searcher"] {
        let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(room).join("Cargo.toml")).unwrap();
        assert!(!manifest.contains("tokio") && !manifest.contains("actix"), "{room} must stay synchronous");
    }
    let searcher = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("searcher/Cargo.toml")).unwrap();
    assert!(!searcher.contains("indexer"), "searcher and indexer never meet");
}

#[test]
fn rooms_that_serve_do_not_know_the_laboratory() {
    for room in
        ["indexer/connect", "indexer/extract", "indexer/formats", "indexer", "qwen3", "storage", "searcher", "web"]
    {
        let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(room).join("Cargo.toml")).unwrap();
        let names = |name: &str| manifest.lines().any(|line| line.starts_with(name));
        assert!(!names("lab") && !names("candle-transformers"), "{room} must not depend on the laboratory");
    }
}

/// The rooms: libraries, which know of no command line. The laboratory is among them.
const ROOMS: [&str; 6] = ["qwen3", "storage", "indexer", "searcher", "web", "lab"];

/// The code of a file that is no test and no comment.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    lines.filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

fn code_of_rooms() -> impl Iterator<Item = (PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ROOMS.iter().flat_map(|room| sources(&root.join(room)));
    let is_test = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name == "tests.rs" || path.components().any(|part| part.as_os_str() == "tests")
    };
    files.filter(move |path| !is_test(path)).map(|path| (path.clone(), code_of(&path)))
}

#[test]
fn libraries_name_no_flags_of_the_command_line() {
    // Flags of programs that are not quarry.
    let others = ["llama-gguf-split --merge"];
    for (path, code) in code_of_rooms() {
        for line in code.lines() {
            let line = others.iter().fold(line.to_string(), |line, other| line.replace(other, ""));
            let flag = line.match_indices("--").find(|(at, _)| {
                let before = line[..*at].chars().next_back();
                let after = line[at + 2..].chars().next();
                before.is_some_and(|c| " `(".contains(c)) && after.is_some_and(|c| c.is_ascii_lowercase())
            });
            let is_command = path.ends_with("tesseract.rs") || path.ends_with("process.rs");
            assert!(flag.is_none() || is_command, "{} names a flag, which is for src/cure.rs: {line}", path.display());
        }
    }
}

#[test]
fn a_message_does_not_repeat_its_cause() {
    let mut causes = 0;
    for (path, code) in code_of_rooms() {
        for (at, _) in code.match_indices("#[error(") {
            let rest = &code[at..];
            let message = &rest[..rest.find(")]").unwrap()];
            // The variant that the message is of, up to the next.
            let variant = &rest[message.len()..];
            let ends = ["#[error(", "\n}\n"].iter().filter_map(|end| variant.find(end));
            let variant = &variant[..ends.min().unwrap_or(variant.len())];
            let has_cause = ["#[source]", "#[from]", "source: "].iter().any(|mark| variant.contains(mark));
            causes += usize::from(has_cause);
            let repeats = ["{source", "{0", "source)", " .0"].iter().any(|mark| message.contains(mark));
            assert!(!has_cause || !repeats, "{}: {message}", path.display());
        }
    }
    assert!(causes > 15, "only {causes} errors with a cause were found");
}
