//! One file (or pushed text) becomes a document with chunks, or a reason why not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use storage::{Document, FileState, LedgerEntry};

use crate::block::StructuredText;
use crate::chunk::{ChunkLimits, ChunkText, TokenCounter, chunk};
use crate::error::{FileError, Verdict};
use crate::extract::{ExtractLimits, extract};
use crate::read::read_file;
use crate::walk::FoundFile;

/// Bytes above which a passage is not asked whether it has any token.
const SURE_TO_HAVE_TOKENS: usize = 256;

/// Characters of a heading that go into a heading path; longer "headings" are whole paragraphs in disguise.
const MAX_HEADING_CHARS: usize = 200;

/// A file changed this shortly before it is read may change again within the same time stamp.
const RACY_NS: i64 = 2_000_000_000;

/// A text that does not come from a file below the source's root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextDocument {
    /// Path or id, unique in the source.
    pub path: String,
    /// Title, if it has one.
    pub title: Option<String>,
    /// ISO 639-1 code of its language, if it is known; otherwise it is guessed.
    pub language: Option<String>,
    /// The text, in paragraphs.
    pub text: String,
}

/// What there is to read.
pub(crate) enum Job {
    File(FoundFile, Option<LedgerEntry>),
    Text(TextDocument),
}

/// The outcome for one job: always a line for the ledger, and a document if there is text.
pub(crate) struct Prepared {
    pub(crate) entry: LedgerEntry,
    pub(crate) content: Content,
}

pub(crate) enum Content {
    /// A document to put in place of what was there.
    Fresh(Document, Vec<ChunkText>),
    /// What the store has is up to date.
    Unchanged,
    /// There is nothing to search.
    Nothing,
}

/// Everything that reading and chunking depend on.
pub(crate) struct Preparer<'a> {
    pub(crate) source: &'a str,
    pub(crate) counter: &'a (dyn TokenCounter + Sync),
    pub(crate) extract: ExtractLimits,
    pub(crate) chunk: ChunkLimits,
}

impl Preparer<'_> {
    /// Reads, extracts and chunks. A panic in a parser is that file's failure and nobody else's.
    pub(crate) fn prepare(&self, job: Job) -> Prepared {
        let started = Instant::now();
        let mut entry = self.blank_entry(&job);
        let tries = tries_before(&job);
        let outcome = catch_unwind(AssertUnwindSafe(|| self.content(job, &mut entry)));
        let content = match outcome {
            Ok(Ok(content)) => content,
            Ok(Err(error)) => {
                entry.state = state_of(&error, tries);
                Content::Nothing
            }
            Err(_) => {
                let error = "the reader for this format crashed on it; please report the file".to_string();
                entry.state = FileState::Failed { error, tries: tries + 1 };
                Content::Nothing
            }
        };
        entry.micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Prepared { entry, content }
    }

    fn blank_entry(&self, job: &Job) -> LedgerEntry {
        let (path, bytes, modified_ns, inode) = match job {
            Job::File(file, _) => (&file.relative, file.bytes, stamp(file.modified), file.inode),
            Job::Text(text) => (&text.path, text.text.len() as u64, now_ns(), None),
        };
        LedgerEntry {
            source: self.source.to_string(),
            path: path.clone(),
            state: FileState::Indexed { notes: Vec::new() },
            kind: String::new(),
            bytes,
            modified_ns,
            inode,
            content: None,
            characters: 0,
            chunks: 0,
            micros: 0,
        }
    }

    fn content(&self, job: Job, entry: &mut LedgerEntry) -> Result<Content, FileError> {
        match job {
            Job::File(file, known) => self.file(&file, known, entry),
            Job::Text(text) => {
                let modified = entry.modified_ns;
                self.document(structured(text, &self.extract)?, entry, modified)
            }
        }
    }

    fn file(
        &self,
        file: &FoundFile,
        known: Option<LedgerEntry>,
        entry: &mut LedgerEntry,
    ) -> Result<Content, FileError> {
        let bytes = read_file(file, &self.extract)?;
        entry.bytes = bytes.len() as u64;
        let hash = *blake3::hash(&bytes).as_bytes();
        entry.content = Some(hash);
        if let Some(known) = known.filter(|known| is_same(known, &hash, file.modified)) {
            let (modified_ns, inode) = (entry.modified_ns, entry.inode);
            *entry = LedgerEntry { modified_ns, inode, ..known };
            return Ok(Content::Unchanged);
        }
        let extracted = extract(Path::new(&file.relative), &bytes, &self.extract)?;
        self.document(extracted, entry, file.modified)
    }

    fn document(
        &self,
        extracted: StructuredText,
        entry: &mut LedgerEntry,
        modified_ns: i64,
    ) -> Result<Content, FileError> {
        let mut chunks = chunk(&extracted, self.counter, self.chunk);
        // Text without a single token (zero-width characters, say) can neither be embedded nor asked for.
        chunks.retain(|chunk| chunk.text.len() > SURE_TO_HAVE_TOKENS || self.counter.count(&chunk.text) > 0);
        if chunks.is_empty() {
            return Err(FileError::Empty);
        }
        shape_headings(extracted.title.as_deref(), &mut chunks);
        entry.kind = extracted.kind.to_string();
        entry.characters = extracted.text.chars().count() as u64;
        entry.chunks = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        entry.state = FileState::Indexed { notes: extracted.warnings };
        let document = Document {
            source: entry.source.clone(),
            path: entry.path.clone(),
            title: extracted.title.unwrap_or_else(|| title_from(&entry.path)),
            kind: extracted.kind.to_string(),
            language: extracted.language,
            modified: modified_ns.div_euclid(1_000_000_000),
            bytes: entry.bytes,
            metadata: extracted.metadata,
        };
        Ok(Content::Fresh(document, chunks))
    }
}

/// A pushed text is read like a text file, under the title it came with. A bare title is its own text.
fn structured(mut text: TextDocument, limits: &ExtractLimits) -> Result<StructuredText, FileError> {
    if text.text.trim().is_empty() {
        text.text = text.title.take().unwrap_or_default();
    }
    let mut structured = extract(Path::new("text.txt"), text.text.as_bytes(), limits)?;
    structured.title = text.title;
    structured.language = text.language.or(structured.language);
    Ok(structured)
}

/// A title found in the document opens every heading path: a passage alone does not say what it is about. A title made
/// from a file name does not, so that renaming a file changes no content.
fn shape_headings(title: Option<&str>, chunks: &mut [ChunkText]) {
    for chunk in chunks {
        if let Some(title) = title.filter(|title| chunk.headings.first().is_none_or(|first| first != title)) {
            chunk.headings.insert(0, title.to_string());
        }
        for heading in &mut chunk.headings {
            if let Some((end, _)) = heading.char_indices().nth(MAX_HEADING_CHARS) {
                heading.truncate(end);
            }
        }
    }
}

fn title_from(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if stem.is_empty() { name.to_string() } else { stem.to_string() }
}

fn is_same(known: &LedgerEntry, hash: &[u8; 32], modified_ns: i64) -> bool {
    matches!(known.state, FileState::Indexed { .. })
        && known.content.as_ref() == Some(hash)
        && (known.modified_ns == modified_ns || known.modified_ns == RACY_STAMP)
}

fn tries_before(job: &Job) -> u32 {
    match job {
        Job::File(_, Some(LedgerEntry { state: FileState::Failed { tries, .. }, .. })) => *tries,
        _ => 0,
    }
}

fn state_of(error: &FileError, tries: u32) -> FileState {
    match error.verdict() {
        Verdict::Skipped => FileState::Skipped { rule: error.to_string() },
        Verdict::Unreadable => FileState::Unreadable { reason: error.to_string() },
        Verdict::Failed => FileState::Failed { error: error.to_string(), tries: tries + 1 },
    }
}

/// Recorded in place of a time that may not tell the next change: no file has it, so the next run compares the content.
const RACY_STAMP: i64 = i64::MIN;

fn stamp(modified_ns: i64) -> i64 {
    if now_ns().saturating_sub(modified_ns) < RACY_NS { RACY_STAMP } else { modified_ns }
}

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
