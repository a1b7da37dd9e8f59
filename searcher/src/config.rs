//! The numbers of a search, with defaults that were measured on the evaluation sets named in the README.

use storage::LexicalWeights;

use crate::fuse::Fusion;

/// Settings of a searcher.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchConfig {
    /// Passages each leg recalls.
    pub depth: usize,
    /// How the legs become one ranking.
    pub fusion: Fusion,
    /// Weight of the vector leg, where the lexical leg has 1.
    pub vector_weight: f64,
    /// Tokens per character up to which the model is taken to know a query's script, and from which it is not.
    pub fertility: (f64, f64),
    /// The cosine that counts as nothing, for fusion by scores.
    pub cosine_floor: f32,
    /// The share of what a passage scores that holds every word of the query once, from which BM25's best counts in full,
    /// for fusion by scores; 0: always. Below it the words of the query are hardly there: it asks in another language, or
    /// in other words.
    pub coverage: f32,
    /// Weights of the lexical fields.
    pub lexical: LexicalWeights,
    /// Share of the reranker in the blended score; the rest is the reciprocal of the fused rank.
    pub rerank_weight: f64,
    /// Candidates the reranker scores at the most.
    pub rerank_depth: usize,
    /// Reranking ends when fewer unread candidates than this are expected to reach the first page; 0 reads them all.
    pub settle: f64,
    /// How much less each further passage of a document counts than the one before; 0 takes the best one alone.
    pub passage_decay: f64,
    /// Passages shown of one document, and counted for it.
    pub passages_per_document: usize,
    /// Bits of 128 in which the fingerprints of near-duplicates differ at the most.
    pub copy_bits: u32,
    /// Characters of a snippet.
    pub snippet_chars: usize,
    /// Milliseconds that the model may spend on finding the sentence that answers, where that is asked for.
    pub sentence_ms: u64,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            depth: 100,
            fusion: Fusion::Convex,
            vector_weight: 0.5,
            fertility: (1.2, 2.0),
            cosine_floor: 0.0,
            coverage: 0.5,
            lexical: LexicalWeights::default(),
            rerank_weight: 0.7,
            rerank_depth: 100,
            settle: 0.03,
            passage_decay: 0.1,
            passages_per_document: 3,
            copy_bits: 12,
            snippet_chars: 280,
            sentence_ms: 25,
        }
    }
}
