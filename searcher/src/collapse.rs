//! Collapse: near-duplicates, several documents with almost the same text, become one result.

use storage::{SimHash, Snapshot};

use crate::group::Group;

/// Puts each document below the first one that differs from it in no more than `bits` of their fingerprints. The order
/// stays that of the first ones.
pub(crate) fn collapse(snapshot: &Snapshot, groups: Vec<Group>, bits: u32) -> Vec<Group> {
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
