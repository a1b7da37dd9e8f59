//! `POST /v1/rerank` and `/v2/rerank` as Cohere defines them; Jina's shape is the same with a few more fields.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::score;
use crate::app::App;
use crate::error::{Error, Problem};
use crate::json::Json;

/// A document to score.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Candidate {
    /// Its text.
    Text(String),
    /// An object with its text.
    Object {
        /// Its text.
        text: String,
    },
}

/// What is to be ranked.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RerankBody {
    /// Given back as it is; the server has one reranker.
    #[serde(default)]
    model: String,
    /// The question.
    query: String,
    /// The documents.
    documents: Vec<Candidate>,
    /// How many to return; all if it is left out.
    top_n: Option<usize>,
    /// Whether the texts come back with their scores.
    #[serde(default)]
    return_documents: bool,
    /// What the model is told to look for.
    instruct: Option<String>,
}

/// A document with its score.
#[derive(Serialize, ToSchema)]
pub(crate) struct Scored {
    /// Place in the request.
    index: usize,
    /// Probability of relevance.
    relevance_score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Text>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Text {
    text: String,
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

impl Candidate {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Object { text } => text,
        }
    }
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
    let RerankBody { model, query, documents, top_n, return_documents, instruct } = body;
    let answer = app.compute_while_wanted(move |app, engine, wanted| {
        let texts: Vec<String> = documents.into_iter().map(Candidate::into_text).collect();
        let ranked = score::ranked(app, engine, &query, instruct.as_deref(), &texts, wanted)?;
        let scored = |(index, relevance_score): (usize, f32)| Scored {
            index,
            relevance_score,
            document: return_documents.then(|| Text { text: texts[index].clone() }),
        };
        let results = ranked.into_iter().take(top_n.unwrap_or(usize::MAX)).map(scored).collect();
        let meta = Meta { api_version: Version { version }, billed_units: Billed { search_units: 1 } };
        let id = format!("rerank-{:x}", crate::jobs::now());
        Ok(Reranked { id, model, results, meta })
    });
    Ok(HttpResponse::Ok().json(answer.await?))
}
