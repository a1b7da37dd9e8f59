//! The packed forward pass. Sequences lie one after another without padding, every token carries its own position,
//! and nothing is kept between calls (`&self`): any batch gives what its sequences give one by one, to float noise.
//!
//! Only the hidden state of each sequence's last token is ever wanted, so the last block computes queries, output and
//! feed-forward for those alone.

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    attention::Span,
    config::ModelConfig,
    error::{Error, Result},
    files::ModelFiles,
    layer::{KeysValues, Layer, NAMES, Step, Wanted},
    ops::RmsNorm,
    rope::Rope,
    weights::{StoredMatrix, Weights},
};

const TABLE: &str = "embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

/// How weights are kept in memory. Activations are f32 in both; f16 is not offered because it overflows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Exact, twice the memory.
    #[default]
    F32,
    /// Half the memory; loses nothing for checkpoints stored as bf16. Slower on a CPU today.
    Bf16,
}

/// A loaded Qwen3 model without its output layer.
pub struct Model {
    config: ModelConfig,
    device: Device,
    table: StoredMatrix,
    layers: Vec<Layer>,
    norm: RmsNorm,
    rope: Rope,
    /// The output matrix, where the checkpoint has one of its own.
    head: Option<StoredMatrix>,
}

/// Keys and values of a beginning that several sequences share, for every block.
pub struct Prefix {
    tokens: usize,
    blocks: Vec<KeysValues>,
}

impl Prefix {
    /// A prefix of no tokens.
    pub const EMPTY: Self = Self { tokens: 0, blocks: Vec::new() };

    /// Length in tokens.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

/// A batch laid out for one pass.
struct Packed {
    ids: Vec<u32>,
    positions: Vec<u32>,
    spans: Vec<Span>,
}

impl Packed {
    fn new(sequences: &[&[u32]], prefix: usize) -> Self {
        let (mut ids, mut positions, mut spans) = (Vec::new(), Vec::new(), Vec::with_capacity(sequences.len()));
        let mut key_start = 0;
        for sequence in sequences {
            let keys = prefix + sequence.len();
            spans.push(Span { query_start: ids.len(), queries: sequence.len(), key_start, keys });
            key_start += keys;
            ids.extend_from_slice(sequence);
            positions.extend(prefix as u32..keys as u32);
        }
        Self { ids, positions, spans }
    }

    /// The same sequences with only their last query.
    fn last_spans(&self) -> Vec<Span> {
        let last = |(index, span): (usize, &Span)| Span { query_start: index, queries: 1, ..*span };
        self.spans.iter().enumerate().map(last).collect()
    }

    fn last_indexes(&self) -> Vec<u32> {
        self.spans.iter().map(|span| (span.query_start + span.queries - 1) as u32).collect()
    }
}

impl Model {
    /// Reads config and weights; the token embedding table stays in its file and is read row by row.
    ///
    /// # Errors
    /// Whatever is wrong with config.json or the weights, by name; never a panic on a damaged file.
    pub fn open(files: &ModelFiles, precision: Precision) -> Result<Self> {
        let config = ModelConfig::parse(files.config(), &files.config_name())?;
        let weights = Weights::open(files)?;
        let device = Device::Cpu;
        let qwen = &config.qwen;
        let table = weights.stored_matrix(TABLE, (qwen.vocab_size, qwen.hidden_size))?;
        weights.check_all(|name| is_expected(name, qwen.num_hidden_layers))?;
        let dtype = match precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        };
        let layers = (0..qwen.num_hidden_layers)
            .map(|index| Layer::open(&weights, index, &config, dtype, &device))
            .collect::<Result<_>>()?;
        let norm = RmsNorm::new(weights.vector("norm.weight", qwen.hidden_size, &device)?, qwen.rms_norm_eps);
        let head = match weights.stored_matrix(HEAD, (qwen.vocab_size, qwen.hidden_size)) {
            _ if qwen.tie_word_embeddings => None,
            Err(Error::MissingTensor { .. }) => None,
            head => Some(head?),
        };
        let rope = Rope::new(qwen.rope_theta, qwen.head_dim);
        Ok(Self { device, table, layers, norm, rope, head, config })
    }

    /// The checked config.json.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Longest sequence, in tokens.
    pub fn max_tokens(&self) -> usize {
        self.config.qwen.max_position_embeddings
    }

    /// Width of a hidden state.
    pub fn hidden_size(&self) -> usize {
        self.config.qwen.hidden_size
    }

    /// Hidden state of each sequence's last token after the final norm: `sequences.len()` rows of `hidden_size`
    /// values. `prefix` is thought before each sequence ([`Prefix::EMPTY`] for none).
    ///
    /// # Errors
    /// [`Error::TokenId`] and [`Error::Length`] for ids and lengths out of range; an empty batch is fine.
    pub fn last_hidden(&self, sequences: &[&[u32]], prefix: &Prefix) -> Result<Vec<Vec<f32>>> {
        self.check(sequences, prefix.tokens)?;
        let Some((last, before)) = self.layers.split_last().filter(|_| !sequences.is_empty()) else {
            return Ok(Vec::new());
        };
        let packed = Packed::new(sequences, prefix.tokens);
        let angles = self.rope.angles(&packed.positions, &self.device)?;
        let step = Step { angles: &angles, spans: &packed.spans, prefix: prefix.tokens };
        let mut x = self.embed(&packed.ids)?;
        for (index, layer) in before.iter().enumerate() {
            x = layer.forward(&x, &step, prefix.blocks.get(index), &Wanted::All)?;
        }
        let (indexes, spans) = (packed.last_indexes(), packed.last_spans());
        let last_positions: Vec<u32> = indexes.iter().map(|index| packed.positions[*index as usize]).collect();
        let last_angles = self.rope.angles(&last_positions, &self.device)?;
        let indexes = Tensor::new(indexes, &self.device)?;
        let wanted = Wanted::Last { indexes: &indexes, angles: &last_angles, spans: &spans };
        let x = last.forward(&x, &step, prefix.blocks.get(before.len()), &wanted)?;
        Ok(self.norm.forward(&x)?.to_vec2()?)
    }

    /// Computes a shared beginning once; empty `ids` give [`Prefix::EMPTY`].
    ///
    /// # Errors
    /// As [`Model::last_hidden`].
    pub fn prefix(&self, ids: &[u32]) -> Result<Prefix> {
        let Some((last, before)) = self.layers.split_last().filter(|_| !ids.is_empty()) else {
            return Ok(Prefix::EMPTY);
        };
        self.check(&[ids], 0)?;
        let packed = Packed::new(&[ids], 0);
        let angles = self.rope.angles(&packed.positions, &self.device)?;
        let step = Step { angles: &angles, spans: &packed.spans, prefix: 0 };
        let mut x = self.embed(ids)?;
        let mut blocks = Vec::with_capacity(self.layers.len());
        for layer in before {
            blocks.push(layer.prefix(&x, &angles)?);
            x = layer.forward(&x, &step, None, &Wanted::All)?;
        }
        blocks.push(last.prefix(&x, &angles)?);
        Ok(Prefix { tokens: ids.len(), blocks })
    }

    /// Row `id` of the output matrix (the embedding table where they are tied), in f32.
    pub(crate) fn output_row(&self, id: u32) -> Result<Vec<f32>> {
        let head = match &self.head {
            Some(head) => head,
            None if self.config.qwen.tie_word_embeddings => &self.table,
            None => return Err(Error::MissingTensor { origin: "the model".to_owned(), tensor: HEAD.to_owned() }),
        };
        self.check_id(id)?;
        let mut row = vec![0.0; head.columns()];
        head.read_row(id as usize, &mut row);
        Ok(row)
    }

    fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        let width = self.table.columns();
        let mut values = vec![0.0; ids.len() * width];
        values
            .par_chunks_mut(width)
            .with_min_len(64)
            .zip(ids)
            .for_each(|(row, id)| self.table.read_row(*id as usize, row));
        Ok(Tensor::from_vec(values, (ids.len(), width), &self.device)?)
    }

    fn check(&self, sequences: &[&[u32]], prefix: usize) -> Result<()> {
        let limit = self.max_tokens();
        for sequence in sequences {
            let length = prefix + sequence.len();
            if sequence.is_empty() || length > limit {
                return Err(Error::Length { length, limit });
            }
            sequence.iter().try_for_each(|id| self.check_id(*id))?;
        }
        Ok(())
    }

    fn check_id(&self, id: u32) -> Result<()> {
        if (id as usize) < self.table.rows() {
            return Ok(());
        }
        Err(Error::TokenId { id, vocab_size: self.table.rows() })
    }
}

fn is_expected(name: &str, layers: usize) -> bool {
    if [TABLE, HEAD, "norm.weight"].contains(&name) {
        return true;
    }
    let Some((index, part)) = name.strip_prefix("layers.").and_then(|rest| rest.split_once('.')) else { return false };
    // Old converters stored the constant rotary frequencies.
    let known = part.strip_suffix(".weight").is_some_and(|part| NAMES.contains(&part));
    index.parse::<usize>().is_ok_and(|index| index < layers) && (known || part == "self_attn.rotary_emb.inv_freq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tensors_of_this_model_are_expected() {
        assert!(is_expected("layers.1.mlp.up_proj.weight", 2));
        assert!(is_expected("layers.0.self_attn.rotary_emb.inv_freq", 2));
        for name in ["layers.2.mlp.up_proj.weight", "layers.0.self_attn.q_proj.bias", "score.weight", "layers.x.y"] {
            assert!(!is_expected(name, 2), "{name}");
        }
    }
}
