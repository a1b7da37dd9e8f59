//! `/api/v1/similar`: more like this.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use searcher::{Answer, Filters, RequestLimits, SimilarRequest};
use serde::Deserialize;
use utoipa::IntoParams;

use super::documents::document_id;
use crate::app::App;
use crate::error::{Error, Problem, within};
use crate::guard::Caller;
use crate::json::Params;

/// What is to be resembled.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SimilarParams {
    /// Id of the document.
    id: String,
    /// Number of one of its passages; the whole document if it is left out.
    passage: Option<u32>,
    /// Documents to return, at most 100.
    #[serde(default = "default_top")]
    #[param(maximum = 100, default = 10)]
    top: usize,
    /// Names of sources to look in.
    #[serde(default)]
    source: Vec<String>,
}

/// Told of what is not there, or is hidden.
pub(crate) fn missing() -> Error {
    Error::NotFound { what: "the document or passage" }
}

impl SimilarParams {
    pub(crate) fn new(id: String, passage: Option<u32>, top: usize, source: Vec<String>) -> Self {
        Self { id, passage, top, source }
    }

    /// The request that they stand for.
    ///
    /// # Errors
    /// What the limits do not allow; what is no id.
    pub(crate) fn request(self, limits: &RequestLimits) -> Result<SimilarRequest, Error> {
        let Self { id, passage, top, source } = self;
        within("top", top, searcher::MAX_SIMILAR)?;
        let filters = Filters { source, ..Filters::default() };
        filters.check(limits)?;
        Ok(SimilarRequest { document: document_id(&id)?, passage, top, filter: filters.resolve()? })
    }
}

fn default_top() -> usize {
    10
}

/// The documents nearest in meaning to a document or a passage of it.
#[utoipa::path(get, path = "/api/v1/similar", tag = "search", params(SimilarParams),
    responses((status = 200, body = Answer), (status = 404, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn similar(
    app: web::Data<App>,
    params: Params<SimilarParams>,
    caller: Caller,
) -> Result<HttpResponse, Error> {
    let request = params.0.request(&app.config.limits.requests())?;
    Ok(HttpResponse::Ok().json(find(app.into_inner(), request, caller).await?))
}

/// What resembles a document, of what somebody sees.
///
/// # Errors
/// Those of a search; [`Error::NotFound`].
pub(crate) async fn find(app: Arc<App>, request: SimilarRequest, caller: Caller) -> Result<Answer, Error> {
    app.compute(move |_, engine| {
        let answer = engine.searcher.similar(&*engine.view(&caller)?, &request)?;
        let mut answer = answer.ok_or_else(missing)?;
        engine.links.put_on(&mut answer);
        Ok(answer)
    })
    .await
}
