//! `POST /v1/embeddings` as OpenAI defines it.

use actix_web::{HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::embed::{self, Form};
use crate::app::App;
use crate::error::{Error, Problem};
use crate::json::Json;

/// What is to be embedded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "input: expected a text, a list of texts, a list of token ids, or a list of such lists")]
pub(crate) enum Input {
    /// One text.
    One(String),
    /// Several texts.
    Many(Vec<String>),
    /// Token ids of this model's own tokenizer: those of another one that are in range silently give nonsense.
    Tokens(Vec<u32>),
    /// Token ids of several texts.
    ManyTokens(Vec<Vec<u32>>),
}

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
pub(crate) struct EmbeddingsBody {
    /// A text or several, or token ids of this model's own tokenizer.
    input: Input,
    /// Given back as it is; the server has one model.
    #[serde(default)]
    model: String,
    /// `float` or `base64`.
    #[serde(default)]
    encoding_format: Encoding,
    /// Leading values of each vector to keep.
    dimensions: Option<usize>,
    /// `query` or `document`; documents are embedded as they are, queries behind an instruction.
    input_type: Option<String>,
    /// The instruction for queries, instead of the model's own.
    instruct: Option<String>,
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

impl From<Input> for embed::Input {
    fn from(input: Input) -> Self {
        match input {
            Input::One(text) => Self::Texts(vec![text]),
            Input::Many(texts) => Self::Texts(texts),
            Input::Tokens(ids) => Self::Tokens(vec![ids]),
            Input::ManyTokens(sequences) => Self::Tokens(sequences),
        }
    }
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
    let EmbeddingsBody { input, model, encoding_format, dimensions, input_type, instruct } = body.0;
    let form = Form::of(input_type.as_deref(), instruct)?;
    let input = embed::Input::from(input);
    let answer = app.into_inner().compute_while_wanted(move |app, engine, wanted| {
        embed::check(&app.config.limits, &engine.embedder, input.len(), dimensions)?;
        let embedded = embed::embed(&engine.embedder, input, &form, dimensions, wanted)?;
        let data = embedded.vectors.into_iter().enumerate().map(|(index, values)| Embedding {
            object: "embedding",
            index,
            embedding: Vector::of(values, encoding_format),
        });
        let usage = Usage { prompt_tokens: embedded.tokens, total_tokens: embedded.tokens };
        Ok(Embeddings { object: "list", data: data.collect(), model, usage })
    });
    Ok(HttpResponse::Ok().json(answer.await?))
}
