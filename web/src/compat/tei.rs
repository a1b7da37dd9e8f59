//! `POST /embed` and `/rerank` as Hugging Face's text-embeddings-inference defines them.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::embed::{self, Form};
use super::score;
use crate::app::App;
use crate::error::{Error, Problem};
use crate::json::Json;

/// One text or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Inputs {
    One(String),
    Many(Vec<String>),
}

/// Texts to embed.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TeiEmbedBody {
    inputs: Inputs,
    /// `query` embeds behind the model's instruction; anything else as it is.
    prompt_name: Option<String>,
    /// Leading values of each vector to keep.
    dimensions: Option<usize>,
    /// Vectors always have length one; `false` is refused.
    normalize: Option<bool>,
}

/// Embeds texts, in the shape of text-embeddings-inference.
#[utoipa::path(post, path = "/embed", tag = "models", request_body = TeiEmbedBody,
    responses((status = 200, body = Vec<Vec<f32>>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn embed(app: web::Data<App>, body: Json<TeiEmbedBody>) -> Result<HttpResponse, Error> {
    let TeiEmbedBody { inputs, prompt_name, dimensions, normalize } = body.0;
    if normalize == Some(false) {
        return Err(Error::bad("normalize: expected true; the vectors of this model have length one"));
    }
    let form = if prompt_name.as_deref() == Some("query") { Form::Query(None) } else { Form::Document };
    let texts = match inputs {
        Inputs::One(text) => vec![text],
        Inputs::Many(texts) => texts,
    };
    let vectors = app.into_inner().compute_while_wanted(move |app, engine, wanted| {
        embed::check(&app.config.limits, &engine.embedder, texts.len(), dimensions)?;
        Ok(embed::embed(&engine.embedder, embed::Input::Texts(texts), &form, dimensions, wanted)?.vectors)
    });
    Ok(HttpResponse::Ok().json(vectors.await?))
}

/// Texts to rank.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TeiRerankBody {
    query: String,
    texts: Vec<String>,
    /// Whether scores are log odds instead of probabilities.
    #[serde(default)]
    raw_scores: bool,
    /// Whether the texts come back with their scores.
    #[serde(default)]
    return_text: bool,
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
    let TeiRerankBody { query, texts, raw_scores, return_text } = body.0;
    let ranks = app.into_inner().compute_while_wanted(move |app, engine, wanted| {
        let ranked = score::ranked(app, engine, &query, None, &texts, wanted)?;
        let rank = |(index, score): (usize, f32)| Rank {
            index,
            score: if raw_scores { log_odds(score) } else { score },
            text: return_text.then(|| texts[index].clone()),
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
