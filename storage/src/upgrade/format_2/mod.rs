//! Format 2, the last one whose passages had neither blocks nor places: how it lies on disk, and how format 3 is made of
//! it.
//!
//! Frozen: what is written here describes data folders that exist, whatever becomes of the types of later formats.

mod blocks;

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use sled::IVec;

use super::Progress;
use crate::block::Place;
use crate::database::{Database, WHAT};
use crate::documents::{self, Documents};
use crate::error::{Error, Result};
use crate::layout;
use crate::record::Chunk;

const DOCUMENT: u8 = b'd';
const CHUNK: u8 = b'c';
const CHANGE: u8 = b'g';
const TOTALS: &[u8] = b"m";
/// Bytes of a document's id, which follow the first byte of the keys of documents and chunks.
const ID: usize = 16;

/// Entries that are written at once.
const BATCH: usize = 2_000;

/// The running totals.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct OldTotals {
    sequence: u64,
    documents: u64,
    chunks: u64,
    vectors: u64,
    entries: u64,
    digest: u64,
}

/// The beginning of a document's record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct OldDocument {
    _source: String,
    _path: String,
    title: String,
    kind: String,
}

/// A passage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct OldChunk {
    headings: Vec<String>,
    text: String,
    span: Range<u64>,
    lines: Range<u32>,
    /// Page, slide or sheet.
    page: Option<u32>,
    ordinal: u64,
}

/// Makes the truth of format 3 in `to` of the index of format 2 in `from`. All checksums are checked on the way.
pub(super) fn convert(from: &Path, to: &Path, progress: &mut Progress<'_>) -> Result<()> {
    let old = Database::open(&layout::documents(from))?;
    let stored: OldTotals = get(&old, TOTALS)?.ok_or_else(|| damaged("its totals are missing"))?;
    progress.begin(stored.documents)?;
    let mut new = Documents::open(&layout::documents(to))?;
    let mut found = OldTotals { sequence: stored.sequence, vectors: stored.vectors, ..OldTotals::default() };
    let (mut batch, mut document, mut done) = (Vec::new(), None, 0);
    for entry in old.all() {
        let (key, value) = entry?;
        let payload = documents::check(&key, &value)?;
        if key == TOTALS {
            continue;
        }
        found.add(&key, &value);
        match key.first() {
            // The lexical index is made anew: it has nothing to catch up with.
            Some(&CHANGE) => continue,
            Some(&CHUNK) => {
                let id = key.get(1..1 + ID).ok_or_else(|| damaged("a chunk's key is too short"))?;
                if document.as_ref().is_none_or(|(known, _): &(IVec, _)| known != id) {
                    done += 1;
                    let described = get(&old, &[&[DOCUMENT], id].concat())?;
                    let described: OldDocument = described.ok_or_else(|| damaged("a chunk has no document"))?;
                    document = Some((IVec::from(id), described));
                }
                let old_chunk: OldChunk = decode(payload)?;
                let Some((_, described)) = &document else { continue };
                let chunk = converted(old_chunk, described);
                batch.push((key.to_vec(), postcard::to_extend(&chunk, Vec::new()).expect("plain data encodes")));
            }
            _ => batch.push((key.to_vec(), payload.to_vec())),
        }
        if batch.len() >= BATCH {
            new.import(std::mem::take(&mut batch), stored.sequence, stored.vectors)?;
            progress.first_half(done)?;
        }
    }
    if found != stored {
        return Err(damaged(format!(
            "expected {} documents, {} chunks and {} entries, found {}, {} and {}, or their contents differ",
            stored.documents, stored.chunks, stored.entries, found.documents, found.chunks, found.entries
        )));
    }
    new.import(batch, stored.sequence, stored.vectors)?;
    progress.first_half(done)
}

impl OldTotals {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.entries += 1;
        self.digest = self.digest.wrapping_add(documents::entry_digest(value));
        match key.first() {
            Some(&DOCUMENT) => self.documents += 1,
            Some(&CHUNK) => self.chunks += 1,
            _ => {}
        }
    }
}

fn converted(chunk: OldChunk, document: &OldDocument) -> Chunk {
    let OldChunk { headings, text, span, lines, page, ordinal } = chunk;
    let blocks = blocks::blocks(&text, &document.kind, headings.len());
    let place = place(page, &headings, document);
    Chunk { headings, text, span, lines, place, blocks, ordinal }
}

/// What the number of a page stood for. A sheet's name is the innermost heading; where small sheets share a passage it is
/// not known, and which cells it was made from never.
fn place(page: Option<u32>, headings: &[String], document: &OldDocument) -> Option<Place> {
    match (document.kind.as_str(), page) {
        ("eml" | "msg", _) => Some(Place::Mail),
        ("pptx" | "ppt" | "odp", Some(number)) => Some(Place::Slide(number)),
        ("xlsx" | "xls" | "xlsb" | "ods", Some(number)) => {
            let name = headings.last().filter(|heading| **heading != document.title).cloned();
            Some(Place::Sheet { number, name: name.unwrap_or_else(|| format!("sheet {number}")), cells: None })
        }
        (_, page) => page.map(Place::Page),
    }
}

fn get<T: for<'de> Deserialize<'de>>(database: &Database, key: &[u8]) -> Result<Option<T>> {
    let Some(value) = database.get(key)? else { return Ok(None) };
    decode(documents::check(key, &value)?).map(Some)
}

/// Reads the beginning of a record: what follows is of no matter here.
fn decode<'de, T: Deserialize<'de>>(payload: &'de [u8]) -> Result<T> {
    let read = postcard::take_from_bytes(payload).map(|(value, _)| value);
    read.map_err(|error| damaged(format!("an entry cannot be decoded: {error}")))
}

fn damaged(detail: impl Into<String>) -> Error {
    Error::damaged(WHAT, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_page_becomes_a_page_a_slide_or_a_sheet() {
        let of = |kind: &str, page, headings: &[&str]| {
            let document =
                OldDocument { _source: "s".into(), _path: "p".into(), title: "Plan".into(), kind: kind.into() };
            let headings: Vec<String> = headings.iter().map(ToString::to_string).collect();
            place(page, &headings, &document).map(|place| place.to_string())
        };
        assert_eq!(of("pdf", Some(4), &[]).as_deref(), Some("page 4"));
        assert_eq!(of("pptx", Some(4), &["Intro"]).as_deref(), Some("slide 4"));
        assert_eq!(of("xlsx", Some(2), &["Plan", "Budget"]).as_deref(), Some("Budget"));
        assert_eq!(of("xlsx", Some(2), &["Plan"]).as_deref(), Some("sheet 2"));
        assert_eq!(of("eml", None, &["Loan"]).as_deref(), Some("mail"));
        assert_eq!(of("markdown", None, &[]), None);
    }
}
