//! The writing side of the lexical index.
//!
//! A commit replaces whole documents (delete by id, then add) and carries a payload that names the last sequence number
//! of the truth it has applied and the number of live chunks, so that a reader can tell a complete index from a damaged
//! one.

use std::io;
use std::path::{Path, PathBuf};

use tantivy::directory::MmapDirectory;
use tantivy::indexer::{LogMergePolicy, MergePolicy};
use tantivy::schema::Term;
use tantivy::{Index, IndexReader, IndexSettings, IndexWriter, TantivyDocument, TantivyError};

use super::reader::{LexicalReader, damaged, reader_of};
use super::schema::{self, Fields};
use crate::crash::{self, Step};
use crate::error::{Error, Result, system_answer};
use crate::record::{Chunk, Document, DocumentId};

/// Memory for documents that are not committed yet, in bytes.
const WRITER_BYTES: usize = 64 << 20;

/// Share of deleted documents from which a segment is rewritten.
const DELETED_BEFORE_MERGE: f32 = 0.2;

/// What a commit says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Payload {
    /// Last sequence number of the truth that is applied.
    pub(crate) sequence: u64,
    /// Chunks that are live after the commit.
    pub(crate) chunks: u64,
    /// The commit that wrote the accesses of the documents.
    pub(crate) access: u64,
}

impl Payload {
    fn encode(self) -> String {
        let body = format!("{} {} {}", self.sequence, self.chunks, self.access);
        format!("{body} {:08x}", crc32c::crc32c(body.as_bytes()))
    }

    fn decode(text: &str) -> Option<Self> {
        let (body, checksum) = text.rsplit_once(' ')?;
        if checksum != format!("{:08x}", crc32c::crc32c(body.as_bytes())) {
            return None;
        }
        let mut numbers = body.split(' ').map(|number| number.parse::<u64>().ok());
        let mut next = || numbers.next().flatten();
        let payload = Self { sequence: next()?, chunks: next()?, access: next()? };
        numbers.next().is_none().then_some(payload)
    }
}

/// The writer of the lexical index. One per index.
pub(crate) struct LexicalIndex {
    writer: IndexWriter,
    reader: IndexReader,
    fields: Fields,
}

impl LexicalIndex {
    /// Opens or creates the index in `folder`.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the checksums, the schema, the payload or the count of live chunks do not agree.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let directory = MmapDirectory::open(folder).map_err(|error| damaged(error.to_string()))?;
        let (schema, fields) = schema::schema();
        let index = if Index::exists(&directory).map_err(|error| damaged(error.to_string()))? {
            let index = Index::open_in_dir(folder).map_err(unusable)?;
            checked(&index)?;
            index
        } else {
            Index::create(directory, schema, IndexSettings::default())?
        };
        let writer: IndexWriter<TantivyDocument> = index.writer_with_num_threads(1, WRITER_BYTES)?;
        writer.set_merge_policy(merge_policy());
        // A commit that was killed may have left the deletions of a segment behind. tantivy counts on from the last commit:
        // the same work then wants a file of the same name, and would never get it.
        writer.garbage_collect_files().wait()?;
        let reader = reader_of(&index)?;
        Ok(Self { writer, reader, fields })
    }

    /// The payload of the last commit; `None` before the first.
    pub(crate) fn payload(&self) -> Result<Option<Payload>> {
        payload_of(self.writer.index())
    }

    /// What the names of the files of each segment begin with, as of the last commit.
    pub(crate) fn segment_names(&self) -> Result<Vec<String>> {
        let metas = self.writer.index().load_metas().map_err(unusable)?;
        Ok(metas.segments.iter().map(|segment| segment.id().uuid_string()).collect())
    }

    /// Replaces a document: none of its old chunks stay.
    pub(crate) fn replace(&self, document: &Document, chunks: &[Chunk]) -> Result<()> {
        self.delete(document.id());
        let document = document.carried();
        for (number, chunk) in (0u32..).zip(chunks) {
            self.writer.add_document(self.fields.document_of(&document, number, chunk))?;
        }
        Ok(())
    }

    /// Removes a document.
    pub(crate) fn delete(&self, id: DocumentId) {
        self.writer.delete_term(Term::from_field_bytes(self.fields.document, id.bytes()));
    }

    /// Makes everything since the last commit durable and visible at once.
    pub(crate) fn commit(&mut self, payload: Payload) -> Result<()> {
        let mut prepared = self.writer.prepare_commit()?;
        prepared.set_payload(&payload.encode());
        crash::point(Step::LexicalPrepared);
        prepared.commit()?;
        crash::point(Step::LexicalCommitted);
        Ok(())
    }

    /// A view of the last commit.
    pub(crate) fn reader(&self) -> Result<LexicalReader> {
        self.reader.reload()?;
        LexicalReader::of(self.reader.searcher(), self.payload()?)
    }

    /// Waits for merges that are under way.
    pub(crate) fn close(self) -> Result<()> {
        Ok(self.writer.wait_merging_threads()?)
    }
}

fn merge_policy() -> Box<dyn MergePolicy> {
    let mut policy = LogMergePolicy::default();
    policy.set_del_docs_ratio_before_merge(DELETED_BEFORE_MERGE);
    Box::new(policy)
}

/// Checks all of an existing index that can be checked; the payload of its last commit.
pub(super) fn checked(index: &Index) -> Result<Option<Payload>> {
    if index.schema() != schema::schema().0 {
        return Err(damaged("its schema is not the one of this format version"));
    }
    let broken = index.validate_checksum().map_err(unusable)?;
    if !broken.is_empty() {
        let mut names: Vec<PathBuf> = broken.into_iter().collect();
        names.sort();
        return Err(damaged(format!("wrong checksums: {names:?}")));
    }
    payload_of(index)
}

pub(super) fn payload_of(index: &Index) -> Result<Option<Payload>> {
    let metas = index.load_metas().map_err(unusable)?;
    let Some(text) = metas.payload.as_deref() else {
        return match metas.segments.is_empty() {
            true => Ok(None),
            false => Err(damaged("its last commit has no payload")),
        };
    };
    let payload = Payload::decode(text).ok_or_else(|| damaged("the payload of its last commit is not readable"))?;
    let live: u64 = metas.segments.iter().map(|segment| u64::from(segment.num_docs())).sum();
    if live != payload.chunks {
        return Err(damaged(format!("expected {} chunks, found {live}", payload.chunks)));
    }
    Ok(Some(payload))
}

/// What keeps tantivy from opening the index: damage, unless this process may not read it.
pub(super) fn unusable(error: TantivyError) -> Error {
    let is_denied = system_answer(&error).is_some_and(|answer| answer.kind() == io::ErrorKind::PermissionDenied);
    if is_denied { Error::Lexical(error) } else { damaged(error.to_string()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    fn document(path: &str) -> Document {
        Document {
            source: "a".into(),
            path: path.into(),
            title: path.into(),
            kind: "text".into(),
            language: None,
            modified: 0,
            bytes: 1,
            metadata: BTreeMap::new(),
            fingerprint: None,
        }
    }

    fn chunk(text: &str) -> Chunk {
        Chunk {
            headings: Vec::new(),
            text: text.into(),
            span: 0..1,
            lines: 1..2,
            place: None,
            blocks: Vec::new(),
            ordinal: 0,
        }
    }

    fn change(folder: &Path) -> Result<()> {
        let mut index = LexicalIndex::open(folder)?;
        index.replace(&document("7"), &[chunk("changed")])?;
        index.commit(Payload { sequence: 2, chunks: 20, access: 0 })?;
        index.close()
    }

    #[test]
    fn what_a_killed_commit_left_behind_does_not_stop_the_next() {
        let root = tempfile::tempdir().unwrap();
        let (killed, whole) = (root.path().join("killed"), root.path().join("whole"));
        let mut index = LexicalIndex::open(&killed).unwrap();
        // So many that one change does not make a merge worth while.
        for number in 0..20 {
            index.replace(&document(&number.to_string()), &[chunk("text")]).unwrap();
        }
        index.commit(Payload { sequence: 1, chunks: 20, access: 0 }).unwrap();
        index.close().unwrap();
        fs::create_dir(&whole).unwrap();
        for entry in fs::read_dir(&killed).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), whole.join(entry.file_name())).unwrap();
        }
        // The same commit, whole; then its deletions are put where one would have left them that was killed just before
        // its end.
        change(&whole).unwrap();
        let mut left = 0;
        for entry in fs::read_dir(&whole).unwrap() {
            let name = entry.unwrap().file_name();
            let is_deletions = name.to_string_lossy().ends_with(".del");
            if is_deletions || name == ".managed.json" {
                fs::copy(whole.join(&name), killed.join(&name)).unwrap();
                left += usize::from(is_deletions);
            }
        }
        assert!(left > 0, "the commit deleted nothing");
        change(&killed).unwrap();
        assert_eq!(LexicalIndex::open(&killed).unwrap().payload().unwrap().map(|payload| payload.sequence), Some(2));
    }
}
