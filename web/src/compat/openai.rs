//! `POST /v1/embeddings` and `GET /v1/models` as OpenAI defines them. Chats are in [`chat`](super::chat).

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::embed::{self, Form, Manner};
use super::texts::{self, Input};
use super::truncation::{Direction, Truncate, overlong};
use super::wording::Wording;
use crate::app::App;
use crate::error::{Error, Problem};
use crate::json::Json;

/// How vectors are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// As numbers.
    #[default]
    Float,
    /// Little-endian 32-bit floats in base64.
    Base64,
}

/// A request for embeddings.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbeddingsBody {
    /// A text or several, or token ids of this model's own tokenizer.
    #[serde(deserialize_with = "texts::input")]
    input: Input,
    /// Given back as it is; the server has one model.
    model: Option<String>,
    /// `float` or `base64`.
    encoding_format: Option<Encoding>,
    /// Leading values of each vector to keep.
    #[schema(minimum = 32)]
    dimensions: Option<usize>,
    /// Accepted, and of no effect: whom a request is counted for follows from its key.
    #[expect(dead_code, reason = "it cannot change the answer")]
    user: Option<String>,
    /// `query` or `document`; documents are embedded as they are, queries behind an instruction.
    input_type: Option<String>,
    /// The instruction for queries, instead of the model's own.
    instruct: Option<String>,
    /// Whether a text that is too long is cut; `false` or `NONE` refuses it, with its place.
    truncate: Option<Truncate>,
    /// The end at which it is cut.
    truncation_direction: Option<Direction>,
}

/// A vector in one of its forms.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Vector {
    Float(Vec<f32>),
    Base64(String),
}

/// The embedding of one text.
#[derive(Serialize, ToSchema)]
pub(crate) struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

/// The embeddings of all texts, in order.
#[derive(Serialize, ToSchema)]
pub(crate) struct Embeddings {
    object: &'static str,
    data: Vec<Embedding>,
    model: String,
    usage: Usage,
}

/// What the request cost.
#[derive(Serialize, ToSchema)]
pub(crate) struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

impl Vector {
    fn of(values: Vec<f32>, encoding: Encoding) -> Self {
        match encoding {
            Encoding::Float => Self::Float(values),
            Encoding::Base64 => {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                Self::Base64(STANDARD.encode(bytes))
            }
        }
    }
}

/// Embeds texts, in OpenAI's shape.
#[utoipa::path(post, path = "/v1/embeddings", tag = "models", request_body = EmbeddingsBody,
    responses((status = 200, body = Embeddings), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn embeddings(app: web::Data<App>, body: Json<EmbeddingsBody>) -> Result<HttpResponse, Error> {
    let EmbeddingsBody {
        input,
        model,
        encoding_format,
        dimensions,
        input_type,
        instruct,
        truncate,
        truncation_direction,
        ..
    } = body.0;
    let manner = Manner {
        form: Form::of(input_type.as_deref(), instruct)?,
        dimension: dimensions,
        overlong: overlong(truncate, truncation_direction)?,
        wording: Wording { field: "input", too_long: StatusCode::BAD_REQUEST },
    };
    let encoding = encoding_format.unwrap_or_default();
    let answer = app.into_inner().compute_while_wanted(move |app, engine, wanted| {
        let embedded = embed::embed(&app.config.limits, &engine.embedder, input, &manner, wanted)?;
        let data = embedded.vectors.into_iter().enumerate().map(|(index, values)| Embedding {
            object: "embedding",
            index,
            embedding: Vector::of(values, encoding),
        });
        let usage = Usage { prompt_tokens: embedded.tokens, total_tokens: embedded.tokens };
        let model = model.unwrap_or_else(|| engine.snapshot().model().name.clone());
        Ok(Embeddings { object: "list", data: data.collect(), model, usage })
    });
    Ok(HttpResponse::Ok().json(answer.await?))
}

/// A model that is served.
#[derive(Serialize, ToSchema)]
pub(crate) struct Model {
    /// Its name.
    id: String,
    object: &'static str,
    /// Start of the server, seconds of Unix time.
    created: i64,
    owned_by: &'static str,
}

/// The models that are served.
#[derive(Serialize, ToSchema)]
pub(crate) struct Models {
    object: &'static str,
    data: Vec<Model>,
}

/// Lists the models that are served, in OpenAI's shape: the embedding model, and the reranker and the writer if there are any.
#[utoipa::path(get, path = "/v1/models", tag = "models",
    responses((status = 200, body = Models), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn models(app: web::Data<App>) -> Result<HttpResponse, Error> {
    let engine = app.engine()?;
    let created = app.started_at;
    let names = [
        Some(engine.snapshot().model().name.clone()),
        engine.reranker.as_ref().map(|_| engine.reranker_name.clone()),
        engine.generator.as_ref().map(|_| engine.generator_name.clone()),
    ];
    let model = |id: String| Model { id, object: "model", created, owned_by: "quarry" };
    Ok(HttpResponse::Ok().json(Models { object: "list", data: names.into_iter().flatten().map(model).collect() }))
}
