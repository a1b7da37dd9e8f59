//! `/api/v1/similar`: more like this.

use actix_web::{HttpResponse, web};
use searcher::{Answer, Filters, SimilarRequest};
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
    let SimilarParams { id, passage, top, source } = params.0;
    within("top", top, searcher::MAX_SIMILAR)?;
    let filters = Filters { source, ..Filters::default() };
    filters.check(&app.config.limits.requests())?;
    let request = SimilarRequest { document: document_id(&id)?, passage, top, filter: filters.resolve()? };
    let answer = app.into_inner().compute(move |_, engine| {
        let answer = engine.searcher.similar(&*engine.view(&caller)?, &request)?;
        let mut answer = answer.ok_or(Error::NotFound { what: "the document or passage" })?;
        engine.links.put_on(&mut answer);
        Ok(answer)
    });
    Ok(HttpResponse::Ok().json(answer.await?))
}
