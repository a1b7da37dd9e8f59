//! Texts to vectors for all embedding endpoints: the form of a query or of a document, cut and brought to length one.
//!
//! Whoever asks here waits for the answer, so their documents overtake those of an indexing run.

use qwen3::{EmbedHandle, Lane, Overlong, Pending, PendingQuery};

use super::texts::Input;
use super::wording::Wording;
use crate::config::LimitsConfig;
use crate::error::{Error, within};
use crate::wanted::Wanted;

/// The smallest dimension that the models were trained to be cut to.
const LEAST_DIMENSION: usize = 32;

/// In what form texts are embedded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Document,
    /// With an instruction before them: the given one, or the model's own.
    Query(Option<String>),
}

/// How texts are to be embedded.
#[derive(Debug)]
pub(super) struct Manner {
    pub(super) form: Form,
    /// Leading values of each vector to keep.
    pub(super) dimension: Option<usize>,
    pub(super) overlong: Overlong,
    pub(super) wording: Wording,
}

/// Vectors, and the tokens they were made from.
pub(super) struct Embedded {
    pub(super) vectors: Vec<Vec<f32>>,
    pub(super) tokens: usize,
}

impl Form {
    /// The form that `input_type` (as Cohere and Voyage call it) and an instruction ask for.
    pub(super) fn of(input_type: Option<&str>, instruct: Option<String>) -> Result<Self, Error> {
        match (input_type, instruct) {
            (Some("query" | "search_query"), instruct) => Ok(Self::Query(instruct)),
            (None, Some(instruct)) => Ok(Self::Query(Some(instruct))),
            (None | Some("document" | "search_document" | "passage"), None) => Ok(Self::Document),
            (Some("document" | "search_document" | "passage"), Some(_)) => {
                Err(Error::bad("instruct: only queries have an instruction; documents are embedded as they are"))
            }
            (Some(other), _) => Err(Error::bad(format!("input_type: expected query or document, got {other:?}"))),
        }
    }

    /// The form that a prompt of the model stands for, by the names that Sentence Transformers gives them.
    pub(super) fn of_prompt(name: Option<&str>) -> Result<Self, Error> {
        match name {
            Some("query") => Ok(Self::Query(None)),
            None | Some("document" | "passage") => Ok(Self::Document),
            Some(other) => Err(Error::bad(format!(
                "prompt_name: expected query or document, the prompts of the model, got {other:?}"
            ))),
        }
    }
}

/// Refuses no texts, more than a request may have, and dimensions that the model cannot give.
fn check(limits: &LimitsConfig, embedder: &EmbedHandle, texts: usize, manner: &Manner) -> Result<(), Error> {
    within("the number of texts", texts, limits.model_texts)?;
    manner.wording.some(texts)?;
    let dimension = manner.dimension;
    let (least, most) = (LEAST_DIMENSION.min(embedder.dimension()), embedder.dimension());
    match dimension {
        Some(dimension) if !(least..=most).contains(&dimension) => {
            Err(Error::bad(format!("dimensions: expected {least} to {most}, got {dimension}")))
        }
        _ => Ok(()),
    }
}

/// Embeds texts or tokens as long as somebody waits for them. Blocks.
pub(super) fn embed(
    limits: &LimitsConfig,
    embedder: &EmbedHandle,
    input: Input,
    manner: &Manner,
    wanted: &Wanted,
) -> Result<Embedded, Error> {
    check(limits, embedder, input.len(), manner)?;
    let Manner { form, dimension, overlong, wording } = manner;
    let wait = |begun: Result<Pending<Vec<f32>>, qwen3::Error>| {
        let pending = begun.map_err(|error| wording.told(error))?;
        let tokens = pending.tokens();
        let vectors = wanted.wait(pending).map_err(|error| match error {
            Error::Model(error) => wording.told(error),
            other => other,
        });
        Ok::<_, Error>((vectors?, tokens))
    };
    let query = |index: usize, text: &String, instruct: &Option<String>| {
        wanted.check()?;
        let pending = embedder.begin_query_as(text, instruct.as_deref(), *overlong);
        pending.and_then(PendingQuery::wait).map_err(|error| wording.told_of(index, error))
    };
    let (mut vectors, tokens) = match (input, form) {
        (Input::Tokens(sequences), Form::Document) => wait(embedder.embed_ids_in(Lane::Soon, sequences, *overlong))?,
        (Input::Tokens(_), Form::Query(_)) => {
            let field = wording.field;
            return Err(Error::bad(format!("{field}: token arrays are embedded as they are; send queries as texts")));
        }
        (Input::Texts(texts), Form::Document) => wait(embedder.embed_documents_as(Lane::Soon, &texts, *overlong))?,
        (Input::Texts(texts), Form::Query(instruct)) => {
            let vectors = texts.iter().enumerate().map(|(index, text)| query(index, text, instruct));
            let tokens = texts.iter().map(|text| embedder.ruler().count(text));
            (vectors.collect::<Result<_, _>>()?, tokens.sum::<Result<usize, _>>()?)
        }
    };
    if let Some(dimension) = dimension {
        vectors.iter_mut().for_each(|vector| cut(vector, *dimension));
    }
    Ok(Embedded { vectors, tokens })
}

/// Keeps the first values and brings them to length one again.
fn cut(vector: &mut Vec<f32>, dimension: usize) {
    vector.truncate(dimension);
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_vector_has_length_one() {
        let mut vector = vec![0.6, 0.0, 0.8];
        cut(&mut vector, 2);
        assert_eq!(vector, [1.0, 0.0]);
        let mut nothing = vec![0.0, 1.0];
        cut(&mut nothing, 1);
        assert_eq!(nothing, [0.0]);
    }

    #[test]
    fn forms_are_told_apart() {
        assert_eq!(Form::of(None, None).unwrap(), Form::Document);
        assert_eq!(Form::of(Some("search_query"), None).unwrap(), Form::Query(None));
        assert_eq!(Form::of(None, Some("x".into())).unwrap(), Form::Query(Some("x".into())));
        assert!(Form::of(Some("document"), Some("x".into())).is_err());
        assert!(Form::of(Some("clustering"), None).is_err());
        assert_eq!(Form::of_prompt(Some("query")).unwrap(), Form::Query(None));
        assert_eq!(Form::of_prompt(None).unwrap(), Form::Document);
        assert!(Form::of_prompt(Some("nope")).unwrap_err().to_string().contains("prompt_name"));
    }
}
