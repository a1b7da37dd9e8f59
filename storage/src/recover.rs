//! Opening: find out what a crash or a fault left behind, finish or rebuild it, and say so.
//!
//! The order is that of a commit. Vectors beyond the acknowledged length were synced before a crash: whole ones are
//! adopted, so that their texts need not be embedded again. The lexical index replays the change log from its payload;
//! if it is damaged it is moved aside and rebuilt. Vector segments are rebuilt from the vector file. Damage to the truth
//! itself is an error: [`repair`](crate::repair) is asked for by the user.

use std::path::Path;

use crate::access::{self, AccessTable};
use crate::attempts::Attempts;
use crate::documents::{Changes, Documents, Settings};
use crate::error::{Error, Result};
use crate::files;
use crate::layout;
use crate::lexical::{LexicalIndex, Payload};
use crate::record::{ContentKey, DocumentId, IndexModel};
use crate::settings;
use crate::totals;
use crate::vectorfile::VectorFile;
use crate::vectors::VectorIndex;

/// Documents replayed between two commits of the lexical index.
const REPLAY_BATCH: usize = 2000;

/// Everything a store consists of, checked and consistent.
pub(crate) struct Opened {
    pub(crate) settings: Settings,
    pub(crate) documents: Documents,
    pub(crate) vectors: VectorFile,
    pub(crate) lexical: LexicalIndex,
    pub(crate) access: AccessTable,
    pub(crate) index: VectorIndex,
    pub(crate) repairs: Vec<String>,
    pub(crate) attempts: Attempts,
}

/// Opens all parts in `folder`, whose lock the caller holds.
pub(crate) fn open(folder: &Path, model: &IndexModel) -> Result<Opened> {
    let mut repairs = Vec::new();
    // A format or damage error of the small file comes first: it may explain all others.
    let described = settings::read(folder)?;
    check_model(described.as_ref(), model)?;
    let mut documents = Documents::open(&layout::documents(folder))?;
    let settings = agree_on_settings(folder, described, &mut documents, model)?;
    let attempts = Attempts::open(folder)?;
    let vectors = open_vectors(folder, model, &mut documents, &mut repairs)?;
    let access = documents.accesses()?;
    let lexical = open_lexical(folder, &mut documents, &access, &mut repairs)?;
    let index = layout::open_vectors_for_writing(folder, &vectors, &mut repairs)?;
    if totals::bring_up_to_date(folder, &documents.index_totals())? {
        repairs.push("totals.json was damaged and has been written anew".to_string());
    }
    Ok(Opened { settings, documents, vectors, lexical, access, index, repairs, attempts })
}

pub(crate) fn check_model(settings: Option<&Settings>, model: &IndexModel) -> Result<()> {
    match settings {
        Some(settings) if settings.model.fingerprint != model.fingerprint => {
            Err(Error::Model { index: settings.model.describe(), given: model.describe() })
        }
        _ => Ok(()),
    }
}

fn agree_on_settings(
    folder: &Path,
    described: Option<Settings>,
    documents: &mut Documents,
    model: &IndexModel,
) -> Result<Settings> {
    let Some(stored) = documents.settings()? else {
        if described.is_some() {
            return Err(Error::damaged("the document store", "it is empty, though index.json describes an index"));
        }
        let fresh = Settings { model: model.clone(), sources: Vec::new() };
        let mut changes = Changes::default();
        changes.put_settings(&fresh);
        documents.apply(changes, 0)?;
        settings::write(folder, &fresh)?;
        return Ok(fresh);
    };
    check_model(Some(&stored), model)?;
    if described.as_ref() != Some(&stored) {
        settings::write(folder, &stored)?;
    }
    Ok(stored)
}

fn open_vectors(
    folder: &Path,
    model: &IndexModel,
    documents: &mut Documents,
    repairs: &mut Vec<String>,
) -> Result<VectorFile> {
    let acknowledged = documents.totals().vectors;
    let path = layout::vector_file(folder);
    if acknowledged == 0 && !path.exists() {
        return Ok(VectorFile::create(&path, model.dimension, &layout::fingerprint(model))?);
    }
    let mut vectors = VectorFile::open(&path, model.dimension, &layout::fingerprint(model))?;
    if vectors.len() < acknowledged {
        let detail = format!("it holds {} vectors, expected {acknowledged}", vectors.len());
        return Err(Error::damaged("the vector file", detail));
    }
    let adopted = adopt_vectors(documents, &mut vectors, acknowledged)?;
    if adopted > 0 {
        repairs.push(format!("kept {adopted} embeddings of an interrupted commit"));
    }
    Ok(vectors)
}

/// Makes whole vectors from `first` on known to the truth and cuts the file at the first damaged one.
pub(crate) fn adopt_vectors(documents: &mut Documents, vectors: &mut VectorFile, first: u64) -> Result<u64> {
    let view = vectors.view()?;
    let mut changes = Changes::default();
    let mut whole = first;
    while whole < view.len() {
        let Ok(key) = view.key(whole) else { break };
        let key = ContentKey(key);
        if documents.ordinal(key)?.is_none() {
            changes.put_vector(key, whole);
        }
        whole += 1;
    }
    if whole < view.len() {
        vectors.truncate_to(whole)?;
    }
    if !changes.is_empty() {
        documents.apply(changes, whole)?;
    }
    Ok(whole - first)
}

fn open_lexical(
    folder: &Path,
    documents: &mut Documents,
    access: &AccessTable,
    repairs: &mut Vec<String>,
) -> Result<LexicalIndex> {
    let path = layout::lexical(folder);
    let opened = LexicalIndex::open(&path).and_then(|index| Ok((index.payload()?, index)));
    let (payload, mut index) = match opened {
        Ok((payload, index)) => (payload, index),
        Err(Error::Damaged { detail, .. }) => {
            repairs.push(format!("the lexical index was damaged ({detail}) and has been rebuilt"));
            files::quarantine(&path)?;
            (None, LexicalIndex::open(&path)?)
        }
        Err(other) => return Err(other),
    };
    let totals = documents.totals();
    let applied = payload.map_or(0, |payload| payload.sequence);
    if applied > totals.sequence {
        let detail = format!("it ends at commit {}, the lexical index knows commit {applied}", totals.sequence);
        return Err(Error::damaged("the document store", detail));
    }
    // First of all: no text is seen before it is said who may see it.
    let access = agree_on_access(folder, access, payload, totals.sequence, repairs)?;
    match payload {
        Some(payload) => replay(documents, &mut index, payload, access, repairs)?,
        None => rebuild_lexical(documents, &mut index, access, |_| Ok(()))?,
    }
    if index.payload()?.map_or(0, |payload| payload.access) != access {
        index.commit(Payload { sequence: totals.sequence, chunks: totals.chunks, access })?;
    }
    access::file::keep_only(folder, access)?;
    if index.payload()?.is_some_and(|payload| payload.chunks != documents.totals().chunks) {
        return Err(Error::damaged("the lexical index", "it does not hold the chunks of the document store"));
    }
    documents.trim_log(totals.sequence)?;
    Ok(index)
}

/// The commit whose file of accesses says what the truth says; writes one if there is none.
fn agree_on_access(
    folder: &Path,
    table: &AccessTable,
    payload: Option<Payload>,
    sequence: u64,
    repairs: &mut Vec<String>,
) -> Result<u64> {
    let named = payload.map_or(0, |payload| payload.access);
    let known = match access::file::read(folder, named) {
        Err(Error::Damaged { detail, .. }) => {
            repairs.push(format!("the accesses for readers were damaged ({detail}) and have been written anew"));
            None
        }
        known => known?,
    };
    if known.is_some_and(|known| known.says_the_same_as(table)) {
        return Ok(named);
    }
    // An index that was never committed has nothing that could name another one.
    let commit = if payload.is_none() && table.is_empty() { 0 } else { sequence };
    access::file::write(folder, commit, table)?;
    Ok(commit)
}

fn replay(
    documents: &Documents,
    index: &mut LexicalIndex,
    payload: Payload,
    access: u64,
    repairs: &mut Vec<String>,
) -> Result<()> {
    let totals = documents.totals();
    let changed = documents.changed_since(payload.sequence)?;
    if changed.is_empty() && payload.chunks == totals.chunks {
        return Ok(());
    }
    for group in changed.chunks(REPLAY_BATCH) {
        apply_to_lexical(documents, index, group)?;
    }
    index.commit(Payload { sequence: totals.sequence, chunks: totals.chunks, access })?;
    repairs.push(format!("finished an interrupted commit: {} documents", changed.len()));
    Ok(())
}

/// Makes the lexical index from the truth. `told` hears how many documents it holds.
pub(crate) fn rebuild_lexical(
    documents: &Documents,
    index: &mut LexicalIndex,
    access: u64,
    mut told: impl FnMut(u64) -> Result<()>,
) -> Result<()> {
    let totals = documents.totals();
    if totals.documents == 0 {
        return Ok(());
    }
    for (done, document) in (1..).zip(documents.documents()) {
        let document = document?;
        index.replace(&document, &documents.chunks(document.id())?)?;
        told(done)?;
    }
    index.commit(Payload { sequence: totals.sequence, chunks: totals.chunks, access })
}

/// Brings the lexical index to the truth's state of these documents; the caller commits.
fn apply_to_lexical(documents: &Documents, index: &LexicalIndex, touched: &[DocumentId]) -> Result<()> {
    for id in touched {
        match documents.document(*id)? {
            Some(document) => index.replace(&document, &documents.chunks(*id)?)?,
            None => index.delete(*id),
        }
    }
    Ok(())
}
