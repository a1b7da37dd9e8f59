//! One file (or pushed text) becomes a document with chunks, or a reason why not.

use std::collections::HashSet;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use extract::{
    ExtractLimits, Extraction, FileError, MAX_METADATA, Missing, Part, StructuredText, extract, shorten_metadata,
};
use storage::{Attempts, Coverage, DATE_FROM, Document, FileState, LedgerEntry, PageType, STAGE};
use tracing::debug_span;

use crate::access::Told;
use crate::beneath::Root;
use crate::chunk::{ChunkLimits, ChunkText, TokenCounter};
use crate::dates::{self, Changed, DateOrigin};
use crate::history::History;
use crate::ledger::{state_of_error, state_of_text};
use crate::page_type;
use crate::passages::passages;
use crate::permissions::Permissions;
use crate::plan::Work;
use crate::read::{ReadFile, read_open};
use crate::reader::FileReader;
use crate::shingles::fingerprint;
use crate::stop::Stop;
use crate::suspects::{attempt, set_aside};
use crate::walk::FoundFile;

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
    File(Box<Work>),
    /// A file that is not to be touched.
    SetAside(Box<Work>),
    Text(TextDocument),
}

/// The outcome for one document: a line for the ledger, and the document if there is text.
pub(crate) struct Prepared {
    pub(crate) entry: LedgerEntry,
    pub(crate) content: Content,
    /// What the file said of who may see it, as it was read.
    pub(crate) told: Option<Told>,
    /// The attempt that ends once this is committed.
    pub(crate) attempt: Option<u64>,
}

impl Prepared {
    fn new(entry: LedgerEntry, content: Content) -> Self {
        Self { entry, content, told: None, attempt: None }
    }
}

pub(crate) enum Content {
    /// A document to put in place of what was there.
    Fresh(Box<Document>, Vec<ChunkText>),
    /// What the store has is up to date.
    Unchanged,
    /// There is nothing to search.
    Nothing,
    /// It is no longer part of its file: document and ledger line go.
    Gone,
}

/// Everything that reading and chunking depend on.
pub(crate) struct Preparer<'a> {
    pub(crate) source: &'a str,
    /// Where the files lie; none for texts that are no files.
    pub(crate) root: Option<&'a Root>,
    pub(crate) history: &'a History,
    pub(crate) counter: &'a (dyn TokenCounter + Sync),
    pub(crate) reader: &'a dyn FileReader,
    /// How files are asked who may see them, where they are.
    pub(crate) permissions: Option<Permissions>,
    /// See [`crate::reader::version`].
    pub(crate) version: &'a str,
    pub(crate) extract: ExtractLimits,
    pub(crate) chunk: ChunkLimits,
    pub(crate) dated: DateOrigin,
    pub(crate) attempts: &'a Attempts,
    pub(crate) stop: &'a Stop,
}

impl Preparer<'_> {
    /// Reads, extracts and chunks. The file's own line comes last: whoever is interrupted before it starts over with
    /// the whole file. Nothing comes where it was stopped.
    pub(crate) fn prepare(&self, job: Job) -> Vec<Prepared> {
        let started = Instant::now();
        let (mut prepared, attempt) = match job {
            Job::File(work) => {
                let attempt = self.attempts.begin(attempt(self.source, &work, self.version));
                (self.file(*work), Some(attempt))
            }
            Job::SetAside(work) => (self.set_aside(*work), None),
            Job::Text(text) => (vec![self.text(text)], None),
        };
        if self.stop.is_asked() {
            return Vec::new();
        }
        if let Some(own) = prepared.last_mut() {
            own.attempt = attempt;
            own.entry.micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        }
        prepared
    }

    fn blank_entry(&self, path: &str, bytes: u64, modified_ns: i64) -> LedgerEntry {
        LedgerEntry { bytes, modified_ns, ..LedgerEntry::blank(self.source, path, self.version) }
    }

    fn text(&self, text: TextDocument) -> Prepared {
        let entry = self.blank_entry(&text.path, text.text.len() as u64, now_ns());
        let changed = self.changed(entry.modified_ns);
        match structured(text, &self.extract) {
            Ok(structured) => self.document(entry, changed, structured),
            Err(error) => failed(entry, &error, 0),
        }
    }

    fn file(&self, work: Work) -> Vec<Prepared> {
        let Work { file, known, inside } = work;
        let mut entry = self.blank_entry(&file.relative, file.bytes, stamp(file.modified));
        entry.inode = file.inode;
        let tries = known.as_ref().map_or(0, tries_of);
        let read = self.root.ok_or(FileError::Vanished).and_then(|root| self.read(root, &file));
        let (bytes, told) = match read {
            Ok(read) => read,
            Err(error) => return self.with_gone(inside, Vec::new(), failed(entry, &error, tries)),
        };
        entry.bytes = bytes.len() as u64;
        let hash = *blake3::hash(&bytes).as_bytes();
        entry.content = Some(hash);
        if let Some(known) = known.filter(|known| is_same(known, self.version, &hash, file.modified)) {
            let (modified_ns, inode) = (entry.modified_ns, entry.inode);
            let known = LedgerEntry { modified_ns, inode, ..known };
            return vec![Prepared { told, ..Prepared::new(known, Content::Unchanged) }];
        }
        let changed = self.committed(&file.path, &bytes).unwrap_or_else(|| self.changed(file.modified));
        let extracting = debug_span!(target: STAGE, "extract");
        let read =
            extracting.in_scope(|| self.reader.read(Path::new(&file.relative), &bytes, &self.extract, self.stop));
        let mut prepared = match read {
            Ok(extraction) => self.extraction(entry, file.modified, changed, extraction, inside),
            Err(error) => self.with_gone(inside, Vec::new(), failed(entry, &error, tries)),
        };
        prepared.iter_mut().for_each(|prepared| prepared.told.clone_from(&told));
        prepared
    }

    /// The bytes of a file, and what it said as they were read of who may see it.
    fn read(&self, root: &Root, file: &FoundFile) -> Result<(Vec<u8>, Option<Told>), FileError> {
        let ReadFile { bytes, relative, file } = read_open(root, file, &self.extract)?;
        let ask = |of: &Permissions| (of.kind(), of.of_open(root, &relative, file.as_fd()));
        Ok((bytes, self.permissions.as_ref().map(ask)))
    }

    /// The last change as the time of a file or text gives it.
    fn changed(&self, modified_ns: i64) -> Changed {
        Changed { second: modified_ns.div_euclid(1_000_000_000), origin: self.dated }
    }

    /// The last change as the checkout that a file lies in gives it.
    fn committed(&self, file: &Path, bytes: &[u8]) -> Option<Changed> {
        // Who pushes a file says when it was changed.
        let asks = self.dated == DateOrigin::File;
        asks.then(|| self.history.committed(file, bytes, self.stop)).flatten().and_then(dates::committed)
    }

    /// The documents inside of a file, what is no longer inside, and the file itself.
    fn extraction(
        &self,
        mut entry: LedgerEntry,
        modified_ns: i64,
        changed: Changed,
        extraction: Extraction,
        inside: Vec<String>,
    ) -> Vec<Prepared> {
        let parts: Vec<Prepared> =
            extraction.parts.into_iter().map(|part| self.part(&entry.path, modified_ns, changed, part)).collect();
        let own = match extraction.document {
            Some(mut document) => {
                document.warnings.extend(extraction.warnings);
                self.document(entry, changed, document)
            }
            None => {
                let mut notes = vec![format!("{} files inside", parts.len())];
                notes.extend(extraction.warnings);
                entry.kind = extraction.kind;
                entry.state = FileState::Indexed { notes };
                Prepared::new(entry, Content::Nothing)
            }
        };
        self.with_gone(inside, parts, own)
    }

    fn part(&self, file: &str, file_modified_ns: i64, of_file: Changed, part: Part) -> Prepared {
        let own_ns = part.modified.map(|seconds| seconds.saturating_mul(1_000_000_000));
        let (modified_ns, changed) = own_ns.map_or((file_modified_ns, of_file), |own| (own, self.changed(own)));
        let entry = self.blank_entry(&format!("{file}/{}", part.path), part.bytes, modified_ns);
        match part.outcome {
            Ok(document) => self.document(entry, changed, document),
            Err(error) => failed(entry, &error, 0),
        }
    }

    /// All outcomes of a file in the order in which they may be committed.
    fn with_gone(&self, inside: Vec<String>, parts: Vec<Prepared>, own: Prepared) -> Vec<Prepared> {
        let mut all = parts;
        let kept: HashSet<String> = all.iter().map(|part| part.entry.path.clone()).collect();
        for path in inside.into_iter().filter(|path| !kept.contains(path)) {
            all.push(Prepared::new(self.blank_entry(&path, 0, 0), Content::Gone));
        }
        all.push(own);
        all
    }

    /// The outcome for a file that is not even opened.
    pub(crate) fn set_aside(&self, work: Work) -> Vec<Prepared> {
        let mut entry = self.blank_entry(&work.file.relative, work.file.bytes, work.file.modified);
        entry.inode = work.file.inode;
        entry.state = set_aside();
        self.with_gone(work.inside, Vec::new(), Prepared::new(entry, Content::Nothing))
    }

    fn document(&self, mut entry: LedgerEntry, changed: Changed, mut extracted: StructuredText) -> Prepared {
        #[cfg(debug_assertions)]
        storage::die_on(&extracted.text);
        let chunking = debug_span!(target: STAGE, "chunk");
        let chunks = chunking.in_scope(|| passages(&extracted, self.counter, self.chunk, self.stop));
        let Some(mut chunks) = chunks else {
            return failed(entry, &FileError::Stopped, 0);
        };
        if chunks.is_empty() {
            return failed(entry, &FileError::Empty, 0);
        }
        bound_passages(&mut extracted, &mut chunks);
        // What a document says of itself under this name is not what is meant.
        extracted.metadata.remove(PageType::KEY);
        if let Some(page) = page_type::told(&entry.path, &extracted) {
            extracted.metadata.insert(PageType::KEY.to_string(), page.name().to_string());
        }
        entry.kind = extracted.kind.clone();
        entry.characters = extracted.text.chars().count() as u64;
        entry.chunks = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        entry.coverage = extracted.pages.map(|pages| Coverage { pages: pages.all, with_text: pages.with_text });
        entry.state = state_of_text(&extracted.missing, extracted.warnings);
        let changed = dates::stated(&extracted.metadata, &extracted.kind).unwrap_or(changed);
        extracted.metadata.insert(DATE_FROM.to_string(), changed.origin.to_string());
        let document = Document {
            source: entry.source.clone(),
            path: entry.path.clone(),
            title: extracted.title.unwrap_or_else(|| title_from(&entry.path)),
            kind: extracted.kind,
            language: extracted.language,
            modified: changed.second,
            bytes: entry.bytes,
            metadata: extracted.metadata,
            fingerprint: Some(fingerprint(&extracted.text)),
        };
        Prepared::new(entry, Content::Fresh(Box::new(document), chunks))
    }
}

/// Passages of one document that are searchable: what the largest text that is read gives, and more.
const MAX_PASSAGES: usize = 50_000;

/// Bytes of metadata that all passages of a document store together: each has a copy to be shown from.
const MAX_COPIES: usize = 64 << 20;

/// Keeps what one document costs further on within bounds, and says what was left out.
fn bound_passages(document: &mut StructuredText, chunks: &mut Vec<ChunkText>) {
    if chunks.len() > MAX_PASSAGES {
        let reason =
            format!("it has {} passages, the first {MAX_PASSAGES} are searchable; split the file", chunks.len());
        document.missing.push(Missing { part: "its end".to_string(), reason });
        chunks.truncate(MAX_PASSAGES);
    }
    if shorten_metadata(&mut document.metadata, (MAX_COPIES / chunks.len().max(1)).min(MAX_METADATA)) {
        document
            .warnings
            .push("what it says of itself was too long for its many passages and has been shortened".into());
    }
}

fn failed(mut entry: LedgerEntry, error: &FileError, tries: u32) -> Prepared {
    entry.state = state_of_error(error, tries);
    Prepared::new(entry, Content::Nothing)
}

/// A pushed text is read like a text file, under the title it came with. A bare title is its own text.
fn structured(mut text: TextDocument, limits: &ExtractLimits) -> Result<StructuredText, FileError> {
    if text.text.trim().is_empty() {
        text.text = text.title.take().unwrap_or_default();
    }
    let extraction = extract(Path::new("text.txt"), text.text.as_bytes(), limits)?;
    let mut structured = extraction.document.ok_or(FileError::Empty)?;
    structured.title = text.title;
    structured.language = text.language.or(structured.language);
    Ok(structured.bounded())
}

fn title_from(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if stem.is_empty() { name.to_string() } else { stem.to_string() }
}

fn is_same(known: &LedgerEntry, version: &str, hash: &[u8; 32], modified_ns: i64) -> bool {
    let read = matches!(known.state, FileState::Indexed { .. } | FileState::Partly { .. });
    read && known.reader == version
        && known.content.as_ref() == Some(hash)
        && (known.modified_ns == modified_ns || known.modified_ns == RACY_STAMP)
}

fn tries_of(known: &LedgerEntry) -> u32 {
    match known.state {
        FileState::Failed { tries, .. } => tries,
        _ => 0,
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

#[cfg(test)]
mod tests {
    use storage::ContentKey;

    use super::*;

    fn document() -> StructuredText {
        extract(Path::new("a.md"), b"# Title\n\ntext", &ExtractLimits::default()).unwrap().document.unwrap()
    }

    fn chunk() -> ChunkText {
        ChunkText {
            text: "x".to_string(),
            headings: Vec::new(),
            span: 0..1,
            lines: 1..2,
            place: None,
            blocks: Vec::new(),
            key: ContentKey::of(&[], "x"),
        }
    }

    #[test]
    fn a_document_of_countless_passages_is_partly_searchable() {
        let (mut text, mut chunks) = (document(), vec![chunk(); MAX_PASSAGES + 5]);
        bound_passages(&mut text, &mut chunks);
        assert_eq!(chunks.len(), MAX_PASSAGES);
        let state = state_of_text(&text.missing, text.warnings);
        assert!(state.label() == "partly" && state.reason().contains("50005 passages"), "{}", state.reason());
    }

    #[test]
    fn metadata_is_not_multiplied_by_passages_without_a_bound() {
        let mut text = document();
        text.metadata.insert("author".to_string(), "a".repeat(900));
        text.metadata.extend((0..7).map(|n| (format!("k{n}"), "v".repeat(1000))));
        let before = text.metadata.clone();
        bound_passages(&mut text, &mut vec![chunk(); 100]);
        assert_eq!((&text.metadata, text.warnings.len()), (&before, 0));
        let mut many = vec![chunk(); MAX_PASSAGES];
        bound_passages(&mut text, &mut many);
        let bytes: usize = text.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        assert!(bytes * many.len() <= MAX_COPIES && text.metadata.contains_key("author"), "{bytes}");
        assert_eq!(text.warnings.len(), 1);
    }
}
