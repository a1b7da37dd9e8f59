//! A candidate: a passage that a retriever recalled, on its way to the answer.

use storage::PassageRef;

use crate::fuse::Place;

/// A recalled passage, and what each stage says of it.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The number of its document in the view.
    pub document: u32,
    /// The passage in its view.
    pub passage: PassageRef,
    /// Rank and BM25 score by the lexical retriever.
    pub lexical: Option<Place>,
    /// Rank and cosine by the vector retriever.
    pub vector: Option<Place>,
    /// Probability of relevance by the reranker, if it has read this candidate.
    pub relevance: Option<f32>,
    /// What the score was multiplied by, for what the document is and what rules say of it.
    pub factor: f64,
    /// What the order is by: fused, or blended with the relevance; with the factor in it.
    pub score: f64,
}

impl Candidate {
    /// A passage that no retriever recalled: what stands for a document that is shown for another reason.
    pub(crate) fn unranked(document: u32, passage: PassageRef, score: f64) -> Self {
        Self { document, passage, lexical: None, vector: None, relevance: None, factor: 1.0, score }
    }
}
