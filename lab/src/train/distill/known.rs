//! A model that is a table of token vectors, as `compile` writes them: read back, and written with more rows.

use std::{collections::BTreeMap, path::Path, path::PathBuf};

use candle_core::{Device, Tensor};
use qwen3::{ModelConfig, ModelFiles, tensors};
use serde_json::{Value, json};

use crate::{
    error::{Error, Result},
    train::export::{ExportFormat, write_parts},
};

const ROWS: &str = "embed_tokens.weight";

/// A table of token vectors in the weights of a Qwen3 model.
pub struct TableModel {
    config: Value,
    tensors: BTreeMap<String, Tensor>,
    rows: Tensor,
}

impl TableModel {
    /// Opens a model folder.
    ///
    /// # Errors
    /// [`Error::Training`] for a model whose embedding is not the mean of its tokens' vectors; those of reading it.
    pub fn open(files: &ModelFiles) -> Result<Self> {
        let config: Value = serde_json::from_slice(files.config())
            .map_err(|error| Error::BadFile { file: files.config_name(), reason: error.to_string() })?;
        let tensors = tensors(files, &ModelConfig::of(files)?)?;
        let rows = tensors.get(ROWS).cloned();
        match rows {
            Some(rows) if is_table(&tensors)? => Ok(Self { config, tensors, rows }),
            _ => Err(Error::Training(format!(
                "{} is not a table of token vectors: expected a model that `train distill` made",
                files.origin()
            ))),
        }
    }

    /// Tokens that have a row.
    pub fn tokens(&self) -> usize {
        self.rows.dims().first().copied().unwrap_or_default()
    }

    /// The vectors `[tokens, width]`: the last dimension of the weights fills every token up to one length, and is left
    /// out.
    ///
    /// # Errors
    /// [`Error::Compute`].
    pub fn vectors(&self) -> Result<Tensor> {
        let (_, hidden) = self.rows.dims2()?;
        Ok(self.rows.narrow(1, 0, hidden - 1)?.contiguous()?)
    }

    /// Writes the model with `more` rows behind its own, which stay as they are; longer ones than a token may be are
    /// shortened.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Compute`].
    pub fn write_with(
        &self,
        more: &[Vec<f32>],
        folder: &Path,
        tokenizer: &Value,
        format: ExportFormat,
    ) -> Result<Vec<PathBuf>> {
        let (tokens, hidden) = self.rows.dims2()?;
        let more_rows = Tensor::from_vec(filled(more).concat(), (more.len(), hidden), &Device::Cpu)?;
        let mut tensors = self.tensors.clone();
        tensors.insert(ROWS.to_owned(), Tensor::cat(&[&self.rows, &more_rows], 0)?);
        let mut config = self.config.clone();
        config["vocab_size"] = json!(tokens + more.len());
        write_parts(folder, config, tokenizer, &tensors, format)
    }
}

/// Rows of length one: what a vector lacks goes into a dimension of its own.
fn filled(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let fill = |row: &Vec<f32>| {
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        let factor = if length > 1.0 { 1.0 / length } else { 1.0 };
        let mut row: Vec<f32> = row.iter().map(|x| x * factor).collect();
        row.push((1.0 - (length * factor).powi(2)).max(0.0).sqrt());
        row
    };
    rows.iter().map(fill).collect()
}

/// Whether a model's last token looks at all tokens alike, and nothing but their vectors is passed on.
fn is_table(tensors: &BTreeMap<String, Tensor>) -> Result<bool> {
    let largest = |name: &str| -> Result<Option<f32>> {
        let Some(tensor) = tensors.get(name) else { return Ok(None) };
        Ok(Some(tensor.abs()?.flatten_all()?.max(0)?.to_scalar()?))
    };
    let is_single = !tensors.keys().any(|name| name.starts_with("layers.1."));
    let looks_alike = largest("layers.0.self_attn.q_norm.weight")? == Some(0.0);
    let adds_nothing = largest("layers.0.mlp.down_proj.weight")? == Some(0.0);
    Ok(is_single && looks_alike && adds_nothing)
}

#[cfg(test)]
mod tests {
    use qwen3::{Model, Precision, Prefix};

    use super::*;
    use crate::train::distill::{TableShape, write_table};

    fn rows(tokens: u32, width: u32) -> Vec<Vec<f32>> {
        let value = |id: u32, x: u32| ((id * 37 + x * 11) % 19) as f32 / 40.0 - 0.2;
        (0..tokens).map(|id| (0..width).map(|x| value(id, x)).collect()).collect()
    }

    #[test]
    fn old_rows_stay_to_the_bit_and_new_ones_are_read() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tokenizer = json!({});
        write_table(first.path(), &rows(10, 63), TableShape { hidden: 64, eos: 9 }, &tokenizer, ExportFormat::Int8)
            .unwrap();
        let old = TableModel::open(&ModelFiles::folder(first.path()).unwrap()).unwrap();
        let more: Vec<Vec<f32>> = rows(13, 63).split_off(10);
        old.write_with(&more, second.path(), &tokenizer, ExportFormat::Int8).unwrap();
        let files = ModelFiles::folder(second.path()).unwrap();
        let new = TableModel::open(&files).unwrap();
        assert_eq!((old.tokens(), new.tokens()), (10, 13));
        let values = |rows: Tensor| rows.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values(new.rows.narrow(0, 0, 10).unwrap()), values(old.rows.clone()));
        let before = Model::open(&ModelFiles::folder(first.path()).unwrap(), Precision::F32).unwrap();
        let after = Model::open(&files, Precision::F32).unwrap();
        let hidden = |model: &Model, ids: &[u32]| model.last_hidden(&[ids], &Prefix::EMPTY).unwrap().concat();
        assert_eq!(hidden(&before, &[1, 4, 4, 9]), hidden(&after, &[1, 4, 4, 9]));
        // A new token alone points where its row does.
        let (ours, row) = (hidden(&after, &[11, 9]), &more[1]);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        assert!(dot(&ours, row) / (dot(&ours[..63], &ours[..63]) * dot(row, row)).sqrt() > 0.99);
    }

    #[test]
    fn a_model_that_is_no_table_is_refused() {
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/models/tiny-reranker");
        let error = TableModel::open(&ModelFiles::folder(files).unwrap()).err().unwrap().to_string();
        assert!(error.contains("train distill"), "{error}");
    }
}
