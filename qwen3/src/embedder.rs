//! Text to vectors: the prompt's form, the EOS, the last token's hidden state, cut to the wanted dimension and brought
//! to length one.

use serde::{Deserialize, Serialize};

use crate::{
    device::DeviceChoice,
    error::{Error, Result},
    files::ModelFiles,
    fingerprint::fingerprint,
    model::{Model, Precision, Prefix},
    prompt::EmbedPrompt,
    tokenizer::Tokenizer,
};

/// The smallest dimension the models were trained to be cut to.
const LEAST_DIMENSION: usize = 32;

/// How to open an embedding model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmbedderOptions {
    /// How weights are kept in memory.
    pub precision: Precision,
    /// Which processor computes.
    pub device: DeviceChoice,
    /// Keep only the first values of each vector (at least 32); the model's full width by default.
    pub dimension: Option<usize>,
    /// Cut texts to this many tokens, EOS included; the model's limit by default.
    pub max_tokens: Option<usize>,
    /// Templates and the default instruction.
    pub prompt: EmbedPrompt,
}

/// An embedding model. Synchronous and `&self`; [`EmbedHandle`](crate::EmbedHandle) puts a thread before it.
pub struct Embedder {
    model: Model,
    encoder: EmbedEncoder,
    dimension: usize,
    fingerprint: String,
}

/// The text side of an embedding model: text to the ids the model reads. Cheap to clone.
#[derive(Clone)]
pub struct EmbedEncoder {
    tokenizer: Tokenizer,
    prompt: EmbedPrompt,
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
        prompt.check()?;
        // The slowest part of opening a small model is parsing its tokenizer: both at once.
        let (model, tokenizer) = rayon::join(|| Model::open_on(files, precision, device), || Tokenizer::parse(files));
        let (model, tokenizer) = (model?, tokenizer?);
        tokenizer.check_vocabulary(model.config())?;
        let dimension = check_dimension(dimension, model.hidden_size())?;
        let max_tokens = max_tokens.map_or(model.max_tokens(), |limit| limit.clamp(1, model.max_tokens()));
        // Asked for once here, so that a tokenizer without EOS is refused at open.
        tokenizer.encode_with_eos("", max_tokens)?;
        let fingerprint = fingerprint(files, &prompt, dimension)?;
        let vocab_size = model.config().qwen.vocab_size;
        Ok(Self { model, encoder: EmbedEncoder { tokenizer, prompt, max_tokens, vocab_size }, dimension, fingerprint })
    }

    /// Values in each vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Longest text in tokens, EOS included; longer ones are cut.
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

    /// Unit vectors of one packed batch of token ids (EOS included), in order.
    ///
    /// # Errors
    /// [`Error::TokenId`], [`Error::Length`]; [`Error::NonFinite`] instead of a vector with NaN or infinity;
    /// [`Error::NoDirection`] instead of a zero vector, as the bundled model gives for an empty text. One such text
    /// fails the whole call: embed its neighbours without it.
    pub fn embed_ids(&self, sequences: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        embed_ids(&self.model, sequences, self.dimension)
    }
}

impl EmbedEncoder {
    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Ids of a query in the model's query form, with EOS.
    ///
    /// # Errors
    /// [`Error::Tokenize`].
    pub fn query(&self, query: &str, instruction: Option<&str>) -> Result<Vec<u32>> {
        self.tokenizer.encode_with_eos(&self.prompt.query(query, instruction), self.max_tokens)
    }

    /// Ids of documents in the model's document form, with EOS, on all cores.
    ///
    /// # Errors
    /// [`Error::Tokenize`].
    pub fn documents<T: AsRef<str> + Sync>(&self, documents: &[T]) -> Result<Vec<Vec<u32>>> {
        self.tokenizer.encode_all_with_eos(documents, self.max_tokens, |text| self.prompt.document(text))
    }

    /// Ids that came from outside, checked, cut to the limit and closed by the EOS as a document's are. They have to be
    /// of this model's tokenizer: ids of another one that are in range cannot be told from its own.
    ///
    /// # Errors
    /// [`Error::TokenId`], [`Error::MissingToken`].
    pub fn sequences(&self, mut sequences: Vec<Vec<u32>>) -> Result<Vec<Vec<u32>>> {
        let vocab_size = self.vocab_size;
        let is_foreign = |id: &&u32| **id as usize >= vocab_size;
        if let Some(id) = sequences.iter().flatten().find(is_foreign) {
            return Err(Error::TokenId { id: *id, vocab_size });
        }
        sequences.iter_mut().try_for_each(|ids| self.tokenizer.close(ids, self.max_tokens))?;
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
    let hidden = model.last_hidden(sequences, &Prefix::EMPTY)?;
    let unit = |(mut vector, sequence): (Vec<f32>, &&[u32])| {
        vector.truncate(dimension);
        normalize(&mut vector, sequence.len())?;
        Ok(vector)
    };
    hidden.into_iter().zip(sequences).map(unit).collect()
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
        return Err(Error::NoDirection { tokens });
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
        assert!(matches!(normalize(&mut [0.0, 0.0], 2), Err(Error::NoDirection { tokens: 2 })));
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(matches!(normalize(&mut [bad, 1.0], 2), Err(Error::NonFinite { .. })));
        }
    }
}
