//! The documents of recalled passages, by path: what judgements call them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use searcher::Candidate;
use storage::View;

use crate::error::Result;

/// The path of each passage's document, in the order of the passages.
///
/// # Errors
/// The index is damaged.
pub fn paths_of(view: &View, passages: &[Candidate]) -> Result<Vec<String>> {
    let mut known = HashMap::new();
    let path = |passage: &Candidate| -> Result<String> {
        // Reading a passage unpacks its text: once for each document.
        let path = match known.entry(view.group(passage.passage)?) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(view.passage(passage.passage)?.document.path),
        };
        Ok(path.clone())
    };
    passages.iter().map(path).collect()
}
