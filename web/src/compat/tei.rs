//! `POST /embed` and `/rerank` as Hugging Face's text-embeddings-inference defines them.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::embed::{self, Form, Manner};
use super::score::{self, Question};
use super::texts::{self, Input};
use super::truncation::{Direction, Truncate, overlong};
use super::wording::Wording;
use crate::app::App;
use crate::error::{Error, Problem};
use crate::json::Json;

/// Its status for a text that is too long.
const TOO_LONG: StatusCode = StatusCode::PAYLOAD_TOO_LARGE;

/// Texts to embed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TeiEmbedBody {
    /// A text or several, or token ids of this model's own tokenizer.
    #[serde(deserialize_with = "texts::inputs")]
    inputs: Input,
    /// `query` embeds behind the model's instruction; `document`, `passage` or nothing as it is.
    prompt_name: Option<String>,
    /// Leading values of each vector to keep.
    #[schema(minimum = 32)]
    dimensions: Option<usize>,
    /// Vectors always have length one; `false` is refused.
    normalize: Option<bool>,
    /// Whether a text that is too long is cut, as it is where nothing is said; `false` refuses it, with its place.
    truncate: Option<Truncate>,
    /// The end at which it is cut; the prompt counts as its beginning.
    truncation_direction: Option<Direction>,
}

/// Embeds texts, in the shape of text-embeddings-inference.
#[utoipa::path(post, path = "/embed", tag = "models", request_body = TeiEmbedBody,
    responses((status = 200, body = Vec<Vec<f32>>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn embed(app: web::Data<App>, body: Json<TeiEmbedBody>) -> Result<HttpResponse, Error> {
    let TeiEmbedBody { inputs, prompt_name, dimensions, normalize, truncate, truncation_direction } = body.0;
    if normalize == Some(false) {
        return Err(Error::bad("normalize: expected true; the vectors of this model have length one"));
    }
    let manner = Manner {
        form: Form::of_prompt(prompt_name.as_deref())?,
        dimension: dimensions,
        overlong: overlong(truncate, truncation_direction)?,
        wording: Wording { field: "inputs", too_long: TOO_LONG },
    };
    let vectors = app.into_inner().compute_while_wanted(move |app, engine, wanted| {
        Ok(embed::embed(&app.config.limits, &engine.embedder, inputs, &manner, wanted)?.vectors)
    });
    Ok(HttpResponse::Ok().json(vectors.await?))
}

/// Texts to rank.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TeiRerankBody {
    query: String,
    #[serde(deserialize_with = "texts::texts")]
    #[schema(min_items = 1)]
    texts: Vec<String>,
    /// Whether scores are log odds instead of probabilities.
    raw_scores: Option<bool>,
    /// Whether the texts come back with their scores.
    return_text: Option<bool>,
    /// Whether a text that is too long is cut, as it is where nothing is said; `false` refuses it, with its place.
    truncate: Option<Truncate>,
    /// The end at which it is cut.
    truncation_direction: Option<Direction>,
}

/// A text with its score.
#[derive(Serialize, ToSchema)]
pub(crate) struct Rank {
    index: usize,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// Ranks texts for a query, in the shape of text-embeddings-inference.
#[utoipa::path(post, path = "/rerank", tag = "models", request_body = TeiRerankBody,
    responses((status = 200, body = Vec<Rank>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn rerank(app: web::Data<App>, body: Json<TeiRerankBody>) -> Result<HttpResponse, Error> {
    let TeiRerankBody { query, texts, raw_scores, return_text, truncate, truncation_direction } = body.0;
    let overlong = overlong(truncate, truncation_direction)?;
    let (is_raw, with_text) = (raw_scores.unwrap_or_default(), return_text.unwrap_or_default());
    let ranks = app.into_inner().compute_while_wanted(move |app, engine, wanted| {
        let question = Question {
            query: &query,
            instruct: None,
            texts: &texts.iter().map(String::as_str).collect::<Vec<_>>(),
            tokens_each: None,
            overlong,
            wording: Wording { field: "texts", too_long: TOO_LONG },
        };
        let ranked = score::ranked(app, engine, &question, wanted)?;
        let rank = |(index, score): (usize, f32)| Rank {
            index,
            score: if is_raw { log_odds(score) } else { score },
            text: with_text.then(|| texts[index].clone()),
        };
        Ok(ranked.into_iter().map(rank).collect::<Vec<_>>())
    });
    Ok(HttpResponse::Ok().json(ranks.await?))
}

/// The logit of a probability, finite at both ends.
fn log_odds(probability: f32) -> f32 {
    let inside = probability.clamp(f32::EPSILON, 1.0 - f32::EPSILON);
    (inside / (1.0 - inside)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_odds_are_finite_and_rise() {
        assert_eq!(log_odds(0.5), 0.0);
        assert!(log_odds(0.0).is_finite() && log_odds(1.0).is_finite() && log_odds(0.9) > log_odds(0.1));
    }
}
