//! `quarry verify`: every checksum and every cross-reference; `--repair`: everything derived anew.
//!
//! What an interrupted commit leaves behind is no damage: it is noted, not cried about, because the next writer finishes
//! it by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::access::SourceAccess;
use crate::documents::{Changes, Documents, Settings};
use crate::error::{Error, Result, chain};
use crate::layout;
use crate::lexical::LexicalReader;
use crate::lock::Lock;
use crate::record::{Chunk, ContentKey, Document, DocumentId, IndexModel};
use crate::vectorfile::{VectorFile, VectorReader, VectorView};
use crate::{access, edition, files, recover, settings, totals};

/// Most findings of one kind that are listed.
const MAX_FINDINGS: usize = 20;

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The part of the data folder: `documents`, `vectors`, `lexical`, `segments`, `access`, `index.json`, `totals.json`.
    pub part: &'static str,
    /// What is wrong with it.
    pub detail: String,
}

/// What a verification looked at and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Documents checked.
    pub documents: u64,
    /// Chunks checked, each against the vector file and the lexical index.
    pub chunks: u64,
    /// Vectors checked.
    pub vectors: u64,
    /// Everything that is wrong; empty for a sound index.
    pub findings: Vec<Finding>,
    /// What an interrupted commit left undone: the next writer finishes it by itself, and nothing is lost.
    pub notes: Vec<Finding>,
}

impl Verification {
    fn add(&mut self, part: &'static str, detail: impl Into<String>) {
        if self.findings.iter().filter(|finding| finding.part == part).count() < MAX_FINDINGS {
            self.findings.push(Finding { part, detail: detail.into() });
        }
    }

    fn note(&mut self, part: &'static str, detail: impl Into<String>) {
        self.notes.push(Finding { part, detail: detail.into() });
    }

    fn check<T>(&mut self, part: &'static str, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(part, chain(&error))).ok()
    }
}

/// Checks the index in the data folder whole and changes nothing.
///
/// # Errors
/// [`Error::Locked`] if a writer is at work, [`Error::NoIndex`] if there is no index. Damage is not an error but a
/// finding.
pub fn verify(data: &Path) -> Result<Verification> {
    let folder = &edition::in_force(data)?;
    if !layout::documents(folder).exists() && settings::read(folder).is_ok_and(|settings| settings.is_none()) {
        return Err(Error::NoIndex { path: data.to_path_buf() });
    }
    let _lock = Lock::acquire_following(data)?;
    // A rebuild may have ended just before the lock was taken.
    verify_edition(&edition::in_force(data)?)
}

/// Checks the index in one folder, which nobody writes to.
pub(crate) fn verify_edition(folder: &Path) -> Result<Verification> {
    let mut report = Verification::default();
    let described = match settings::read(folder) {
        // What another format says is not for this one to check.
        Err(other @ (Error::Outdated { .. } | Error::Format { .. })) => return Err(other),
        described => report.check("index.json", described).flatten(),
    };
    let Some(documents) = report.check("documents", Documents::open(&layout::documents(folder))) else {
        return Ok(report);
    };
    whole(folder, &documents, described, report)
}

/// Checks the index that a writer has open, which writes nothing meanwhile.
pub(crate) fn verify_open(folder: &Path, documents: &Documents) -> Result<Verification> {
    let mut report = Verification::default();
    let described = report.check("index.json", settings::read(folder)).flatten();
    if report.check("documents", documents.scan()).is_none() {
        return Ok(report);
    }
    whole(folder, documents, described, report)
}

/// Checks all parts against the document store, which has been read whole.
fn whole(
    folder: &Path,
    documents: &Documents,
    described: Option<Settings>,
    mut report: Verification,
) -> Result<Verification> {
    let stored = report.check("documents", documents.settings()).flatten();
    if report.findings.is_empty() && stored != described {
        report.note("index.json", "it is not yet that of the last commit; it is written anew");
    }
    let Some(settings) = stored.or(described) else { return Ok(report) };
    verify_totals(folder, documents, &mut report);
    let vectors = verify_vectors(folder, &settings, documents, &mut report);
    let view = vectors.as_ref().map(VectorReader::view);
    let live = verify_documents(documents, view.as_ref(), &mut report)?;
    verify_ledger(documents, &settings, &mut report)?;
    verify_lexical(folder, documents, &live, &mut report)?;
    verify_accesses(folder, documents, &mut report);
    if let Some(reader) = &vectors {
        let broken = report.check("segments", layout::verify_segments(folder, reader));
        broken.into_iter().flatten().for_each(|detail| report.add("segments", detail));
    }
    Ok(report)
}

fn verify_totals(folder: &Path, documents: &Documents, report: &mut Verification) {
    let expected = documents.index_totals();
    let Some(found) = report.check("totals.json", totals::read(folder)) else { return };
    match found {
        Some(found) if found == expected => {}
        Some(found) if found.sequence == expected.sequence => {
            report.add("totals.json", "its counts are not those of the document store");
        }
        Some(found) if found.sequence > expected.sequence => {
            let (known, last) = (found.sequence, expected.sequence);
            report.add("documents", format!("they end at commit {last}, totals.json knows commit {known}"));
        }
        _ => report.note("totals.json", "it is not yet that of the last commit; it is written anew"),
    }
}

fn verify_vectors(
    folder: &Path,
    settings: &Settings,
    documents: &Documents,
    report: &mut Verification,
) -> Option<VectorReader> {
    let path = layout::vector_file(folder);
    let expected = documents.totals().vectors;
    if expected == 0 && !path.exists() {
        report.note("vectors", "the file is not made yet");
        return None;
    }
    let opened = VectorReader::open(&path, settings.model.dimension, &layout::fingerprint(&settings.model));
    let reader = report.check("vectors", opened.map_err(Error::from))?;
    let view = reader.view();
    report.vectors = view.len();
    if view.len() < expected {
        report.add("vectors", format!("expected {expected} vectors, found {}", view.len()));
    }
    if view.len() > expected {
        report
            .note("vectors", format!("{} are of a commit that was interrupted; they are kept", view.len() - expected));
    }
    let damaged = view.verify();
    // A damaged record that no content is mapped to was given up by an earlier repair.
    for content in documents.contents().filter(|_| !damaged.is_empty()) {
        let mapped = report.check("documents", content).map(|(_, ordinal)| ordinal);
        if let Some(ordinal) = mapped.filter(|ordinal| damaged.binary_search(ordinal).is_ok()) {
            report.add("vectors", format!("vector {ordinal} does not match its checksum"));
        }
    }
    Some(reader)
}

type LivePassages = BTreeMap<(DocumentId, u32), u64>;

/// Checks documents, chunks and their vectors; returns every passage with its ordinal.
fn verify_documents(
    documents: &Documents,
    vectors: Option<&VectorView>,
    report: &mut Verification,
) -> Result<LivePassages> {
    let mut live = LivePassages::new();
    let mut counts = documents.chunk_counts()?;
    for document in documents.documents() {
        let document = document?;
        let id = document.id();
        report.documents += 1;
        counts.remove(&id);
        for (number, chunk) in (0u32..).zip(documents.chunks(id)?) {
            report.chunks += 1;
            if let Some(problem) = vectors.and_then(|vectors| vector_problem(documents, vectors, id, &chunk)) {
                report.add("vectors", format!("{} chunk {number}: {problem}", document.path));
            }
            live.insert((id, number), chunk.ordinal);
        }
    }
    for (id, count) in counts {
        report.add("documents", format!("{count} chunks belong to the unknown document {id}"));
    }
    Ok(live)
}

fn vector_problem(documents: &Documents, vectors: &VectorView, id: DocumentId, chunk: &Chunk) -> Option<String> {
    let key = chunk.key();
    if chunk.awaits_vector() {
        return match documents.waiting_of(id).and_then(|waiting| Ok(waiting.is_some() || documents.is_refused(key)?)) {
            Ok(true) => None,
            Ok(false) => Some("it has no vector, and waits for none".into()),
            Err(error) => Some(chain(&error)),
        };
    }
    match documents.ordinal(key) {
        Err(error) => return Some(chain(&error)),
        Ok(known) if known != Some(chunk.ordinal) => return Some("its content is mapped to another vector".into()),
        Ok(_) => {}
    }
    match vectors.key(chunk.ordinal) {
        Ok(stored) if stored == key.0 => None,
        Ok(_) => Some("its vector was made from other content".into()),
        Err(error) => Some(chain(&error)),
    }
}

fn verify_ledger(documents: &Documents, settings: &Settings, report: &mut Verification) -> Result<()> {
    for source in &settings.sources {
        for entry in documents.ledger(&source.name) {
            let entry = entry?;
            let present = documents.document(DocumentId::of(&entry.source, &entry.path))?.is_some();
            if entry.is_searchable() != present {
                let state = entry.state.label();
                report.add("documents", format!("{} is {state} in the ledger, stored: {present}", entry.path));
            }
        }
    }
    Ok(())
}

fn verify_lexical(folder: &Path, documents: &Documents, live: &LivePassages, report: &mut Verification) -> Result<()> {
    let path = layout::lexical(folder);
    if live.is_empty() && !path.join("meta.json").exists() {
        report.note("lexical", "it is not made yet");
        return Ok(());
    }
    let Some(lexical) = report.check("lexical", LexicalReader::open(&path)) else { return Ok(()) };
    let (applied, last) = (lexical.payload().sequence, documents.totals().sequence);
    if applied > last {
        report.add("documents", format!("they end at commit {last}, the lexical index knows commit {applied}"));
    }
    // Documents of commits that were acknowledged and not yet applied: the log is kept for them.
    let late: BTreeSet<DocumentId> = documents.changed_since(applied)?.into_iter().collect();
    if !late.is_empty() {
        report.note("lexical", format!("{} documents of an interrupted commit are not yet in it", late.len()));
    }
    let mut indexed = LivePassages::new();
    let mut problems = Vec::new();
    let visited = lexical.for_each_ordinal(|passage, ordinal| match lexical.passage(passage) {
        Ok(stored) => {
            indexed.insert((stored.document.id(), stored.number), ordinal);
        }
        Err(error) => problems.push(chain(&error)),
    });
    report.check("lexical", visited);
    problems.into_iter().for_each(|problem| report.add("lexical", problem));
    for ((id, number), ordinal) in live.iter().filter(|((id, _), _)| !late.contains(id)) {
        if indexed.get(&(*id, *number)) != Some(ordinal) {
            report.add("lexical", format!("chunk {number} of document {id} is missing or has another vector"));
        }
    }
    for (id, number) in indexed.keys().filter(|key| !live.contains_key(key) && !late.contains(&key.0)) {
        report.add("lexical", format!("chunk {number} of document {id} is not in the document store"));
    }
    Ok(())
}

fn verify_accesses(folder: &Path, documents: &Documents, report: &mut Verification) {
    let Some(table) = report.check("access", documents.accesses()) else { return };
    // What is wrong with the lexical index is said already.
    let named = match LexicalReader::open(&layout::lexical(folder)) {
        Ok(lexical) => lexical.payload().access,
        Err(_) => return,
    };
    match report.check("access", access::file::read(folder, named)).flatten() {
        Some(known) if known.says_the_same_as(&table) => {}
        Some(_) => report.note("access", "it is not yet that of the last commit; it is written anew"),
        None => report.note("access", "the accesses for readers are not made yet; they are written anew"),
    }
}

/// Rebuilds everything that is derived and drops from the truth what is damaged, so that the next indexing run of the
/// sources reads those files again. Embeddings that are whole are kept. Broken files are moved aside, not deleted.
/// Returns what was done, in words.
///
/// # Errors
/// [`Error::Damaged`] if neither the document store nor `index.json` tells what the index is made of.
pub fn repair(data: &Path, model: &IndexModel) -> Result<Vec<String>> {
    let lock = Lock::acquire(data)?;
    let folder = &edition::in_force(data)?;
    let mut done = Vec::new();
    let described = match settings::read(folder) {
        Ok(settings) => settings,
        Err(Error::Damaged { .. }) => {
            files::quarantine(&settings::path(folder))?;
            done.push("index.json was damaged and has been written anew".to_string());
            None
        }
        Err(other) => return Err(other),
    };
    reset_damaged_documents(folder, described, &mut done)?;
    reset_damaged_vectors(folder, model, &mut done)?;
    [layout::lexical(folder), layout::segments(folder)].iter().try_for_each(|derived| files::remove(derived))?;
    let opened = recover::open(folder, model)?;
    opened.lexical.close()?;
    done.push("the lexical index and the vector segments were rebuilt".to_string());
    drop(lock);
    Ok(done)
}

/// Replaces an unreadable document store by an empty one with the same settings.
fn reset_damaged_documents(folder: &Path, described: Option<Settings>, done: &mut Vec<String>) -> Result<()> {
    let path = layout::documents(folder);
    let usable = Documents::open(&path).and_then(|documents| Ok(documents.settings()?.is_some()));
    match usable {
        Ok(true) => return Ok(()),
        Ok(false) | Err(Error::Damaged { .. }) => {}
        Err(other) => return Err(other),
    }
    let Some(settings) = described else {
        let detail = "neither it nor index.json is readable; index the folders again into a new data folder";
        return Err(Error::damaged("the document store", detail));
    };
    let accesses = access::file::newest(folder);
    files::quarantine(&path)?;
    let mut documents = Documents::open(&path)?;
    let mut changes = Changes::default();
    changes.put_settings(&settings);
    match accesses {
        Some(table) => changes.put_accesses(&table),
        None => {
            let closed = SourceAccess::closed();
            settings.sources.iter().for_each(|source| changes.put_source_access(&source.name, Some(&closed)));
            done.push(
                "who may see what could not be read any more: all sources are closed to everybody but administrators; say it \
                 again with `quarry access set`"
                    .to_string(),
            );
        }
    }
    documents.apply(changes, 0)?;
    settings::write(folder, &settings)?;
    done.push("the document store was damaged; all files will be read again, whole embeddings are kept".to_string());
    Ok(())
}

/// Forgets damaged vectors and the documents that use them; a file that is damaged as a whole is replaced.
fn reset_damaged_vectors(folder: &Path, model: &IndexModel, done: &mut Vec<String>) -> Result<()> {
    let path = layout::vector_file(folder);
    let mut documents = Documents::open(&layout::documents(folder))?;
    let opened = VectorFile::open(&path, model.dimension, &layout::fingerprint(model));
    let mut damaged: Vec<u64> = Vec::new();
    let length = match opened {
        Ok(vectors) => {
            let view = vectors.view()?;
            damaged.extend(view.verify());
            map_whole_vectors(&mut documents, &view)?;
            view.len()
        }
        Err(error) => {
            done.push(format!("the vector file was unusable ({}); all texts will be embedded again", chain(&error)));
            if path.exists() {
                files::quarantine(&path)?;
            }
            VectorFile::create(&path, model.dimension, &layout::fingerprint(model))?;
            0
        }
    };
    damaged.extend(length..documents.totals().vectors);
    forget_users_of(&mut documents, &damaged, length, done)
}

/// Maps the content of every whole vector that the truth does not know.
fn map_whole_vectors(documents: &mut Documents, view: &VectorView) -> Result<()> {
    let mut changes = Changes::default();
    for ordinal in 0..view.len() {
        let Ok(key) = view.key(ordinal) else { continue };
        if documents.ordinal(ContentKey(key))?.is_none() {
            changes.put_vector(ContentKey(key), ordinal);
        }
    }
    if !changes.is_empty() {
        documents.apply(changes, view.len())?;
    }
    Ok(())
}

fn forget_users_of(documents: &mut Documents, damaged: &[u64], length: u64, done: &mut Vec<String>) -> Result<()> {
    if damaged.is_empty() {
        return Ok(());
    }
    let mut changes = Changes::default();
    for content in documents.contents() {
        let (key, ordinal) = content?;
        if damaged.binary_search(&ordinal).is_ok() {
            changes.remove_vector(key);
        }
    }
    let mut forgotten = 0;
    let all: Vec<Document> = documents.documents().collect::<Result<_>>()?;
    for document in all {
        let chunks = documents.chunks(document.id())?;
        if !chunks.iter().any(|chunk| damaged.binary_search(&chunk.ordinal).is_ok()) {
            continue;
        }
        (0u32..).zip(&chunks).for_each(|(number, _)| changes.remove_chunk(document.id(), number));
        changes.remove_document(document.id());
        changes.remove_ledger(&document.source, &document.path);
        forgotten += 1;
    }
    documents.apply(changes, length)?;
    done.push(format!("{} vectors were damaged; {forgotten} documents will be read again", damaged.len()));
    Ok(())
}
