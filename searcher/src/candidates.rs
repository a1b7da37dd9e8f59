//! What both legs recall for a query, before anything is made of it: the ground for measuring and tuning fusion.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use storage::Snapshot;

use crate::error::SearchError;
use crate::fuse::Place;
use crate::recall::{LEXICAL, VECTOR};
use crate::search::{SearchRequest, Searcher};

/// Everything that a search would fuse.
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateSet {
    /// In the order of fusion.
    pub passages: Vec<Candidate>,
    /// What a passage scores by BM25 that holds every word of the query once.
    pub whole: f32,
}

/// A passage that a leg recalled.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Path of its document.
    pub path: String,
    /// Rank and BM25 score in the lexical leg.
    pub lexical: Option<Place>,
    /// Rank and cosine in the vector leg.
    pub vector: Option<Place>,
}

impl Searcher {
    /// The passages that a search for this request would fuse, in the order of fusion.
    ///
    /// # Errors
    /// As [`Searcher::search`].
    pub fn candidates(&self, snapshot: &Snapshot, request: &SearchRequest) -> Result<CandidateSet, SearchError> {
        let (_, recalled) = self.recall(snapshot, request)?;
        let mut paths = HashMap::new();
        let whole = recalled.whole;
        let mut passages = Vec::with_capacity(recalled.candidates.len());
        for entry in recalled.candidates {
            // Reading a passage unpacks its text: once for each document.
            let path: &String = match paths.entry(snapshot.group(entry.id)?) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(snapshot.passage(entry.id)?.document.path),
            };
            let (lexical, vector) = (entry.places[LEXICAL], entry.places[VECTOR]);
            passages.push(Candidate { path: path.clone(), lexical, vector });
        }
        Ok(CandidateSet { passages, whole })
    }
}
