//! The header of a GGUF file: which tensors are where. After [`Gguf::parse`] every tensor's range lies within the file,
//! overlaps no other, and holds exactly as many blocks as the tensor's shape needs.

use std::{collections::HashSet, ops::Range};

use super::{
    cursor::{Cursor, Parsed},
    metadata::Metadata,
};
use crate::{
    bytes::Bytes,
    error::{Error, Result},
    packing::{GGML_NAMES, Packing},
};

pub(super) const MAGIC: &[u8] = b"GGUF";
const VERSIONS: [u32; 2] = [2, 3];
/// Far beyond any file: 8B has 398 tensors and some 30 keys.
const MOST_TENSORS: usize = 1 << 16;
const MOST_KEYS: usize = 1 << 16;
/// The format's own limit.
const MOST_DIMENSIONS: u32 = 4;
const DEFAULT_ALIGNMENT: u64 = 32;
const LARGEST_ALIGNMENT: u64 = 1 << 20;

/// A parsed GGUF file.
pub(crate) struct Gguf {
    /// For messages.
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
    pub(crate) metadata: Metadata,
    pub(crate) tensors: Vec<GgufTensor>,
    /// Where tensor data start: everything before it is the header.
    pub(crate) data_start: usize,
}

/// One tensor, in the file's own name.
pub(crate) struct GgufTensor {
    pub(crate) name: String,
    /// Rows first, as everywhere in this crate (GGUF writes it the other way round).
    pub(crate) shape: Vec<usize>,
    pub(crate) packing: Packing,
    pub(crate) range: Range<usize>,
}

/// A tensor as the header describes it.
struct Described<'b> {
    name: &'b str,
    shape: Vec<usize>,
    kind: u32,
    offset: usize,
}

impl Gguf {
    /// Reads a header and checks it against the file's length.
    pub(crate) fn parse(name: String, bytes: Bytes) -> Result<Self> {
        let bad = |reason: String| Error::BadFile { file: name.clone(), reason };
        let mut cursor = Cursor::new(&bytes, 0);
        let (tensor_count, key_count) = counts(&mut cursor).map_err(bad)?;
        let metadata = Metadata::read(&bytes, &mut cursor, key_count).map_err(bad)?;
        let described = describe(&mut cursor, tensor_count).map_err(bad)?;
        let data_start = alignment(&metadata).and_then(|alignment| align(cursor.at(), alignment)).map_err(bad)?;
        let mut tensors = Vec::new();
        for tensor in &described {
            let unread = || Error::Dtype {
                origin: name.clone(),
                tensor: tensor.name.to_owned(),
                got: ggml_name(tensor.kind),
                expected: GGML_NAMES,
            };
            let packing = Packing::of_ggml(tensor.kind).ok_or_else(unread)?;
            tensors.push(place(tensor, packing, data_start, bytes.len()).map_err(bad)?);
        }
        check_apart(&tensors).map_err(bad)?;
        Ok(Self { name, bytes, metadata, tensors, data_start })
    }

    pub(crate) fn tensor(&self, name: &str) -> Option<&GgufTensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    pub(crate) fn bad(&self, reason: String) -> Error {
        Error::BadFile { file: self.name.clone(), reason }
    }
}

/// Magic and version, then the numbers of tensors and of metadata keys.
fn counts(cursor: &mut Cursor) -> Parsed<(usize, usize)> {
    if cursor.take(MAGIC.len())? != MAGIC {
        return Err("it does not begin with GGUF: not a GGUF file, or damaged".to_owned());
    }
    let version = cursor.u32()?;
    if !VERSIONS.contains(&version) {
        let kind = if VERSIONS.contains(&version.swap_bytes()) { "big-endian numbers" } else { "its version" };
        return Err(format!("expected GGUF version 2 or 3, little endian, got {version} ({kind}): convert it again"));
    }
    let (tensors, keys) = (cursor.size()?, cursor.size()?);
    if tensors > MOST_TENSORS || keys > MOST_KEYS {
        return Err(format!("its header claims {tensors} tensors and {keys} keys: damaged, fetch it again"));
    }
    Ok((tensors, keys))
}

fn describe<'b>(cursor: &mut Cursor<'b>, count: usize) -> Parsed<Vec<Described<'b>>> {
    let mut described = Vec::new();
    let mut names = HashSet::new();
    for index in 0..count {
        let tensor = describe_one(cursor).map_err(|reason| format!("tensor {index} of {count}: {reason}"))?;
        if !names.insert(tensor.name) {
            return Err(format!("tensor {} is there twice", tensor.name));
        }
        described.push(tensor);
    }
    Ok(described)
}

fn describe_one<'b>(cursor: &mut Cursor<'b>) -> Parsed<Described<'b>> {
    let name = cursor.text()?;
    let dimensions = cursor.u32()?;
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        return Err(format!("{name} has {dimensions} dimensions, expected 1 to {MOST_DIMENSIONS}"));
    }
    let mut shape = (0..dimensions).map(|_| cursor.size()).collect::<Parsed<Vec<_>>>()?;
    shape.reverse();
    Ok(Described { name, shape, kind: cursor.u32()?, offset: cursor.size()? })
}

fn alignment(metadata: &Metadata) -> Parsed<usize> {
    let alignment = metadata.unsigned("general.alignment")?.unwrap_or(DEFAULT_ALIGNMENT);
    if alignment.is_power_of_two() && alignment <= LARGEST_ALIGNMENT {
        return Ok(alignment as usize);
    }
    Err(format!("general.alignment must be a power of two up to {LARGEST_ALIGNMENT}, got {alignment}"))
}

fn align(at: usize, alignment: usize) -> Parsed<usize> {
    at.checked_next_multiple_of(alignment).ok_or_else(|| "its header is too long".to_owned())
}

/// Finds a tensor's bytes in a file of `length` bytes.
fn place(tensor: &Described, packing: Packing, data_start: usize, length: usize) -> Parsed<GgufTensor> {
    let Described { name, shape, offset, .. } = tensor;
    let columns = shape.last().copied().unwrap_or(0);
    let rows = shape.iter().rev().skip(1).try_fold(1usize, |rows, size| rows.checked_mul(*size));
    let size = packing.bytes_of(columns).and_then(|row| row.checked_mul(rows?)).filter(|size| *size > 0);
    let size = size.ok_or_else(|| {
        format!("tensor {name} cannot have the shape {shape:?} as {}: damaged, fetch it again", packing.name())
    })?;
    let start = data_start.checked_add(*offset);
    let end = start.and_then(|start| start.checked_add(size)).filter(|end| *end <= length);
    match (start, end) {
        (Some(start), Some(end)) => {
            Ok(GgufTensor { name: (*name).to_owned(), shape: shape.clone(), packing, range: start..end })
        }
        _ => Err(format!(
            "tensor {name} of {size} bytes at byte {offset} of the data does not fit into the {length} bytes of the \
             file: truncated or damaged, fetch it again"
        )),
    }
}

fn check_apart(tensors: &[GgufTensor]) -> Parsed<()> {
    let mut by_place: Vec<&GgufTensor> = tensors.iter().collect();
    by_place.sort_by_key(|tensor| tensor.range.start);
    match by_place.windows(2).find(|pair| pair[0].range.end > pair[1].range.start) {
        Some(pair) => Err(format!("tensors {} and {} overlap: damaged, fetch it again", pair[0].name, pair[1].name)),
        None => Ok(()),
    }
}

/// Names of the ggml types that people meet and that are not read here.
fn ggml_name(number: u32) -> String {
    let name = match number {
        10 => "Q2_K",
        11 => "Q3_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return format!("type {number} of ggml"),
    };
    name.to_owned()
}
