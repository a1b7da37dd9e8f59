//! A git checkout: a folder of files, and the commit that they come from.

use std::collections::{BTreeSet, HashMap};
use std::os::unix::ffi::OsStrExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gix::error::Result;
use gix::objs::{Kind, compute_hash};
use gix::open::Options;
use gix::{ObjectId, Repository};

use super::commits;
use super::objects::Objects;
use crate::stop::Stop;

/// A folder with a repository.
pub(super) struct Checkout {
    top: PathBuf,
    /// Files that dates are asked for, by their paths below the folder.
    wanted: BTreeSet<Vec<u8>>,
    /// What the last commit has of them.
    head: OnceLock<HashMap<Vec<u8>, ObjectId>>,
    dates: OnceLock<HashMap<Vec<u8>, i64>>,
}

impl Checkout {
    pub(super) fn at(top: &Path) -> Self {
        Self { top: top.to_path_buf(), wanted: BTreeSet::new(), head: OnceLock::new(), dates: OnceLock::new() }
    }

    /// A file that a date will be asked for.
    pub(super) fn want(&mut self, file: &Path) {
        self.wanted.extend(self.within(file));
    }

    fn within(&self, file: &Path) -> Option<Vec<u8>> {
        Some(file.strip_prefix(&self.top).ok()?.as_os_str().as_bytes().to_vec())
    }

    /// The second in which a file of these bytes was committed, if that is what the last commit has.
    pub(super) fn committed(&self, file: &Path, bytes: &[u8], stop: &Stop) -> Option<i64> {
        let path = self.within(file)?;
        let head = self.head.get_or_init(|| self.ask("its last commit", || self.head()).unwrap_or_default());
        let committed = head.get(&path)?;
        if compute_hash(committed.kind(), Kind::Blob, bytes).ok()? != *committed {
            return None;
        }
        // One walk for all: whoever asks meanwhile waits for it.
        let dates = self.dates.get_or_init(|| self.ask("its commits", || self.walk(stop)).unwrap_or_default());
        dates.get(&path).copied()
    }

    /// Asks the repository. Whatever is wrong with it is told and costs dates, nothing else: neither errors nor panics of its
    /// reader stop an indexing run.
    fn ask<T>(&self, what: &str, ask: impl FnOnce() -> Result<T>) -> Option<T> {
        let top = self.top.display();
        match catch_unwind(AssertUnwindSafe(ask)) {
            Ok(Ok(found)) => Some(found),
            Ok(Err(error)) => {
                tracing::info!("the repository in {top} gives no dates: {what} cannot be read: {error:#}");
                None
            }
            Err(_) => {
                tracing::warn!(
                    "the repository in {top} gives no dates: reading {what} panicked; `git fsck` may say why"
                );
                None
            }
        }
    }

    fn open(&self) -> Result<Repository> {
        // Isolated: what the environment and the configuration of users say is not asked.
        Ok(Options::isolated().open(&self.top)?.to_thread_local())
    }

    fn head(&self) -> Result<HashMap<Vec<u8>, ObjectId>> {
        let repository = self.open()?;
        let tree = repository.head_tree_id()?.detach();
        let objects = Objects(&repository.objects);
        let mut found = HashMap::new();
        let wanted: Vec<&[u8]> = self.wanted.iter().map(Vec::as_slice).collect();
        collect(&objects, tree, &[], &wanted, &mut found)?;
        Ok(found)
    }

    fn walk(&self, stop: &Stop) -> Result<HashMap<Vec<u8>, i64>> {
        let repository = self.open()?;
        let head = repository.head_id()?.detach();
        let wanted = self.head.get().map(|head| head.keys().cloned().collect()).unwrap_or_default();
        let (dates, outcome) = commits::dates(Objects(&repository.objects), head, wanted, stop);
        match outcome {
            Err(error) if dates.is_empty() => Err(error),
            Err(error) => {
                let top = self.top.display();
                tracing::info!("the repository in {top} gives only some dates: {error:#}");
                Ok(dates)
            }
            Ok(()) => Ok(dates),
        }
    }
}

/// What a tree has of the wanted files, whose paths are sorted and all lie below `folder`.
fn collect(
    objects: &Objects<'_>,
    tree: ObjectId,
    folder: &[u8],
    wanted: &[&[u8]],
    found: &mut HashMap<Vec<u8>, ObjectId>,
) -> Result<()> {
    for entry in objects.tree(&tree)? {
        let path = [folder, &entry.name].concat();
        if entry.is_tree {
            let below = [&path, b"/".as_slice()].concat();
            let from = wanted.partition_point(|path| *path < below.as_slice());
            let many = wanted[from..].partition_point(|path| path.starts_with(&below));
            if many > 0 {
                collect(objects, entry.id, &below, &wanted[from..from + many], found)?;
            }
        } else if wanted.binary_search(&path.as_slice()).is_ok() {
            found.insert(path, entry.id);
        }
    }
    Ok(())
}
