//! Looking documents up without a query: one by its id, all in the order of their groups, and what each is filed under.

use tantivy::query::TermQuery;
use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{DocSet as _, SegmentReader, TERMINATED};

use super::reader::{LexicalReader, PassageRef, damaged};
use super::schema::StoredPassage;
use crate::error::Result;
use crate::facets::{Facets, SegmentFacets, Values};
use crate::record::DocumentId;

impl LexicalReader {
    /// The live passages of a document, in their order; none if the document is not there.
    pub(crate) fn passages_of(&self, id: DocumentId) -> Result<Vec<StoredPassage>> {
        let places = self.places_of(id)?;
        let mut passages = places.into_iter().map(|place| self.passage(place)).collect::<Result<Vec<_>>>()?;
        passages.sort_by_key(|passage| passage.number);
        Ok(passages)
    }

    /// Where the live passages of a document are, in no order.
    pub(crate) fn places_of(&self, id: DocumentId) -> Result<Vec<PassageRef>> {
        let term = Term::from_field_bytes(self.fields.document, id.bytes());
        self.everything(&TermQuery::new(term, IndexRecordOption::Basic))
    }

    /// Calls `visit` with every live passage and its group.
    pub(crate) fn for_each_group(&self, mut visit: impl FnMut(PassageRef, u64)) -> Result<()> {
        for (segment, reader) in (0u32..).zip(self.searcher.segment_readers()) {
            let column = reader.fast_fields().u64("group")?;
            for doc in self.alive(segment, reader) {
                visit(
                    PassageRef { segment, doc },
                    column.first(doc).ok_or_else(|| damaged("a chunk has no document"))?,
                );
            }
        }
        Ok(())
    }

    /// The ordinals of these passages, in index order.
    pub(crate) fn ordinals_of(&self, mut passages: Vec<PassageRef>) -> Result<Vec<(PassageRef, u64)>> {
        passages.sort_unstable();
        let mut ordinals = Vec::with_capacity(passages.len());
        for within in passages.chunk_by(|one, next| one.segment == next.segment) {
            let column = self.searcher.segment_reader(within[0].segment).fast_fields().u64("ordinal")?;
            for passage in within {
                let ordinal = column.first(passage.doc).ok_or_else(|| damaged("a chunk has no ordinal"))?;
                ordinals.push((*passage, ordinal));
            }
        }
        Ok(ordinals)
    }

    /// Calls `visit` with the path of every passage, live or not, path by path.
    pub(crate) fn for_each_path(&self, mut visit: impl FnMut(&str, PassageRef)) -> Result<()> {
        for (segment, reader) in (0u32..).zip(self.searcher.segment_readers()) {
            let index = reader.inverted_index(self.fields.path)?;
            let mut terms = index.terms().stream().map_err(|error| damaged(error.to_string()))?;
            while let Some((term, info)) = terms.next() {
                let path = String::from_utf8_lossy(term);
                let postings = index.read_postings_from_terminfo(info, IndexRecordOption::Basic);
                let mut postings = postings.map_err(|error| damaged(error.to_string()))?;
                let mut doc = postings.doc();
                while doc != TERMINATED {
                    visit(&path, PassageRef { segment, doc });
                    doc = postings.advance();
                }
            }
        }
        Ok(())
    }

    /// How many passages each segment holds, dead ones too.
    pub(crate) fn segment_lengths(&self) -> impl Iterator<Item = u32> + '_ {
        self.searcher.segment_readers().iter().map(SegmentReader::max_doc)
    }

    /// Calls `visit` with every live passage.
    pub(crate) fn for_each_passage(&self, mut visit: impl FnMut(StoredPassage)) -> Result<()> {
        for (segment, reader) in (0u32..).zip(self.searcher.segment_readers()) {
            for doc in self.alive(segment, reader) {
                visit(self.passage(PassageRef { segment, doc })?);
            }
        }
        Ok(())
    }

    /// What every passage is filed under.
    pub(crate) fn facets(&self) -> Result<Facets> {
        let mut facets = Facets::default();
        for reader in self.searcher.segment_readers() {
            let source = column(reader, self.fields.source, &mut facets.sources)?;
            let kind = column(reader, self.fields.kind, &mut facets.kinds)?;
            let language = column(reader, self.fields.language, &mut facets.languages)?;
            let modified = reader.fast_fields().i64("modified")?;
            facets.segments.push(SegmentFacets { source, kind, language, modified });
        }
        Ok(facets)
    }
}

/// The number of each passage's term in `values`; 0 where it has none.
fn column(reader: &SegmentReader, field: Field, values: &mut Values) -> Result<Vec<u32>> {
    let mut numbers = vec![0; reader.max_doc() as usize];
    let index = reader.inverted_index(field)?;
    let mut terms = index.terms().stream().map_err(|error| damaged(error.to_string()))?;
    while let Some((term, info)) = terms.next() {
        let number = values.number_of(&String::from_utf8_lossy(term));
        let mut postings = index
            .read_postings_from_terminfo(info, IndexRecordOption::Basic)
            .map_err(|error| damaged(error.to_string()))?;
        let mut doc = postings.doc();
        while doc != TERMINATED {
            numbers[doc as usize] = number;
            doc = postings.advance();
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::{
        Batch, ChunkDraft, ContentKey, Document, DocumentId, FileState, Filter, IndexModel, LedgerEntry, Source, Store,
    };

    fn document(source: &str, path: &str, kind: &str, modified: i64) -> Document {
        Document {
            source: source.into(),
            path: path.into(),
            title: path.into(),
            kind: kind.into(),
            language: (kind == "text").then(|| "en".into()),
            modified,
            bytes: 1,
            metadata: BTreeMap::new(),
            fingerprint: None,
        }
    }

    fn draft(text: &str, vector: [f32; 2]) -> ChunkDraft {
        ChunkDraft {
            headings: Vec::new(),
            text: text.into(),
            span: 0..1,
            lines: 1..2,
            place: None,
            blocks: Vec::new(),
            key: ContentKey::of(&[], text),
            vector: Some(vector.to_vec()),
        }
    }

    fn line(path: &str) -> LedgerEntry {
        LedgerEntry {
            source: "a".into(),
            path: path.into(),
            state: FileState::Indexed { notes: Vec::new() },
            kind: String::new(),
            bytes: 1,
            modified_ns: 0,
            inode: None,
            content: None,
            characters: 1,
            chunks: 1,
            micros: 0,
            coverage: None,
            reader: String::new(),
        }
    }

    #[test]
    fn a_file_equal_to_an_earlier_one_is_its_duplicate() {
        let folder = tempfile::tempdir().unwrap();
        let model = IndexModel { name: "m".into(), fingerprint: "f".into(), dimension: 2 };
        let mut store = Store::open(folder.path(), &model).unwrap();
        store.add_source(Source { name: "a".into(), root: folder.path().to_path_buf() }).unwrap();
        let with = |path: &str, content: u8| LedgerEntry { content: Some([content; 32]), ..line(path) };
        let (first, second, other) = (with("1.md", 7), with("2.md", 7), with("3.md", 8));
        let mut batch = Batch::default();
        for entry in [&first, &second, &other] {
            batch.put(document("a", &entry.path, "text", 1), vec![draft(&entry.path, [1.0, 0.0])]);
            batch.record(entry.clone());
        }
        store.commit(batch).unwrap();
        let of = |store: &Store, entry: &LedgerEntry| store.with_duplicate(entry.clone()).unwrap().state.reason();
        assert_eq!(of(&store, &second), "duplicate of a/1.md");
        assert_eq!((of(&store, &first), of(&store, &other)), (String::new(), String::new()));
        // The first one changes: the second is nobody's copy any more.
        let mut batch = Batch::default();
        batch.record(with("1.md", 9));
        store.commit(batch).unwrap();
        assert_eq!(of(&store, &second), "");
        let mut batch = Batch::default();
        batch.record(with("1.md", 8));
        batch.remove("a", "3.md");
        batch.forget("a", "3.md");
        store.commit(batch).unwrap();
        assert_eq!(of(&store, &with("1.md", 8)), "");
    }

    #[test]
    fn documents_are_listed_looked_up_counted_and_their_vectors_read() {
        let folder = tempfile::tempdir().unwrap();
        let model = IndexModel { name: "m".into(), fingerprint: "f".into(), dimension: 2 };
        let mut store = Store::open(folder.path(), &model).unwrap();
        store.add_source(Source { name: "a".into(), root: folder.path().to_path_buf() }).unwrap();
        let mut batch = Batch::default();
        for number in 0..7 {
            let kind = if number < 3 { "text" } else { "markdown" };
            let path = format!("{number}.md");
            let chunks = vec![draft(&format!("one {number}"), [1.0, 0.0]), draft(&format!("two {number}"), [0.0, 1.0])];
            batch.put(document("a", &path, kind, 100 + number), chunks);
            batch.record(line(&path));
        }
        let sequence = store.commit(batch).unwrap();
        let snapshot = store.snapshot().whole().unwrap();

        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = snapshot.documents(&Filter::default(), after, 3).unwrap();
            assert_eq!(page.total, 7);
            seen.extend(page.documents.iter().map(|document| document.path.clone()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        seen.sort();
        assert_eq!(seen, ["0.md", "1.md", "2.md", "3.md", "4.md", "5.md", "6.md"]);
        let only = Filter { kinds: vec!["text".into()], ..Filter::default() };
        assert_eq!(snapshot.documents(&only, None, 10).unwrap().total, 3);

        let id = DocumentId::of("a", "2.md");
        assert_eq!(DocumentId::parse(&id.to_string()), Some(id));
        assert_eq!(DocumentId::parse("+f000000000000000000000000000000"), None);
        let passages = snapshot.document(id).unwrap();
        let texts: Vec<&str> = passages.iter().map(|passage| passage.chunk.text.as_str()).collect();
        assert_eq!(texts, ["one 2", "two 2"]);
        assert!(snapshot.document(DocumentId::of("a", "9.md")).unwrap().is_empty());
        let facets = snapshot.facets().unwrap();
        for place in snapshot.places(id).unwrap() {
            let filed = facets.of(place).unwrap();
            assert_eq!((filed.source, filed.kind, filed.language, filed.modified), ("a", "text", Some("en"), 102));
            let expected = if snapshot.passage(place).unwrap().number == 0 { [1.0, 0.0] } else { [0.0, 1.0] };
            assert_eq!(snapshot.vector(place).unwrap(), Some(expected.to_vec()));
        }

        let truth = store.truth();
        let rest: Vec<String> = truth.ledger("a", "4.md").map(|line| line.unwrap().path).collect();
        assert_eq!(rest, ["5.md", "6.md"]);
        assert_eq!(truth.statistics().unwrap().sequence, sequence);
        let mut batch = Batch::default();
        batch.remove("a", "2.md");
        let later = store.commit(batch).unwrap();
        assert_eq!(truth.statistics().unwrap().sequence, later, "a reading side sees later commits");
        assert_eq!(snapshot.document(id).unwrap().len(), 2, "an older snapshot does not");
        assert!(store.snapshot().whole().unwrap().document(id).unwrap().is_empty());
    }
}
