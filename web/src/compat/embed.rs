//! Texts to vectors for all embedding endpoints: the form of a query or of a document, cut and brought to length one.
//!
//! Whoever asks here waits for the answer, so their documents overtake those of an indexing run.

use qwen3::{EmbedHandle, Lane, Pending};

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

/// What is to be embedded.
#[derive(Debug)]
pub(super) enum Input {
    Texts(Vec<String>),
    /// Ids of the model's own tokenizer.
    Tokens(Vec<Vec<u32>>),
}

impl Input {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Tokens(sequences) => sequences.len(),
        }
    }
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
}

/// Refuses more texts than a request may have, and dimensions that the model cannot give.
pub(super) fn check(
    limits: &LimitsConfig,
    embedder: &EmbedHandle,
    texts: usize,
    dimension: Option<usize>,
) -> Result<(), Error> {
    within("the number of texts", texts, limits.model_texts)?;
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
    embedder: &EmbedHandle,
    input: Input,
    form: &Form,
    dimension: Option<usize>,
    wanted: &Wanted,
) -> Result<Embedded, Error> {
    let wait = |pending: Pending<Vec<f32>>| {
        let tokens = pending.tokens();
        Ok::<_, Error>((wanted.wait(pending)?, tokens))
    };
    let query = |text: &String, instruct: &Option<String>| {
        wanted.check()?;
        Ok::<_, Error>(embedder.embed_query(text, instruct.as_deref())?)
    };
    let (mut vectors, tokens) = match (input, form) {
        (Input::Tokens(sequences), Form::Document) => {
            wait(embedder.embed_ids_in(Lane::Soon, sequences).map_err(foreign)?)?
        }
        (Input::Tokens(_), Form::Query(_)) => {
            return Err(Error::bad("input: token arrays are embedded as they are; send queries as texts"));
        }
        (Input::Texts(texts), Form::Document) => wait(embedder.embed_documents_in(Lane::Soon, &texts)?)?,
        (Input::Texts(texts), Form::Query(instruct)) => {
            let vectors = texts.iter().map(|text| query(text, instruct));
            let tokens = texts.iter().map(|text| embedder.tokenizer().count(text));
            (vectors.collect::<Result<_, _>>()?, tokens.sum::<Result<usize, _>>()?)
        }
    };
    if let Some(dimension) = dimension {
        vectors.iter_mut().for_each(|vector| cut(vector, dimension));
    }
    Ok(Embedded { vectors, tokens })
}

/// Ids of another model's tokenizer, as far as they can be told.
fn foreign(error: qwen3::Error) -> Error {
    match error {
        qwen3::Error::TokenId { id, vocab_size } => Error::bad(format!(
            "input: token {id} does not exist in this model, whose vocabulary ends at {}; token arrays have to come from \
             the model's own tokenizer, so send texts if yours is another one (LangChain's OpenAIEmbeddings: set \
             check_embedding_ctx_length=False)",
            vocab_size.saturating_sub(1)
        )),
        other => other.into(),
    }
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
    }
}
