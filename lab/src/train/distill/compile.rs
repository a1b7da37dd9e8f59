//! A table of token vectors as the weights of a Qwen3 model of one layer whose embedding is the mean of the table's rows.
//!
//! Attention at the EOS looks at all tokens alike (`q_norm` is zero, so all scores are), values and output pass vectors on
//! unchanged, and the feed-forward adds nothing. RMSNorm would bring every token to one length, and the lengths are what
//! weighs tokens: one dimension that nobody reads fills every token up to the same length, so that the norm multiplies all
//! by the same number. The weights that do nothing are random, not zero: fine-tuning can put them to use.

use std::{collections::BTreeMap, path::Path, path::PathBuf};

use candle_core::{Device, Tensor};
use serde_json::{Value, json};

use crate::{
    error::{Error, Result},
    train::{
        draw::Draw,
        export::{ExportFormat, write_parts},
    },
};

/// Width of a head.
const HEAD: usize = 64;
/// Standard deviation of random weights.
const SPREAD: f64 = 0.02;
/// Tokens that a text may have.
const POSITIONS: usize = 2048;
/// Width of the feed-forward, which adds nothing.
const FEED_FORWARD: usize = 64;

/// The shape of a compiled model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableShape {
    /// Width of the model: a multiple of 64, and one more than the table's width at least.
    pub hidden: usize,
    /// The id of `<|endoftext|>`, whose vector is nothing.
    pub eos: u32,
}

impl TableShape {
    /// Whether a table of so many columns fits.
    ///
    /// # Errors
    /// [`Error::Training`] says which width would do.
    pub fn check(self, columns: usize) -> Result<()> {
        if self.hidden.is_multiple_of(HEAD) && columns > 0 && columns < self.hidden {
            return Ok(());
        }
        Err(Error::Training(format!(
            "a table of {columns} columns in a model of width {}: expected a width that is a multiple of {HEAD} above {columns}",
            self.hidden
        )))
    }
}

/// Writes the model folder.
///
/// # Errors
/// [`Error::Training`] for a width that does not fit; [`Error::Write`].
pub fn write_table(
    folder: &Path,
    table: &[Vec<f32>],
    shape: TableShape,
    tokenizer: &Value,
    format: ExportFormat,
) -> Result<Vec<PathBuf>> {
    let TableShape { hidden, eos } = shape;
    shape.check(table.first().map_or(0, Vec::len))?;
    let config = json!({
        "architectures": ["Qwen3Model"],
        "model_type": "qwen3",
        "vocab_size": table.len(),
        "hidden_size": hidden,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": 1,
        "num_attention_heads": hidden / HEAD,
        "num_key_value_heads": hidden / HEAD,
        "head_dim": HEAD,
        "max_position_embeddings": POSITIONS,
        "rope_theta": 10000.0,
        "rms_norm_eps": 1e-6,
        "hidden_act": "silu",
        "attention_bias": false,
        "tie_word_embeddings": true,
        "use_sliding_window": false,
        "eos_token_id": eos,
    });
    write_parts(folder, config, tokenizer, &tensors(table, shape)?, format)
}

fn tensors(table: &[Vec<f32>], TableShape { hidden, eos }: TableShape) -> Result<BTreeMap<String, Tensor>> {
    let width = table.first().map_or(0, Vec::len);
    let square = |row: &Vec<f32>| row.iter().map(|x| x * x).sum::<f32>();
    let longest = table.iter().map(square).fold(0f32, f32::max).max(f32::MIN_POSITIVE);
    // Lengths near one keep every format's range.
    let scale = 1.0 / longest.sqrt();
    let mut rows = Vec::with_capacity(table.len() * hidden);
    for (id, row) in table.iter().enumerate() {
        let factor = if id == eos as usize { 0.0 } else { scale };
        let start = rows.len();
        rows.extend(row.iter().map(|x| x * factor));
        rows.resize(start + hidden - 1, 0.0);
        rows.push((1.0 - square(row) * factor * factor).max(0.0).sqrt());
    }
    let vector = |length: usize, value: f32| Tensor::full(value, length, &Device::Cpu);
    let random = |name: &str, rows: usize, columns: usize| -> Result<Tensor> {
        let values = Draw::named(0, name).uniform(rows * columns, SPREAD * 3f64.sqrt());
        Ok(Tensor::from_vec(values.into_iter().map(|x| x as f32).collect(), (rows, columns), &Device::Cpu)?)
    };
    let passing = identity(hidden, width)?;
    let mut read = vec![1f32; hidden];
    read[hidden - 1] = 0.0;
    let layer = [
        ("input_layernorm", vector(hidden, 1.0)?),
        ("self_attn.q_proj", random("q", hidden, hidden)?),
        ("self_attn.k_proj", random("k", hidden, hidden)?),
        ("self_attn.v_proj", passing.clone()),
        ("self_attn.o_proj", passing),
        ("self_attn.q_norm", vector(HEAD, 0.0)?),
        ("self_attn.k_norm", vector(HEAD, 1.0)?),
        ("post_attention_layernorm", vector(hidden, 1.0)?),
        ("mlp.gate_proj", random("gate", FEED_FORWARD, hidden)?),
        ("mlp.up_proj", random("up", FEED_FORWARD, hidden)?),
        ("mlp.down_proj", Tensor::zeros((hidden, FEED_FORWARD), candle_core::DType::F32, &Device::Cpu)?),
    ];
    let mut tensors: BTreeMap<String, Tensor> =
        layer.into_iter().map(|(part, tensor)| (format!("layers.0.{part}.weight"), tensor)).collect();
    tensors.insert("embed_tokens.weight".to_owned(), Tensor::from_vec(rows, (table.len(), hidden), &Device::Cpu)?);
    tensors.insert("norm.weight".to_owned(), Tensor::from_vec(read, hidden, &Device::Cpu)?);
    Ok(tensors)
}

/// Passes the first `width` dimensions on.
fn identity(hidden: usize, width: usize) -> Result<Tensor> {
    let mut values = vec![0f32; hidden * hidden];
    (0..width).for_each(|at| values[at * hidden + at] = 1.0);
    Ok(Tensor::from_vec(values, (hidden, hidden), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use qwen3::{Model, ModelFiles, Precision, Prefix};

    #[test]
    fn the_compiled_model_gives_the_means() {
        let table: Vec<Vec<f32>> = (0..10u32)
            .map(|id| (0..40).map(|x| ((id * 37 + x * 11) % 19) as f32 / 19.0 - 0.5).collect::<Vec<f32>>())
            .map(|row| row.iter().map(|x| x * (0.2 + row[0].abs())).collect())
            .collect();
        for (format, least) in [(ExportFormat::F32, 0.999_99), (ExportFormat::F16, 0.9999), (ExportFormat::Int8, 0.99)]
        {
            let folder = tempfile::tempdir().unwrap();
            let shape = TableShape { hidden: 64, eos: 9 };
            write_table(folder.path(), &table, shape, &json!({}), format).unwrap();
            let model = Model::open(&ModelFiles::folder(folder.path()).unwrap(), Precision::F32).unwrap();
            let ids: [&[u32]; 2] = [&[1, 2, 2, 5, 9], &[7, 9]];
            for (ids, hidden) in ids.iter().zip(model.last_hidden(&ids, &Prefix::EMPTY).unwrap()) {
                let mean: Vec<f32> = (0..40)
                    .map(|x| ids.iter().filter(|id| **id != 9).map(|id| table[*id as usize][x]).sum::<f32>())
                    .collect();
                let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
                let ours = &hidden[..40];
                let cosine = dot(ours, &mean) / (dot(ours, ours) * dot(&mean, &mean)).sqrt();
                assert!(cosine > least, "{format:?}: {cosine}");
                assert!(hidden[40..].iter().all(|x| x.abs() < 1e-6));
            }
        }
        let shape = TableShape { hidden: 64, eos: 0 };
        let wide = vec![vec![0.0; 64]; 3];
        let error = write_table(Path::new("/nowhere"), &wide, shape, &json!({}), ExportFormat::F32).unwrap_err();
        assert!(error.to_string().contains("a multiple of 64 above 64"), "{error}");
    }
}
