//! `POST /v1/rerank` and `/v2/rerank` as Cohere defines them; Jina's shape is the same with a few more fields.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::score::{self, Question};
use super::texts::{self, Candidate};
use super::truncation::{Truncate, overlong};
use super::wording::Wording;
use super::{at_least_one, unsupported};
use crate::app::App;
use crate::error::{Error, Problem};
use crate::json::Json;
use crate::shapes;

/// What is to be ranked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RerankBody {
    /// Given back as it is; the server has one reranker.
    model: Option<String>,
    /// The question.
    query: String,
    /// The documents.
    #[serde(deserialize_with = "texts::documents")]
    #[schema(min_items = 1)]
    documents: Vec<Candidate>,
    /// How many to return; all if it is left out.
    #[schema(minimum = 1)]
    top_n: Option<usize>,
    /// Another name of `top_n`.
    #[schema(minimum = 1)]
    top_k: Option<usize>,
    /// Whether the documents come back with their scores.
    return_documents: Option<bool>,
    /// Tokens of each document that are read at the most; without it, as many as the model reads.
    #[schema(minimum = 1)]
    max_tokens_per_doc: Option<usize>,
    /// What the model is told to look for.
    instruct: Option<String>,
    /// Whether a text that is too long for the model is cut; `false` or `NONE` refuses it, with its place.
    truncate: Option<Truncate>,
    /// Accepted, and of no effect: requests are answered in their order.
    #[expect(dead_code, reason = "it cannot change the answer")]
    #[schema(value_type = Option<usize>)]
    priority: Option<u64>,
    /// Refused unless it is null: the `text` of a document is what is read of it.
    #[schema(schema_with = shapes::nothing)]
    rank_fields: Option<IgnoredAny>,
    /// Refused unless it is null: documents are not cut into chunks.
    #[schema(schema_with = shapes::nothing)]
    max_chunks_per_doc: Option<IgnoredAny>,
}

/// A document with its score.
#[derive(Serialize, ToSchema)]
pub(crate) struct Scored {
    /// Place in the request.
    index: usize,
    /// Probability of relevance.
    relevance_score: f32,
    /// The document as it was sent; one that was a text alone as an object with `text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Map<String, Value>>,
}

/// The documents, the most relevant first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Reranked {
    id: String,
    model: String,
    results: Vec<Scored>,
    meta: Meta,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Meta {
    api_version: Version,
    billed_units: Billed,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Version {
    version: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Billed {
    search_units: u32,
}

/// Ranks documents for a query, in Cohere's and Jina's shape.
#[utoipa::path(post, path = "/v1/rerank", tag = "models", request_body = RerankBody,
    responses((status = 200, body = Reranked), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn rerank_v1(app: web::Data<App>, body: Json<RerankBody>) -> Result<HttpResponse, Error> {
    rerank(app.into_inner(), body.0, "1").await
}

/// Ranks documents for a query, in Cohere's second shape.
#[utoipa::path(post, path = "/v2/rerank", tag = "models", request_body = RerankBody,
    responses((status = 200, body = Reranked), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn rerank_v2(app: web::Data<App>, body: Json<RerankBody>) -> Result<HttpResponse, Error> {
    rerank(app.into_inner(), body.0, "2").await
}

async fn rerank(app: Arc<App>, body: RerankBody, version: &'static str) -> Result<HttpResponse, Error> {
    let top = top(body.top_n, body.top_k)?;
    unsupported("rank_fields", &body.rank_fields, "put what is to be read into `text`")?;
    unsupported("max_chunks_per_doc", &body.max_chunks_per_doc, "limit what is read with max_tokens_per_doc")?;
    let tokens_each = at_least_one("max_tokens_per_doc", body.max_tokens_per_doc)?;
    let overlong = overlong(body.truncate, None)?;
    let answer = app.compute_while_wanted(move |app, engine, wanted| {
        let RerankBody { model, query, documents, return_documents, instruct, .. } = body;
        let question = Question {
            query: &query,
            instruct: instruct.as_deref(),
            texts: &documents.iter().map(Candidate::text).collect::<Vec<_>>(),
            tokens_each,
            overlong,
            wording: Wording { field: "documents", too_long: StatusCode::BAD_REQUEST },
        };
        let ranked = score::ranked(app, engine, &question, wanted)?;
        let scored = |(index, relevance_score): (usize, f32)| Scored {
            index,
            relevance_score,
            document: return_documents.unwrap_or_default().then(|| documents[index].shown()),
        };
        let results = ranked.into_iter().take(top).map(scored).collect();
        let meta = Meta { api_version: Version { version }, billed_units: Billed { search_units: 1 } };
        let id = format!("rerank-{:x}", crate::jobs::now());
        let model = model.unwrap_or_else(|| engine.reranker_name.clone());
        Ok(Reranked { id, model, results, meta })
    });
    Ok(HttpResponse::Ok().json(answer.await?))
}

/// How many are returned.
fn top(top_n: Option<usize>, top_k: Option<usize>) -> Result<usize, Error> {
    match (at_least_one("top_n", top_n)?, at_least_one("top_k", top_k)?) {
        (Some(n), Some(k)) if n != k => Err(Error::bad(format!("top_k: expected the same as top_n, {n}, got {k}"))),
        (n, k) => Ok(n.or(k).unwrap_or(usize::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_the_number_of_results_count() {
        assert_eq!(top(Some(2), None).unwrap(), 2);
        assert_eq!(top(None, Some(3)).unwrap(), 3);
        assert_eq!(top(Some(3), Some(3)).unwrap(), 3);
        assert_eq!(top(None, None).unwrap(), usize::MAX);
        assert!(top(Some(2), Some(3)).unwrap_err().to_string().contains("top_k"));
        assert!(top(Some(0), None).unwrap_err().to_string().contains("top_n"));
    }
}
