//! Near-duplicates: several documents with almost the same text are one result, and the newest of them stands for all.

use serde::Serialize;
use storage::{Document, DocumentId, SimHash, Snapshot};

use crate::search::Group;

/// Whether near-duplicates are one result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Copies {
    /// One result; the others are named with it.
    #[default]
    Together,
    /// Each is a result of its own.
    Apart,
}

/// Another document with almost the same text as the one that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DocumentCopy {
    /// Stable id of the document.
    pub id: String,
    /// Name of its source.
    pub source: String,
    /// Path below the source's root.
    pub path: String,
    /// Title.
    pub title: String,
    /// Last change, seconds of Unix time.
    pub modified: i64,
}

impl DocumentCopy {
    pub(crate) fn of(id: DocumentId, document: Document) -> Self {
        let Document { source, path, title, modified, .. } = document;
        Self { id: id.to_string(), source, path, title, modified }
    }
}

/// Puts each document below the first one that differs from it in no more than `bits` of their fingerprints. The order
/// stays that of the first ones.
pub(crate) fn together(snapshot: &Snapshot, groups: Vec<Group>, bits: u32) -> Vec<Group> {
    let mut kept: Vec<Group> = Vec::with_capacity(groups.len());
    let mut fingerprints: Vec<Option<SimHash>> = Vec::with_capacity(groups.len());
    for group in groups {
        let fingerprint = group.first().and_then(|passage| snapshot.fingerprint(passage));
        let is_near =
            |other: &Option<SimHash>| fingerprint.zip(*other).is_some_and(|(own, other)| own.distance(other) <= bits);
        match fingerprints.iter().position(is_near) {
            Some(place) => kept[place].copies.push(group),
            None => {
                kept.push(group);
                fingerprints.push(fingerprint);
            }
        }
    }
    kept
}
