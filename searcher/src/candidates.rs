//! What both legs recall for a query, before anything is made of it: the ground for measuring and tuning fusion.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use storage::Snapshot;

use crate::error::SearchError;
use crate::fuse::Place;
use crate::recall::recall;
use crate::request::SearchRequest;
use crate::search::Searcher;

/// Everything that a search would fuse.
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateSet {
    /// In the order of fusion.
    pub passages: Vec<RecalledPassage>,
    /// What a passage scores by BM25 that holds every word of the query once.
    pub whole: f32,
}

/// A passage that a leg recalled.
#[derive(Debug, Clone, PartialEq)]
pub struct RecalledPassage {
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
        let mut plan = self.plan(snapshot, request.clone())?;
        let recalled = recall(snapshot, &self.config, &mut plan)?;
        let mut paths = HashMap::new();
        let whole = recalled.full_coverage;
        let mut passages = Vec::with_capacity(recalled.candidates.len());
        for entry in recalled.candidates {
            // Reading a passage unpacks its text: once for each document.
            let path: &String = match paths.entry(snapshot.group(entry.passage)?) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(snapshot.passage(entry.passage)?.document.path),
            };
            passages.push(RecalledPassage { path: path.clone(), lexical: entry.lexical, vector: entry.vector });
        }
        Ok(CandidateSet { passages, whole })
    }
}
