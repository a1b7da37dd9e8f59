//! Taking a rebuild back: what it has replaced is put in force again.
//!
//! What was hidden since stays hidden: who may see what is as it is now, and what was removed is not brought back. What is new
//! or was changed since is read by the next pass over the sources.

use std::path::Path;

use crate::batch::Batch;
use crate::crash::{self, Step};
use crate::database::Database;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::lock::Lock;
use crate::rebuild::{ASIDE, accesses_of};
use crate::record::IndexModel;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::view::View;
use crate::{edition, files, layout, recover, settings};

/// What the last rebuild has replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The model that it was made with.
    pub model: IndexModel,
    /// What it takes on disk.
    pub bytes: u64,
}

/// What a rollback has put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    /// The model of the index that is in force now.
    pub model: IndexModel,
    /// Documents that it has.
    pub documents: u64,
    /// Documents that it had and that have been removed since, so that it has them no more.
    pub removed: usize,
}

/// What the last rebuild has replaced, if it is kept.
pub fn replaced(data: &Path) -> Option<Replaced> {
    let folder = edition::replaced(data);
    let settings = settings::read(&folder).ok().flatten()?;
    Some(Replaced { model: settings.model, bytes: files::size_of(&folder) })
}

/// Puts what the last rebuild has replaced in force again, and keeps what is in force in its place, so that this can be
/// taken back likewise. Killed at any moment, one of the two is in force.
///
/// # Errors
/// [`Error::NothingReplaced`]; [`Error::Locked`] if another process writes; what is kept, or what is in force, cannot be read: then
/// nothing has changed.
pub fn roll_back(data: &Path) -> Result<RolledBack> {
    let lock = Lock::acquire(data)?;
    edition::remove_superseded(data)?;
    let folder = edition::replaced(data);
    let Some(settings) = settings::read(&folder)? else {
        return Err(Error::NothingReplaced { path: data.to_path_buf() });
    };
    let model = settings.model;
    // Without it nobody can tell what was removed since.
    let now = Snapshot::open(data)?.whole()?;
    let sources: Vec<_> = now.sources().into_iter().cloned().collect();
    let accesses = accesses_of(&edition::in_force(data)?, &folder.join(ASIDE), &sources)?;
    let mut store = Store::with(&folder, lock, recover::open(&folder, &model)?)?;
    store.take_accesses_over(&accesses)?;
    let removed = remove_what_is_gone(&mut store, &now)?;
    let documents = store.snapshot().whole()?.totals().documents;
    let _lock = store.close_locked()?;
    // sled's threads must be done with the folder before it gets another name.
    Database::wait_until_free(&layout::documents(&folder))?;
    crash::point(Step::RollbackFinished);
    edition::change_over(data, &folder)?;
    crash::point(Step::RollbackInForce);
    edition::keep_superseded(data)?;
    Ok(RolledBack { model, documents, removed })
}

/// Gives up what the last rebuild has replaced; the bytes that it took.
///
/// # Errors
/// It cannot be removed.
pub fn forget_replaced(data: &Path) -> Result<u64> {
    let folder = edition::replaced(data);
    let bytes = files::size_of(&folder);
    files::remove(&folder)?;
    Ok(bytes)
}

/// Takes out what is not there any more; the next pass reads the files again that it belonged to, if there are any.
fn remove_what_is_gone(store: &mut Store, now: &View) -> Result<usize> {
    let known: Vec<String> = now.sources().into_iter().map(|source| source.name.clone()).collect();
    let gone = store.sources().iter().map(|source| source.name.clone()).filter(|name| !known.contains(name));
    let mut removed = 0;
    for source in gone.collect::<Vec<_>>() {
        removed += store.remove_source(&source)?;
    }
    let mut batch = Batch::default();
    for document in store.snapshot().whole()?.documents(&Filter::default(), None, usize::MAX)?.documents {
        if !now.places(document.id())?.is_empty() {
            continue;
        }
        let (source, path) = (document.source.as_str(), document.path.as_str());
        batch.remove(source, path);
        // The file itself, or the archive or mail that it lies in.
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for file in ends.map(|end| &path[..end]) {
            if store.ledger_entry(source, file)?.is_some() {
                batch.forget(source, file);
            }
        }
        removed += 1;
    }
    if !batch.is_empty() {
        store.commit(batch)?;
    }
    Ok(removed)
}
