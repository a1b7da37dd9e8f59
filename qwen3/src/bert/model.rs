//! The packed forward pass: token ids in, one pooled vector per sequence out (Devlin et al. 2019; pooling as in
//! Reimers and Gurevych 2019).

use rayon::prelude::*;

use super::{
    config::{BertConfig, Pooling},
    layer::{Layer, Layout, Norm, Workspace},
};
use crate::{
    device::DeviceChoice,
    error::{Error, Result},
    files::ModelFiles,
    kernels::{Format, Isa, Span},
    model::Precision,
    weights::{StoredMatrix, Weights},
};

const TABLE: &str = "embeddings.word_embeddings.weight";
const POSITIONS: &str = "embeddings.position_embeddings.weight";
const TYPES: &str = "embeddings.token_type_embeddings.weight";
const NORM: &str = "embeddings.LayerNorm";
/// Parts of a block, without `encoder.layer.N.`; each has a weight and a bias.
const PARTS: [&str; 8] = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
];

/// A loaded BERT without the heads it was trained with.
pub(crate) struct Bert {
    config: BertConfig,
    precision: Precision,
    isa: Isa,
    table: StoredMatrix,
    /// Of each position, with the one type of tokens that there is here added: `[positions, hidden]`.
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Bert {
    /// Reads config and weights; the table of tokens stays in its file and is read row by row.
    ///
    /// # Errors
    /// Whatever is wrong with the files, by name; [`Error::Device`] for a GPU, which is asked for by its number only.
    pub(crate) fn open(files: &ModelFiles, precision: Precision, device: DeviceChoice) -> Result<Self> {
        if let DeviceChoice::Cuda(_) = device {
            let reason = "BERT models are computed on the CPU only; expected the device cpu or auto".to_owned();
            return Err(Error::Device { device: device.to_string(), reason });
        }
        let config = BertConfig::parse(files.config(), &files.config_name(), files.sentence())?;
        let weights = Weights::open(files)?;
        let (precision, format) = match precision {
            Precision::Auto | Precision::F32 => (Precision::F32, Format::F32),
            Precision::Bf16 => (Precision::Bf16, Format::Bf16),
            Precision::Int8 => (Precision::Int8, Format::Int8),
        };
        let layout = Layout { isa: Isa::detect(), format };
        let hidden = config.hidden_size;
        let table = weights.stored_matrix(TABLE, (config.vocab_size, hidden))?;
        weights.check_all(|name| is_expected(name, config.layers))?;
        let mut positions = weights.stored_matrix(POSITIONS, (config.positions, hidden))?.to_f32();
        let mut first_type = vec![0.0; hidden];
        weights.stored_matrix(TYPES, (config.token_types, hidden))?.read_row(0, &mut first_type);
        positions.chunks_mut(hidden).for_each(|row| row.iter_mut().zip(&first_type).for_each(|(x, add)| *x += add));
        let layers = (0..config.layers).map(|index| Layer::open(&weights, index, &config, layout));
        let layers = layers.collect::<Result<_>>()?;
        let norm = Norm::open(&weights, NORM, &config)?;
        Ok(Self { table, positions, norm, layers, precision, isa: layout.isa, config })
    }

    /// How the weights are kept: never [`Precision::Auto`].
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    pub(crate) fn vocab_size(&self) -> usize {
        self.config.vocab_size
    }

    /// Longest sequence in tokens, special ones included.
    pub(crate) fn max_tokens(&self) -> usize {
        self.config.max_tokens
    }

    pub(crate) fn hidden_size(&self) -> usize {
        self.config.hidden_size
    }

    /// The pooled hidden state of each sequence: as many rows of `hidden_size` values, not brought to length one.
    ///
    /// # Errors
    /// [`Error::TokenId`] and [`Error::Length`] for ids and lengths out of range; an empty batch is fine.
    pub(crate) fn pooled(&self, sequences: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        self.check(sequences)?;
        if sequences.is_empty() {
            return Ok(Vec::new());
        }
        // Once among rayon's threads, the many small tasks of a pass are handed out without waking this one.
        Ok(rayon::scope(|_| self.pass(sequences)))
    }

    fn pass(&self, sequences: &[&[u32]]) -> Vec<Vec<f32>> {
        let spans = spans(sequences);
        let mut x = self.embed(sequences);
        self.norm.apply(self.isa, &mut x);
        let mut workspace = Workspace::default();
        self.layers.iter().for_each(|layer| layer.forward(&mut x, &spans, &mut workspace));
        let width = self.config.hidden_size;
        let rows = |span: &Span| &x[span.key_start * width..][..span.keys * width];
        spans.iter().map(|span| pool(rows(span), width, self.config.pooling)).collect()
    }

    /// `[tokens, hidden]`: the sum of what each token and its position mean.
    fn embed(&self, sequences: &[&[u32]]) -> Vec<f32> {
        let width = self.config.hidden_size;
        let tokens: Vec<(u32, usize)> =
            sequences.iter().flat_map(|ids| ids.iter().enumerate().map(|(position, id)| (*id, position))).collect();
        let mut values = vec![0.0; tokens.len() * width];
        values.par_chunks_mut(width).with_min_len(64).zip(&tokens).for_each(|(row, (id, position))| {
            self.table.read_row(*id as usize, row);
            let position = &self.positions[position * width..][..width];
            row.iter_mut().zip(position).for_each(|(x, add)| *x += add);
        });
        values
    }

    fn check(&self, sequences: &[&[u32]]) -> Result<()> {
        let limit = self.config.positions;
        let vocab_size = self.config.vocab_size;
        for sequence in sequences {
            let length = sequence.len();
            if !(1..=limit).contains(&length) {
                return Err(Error::Length { length, limit });
            }
            if let Some(id) = sequence.iter().find(|id| **id as usize >= vocab_size) {
                return Err(Error::TokenId { id: *id, vocab_size });
            }
        }
        Ok(())
    }
}

/// Sequences one after another, every token a query and a key.
fn spans(sequences: &[&[u32]]) -> Vec<Span> {
    let mut start = 0;
    let span = |sequence: &&[u32]| {
        let span = Span { query_start: start, queries: sequence.len(), key_start: start, keys: sequence.len() };
        start += sequence.len();
        span
    };
    sequences.iter().map(span).collect()
}

/// One vector of the hidden states `[tokens, width]`.
fn pool(rows: &[f32], width: usize, pooling: Pooling) -> Vec<f32> {
    if pooling == Pooling::Cls {
        return rows[..width].to_vec();
    }
    let mut sums = vec![0.0; width];
    rows.chunks_exact(width).for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x));
    let count = (rows.len() / width) as f32;
    sums.iter_mut().for_each(|sum| *sum /= count);
    sums
}

/// Known tensors: those that are computed with, the numbers of positions that old versions stored, and the heads of
/// pre-training, which embeddings do not pass through.
fn is_expected(name: &str, layers: usize) -> bool {
    if [TABLE, POSITIONS, TYPES, "embeddings.position_ids", "embeddings.token_type_ids"].contains(&name)
        || name.starts_with("pooler.")
        || name.starts_with("cls.")
    {
        return true;
    }
    let Some(part) = name.strip_suffix(".weight").or_else(|| name.strip_suffix(".bias")) else { return false };
    if part == NORM {
        return true;
    }
    let Some((index, part)) = part.strip_prefix("encoder.layer.").and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    index.parse::<usize>().is_ok_and(|index| index < layers) && PARTS.contains(&part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_or_not() {
        for name in [TABLE, "embeddings.LayerNorm.bias", "pooler.dense.weight", "encoder.layer.1.output.dense.bias"] {
            assert!(is_expected(name, 2), "{name}");
        }
        for name in ["encoder.layer.2.output.dense.bias", "encoder.layer.0.output.adapter.weight", "encoder.norm.bias"]
        {
            assert!(!is_expected(name, 2), "{name}");
        }
    }

    #[test]
    fn pooling_by_hand() {
        let rows = [1.0, 2.0, 3.0, 6.0];
        assert_eq!(pool(&rows, 2, Pooling::Mean), [2.0, 4.0]);
        assert_eq!(pool(&rows, 2, Pooling::Cls), [1.0, 2.0]);
    }
}
