//! Folders that cannot be listed. Whatever lies in them is missing from the index without a trace of its own, so the
//! ledger has a line for the folder itself, under its path with a `/` at the end. What was indexed from below it stays.

use std::collections::BTreeMap;

use storage::{Batch, FileState, LedgerEntry};

use crate::beneath::Root;
use crate::walk::{WalkProblem, relative};

/// What the ledger calls the type of such a line.
const KIND: &str = "folder";

/// The folders of a source that hide what is in them.
#[derive(Debug, Default)]
pub(crate) struct Unlisted {
    /// Lines of earlier runs.
    before: BTreeMap<String, LedgerEntry>,
    /// Lines of this run.
    now: BTreeMap<String, LedgerEntry>,
}

impl Unlisted {
    /// Takes a line of the ledger that is about a folder; tells whether it was one.
    pub(crate) fn is_known(&mut self, entry: &LedgerEntry) -> bool {
        let is_folder = entry.path.ends_with('/');
        if is_folder {
            self.before.insert(entry.path.clone(), entry.clone());
        }
        is_folder
    }

    /// Notes what a walk ran into: a folder that could not be listed, or one that let nobody look at what it lists.
    pub(crate) fn note(&mut self, source: &str, root: &Root, problem: &WalkProblem, version: &str) {
        let Some(folder) = &problem.folder else { return };
        let below = folder.strip_prefix(root.path()).unwrap_or(folder);
        let path = format!("{}/", relative(below));
        let line = LedgerEntry {
            state: FileState::Unreadable { reason: problem.reason.clone() },
            kind: KIND.to_string(),
            ..LedgerEntry::blank(source, &path, version)
        };
        self.now.entry(path).or_insert(line);
    }

    /// How many there are now.
    pub(crate) fn len(&self) -> u64 {
        self.now.len() as u64
    }

    /// The changes of the ledger since the last run; empty in most.
    pub(crate) fn changes(&self) -> Batch {
        let mut batch = Batch::default();
        for (path, line) in &self.before {
            if !self.now.contains_key(path) {
                batch.forget(&line.source, path);
            }
        }
        for (path, line) in &self.now {
            if self.before.get(path) != Some(line) {
                batch.record(line.clone());
            }
        }
        batch
    }
}
