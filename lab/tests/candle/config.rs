//! A shape in the terms of candle-transformers.

use candle_nn::Activation;
use candle_transformers::models::qwen3::Config;
use qwen3::Shape;

/// The config of candle's own Qwen3 for a model of this shape.
pub(crate) fn stock_config(shape: &Shape) -> Config {
    Config {
        vocab_size: shape.vocab_size,
        hidden_size: shape.hidden_size,
        intermediate_size: shape.intermediate_size,
        num_hidden_layers: shape.num_hidden_layers,
        num_attention_heads: shape.num_attention_heads,
        head_dim: shape.head_dim,
        attention_bias: false,
        num_key_value_heads: shape.num_key_value_heads,
        max_position_embeddings: shape.max_position_embeddings,
        sliding_window: None,
        max_window_layers: shape.num_hidden_layers,
        tie_word_embeddings: shape.tie_word_embeddings,
        rope_theta: shape.rope_theta,
        rms_norm_eps: shape.rms_norm_eps,
        use_sliding_window: false,
        hidden_act: Activation::Silu,
    }
}
