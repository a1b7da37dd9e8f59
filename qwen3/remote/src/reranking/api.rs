//! The shapes in which endpoints are asked how well documents answer, and answer.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::embedding::ordered;
use crate::fault::shown;

/// What an endpoint speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RerankApi {
    /// `rerank` of Cohere and Jina, and of vLLM and llama.cpp.
    #[default]
    Cohere,
    /// `rerank` of text-embeddings-inference.
    Tei,
    /// Another quarry, which puts an instruction where its model wants it.
    Quarry,
}

/// What the scores of an endpoint are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scores {
    /// Probabilities, from 0 to 1.
    #[default]
    Probabilities,
    /// Log odds, as models give them: 0 is neither yes nor no.
    Logits,
}

#[derive(Deserialize)]
struct Reranked {
    results: Vec<Scored>,
}

#[derive(Deserialize)]
struct Scored {
    index: usize,
    #[serde(alias = "relevance_score")]
    score: Option<f32>,
}

impl RerankApi {
    /// Where texts are sent, below the endpoint's address.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Cohere | Self::Tei => "rerank",
            Self::Quarry => "v1/rerank",
        }
    }

    pub(super) fn body(self, model: &str, query: &str, instruction: Option<&str>, texts: &[String]) -> Value {
        match self {
            Self::Tei => json!({ "query": query, "texts": texts, "raw_scores": false, "truncate": true }),
            Self::Cohere => json!({ "model": model, "query": query, "documents": texts }),
            Self::Quarry => json!({ "model": model, "query": query, "documents": texts, "instruct": instruction }),
        }
    }

    /// The scores of so many documents as probabilities; else what is wrong with the answer.
    pub(super) fn read(self, text: &str, count: usize, scores: Scores) -> Result<Vec<f32>, String> {
        let unlike = |error: serde_json::Error| format!("expected scores in JSON, got {:?} ({error})", shown(text));
        let results: Vec<Scored> = match self {
            Self::Tei => serde_json::from_str(text).map_err(unlike)?,
            Self::Cohere | Self::Quarry => serde_json::from_str::<Reranked>(text).map_err(unlike)?.results,
        };
        let score = |it: Scored| Ok((it.index, scores.probability(it.score.unwrap_or(f32::NAN))?));
        ordered(results.into_iter().map(score).collect::<Result<Vec<_>, String>>()?, count)
    }
}

impl Scores {
    fn probability(self, score: f32) -> Result<f32, String> {
        match self {
            _ if !score.is_finite() => Err("a score is NaN, infinite or missing".to_owned()),
            Self::Logits => Ok(1.0 / (1.0 + (-score).exp())),
            // Rounding may lead a little beyond.
            Self::Probabilities if (-1e-4..=1.0001).contains(&score) => Ok(score.clamp(0.0, 1.0)),
            Self::Probabilities => Err(format!("expected scores from 0 to 1, got {score}: are they logits?")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_in_every_shape() {
        let cohere = r#"{"id":"x","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.25}]}"#;
        assert_eq!(RerankApi::Cohere.read(cohere, 2, Scores::Probabilities).unwrap(), [0.25, 0.9]);
        let tei = r#"[{"index":1,"score":0.9},{"index":0,"score":0.0}]"#;
        assert_eq!(RerankApi::Tei.read(tei, 2, Scores::Logits).unwrap(), [0.5, 1.0 / (1.0 + (-0.9f32).exp())]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let refused = |text: &str, count: usize| RerankApi::Tei.read(text, count, Scores::Probabilities).unwrap_err();
        assert!(refused("<!doctype html>", 1).contains("expected scores in JSON, got \"<!doctype"));
        assert!(refused(r#"[{"index":0,"score":7.5}]"#, 1).contains("got 7.5: are they logits?"));
        assert!(refused(r#"[{"index":0,"score":null}]"#, 1).contains("NaN"));
        assert!(refused(r#"[{"index":0,"score":0.5}]"#, 2).contains("expected 2 answers, got 1"));
        assert!(refused(r#"[{"index":0,"score":0.5},{"index":0,"score":0.5}]"#, 2).contains("twice"));
    }
}
