//! Passages whose vectors come later: what waits, and what completes it.

use std::collections::HashSet;

use super::Store;
use super::changes::Resolved;
use crate::documents::{Changes, Waiting, WaitingDocument};
use crate::error::Result;
use crate::record::{Chunk, ContentKey, Document, DocumentId};

impl Store {
    /// Passages whose vectors are still to come.
    pub fn waiting(&self) -> Waiting {
        self.documents.index_totals().waiting
    }

    /// The documents that wait for vectors.
    ///
    /// # Errors
    /// The truth is damaged.
    pub fn waiting_documents(&self) -> Result<Vec<(DocumentId, WaitingDocument)>> {
        self.documents.waiting().collect()
    }

    /// Whether no vector can be made of a content, so that none is waited for.
    ///
    /// # Errors
    /// The truth is damaged.
    pub fn is_refused(&self, content: ContentKey) -> Result<bool> {
        self.documents.is_refused(content)
    }

    /// The passages of a document as they are stored, in their order; none if it is not there.
    ///
    /// # Errors
    /// The truth is damaged.
    pub fn chunks(&self, id: DocumentId) -> Result<Vec<Chunk>> {
        self.documents.chunks(id)
    }

    /// The document with its passages, after they were given the vectors that are there by now; `None` if nothing of it has
    /// changed.
    pub(super) fn completed(
        &self,
        changes: &mut Changes,
        id: DocumentId,
        resolved: &Resolved,
        refused: &HashSet<ContentKey>,
    ) -> Result<Option<(Document, Vec<Chunk>)>> {
        let Some(document) = self.documents.document(id)? else {
            self.end_waiting(changes, id)?;
            return Ok(None);
        };
        let mut chunks = self.documents.chunks(id)?;
        let mut is_changed = false;
        for (number, chunk) in (0u32..).zip(&mut chunks).filter(|(_, chunk)| chunk.awaits_vector()) {
            let key = chunk.key();
            let ordinal = match resolved.get(&key) {
                Some(ordinal) => Some(*ordinal),
                None => self.documents.ordinal(key)?,
            };
            if let Some(ordinal) = ordinal {
                chunk.ordinal = ordinal;
                changes.put_chunk(id, number, chunk);
                is_changed = true;
            }
        }
        self.note_waiting(changes, &document, &chunks, refused)?;
        if is_changed {
            changes.touch(id);
        }
        Ok(is_changed.then_some((document, chunks)))
    }

    /// Notes what a document still waits for.
    pub(super) fn note_waiting(
        &self,
        changes: &mut Changes,
        document: &Document,
        chunks: &[Chunk],
        refused: &HashSet<ContentKey>,
    ) -> Result<()> {
        let mut waiting = WaitingDocument { passages: 0, bytes: 0, modified: document.modified, is_begun: true };
        for (number, chunk) in chunks.iter().enumerate().filter(|(_, chunk)| chunk.awaits_vector()) {
            let key = chunk.key();
            if !refused.contains(&key) && !self.documents.is_refused(key)? {
                waiting.passages += 1;
                waiting.bytes += chunk.text.len() as u64;
                waiting.is_begun &= number > 0;
            }
        }
        if waiting.passages == 0 {
            return self.end_waiting(changes, document.id());
        }
        changes.put_waiting(document.id(), Some(waiting));
        Ok(())
    }

    pub(super) fn end_waiting(&self, changes: &mut Changes, id: DocumentId) -> Result<()> {
        if self.documents.waiting_of(id)?.is_some() {
            changes.put_waiting(id, None);
        }
        Ok(())
    }
}
