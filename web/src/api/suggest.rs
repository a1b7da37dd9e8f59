//! `/api/v1/suggest`: what somebody may be about to ask.

use std::time::Instant;

use actix_web::{HttpResponse, web};
use searcher::Suggestion;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::timing::{Timed, timed};
use crate::app::App;
use crate::error::{Error, Problem, within};
use crate::json::Params;

/// Suggestions of one answer at most.
const MAX: usize = 20;

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
}

fn default_limit() -> usize {
    8
}

/// Suggestions, best first.
#[derive(Serialize, ToSchema)]
pub(crate) struct SuggestionList {
    suggestions: Vec<Suggestion>,
}

/// Titles, headings and earlier queries that contain what was typed, one or two slips forgiven.
#[utoipa::path(get, path = "/api/v1/suggest", tag = "search", params(SuggestParams),
    responses((status = 200, body = Timed<SuggestionList>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn suggest(app: web::Data<App>, params: Params<SuggestParams>) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    within("q", params.q.chars().count(), app.config.limits.query_chars)?;
    within("limit", params.limit, MAX)?;
    let SuggestParams { q, limit } = params.0;
    let list = app.into_inner().compute(move |app, engine| {
        let suggestions = app.suggestions.suggest(&q, limit);
        Ok(timed(started, engine.snapshot().sequence(), SuggestionList { suggestions }))
    });
    Ok(HttpResponse::Ok().json(list.await?))
}
