//! The truth: documents, chunks, ledger, change log and the map from content to vector, in sled.
//!
//! One tree holds everything under one-byte prefixes, so that a commit is one atomic batch. Every value is framed with a
//! CRC-32C over key and value, and a running total (counts, and the sum of all checksums) is kept in the same batch: a
//! full scan at open notices a flipped byte, a lost page and a rolled-back log alike. A commit is durable when
//! [`Documents::apply`] returns, not before.

mod accesses;
mod transfer;
mod waiting;

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sled::IVec;

use crate::crash::{self, Step};
use crate::database::{Database, WHAT};
use crate::error::{Error, Result};
use crate::record::{Chunk, ContentKey, Document, DocumentId, IndexModel, LedgerEntry, Source};
use crate::totals::{IndexTotals, SourceCounts};

pub(crate) use transfer::{Importer, Ordinals};
pub(crate) use waiting::BacklogCounts;
pub use waiting::{Waiting, WaitingDocument};

const DOCUMENT: u8 = b'd';
const CHUNK: u8 = b'c';
const LEDGER: u8 = b'l';
const VECTOR: u8 = b'v';
const CHANGE: u8 = b'g';
const RUN: u8 = b'r';
const TOTALS: &[u8] = b"m";
const SETTINGS: &[u8] = b"s";

/// Counts over the whole store, kept with every commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Number of the last commit.
    pub(crate) sequence: u64,
    pub(crate) documents: u64,
    pub(crate) chunks: u64,
    /// Length of the vector file that the commits rely on.
    pub(crate) vectors: u64,
    /// Number of entries of all kinds but this one.
    entries: u64,
    /// Wrapping sum of the entries' checksums.
    digest: u64,
}

/// What the index is made of: kept beside the data and in `index.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) model: IndexModel,
    pub(crate) sources: Vec<Source>,
}

/// One commit's changes, collected and then applied at once.
#[derive(Default)]
pub(crate) struct Changes {
    writes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    touched: Vec<DocumentId>,
}

impl Changes {
    pub(crate) fn put_document(&mut self, document: &Document) {
        let id = document.id();
        self.put(document_key(id), document);
        self.touch(id);
    }

    pub(crate) fn put_chunk(&mut self, id: DocumentId, number: u32, chunk: &Chunk) {
        self.put(chunk_key(id, number), chunk);
    }

    /// Notes that the lexical index has to take a document over anew.
    pub(crate) fn touch(&mut self, id: DocumentId) {
        self.touched.push(id);
    }

    pub(crate) fn remove_document(&mut self, id: DocumentId) {
        self.writes.push((document_key(id), None));
        self.touch(id);
    }

    pub(crate) fn remove_chunk(&mut self, id: DocumentId, number: u32) {
        self.writes.push((chunk_key(id, number), None));
    }

    pub(crate) fn put_ledger(&mut self, entry: &LedgerEntry) {
        self.put(ledger_key(&entry.source, &entry.path), entry);
    }

    pub(crate) fn remove_ledger(&mut self, source: &str, path: &str) {
        self.writes.push((ledger_key(source, path), None));
    }

    pub(crate) fn put_vector(&mut self, key: ContentKey, ordinal: u64) {
        self.put(vector_key(key), &ordinal);
    }

    pub(crate) fn remove_vector(&mut self, key: ContentKey) {
        self.writes.push((vector_key(key), None));
    }

    /// Writes an entry whose key says everything.
    pub(crate) fn put_mark(&mut self, key: Vec<u8>) {
        self.put(key, &());
    }

    pub(crate) fn remove_mark(&mut self, key: Vec<u8>) {
        self.writes.push((key, None));
    }

    pub(crate) fn put_run(&mut self, source: &str, finished: i64) {
        self.put(run_key(source), &finished);
    }

    pub(crate) fn put_settings(&mut self, settings: &Settings) {
        self.put(SETTINGS.to_vec(), settings);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    fn put<T: Serialize>(&mut self, key: Vec<u8>, value: &T) {
        let framed = frame(&key, value);
        self.writes.push((key, Some(framed)));
    }
}

/// The document store. A clone reads the same database; only one of them may write.
#[derive(Clone)]
pub(crate) struct Documents {
    database: Database,
    counts: Counts,
}

/// The totals of the last commit, and what they are by source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    totals: Totals,
    sources: SourceCounts,
    backlog: BacklogCounts,
}

impl Documents {
    /// Opens or creates the store in `folder` and scans it whole.
    ///
    /// # Errors
    /// [`Error::Damaged`] when any entry, or the sum of all, is not what was written.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let mut documents = Self { database: Database::open(folder)?, counts: Counts::default() };
        documents.counts = documents.scan()?;
        Ok(documents)
    }

    /// Reads and checks every entry, and compares the sums with the totals that were stored.
    pub(crate) fn scan(&self) -> Result<Counts> {
        let mut counts = Counts::default();
        let mut stored = None;
        let mut is_empty = true;
        for entry in self.database.all() {
            let (key, value) = entry?;
            is_empty = false;
            let payload = check(&key, &value)?;
            if key == TOTALS {
                stored = Some(decode::<Totals>(&key, payload)?);
                continue;
            }
            counts.add(&key, &value)?;
        }
        if is_empty {
            return Ok(counts);
        }
        let found = &mut counts.totals;
        let stored = stored.ok_or_else(|| damaged("its totals are missing"))?;
        found.sequence = stored.sequence;
        found.vectors = stored.vectors;
        if *found != stored {
            return Err(damaged(format!(
                "expected {} documents, {} chunks and {} entries, found {}, {} and {}, or their contents differ",
                stored.documents, stored.chunks, stored.entries, found.documents, found.chunks, found.entries
            )));
        }
        Ok(counts)
    }

    pub(crate) fn totals(&self) -> Totals {
        self.counts.totals
    }

    /// The totals as readers see them.
    pub(crate) fn index_totals(&self) -> IndexTotals {
        let Counts { totals, sources, backlog: BacklogCounts { waiting, refused } } = self.counts.clone();
        let Totals { sequence, documents, chunks, vectors, .. } = totals;
        IndexTotals { sequence, documents, chunks, vectors, waiting, refused, sources: sources.by_source().clone() }
    }

    /// Writes all changes at once and makes them durable. `vectors` is the length of the vector file they rely on.
    pub(crate) fn apply(&mut self, changes: Changes, vectors: u64) -> Result<Totals> {
        let mut counts = self.counts.clone();
        counts.totals.sequence += 1;
        counts.totals.vectors = vectors;
        let mut writes = changes.writes;
        if !changes.touched.is_empty() {
            let key = change_key(counts.totals.sequence);
            let value = frame(&key, &changes.touched);
            writes.push((key, Some(value)));
        }
        self.apply_writes(&mut counts, writes)?;
        self.counts = counts;
        Ok(self.counts.totals)
    }

    /// Takes entries over as another index had them, for an index in the making: keys and encoded values, and its totals.
    pub(crate) fn import(&mut self, entries: Vec<(Vec<u8>, Vec<u8>)>, sequence: u64, vectors: u64) -> Result<()> {
        let mut counts = self.counts.clone();
        (counts.totals.sequence, counts.totals.vectors) = (sequence, vectors);
        let framed = entries.into_iter().map(|(key, payload)| {
            let value = sealed(&key, [&[0; 4], payload.as_slice()].concat());
            (key, Some(value))
        });
        self.apply_writes(&mut counts, framed.collect())?;
        self.counts = counts;
        Ok(())
    }

    /// Forgets the log up to and including `sequence`, which every derived index has applied.
    pub(crate) fn trim_log(&mut self, sequence: u64) -> Result<()> {
        let mut writes = Vec::new();
        for entry in self.database.range(vec![CHANGE]..=change_key(sequence)) {
            writes.push((entry?.0.to_vec(), None));
        }
        if writes.is_empty() {
            return Ok(());
        }
        let mut counts = self.counts.clone();
        self.apply_writes(&mut counts, writes)?;
        self.counts = counts;
        Ok(())
    }

    fn apply_writes(&self, counts: &mut Counts, writes: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<()> {
        let mut batch = sled::Batch::default();
        // The last write of a key wins, as it does in the batch.
        let last: BTreeMap<Vec<u8>, Option<Vec<u8>>> = writes.into_iter().collect();
        for (key, value) in last {
            if let Some(old) = self.database.get(&key)? {
                counts.remove(&key, &old)?;
            }
            match value {
                Some(value) => {
                    counts.add(&key, &value)?;
                    batch.insert(key, value);
                }
                None => batch.remove(key),
            }
        }
        batch.insert(TOTALS, frame(TOTALS, &counts.totals));
        self.database.apply(batch)?;
        crash::point(Step::TruthWritten);
        self.database.flush()?;
        crash::point(Step::TruthFlushed);
        Ok(())
    }

    pub(crate) fn settings(&self) -> Result<Option<Settings>> {
        self.get(SETTINGS)
    }

    pub(crate) fn document(&self, id: DocumentId) -> Result<Option<Document>> {
        self.get(&document_key(id))
    }

    /// All documents in the order of their ids.
    pub(crate) fn documents(&self) -> impl Iterator<Item = Result<Document>> + '_ {
        self.values(&[DOCUMENT])
    }

    /// The chunks of a document, in order.
    pub(crate) fn chunks(&self, id: DocumentId) -> Result<Vec<Chunk>> {
        let mut prefix = vec![CHUNK];
        prefix.extend_from_slice(id.bytes());
        self.values(&prefix).collect()
    }

    /// Every document id that has chunks, with their number.
    pub(crate) fn chunk_counts(&self) -> Result<BTreeMap<DocumentId, u32>> {
        let mut counts = BTreeMap::new();
        for entry in self.database.prefixed(&[CHUNK]) {
            let (key, _) = entry?;
            let id = key.get(1..17).and_then(|id| <[u8; 16]>::try_from(id).ok());
            let id = id.ok_or_else(|| damaged("a chunk's key is too short"))?;
            *counts.entry(DocumentId::from_bytes(id)).or_default() += 1;
        }
        Ok(counts)
    }

    pub(crate) fn ledger_entry(&self, source: &str, path: &str) -> Result<Option<LedgerEntry>> {
        self.get(&ledger_key(source, path))
    }

    /// Keys that begin with `prefix`, in order.
    pub(crate) fn keys(&self, prefix: &[u8]) -> impl Iterator<Item = Result<IVec>> + '_ {
        self.database.prefixed(prefix).map(|entry| Ok(entry?.0))
    }

    /// The ledger of a source in the order of paths.
    pub(crate) fn ledger(&self, source: &str) -> impl Iterator<Item = Result<LedgerEntry>> + '_ {
        self.values(&ledger_key(source, ""))
    }

    /// The ledger of what lies inside a file: the members of an archive, the attachments of a mail.
    pub(crate) fn ledger_inside(&self, source: &str, path: &str) -> impl Iterator<Item = Result<LedgerEntry>> + '_ {
        self.values(&ledger_key(source, &format!("{path}/")))
    }

    /// The ledger of a source from behind the path `after`.
    pub(crate) fn ledger_after<'a>(
        &'a self,
        source: &str,
        after: &str,
    ) -> impl Iterator<Item = Result<LedgerEntry>> + use<'a> {
        let prefix = ledger_key(source, "");
        let start = ledger_key(source, after);
        let entries = self.database.range((std::ops::Bound::Excluded(start), std::ops::Bound::Unbounded));
        let of_source =
            entries.take_while(move |entry| entry.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)));
        of_source.map(|entry| {
            let (key, value) = entry?;
            decode(&key, check(&key, &value)?)
        })
    }

    /// The totals of the last commit, whoever made it.
    pub(crate) fn totals_now(&self) -> Result<Totals> {
        Ok(self.get(TOTALS)?.unwrap_or_default())
    }

    /// When the last run over a source ended, in seconds of Unix time.
    pub(crate) fn last_run(&self, source: &str) -> Result<Option<i64>> {
        self.get(&run_key(source))
    }

    /// The vector stored for a content.
    pub(crate) fn ordinal(&self, key: ContentKey) -> Result<Option<u64>> {
        self.get(&vector_key(key))
    }

    /// Every content that has a vector, with its ordinal.
    pub(crate) fn contents(&self) -> impl Iterator<Item = Result<(ContentKey, u64)>> + '_ {
        self.database.prefixed(&[VECTOR]).map(|entry| {
            let (key, value) = entry?;
            let content = key.get(1..).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
            let content = content.ok_or_else(|| damaged("a content key has the wrong length"))?;
            Ok((ContentKey(content), decode(&key, check(&key, &value)?)?))
        })
    }

    /// Documents that were put or removed by commits after `sequence`, each once.
    pub(crate) fn changed_since(&self, sequence: u64) -> Result<Vec<DocumentId>> {
        let mut changed = std::collections::BTreeSet::new();
        let start = change_key(sequence + 1);
        for entry in self.database.range(start..change_key(u64::MAX)) {
            let (key, value) = entry?;
            changed.extend(decode::<Vec<DocumentId>>(&key, check(&key, &value)?)?);
        }
        Ok(changed.into_iter().collect())
    }

    fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>> {
        let Some(value) = self.database.get(key)? else { return Ok(None) };
        decode(key, check(key, &value)?).map(Some)
    }

    fn values<T: DeserializeOwned>(&self, prefix: &[u8]) -> impl Iterator<Item = Result<T>> + use<'_, T> {
        self.database.prefixed(prefix).map(|entry| {
            let (key, value) = entry?;
            decode(&key, check(&key, &value)?)
        })
    }

    /// Bytes on disk.
    pub(crate) fn size_on_disk(&self) -> Result<u64> {
        self.database.size_on_disk()
    }
}

impl Counts {
    fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.totals.add(key, value);
        match key.split_first() {
            Some((&LEDGER, _)) => self.sources.add(&decode(key, check(key, value)?)?),
            Some((&RUN, source)) => {
                let finished = decode(key, check(key, value)?)?;
                self.sources.set_run(&String::from_utf8_lossy(source), Some(finished));
            }
            _ => self.backlog.add(key, value)?,
        }
        Ok(())
    }

    fn remove(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.totals.remove(key, value);
        match key.split_first() {
            Some((&LEDGER, _)) => self.sources.remove(&decode(key, check(key, value)?)?),
            Some((&RUN, source)) => self.sources.set_run(&String::from_utf8_lossy(source), None),
            _ => self.backlog.remove(key, value)?,
        }
        Ok(())
    }
}

impl Totals {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.entries += 1;
        self.digest = self.digest.wrapping_add(entry_digest(value));
        match key.first() {
            Some(&DOCUMENT) => self.documents += 1,
            Some(&CHUNK) => self.chunks += 1,
            _ => {}
        }
    }

    fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.entries = self.entries.saturating_sub(1);
        self.digest = self.digest.wrapping_sub(entry_digest(value));
        match key.first() {
            Some(&DOCUMENT) => self.documents = self.documents.saturating_sub(1),
            Some(&CHUNK) => self.chunks = self.chunks.saturating_sub(1),
            _ => {}
        }
    }
}

/// The frame's checksum spread over 64 bits, so that a sum of many does not cancel out.
pub(crate) fn entry_digest(value: &[u8]) -> u64 {
    let mut head = [0; 4];
    head.copy_from_slice(value.get(..4).unwrap_or(&[0; 4]));
    u64::from(u32::from_le_bytes(head)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn frame<T: Serialize>(key: &[u8], value: &T) -> Vec<u8> {
    // Records are plain data: encoding them into memory cannot fail.
    sealed(key, postcard::to_extend(value, vec![0; 4]).expect("plain data encodes"))
}

/// A value with its checksum in the four bytes that are kept free for it.
fn sealed(key: &[u8], mut framed: Vec<u8>) -> Vec<u8> {
    let checksum = crc32c::crc32c_append(crc32c::crc32c(key), &framed[4..]);
    framed[..4].copy_from_slice(&checksum.to_le_bytes());
    framed
}

pub(crate) fn check<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8]> {
    let (head, payload) = value.split_at_checked(4).ok_or_else(|| damaged("an entry is too short"))?;
    let checksum = crc32c::crc32c_append(crc32c::crc32c(key), payload);
    if head != checksum.to_le_bytes() {
        return Err(damaged(format!("the entry {:?} has a wrong checksum", String::from_utf8_lossy(key))));
    }
    Ok(payload)
}

fn decode<T: DeserializeOwned>(key: &[u8], payload: &[u8]) -> Result<T> {
    postcard::from_bytes(payload)
        .map_err(|error| damaged(format!("the entry {:?} cannot be decoded: {error}", String::from_utf8_lossy(key))))
}

fn damaged(detail: impl Into<String>) -> Error {
    Error::damaged(WHAT, detail)
}

fn document_key(id: DocumentId) -> Vec<u8> {
    [&[DOCUMENT], id.bytes().as_slice()].concat()
}

fn chunk_key(id: DocumentId, number: u32) -> Vec<u8> {
    [&[CHUNK], id.bytes().as_slice(), &number.to_be_bytes()].concat()
}

fn ledger_key(source: &str, path: &str) -> Vec<u8> {
    [&[LEDGER], source.as_bytes(), &[0], path.as_bytes()].concat()
}

fn vector_key(key: ContentKey) -> Vec<u8> {
    [&[VECTOR], key.0.as_slice()].concat()
}

fn run_key(source: &str) -> Vec<u8> {
    [&[RUN], source.as_bytes()].concat()
}

fn change_key(sequence: u64) -> Vec<u8> {
    [&[CHANGE], sequence.to_be_bytes().as_slice()].concat()
}
