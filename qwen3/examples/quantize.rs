//! Makes a model folder smaller: every matrix becomes int8 with one bf16 scale per group of GROUP columns (`X.weight` I8
//! beside `X.weight_scale` BF16 `[rows, columns / GROUP]`, the layout of compressed-tensors), vectors stay as they are,
//! tokenizer.json loses its blanks. This is how `fixtures/models/nano` was made.
//!
//! `cargo run --release -p qwen3 --example quantize -- IN OUT GROUP [TEXTS]`
//!
//! A GROUP that does not divide a matrix's columns, or 0, means one scale per row.
//! With TEXTS (a file, one text per line) both folders embed every line and the cosines between them are printed.
#![expect(clippy::print_stdout, reason = "a command line tool reports on standard output")]

use std::{error::Error, fs, path::Path};

use half::{bf16, f16};
use qwen3::{Embedder, EmbedderOptions, ModelFiles};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Stored {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, group, texts @ ..] = arguments.as_slice() else {
        return Err("expected: quantize IN OUT GROUP [TEXTS]".into());
    };
    let (input, output, group) = (Path::new(input), Path::new(output), group.parse()?);
    fs::create_dir_all(output)?;
    fs::copy(input.join("config.json"), output.join("config.json"))?;
    let tokenizer = compact_tokenizer(&fs::read(input.join("tokenizer.json"))?)?;
    fs::write(output.join("tokenizer.json"), tokenizer)?;
    let weights = quantize(&fs::read(input.join("model.safetensors"))?, group)?;
    println!("model.safetensors: {} bytes", weights.len());
    fs::write(output.join("model.safetensors"), weights)?;
    match texts.first() {
        Some(texts) => compare(input, output, &fs::read_to_string(texts)?),
        None => Ok(()),
    }
}

/// The same JSON without blanks, each merge as one string: tokens of a byte-level vocabulary hold no blank.
fn compact_tokenizer(json: &[u8]) -> Outcome<String> {
    let mut tokenizer: Value = serde_json::from_slice(json)?;
    if let Some(merges) = tokenizer.pointer_mut("/model/merges").and_then(Value::as_array_mut) {
        for merge in merges {
            if let [Value::String(left), Value::String(right)] = merge.as_array().map_or(&[][..], Vec::as_slice) {
                *merge = Value::String(format!("{left} {right}"));
            }
        }
    }
    Ok(tokenizer.to_string())
}

fn quantize(file: &[u8], group: usize) -> Outcome<Vec<u8>> {
    let tensors = SafeTensors::deserialize(file)?;
    let mut stored = Vec::new();
    for (name, tensor) in tensors.iter() {
        match tensor.shape() {
            [rows, columns] => stored.extend(quantize_matrix(name, [*rows, *columns], group, &values(&tensor)?)),
            shape => stored.push(Stored {
                name: name.to_owned(),
                dtype: tensor.dtype(),
                shape: shape.to_vec(),
                data: tensor.data().to_vec(),
            }),
        }
    }
    let views = stored.iter().map(|s| Ok((s.name.as_str(), TensorView::new(s.dtype, s.shape.clone(), &s.data)?)));
    Ok(safetensors::serialize(views.collect::<Outcome<Vec<_>>>()?, None)?)
}

fn quantize_matrix(name: &str, [rows, columns]: [usize; 2], group: usize, values: &[f32]) -> [Stored; 2] {
    let group = if group > 0 && columns.is_multiple_of(group) { group } else { columns };
    let (mut data, mut scales) = (Vec::with_capacity(values.len()), Vec::new());
    for group in values.chunks_exact(group) {
        let most = group.iter().fold(0f32, |most, x| most.max(x.abs()));
        let scale = bf16::from_f32(if most > 0.0 { most / 127.0 } else { 1.0 });
        scales.extend_from_slice(&scale.to_le_bytes());
        data.extend(group.iter().map(|x| ((x / scale.to_f32()).round().clamp(-127.0, 127.0) as i8).cast_unsigned()));
    }
    let scale_shape = vec![rows, columns / group];
    [
        Stored { name: name.to_owned(), dtype: Dtype::I8, shape: vec![rows, columns], data },
        Stored { name: format!("{name}_scale"), dtype: Dtype::BF16, shape: scale_shape, data: scales },
    ]
}

fn values(tensor: &TensorView) -> Outcome<Vec<f32>> {
    let data = tensor.data();
    match tensor.dtype() {
        Dtype::F32 => Ok(data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        Dtype::F16 => Ok(data.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()),
        Dtype::BF16 => Ok(data.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()),
        other => Err(format!("cannot quantize {other:?}").into()),
    }
}

fn compare(before: &Path, after: &Path, texts: &str) -> Outcome<()> {
    let open = |folder: &Path| Embedder::open(&ModelFiles::folder(folder)?, EmbedderOptions::default());
    let (before, after) = (open(before)?, open(after)?);
    let texts: Vec<&str> = texts.lines().filter(|line| !line.trim().is_empty()).collect();
    let ids = before.encoder().documents(&texts)?;
    if ids != after.encoder().documents(&texts)? {
        return Err("the compact tokenizer gives other tokens".into());
    }
    let mut cosines = Vec::with_capacity(texts.len());
    for ids in &ids {
        let (a, b) = (before.embed_ids(&[ids])?, after.embed_ids(&[ids])?);
        cosines.push(a[0].iter().zip(&b[0]).map(|(a, b)| a * b).sum::<f32>());
    }
    let least = cosines.iter().copied().fold(f32::INFINITY, f32::min);
    let mean = cosines.iter().sum::<f32>() / cosines.len() as f32;
    println!("cosine over {} texts: least {least:.6}, mean {mean:.6}; tokens equal", cosines.len());
    Ok(())
}
