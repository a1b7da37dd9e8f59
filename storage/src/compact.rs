//! Compaction: space of what was removed is given back, and nothing is read from the sources or embedded.
//!
//! Vectors that no passage has are left out, and the others follow each other without gaps, so that their ordinals are
//! others; sled never makes its log shorter, so that its entries go into a new one; and what is derived is made anew. All of
//! it is a whole edition beside the one in force, which one rename replaces (see `edition`): killed at any moment, the old
//! index is as it was, or the new one is there.

use std::path::Path;

use crate::closed::ClosedStore;
use crate::crash::{self, Step};
use crate::database::Database;
use crate::documents::{Documents, Ordinals, Settings};
use crate::error::{Error, Result};
use crate::lexical::LexicalIndex;
use crate::placement::Placement;
use crate::record::IndexModel;
use crate::vectorfile::{VectorFile, VectorReader};
use crate::{edition, files, layout, recover, settings, upgrade};

/// Vectors, and entries of the document store, that are written at once.
const BATCH: usize = 2_000;

/// What a compaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction {
    /// Bytes on disk by part, before and after.
    pub parts: Vec<(&'static str, u64, u64)>,
    /// Vectors that no passage had any more.
    pub dropped: u64,
}

impl Compaction {
    /// Bytes on disk before.
    pub fn before(&self) -> u64 {
        self.parts.iter().map(|(_, before, _)| before).sum()
    }

    /// Bytes on disk after.
    pub fn after(&self) -> u64 {
        self.parts.iter().map(|(_, _, after)| after).sum()
    }
}

impl ClosedStore {
    /// Makes the index anew without what was removed, and puts it in force: open the store next. Searches go on on the last
    /// snapshot meanwhile; there is room needed for a second copy of what is left. `told` hears how many documents of all are
    /// done.
    ///
    /// # Errors
    /// The index is damaged, or the disk refuses. It is as it was then.
    pub fn compact(&mut self, mut told: impl FnMut(u64, u64)) -> Result<Compaction> {
        let data = self.lock.folder().to_path_buf();
        let new = edition::compacting(&data);
        files::remove(&new)?;
        let before = layout::sizes(&self.folder);
        std::fs::create_dir(&new).map_err(Error::io("create", &new))?;
        let made = make(&self.folder, &new, &self.model, &mut told);
        if made.is_err() {
            // The reason of the failure is what counts; what stays is removed by the next writer.
            let _ = files::remove(&new);
        }
        let dropped = made?;
        crash::point(Step::CompactFinished);
        edition::change_over(&data, &new)?;
        self.folder = edition::in_force(&data)?;
        crash::point(Step::CompactInForce);
        edition::remove_superseded(&data)?;
        let after = layout::sizes(&self.folder);
        let parts = before.into_iter().zip(after).map(|((name, before), (_, after))| (name, before, after)).collect();
        Ok(Compaction { parts, dropped })
    }
}

/// Makes the edition in `new` from the one in `old`; how many vectors were dropped.
fn make(old: &Path, new: &Path, model: &IndexModel, told: &mut impl FnMut(u64, u64)) -> Result<u64> {
    let documents = Documents::open(&layout::documents(old))?;
    let described = documents.settings()?;
    let described = described.ok_or_else(|| Error::damaged("the document store", "it has no settings"))?;
    recover::check_model(Some(&described), model)?;
    let kept = documents.ordinals()?;
    let dropped = documents.totals().vectors.saturating_sub(kept.len());
    copy_vectors(old, new, model, &kept)?;
    copy_documents(&documents, new, &kept)?;
    drop(documents);
    settings::write(new, &described)?;
    crash::point(Step::CompactConverted);
    derive(new, &described, told)?;
    upgrade::copy_attempts(old, new)?;
    // sled's threads must be done with both folders.
    [old, new].iter().try_for_each(|folder| Database::wait_until_free(&layout::documents(folder)))?;
    Ok(dropped)
}

fn copy_vectors(old: &Path, new: &Path, model: &IndexModel, kept: &Ordinals) -> Result<()> {
    let (dimension, fingerprint) = (model.dimension, layout::fingerprint(model));
    let mut file = VectorFile::create(&layout::vector_file(new), dimension, &fingerprint)?;
    if kept.len() == 0 {
        return Ok(());
    }
    let view = VectorReader::open(&layout::vector_file(old), dimension, &fingerprint)?.view();
    for ordinals in kept.old().chunks(BATCH) {
        let mut vectors = Vec::with_capacity(ordinals.len());
        for ordinal in ordinals {
            vectors.push((view.key(*ordinal)?, view.get(*ordinal)?));
        }
        file.append(&vectors)?;
    }
    Ok(file.sync()?)
}

fn copy_documents(documents: &Documents, new: &Path, kept: &Ordinals) -> Result<()> {
    let mut copy = Documents::open(&layout::documents(new))?;
    let (sequence, mut batch) = (documents.totals().sequence, Vec::with_capacity(BATCH));
    documents.renumbered(kept, |key, payload| {
        batch.push((key, payload));
        if batch.len() < BATCH {
            return Ok(());
        }
        copy.import(std::mem::take(&mut batch), sequence, kept.len())
    })?;
    copy.import(batch, sequence, kept.len())
}

/// Makes what is derived, and opens the new index once as a writer does: only what opens comes in force.
fn derive(new: &Path, described: &Settings, told: &mut impl FnMut(u64, u64)) -> Result<()> {
    let documents = Documents::open(&layout::documents(new))?;
    let all = documents.totals().documents;
    let mut lexical = LexicalIndex::open(&layout::lexical(new))?;
    recover::rebuild_lexical(&documents, &mut lexical, 0, |done| {
        told(done, all);
        Ok(())
    })?;
    lexical.close()?;
    drop(documents);
    let opened = recover::open(new, &described.model)?;
    // As the next commit would do: whoever opens the new index finds its segments made.
    let placement = Placement::of(&opened.lexical.reader()?)?;
    layout::take_in_vectors(&opened.index, &placement)?;
    opened.lexical.close()
}
