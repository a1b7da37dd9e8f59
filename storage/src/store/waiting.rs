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
        self.documents.waiting_totals()
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        Batch, ChunkDraft, Error, FileState, Filter, IndexModel, LedgerEntry, LexicalQuery, LexicalWeights, Snapshot,
        Source, VectorScan, verify,
    };

    fn model() -> IndexModel {
        IndexModel { name: "m".into(), fingerprint: "f".into(), dimension: 2 }
    }

    fn store(folder: &Path) -> Store {
        let mut store = Store::open(folder, &model()).unwrap();
        store.add_source(Source { name: "a".into(), root: "/a".into() }).unwrap();
        store
    }

    fn draft(text: &str, vector: Option<[f32; 2]>) -> ChunkDraft {
        ChunkDraft {
            headings: Vec::new(),
            text: text.into(),
            span: 0..1,
            lines: 1..2,
            place: None,
            blocks: Vec::new(),
            key: ContentKey::of(&[], text),
            vector: vector.map(|vector| vector.to_vec()),
        }
    }

    fn put(batch: &mut Batch, path: &str, chunks: Vec<ChunkDraft>) -> DocumentId {
        let document = Document {
            source: "a".into(),
            path: path.into(),
            title: path.into(),
            kind: "text".into(),
            language: None,
            modified: 7,
            bytes: 1,
            metadata: Default::default(),
            fingerprint: None,
        };
        let (id, count) = (document.id(), chunks.len() as u32);
        let state = FileState::Indexed { notes: Vec::new() };
        batch.put(document, chunks);
        batch.record(LedgerEntry { state, chunks: count, ..LedgerEntry::blank("a", path, "1") });
        id
    }

    /// Paths of what is found by its words, and by its meaning.
    fn found(folder: &Path, word: &str) -> (Vec<String>, Vec<String>) {
        let view = Snapshot::open(folder).unwrap().whole().unwrap();
        let query = view.analyse(&LexicalQuery { text: word.into(), ..LexicalQuery::default() });
        let words = view.lexical(&query, &[], LexicalWeights::default(), 10).unwrap();
        let scope = view.scope(&[], &query).unwrap();
        let near = view.nearest(&[1.0, 0.0], &scope, 10, VectorScan::default()).unwrap();
        let paths = |hits: Vec<(crate::PassageRef, f32)>| {
            let mut paths: Vec<String> =
                hits.into_iter().map(|(place, _)| view.passage(place).unwrap().document.path).collect();
            paths.sort();
            paths
        };
        (paths(words), paths(near))
    }

    #[test]
    fn what_waits_is_found_by_its_words_and_then_by_its_meaning() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path());
        let mut batch = Batch::default();
        put(&mut batch, "there.txt", vec![draft("pump one", Some([1.0, 0.0]))]);
        let id = put(&mut batch, "late.txt", vec![draft("pump two", None), draft("valve", None)]);
        assert!(matches!(store.commit(batch), Err(Error::NoVector { .. })), "only where that is allowed");

        let mut batch = Batch::default();
        batch.let_vectors_come_later();
        put(&mut batch, "there.txt", vec![draft("pump one", Some([1.0, 0.0]))]);
        put(&mut batch, "late.txt", vec![draft("pump two", None), draft("valve", None)]);
        store.commit(batch).unwrap();
        let both = vec!["late.txt".to_owned(), "there.txt".to_owned()];
        let waiting = Waiting { documents: 1, passages: 2, bytes: 13 };
        assert_eq!(store.waiting(), waiting);
        assert_eq!(found(folder.path(), "pump"), (both.clone(), vec!["there.txt".to_owned()]));
        let view = Snapshot::open(folder.path()).unwrap().whole().unwrap();
        assert_eq!(view.totals().waiting, waiting);
        let places = view.places(id).unwrap();
        assert!(places.iter().all(|place| view.vector(*place).unwrap().is_none()));
        assert!(view.cosines(&[1.0, 0.0], places).unwrap().is_empty());
        assert_eq!(view.background().unwrap().len(), 1);
        drop(view);

        // Kept over a restart, and no damage.
        store.close().unwrap();
        assert_eq!(verify(folder.path()).unwrap().findings, []);
        let mut store = Store::open(folder.path(), &model()).unwrap();
        assert_eq!((store.repairs().len(), store.waiting()), (0, waiting));
        let documents = store.waiting_documents().unwrap();
        let entry = WaitingDocument { passages: 2, bytes: 13, modified: 7, is_begun: false };
        assert_eq!(documents, [(id, entry)]);

        // The first passage, then the rest.
        let mut batch = Batch::default();
        batch.keep_vector(ContentKey::of(&[], "pump two"), vec![0.6, 0.8]);
        batch.complete(id);
        store.commit(batch).unwrap();
        assert_eq!(found(folder.path(), "pump").1, both);
        assert_eq!(
            store.waiting_documents().unwrap()[0].1,
            WaitingDocument { passages: 1, bytes: 5, modified: 7, is_begun: true }
        );
        let mut batch = Batch::default();
        batch.refuse_vector(ContentKey::of(&[], "valve"));
        batch.complete(id);
        store.commit(batch).unwrap();
        assert!(store.waiting().is_over(), "nothing is waited for that cannot come");
        assert_eq!(store.snapshot().whole().unwrap().totals().refused, 1);
        assert_eq!(found(folder.path(), "valve").0, ["late.txt"]);
        store.close().unwrap();
        assert_eq!(verify(folder.path()).unwrap().findings, []);
    }

    #[test]
    fn what_changes_or_goes_while_it_waits_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path());
        let mut batch = Batch::default();
        batch.let_vectors_come_later();
        let gone = put(&mut batch, "gone.txt", vec![draft("one", None)]);
        let changed = put(&mut batch, "changed.txt", vec![draft("two", None)]);
        let same = put(&mut batch, "same.txt", vec![draft("two", None)]);
        store.commit(batch).unwrap();
        assert_eq!(store.waiting().documents, 3);
        let mut batch = Batch::default();
        batch.remove("a", "gone.txt");
        batch.forget("a", "gone.txt");
        put(&mut batch, "changed.txt", vec![draft("three", Some([0.0, 1.0]))]);
        store.commit(batch).unwrap();
        assert_eq!(store.waiting().documents, 1);
        // Whoever embeds knows of all three still.
        let mut batch = Batch::default();
        batch.keep_vector(ContentKey::of(&[], "two"), vec![1.0, 0.0]);
        [gone, changed, same].into_iter().for_each(|id| batch.complete(id));
        store.commit(batch).unwrap();
        assert!(store.waiting().is_over());
        assert_eq!(found(folder.path(), "two").1, ["changed.txt", "same.txt"]);
        let view = store.snapshot().whole().unwrap();
        assert_eq!(view.totals().documents, 2);
        assert_eq!(view.documents(&Filter::default(), None, 9).unwrap().total, 2);
    }

    #[test]
    fn a_content_that_is_known_waits_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path());
        let mut batch = Batch::default();
        put(&mut batch, "a.txt", vec![draft("one", Some([1.0, 0.0]))]);
        store.commit(batch).unwrap();
        let mut batch = Batch::default();
        batch.let_vectors_come_later();
        put(&mut batch, "b.txt", vec![draft("one", None)]);
        store.commit(batch).unwrap();
        assert!(store.waiting().is_over());
        assert_eq!(found(folder.path(), "one").1, ["a.txt", "b.txt"]);
    }
}
