//! The shapes in which endpoints are asked for vectors, and answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Form;
use crate::fault::shown;

/// What an endpoint speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmbedApi {
    /// OpenAI's `embeddings`: vLLM, ollama, llama.cpp, LM Studio, a company's gateway.
    #[default]
    OpenAi,
    /// `embed` of text-embeddings-inference.
    Tei,
    /// Another quarry, which puts the query form of its model around a query by itself.
    Quarry,
}

#[derive(Deserialize)]
struct Embeddings {
    data: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    index: Option<usize>,
    embedding: Value,
}

impl EmbedApi {
    /// Whether the endpoint knows the form of a query.
    pub fn forms_queries(self) -> bool {
        self == Self::Quarry
    }

    /// Where texts are sent, below the endpoint's address.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "embeddings",
            Self::Tei => "embed",
            Self::Quarry => "v1/embeddings",
        }
    }

    /// What is sent. `encoded` asks for vectors in base64, which is a third of their length in digits.
    pub(super) fn body(self, model: &str, texts: &[String], form: &Form, encoded: bool) -> Value {
        let mut body = match self {
            Self::Tei => return json!({ "inputs": texts, "normalize": true, "truncate": true }),
            Self::OpenAi | Self::Quarry => json!({ "model": model, "input": texts }),
        };
        if encoded {
            body["encoding_format"] = json!("base64");
        }
        if let (Self::Quarry, Form::Query { instruction }) = (self, form) {
            body["input_type"] = json!("query");
            if let Some(instruction) = instruction {
                body["instruct"] = json!(instruction);
            }
        }
        body
    }

    /// The vectors of so many texts, as the endpoint gives them; else what is wrong with its answer.
    pub(super) fn read(self, text: &str, count: usize) -> Result<Vec<Vec<f32>>, String> {
        let unlike = |error: serde_json::Error| format!("expected vectors in JSON, got {:?} ({error})", shown(text));
        let vectors = match self {
            Self::Tei => {
                let vectors: Vec<Value> = serde_json::from_str(text).map_err(unlike)?;
                vectors.into_iter().enumerate().map(|(at, vector)| Ok((at, values(vector)?))).collect()
            }
            Self::OpenAi | Self::Quarry => {
                let Embeddings { data } = serde_json::from_str(text).map_err(unlike)?;
                let vector = |(at, it): (usize, Embedding)| Ok((it.index.unwrap_or(at), values(it.embedding)?));
                data.into_iter().enumerate().map(vector).collect::<Result<Vec<_>, String>>()
            }
        };
        ordered(vectors?, count)
    }
}

/// A vector, as numbers or in base64. What is no number is none, and found out later.
fn values(value: Value) -> Result<Vec<f32>, String> {
    match value {
        Value::Array(values) if values.first().is_some_and(Value::is_array) => {
            Err("it gives a vector for every token: switch pooling on at the server".to_owned())
        }
        Value::Array(values) => {
            Ok(values.iter().map(|value| value.as_f64().map_or(f32::NAN, |it| it as f32)).collect())
        }
        Value::String(text) => {
            let bytes = STANDARD.decode(text).map_err(|error| format!("a vector is no base64: {error}"))?;
            if bytes.len() % 4 != 0 {
                return Err(format!("expected a vector of 4 bytes a value, got {} bytes", bytes.len()));
            }
            Ok(bytes.chunks_exact(4).map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]])).collect())
        }
        other => Err(format!("expected a vector, got {:?}", shown(&other.to_string()))),
    }
}

/// What came for each of so many texts, in their order.
pub(crate) fn ordered<T>(answers: Vec<(usize, T)>, count: usize) -> Result<Vec<T>, String> {
    let got = answers.len();
    let mut places: Vec<Option<T>> = (0..count).map(|_| None).collect();
    for (index, answer) in answers {
        let place = places.get_mut(index).ok_or_else(|| format!("it answers for text {index} of {count}"))?;
        if place.replace(answer).is_some() {
            return Err(format!("it answers twice for text {index}"));
        }
    }
    places.into_iter().collect::<Option<Vec<T>>>().ok_or_else(|| format!("expected {count} answers, got {got}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(api: EmbedApi, text: &str, count: usize) -> String {
        api.read(text, count).unwrap_err()
    }

    #[test]
    fn vectors_are_read_in_every_shape() {
        let numbers = r#"{"object":"list","data":[{"index":1,"embedding":[0.5,-1]},{"index":0,"embedding":[1,2e-1]}]}"#;
        assert_eq!(EmbedApi::OpenAi.read(numbers, 2).unwrap(), [[1.0, 0.2], [0.5, -1.0]]);
        let encoded =
            STANDARD.encode([1.5f32, -0.25].iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
        let encoded = json!({"data": [{"index": 0, "embedding": encoded}]}).to_string();
        assert_eq!(EmbedApi::Quarry.read(&encoded, 1).unwrap(), [[1.5, -0.25]]);
        assert_eq!(EmbedApi::Tei.read("[[1, 2], [3, 4]]", 2).unwrap(), [[1.0, 2.0], [3.0, 4.0]]);
        // Some leave the place out.
        assert_eq!(
            EmbedApi::OpenAi.read(r#"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#, 2).unwrap(),
            [[1.0], [2.0]]
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(refused(EmbedApi::Tei, "<html><body>Welcome", 1).contains("expected vectors in JSON, got \"<html>"));
        assert!(refused(EmbedApi::Tei, "[[1]]", 2).contains("expected 2 answers, got 1"));
        assert!(refused(EmbedApi::Tei, "[[[1, 2], [3, 4]]]", 1).contains("pooling"));
        assert!(refused(EmbedApi::OpenAi, r#"{"data":[{"index":7,"embedding":[1]}]}"#, 1).contains("text 7 of 1"));
        assert!(refused(EmbedApi::OpenAi, r#"{"data":[{"embedding":"AAA="}]}"#, 1).contains("4 bytes a value"));
        assert!(refused(EmbedApi::OpenAi, r#"{"data":[{"embedding":"***"}]}"#, 1).contains("no base64"));
        assert!(refused(EmbedApi::OpenAi, r#"{"error":"no"}"#, 1).contains("expected vectors in JSON"));
        assert!(EmbedApi::Tei.read("[[1, null]]", 1).unwrap()[0][1].is_nan());
    }

    #[test]
    fn only_a_quarry_is_told_what_is_a_query() {
        let (texts, query) = ([String::from("q")], Form::Query { instruction: Some("Find code".to_owned()) });
        let body = EmbedApi::Quarry.body("m", &texts, &query, true);
        assert_eq!((&body["input_type"], &body["instruct"]), (&json!("query"), &json!("Find code")));
        let body = EmbedApi::OpenAi.body("m", &texts, &query, false);
        assert_eq!(body, json!({"model": "m", "input": ["q"]}));
        assert!(EmbedApi::Quarry.body("m", &texts, &Form::Document, true).get("input_type").is_none());
    }
}
