//! One transformer block: attention with per-head normalised queries and keys, then the gated feed-forward.

use candle_core::Tensor;

use crate::{
    attention::{Before, KeysValues, Projected, Sizes, attend},
    config::ModelConfig,
    error::Result,
    kernels::Span,
    ops::{Heads, Linear, Place, RmsNorm, Shape, Slot, feed_forward, turn_heads},
    rope::Angles,
    weights::Weights,
};

/// Names of a block's tensors, without `model.layers.N.` and `.weight`.
pub(crate) const NAMES: [&str; 11] = [
    "input_layernorm",
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.q_norm",
    "self_attn.k_norm",
    "self_attn.o_proj",
    "post_attention_layernorm",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
];

/// Weights of one block.
pub(crate) struct Layer {
    input_norm: RmsNorm,
    /// Queries, keys and values in one matrix, and its two parts for when queries are wanted of fewer tokens.
    qkv: Linear,
    q: Linear,
    kv: Linear,
    q_norm: RmsNorm,
    k_norm: RmsNorm,
    output: Linear,
    post_norm: RmsNorm,
    gate_up: Linear,
    down: Linear,
    sizes: Sizes,
    place: Place,
}

/// Buffers that all blocks of one forward pass write to in turn.
#[derive(Default)]
pub(crate) struct Workspace {
    projected: Slot,
    gated: Slot,
    /// Of the last block, whose queries are fewer.
    queries: Slot,
}

impl Workspace {
    /// Values that the buffers hold.
    pub(crate) fn values(&self) -> usize {
        [&self.projected, &self.gated, &self.queries].map(Slot::values).iter().sum()
    }
}

/// What all blocks of one forward pass share.
pub(crate) struct Step<'s> {
    /// Of every token in the batch.
    pub(crate) angles: &'s Angles,
    /// One per sequence.
    pub(crate) spans: &'s [Span],
}

/// The last token of each sequence.
pub(crate) struct Last<'l> {
    /// `[sequences]` (u32).
    pub(crate) indexes: &'l Tensor,
    pub(crate) angles: &'l Angles,
    /// With one query each.
    pub(crate) spans: &'l [Span],
}

impl Layer {
    pub(crate) fn open(weights: &Weights, index: usize, config: &ModelConfig, place: &Place) -> Result<Self> {
        let qwen = &config.qwen;
        let (hidden, ffn, head_dim) = (qwen.hidden_size, qwen.intermediate_size, qwen.head_dim);
        let (query_width, key_width) = (config.query_width(), config.key_width());
        let name = |part: &str| format!("layers.{index}.{part}.weight");
        let norm = |part: &str, width| RmsNorm::open(weights, &name(part), width, qwen.rms_norm_eps, place);
        let linear = |parts: &[(&str, usize)], inputs, shape| {
            let names: Vec<(String, usize)> = parts.iter().map(|(part, rows)| (name(part), *rows)).collect();
            Linear::open(weights, &names, inputs, shape, place)
        };
        let qkv = [("self_attn.q_proj", query_width), ("self_attn.k_proj", key_width), ("self_attn.v_proj", key_width)];
        let qkv = linear(&qkv, hidden, Shape::Stacked)?;
        let (q, kv) = qkv.split(query_width)?;
        Ok(Self {
            input_norm: norm("input_layernorm", hidden)?,
            qkv,
            q,
            kv,
            q_norm: norm("self_attn.q_norm", head_dim)?,
            k_norm: norm("self_attn.k_norm", head_dim)?,
            output: linear(&[("self_attn.o_proj", hidden)], query_width, Shape::Stacked)?,
            post_norm: norm("post_attention_layernorm", hidden)?,
            gate_up: linear(&[("mlp.gate_proj", ffn), ("mlp.up_proj", ffn)], hidden, Shape::Gated)?,
            down: linear(&[("mlp.down_proj", hidden)], ffn, Shape::Stacked)?,
            sizes: Sizes { heads: qwen.num_attention_heads, kv_heads: qwen.num_key_value_heads, head_dim },
            place: place.clone(),
        })
    }

    /// Hidden states `[tokens, hidden]` through the block, with the keys and values of what stands before each sequence
    /// ahead of its own. `x` may be overwritten.
    pub(crate) fn forward(&self, x: &Tensor, step: &Step, before: Before, workspace: &mut Workspace) -> Result<Tensor> {
        let projected = self.project(x, step.angles, workspace)?;
        self.complete(x, &Projected::Together(projected), step.spans, before, workspace)
    }

    /// As [`Layer::forward`], and the keys and values of all tokens, to be kept for what follows them.
    pub(crate) fn forward_kept(
        &self,
        x: &Tensor,
        step: &Step,
        before: Before,
        workspace: &mut Workspace,
    ) -> Result<(Tensor, KeysValues)> {
        let projected = self.project(x, step.angles, workspace)?;
        let kept = projected.narrow(1, self.sizes.query_width(), 2 * self.sizes.key_width())?.force_contiguous()?;
        let x = self.complete(x, &Projected::Together(projected), step.spans, before, workspace)?;
        Ok((x, KeysValues(kept)))
    }

    /// As [`Layer::forward`], for the last token of each sequence alone: `[sequences, hidden]`. Beside it, the keys and
    /// values of all tokens, good until the workspace is used again.
    pub(crate) fn forward_last(
        &self,
        x: &Tensor,
        step: &Step,
        last: &Last,
        before: Before,
        workspace: &mut Workspace,
    ) -> Result<(Tensor, KeysValues)> {
        let kept = self.keys_values(x, step.angles, workspace)?;
        let x = x.index_select(last.indexes, 0)?;
        let queries = self.q.forward(&x, Some(&self.input_norm), &mut workspace.queries)?;
        let queries = self.turn(&queries, &[self.query_heads()], last.angles)?;
        let projected = Projected::Apart { queries, keys_values: kept.0.clone() };
        Ok((self.complete(&x, &projected, last.spans, before, workspace)?, kept))
    }

    /// The block's keys and values of hidden states `[tokens, hidden]`, good until the workspace is used again.
    pub(crate) fn keys_values(&self, x: &Tensor, angles: &Angles, workspace: &mut Workspace) -> Result<KeysValues> {
        let rows = self.kv.forward(x, Some(&self.input_norm), &mut workspace.projected)?;
        Ok(KeysValues(self.turn(&rows, &[self.key_heads(0)], angles)?))
    }

    /// `[tokens, queries | keys | values]`, ready for attention.
    fn project(&self, x: &Tensor, angles: &Angles, workspace: &mut Workspace) -> Result<Tensor> {
        let rows = self.qkv.forward(x, Some(&self.input_norm), &mut workspace.projected)?;
        self.turn(&rows, &[self.query_heads(), self.key_heads(self.sizes.query_width())], angles)
    }

    /// Attention and what follows it.
    fn complete(
        &self,
        x: &Tensor,
        projected: &Projected,
        spans: &[Span],
        before: Before,
        workspace: &mut Workspace,
    ) -> Result<Tensor> {
        let attended = attend(projected, self.sizes, spans, before, &self.place)?;
        let x = self.output.add(x, &attended)?;
        feed_forward(&x, &self.post_norm, &self.gate_up, &self.down, &mut workspace.gated)
    }

    fn turn(&self, rows: &Tensor, groups: &[Heads], angles: &Angles) -> Result<Tensor> {
        turn_heads(rows, groups, self.sizes.head_dim, angles, self.place.kernels)
    }

    fn query_heads(&self) -> Heads<'_> {
        Heads { column: 0, count: self.sizes.heads, norm: &self.q_norm }
    }

    fn key_heads(&self, column: usize) -> Heads<'_> {
        Heads { column, count: self.sizes.kv_heads, norm: &self.k_norm }
    }
}
