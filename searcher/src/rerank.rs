//! Reranking: the cross-encoder reads query and passage together.

use qwen3::RerankHandle;
use storage::{PassageRef, Snapshot};

use crate::config::SearchConfig;
use crate::error::SearchError;
use crate::fuse::Fused;

/// A candidate on its way to the answer.
#[derive(Debug, Clone)]
pub(crate) struct Ranked {
    pub(crate) candidate: Fused<PassageRef>,
    /// Probability of relevance by the reranker, if it scored this candidate.
    pub(crate) relevance: Option<f32>,
    /// What the final order is by.
    pub(crate) score: f64,
}

/// The fused order as it is.
pub(crate) fn unranked(candidates: Vec<Fused<PassageRef>>) -> Vec<Ranked> {
    candidates.into_iter().map(|candidate| Ranked { score: candidate.score, candidate, relevance: None }).collect()
}

/// Scores the first `depth` candidates and puts them in blended order; the others keep their order behind them.
///
/// The blend is `w * p + (1 - w) / rank`, with the reranker's probability `p` and the fused rank counted from 1: what
/// recall was most sure of (an exact code, a quoted phrase) is never lost to a model that does not know it.
pub(crate) fn rerank(
    snapshot: &Snapshot,
    reranker: &RerankHandle,
    config: &SearchConfig,
    query: &str,
    instruct: Option<&str>,
    candidates: Vec<Fused<PassageRef>>,
    depth: usize,
) -> Result<Vec<Ranked>, SearchError> {
    let mut ranked = unranked(candidates);
    let depth = depth.min(ranked.len());
    let texts = ranked[..depth].iter().map(|entry| passage_text(snapshot, entry.candidate.id));
    let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
    let scores = reranker.score(query, instruct, &texts)?;
    for (place, (entry, probability)) in ranked.iter_mut().zip(scores).enumerate() {
        entry.relevance = Some(probability);
        entry.score = blend(config.rerank_weight, f64::from(probability), place + 1);
    }
    ranked[..depth].sort_by(|a, b| b.score.total_cmp(&a.score));
    // Scores fall along the whole list, so that what was not reranked cannot seem better than what was.
    let lowest = ranked[..depth].last().map_or(f64::INFINITY, |entry| entry.score);
    for entry in &mut ranked[depth..] {
        entry.score = entry.score.min(lowest);
    }
    Ok(ranked)
}

fn blend(weight: f64, probability: f64, rank: usize) -> f64 {
    weight * probability + (1.0 - weight) / rank as f64
}

/// What the reranker reads: the heading path says what a passage is about when its own words do not.
fn passage_text(snapshot: &Snapshot, passage: PassageRef) -> Result<String, SearchError> {
    let passage = snapshot.passage(passage)?;
    Ok(storage::embedding_text(&passage.chunk.headings, &passage.chunk.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_recall_needs_little_relevance_to_stay_high() {
        let exact = blend(0.7, 0.2, 1);
        let liked = blend(0.7, 0.5, 20);
        let loved = blend(0.7, 0.9, 20);
        assert!(exact > liked && loved > exact);
    }
}
