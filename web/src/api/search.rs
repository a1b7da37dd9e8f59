//! `/api/v1/search`: a question in, passages out, in the shape of `quarry search --json`.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use searcher::{Answer, RequestLimits, SearchRequest, Timings};
use serde::Serialize;
use utoipa::ToSchema;

use super::ordering::{self, Search};
use super::parameters::{SearchBody, SearchParams};
use crate::app::App;
use crate::audit;
use crate::config::LimitsConfig;
use crate::engine::Engine;
use crate::error::{Error, Problem};
use crate::fresh::Tag;
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
pub(crate) async fn get(
    app: web::Data<App>,
    params: SearchParams,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let (tag, text) = answer(app.into_inner(), params.0, caller).await?;
    Ok(tag.kept_by(&request).unwrap_or_else(|| tag.on(json(text))))
}

/// Finds the passages that answer a question.
#[utoipa::path(post, path = "/api/v1/search", tag = "search", request_body = SearchRequest,
    responses((status = 200, body = SearchAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn post(app: web::Data<App>, body: SearchBody, caller: Caller) -> Result<HttpResponse, Error> {
    Ok(json(answer(app.into_inner(), body.0, caller).await?.1))
}

fn json(text: String) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(text)
}

/// An answer as JSON, and its tag.
async fn answer(app: Arc<App>, request: SearchRequest, caller: Caller) -> Result<(Tag, String), Error> {
    let asked = Asked::of(&request, &caller, Via::Program);
    // The answer becomes JSON where it was computed, not in the thread that serves connections.
    run(&app, request, caller, |_, engine, answer| {
        engine.note(asked, &answer.answer);
        let text = serde_json::to_string(&answer).map_err(Error::internal)?;
        Ok((untimed(answer)?, text))
    })
    .await
}

/// The tag of an answer: by all that it says but how long it took. It is not made of commit and address, for more goes into an
/// answer: how far the reranker came, and what was learnt from the documents meanwhile.
fn untimed(mut answer: SearchAnswer) -> Result<Tag, Error> {
    answer.answer.timings = Timings::default();
    Ok(Tag::of_content(&serde_json::to_vec(&answer).map_err(Error::internal)?))
}

/// Computes an answer within the limits, and what `make` makes of it. What reranking may take is bounded where the request
/// leaves it open: an answer in one piece must not wait for a slow machine.
pub(crate) async fn run<T: Send + 'static>(
    app: &Arc<App>,
    request: SearchRequest,
    caller: Caller,
    make: impl FnOnce(&App, &Engine, SearchAnswer) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    run_with(app, request, caller, |app, engine, _, answer| make(app, engine, answer)).await
}

/// [`run`], where `make` gets the search as well.
pub(crate) async fn run_with<T: Send + 'static>(
    app: &Arc<App>,
    mut request: SearchRequest,
    caller: Caller,
    make: impl FnOnce(&App, &Engine, &Search, SearchAnswer) -> Result<T, Error> + Send + 'static,
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
        make(app, engine, search, SearchAnswer { answer, unread_files })
    })
    .await
}
