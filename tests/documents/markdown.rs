//! Markdown as far as the documents use it: prose and fenced code, inline code, links, headings and tables.

use std::fs;
use std::path::{Path, PathBuf};

/// A document, with its path below the repository.
pub(super) struct Document {
    pub(super) path: PathBuf,
    text: String,
}

/// Code between fences.
pub(super) struct Fence<'a> {
    pub(super) language: &'a str,
    pub(super) lines: Vec<&'a str>,
}

impl Document {
    pub(super) fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.into(), text }
    }

    /// Every document of the repository but those that are there to be indexed.
    pub(super) fn all() -> Vec<Self> {
        let mut paths = Vec::new();
        find(&root(), &mut paths);
        assert!(paths.len() > 10, "{paths:?}");
        paths.iter().map(|path| Self::read(&path.to_string_lossy())).collect()
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The lines outside of fences, and the fences.
    fn split(&self) -> (Vec<&str>, Vec<Fence<'_>>) {
        let (mut prose, mut fences) = (Vec::new(), Vec::new());
        let mut open: Option<Fence<'_>> = None;
        for line in self.text.lines() {
            match (line.strip_prefix("```"), open.take()) {
                (Some(_), Some(fence)) => fences.push(fence),
                (Some(language), None) => open = Some(Fence { language, lines: Vec::new() }),
                (None, Some(mut fence)) => {
                    fence.lines.push(line);
                    open = Some(fence);
                }
                (None, None) => prose.push(line),
            }
        }
        assert!(open.is_none(), "{}: a fence is left open", self.name());
        (prose, fences)
    }

    pub(super) fn prose(&self) -> Vec<&str> {
        self.split().0
    }

    pub(super) fn fences(&self) -> Vec<Fence<'_>> {
        self.split().1
    }

    /// Inline code.
    pub(super) fn spans(&self) -> Vec<&str> {
        self.prose().into_iter().flat_map(spans).collect()
    }

    /// Targets of links and pictures.
    pub(super) fn links(&self) -> Vec<&str> {
        let targets = self.prose().into_iter().flat_map(|line| line.split("](").skip(1));
        targets.filter_map(|rest| Some(rest.split_once(')')?.0)).collect()
    }

    /// What a link to a heading says behind `#`, as GitHub makes it.
    pub(super) fn anchors(&self) -> Vec<String> {
        let headings = self.prose().into_iter().filter(|line| line.starts_with('#'));
        headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
    }

    /// The lines below a heading of the second level, to the next one.
    pub(super) fn section(&self, heading: &str) -> Vec<&str> {
        let begin = format!("## {heading}");
        let lines = self.prose().into_iter().skip_while(|line| **line != begin).skip(1);
        let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
        assert!(!lines.is_empty(), "{} has no section {heading:?}", self.name());
        lines
    }
}

/// The cells of a row of a table.
pub(super) fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

/// Inline code of one line.
pub(super) fn spans(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).filter(|span| !span.is_empty()).collect()
}

pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir()
            && !["target", "handbook", "corpus", "files", "shared"].contains(&name.as_str())
            && !name.starts_with('.')
        {
            find(&path, found);
        } else if name.ends_with(".md") {
            found.push(path.strip_prefix(root()).unwrap().to_path_buf());
        }
    }
}
