//! `/api/v1/search`: a question in, passages out, in the shape of `quarry search --json`.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use searcher::{Answer, RequestLimits, SearchRequest};
use serde::Serialize;
use utoipa::ToSchema;

use super::ordering;
use super::parameters::{SearchBody, SearchParams};
use crate::app::App;
use crate::audit;
use crate::config::LimitsConfig;
use crate::engine::Engine;
use crate::error::{Error, Problem};
use crate::guard::Caller;
use crate::insights::{Asked, Via};

/// An answer with what is said beside its results.
#[derive(Serialize, ToSchema)]
pub(crate) struct SearchAnswer {
    #[serde(flatten)]
    pub(crate) answer: Answer,
    /// Where nothing was found: files of the sources searched that could not be read. The answer may stand in one. Told to
    /// administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unread_files: Option<u64>,
}

impl LimitsConfig {
    /// How much one search may ask for.
    pub(crate) fn requests(&self) -> RequestLimits {
        RequestLimits { query_chars: self.query_chars, results: self.page_depth, filter_values: self.filter_values }
    }
}

/// Finds the passages that answer a question.
#[utoipa::path(get, path = "/api/v1/search", tag = "search", params(SearchParams),
    responses((status = 200, body = SearchAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(app: web::Data<App>, params: SearchParams, caller: Caller) -> Result<HttpResponse, Error> {
    answer(app.into_inner(), params.0, caller).await
}

/// Finds the passages that answer a question.
#[utoipa::path(post, path = "/api/v1/search", tag = "search", request_body = SearchRequest,
    responses((status = 200, body = SearchAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn post(app: web::Data<App>, body: SearchBody, caller: Caller) -> Result<HttpResponse, Error> {
    answer(app.into_inner(), body.0, caller).await
}

async fn answer(app: Arc<App>, request: SearchRequest, caller: Caller) -> Result<HttpResponse, Error> {
    let asked = Asked::of(&request, &caller, Via::Program);
    // The answer becomes JSON where it was computed, not in the thread that serves connections.
    let text = run(&app, request, caller, |_, engine, answer| {
        engine.note(asked, &answer.answer);
        serde_json::to_string(&answer).map_err(Error::internal)
    });
    Ok(HttpResponse::Ok().content_type("application/json").body(text.await?))
}

/// Computes an answer within the limits, and what `make` makes of it. What reranking may take is bounded where the request
/// leaves it open: an answer in one piece must not wait for a slow machine.
pub(crate) async fn run<T: Send + 'static>(
    app: &Arc<App>,
    mut request: SearchRequest,
    caller: Caller,
    make: impl FnOnce(&App, &Engine, SearchAnswer) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    request.check(&app.config.limits.requests())?;
    audit::about("query", request.query.as_str());
    request.rerank.ms.get_or_insert(app.config.limits.rerank_ms);
    let who = caller.clone();
    ordering::best(app, request, who, move |app, engine, search| {
        let mut answer = search.answer()?;
        engine.links.put_on(&mut answer);
        app.metrics.searched(&answer.timings);
        let plan = search.plan();
        if let Some(person) = caller.asker.as_ref().filter(|_| answer.total > 0) {
            app.suggestions.asked(plan.searched(), person);
        }
        let unread = || Ok::<_, Error>(engine.view(&caller)?.totals().unread(&plan.sources()));
        let unread_files = (answer.total == 0 && caller.sees_places()).then(unread).transpose()?;
        make(app, engine, SearchAnswer { answer, unread_files })
    })
    .await
}
