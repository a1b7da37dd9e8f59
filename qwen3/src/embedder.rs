//! Text to vectors: the prompt's form, the special tokens, the pooled hidden state, cut to the wanted dimension and
//! brought to length one. config.json's `model_type` says which family computes: Qwen3 (the last token's hidden state) or
//! BERT (the mean of all, or the first token's).

use serde::{Deserialize, Serialize};

use crate::{
    bert::Bert,
    config::{Family, ModelConfig},
    device::DeviceChoice,
    error::{Error, Result},
    files::ModelFiles,
    fingerprint::fingerprint,
    model::{Model, Precision, Prefix},
    prompt::EmbedPrompt,
    tokenizer::{Ends, Overlong, Tokenizer},
};

/// The smallest dimension that Qwen3's models were trained to be cut to.
const LEAST_DIMENSION: usize = 32;

/// How to open an embedding model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmbedderOptions {
    /// How weights are kept in memory.
    pub precision: Precision,
    /// Which processor computes.
    pub device: DeviceChoice,
    /// Keep only the first values of each vector (at least 32); the model's full width by default. Qwen3's models are
    /// trained for it; a BERT mostly is not and loses more.
    pub dimension: Option<usize>,
    /// Cut texts to this many tokens, special ones included; the model's limit by default.
    pub max_tokens: Option<usize>,
    /// Templates and the default instruction; by default [`EmbedPrompt::default`] for Qwen3 and [`EmbedPrompt::bare`],
    /// which says no instruction, for BERT.
    pub prompt: Option<EmbedPrompt>,
}

/// An embedding model. Synchronous and `&self`; [`EmbedHandle`](crate::EmbedHandle) puts a thread before it.
pub struct Embedder {
    model: Body,
    encoder: EmbedEncoder,
    dimension: usize,
    fingerprint: String,
}

/// What computes.
enum Body {
    Qwen3(Box<Model>),
    Bert(Box<Bert>),
}

/// The text side of an embedding model: text to the ids the model reads. Cheap to clone.
#[derive(Clone)]
pub struct EmbedEncoder {
    tokenizer: Tokenizer,
    prompt: EmbedPrompt,
    ends: Ends,
    max_tokens: usize,
    vocab_size: usize,
}

impl Embedder {
    /// Opens a model.
    ///
    /// # Errors
    /// Whatever is wrong with the files, by name; [`Error::Dimension`] for a dimension the model cannot give.
    pub fn open(files: &ModelFiles, options: EmbedderOptions) -> Result<Self> {
        let EmbedderOptions { precision, device, dimension, max_tokens, prompt } = options;
        let family = files.family()?;
        let prompt = prompt.unwrap_or_else(|| match family {
            Family::Qwen3 => EmbedPrompt::default(),
            Family::Bert => EmbedPrompt::bare(),
        });
        prompt.check()?;
        // The slowest part of opening a small model is parsing its tokenizer: both at once.
        let (model, tokenizer) =
            rayon::join(|| Body::open(files, family, precision, device), || Tokenizer::parse(files));
        let (model, tokenizer) = (model?, tokenizer?);
        let vocab_size = model.vocab_size();
        tokenizer.check_vocabulary(vocab_size)?;
        let dimension = check_dimension(dimension, model.hidden_size())?;
        // Asked for once here, so that a tokenizer without special tokens is refused at open.
        let ends = match family {
            Family::Qwen3 => tokenizer.eos()?,
            Family::Bert => tokenizer.frame()?,
        };
        let max_tokens = max_tokens.unwrap_or(usize::MAX).max(ends.least()).min(model.max_tokens());
        let fingerprint = fingerprint(files, &prompt, dimension)?;
        let encoder = EmbedEncoder { tokenizer, prompt, ends, max_tokens, vocab_size };
        Ok(Self { model, encoder, dimension, fingerprint })
    }

    /// Values in each vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Longest text in tokens, special ones included; longer ones are cut.
    pub fn max_tokens(&self) -> usize {
        self.encoder.max_tokens
    }

    /// How the weights are kept: never [`Precision::Auto`].
    pub fn precision(&self) -> Precision {
        self.model.precision()
    }

    /// The processor that computes: never [`DeviceChoice::Auto`].
    pub fn device(&self) -> DeviceChoice {
        self.model.device()
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.encoder.tokenizer
    }

    /// Text to ids.
    pub fn encoder(&self) -> &EmbedEncoder {
        &self.encoder
    }

    /// Stable name of model, templates and dimension (hex): vectors of different fingerprints do not compare.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Unit vectors of one packed batch of token ids (special ones included), in order.
    ///
    /// # Errors
    /// [`Error::TokenId`], [`Error::Length`]; [`Error::NonFinite`] instead of a vector with NaN or infinity;
    /// [`Error::NoDirection`] instead of a zero vector, as the bundled model gives for an empty text. One such text
    /// fails the whole call: embed its neighbours without it.
    pub fn embed_ids(&self, sequences: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        let hidden = match &self.model {
            Body::Qwen3(model) => return embed_ids(model, sequences, self.dimension),
            Body::Bert(bert) => bert.pooled(sequences)?,
        };
        units(hidden, sequences, self.dimension)
    }
}

impl Body {
    fn open(files: &ModelFiles, family: Family, precision: Precision, device: DeviceChoice) -> Result<Self> {
        Ok(match family {
            Family::Qwen3 => Self::Qwen3(Box::new(Model::open_on(files, precision, device)?)),
            Family::Bert => Self::Bert(Box::new(Bert::open(files, precision, device)?)),
        })
    }

    fn vocab_size(&self) -> usize {
        match self {
            Self::Qwen3(model) => model.config().qwen.vocab_size,
            Self::Bert(bert) => bert.vocab_size(),
        }
    }

    fn hidden_size(&self) -> usize {
        match self {
            Self::Qwen3(model) => model.hidden_size(),
            Self::Bert(bert) => bert.hidden_size(),
        }
    }

    fn max_tokens(&self) -> usize {
        match self {
            Self::Qwen3(model) => model.max_tokens(),
            Self::Bert(bert) => bert.max_tokens(),
        }
    }

    fn precision(&self) -> Precision {
        match self {
            Self::Qwen3(model) => model.precision(),
            Self::Bert(bert) => bert.precision(),
        }
    }

    fn device(&self) -> DeviceChoice {
        match self {
            Self::Qwen3(model) => model.device(),
            Self::Bert(_) => DeviceChoice::Cpu,
        }
    }
}

impl EmbedEncoder {
    /// The text side of a Qwen3 model by itself: nothing is read of the weights.
    ///
    /// # Errors
    /// What is wrong with the tokenizer; [`Error::MissingToken`] for one without Qwen3's end of text.
    pub fn open(files: &ModelFiles, prompt: EmbedPrompt, max_tokens: usize) -> Result<Self> {
        let config = ModelConfig::of(files)?;
        let tokenizer = Tokenizer::open(files, &config)?;
        let ends = tokenizer.eos()?;
        Ok(Self { tokenizer, prompt, ends, max_tokens, vocab_size: config.qwen.vocab_size })
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Ids of a query in the model's query form, with special tokens. A form that says no instruction (BERT's) ignores
    /// `instruction`.
    ///
    /// # Errors
    /// [`Error::Tokenize`].
    pub fn query(&self, query: &str, instruction: Option<&str>) -> Result<Vec<u32>> {
        self.query_as(query, instruction, Overlong::CutEnd)
    }

    /// [`EmbedEncoder::query`] with a choice of what becomes of one that is too long. The prompt counts as its beginning.
    ///
    /// # Errors
    /// [`Error::Tokenize`], [`Error::TooLong`].
    pub fn query_as(&self, query: &str, instruction: Option<&str>, overlong: Overlong) -> Result<Vec<u32>> {
        let text = self.prompt.query(query, instruction);
        self.tokenizer.encode_closed(&text, &self.ends, self.max_tokens, overlong)
    }

    /// Ids of documents in the model's document form, with special tokens, on all cores.
    ///
    /// # Errors
    /// [`Error::Tokenize`].
    pub fn documents<T: AsRef<str> + Sync>(&self, documents: &[T]) -> Result<Vec<Vec<u32>>> {
        self.documents_as(documents, Overlong::CutEnd)
    }

    /// [`EmbedEncoder::documents`] with a choice of what becomes of one that is too long.
    ///
    /// # Errors
    /// [`Error::Tokenize`], [`Error::TooLong`].
    pub fn documents_as<T: AsRef<str> + Sync>(&self, documents: &[T], overlong: Overlong) -> Result<Vec<Vec<u32>>> {
        let form = |text: &str| self.prompt.document(text);
        self.tokenizer.encode_all_closed(documents, &self.ends, self.max_tokens, overlong, form)
    }

    /// Ids that came from outside, checked, brought to the limit and with special tokens around them as a document's have
    /// (those that are there already are not put there twice). They have to be of this model's tokenizer: ids of another
    /// one that are in range cannot be told from its own.
    ///
    /// # Errors
    /// [`Error::TokenId`], [`Error::TooLong`].
    pub fn sequences(&self, mut sequences: Vec<Vec<u32>>, overlong: Overlong) -> Result<Vec<Vec<u32>>> {
        let vocab_size = self.vocab_size;
        let is_foreign = |id: &&u32| **id as usize >= vocab_size;
        if let Some(id) = sequences.iter().flatten().find(is_foreign) {
            return Err(Error::TokenId { id: *id, vocab_size });
        }
        for (index, ids) in sequences.iter_mut().enumerate() {
            self.ends.close(ids, self.max_tokens, overlong).map_err(|error| error.of_text(index))?;
        }
        Ok(sequences)
    }
}

/// Unit vectors of a packed batch straight from a [`Model`], for callers that have ids and no tokenizer. `dimension`
/// is 1 to the model's width here.
///
/// # Errors
/// As [`Embedder::embed_ids`].
pub fn embed_ids(model: &Model, sequences: &[&[u32]], dimension: usize) -> Result<Vec<Vec<f32>>> {
    let most = model.hidden_size();
    if !(1..=most).contains(&dimension) {
        return Err(Error::Dimension { requested: dimension, least: 1, most });
    }
    units(model.last_hidden(sequences, &Prefix::EMPTY)?, sequences, dimension)
}

/// Hidden states cut to the dimension and brought to length one.
fn units(hidden: Vec<Vec<f32>>, sequences: &[&[u32]], dimension: usize) -> Result<Vec<Vec<f32>>> {
    let unit = |(index, (mut vector, sequence)): (usize, (Vec<f32>, &&[u32]))| {
        vector.truncate(dimension);
        normalize(&mut vector, sequence.len()).map_err(|error| error.of_text(index))?;
        Ok(vector)
    };
    hidden.into_iter().zip(sequences).enumerate().map(unit).collect()
}

fn check_dimension(requested: Option<usize>, width: usize) -> Result<usize> {
    let requested = requested.unwrap_or(width);
    // A model narrower than the smallest cut can still give its full width.
    let least = LEAST_DIMENSION.min(width);
    if (least..=width).contains(&requested) {
        return Ok(requested);
    }
    Err(Error::Dimension { requested, least, most: width })
}

/// Brings a vector to length one.
fn normalize(vector: &mut [f32], tokens: usize) -> Result<()> {
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if !length.is_finite() {
        return Err(Error::NonFinite { what: "embedding", tokens });
    }
    if length == 0.0 {
        return Err(Error::NoDirection { text: 0, tokens });
    }
    vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_are_checked() {
        assert_eq!(check_dimension(None, 256).unwrap(), 256);
        assert_eq!(check_dimension(Some(32), 256).unwrap(), 32);
        assert!(check_dimension(Some(31), 256).unwrap_err().to_string().contains("expected 32 to 256"));
        assert!(check_dimension(Some(257), 256).is_err());
        assert_eq!(check_dimension(None, 16).unwrap(), 16);
    }

    #[test]
    fn only_vectors_with_a_direction_are_normalised() {
        let mut vector = [3.0, 4.0];
        normalize(&mut vector, 2).unwrap();
        assert_eq!(vector, [0.6, 0.8]);
        assert!(matches!(normalize(&mut [0.0, 0.0], 2), Err(Error::NoDirection { tokens: 2, .. })));
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(matches!(normalize(&mut [bad, 1.0], 2), Err(Error::NonFinite { .. })));
        }
    }
}
