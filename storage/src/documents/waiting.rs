//! Documents with passages whose vectors are still to come, and contents of which no vector can be made.

use serde::{Deserialize, Serialize};

use super::{Changes, Documents, check, damaged, decode};
use crate::error::Result;
use crate::record::{ContentKey, DocumentId};

const WAITING: u8 = b'w';
const REFUSED: u8 = b'n';

/// What a document waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingDocument {
    /// Passages without a vector.
    pub passages: u64,
    /// Bytes of their texts.
    pub bytes: u64,
    /// Seconds of Unix time: the date of the document.
    pub modified: i64,
    /// Whether its first passage waits no more.
    pub is_begun: bool,
}

/// Passages whose vectors are still to come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Documents with such a passage.
    pub documents: u64,
    /// The passages.
    pub passages: u64,
    /// Bytes of their texts.
    pub bytes: u64,
}

impl Waiting {
    /// Whether all vectors are there.
    pub fn is_over(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, document: WaitingDocument) {
        self.documents += 1;
        self.passages += document.passages;
        self.bytes += document.bytes;
    }

    fn remove(&mut self, document: WaitingDocument) {
        self.documents = self.documents.saturating_sub(1);
        self.passages = self.passages.saturating_sub(document.passages);
        self.bytes = self.bytes.saturating_sub(document.bytes);
    }
}

/// What waits, and contents that nobody waits for any more.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BacklogCounts {
    pub(super) waiting: Waiting,
    /// Contents of which no vector can be made.
    pub(super) refused: u64,
}

impl BacklogCounts {
    /// Counts an entry, if it is of the backlog.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        match key.first() {
            Some(&WAITING) => self.waiting.add(decode(key, check(key, value)?)?),
            Some(&REFUSED) => self.refused += 1,
            _ => {}
        }
        Ok(())
    }

    /// Takes an entry out of the counts.
    pub(super) fn remove(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        match key.first() {
            Some(&WAITING) => self.waiting.remove(decode(key, check(key, value)?)?),
            Some(&REFUSED) => self.refused = self.refused.saturating_sub(1),
            _ => {}
        }
        Ok(())
    }
}

impl Changes {
    /// What a document waits for; `None` if for nothing.
    pub(crate) fn put_waiting(&mut self, id: DocumentId, waiting: Option<WaitingDocument>) {
        let key = waiting_key(id);
        match waiting {
            Some(waiting) => self.put(key, &waiting),
            None => self.writes.push((key, None)),
        }
    }

    /// Notes that no vector can be made of a content.
    pub(crate) fn put_refused(&mut self, content: ContentKey) {
        self.put_mark(refused_key(content));
    }
}

impl Documents {
    /// How much waits.
    pub(crate) fn waiting_totals(&self) -> Waiting {
        self.counts.backlog.waiting
    }

    /// What a document waits for.
    pub(crate) fn waiting_of(&self, id: DocumentId) -> Result<Option<WaitingDocument>> {
        self.get(&waiting_key(id))
    }

    /// Every document that waits for vectors.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Result<(DocumentId, WaitingDocument)>> + '_ {
        self.database.prefixed(&[WAITING]).map(|entry| {
            let (key, value) = entry?;
            let id = key.get(1..).and_then(|id| <[u8; 16]>::try_from(id).ok());
            let id = id.ok_or_else(|| damaged("the key of a waiting document has the wrong length"))?;
            Ok((DocumentId::from_bytes(id), decode(&key, check(&key, &value)?)?))
        })
    }

    /// Whether no vector can be made of a content.
    pub(crate) fn is_refused(&self, content: ContentKey) -> Result<bool> {
        Ok(self.get::<()>(&refused_key(content))?.is_some())
    }
}

fn waiting_key(id: DocumentId) -> Vec<u8> {
    [&[WAITING], id.bytes().as_slice()].concat()
}

fn refused_key(content: ContentKey) -> Vec<u8> {
    [&[REFUSED], content.0.as_slice()].concat()
}
