//! The truth of the documents: their links, commands, flags, keys, files, and the words of the glossary.

mod code;
mod help;
mod markdown;

use std::collections::BTreeSet;
use std::fs;

use code::Code;
use help::Help;
use markdown::{Document, cells, root, spans};

/// Flags of other programs that the documents name.
const FLAGS_OF_OTHERS: [&str; 4] = ["--avoid", "--features", "--list", "--no-default-features"];

/// Files that begin like a key of the configuration.
const FILE_TYPES: [&str; 3] = ["json", "sock", "toml"];

fn ensure_none(faults: &[String]) {
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_readme_is_short_and_names_both_commands() {
    let readme = Document::read("README.md");
    assert!(readme.text().lines().count() <= 150, "README.md is for newcomers: at most 150 lines");
    for command in ["cargo run --release -- serve fixtures/handbook", "cargo test --workspace"] {
        assert!(readme.text().contains(command), "README.md lacks `{command}`");
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut faults = Vec::new();
    for document in Document::all() {
        for link in document.links() {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => document.path.clone(),
                path => document.path.parent().unwrap().join(path),
            };
            let exists = root().join(&target).exists();
            if !exists || !anchor.is_empty() && !has_heading(&target.to_string_lossy(), anchor) {
                faults.push(format!("{}: {link}", document.name()));
            }
        }
    }
    ensure_none(&faults);
}

fn has_heading(path: &str, anchor: &str) -> bool {
    Document::read(path).anchors().iter().any(|heading| heading == anchor)
}

#[test]
fn every_command_and_flag_exists() {
    let help = Help::read();
    let mut faults = Vec::new();
    for document in Document::all() {
        for line in command_lines(&document, &help) {
            faults.extend(help.fault(&line).map(|fault| format!("{}: `{line}`: {fault}", document.name())));
        }
        for span in document.spans() {
            let flag = span.split([' ', '=']).next().unwrap_or_default();
            if flag.starts_with("--") && !help.has_flag(flag) && !FLAGS_OF_OTHERS.contains(&flag) {
                faults.push(format!("{}: no command has {flag}", document.name()));
            }
        }
    }
    ensure_none(&faults);
}

/// Calls of quarry in fences and in inline code, without the program's name.
fn command_lines(document: &Document, help: &Help) -> Vec<String> {
    let mut lines = Vec::new();
    for fence in document.fences() {
        for line in fence.lines.join("\n").replace("\\\n", " ").lines() {
            let line = line.trim_start_matches("$ ");
            let line = line.strip_prefix("cargo run --release -- ").or_else(|| line.strip_prefix("quarry "));
            lines.extend(line.map(str::to_string));
        }
    }
    for span in document.spans() {
        let mut words = span.split_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let is_call = help.has_command(first) && (second.starts_with("--") || help.fault(span).is_none());
        let called = span.strip_prefix("quarry ").or_else(|| (is_call && !second.is_empty()).then_some(span));
        // `COMMAND` stands for any.
        lines.extend(called.filter(|line| !line.starts_with("COMMAND")).map(str::to_string));
    }
    lines
}

#[test]
fn every_key_and_variable_exists() {
    let (sections, keys) = configuration();
    let code = Code::read();
    let scripts = [".ci/run", ".ci/browser", "tests/models.rs", "tests/browser.rs", "qwen3/tests/models/main.rs"];
    let scripts: Vec<String> = scripts.iter().map(|path| Document::read(path).text().to_string()).collect();
    let rest: Vec<String> = ["tests/browser/looks.rs", "qwen3/tests/models/golden.rs"]
        .iter()
        .map(|path| Document::read(path).text().to_string())
        .collect();
    let mut faults = Vec::new();
    for document in Document::all() {
        for span in document.spans() {
            if let Some((section, key)) = span.split_once('.')
                && sections.contains(section)
                && !FILE_TYPES.contains(&key)
                && !keys.contains(span)
            {
                faults.push(format!("{}: no key {span}", document.name()));
            }
            let section = span.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            if section.is_some_and(|name| name.chars().all(|c| c.is_ascii_lowercase()) && !sections.contains(name)) {
                faults.push(format!("{}: no section {span}", document.name()));
            }
            let variable = span.split(['=', ' ']).next().unwrap_or_default();
            let is_used = || {
                let in_code = ["quarry", "web", "qwen3", "storage"].iter().any(|name| code.has_text(name, variable));
                in_code || scripts.iter().chain(&rest).any(|text| text.contains(variable))
            };
            if variable.starts_with("QUARRY_") && !is_used() {
                faults.push(format!("{}: nothing reads {variable}", document.name()));
            }
        }
        for fence in document.fences().iter().filter(|fence| fence.language == "toml") {
            let mut section = String::new();
            for line in &fence.lines {
                if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                    section = format!("{name}.");
                } else if let Some((key, _)) = line.split_once(" = ")
                    && !keys.contains(&format!("{section}{key}"))
                {
                    faults.push(format!("{}: no key {section}{key}", document.name()));
                }
            }
        }
    }
    ensure_none(&faults);
}

/// Sections and `section.key`s of the documented configuration, which another test compares with the code.
fn configuration() -> (BTreeSet<String>, BTreeSet<String>) {
    let text = fs::read_to_string(root().join("web/deploy/quarry.toml")).unwrap();
    let (mut sections, mut keys, mut section) = (BTreeSet::new(), BTreeSet::new(), String::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.insert(name.to_string());
            section = format!("{name}.");
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
            keys.insert(format!("{section}{key}"));
        }
    }
    (sections, keys)
}

#[test]
fn every_file_and_item_exists() {
    let code = Code::read();
    let folders = ["src", "docs", "fixtures", "indexer", "lab", "qwen3", "searcher", "storage", "tests", "web", ".ci"];
    let mut faults = Vec::new();
    for document in Document::all() {
        for span in document.spans() {
            let path = span.split(' ').next().unwrap_or_default();
            let is_ours = path.split_once('/').is_some_and(|(folder, _)| folders.contains(&folder));
            let is_file = is_ours && !path.contains(['*', '{', '<', '#']);
            if is_file && !root().join(path).exists() && !document.path.parent().unwrap().join(path).exists() {
                faults.push(format!("{}: no file {path}", document.name()));
            }
            let item = span.trim_end_matches("()");
            if Code::is_item(item) && !code.has_item(item) {
                faults.push(format!("{}: no item {item}", document.name()));
            }
        }
    }
    ensure_none(&faults);
}

#[test]
fn every_word_of_the_glossary_is_where_it_says() {
    let architecture = Document::read("docs/ARCHITECTURE.md");
    let rows: Vec<_> =
        architecture.section("Glossary").into_iter().filter(|line| line.starts_with('|')).map(cells).collect();
    assert_eq!(rows[0], ["term", "meaning", "where"]);
    let code = Code::read();
    let mut terms = Vec::new();
    for row in &rows[2..] {
        let [term, meaning, places] = row[..] else { panic!("three cells, got {row:?}") };
        assert!(!meaning.is_empty(), "{term} means nothing");
        let places = spans(places);
        assert!(!places.is_empty(), "{term} is nowhere");
        for place in places {
            let exists = if Code::is_item(place) { code.has_item(place) } else { root().join(place).exists() };
            assert!(exists, "{term}: there is no {place}");
        }
        terms.push(term.to_lowercase());
    }
    assert!(terms.is_sorted_by(|a, b| a < b), "in the order of the alphabet, each once: {terms:?}");
}

#[test]
fn every_error_code_is_listed() {
    let source = Document::read("web/src/error.rs");
    let code = |line: &'_ str| {
        let (_, rest) = line.split_once("line(S::").or_else(|| line.split_once("code: \""))?;
        Some(rest.split('"').nth(usize::from(rest.contains(", \"")))?.to_string())
    };
    let raised: BTreeSet<String> = source.text().lines().filter_map(code).collect();
    let api = Document::read("docs/API.md");
    let rows = api.section("Errors").into_iter().filter(|line| line.starts_with('|')).skip(2);
    let listed: BTreeSet<String> = rows.flat_map(|row| spans(cells(row)[1])).map(str::to_string).collect();
    assert_eq!(raised, listed, "docs/API.md, Errors");
}

#[test]
fn every_metric_exists() {
    let code = Code::read();
    let mut faults = Vec::new();
    for document in Document::all() {
        for span in document.spans() {
            let name = span.split('{').next().unwrap_or_default();
            if let Some(name) = name.strip_prefix("quarry_")
                && !code.has_text("web", &format!("\"{name}\""))
            {
                faults.push(format!("{}: no metric {span}", document.name()));
            }
        }
    }
    ensure_none(&faults);
}

#[test]
fn one_version_of_rust_is_named_everywhere() {
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    let version = toolchain.split_once("channel = \"").and_then(|(_, rest)| rest.split_once('"')).unwrap().0;
    for path in ["web/deploy/Dockerfile", ".github/workflows/ci.yml"] {
        let text = fs::read_to_string(root().join(path)).unwrap();
        assert!(text.contains(&format!("rust:{version}-bookworm")), "{path} builds with another Rust than {version}");
    }
}
