//! The records that are stored about documents: the truth.
//!
//! Every other room speaks of documents through these types. They hold plain data; how they are encoded and checked is
//! `documents`' business.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::block::{Block, Place};
use crate::page_type::PageType;
use crate::simhash::SimHash;

/// Stable identity of a document: a hash of its source's name and its path below the source's root.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DocumentId([u8; 16]);

impl DocumentId {
    /// The id of the document at `path` (with `/` between parts) in `source`.
    pub fn of(source: &str, path: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(source.as_bytes()).update(&[0]).update(path.as_bytes());
        Self(first_16(&hasher.finalize()))
    }

    /// Reads an id as it is displayed: 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 16];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A 64-bit stand-in, used to group passages without reading them.
    pub(crate) fn group(&self) -> u64 {
        let mut head = [0; 8];
        head.copy_from_slice(&self.0[..8]);
        u64::from_le_bytes(head)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentId({self})")
    }
}

/// What a vector was made from: a hash of a chunk's heading path and text. Equal keys share one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentKey(pub(crate) [u8; 16]);

impl ContentKey {
    /// The key of a chunk with this text under these headings.
    pub fn of(headings: &[String], text: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        for heading in headings {
            hasher.update(heading.as_bytes()).update(&[0]);
        }
        hasher.update(&[1]).update(text.as_bytes());
        Self(first_16(&hasher.finalize()))
    }
}

/// What is embedded of a chunk: its heading path, then its text. A [`ContentKey`] stands for exactly this.
pub fn embedding_text(headings: &[String], text: &str) -> String {
    if headings.is_empty() {
        return text.to_string();
    }
    format!("{}\n{text}", headings.join(" > "))
}

fn first_16(hash: &blake3::Hash) -> [u8; 16] {
    let mut head = [0; 16];
    head.copy_from_slice(&hash.as_bytes()[..16]);
    head
}

/// A folder that is indexed under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Unique within the index; part of every document's id.
    pub name: String,
    /// Absolute path of the folder.
    pub root: PathBuf,
}

/// A file that was read, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Name of the source it belongs to.
    pub source: String,
    /// Path below the source's root, with `/` between parts.
    pub path: String,
    /// Title for people; never empty.
    pub title: String,
    /// Type: `markdown`, `html`, `text`, `rust`, ...
    pub kind: String,
    /// ISO 639-1 code of the main language, where it could be told.
    pub language: Option<String>,
    /// Last change in seconds of Unix time: as the document states it, or of its file.
    pub modified: i64,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Further facts the document states of itself: author, date, ...
    pub metadata: BTreeMap<String, String>,
    /// Fingerprint of its text, by which near-duplicates are told.
    pub fingerprint: Option<SimHash>,
}

/// The key of [`Document::metadata`] that says where [`Document::modified`] comes from.
pub const DATE_FROM: &str = "date_from";

impl Document {
    /// Where its date comes from, where that was told: the name of one of the indexer's origins.
    pub fn date_from(&self) -> Option<&str> {
        self.metadata.get(DATE_FROM).map(String::as_str)
    }

    /// What it is, where it is no prose.
    pub fn page_type(&self) -> Option<PageType> {
        self.metadata.get(PageType::KEY).and_then(|name| PageType::named(name))
    }

    /// This document's identity.
    pub fn id(&self) -> DocumentId {
        DocumentId::of(&self.source, &self.path)
    }

    /// The document as each of its passages carries it: what it says of itself within bounds, for it is analysed and
    /// stored as often as there are passages. Readers bound it further; an index may be older than that.
    pub(crate) fn carried(&self) -> Cow<'_, Self> {
        let size: usize = self.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        if self.title.len() <= MAX_TITLE && size <= MAX_METADATA {
            return Cow::Borrowed(self);
        }
        let mut carried = self.clone();
        let end = (0..=MAX_TITLE.min(self.title.len())).rev().find(|at| self.title.is_char_boundary(*at));
        carried.title.truncate(end.unwrap_or(0));
        let mut left = MAX_METADATA;
        carried.metadata.retain(|key, value| {
            let fits = key.len() + value.len() <= left;
            left -= if fits { key.len() + value.len() } else { 0 };
            fits
        });
        Cow::Owned(carried)
    }
}

/// Bytes of a title that passages carry.
const MAX_TITLE: usize = 1_000;
/// Bytes of metadata that passages carry.
const MAX_METADATA: usize = 16_000;

/// A passage of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Headings above the passage, outermost first.
    pub headings: Vec<String>,
    /// The passage's text.
    pub text: String,
    /// Bytes of the document's extracted text that the passage covers.
    pub span: Range<u64>,
    /// Lines of the file it comes from, counted from 1, end excluded.
    pub lines: Range<u32>,
    /// Page, slide, cells or mail that it begins on, for formats that have them.
    pub place: Option<Place>,
    /// The blocks of its text.
    pub blocks: Vec<Block>,
    /// Number of its vector in the vector file, which holds its content key; [`AWAITED`] where the vector is still to come.
    pub ordinal: u64,
}

/// The ordinal of a passage whose vector is not there yet: it is found by its words alone.
pub const AWAITED: u64 = u64::MAX;

impl Chunk {
    /// Whether its vector is still to come.
    pub fn awaits_vector(&self) -> bool {
        self.ordinal == AWAITED
    }

    /// The key of its headings and text.
    pub fn key(&self) -> ContentKey {
        ContentKey::of(&self.headings, &self.text)
    }
}

/// A chunk on its way into the store: like [`Chunk`], with the vector itself where it is not stored yet.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkDraft {
    /// See [`Chunk::headings`].
    pub headings: Vec<String>,
    /// See [`Chunk::text`].
    pub text: String,
    /// See [`Chunk::span`].
    pub span: Range<u64>,
    /// See [`Chunk::lines`].
    pub lines: Range<u32>,
    /// See [`Chunk::place`].
    pub place: Option<Place>,
    /// See [`Chunk::blocks`].
    pub blocks: Vec<Block>,
    /// The key of its headings and text, which whoever made the chunk has told once.
    pub key: ContentKey,
    /// The normalised embedding, or `None` where the store already holds one for this content.
    pub vector: Option<Vec<f32>>,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Read whole and searchable.
    Indexed {
        /// Remarks worth knowing, such as a guessed encoding.
        notes: Vec<String>,
    },
    /// Searchable, but not all of it could be read.
    Partly {
        /// Each part that is missing, with its reason: `page 3: no text layer, ..`.
        missing: Vec<String>,
        /// As in [`FileState::Indexed`].
        notes: Vec<String>,
    },
    /// Left out by a rule.
    Skipped {
        /// The rule, in words.
        rule: String,
    },
    /// Could not be read; trying again without a change will not help.
    Unreadable {
        /// Why, and what would help.
        reason: String,
    },
    /// Something went wrong that may pass; tried again at the next run.
    Failed {
        /// The error.
        error: String,
        /// How many runs failed in a row.
        tries: u32,
    },
}

impl FileState {
    /// The state's name: `indexed`, `partly`, `skipped`, `unreadable` or `failed`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Indexed { .. } => "indexed",
            Self::Partly { .. } => "partly",
            Self::Skipped { .. } => "skipped",
            Self::Unreadable { .. } => "unreadable",
            Self::Failed { .. } => "failed",
        }
    }

    /// Whether its text is missing from the index though it should be there.
    pub fn is_unread(&self) -> bool {
        matches!(self, Self::Unreadable { .. } | Self::Failed { .. })
    }

    /// Why the file is in this state, for people; empty where there is nothing to say.
    pub fn reason(&self) -> String {
        match self {
            Self::Indexed { notes } => notes.join("; "),
            Self::Partly { missing, notes } => [missing.as_slice(), notes.as_slice()].concat().join("; "),
            Self::Skipped { rule } => rule.clone(),
            Self::Unreadable { reason } => reason.clone(),
            Self::Failed { error, tries } => format!("{error} (tries: {tries})"),
        }
    }
}

/// One line of the ledger: a file of a source and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Name of the source.
    pub source: String,
    /// Path below the source's root.
    pub path: String,
    /// What became of it.
    pub state: FileState,
    /// Type as recognised, empty where it was not.
    pub kind: String,
    /// Size in bytes when it was last seen.
    pub bytes: u64,
    /// Modification time in nanoseconds of Unix time when it was last seen.
    pub modified_ns: i64,
    /// Device and inode, where the system has them.
    pub inode: Option<(u64, u64)>,
    /// BLAKE3 hash of the content, where it was read.
    pub content: Option<[u8; 32]>,
    /// Characters of extracted text.
    pub characters: u64,
    /// Number of chunks.
    pub chunks: u32,
    /// Time spent on reading, extracting and chunking, in microseconds.
    pub micros: u64,
    /// How much of a paged document has a text layer; `None` for files without pages.
    pub coverage: Option<Coverage>,
    /// Version of quarry that read the file: what an older one failed on is tried again.
    pub reader: String,
}

impl LedgerEntry {
    /// A line that says nothing yet of a file but where it is and what reads it.
    pub fn blank(source: &str, path: &str, reader: &str) -> Self {
        Self {
            source: source.to_string(),
            path: path.to_string(),
            state: FileState::Indexed { notes: Vec::new() },
            kind: String::new(),
            bytes: 0,
            modified_ns: 0,
            inode: None,
            content: None,
            characters: 0,
            chunks: 0,
            micros: 0,
            coverage: None,
            reader: reader.to_string(),
        }
    }

    /// Whether a document of this file is in the index. An archive has none of its own: the files inside have lines of
    /// their own.
    pub fn is_searchable(&self) -> bool {
        self.chunks > 0 && matches!(self.state, FileState::Indexed { .. } | FileState::Partly { .. })
    }
}

/// How many pages of a document have text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// All pages.
    pub pages: u32,
    /// Those with a text layer.
    pub with_text: u32,
}

/// The model an index was built with. Vectors of different models are never mixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexModel {
    /// Name for people.
    pub name: String,
    /// Hash over weights, tokenizer, prompts and dimension.
    pub fingerprint: String,
    /// Length of its vectors.
    pub dimension: usize,
}

impl IndexModel {
    /// Name, dimension and the head of the fingerprint, for people.
    pub fn describe(&self) -> String {
        let short = self.fingerprint.get(..8).unwrap_or(&self.fingerprint);
        format!("{} ({} dimensions, {short})", self.name, self.dimension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passages_carry_is_bounded() {
        let plain = Document {
            source: "a".to_string(),
            path: "b.md".to_string(),
            title: "Größe".to_string(),
            kind: "markdown".to_string(),
            language: None,
            modified: 0,
            bytes: 1,
            metadata: BTreeMap::from([("author".to_string(), "Ada".to_string())]),
            fingerprint: None,
        };
        assert!(matches!(plain.carried(), Cow::Borrowed(_)));
        let mut big = Document { title: "ß".repeat(10 << 20), ..plain.clone() };
        big.metadata.insert("z".to_string(), "v".repeat(10 << 20));
        let carried = big.carried().into_owned();
        assert!(carried.title.len() <= MAX_TITLE && carried.title.starts_with("ßß"));
        assert_eq!((carried.id(), carried.metadata), (plain.id(), plain.metadata));
    }
}
