//! The texts of a request in the shapes of others, read one by one: what is wrong with one is said with its place.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ArrayItems, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Texts to embed, or token ids of this model's own tokenizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// Texts.
    Texts(Vec<String>),
    /// Ids of several texts: those of another tokenizer that are in range silently give nonsense.
    Tokens(Vec<Vec<u32>>),
}

/// A document to score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// Its text.
    Text(String),
    /// An object with its `text`, and whatever else belongs to it.
    Object(Map<String, Value>),
}

impl Input {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Tokens(sequences) => sequences.len(),
        }
    }

    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(Self::Texts(vec![text])),
            Value::Array(items) => match items.first() {
                Some(Value::Number(_)) => Ok(Self::Tokens(vec![each(items, token)?])),
                Some(Value::Array(_)) => Ok(Self::Tokens(each(items, sequence)?)),
                _ => Ok(Self::Texts(each(items, text)?)),
            },
            other => Err(format!(
                ": expected a text, a list of texts, a list of token ids, or a list of such lists, got {}",
                kind(&other)
            )),
        }
    }
}

impl Candidate {
    /// What is read of it.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Object(fields) => fields.get("text").and_then(Value::as_str).unwrap_or_default(),
        }
    }

    /// How it comes back.
    pub(super) fn shown(&self) -> Map<String, Value> {
        match self {
            Self::Text(text) => Map::from_iter([("text".to_owned(), Value::String(text.clone()))]),
            Self::Object(fields) => fields.clone(),
        }
    }
}

/// OpenAI's `input`.
pub(super) fn input<'de, D: Deserializer<'de>>(from: D) -> Result<Input, D::Error> {
    read(from, "input", Input::read)
}

/// The `inputs` of text-embeddings-inference.
pub(super) fn inputs<'de, D: Deserializer<'de>>(from: D) -> Result<Input, D::Error> {
    read(from, "inputs", Input::read)
}

/// The `texts` of text-embeddings-inference.
pub(super) fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    read(from, "texts", |value| each(list(value)?, text))
}

/// Cohere's `documents`.
pub(super) fn documents<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Candidate>, D::Error> {
    read(from, "documents", |value| each(list(value)?, candidate))
}

fn read<'de, D: Deserializer<'de>, T>(
    from: D,
    field: &str,
    read: impl Fn(Value) -> Result<T, String>,
) -> Result<T, D::Error> {
    read(Value::deserialize(from)?).map_err(|wrong| D::Error::custom(format!("{field}{wrong}")))
}

fn list(value: Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(format!(": expected a list, got {}", kind(&other))),
    }
}

/// Reads every item of a list; an error begins with the place of its item.
fn each<T>(items: Vec<Value>, read: impl Fn(Value) -> Result<T, String>) -> Result<Vec<T>, String> {
    let read = |(index, item): (usize, Value)| read(item).map_err(|wrong| format!("[{index}]{wrong}"));
    items.into_iter().enumerate().map(read).collect()
}

fn text(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(format!(": expected a text, got {}", kind(&other))),
    }
}

fn token(value: Value) -> Result<u32, String> {
    let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
    id.ok_or_else(|| format!(": expected a token id, got {}", kind(&value)))
}

fn sequence(value: Value) -> Result<Vec<u32>, String> {
    each(list(value)?, token)
}

fn candidate(value: Value) -> Result<Candidate, String> {
    match value {
        Value::String(text) => Ok(Candidate::Text(text)),
        Value::Object(fields) if fields.get("text").is_some_and(Value::is_string) => Ok(Candidate::Object(fields)),
        other => Err(format!(": expected a text, or an object with `text`, got {}", kind(&other))),
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn several(items: impl Into<ArrayItems>) -> ArrayBuilder {
    ArrayBuilder::new().items(items).min_items(Some(1))
}

fn word() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(1))
}

impl PartialSchema for Input {
    fn schema() -> RefOr<Schema> {
        let id = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(u32::MAX));
        let ids = || several(id());
        OneOfBuilder::new()
            .description(Some(
                "A text or several; or token ids of this model's own tokenizer, of one text or of several",
            ))
            .item(word())
            .item(several(word()))
            .item(several(id()))
            .item(several(ids()))
            .into()
    }
}

impl ToSchema for Input {}

impl PartialSchema for Candidate {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        OneOfBuilder::new()
            .description(Some("A text, or an object with `text` and whatever else is to come back with it"))
            .item(text())
            .item(ObjectBuilder::new().property("text", text()).required("text"))
            .into()
    }
}

impl ToSchema for Candidate {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_and_tokens_are_told_apart() {
        let texts = |texts: &[&str]| Input::Texts(texts.iter().map(ToString::to_string).collect());
        for (value, expected) in [
            (json!("a"), texts(&["a"])),
            (json!(["a", ""]), texts(&["a", ""])),
            (json!([]), texts(&[])),
            (json!([1, 2]), Input::Tokens(vec![vec![1, 2]])),
            (json!([[1], []]), Input::Tokens(vec![vec![1], vec![]])),
        ] {
            assert_eq!(input(value).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (value, expected) in [
            (json!(7), "input: expected a text, a list of texts"),
            (json!(null), "input: expected a text, a list of texts"),
            (json!(["a", "b", 7]), "input[2]: expected a text, got the number 7"),
            (json!(["a", null]), "input[1]: expected a text, got null"),
            (json!([1, "a"]), "input[1]: expected a token id, got a text"),
            (json!([1, -1]), "input[1]: expected a token id, got the number -1"),
            (json!([[1], [2, 4.5]]), "input[1][1]: expected a token id, got the number 4.5"),
            (json!([[1], 2]), "input[1]: expected a list, got the number 2"),
        ] {
            let error = input(value).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = texts(json!(["a", {}])).unwrap_err().to_string();
        assert!(error.starts_with("texts[1]: expected a text, got an object"), "{error}");
        for wrong in [json!(["a", { "image": "x" }]), json!(["a", { "text": 1 }])] {
            let error = documents(wrong).unwrap_err().to_string();
            assert!(error.starts_with("documents[1]: expected a text, or an object with `text`"), "{error}");
        }
    }

    #[test]
    fn a_document_comes_back_with_all_that_belongs_to_it() {
        let read = documents(json!(["a", { "text": "b", "id": 7 }])).unwrap();
        assert_eq!(read.iter().map(Candidate::text).collect::<Vec<_>>(), ["a", "b"]);
        let shown: Vec<Value> = read.iter().map(|one| Value::Object(one.shown())).collect();
        assert_eq!(shown, [json!({ "text": "a" }), json!({ "text": "b", "id": 7 })]);
    }
}
