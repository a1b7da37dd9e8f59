//! What a commit writes: the ordinals that its contents have or get, the vectors behind the last one, and the changes of the
//! truth, with the documents that the lexical index takes over from it.

use std::collections::HashMap;

use super::Store;
use crate::batch::{Batch, DocumentDraft};
use crate::crash::{self, Step};
use crate::documents::Changes;
use crate::duplicates;
use crate::error::{Error, Result};
use crate::record::{Chunk, ContentKey, Document, DocumentId};
use crate::vectors::check_vector;

/// The ordinals of contents.
pub(super) type Resolved = HashMap<ContentKey, u64>;

/// A document that a commit puts, with its chunks, or removes.
pub(super) type Touched = (DocumentId, Option<(Document, Vec<Chunk>)>);

impl Store {
    /// The ordinal of every content in the batch: stored ones, and the ones that new vectors are going to get.
    pub(super) fn resolve(&self, batch: &Batch) -> Result<Resolved> {
        let mut ordinals = HashMap::new();
        let mut next = self.vectors.len();
        for (&key, vector) in &batch.vectors {
            check_vector(vector, self.settings.model.dimension)?;
            let known = self.documents.ordinal(key)?;
            ordinals.insert(key, known.unwrap_or(next));
            next += u64::from(known.is_none());
        }
        for draft in batch.documents.values().flatten() {
            for (number, chunk) in draft.chunks.iter().enumerate() {
                let key = chunk.key;
                if ordinals.contains_key(&key) {
                    continue;
                }
                if let Some(ordinal) = self.documents.ordinal(key)? {
                    ordinals.insert(key, ordinal);
                } else if let Some(vector) = &chunk.vector {
                    check_vector(vector, self.settings.model.dimension)?;
                    ordinals.insert(key, next);
                    next += 1;
                } else if !batch.may_await && !batch.brings_vector(key) && !self.documents.is_refused(key)? {
                    return Err(Error::NoVector { path: draft.document.path.clone(), chunk: number });
                }
            }
        }
        Ok(ordinals)
    }

    pub(super) fn append_vectors(&mut self, batch: &Batch, resolved: &Resolved) -> Result<()> {
        let stored = self.vectors.len();
        let mut fresh: Vec<Option<(ContentKey, &[f32])>> = Vec::new();
        let chunks = batch.documents.values().flatten().flat_map(|draft| &draft.chunks);
        let of_chunks = chunks.filter_map(|chunk| Some((chunk.key, chunk.vector.as_ref()?)));
        for (key, vector) in batch.vectors.iter().map(|(key, vector)| (*key, vector)).chain(of_chunks) {
            let Some(&ordinal) = resolved.get(&key) else { continue };
            if ordinal >= stored {
                let at = (ordinal - stored) as usize;
                fresh.resize(fresh.len().max(at + 1), None);
                fresh[at].get_or_insert((key, vector));
            }
        }
        let fresh: Vec<_> = fresh.into_iter().flatten().map(|(key, vector)| (key.0, vector)).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        self.vectors.append(&fresh)?;
        crash::point(Step::VectorsAppended);
        self.vectors.sync()?;
        crash::point(Step::VectorsSynced);
        Ok(())
    }

    /// What a batch writes to the truth, and the documents that the lexical index replaces or removes for it.
    pub(super) fn changes(&self, batch: Batch, resolved: &Resolved) -> Result<(Changes, Vec<Touched>)> {
        let mut changes = Changes::default();
        let mut touched = Vec::with_capacity(batch.documents.len() + batch.completed.len());
        let refused = batch.refused;
        refused.iter().for_each(|content| changes.put_refused(*content));
        for id in batch.completed.iter().filter(|id| !batch.documents.contains_key(id)) {
            let completed = self.completed(&mut changes, *id, resolved, &refused)?;
            touched.extend(completed.map(|completed| (*id, Some(completed))));
        }
        for (id, draft) in batch.documents {
            let old = self.documents.chunks(id)?;
            match draft {
                Some(draft) => {
                    let (document, chunks) = put_document(&mut changes, id, draft, &old, resolved);
                    self.note_waiting(&mut changes, &document, &chunks, &refused)?;
                    touched.push((id, Some((document, chunks))));
                }
                None if self.documents.document(id)?.is_some() => {
                    (0u32..).zip(&old).for_each(|(number, _)| changes.remove_chunk(id, number));
                    changes.remove_document(id);
                    self.end_waiting(&mut changes, id)?;
                    touched.push((id, None));
                }
                None => {}
            }
        }
        let stored = self.vectors.len();
        for (&key, &ordinal) in resolved {
            if self.documents.ordinal(key)?.is_none() && ordinal < stored {
                changes.put_vector(key, ordinal);
            }
        }
        for (source, finished) in batch.runs {
            changes.put_run(&source, finished);
        }
        for ((source, path), entry) in batch.ledger {
            let old = self.documents.ledger_entry(&source, &path)?;
            duplicates::note(&mut changes, old.as_ref(), entry.as_ref());
            match entry {
                Some(entry) => changes.put_ledger(&entry),
                None => changes.remove_ledger(&source, &path),
            }
        }
        Ok((changes, touched))
    }
}

fn put_document(
    changes: &mut Changes,
    id: DocumentId,
    draft: DocumentDraft,
    old: &[Chunk],
    resolved: &Resolved,
) -> (Document, Vec<Chunk>) {
    let (document, chunks) = draft.stored(resolved);
    for (number, chunk) in (0u32..).zip(&chunks) {
        if old.get(number as usize) != Some(chunk) {
            changes.put_chunk(id, number, chunk);
        }
    }
    (0u32..).zip(old).skip(chunks.len()).for_each(|(number, _)| changes.remove_chunk(id, number));
    changes.put_document(&document);
    (document, chunks)
}
