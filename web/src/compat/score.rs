//! Scores of texts for a query, for all reranking endpoints.

use qwen3::Overlong;

use super::wording::Wording;
use crate::app::App;
use crate::engine::Engine;
use crate::error::{Error, within};
use crate::wanted::Wanted;

/// What is to be scored, and how.
pub(super) struct Question<'a> {
    pub(super) query: &'a str,
    pub(super) instruct: Option<&'a str>,
    pub(super) texts: &'a [&'a str],
    /// Tokens of each text that are read at the most.
    pub(super) tokens_each: Option<usize>,
    pub(super) overlong: Overlong,
    pub(super) wording: Wording,
}

/// Each text's place in the request and its probability of relevance, the most relevant first. Blocks.
pub(super) fn ranked(
    app: &App,
    engine: &Engine,
    question: &Question<'_>,
    wanted: &Wanted,
) -> Result<Vec<(usize, f32)>, Error> {
    let Question { query, instruct, texts, tokens_each, overlong, wording } = *question;
    within("the number of texts", texts.len(), app.config.limits.model_texts)?;
    within("query", query.chars().count(), app.config.limits.query_chars)?;
    let reranker = engine.reranker.as_ref().ok_or(Error::NoReranker)?;
    wording.some(texts.len())?;
    let cut = |text: &&'_ str| match tokens_each {
        Some(tokens) => reranker.ruler().cut(text, tokens).map(str::to_owned),
        None => Ok((*text).to_owned()),
    };
    let texts: Vec<String> = texts.iter().map(cut).collect::<Result<_, _>>()?;
    let pending = reranker.begin_as(query, instruct, &texts, overlong).map_err(|error| wording.told(error))?;
    let mut ranked: Vec<(usize, f32)> = wanted.wait(pending)?.into_iter().enumerate().collect();
    // Stable: equal scores stay in the order of the request.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(ranked)
}
