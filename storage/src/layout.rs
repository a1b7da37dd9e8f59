//! The layout of a data folder, and the upkeep of its vector side.
//!
//! ```text
//! index.json     format version, model, sources: what a reader needs first
//! totals.json    counts as of the last commit, for readers
//! LOCK           held by the writer
//! documents/     sled: documents, chunks, ledger, change log, content -> vector
//! vectors.bin    the vector file
//! lexical/       tantivy
//! segments/      sealed vector segments and their manifest
//! attempts.log   files that were under way, should the process die; absent where there is nothing to remember
//! ```
//!
//! All but the lock is in `index-N/` once there was a rebuild or an upgrade: see `edition`.

use std::path::{Path, PathBuf};

use crate::error::{Result, chain};
use crate::placement::Placement;
use crate::record::IndexModel;
use crate::vectorfile::{Fingerprint, VectorFile, VectorReader};
use crate::vectors::{Access, SealParams, VectorIndex};
use crate::{access, attempts, files, settings, totals};

/// Vectors that may wait in the tail, where every search scans them, before they are sealed into a segment.
const TAIL_VECTORS: usize = 32_768;

pub(crate) fn documents(folder: &Path) -> PathBuf {
    folder.join("documents")
}

pub(crate) fn lexical(folder: &Path) -> PathBuf {
    folder.join("lexical")
}

pub(crate) fn segments(folder: &Path) -> PathBuf {
    folder.join("segments")
}

pub(crate) fn vector_file(folder: &Path) -> PathBuf {
    folder.join("vectors.bin")
}

/// Everything that an index consists of.
pub(crate) fn parts(folder: &Path) -> Vec<PathBuf> {
    let truth = [documents(folder), vector_file(folder), settings::path(folder), attempts::path(folder)];
    let derived = [totals::path(folder), lexical(folder), segments(folder), access::file::folder(folder)];
    [&truth[..], &derived].concat()
}

/// The bytes that stand for a model in the vector file.
pub(crate) fn fingerprint(model: &IndexModel) -> Fingerprint {
    *blake3::hash(model.fingerprint.as_bytes()).as_bytes()
}

/// Bytes on disk by part.
pub(crate) fn sizes(folder: &Path) -> Vec<(&'static str, u64)> {
    let parts = [
        ("documents", documents(folder)),
        ("vectors", vector_file(folder)),
        ("lexical index", lexical(folder)),
        ("vector segments", segments(folder)),
    ];
    parts.map(|(name, path)| (name, files::size_of(&path))).to_vec()
}

/// The vector index as a process that only searches sees it. Vectors of a damaged segment are scanned instead: slower,
/// but the same answers.
pub(crate) fn open_vectors_for_reading(folder: &Path, model: &IndexModel) -> Result<VectorIndex> {
    let reader = VectorReader::open(&vector_file(folder), model.dimension, &fingerprint(model))?;
    let (index, report) = VectorIndex::open(&segments(folder), &reader, Access::Reader, SealParams::default())?;
    for broken in report.broken {
        tracing::warn!("{}; until it is repaired its vectors are scanned one by one", chain(&broken.reason));
    }
    Ok(index)
}

/// The vector index for the writer; what is broken is put aside and said.
pub(crate) fn open_vectors_for_writing(
    folder: &Path,
    vectors: &VectorFile,
    repairs: &mut Vec<String>,
) -> Result<VectorIndex> {
    let reader = vectors.reader()?;
    let (index, report) = VectorIndex::open(&segments(folder), &reader, Access::Writer, SealParams::default())?;
    for broken in report.broken {
        repairs.push(format!("a vector segment was damaged and is rebuilt ({})", chain(&broken.reason)));
    }
    Ok(index)
}

/// The index with all live vectors in it; a long tail is sealed and worn segments are rebuilt.
pub(crate) fn take_in_vectors(index: &VectorIndex, placement: &Placement) -> Result<VectorIndex> {
    let mut index = index.extend(placement.live())?;
    if index.tail_len() >= tail_vectors() {
        index = index.seal_tail()?;
    }
    if index.needs_merge(placement.live()) {
        index = index.merge(placement.live())?;
    }
    Ok(index)
}

#[cfg(not(debug_assertions))]
fn tail_vectors() -> usize {
    TAIL_VECTORS
}

/// Builds for tests seal earlier when `QUARRY_SEAL_AT` says so: a crash test cannot wait for 32,768 passages.
#[cfg(debug_assertions)]
fn tail_vectors() -> usize {
    std::env::var("QUARRY_SEAL_AT").ok().and_then(|count| count.parse().ok()).unwrap_or(TAIL_VECTORS)
}

/// Says what is wrong with the segments.
pub(crate) fn verify_segments(folder: &Path, reader: &VectorReader) -> Result<Vec<String>> {
    let (_, report) = VectorIndex::open(&segments(folder), reader, Access::Reader, SealParams::default())?;
    Ok(report.broken.into_iter().map(|broken| chain(&broken.reason)).collect())
}
