//! candle-transformers' own Qwen3 with random weights in f32: what quarry's speed is measured beside. Nothing else uses
//! it.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::qwen3;

use crate::{config::ModelConfig, error::Result};

/// Weights for candle's own model.
pub struct StockModel {
    config: qwen3::Config,
    weights: VarBuilder<'static>,
}

impl StockModel {
    /// Random weights in the shape of `config`, on the CPU.
    ///
    /// # Errors
    /// [`Error::Compute`](crate::Error::Compute).
    pub fn random(config: &ModelConfig) -> Result<Self> {
        let qwen = config.qwen.clone();
        let (hidden, ffn, width) = (qwen.hidden_size, qwen.intermediate_size, qwen.head_dim);
        let (queries, keys) = (config.query_width(), config.key_width());
        let mut shapes = vec![
            ("model.embed_tokens.weight".to_owned(), vec![qwen.vocab_size, hidden]),
            ("model.norm.weight".to_owned(), vec![hidden]),
        ];
        for layer in 0..qwen.num_hidden_layers {
            let parts = [
                ("input_layernorm", vec![hidden]),
                ("self_attn.q_proj", vec![queries, hidden]),
                ("self_attn.k_proj", vec![keys, hidden]),
                ("self_attn.v_proj", vec![keys, hidden]),
                ("self_attn.q_norm", vec![width]),
                ("self_attn.k_norm", vec![width]),
                ("self_attn.o_proj", vec![hidden, queries]),
                ("post_attention_layernorm", vec![hidden]),
                ("mlp.gate_proj", vec![ffn, hidden]),
                ("mlp.up_proj", vec![ffn, hidden]),
                ("mlp.down_proj", vec![hidden, ffn]),
            ];
            shapes.extend(parts.map(|(part, shape)| (format!("model.layers.{layer}.{part}.weight"), shape)));
        }
        let tensors: HashMap<String, Tensor> = shapes
            .into_iter()
            .map(|(name, shape)| Ok((name, Tensor::rand(-0.03f32, 0.03, shape, &Device::Cpu)?)))
            .collect::<Result<_>>()?;
        Ok(Self { config: qwen, weights: VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu) })
    }

    /// A model that has seen nothing: candle's keeps what went through it. The weights are shared.
    ///
    /// # Errors
    /// [`Error::Compute`](crate::Error::Compute).
    pub fn fresh(&self) -> Result<qwen3::Model> {
        Ok(qwen3::Model::new(&self.config, self.weights.clone())?)
    }
}

/// Hidden states of sequences of one length, all tokens: `[sequences, tokens, hidden_size]`.
///
/// # Errors
/// [`Error::Compute`](crate::Error::Compute), also for sequences of different lengths.
pub fn stock_forward(model: &mut qwen3::Model, sequences: &[Vec<u32>]) -> Result<Tensor> {
    Ok(model.forward(&Tensor::new(sequences.to_vec(), &Device::Cpu)?, 0)?)
}
