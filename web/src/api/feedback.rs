//! `/api/v1/feedback`: what became of a result, told by the page or by a program that shows results itself.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::documents::document_id;
use crate::app::App;
use crate::error::{Error, Problem, within};
use crate::guard::Caller;
use crate::insights::{Feedback, FeedbackKind};
use crate::json::Json;

/// What became of a result.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedbackBody {
    /// The query that it is a result of, as it was typed.
    #[schema(min_length = 1)]
    query: String,
    /// Id of the document.
    #[schema(pattern = "^[0-9a-fA-F]{32}$")]
    document: String,
    /// What was done with it, or said of it.
    kind: FeedbackKind,
    /// Place in the list of results, from 1.
    #[serde(default)]
    #[schema(minimum = 1)]
    rank: Option<usize>,
}

/// What was made of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct FeedbackTaken {
    /// Whether it is counted. It is not where nobody can be told from others (a program without a key), and of queries that
    /// are not counted by their text (more than 200 characters, or none).
    counted: bool,
}

/// Tells that a result was opened, or is or is not what was looked for. Counted once for a person, query, document and day;
/// of thumbs the last one.
#[utoipa::path(post, path = "/api/v1/feedback", tag = "insights", request_body = FeedbackBody,
    responses((status = 200, body = FeedbackTaken), (status = 404, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn feedback(
    app: web::Data<App>,
    body: Json<FeedbackBody>,
    caller: Caller,
) -> Result<HttpResponse, Error> {
    let FeedbackBody { query, document, kind, rank } = body.0;
    let limits = app.config.limits.clone();
    within("query", query.chars().count(), limits.query_chars)?;
    if rank == Some(0) {
        return Err(Error::bad("rank: expected the place in the list of results, from 1, got 0"));
    }
    within("rank", rank.unwrap_or(1), limits.page_depth)?;
    let document = document_id(&document)?;
    let taken = app.into_inner().compute(move |_, engine| {
        let insights = engine.insights()?;
        if engine.view(&caller)?.places(document)?.is_empty() {
            return Err(Error::NotFound { what: "the document" });
        }
        let told = caller.asker.zip(Feedback::of(&query, document, kind, rank));
        let counted = told.is_some();
        if let Some((person, feedback)) = told {
            insights.told(person, feedback);
        }
        Ok(FeedbackTaken { counted })
    });
    Ok(HttpResponse::Ok().json(taken.await?))
}
