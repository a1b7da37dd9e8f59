//! Scores of texts for a query, for all reranking endpoints.

use crate::app::App;
use crate::engine::Engine;
use crate::error::{Error, within};
use crate::wanted::Wanted;

/// Each text's place in the request and its probability of relevance, the most relevant first. Blocks.
pub(super) fn ranked(
    app: &App,
    engine: &Engine,
    query: &str,
    instruct: Option<&str>,
    texts: &[String],
    wanted: &Wanted,
) -> Result<Vec<(usize, f32)>, Error> {
    within("the number of texts", texts.len(), app.config.limits.model_texts)?;
    within("query", query.chars().count(), app.config.limits.query_chars)?;
    let reranker = engine.reranker.as_ref().ok_or(Error::NoReranker)?;
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let mut ranked: Vec<(usize, f32)> =
        wanted.wait(reranker.begin(query, instruct, texts)?)?.into_iter().enumerate().collect();
    // Stable: equal scores stay in the order of the request.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(ranked)
}
