//! The forward pass that can be differentiated: Qwen3 composed of candle operations that record how to go back (its
//! fused ones silently do not). Same architecture as [`Model`](qwen3::Model), and tested against it.

use candle_core::{D, DType, Tensor, Var};

use super::{
    gradients::Gradients,
    norm::rms_norm,
    padded::Padded,
    parameters::{Parameters, TABLE},
    rotary::Rotary,
};
use crate::error::Result;

/// A model that computes hidden states with a way back to its parameters.
pub struct Network<'p> {
    parameters: &'p Parameters,
    rotary: Rotary,
    options: NetworkOptions,
}

/// How a network computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkOptions {
    /// Keep only what enters each layer and compute the rest again on the way back (gradient checkpointing, Chen et al.
    /// 2016): memory grows with one layer, time by a third.
    pub recompute: bool,
    /// Compute products and activations in bf16, with norms, softmax, loss and weights in f32. For GPUs; on a CPU it is
    /// slower.
    pub mixed: bool,
}

/// Rows of a table that a pass looked up.
struct Leaf {
    ids: Vec<u32>,
    rows: Var,
    is_trained: bool,
}

/// What a pass through the network left behind for the way back.
pub(super) struct Pass {
    leaf: Leaf,
    /// What entered each layer; only with recomputation.
    entries: Vec<Tensor>,
    /// `[sequences, hidden]`, in the parameters' type.
    pub(super) hidden: Tensor,
}

impl<'p> Network<'p> {
    /// Over these parameters.
    pub fn new(parameters: &'p Parameters, options: NetworkOptions) -> Self {
        let qwen = &parameters.config().qwen;
        Self { parameters, rotary: Rotary::new(qwen.rope_theta, qwen.head_dim), options }
    }

    /// Its parameters.
    pub fn parameters(&self) -> &'p Parameters {
        self.parameters
    }

    /// The hidden state of each sequence's last token after the final norm, `[sequences, hidden]`; what
    /// [`Model::last_hidden`](qwen3::Model::last_hidden) gives.
    ///
    /// # Errors
    /// [`qwen3::Error::TokenId`], [`qwen3::Error::Length`].
    pub fn last_hidden(&self, sequences: &[&[u32]]) -> Result<Tensor> {
        Ok(self.forward(&Padded::new(sequences, self.parameters.config())?)?.hidden.detach())
    }

    /// Computes hidden states and keeps what the way back needs.
    pub(super) fn forward(&self, batch: &Padded) -> Result<Pass> {
        let (ids, places) = batch.distinct()?;
        let (rows, is_trained) = self.parameters.rows(TABLE, &ids)?;
        let leaf = Leaf { ids, rows, is_trained };
        let mut x = self.enter(&leaf, &places)?;
        let mut entries = Vec::new();
        for layer in 0..self.layers() {
            if self.options.recompute {
                x = x.detach();
                entries.push(x.clone());
            }
            x = self.layer(layer, &x, batch)?;
        }
        let hidden = self.leave(&x)?;
        let hidden = if self.options.recompute { hidden.detach() } else { hidden };
        Ok(Pass { leaf, entries, hidden })
    }

    /// Adds to `gradients` what `upstream`, the gradient of a loss by `pass.hidden`, means for the parameters.
    pub(super) fn backward(
        &self,
        pass: Pass,
        batch: &Padded,
        upstream: &Tensor,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let Pass { leaf, entries, hidden } = pass;
        let rows = if self.options.recompute {
            let mut upstream = upstream.clone();
            for (layer, entry) in entries.into_iter().enumerate().rev() {
                let entry = Var::from_tensor(&entry)?;
                let x = self.layer(layer, &entry, batch)?;
                let x = if layer + 1 == self.layers() { self.leave(&x)? } else { x };
                let store = backward_from(&x, &upstream)?;
                gradients.collect(self.parameters, &store)?;
                upstream = store.get(&entry).map_or_else(|| entry.zeros_like(), |gradient| Ok(gradient.clone()))?;
            }
            let (_, places) = batch.distinct()?;
            let x = self.enter(&leaf, &places)?;
            backward_from(&x, &upstream)?.get(&leaf.rows).cloned()
        } else {
            let store = backward_from(&hidden, upstream)?;
            gradients.collect(self.parameters, &store)?;
            store.get(&leaf.rows).cloned()
        };
        match rows.filter(|_| leaf.is_trained) {
            Some(rows) => gradients.add_rows(TABLE, &leaf.ids, &rows),
            None => Ok(()),
        }
    }

    fn layers(&self) -> usize {
        self.parameters.config().qwen.num_hidden_layers
    }

    fn enter(&self, leaf: &Leaf, places: &Tensor) -> Result<Tensor> {
        let rows = leaf.rows.index_select(&places.to_device(self.parameters.device())?, 0)?;
        Ok(if self.options.mixed { rows.to_dtype(DType::BF16)? } else { rows })
    }

    fn leave(&self, x: &Tensor) -> Result<Tensor> {
        self.norm("norm.weight", &x.to_dtype(self.parameters.dtype())?)
    }

    /// One block: all tokens, or for the last block only the last token of each sequence.
    fn layer(&self, layer: usize, x: &Tensor, batch: &Padded) -> Result<Tensor> {
        let name = |part: &str| format!("layers.{layer}.{part}.weight");
        let is_last = layer + 1 == self.layers();
        let entered = self.norm(&name("input_layernorm"), x)?;
        let (asking, x) = if is_last {
            let last = batch.last(x.device())?;
            (entered.index_select(&last, 0)?, x.index_select(&last, 0)?)
        } else {
            (entered.clone(), x.clone())
        };
        let mixed = self.attend(&name, &asking, &entered, batch, is_last)?;
        let x = (x + self.parameters.linear(&name("self_attn.o_proj"), &mixed)?)?;
        let entered = self.norm(&name("post_attention_layernorm"), &x)?;
        let gate = self.parameters.linear(&name("mlp.gate_proj"), &entered)?.silu()?;
        let up = self.parameters.linear(&name("mlp.up_proj"), &entered)?;
        Ok((x + self.parameters.linear(&name("mlp.down_proj"), &(gate * up)?)?)?)
    }

    /// Attention of the asking tokens over all; `[asking, heads * head_dim]`.
    fn attend(
        &self,
        name: &impl Fn(&str) -> String,
        asking: &Tensor,
        all: &Tensor,
        batch: &Padded,
        is_last: bool,
    ) -> Result<Tensor> {
        let qwen = &self.parameters.config().qwen;
        let (heads, kv_heads, width) = (qwen.num_attention_heads, qwen.num_key_value_heads, qwen.head_dim);
        let (count, tokens) = (batch.sequences(), batch.tokens());
        let asked = if is_last { 1 } else { tokens };
        let positions = if is_last { batch.last_positions() } else { batch.positions() };
        let queries = self.parameters.linear(&name("self_attn.q_proj"), asking)?;
        let queries = self.norm(&name("self_attn.q_norm"), &queries.reshape(((), heads, width))?)?;
        let queries = self.rotary.turn(&queries, &positions)?;
        let keys = self.parameters.linear(&name("self_attn.k_proj"), all)?;
        let keys = self.norm(&name("self_attn.k_norm"), &keys.reshape(((), kv_heads, width))?)?;
        let keys = self.rotary.turn(&keys, &batch.positions())?;
        let values = self.parameters.linear(&name("self_attn.v_proj"), all)?;
        // Query heads that share a key head are rows of one product: [count, kv_heads, group * asked, width].
        let group = heads / kv_heads;
        let queries = queries.reshape((count, asked, kv_heads, group, width))?.permute((0, 2, 3, 1, 4))?;
        let queries = queries.contiguous()?.reshape((count, kv_heads, group * asked, width))?;
        let by_head = |x: &Tensor| x.reshape((count, tokens, kv_heads, width))?.transpose(1, 2)?.contiguous();
        let (keys, values) = (by_head(&keys)?, by_head(&values)?);
        let scores = (queries.matmul(&keys.transpose(2, 3)?)? / (width as f64).sqrt())?;
        let scores = scores.to_dtype(self.parameters.dtype())?.reshape((count, kv_heads, group, asked, tokens))?;
        let mask = if is_last { batch.last_mask(&scores)? } else { batch.causal_mask(&scores)? };
        let weights = softmax(&scores.broadcast_add(&mask)?)?.to_dtype(values.dtype())?;
        let mixed = weights.reshape((count, kv_heads, group * asked, tokens))?.matmul(&values)?;
        let mixed = mixed.reshape((count, kv_heads, group, asked, width))?.permute((0, 3, 1, 2, 4))?;
        Ok(mixed.contiguous()?.reshape((count * asked, heads * width))?)
    }

    fn norm(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        rms_norm(x, &self.parameters.vector(name)?, self.parameters.config().qwen.rms_norm_eps)
    }
}

/// The gradients of everything before `x`, given that of a loss by `x`.
fn backward_from(x: &Tensor, upstream: &Tensor) -> Result<candle_core::backprop::GradStore> {
    Ok((x * upstream.detach().to_dtype(x.dtype())?)?.sum_all()?.backward()?)
}

/// candle's `softmax_last_dim` records no way back.
fn softmax(x: &Tensor) -> Result<Tensor> {
    let most = x.max_keepdim(D::Minus1)?.detach();
    let powers = x.broadcast_sub(&most)?.exp()?;
    Ok(powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)?)
}
