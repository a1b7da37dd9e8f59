//! Ids in, logits of the next token out: a model with its output matrix, going on with any number of sequences at once.

use candle_core::{DType, Tensor};

use super::kv_memory::KvMemory;
use crate::{
    device::DeviceChoice,
    error::{Error, Result},
    files::ModelFiles,
    model::{Model, Precision},
    ops::{Kernels, Linear, Slot},
};

/// A causal model with its output matrix. `&self`: what is known of a sequence is its caller's, as a [`KvMemory`].
pub struct Predictor {
    model: Model,
    output: Linear,
}

/// How one sequence goes on.
pub struct Onward<'o> {
    /// What is known of it; afterwards also the new tokens.
    pub memory: &'o mut KvMemory,
    /// Its next tokens, at least one: a prompt or a part of it, or the token that was chosen last.
    pub ids: &'o [u32],
    /// Whether the logits behind the last of them are wanted: not behind a part of a prompt.
    pub wants_logits: bool,
}

impl Predictor {
    /// Opens a model.
    ///
    /// # Errors
    /// As [`Model::open_on`]; [`Error::NoWriter`] where there is no output matrix.
    pub fn open(files: &ModelFiles, precision: Precision, device: DeviceChoice) -> Result<Self> {
        Self::with(files, Model::open_on(files, precision, device)?)
    }

    /// As [`Predictor::open`], on the CPU by the given kernels: for tests and measurements.
    ///
    /// # Errors
    /// As there.
    pub fn open_with(files: &ModelFiles, precision: Precision, kernels: Kernels) -> Result<Self> {
        Self::with(files, Model::open_with(files, precision, kernels)?)
    }

    fn with(files: &ModelFiles, model: Model) -> Result<Self> {
        let output = model.output(files).map_err(|error| match error {
            Error::MissingTensor { origin, tensor } => Error::NoWriter {
                origin,
                reason: format!(
                    "its weights have no whole {tensor}, from which words are chosen: it only embeds or reranks"
                ),
            },
            other => other,
        })?;
        Ok(Self { model, output })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// A memory for a sequence of so many tokens at the most.
    ///
    /// # Errors
    /// [`Error::Length`] for more than the model's positions, or none.
    pub fn memory(&self, room: usize) -> Result<KvMemory> {
        let limit = self.model.max_tokens();
        if room == 0 || room > limit {
            return Err(Error::Length { length: room, limit });
        }
        self.model.memory(room)
    }

    /// Bytes that each token takes in a memory.
    pub fn memory_per_token(&self) -> usize {
        self.model.memory_per_token()
    }

    /// All sequences go on in one pass, whatever is a prompt and whatever a single token. Logits over the whole
    /// vocabulary, one row for each sequence that wants them, in order.
    ///
    /// # Errors
    /// [`Error::TokenId`], [`Error::Length`]; [`Error::NonFinite`] instead of logits with NaN or infinity.
    pub fn advance(&self, sequences: &mut [Onward]) -> Result<Vec<Vec<f32>>> {
        let lengths: Vec<usize> =
            sequences.iter().map(|sequence| sequence.memory.tokens() + sequence.ids.len()).collect();
        let wanted: Vec<u32> = (0u32..)
            .zip(sequences.iter())
            .filter(|(_, sequence)| sequence.wants_logits)
            .map(|(index, _)| index)
            .collect();
        let mut parts: Vec<(&mut KvMemory, &[u32])> =
            sequences.iter_mut().map(|sequence| (&mut *sequence.memory, sequence.ids)).collect();
        let hidden = self.model.extend(&mut parts)?;
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let indexes = Tensor::new(wanted.as_slice(), hidden.device())?;
        let hidden = hidden.index_select(&indexes, 0)?;
        let logits = rayon::scope(|_| self.output.forward(&hidden, None, &mut Slot::default()))?;
        let logits: Vec<Vec<f32>> = logits.to_dtype(DType::F32)?.to_vec2()?;
        for (row, index) in logits.iter().zip(&wanted) {
            if row.iter().any(|logit| !logit.is_finite()) {
                return Err(Error::NonFinite { what: "logit", tokens: lengths[*index as usize] });
            }
        }
        Ok(logits)
    }
}
