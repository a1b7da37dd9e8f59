//! Named tensors of a checkpoint. Finds out whether names carry the `model.` prefix, reads f32, bf16 and f16 as they
//! are and int8 with scales (`X.weight` I8 beside `X.weight_scale`, `[rows]`, `[rows, 1]` or, for groups of columns,
//! `[rows, groups]`: the layouts of compressed-tensors), and gives out matrices only in the shape the config implies.

use std::{collections::HashMap, ops::Range};

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::Dtype;

use crate::{
    bytes::Bytes,
    error::{Error, Result},
    files::ModelFiles,
};

const PREFIX: &str = "model.";

/// All tensors of a model by their name without the `model.` prefix.
pub(crate) struct Weights {
    origin: String,
    prefix: &'static str,
    tensors: HashMap<String, Entry>,
}

#[derive(Clone)]
struct Entry {
    bytes: Bytes,
    range: Range<usize>,
    dtype: Dtype,
    shape: Vec<usize>,
}

/// How the numbers of a matrix lie in its file.
#[derive(Clone)]
enum Format {
    F32,
    F16,
    Bf16,
    /// One factor for each group of columns, row after row.
    Int8 {
        scales: Vec<f32>,
        group: usize,
    },
}

/// A matrix as it lies in the file, read row by row. The token embedding table stays in this form: it is the largest
/// matrix of a small model, and a batch touches few of its rows.
pub(crate) struct StoredMatrix {
    bytes: Bytes,
    range: Range<usize>,
    format: Format,
    rows: usize,
    columns: usize,
}

impl Weights {
    pub(crate) fn open(files: &ModelFiles) -> Result<Self> {
        let mut tensors = HashMap::new();
        for shard in files.shards() {
            for (name, info) in shard.header.tensors() {
                let (start, end) = info.data_offsets;
                let range = shard.data_start + start..shard.data_start + end;
                if shard.bytes.get(range.clone()).is_none() {
                    let reason = format!("tensor {name} lies outside the file");
                    return Err(Error::BadFile { file: shard.name.clone(), reason });
                }
                let entry = Entry { bytes: shard.bytes.clone(), range, dtype: info.dtype, shape: info.shape.clone() };
                tensors.insert(name, entry);
            }
        }
        let prefix = if tensors.contains_key("model.embed_tokens.weight") { PREFIX } else { "" };
        Ok(Self { origin: files.origin().to_owned(), prefix, tensors })
    }

    /// Refuses tensors that `is_expected` (given the name without prefix) does not know: a forward pass that ignores
    /// weights would be silently wrong.
    pub(crate) fn check_all(&self, is_expected: impl Fn(&str) -> bool) -> Result<()> {
        let mut names: Vec<_> = self.tensors.keys().collect();
        names.sort();
        let stranger = names.into_iter().find(|name| {
            let short = name.strip_prefix(self.prefix).unwrap_or(name);
            !is_expected(short.strip_suffix("_scale").unwrap_or(short))
        });
        match stranger {
            Some(tensor) => Err(Error::UnexpectedTensor { origin: self.origin.clone(), tensor: tensor.clone() }),
            None => Ok(()),
        }
    }

    /// A vector of `length` values, in f32.
    pub(crate) fn vector(&self, name: &str, length: usize, device: &Device) -> Result<Tensor> {
        let matrix = self.stored(name, &[length], 1, length)?;
        Ok(Tensor::from_vec(matrix.to_f32(), length, device)?)
    }

    /// A matrix `[rows, columns]` in `dtype` (f32 or bf16).
    pub(crate) fn matrix(&self, name: &str, shape: (usize, usize), dtype: DType, device: &Device) -> Result<Tensor> {
        let matrix = self.stored_matrix(name, shape)?;
        if dtype == DType::BF16 && matches!(matrix.format, Format::Bf16) {
            return Ok(Tensor::from_raw_buffer(matrix.data(), DType::BF16, &[shape.0, shape.1], device)?);
        }
        Ok(Tensor::from_vec(matrix.to_f32(), shape, device)?.to_dtype(dtype)?)
    }

    /// A matrix `[rows, columns]` left where it is.
    pub(crate) fn stored_matrix(&self, name: &str, (rows, columns): (usize, usize)) -> Result<StoredMatrix> {
        self.stored(name, &[rows, columns], rows, columns)
    }

    fn stored(&self, name: &str, shape: &[usize], rows: usize, columns: usize) -> Result<StoredMatrix> {
        let (full_name, entry) = self.entry(name)?;
        self.check_shape(&full_name, entry, shape)?;
        let format = match entry.dtype {
            Dtype::F32 => Format::F32,
            Dtype::F16 => Format::F16,
            Dtype::BF16 => Format::Bf16,
            Dtype::I8 => self.int8(name, rows, columns)?,
            other => {
                let got = format!("{other:?}");
                return Err(Error::Dtype { origin: self.origin.clone(), tensor: full_name, got });
            }
        };
        Ok(StoredMatrix { bytes: entry.bytes.clone(), range: entry.range.clone(), format, rows, columns })
    }

    fn int8(&self, name: &str, rows: usize, columns: usize) -> Result<Format> {
        let name = format!("{name}_scale");
        let (full_name, entry) = self.entry(&name)?;
        let groups = match entry.shape.as_slice() {
            [_, groups] if *groups > 0 && columns.is_multiple_of(*groups) => *groups,
            _ => 1,
        };
        let expected: &[usize] = if entry.shape.len() == 1 { &[rows] } else { &[rows, groups] };
        self.check_shape(&full_name, entry, expected)?;
        if entry.dtype == Dtype::I8 {
            return Err(Error::Dtype { origin: self.origin.clone(), tensor: full_name, got: "I8".to_owned() });
        }
        let scales = self.stored(&name, expected, rows, groups)?.to_f32();
        Ok(Format::Int8 { scales, group: columns / groups })
    }

    /// The output matrix is never prefixed; everything else follows the probe.
    fn entry(&self, name: &str) -> Result<(String, &Entry)> {
        let prefixed = format!("{}{name}", self.prefix);
        let full_name = if name.starts_with("lm_head.") { name.to_owned() } else { prefixed };
        match self.tensors.get(&full_name) {
            Some(entry) => Ok((full_name, entry)),
            None => Err(Error::MissingTensor { origin: self.origin.clone(), tensor: full_name }),
        }
    }

    fn check_shape(&self, tensor: &str, entry: &Entry, expected: &[usize]) -> Result<()> {
        if entry.shape == expected {
            return Ok(());
        }
        Err(Error::Shape {
            origin: self.origin.clone(),
            tensor: tensor.to_owned(),
            expected: expected.to_vec(),
            got: entry.shape.clone(),
        })
    }
}

impl StoredMatrix {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Writes row `row` (below `rows()`) into `out` (of `columns()` values).
    pub(crate) fn read_row(&self, row: usize, out: &mut [f32]) {
        let data = self.data();
        let value = data.len() / (self.rows * self.columns);
        let bytes = &data[row * self.columns * value..(row + 1) * self.columns * value];
        match &self.format {
            Format::F32 => fill(out, bytes.as_chunks::<4>().0, |b| f32::from_le_bytes(*b)),
            Format::F16 => fill(out, bytes.as_chunks::<2>().0, |b| f16::from_le_bytes(*b).to_f32()),
            Format::Bf16 => fill(out, bytes.as_chunks::<2>().0, |b| bf16::from_le_bytes(*b).to_f32()),
            Format::Int8 { scales, group } => {
                let scales = &scales[row * self.columns / group..];
                for ((out, bytes), scale) in out.chunks_mut(*group).zip(bytes.chunks(*group)).zip(scales) {
                    fill(out, bytes, |b| f32::from(b.cast_signed()) * scale);
                }
            }
        }
    }

    /// All values, row after row.
    pub(crate) fn to_f32(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows * self.columns];
        values.par_chunks_mut(self.columns).enumerate().for_each(|(row, out)| self.read_row(row, out));
        values
    }

    fn data(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
}

fn fill<T>(out: &mut [f32], values: &[T], read: impl Fn(&T) -> f32) {
    for (out, value) in out.iter_mut().zip(values) {
        *out = read(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;
    use tempfile::TempDir;

    type Tensors<'t> = Vec<(&'t str, Dtype, Vec<usize>, Vec<u8>)>;

    fn bytes_of(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    /// The folder must outlive the weights, which are mapped.
    fn weights(tensors: Tensors) -> (TempDir, Weights) {
        let folder = tempfile::tempdir().unwrap();
        let view = |t: &'_ (&str, Dtype, Vec<usize>, Vec<u8>)| (t.0.to_owned(), t.1, t.2.clone(), t.3.clone());
        let owned: Vec<_> = tensors.iter().map(view).collect();
        let views = owned.iter().map(|t| (t.0.as_str(), TensorView::new(t.1, t.2.clone(), &t.3).unwrap()));
        std::fs::write(folder.path().join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
        std::fs::write(folder.path().join("config.json"), "{}").unwrap();
        let weights = Weights::open(&ModelFiles::folder(folder.path()).unwrap()).unwrap();
        (folder, weights)
    }

    fn matrix(weights: &Weights, shape: (usize, usize)) -> Result<Vec<f32>> {
        Ok(weights.stored_matrix("m.weight", shape)?.to_f32())
    }

    #[test]
    fn reads_every_format_with_and_without_prefix() {
        let values = [1.0f32, -2.5, 0.0, 96.0];
        let half: Vec<u8> = values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect();
        let brain: Vec<u8> = values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect();
        for (dtype, data) in [(Dtype::F32, bytes_of(&values)), (Dtype::F16, half), (Dtype::BF16, brain)] {
            let (_folder, plain) = weights(vec![("m.weight", dtype, vec![2, 2], data.clone())]);
            assert_eq!(matrix(&plain, (2, 2)).unwrap(), values);
            let table = ("model.embed_tokens.weight", Dtype::U8, vec![1], vec![0]);
            let (_folder, prefixed) = weights(vec![("model.m.weight", dtype, vec![2, 2], data), table]);
            assert_eq!(matrix(&prefixed, (2, 2)).unwrap(), values);
            let narrow = prefixed.matrix("m.weight", (2, 2), DType::BF16, &Device::Cpu).unwrap();
            assert_eq!(narrow.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap(), values);
        }
    }

    #[test]
    fn reads_int8_with_scales_per_row_or_group() {
        let int8 = [1i8, -2, 3, -128, 5, 6, 127, 0].map(i8::cast_unsigned).to_vec();
        let read = |shape: &[usize], scales: &[f32]| {
            let scales = ("m.weight_scale", Dtype::F32, shape.to_vec(), bytes_of(scales));
            let (_folder, weights) = weights(vec![("m.weight", Dtype::I8, vec![2, 4], int8.clone()), scales]);
            matrix(&weights, (2, 4))
        };
        let by_row = [0.5, -1.0, 1.5, -64.0, 10.0, 12.0, 254.0, 0.0];
        assert_eq!(read(&[2], &[0.5, 2.0]).unwrap(), by_row);
        assert_eq!(read(&[2, 1], &[0.5, 2.0]).unwrap(), by_row);
        let by_group = [0.5, -1.0, 6.0, -256.0, 5.0, 6.0, 1270.0, 0.0];
        assert_eq!(read(&[2, 2], &[0.5, 2.0, 1.0, 10.0]).unwrap(), by_group);
        assert!(read(&[2, 3], &[1.0; 6]).unwrap_err().to_string().contains("m.weight_scale"));
        assert!(read(&[1], &[1.0]).unwrap_err().to_string().contains("expected shape [2]"));
        assert!(read(&[1, 2, 1], &[1.0; 2]).is_err());
    }

    #[test]
    fn foreign_types_and_missing_scales_are_named() {
        let (_folder, odd) = weights(vec![("m.weight", Dtype::I32, vec![1, 1], vec![0; 4])]);
        assert!(matrix(&odd, (1, 1)).unwrap_err().to_string().contains("stored as I32"));
        let (_folder, bare) = weights(vec![("m.weight", Dtype::I8, vec![1, 1], vec![0])]);
        assert!(matrix(&bare, (1, 1)).unwrap_err().to_string().contains("m.weight_scale is missing"));
    }
}
