//! A model without weights: every tensor that a config implies, with values made up as they are read. For measuring
//! speed and memory, where values do not matter; nothing is stored, so that the largest shape opens in no more memory
//! than its packed form.

use crate::config::ModelConfig;

/// Standard deviation of the matrices of a freshly initialised Qwen3.
const SPREAD: f32 = 0.02;
/// A uniform distribution of half-width 1 has the standard deviation 1 / sqrt(3).
const UNIFORM_WIDTH: f32 = 1.732_050_8;

/// The values of one made-up tensor; the same for the same name, row by row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    seed: u64,
    centre: f32,
}

impl Noise {
    /// Values of `tensor`: a vector (a norm's weight) lies about 1, a matrix about 0.
    pub(crate) fn of(tensor: &str, dimensions: usize) -> Self {
        let hash = blake3::hash(tensor.as_bytes());
        let seed = hash.as_bytes().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte));
        Self { seed, centre: if dimensions == 1 { 1.0 } else { 0.0 } }
    }

    /// Row `row`, whose length is that of `out`.
    pub(crate) fn read_row(self, row: usize, out: &mut [f32]) {
        let scale = SPREAD * UNIFORM_WIDTH / f32::from(i16::MAX);
        let start = mixed(self.seed ^ mixed(row as u64));
        for (index, out) in out.chunks_mut(4).enumerate() {
            let bits = mixed(start.wrapping_add(index as u64 + 1));
            for (lane, out) in out.iter_mut().enumerate() {
                let uniform = (bits >> (16 * lane)) as u16;
                *out = self.centre + f32::from(uniform.cast_signed()) * scale;
            }
        }
    }
}

/// The output function of SplitMix64 (Steele, Lea, Flood 2014) over a counter.
pub(crate) fn mixed(counter: u64) -> u64 {
    let z = counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// Names (without `model.`) and shapes of all tensors of a model of this shape.
pub(crate) fn implied_tensors(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let qwen = &config.qwen;
    let (hidden, ffn, head_dim) = (qwen.hidden_size, qwen.intermediate_size, qwen.head_dim);
    let (queries, keys) = (config.query_width(), config.key_width());
    let block = [
        ("input_layernorm", vec![hidden]),
        ("self_attn.q_proj", vec![queries, hidden]),
        ("self_attn.k_proj", vec![keys, hidden]),
        ("self_attn.v_proj", vec![keys, hidden]),
        ("self_attn.q_norm", vec![head_dim]),
        ("self_attn.k_norm", vec![head_dim]),
        ("self_attn.o_proj", vec![hidden, queries]),
        ("post_attention_layernorm", vec![hidden]),
        ("mlp.gate_proj", vec![ffn, hidden]),
        ("mlp.up_proj", vec![ffn, hidden]),
        ("mlp.down_proj", vec![hidden, ffn]),
    ];
    let table = vec![qwen.vocab_size, hidden];
    let mut tensors = vec![("embed_tokens.weight".to_owned(), table.clone()), ("norm.weight".to_owned(), vec![hidden])];
    if !qwen.tie_word_embeddings {
        tensors.push(("lm_head.weight".to_owned(), table));
    }
    for index in 0..qwen.num_hidden_layers {
        tensors.extend(block.iter().map(|(part, shape)| (format!("layers.{index}.{part}.weight"), shape.clone())));
    }
    tensors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_repeat_and_differ_and_have_the_wanted_spread() {
        let row = |name: &str, row| {
            let mut values = vec![0.0; 4099];
            Noise::of(name, 2).read_row(row, &mut values);
            values
        };
        let values = row("a", 5);
        assert_eq!(values, row("a", 5));
        assert!(values != row("a", 6) && values != row("b", 5));
        let count = values.len() as f32;
        let mean = values.iter().sum::<f32>() / count;
        let deviation = (values.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / count).sqrt();
        assert!(mean.abs() < 2e-3 && (deviation - SPREAD).abs() < 2e-3, "{mean} {deviation}");
        let mut norm = vec![0.0; 64];
        Noise::of("a", 1).read_row(0, &mut norm);
        assert!(norm.iter().all(|x| (0.9..1.1).contains(x)));
    }
}
