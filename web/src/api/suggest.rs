//! `/api/v1/suggest`: what somebody may be about to ask, and what would be found: by words alone, few, nothing reread.

use std::time::Instant;

use actix_web::{HttpResponse, web};
use searcher::{Mode, RerankBudget, SearchRequest, Suggestion};
use serde::{Deserialize, Serialize};
use storage::View;
use utoipa::{IntoParams, ToSchema};

use super::timing::{Timed, timed};
use crate::app::App;
use crate::engine::Engine;
use crate::error::{Error, Problem, within};
use crate::guard::Caller;
use crate::json::Params;

/// Suggestions of one answer at most.
const MAX: usize = 20;
/// Documents of one answer at most.
const MAX_DOCUMENTS: usize = 10;

/// What was typed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SuggestParams {
    /// What was typed so far.
    q: String,
    /// Suggestions to return, at most 20.
    #[serde(default = "default_limit")]
    #[param(maximum = 20, default = 8)]
    limit: usize,
    /// Documents to find by words alone, the last of them perhaps not typed to its end; at most 10.
    #[serde(default)]
    #[param(maximum = 10, default = 0)]
    documents: usize,
}

fn default_limit() -> usize {
    8
}

/// Suggestions, best first.
#[derive(Serialize, ToSchema)]
pub(crate) struct SuggestionList {
    suggestions: Vec<Suggestion>,
    /// Documents that hold the words, best first, where any were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    documents: Vec<DocumentSuggestion>,
}

/// A document that holds what was typed.
#[derive(Serialize, ToSchema)]
pub(crate) struct DocumentSuggestion {
    /// Stable id.
    id: String,
    /// Its title.
    title: String,
    /// Name of its source.
    source: String,
    /// Path below the source's root.
    path: String,
    /// Type: markdown, html, ...
    kind: String,
    /// Number of its best passage.
    passage: u32,
}

/// Titles, headings and phrases of the documents, and earlier queries of the caller, that contain what was typed, one or two
/// slips forgiven.
#[utoipa::path(get, path = "/api/v1/suggest", tag = "search", params(SuggestParams),
    responses((status = 200, body = Timed<SuggestionList>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn suggest(
    app: web::Data<App>,
    params: Params<SuggestParams>,
    caller: Caller,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    within("q", params.q.chars().count(), app.config.limits.query_chars)?;
    within("limit", params.limit, MAX)?;
    within("documents", params.documents, MAX_DOCUMENTS)?;
    let SuggestParams { q, limit, documents } = params.0;
    // Whoever types on has no use for what the last key would have found.
    let list = app.into_inner().compute_while_wanted(move |app, engine, wanted| {
        let view = engine.view(&caller)?;
        let known = app.suggestions.of(&view, &caller)?;
        let suggestions = known.suggest(&q, limit);
        wanted.check()?;
        let documents = found(engine, &view, known.finished(&q), documents)?;
        Ok(timed(started, view.generation()?, SuggestionList { suggestions, documents }))
    });
    Ok(HttpResponse::Ok().json(list.await?))
}

/// The fast way: words alone, and nothing read closely.
fn found(engine: &Engine, view: &View, query: String, top: usize) -> Result<Vec<DocumentSuggestion>, Error> {
    if top == 0 || query.trim().is_empty() {
        return Ok(Vec::new());
    }
    let request =
        SearchRequest { query, top, mode: Mode::Lexical, rerank: RerankBudget::OFF, ..SearchRequest::default() };
    let answer = engine.searcher.search(view, &request)?;
    let documents = answer.results.into_iter().map(|hit| DocumentSuggestion {
        passage: hit.passages.first().map_or(0, |passage| passage.number),
        id: hit.id,
        title: hit.title,
        source: hit.source,
        path: hit.path,
        kind: hit.kind,
    });
    Ok(documents.collect())
}
