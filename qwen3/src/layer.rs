//! One transformer block: attention with per-head normalised queries and keys, then the gated feed-forward.

use candle_core::{DType, Device, Tensor};

use crate::{
    attention::{Span, attend},
    config::ModelConfig,
    error::Result,
    ops::{Linear, RmsNorm, gated_silu, heads, rotate},
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
    query_width: usize,
    key_width: usize,
    head_dim: usize,
}

/// Keys and values of one block, each `[tokens, kv_heads, head_dim]`; keys already turned by position.
#[derive(Clone)]
pub(crate) struct KeysValues {
    pub(crate) keys: Tensor,
    pub(crate) values: Tensor,
}

/// What all blocks of one forward pass share.
pub(crate) struct Step<'s> {
    /// Of every token in the batch.
    pub(crate) angles: &'s Angles,
    /// One per sequence, keys counted with the cached prefix.
    pub(crate) spans: &'s [Span],
    /// Tokens of the cached prefix that stand before every sequence.
    pub(crate) prefix: usize,
}

/// Of which tokens a block's output is wanted.
pub(crate) enum Wanted<'w> {
    All,
    /// Only of the last token of each sequence: their indexes `[sequences]` (u32) and angles.
    Last {
        indexes: &'w Tensor,
        angles: &'w Angles,
        spans: &'w [Span],
    },
}

impl Layer {
    pub(crate) fn open(
        weights: &Weights,
        index: usize,
        config: &ModelConfig,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let qwen = &config.qwen;
        let (hidden, ffn, head_dim) = (qwen.hidden_size, qwen.intermediate_size, qwen.head_dim);
        let (query_width, key_width) = (config.query_width(), config.key_width());
        let name = |part: &str| format!("layers.{index}.{part}.weight");
        let matrix = |part: &str, shape| weights.matrix(&name(part), shape, dtype, device);
        let norm = |part: &str, width| -> Result<RmsNorm> {
            Ok(RmsNorm::new(weights.vector(&name(part), width, device)?, qwen.rms_norm_eps))
        };
        let qkv = Linear::stack(&[
            matrix("self_attn.q_proj", (query_width, hidden))?,
            matrix("self_attn.k_proj", (key_width, hidden))?,
            matrix("self_attn.v_proj", (key_width, hidden))?,
        ])?;
        Ok(Self {
            input_norm: norm("input_layernorm", hidden)?,
            q: qkv.outputs(0, query_width)?,
            kv: qkv.outputs(query_width, 2 * key_width)?,
            qkv,
            q_norm: norm("self_attn.q_norm", head_dim)?,
            k_norm: norm("self_attn.k_norm", head_dim)?,
            output: Linear::new(matrix("self_attn.o_proj", (hidden, query_width))?),
            post_norm: norm("post_attention_layernorm", hidden)?,
            gate_up: Linear::stack(&[matrix("mlp.gate_proj", (ffn, hidden))?, matrix("mlp.up_proj", (ffn, hidden))?])?,
            down: Linear::new(matrix("mlp.down_proj", (hidden, ffn))?),
            query_width,
            key_width,
            head_dim,
        })
    }

    /// Hidden states `[tokens, hidden]` through the block, with the prefix's keys and values before each sequence's
    /// own: `[tokens, hidden]`, or `[sequences, hidden]` for [`Wanted::Last`].
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        step: &Step,
        past: Option<&KeysValues>,
        wanted: &Wanted,
    ) -> Result<Tensor> {
        let normed = self.input_norm.forward(x)?;
        let (x, q, own, spans) = match wanted {
            Wanted::All => {
                let qkv = self.qkv.forward(&normed)?;
                let own = self.keys_values(&qkv, self.query_width, step.angles)?;
                (x.clone(), self.queries(&qkv, step.angles)?, own, step.spans)
            }
            Wanted::Last { indexes, angles, spans } => {
                let own = self.own_keys_values(&normed, step.angles)?;
                let q = self.q.forward(&normed.index_select(indexes, 0)?)?;
                (x.index_select(indexes, 0)?, self.queries(&q, angles)?, own, *spans)
            }
        };
        let all = match past {
            Some(past) => own.after(past, step)?,
            None => own,
        };
        let attended = attend(&q, &all.keys, &all.values, spans)?.reshape(((), self.query_width))?;
        let x = (x + self.output.forward(&attended)?)?;
        let gate_up = self.gate_up.forward(&self.post_norm.forward(&x)?)?;
        Ok((&x + self.down.forward(&gated_silu(&gate_up)?)?)?)
    }

    /// The block's keys and values of hidden states `[tokens, hidden]`, to be kept as a prefix.
    pub(crate) fn prefix(&self, x: &Tensor, angles: &Angles) -> Result<KeysValues> {
        self.own_keys_values(&self.input_norm.forward(x)?, angles)
    }

    fn own_keys_values(&self, normed: &Tensor, angles: &Angles) -> Result<KeysValues> {
        self.keys_values(&self.kv.forward(normed)?, 0, angles)
    }

    fn queries(&self, projected: &Tensor, angles: &Angles) -> Result<Tensor> {
        rotate(&self.q_norm.forward(&heads(projected, 0, self.query_width, self.head_dim)?)?, angles)
    }

    fn keys_values(&self, projected: &Tensor, start: usize, angles: &Angles) -> Result<KeysValues> {
        let keys = heads(projected, start, self.key_width, self.head_dim)?;
        let values = heads(projected, start + self.key_width, self.key_width, self.head_dim)?;
        Ok(KeysValues { keys: rotate(&self.k_norm.forward(&keys)?, angles)?, values })
    }
}

impl KeysValues {
    /// Each sequence's own rows with the prefix's before them.
    fn after(&self, past: &Self, step: &Step) -> Result<Self> {
        let interleave = |past: &Tensor, own: &Tensor| -> Result<Tensor> {
            let mut parts = Vec::with_capacity(2 * step.spans.len());
            for span in step.spans {
                parts.push(past.clone());
                parts.push(own.narrow(0, span.query_start, span.keys - step.prefix)?);
            }
            Ok(Tensor::cat(&parts, 0)?)
        };
        Ok(Self { keys: interleave(&past.keys, &self.keys)?, values: interleave(&past.values, &self.values)? })
    }
}
