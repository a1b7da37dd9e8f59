//! Changes on their way into the store: everything in one batch becomes durable and visible together.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::access::Access;
use crate::record::{AWAITED, Chunk, ChunkDraft, ContentKey, Document, DocumentId, LedgerEntry};

/// Documents to put or remove and ledger lines to write. A later change of the same document replaces an earlier one.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) documents: BTreeMap<DocumentId, Option<DocumentDraft>>,
    pub(crate) ledger: BTreeMap<(String, String), Option<LedgerEntry>>,
    pub(crate) runs: BTreeMap<String, i64>,
    pub(crate) vectors: HashMap<ContentKey, Vec<f32>>,
    pub(crate) access: BTreeMap<DocumentId, Option<Access>>,
    pub(crate) completed: BTreeSet<DocumentId>,
    pub(crate) refused: HashSet<ContentKey>,
    pub(crate) may_await: bool,
}

/// A document with its chunks.
#[derive(Debug)]
pub(crate) struct DocumentDraft {
    pub(crate) document: Document,
    pub(crate) chunks: Vec<ChunkDraft>,
}

impl DocumentDraft {
    /// The document and its chunks as they are stored, given the ordinals of their contents.
    pub(crate) fn stored(self, ordinals: &HashMap<ContentKey, u64>) -> (Document, Vec<Chunk>) {
        let stored = |draft: ChunkDraft| {
            let ordinal = ordinals.get(&draft.key).copied().unwrap_or(AWAITED);
            let ChunkDraft { headings, text, span, lines, place, blocks, key: _, vector: _ } = draft;
            Chunk { headings, text, span, lines, place, blocks, ordinal }
        };
        (self.document, self.chunks.into_iter().map(stored).collect())
    }
}

impl Batch {
    /// Adds or replaces a document.
    pub fn put(&mut self, document: Document, chunks: Vec<ChunkDraft>) {
        let id = document.id();
        // What was to go comes back: it is as hidden as it was.
        if self.access.get(&id) == Some(&None) {
            self.access.remove(&id);
        }
        self.documents.insert(id, Some(DocumentDraft { document, chunks }));
    }

    /// Removes a document, if it is there, with what it says of who may see it.
    pub fn remove(&mut self, source: &str, path: &str) {
        let id = DocumentId::of(source, path);
        self.documents.insert(id, None);
        self.access.insert(id, None);
    }

    /// Says who may see a document, beside what the rules of its source say; stays when the document is put again. `None`
    /// leaves it to the source.
    pub fn set_access(&mut self, id: DocumentId, access: Option<Access>) {
        self.access.insert(id, access);
    }

    /// Writes a line of the ledger.
    pub fn record(&mut self, entry: LedgerEntry) {
        self.ledger.insert((entry.source.clone(), entry.path.clone()), Some(entry));
    }

    /// Removes a line of the ledger: the file is gone.
    pub fn forget(&mut self, source: &str, path: &str) {
        self.ledger.insert((source.to_string(), path.to_string()), None);
    }

    /// Notes that a run over a source ended, at a second of Unix time.
    pub fn finish_run(&mut self, source: &str, finished: i64) {
        self.runs.insert(source.to_string(), finished);
    }

    /// Keeps the embedding of a content whose document is not whole yet: a large document is embedded in parts, and what
    /// is done is not done again.
    pub fn keep_vector(&mut self, content: ContentKey, vector: Vec<f32>) {
        self.vectors.insert(content, vector);
    }

    /// Lets passages in whose vectors are still to come: they are found by their words until [`Batch::complete`].
    pub fn let_vectors_come_later(&mut self) {
        self.may_await = true;
    }

    /// Gives the passages of a stored document the vectors that are there by now, in this batch or before it.
    pub fn complete(&mut self, id: DocumentId) {
        self.completed.insert(id);
    }

    /// No vector can be made of this content: its passages are no longer waited for, and stay found by their words.
    pub fn refuse_vector(&mut self, content: ContentKey) {
        self.refused.insert(content);
    }

    /// Whether a document in it brings the vector of this content.
    pub(crate) fn brings_vector(&self, content: ContentKey) -> bool {
        let chunks = self.documents.values().flatten().flat_map(|draft| &draft.chunks);
        chunks.filter(|chunk| chunk.vector.is_some()).any(|chunk| chunk.key == content)
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        let has_documents = !self.documents.is_empty() || !self.access.is_empty();
        let has_documents = has_documents || !self.completed.is_empty();
        !has_documents && self.ledger.is_empty() && self.runs.is_empty() && self.vectors.is_empty()
    }

    /// Documents in the batch.
    pub fn documents(&self) -> usize {
        self.documents.len()
    }

    /// Chunks in the batch.
    pub fn chunks(&self) -> usize {
        self.documents.values().flatten().map(|draft| draft.chunks.len()).sum()
    }
}
