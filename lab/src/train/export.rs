//! Writing a model: a folder that Hugging Face's libraries and this crate load, or a GGUF.

use std::{
    collections::BTreeMap,
    fs,
    io::BufWriter,
    path::{Path, PathBuf},
};

use candle_core::{DType, Tensor};
use half::{bf16, f16};
use qwen3::{ModelConfig, ModelFiles, write_gguf};
use safetensors::{Dtype, View};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::rename_durably;

use crate::error::{Error, Result};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";
const GGUF: &str = "model-q8_0.gguf";
/// Columns that share a scale in int8.
const GROUP: usize = 32;

/// How weights are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExportFormat {
    /// As they were trained.
    F32,
    /// Half the size, 8 bits of fraction.
    Bf16,
    /// Half the size, 11 bits of fraction, a narrow range.
    F16,
    /// Matrices as 8-bit integers with one bf16 scale for 32 columns (`X.weight` beside `X.weight_scale`, the layout of
    /// compressed-tensors); vectors in f16. quarry loads it; for transformers take another one.
    Int8,
    /// A GGUF in Q8_0, for llama.cpp and quarry, with the tokenizer.json beside it.
    Gguf,
}

/// One tensor as it is written.
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

/// Writes `tensors` (by name without `model.`) with the config and tokenizer of `files` into `folder`; the paths written.
/// Every file appears whole, by rename.
///
/// # Errors
/// [`Error::Write`]; [`Error::BadFile`] for a tokenizer that is none.
pub fn write_model(
    folder: &Path,
    files: &ModelFiles,
    tensors: &BTreeMap<String, Tensor>,
    format: ExportFormat,
) -> Result<Vec<PathBuf>> {
    let config: Value = parsed(files.config(), &files.config_name())?;
    write_parts(folder, config, &tokenizer_of(files)?, tensors, format)
}

/// [`write_model`] for a model that comes from no files.
pub(super) fn write_parts(
    folder: &Path,
    mut config: Value,
    tokenizer: &Value,
    tensors: &BTreeMap<String, Tensor>,
    format: ExportFormat,
) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
    let mut written = vec![put(folder, TOKENIZER, tokenizer.to_string().as_bytes())?];
    if let ExportFormat::Gguf = format {
        let shape = ModelConfig::parse(config.to_string().as_bytes(), CONFIG)?;
        let mut out = std::io::Cursor::new(Vec::new());
        write_gguf(&mut out, &shape, Some(tokenizer), tensors)?;
        written.push(put(folder, GGUF, out.get_ref())?);
        return Ok(written);
    }
    if let Some(fields) = config.as_object_mut() {
        let name = match format {
            ExportFormat::F32 => "float32",
            ExportFormat::Bf16 => "bfloat16",
            _ => "float16",
        };
        fields.remove("dtype");
        fields.insert("torch_dtype".to_owned(), json!(name));
    }
    let text = serde_json::to_string_pretty(&config).map_err(|error| bad(CONFIG, &error.to_string()))?;
    written.push(put(folder, CONFIG, text.as_bytes())?);
    let prefix = if is_causal(&config) { "model." } else { "" };
    let mut stored = Vec::new();
    for (name, tensor) in tensors {
        // The output matrix has no prefix in anybody's files.
        let name = if name.starts_with("lm_head") { name.clone() } else { format!("{prefix}{name}") };
        stored.extend(store(&name, tensor, format)?);
    }
    let place = folder.join(format!("{WEIGHTS}.new"));
    safetensors::serialize_to_file(stored, None, &place).map_err(|error| bad(WEIGHTS, &error.to_string()))?;
    written.push(settle(&place, &folder.join(WEIGHTS))?);
    Ok(written)
}

fn is_causal(config: &Value) -> bool {
    config.pointer("/architectures/0").and_then(Value::as_str) == Some("Qwen3ForCausalLM")
}

/// The tokenizer as JSON, each merge as one string where that says the same.
fn tokenizer_of(files: &ModelFiles) -> Result<Value> {
    let origin = format!("{TOKENIZER} of {}", files.origin());
    let mut tokenizer: Value = parsed(&files.tokenizer_json()?, &origin)?;
    if let Some(merges) = tokenizer.pointer_mut("/model/merges").and_then(Value::as_array_mut) {
        for merge in merges {
            let pair = merge.as_array().map_or(&[][..], Vec::as_slice);
            if let [Value::String(left), Value::String(right)] = pair
                && !left.contains(' ')
                && !right.contains(' ')
            {
                *merge = Value::String(format!("{left} {right}"));
            }
        }
    }
    Ok(tokenizer)
}

fn parsed(json: &[u8], name: &str) -> Result<Value> {
    serde_json::from_slice(json).map_err(|error| bad(name, &error.to_string()))
}

fn bad(file: &str, reason: &str) -> Error {
    Error::BadFile { file: file.to_owned(), reason: reason.to_owned() }
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let place = folder.join(format!("{name}.new"));
    let written = fs::File::create(&place).map(BufWriter::new).and_then(|mut out| {
        use std::io::Write;
        out.write_all(bytes)?;
        out.flush()
    });
    written.map_err(|source| Error::Write { path: place.clone(), source })?;
    settle(&place, &folder.join(name))
}

fn settle(new: &Path, place: &Path) -> Result<PathBuf> {
    rename_durably(new, place).map_err(|source| Error::Write { path: place.to_owned(), source })?;
    Ok(place.to_owned())
}

fn store(name: &str, tensor: &Tensor, format: ExportFormat) -> Result<Vec<(String, Stored)>> {
    let shape = tensor.dims().to_vec();
    let values: Vec<f32> = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    let plain = |dtype: Dtype, data: Vec<u8>| vec![(name.to_owned(), Stored { dtype, shape: shape.clone(), data })];
    Ok(match format {
        ExportFormat::F32 => plain(Dtype::F32, values.iter().flat_map(|x| x.to_le_bytes()).collect()),
        ExportFormat::Bf16 => {
            plain(Dtype::BF16, values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect())
        }
        ExportFormat::Int8 if shape.len() == 2 => int8(name, &shape, &values),
        _ => plain(Dtype::F16, values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect()),
    })
}

fn int8(name: &str, shape: &[usize], values: &[f32]) -> Vec<(String, Stored)> {
    let columns = shape[1];
    // A matrix whose columns do not divide evenly gets one scale a row.
    let group = if columns.is_multiple_of(GROUP) { GROUP } else { columns };
    let (mut data, mut scales) = (Vec::with_capacity(values.len()), Vec::new());
    for group in values.chunks_exact(group) {
        let most = group.iter().fold(0f32, |most, x| most.max(x.abs()));
        let scale = bf16::from_f32(if most > 0.0 { most / 127.0 } else { 1.0 });
        scales.extend_from_slice(&scale.to_le_bytes());
        let byte = |x: &f32| ((x / scale.to_f32()).round().clamp(-127.0, 127.0) as i8).cast_unsigned();
        data.extend(group.iter().map(byte));
    }
    vec![
        (name.to_owned(), Stored { dtype: Dtype::I8, shape: shape.to_vec(), data }),
        (format!("{name}_scale"), Stored { dtype: Dtype::BF16, shape: vec![shape[0], columns / group], data: scales }),
    ]
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.data.as_slice().into()
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}

#[cfg(test)]
mod tests {
    use qwen3::{Model, Precision, Prefix, tensors};

    use super::*;

    fn golden(name: &str) -> ModelFiles {
        ModelFiles::folder(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)).unwrap()
    }

    fn hidden(files: &ModelFiles) -> Vec<Vec<f32>> {
        let model = Model::open(files, Precision::F32).unwrap();
        model.last_hidden(&[&[1, 5, 9, 30], &[7, 2]], &Prefix::EMPTY).unwrap()
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    #[test]
    fn every_format_is_read_back() {
        let files = golden("models/tiny-reranker");
        let config = ModelConfig::of(&files).unwrap();
        let tensors = tensors(&files, &config).unwrap();
        let expected = hidden(&files);
        let formats = [
            (ExportFormat::F32, 0.999_999),
            (ExportFormat::Bf16, 0.999),
            (ExportFormat::F16, 0.9999),
            (ExportFormat::Int8, 0.998),
            (ExportFormat::Gguf, 0.998),
        ];
        for (format, least) in formats {
            let folder = tempfile::tempdir().unwrap();
            let written = write_model(folder.path(), &files, &tensors, format).unwrap();
            let model = written.last().unwrap();
            let place = if format == ExportFormat::Gguf { model } else { folder.path() };
            let back = ModelFiles::open(place).unwrap();
            for (ours, expected) in hidden(&back).iter().zip(&expected) {
                assert!(cosine(ours, expected) > least, "{format:?}: {}", cosine(ours, expected));
            }
            let ids = |files: &ModelFiles| {
                qwen3::Tokenizer::open(files, &config).unwrap().encode("Who answers this?").unwrap()
            };
            assert_eq!(ids(&back), ids(&files));
        }
    }
}
