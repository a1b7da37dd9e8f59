//! The plan of a run: the folder as it is against the ledger as it was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use storage::{FileState, LedgerEntry, Source, Store};

use crate::beneath::Root;
use crate::error::IndexError;
use crate::suspects::attempt;
use crate::unlisted::Unlisted;
use crate::walk::{FoundFile, ProblemKind, WalkOptions, WalkProblem, relative, walk};

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
    /// The source's root, held open since before it was listed.
    pub(crate) root: Arc<Root>,
    /// Files to read.
    pub(crate) read: Vec<Work>,
    /// Files that need no work.
    pub(crate) unchanged: u64,
    /// Lines of the ledger whose files are gone.
    pub(crate) gone: Vec<LedgerEntry>,
    /// Lines of the ledger in all.
    pub(crate) known: usize,
    /// What was left out or could not be listed.
    pub(crate) problems: Vec<WalkProblem>,
    /// The folders among it that hide files, and those of earlier runs that do no longer.
    pub(crate) unlisted: Unlisted,
}

/// Lists the source's folder and compares it with the ledger; `None` if it was cancelled before its end. `version` is that
/// of [`crate::reader::version`].
pub(crate) fn plan(
    store: &Store,
    source: &Source,
    options: &WalkOptions,
    comparison: Comparison,
    version: &str,
    cancel: &AtomicBool,
) -> Result<Option<Plan>, IndexError> {
    let mut known: BTreeMap<String, LedgerEntry> = BTreeMap::new();
    let mut unlisted = Unlisted::default();
    for entry in store.ledger(&source.name) {
        let entry = entry?;
        if unlisted.is_known(&entry) {
            continue;
        }
        known.insert(entry.path.clone(), entry);
    }
    let files = walk(&source.root, options).map_err(IndexError::Root)?;
    let (root, all, attempts) = (files.root(), known.len(), store.attempts());
    let (mut read, mut unchanged, mut problems) = (Vec::new(), 0, Vec::new());
    for found in files {
        if cancel.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match found {
            Ok(file) => {
                let entry = known.remove(&file.relative);
                let inside = take_inside(&mut known, &file.relative);
                let work = Work { file, known: entry, inside };
                if work.is_needed(comparison, version) {
                    read.push(work);
                    continue;
                }
                unchanged += 1;
                if attempts.has_suspects() {
                    attempts.acquit(&attempt(&source.name, &work, version));
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    // What lies below a folder that could not be listed is not known to be gone.
    for problem in problems.iter().filter(|problem| problem.kind == ProblemKind::Unreadable) {
        unlisted.note(&source.name, &root, problem, version);
        keep_below(&mut known, &relative(problem.path.strip_prefix(root.path()).unwrap_or(&problem.path)));
    }
    let gone = known.into_values().collect();
    Ok(Some(Plan { root, read, unchanged, gone, known: all, problems, unlisted }))
}

impl Work {
    fn is_needed(&self, comparison: Comparison, version: &str) -> bool {
        let unchanged = |entry: &LedgerEntry| is_unchanged(entry, &self.file) && !is_worth_another_try(entry, version);
        comparison == Comparison::Content || !self.known.as_ref().is_some_and(unchanged)
    }
}

/// Takes what may still lie at a path, or below it, out of what is gone.
fn keep_below(known: &mut BTreeMap<String, LedgerEntry>, path: &str) {
    if path.is_empty() {
        return known.clear();
    }
    known.remove(path);
    take_inside(known, path);
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
        // What was no file, or no file any more, when it was opened: its bytes are unknown too.
        FileState::Skipped { .. } => entry.content.is_none() || entry.reader != version,
        FileState::Partly { .. } => entry.reader != version,
        FileState::Indexed { .. } => false,
    }
}
