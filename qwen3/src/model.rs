//! The packed forward pass. Sequences lie one after another without padding, every token carries its own position,
//! and nothing is kept between calls (`&self`): any batch gives what its sequences give one by one, to float noise.
//!
//! Only the hidden state of each sequence's last token is ever wanted, so the last block computes queries, output and
//! feed-forward for those alone.

use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, DeviceLocation, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    attention::{Before, KeysValues},
    config::ModelConfig,
    device::DeviceChoice,
    error::{Error, Result},
    files::ModelFiles,
    generator::KvMemory,
    kernels::{Format, Span},
    layer::{Last, Layer, NAMES, Step, Workspace},
    ops::{Kernels, Linear, Place, RmsNorm, Shape as OutputShape, rows_at_once},
    rope::{Angles, Rope},
    weights::{StoredMatrix, Weights},
};

/// Workspaces that are kept for later passes, and values of one that is: those of long texts are given back.
const KEPT_WORKSPACES: usize = 2;
const KEPT_VALUES: usize = 8 << 20;
const TABLE: &str = "embed_tokens.weight";
pub(crate) const HEAD: &str = "lm_head.weight";

/// How weights are kept in memory. Hidden states are f32 in all of them on a CPU; f16 is not offered because it
/// overflows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// What the checkpoint asks for: bf16 for weights stored so or quantised in a GGUF, and on a GPU; f32 otherwise.
    #[default]
    Auto,
    /// Exact, twice the memory.
    F32,
    /// Half the memory; the weights of checkpoints stored as bf16 stay as they are. Products take activations in bf16
    /// too where the processor has instructions for that (AMX, AVX512_BF16), which is the fastest exact-weight way.
    Bf16,
    /// A quarter of the memory: weights in 8 bits with a scale for every 128 of them, activations likewise where the
    /// processor has instructions for that (AMX, AVX-512 VNNI). Vectors move a little: compare with `quarry eval` first.
    Int8,
}

/// A loaded Qwen3 model without its output layer.
pub struct Model {
    config: ModelConfig,
    place: Place,
    table: StoredMatrix,
    layers: Vec<Layer>,
    norm: RmsNorm,
    rope: Rope,
    /// The output matrix, where the checkpoint has one of its own.
    head: Option<StoredMatrix>,
    workspaces: Mutex<Vec<Workspace>>,
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

    fn block(&self, index: usize) -> Before<'_> {
        self.blocks.get(index).map_or(Before::Nothing, Before::Shared)
    }
}

/// A batch laid out for one pass.
struct Packed {
    ids: Vec<u32>,
    positions: Vec<u32>,
    spans: Vec<Span>,
}

/// A run of a batch's sequences.
struct Part {
    /// Its first row in the batch.
    start: usize,
    packed: Packed,
    angles: Angles,
}

impl Packed {
    /// Sequences, each with the number of tokens before it.
    fn new<'s>(sequences: impl IntoIterator<Item = (&'s [u32], usize)>) -> Self {
        let (mut ids, mut positions, mut spans) = (Vec::new(), Vec::new(), Vec::new());
        for (sequence, before) in sequences {
            let (start, length) = (ids.len(), sequence.len());
            spans.push(Span { query_start: start, queries: length, key_start: start, keys: length });
            ids.extend_from_slice(sequence);
            positions.extend(before as u32..(before + length) as u32);
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
        Self::open_with(files, precision, Kernels::Fastest)
    }

    /// As [`Model::open`], on the wanted processor.
    ///
    /// # Errors
    /// As [`Model::open`]; [`Error::Device`] for a processor that cannot be used, or not in this precision.
    pub fn open_on(files: &ModelFiles, precision: Precision, device: DeviceChoice) -> Result<Self> {
        let device = device.open()?;
        if device.is_cpu() {
            return Self::open(files, precision);
        }
        let (dtype, format) = match precision {
            Precision::Auto | Precision::Bf16 => (DType::BF16, Format::Bf16),
            Precision::F32 => (DType::F32, Format::F32),
            Precision::Int8 => {
                let reason = "int8 is computed on the CPU only; expected the precision bf16 or f32".to_owned();
                return Err(Error::Device { device: "a GPU".to_owned(), reason });
            }
        };
        Self::open_at(files, Place { device, dtype, format, kernels: Kernels::Candle })
    }

    /// As [`Model::open`], on the CPU by the given kernels: for tests and measurements.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn open_with(files: &ModelFiles, precision: Precision, kernels: Kernels) -> Result<Self> {
        let format = match precision {
            Precision::Auto => natural_format(files)?,
            Precision::F32 => Format::F32,
            Precision::Bf16 => Format::Bf16,
            Precision::Int8 => Format::Int8,
        };
        Self::open_at(files, Place { device: Device::Cpu, dtype: DType::F32, format, kernels })
    }

    fn open_at(files: &ModelFiles, place: Place) -> Result<Self> {
        let config = ModelConfig::of(files)?;
        let weights = Weights::open(files)?;
        let qwen = &config.qwen;
        let table = weights.stored_matrix(TABLE, (qwen.vocab_size, qwen.hidden_size))?;
        weights.check_all(|name| is_expected(name, qwen.num_hidden_layers))?;
        let layers = (0..qwen.num_hidden_layers)
            .map(|index| Layer::open(&weights, index, &config, &place))
            .collect::<Result<_>>()?;
        let norm = RmsNorm::open(&weights, "norm.weight", qwen.hidden_size, qwen.rms_norm_eps, &place)?;
        let head = match weights.stored_matrix(HEAD, (qwen.vocab_size, qwen.hidden_size)) {
            _ if qwen.tie_word_embeddings => None,
            Err(Error::MissingTensor { .. }) => None,
            head => Some(head?),
        };
        let rope = Rope::new(qwen.rope_theta, qwen.head_dim);
        Ok(Self { place, table, layers, norm, rope, head, config, workspaces: Mutex::default() })
    }

    /// How the weights are kept: never [`Precision::Auto`].
    pub fn precision(&self) -> Precision {
        match self.place.format {
            Format::F32 => Precision::F32,
            Format::Bf16 => Precision::Bf16,
            Format::Int8 => Precision::Int8,
        }
    }

    /// The processor that computes: never [`DeviceChoice::Auto`].
    pub fn device(&self) -> DeviceChoice {
        match self.place.device.location() {
            DeviceLocation::Cuda { gpu_id } => DeviceChoice::Cuda(gpu_id),
            // No other kind of device is ever opened.
            DeviceLocation::Cpu | DeviceLocation::Metal { .. } => DeviceChoice::Cpu,
        }
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
        // Once among rayon's threads, the many small tasks of a pass are handed out without waking this one.
        rayon::scope(|_| self.pass(sequences, prefix, last, before))
    }

    fn pass(&self, sequences: &[&[u32]], prefix: &Prefix, last: &Layer, before: &[Layer]) -> Result<Vec<Vec<f32>>> {
        let packed = Packed::new(sequences.iter().map(|sequence| (*sequence, prefix.tokens)));
        let angles = self.rope.angles(&packed.positions, &self.place.device)?;
        let step = Step { angles: &angles, spans: &packed.spans };
        let mut workspace = self.workspace();
        let mut x = self.embed(&packed.ids)?;
        let parts = self.parts(sequences, prefix.tokens)?;
        for (index, layer) in before.iter().enumerate() {
            let before = prefix.block(index);
            if let [_] = parts[..] {
                x = layer.forward(&x, &step, before, &mut workspace)?;
                continue;
            }
            for Part { start, packed, angles } in &parts {
                // In place: this crate's kernels overwrite `x`.
                let rows = x.narrow(0, *start, packed.ids.len())?;
                let step = Step { angles, spans: &packed.spans };
                layer.forward(&rows, &step, before, &mut workspace)?;
            }
        }
        let (x, _) = self.pass_last(last, &x, &packed, &step, prefix.block(before.len()), &mut workspace)?;
        self.put_back(workspace);
        Ok(self.norm.forward(&x)?.to_dtype(DType::F32)?.to_vec2()?)
    }

    /// Buffers of an earlier pass, whose memory the system need not hand out page by page again.
    fn workspace(&self) -> Workspace {
        self.workspaces.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn put_back(&self, workspace: Workspace) {
        let mut kept = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_WORKSPACES && workspace.values() <= KEPT_VALUES {
            kept.push(workspace);
        }
    }

    /// Runs of sequences that go through each block by themselves, so that what lies between its products stays in the
    /// cores' caches. candle's operations take them all at once.
    fn parts(&self, sequences: &[&[u32]], before: usize) -> Result<Vec<Part>> {
        let most = self.place.kernels.loops().map_or(usize::MAX, |_| rows_at_once());
        let (mut parts, mut first, mut start) = (Vec::new(), 0, 0);
        while first < sequences.len() {
            let mut tokens = 0;
            let fits = |sequence: &&&[u32]| {
                let is_first = tokens == 0;
                tokens += sequence.len();
                is_first || tokens <= most
            };
            let run = &sequences[first..][..sequences[first..].iter().take_while(fits).count()];
            let packed = Packed::new(run.iter().map(|sequence| (*sequence, before)));
            let angles = self.rope.angles(&packed.positions, &self.place.device)?;
            first += run.len();
            let length = packed.ids.len();
            parts.push(Part { start, packed, angles });
            start += length;
        }
        Ok(parts)
    }

    /// The last block, for the last tokens alone.
    fn pass_last(
        &self,
        last: &Layer,
        x: &Tensor,
        packed: &Packed,
        step: &Step,
        before: Before,
        workspace: &mut Workspace,
    ) -> Result<(Tensor, KeysValues)> {
        let device = &self.place.device;
        let (indexes, spans) = (packed.last_indexes(), packed.last_spans());
        let positions: Vec<u32> = indexes.iter().map(|index| packed.positions[*index as usize]).collect();
        let angles = self.rope.angles(&positions, device)?;
        let indexes = Tensor::new(indexes, device)?;
        let wanted = Last { indexes: &indexes, angles: &angles, spans: &spans };
        last.forward_last(x, step, &wanted, before, workspace)
    }

    /// Goes on with sequences of which a part is known: the hidden state of each one's new last token after the final
    /// norm, `[sequences, hidden_size]`. Afterwards, their memories hold the new tokens too, unless there is an error.
    ///
    /// # Errors
    /// As [`Model::last_hidden`]; [`Error::Length`] also where a memory has no room for them.
    pub(crate) fn extend(&self, sequences: &mut [(&mut KvMemory, &[u32])]) -> Result<Tensor> {
        for (memory, ids) in sequences.iter() {
            self.check(&[ids], memory.tokens())?;
            memory.check_room(ids.len())?;
        }
        let hidden = rayon::scope(|_| self.extend_pass(sequences))?;
        sequences.iter_mut().for_each(|(memory, ids)| memory.keep(ids.len()));
        Ok(hidden)
    }

    fn extend_pass(&self, sequences: &[(&mut KvMemory, &[u32])]) -> Result<Tensor> {
        let Some((last, before)) = self.layers.split_last().filter(|_| !sequences.is_empty()) else {
            return Ok(Tensor::zeros((0, self.hidden_size()), self.place.dtype, &self.place.device)?);
        };
        let packed = Packed::new(sequences.iter().map(|(memory, ids)| (*ids, memory.tokens())));
        let angles = self.rope.angles(&packed.positions, &self.place.device)?;
        let step = Step { angles: &angles, spans: &packed.spans };
        let known = |block: usize| sequences.iter().map(|(memory, _)| memory.known(block)).collect::<Result<Vec<_>>>();
        let learn = |block: usize, kept: &KeysValues| {
            let spans = sequences.iter().zip(&packed.spans);
            spans.into_iter().try_for_each(|((memory, _), span)| memory.write(block, kept, span))
        };
        let mut workspace = Workspace::default();
        let mut x = self.embed(&packed.ids)?;
        for (block, layer) in before.iter().enumerate() {
            let (next, kept) = layer.forward_kept(&x, &step, Before::Each(&known(block)?), &mut workspace)?;
            learn(block, &kept)?;
            x = next;
        }
        let block = before.len();
        let (x, kept) = self.pass_last(last, &x, &packed, &step, Before::Each(&known(block)?), &mut workspace)?;
        learn(block, &kept)?;
        self.norm.forward(&x)
    }

    /// An empty memory with room for so many tokens of a sequence.
    ///
    /// # Errors
    /// [`Error::Compute`] where there is not enough of it.
    pub(crate) fn memory(&self, room: usize) -> Result<KvMemory> {
        KvMemory::new(&self.config, &self.place, room)
    }

    /// Bytes that keys and values of one token take.
    pub(crate) fn memory_per_token(&self) -> usize {
        self.config.qwen.num_hidden_layers * 2 * self.config.key_width() * self.place.dtype.size_in_bytes()
    }

    /// The output matrix, packed for products: the one of its own, or the embedding table where they are tied.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] for a model that has none, or only two rows of it.
    pub(crate) fn output(&self, files: &ModelFiles) -> Result<Linear> {
        let name = if self.config.qwen.tie_word_embeddings { TABLE } else { HEAD };
        let weights = Weights::open(files)?;
        let qwen = &self.config.qwen;
        let shape = (qwen.vocab_size, qwen.hidden_size);
        if !weights.stored_matrix(name, shape)?.is_whole() {
            return Err(Error::MissingTensor { origin: files.origin().to_owned(), tensor: name.to_owned() });
        }
        Linear::open(
            &weights,
            &[(name.to_owned(), qwen.vocab_size)],
            qwen.hidden_size,
            OutputShape::Stacked,
            &self.place,
        )
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
        rayon::scope(|_| self.prefix_pass(ids, last, before))
    }

    fn prefix_pass(&self, ids: &[u32], last: &Layer, before: &[Layer]) -> Result<Prefix> {
        let packed = Packed::new([(ids, 0)]);
        let angles = self.rope.angles(&packed.positions, &self.place.device)?;
        let step = Step { angles: &angles, spans: &packed.spans };
        let mut workspace = Workspace::default();
        let mut x = self.embed(ids)?;
        let mut blocks = Vec::with_capacity(self.layers.len());
        for layer in before {
            let (next, kept) = layer.forward_kept(&x, &step, Before::Nothing, &mut workspace)?;
            x = next;
            blocks.push(kept);
        }
        // Nothing uses the workspace after this.
        blocks.push(last.keys_values(&x, &angles, &mut workspace)?);
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
        Ok(Tensor::from_vec(values, (ids.len(), width), &self.place.device)?.to_dtype(self.place.dtype)?)
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

/// The format that loses nothing of what the checkpoint knows, and no larger. All its layers are stored alike: the
/// first one tells.
fn natural_format(files: &ModelFiles) -> Result<Format> {
    let config = ModelConfig::of(files)?;
    let shape = (config.query_width(), config.qwen.hidden_size);
    let first = Weights::open(files)?.stored_matrix("layers.0.self_attn.q_proj.weight", shape)?;
    Ok(if first.suits_bf16() { Format::Bf16 } else { Format::F32 })
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
