//! Named tensors of a checkpoint, from safetensors, a GGUF or made up. Finds out whether names carry the `model.` (or,
//! for a BERT, `bert.`) prefix, reads f32, bf16 and f16 as they are, GGUF's blocks, and int8 with scales (`X.weight` I8 beside
//! `X.weight_scale`, `[rows]`, `[rows, 1]` or, for groups of columns, `[rows, groups]`: the layouts of
//! compressed-tensors), and gives out matrices only in the shape the config implies.

use std::{collections::HashMap, ops::Range};

use candle_core::{Device, Tensor};
use safetensors::Dtype;

pub(crate) use crate::stored::StoredMatrix;
use crate::{
    bytes::Bytes,
    config::ModelConfig,
    error::{Error, Result},
    files::{ModelFiles, WeightFiles},
    gguf::{self, Gguf},
    packing::Packing,
    random::{Noise, implied_tensors},
    shard::Shard,
    stored::Format,
};

const PREFIX: &str = "model.";
/// As models with a head of pre-training store their tensors.
const BERT_PREFIX: &str = "bert.";
const READABLE: &str = "F32, BF16, F16, or I8 with a weight_scale";

/// All tensors of a model by their name without the `model.` or `bert.` prefix.
pub(crate) struct Weights {
    origin: String,
    naming: Naming,
    tensors: HashMap<String, Entry>,
}

/// How this crate's names are spelled in the file.
#[derive(Clone, Copy)]
enum Naming {
    Plain,
    Prefixed,
    BertPrefixed,
    Gguf,
}

/// One tensor.
pub(crate) struct Entry {
    /// As its file spells it.
    pub(crate) name: String,
    /// As its file has it.
    pub(crate) shape: Vec<usize>,
    bytes: Bytes,
    range: Range<usize>,
    kind: Kind,
}

/// What the bytes of a tensor mean.
enum Kind {
    Packed(Packing),
    /// Needs the scales beside it.
    Int8,
    /// Two rows of the output matrix.
    Pair {
        packing: Packing,
        rows: [usize; 2],
    },
    Random(Noise),
    /// Not read here.
    Other(String),
}

impl Weights {
    pub(crate) fn open(files: &ModelFiles) -> Result<Self> {
        let origin = files.origin().to_owned();
        let (naming, entries) = match files.weights() {
            WeightFiles::Shards(shards) => from_shards(shards)?,
            WeightFiles::Gguf(gguf) => (Naming::Gguf, from_gguf(gguf)?),
            WeightFiles::Random => (Naming::Plain, made_up(files)?),
        };
        let mut tensors = HashMap::new();
        for entry in entries {
            let twice = format!("tensor {} is there twice", entry.name);
            if tensors.insert(naming.ours(&entry.name), entry).is_some() {
                return Err(Error::BadFile { file: origin, reason: twice });
            }
        }
        Ok(Self { origin, naming, tensors })
    }

    /// Every tensor, by the names of the file.
    pub(crate) fn entries(&self) -> Vec<&Entry> {
        let mut entries: Vec<_> = self.tensors.values().collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// Refuses tensors that `is_expected` (given the name without prefix) does not know: a forward pass that ignores
    /// weights would be silently wrong.
    pub(crate) fn check_all(&self, is_expected: impl Fn(&str) -> bool) -> Result<()> {
        let unknown = |name: &&String| !is_expected(name.strip_suffix("_scale").unwrap_or(name));
        match self.tensors.keys().filter(unknown).min() {
            Some(name) => {
                let tensor = self.tensors[name].name.clone();
                Err(Error::UnexpectedTensor { origin: self.origin.clone(), tensor })
            }
            None => Ok(()),
        }
    }

    /// A vector of `length` values, in f32.
    pub(crate) fn vector(&self, name: &str, length: usize, device: &Device) -> Result<Tensor> {
        let matrix = self.stored(name, &[length], (1, length))?;
        Ok(Tensor::from_vec(matrix.to_f32(), length, device)?)
    }

    /// A matrix `[rows, columns]` left where it is.
    pub(crate) fn stored_matrix(&self, name: &str, (rows, columns): (usize, usize)) -> Result<StoredMatrix> {
        self.stored(name, &[rows, columns], (rows, columns))
    }

    fn stored(&self, name: &str, shape: &[usize], (rows, columns): (usize, usize)) -> Result<StoredMatrix> {
        let entry = self.entry(name)?;
        let format = match &entry.kind {
            Kind::Packed(packing) => Format::Packed(*packing),
            Kind::Pair { packing, rows } => Format::Pair { packing: *packing, rows: *rows },
            Kind::Random(noise) => Format::Random(*noise),
            Kind::Int8 => self.int8(name, rows, columns)?,
            Kind::Other(got) => return Err(self.unread(entry, got.clone())),
        };
        // Only the pair is stored with fewer rows than it stands for.
        let stored_shape = if matches!(format, Format::Pair { .. }) { &[2, columns] } else { shape };
        self.check_shape(entry, stored_shape)?;
        let matrix = StoredMatrix::new(entry.bytes.clone(), entry.range.clone(), format, (rows, columns));
        matrix.ok_or_else(|| Error::BadFile {
            file: self.origin.clone(),
            reason: format!("tensor {} has not the bytes of its shape {shape:?}", entry.name),
        })
    }

    fn int8(&self, name: &str, rows: usize, columns: usize) -> Result<Format> {
        let name = format!("{name}_scale");
        let entry = self.entry(&name)?;
        let groups = match entry.shape.as_slice() {
            [_, groups] if *groups > 0 && columns.is_multiple_of(*groups) => *groups,
            _ => 1,
        };
        let expected: &[usize] = if entry.shape.len() == 1 { &[rows] } else { &[rows, groups] };
        self.check_shape(entry, expected)?;
        if matches!(entry.kind, Kind::Int8) {
            return Err(self.unread(entry, "I8".to_owned()));
        }
        let scales = self.stored(&name, expected, (rows, groups))?.to_f32();
        Ok(Format::Int8 { scales, group: columns / groups })
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.tensors
            .get(name)
            .ok_or_else(|| Error::MissingTensor { origin: self.origin.clone(), tensor: self.naming.in_file(name) })
    }

    fn unread(&self, entry: &Entry, got: String) -> Error {
        Error::Dtype { origin: self.origin.clone(), tensor: entry.name.clone(), got, expected: READABLE }
    }

    fn check_shape(&self, entry: &Entry, expected: &[usize]) -> Result<()> {
        if entry.shape == expected {
            return Ok(());
        }
        Err(Error::Shape {
            origin: self.origin.clone(),
            tensor: entry.name.clone(),
            expected: expected.to_vec(),
            got: entry.shape.clone(),
        })
    }
}

impl Naming {
    fn ours(self, name: &str) -> String {
        match self {
            Self::Plain => name.to_owned(),
            Self::Prefixed => name.strip_prefix(PREFIX).unwrap_or(name).to_owned(),
            Self::BertPrefixed => name.strip_prefix(BERT_PREFIX).unwrap_or(name).to_owned(),
            Self::Gguf if name == gguf::ANSWER_HEAD => "lm_head.weight".to_owned(),
            Self::Gguf => gguf::to_ours(name).unwrap_or_else(|| name.to_owned()),
        }
    }

    fn in_file(self, name: &str) -> String {
        match self {
            // The output matrix is never prefixed.
            Self::Prefixed if !name.starts_with("lm_head.") => format!("{PREFIX}{name}"),
            Self::BertPrefixed => format!("{BERT_PREFIX}{name}"),
            Self::Plain | Self::Prefixed => name.to_owned(),
            Self::Gguf => gguf::from_ours(name),
        }
    }
}

impl Entry {
    /// The number format's name, as its file has it.
    pub(crate) fn dtype(&self) -> &str {
        match &self.kind {
            Kind::Packed(packing) | Kind::Pair { packing, .. } => packing.name(),
            Kind::Int8 => "I8",
            Kind::Random(_) => "random",
            Kind::Other(name) => name,
        }
    }

    /// Bytes in the file.
    pub(crate) fn byte_count(&self) -> usize {
        self.range.len()
    }

    /// The tensor as one matrix, where it consists of floats of its own (int8 has none: its scales are a tensor).
    pub(crate) fn floats(&self) -> Option<StoredMatrix> {
        let (Kind::Packed(packing) | Kind::Pair { packing, .. }) = &self.kind else { return None };
        let (columns, before) = self.shape.split_last()?;
        let rows = before.iter().product();
        StoredMatrix::new(self.bytes.clone(), self.range.clone(), Format::Packed(*packing), (rows, *columns))
    }
}

fn from_shards(shards: &[Shard]) -> Result<(Naming, Vec<Entry>)> {
    let mut entries = Vec::new();
    for shard in shards {
        for (name, info) in shard.header.tensors() {
            let (start, end) = info.data_offsets;
            let range = shard.data_start + start..shard.data_start + end;
            if shard.bytes.get(range.clone()).is_none() {
                let reason = format!("tensor {name} lies outside the file");
                return Err(Error::BadFile { file: shard.name.clone(), reason });
            }
            let kind = match info.dtype {
                Dtype::F32 => Kind::Packed(Packing::F32),
                Dtype::F16 => Kind::Packed(Packing::F16),
                Dtype::BF16 => Kind::Packed(Packing::Bf16),
                Dtype::I8 => Kind::Int8,
                other => Kind::Other(format!("{other:?}")),
            };
            entries.push(Entry { name, shape: info.shape.clone(), bytes: shard.bytes.clone(), range, kind });
        }
    }
    let has = |name: &str| entries.iter().any(|entry| entry.name == name);
    let naming = match (has("model.embed_tokens.weight"), has("bert.embeddings.word_embeddings.weight")) {
        (true, _) => Naming::Prefixed,
        (_, true) => Naming::BertPrefixed,
        _ => Naming::Plain,
    };
    Ok((naming, entries))
}

/// The rows for "yes" and "no" stand in for the output matrix where a file has only those; beside a whole output matrix
/// they say nothing new.
fn from_gguf(gguf: &Gguf) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let has_output = gguf.tensor(gguf::OUTPUT).is_some();
    for tensor in gguf.tensors.iter().filter(|tensor| !has_output || tensor.name != gguf::ANSWER_HEAD) {
        let packing = tensor.packing;
        let kind = match tensor.name.as_str() {
            gguf::ANSWER_HEAD => Kind::Pair { packing, rows: gguf::answer_rows(gguf)? },
            _ => Kind::Packed(packing),
        };
        entries.push(Entry {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            bytes: gguf.bytes.clone(),
            range: tensor.range.clone(),
            kind,
        });
    }
    Ok(entries)
}

fn made_up(files: &ModelFiles) -> Result<Vec<Entry>> {
    let config = ModelConfig::parse(files.config(), &files.config_name())?;
    let entry = |(name, shape): (String, Vec<usize>)| {
        let kind = Kind::Random(Noise::of(&name, shape.len()));
        Entry { name, shape, bytes: Bytes::Static(&[]), range: 0..0, kind }
    };
    Ok(implied_tensors(&config).into_iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};
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
