//! What has to be done: the folder as it is against the ledger as it was.

use std::collections::BTreeMap;

use storage::{FileState, LedgerEntry, Source, Store};

use crate::error::IndexError;
use crate::walk::{FoundFile, ProblemKind, WalkOptions, WalkProblem, walk};

/// How to tell that a file has not changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Comparison {
    /// Size, modification time and inode agree: the file is not opened.
    #[default]
    Metadata,
    /// The content's hash agrees: every file is read.
    Content,
}

/// The work of a run.
pub(crate) struct Plan {
    /// Files to read, with what the ledger knows of them.
    pub(crate) read: Vec<(FoundFile, Option<LedgerEntry>)>,
    /// Files that need no work.
    pub(crate) unchanged: u64,
    /// Paths in the ledger whose files are gone.
    pub(crate) gone: Vec<String>,
    /// What could not be listed.
    pub(crate) problems: Vec<WalkProblem>,
}

/// Lists the source's folder and compares it with the ledger.
pub(crate) fn plan(
    store: &Store,
    source: &Source,
    options: &WalkOptions,
    comparison: Comparison,
) -> Result<Plan, IndexError> {
    let mut known: BTreeMap<String, LedgerEntry> = BTreeMap::new();
    for entry in store.ledger(&source.name) {
        let entry = entry?;
        known.insert(entry.path.clone(), entry);
    }
    let mut plan = Plan { read: Vec::new(), unchanged: 0, gone: Vec::new(), problems: Vec::new() };
    for found in walk(&source.root, options).map_err(IndexError::Root)? {
        match found {
            Ok(file) => plan.add(known.remove(&file.relative), file, comparison),
            Err(problem) => plan.problems.push(problem),
        }
    }
    // What lies below a folder that could not be listed is not known to be gone.
    let unreadable = plan.problems.iter().filter(|problem| problem.kind == ProblemKind::Unreadable);
    let unlisted: Vec<&WalkProblem> = unreadable.collect();
    let is_unlisted = |path: &String| unlisted.iter().any(|problem| source.root.join(path).starts_with(&problem.path));
    plan.gone = known.into_keys().filter(|path| !is_unlisted(path)).collect();
    Ok(plan)
}

impl Plan {
    fn add(&mut self, known: Option<LedgerEntry>, file: FoundFile, comparison: Comparison) {
        let unchanged = comparison == Comparison::Metadata
            && known.as_ref().is_some_and(|entry| is_unchanged(entry, &file) && !is_worth_another_try(entry));
        if unchanged {
            self.unchanged += 1;
        } else {
            self.read.push((file, known));
        }
    }
}

fn is_unchanged(entry: &LedgerEntry, file: &FoundFile) -> bool {
    entry.bytes == file.bytes && entry.modified_ns == file.modified && entry.inode == file.inode
}

fn is_worth_another_try(entry: &LedgerEntry) -> bool {
    matches!(entry.state, FileState::Failed { .. } | FileState::Unreadable { .. })
}
