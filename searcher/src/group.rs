//! Groups: the candidates of one document together, best document first.

use std::collections::HashMap;

use crate::candidate::Candidate;
use crate::config::SearchConfig;

/// Passages of one document, best first, and the score of the document.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The number of the document in the view.
    pub(crate) document: u32,
    pub(crate) passages: Vec<Candidate>,
    pub(crate) score: f64,
    /// Documents with almost the same text, best first.
    pub(crate) copies: Vec<Group>,
}

impl Group {
    pub(crate) fn new(document: u32) -> Self {
        Self { document, passages: Vec::new(), score: 0.0, copies: Vec::new() }
    }

    /// Whether the reranker has read what the document stands for.
    pub(crate) fn is_read(&self) -> bool {
        self.passages.first().is_some_and(|candidate| candidate.relevance.is_some())
    }
}

/// Passages of the same document together, best document first.
///
/// In the order of recall, a document counts `s1 + d * s2 + d^2 * s3` for its best passages and a decay `d`: several
/// passages that agree are better evidence than one. A reranker judges each passage for itself; there the best one counts.
pub(crate) fn group(ranked: Vec<Candidate>, config: &SearchConfig) -> Vec<Group> {
    let is_judged = ranked.iter().any(|candidate| candidate.relevance.is_some());
    let decay = if is_judged { 0.0 } else { config.passage_decay };
    let mut places = HashMap::new();
    let mut documents: Vec<Group> = Vec::new();
    for candidate in ranked {
        let place = *places.entry(candidate.document).or_insert_with(|| {
            documents.push(Group::new(candidate.document));
            documents.len() - 1
        });
        let document = &mut documents[place];
        if let Ok(earlier) = i32::try_from(document.passages.len())
            && document.passages.len() < config.passages_per_document
        {
            document.score += candidate.score * decay.powi(earlier);
            document.passages.push(candidate);
        }
    }
    // Stable: equal documents stay in the order of their best passages.
    documents.sort_by(|a, b| b.score.total_cmp(&a.score));
    documents
}
