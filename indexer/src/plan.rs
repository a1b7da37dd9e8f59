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

/// A file to read, with what the ledger knows of it.
pub(crate) struct Work {
    pub(crate) file: FoundFile,
    pub(crate) known: Option<LedgerEntry>,
    /// Paths of the documents that were inside of it: members of an archive, attachments of a mail.
    pub(crate) inside: Vec<String>,
}

/// The work of a run.
pub(crate) struct Plan {
    /// Files to read.
    pub(crate) read: Vec<Work>,
    /// Files that need no work.
    pub(crate) unchanged: u64,
    /// Lines of the ledger whose files are gone.
    pub(crate) gone: Vec<LedgerEntry>,
    /// Lines of the ledger in all.
    pub(crate) known: usize,
    /// What could not be listed.
    pub(crate) problems: Vec<WalkProblem>,
}

/// Lists the source's folder and compares it with the ledger. `version` is that of [`crate::reader::version`].
pub(crate) fn plan(
    store: &Store,
    source: &Source,
    options: &WalkOptions,
    comparison: Comparison,
    version: &str,
) -> Result<Plan, IndexError> {
    let mut known: BTreeMap<String, LedgerEntry> = BTreeMap::new();
    for entry in store.ledger(&source.name) {
        let entry = entry?;
        known.insert(entry.path.clone(), entry);
    }
    let mut plan = Plan { read: Vec::new(), unchanged: 0, gone: Vec::new(), known: known.len(), problems: Vec::new() };
    for found in walk(&source.root, options).map_err(IndexError::Root)? {
        match found {
            Ok(file) => {
                let entry = known.remove(&file.relative);
                let inside = take_inside(&mut known, &file.relative);
                plan.add(Work { file, known: entry, inside }, comparison, version);
            }
            Err(problem) => plan.problems.push(problem),
        }
    }
    // What lies below a folder that could not be listed is not known to be gone.
    let unreadable = plan.problems.iter().filter(|problem| problem.kind == ProblemKind::Unreadable);
    let unlisted: Vec<&WalkProblem> = unreadable.collect();
    let is_unlisted = |path: &str| unlisted.iter().any(|problem| source.root.join(path).starts_with(&problem.path));
    plan.gone = known.into_values().filter(|entry| !is_unlisted(&entry.path)).collect();
    Ok(plan)
}

impl Plan {
    fn add(&mut self, work: Work, comparison: Comparison, version: &str) {
        let known = work.known.as_ref();
        let unchanged = comparison == Comparison::Metadata
            && known.is_some_and(|entry| is_unchanged(entry, &work.file) && !is_worth_another_try(entry, version));
        if unchanged {
            self.unchanged += 1;
        } else {
            self.read.push(work);
        }
    }
}

/// Takes the lines of what lies inside of a file out of those that are left.
fn take_inside(known: &mut BTreeMap<String, LedgerEntry>, path: &str) -> Vec<String> {
    let below = format!("{path}/");
    let inside: Vec<String> = known
        .range(below.clone()..)
        .map(|(path, _)| path.clone())
        .take_while(|path| path.starts_with(&below))
        .collect();
    for path in &inside {
        known.remove(path);
    }
    inside
}

fn is_unchanged(entry: &LedgerEntry, file: &FoundFile) -> bool {
    entry.bytes == file.bytes && entry.modified_ns == file.modified && entry.inode == file.inode
}

/// Files whose bytes could not be had are tried again in every run (permissions change without a trace in the file), and
/// so are those the model failed on; what a reader could not make sense of only with another version of quarry or other settings.
fn is_worth_another_try(entry: &LedgerEntry, version: &str) -> bool {
    match &entry.state {
        FileState::Failed { .. } | FileState::Unreadable { .. } => entry.content.is_none() || entry.reader != version,
        FileState::Skipped { .. } | FileState::Partly { .. } => entry.reader != version,
        FileState::Indexed { .. } => false,
    }
}
