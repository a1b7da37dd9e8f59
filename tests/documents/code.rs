//! What the code holds that documents can name: files, and the items that each crate declares.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::markdown::root;

/// Crates by name, with the folder of their sources.
const CRATES: [(&str, &str); 10] = [
    ("connect", "indexer/connect/src"),
    ("extract", "indexer/extract/src"),
    ("formats", "indexer/formats/src"),
    ("indexer", "indexer/src"),
    ("lab", "lab/src"),
    ("quarry", "src"),
    ("qwen3", "qwen3/src"),
    ("searcher", "searcher/src"),
    ("storage", "storage/src"),
    ("web", "web/src"),
];

/// Words before the name of an item.
const KEYWORDS: [&str; 9] = ["const", "enum", "fn", "macro_rules!", "mod", "static", "struct", "trait", "type"];

/// The sources of every crate.
pub(super) struct Code(BTreeMap<&'static str, Vec<Source>>);

struct Source {
    text: String,
    declared: BTreeSet<String>,
}

impl Code {
    pub(super) fn read() -> Self {
        let read = |(name, folder): (&'static str, &str)| {
            let mut sources = Vec::new();
            collect(&root().join(folder), &mut sources);
            (name, sources)
        };
        Self(CRATES.into_iter().map(read).collect())
    }

    /// Whether a text stands in the sources of a crate.
    pub(super) fn has_text(&self, name: &str, text: &str) -> bool {
        self.0[name].iter().any(|source| source.text.contains(text))
    }

    /// Whether this looks like a path to an item: `storage::Store::commit`.
    pub(super) fn is_item(path: &str) -> bool {
        let mut parts = path.split("::");
        let is_crate = parts.next().is_some_and(|first| CRATES.iter().any(|(name, _)| *name == first));
        is_crate && path.contains("::") && parts.all(|part| part.chars().all(|c| c.is_alphanumeric() || c == '_'))
    }

    /// Whether a path to an item leads to one: each part is declared, the last in a file that speaks of the one before.
    pub(super) fn has_item(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split("::").collect();
        let sources = &self.0[parts[0]];
        let declares = |name: &str| sources.iter().any(|source| source.declared.contains(name));
        if !parts[1..].iter().all(|name| declares(name)) {
            return false;
        }
        let [.., owner, last] = parts[1..] else { return true };
        let is_type = owner.starts_with(char::is_uppercase);
        !is_type || sources.iter().any(|source| source.declared.contains(last) && source.text.contains(owner))
    }
}

fn collect(folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let declared = declared(&text);
            sources.push(Source { text, declared });
        }
    }
}

fn declared(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.windows(2).filter(|pair| KEYWORDS.contains(&pair[0])) {
            let name = pair[1].split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            names.insert(name.to_string());
        }
    }
    names
}
