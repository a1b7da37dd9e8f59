//! The bytes of a vector file: where a record lies, what its checksum covers.

use std::path::Path;

use crate::vectors::{VectorError, VectorResult};

/// Finds a vector by what was embedded: a hash of chunk text, heading path, prompt.
pub(crate) type VectorKey = [u8; 16];

/// A hash of everything that decides what the model says: weights, prompt, dimension.
pub(crate) type Fingerprint = [u8; 32];

pub(super) const HEADER_LEN: u64 = 64;
const MAGIC: &[u8; 8] = b"QVECFILE";
const VERSION: u32 = 1;
const HEADER_CRC_AT: usize = 60;

const KEY_AT: usize = 4;
/// Where the values start in a record; a multiple of 32, so that mapped values are aligned for SIMD.
const VALUES_AT: usize = 32;
/// More values than any embedding model gives; keeps sizes far from overflow.
const MAX_DIM: usize = 1 << 16;

#[cfg(target_endian = "big")]
compile_error!("vector files are little-endian and mapped as they are");

/// The shape of the records of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) dim: usize,
    pub(super) stride: usize,
}

impl Layout {
    pub(super) fn new(dim: usize) -> VectorResult<Self> {
        if dim == 0 || dim > MAX_DIM {
            return Err(VectorError::Parameter { name: "dimension", got: dim as u64, expected: "1 to 65536" });
        }
        Ok(Self { dim, stride: VALUES_AT + (dim * size_of::<f32>()).next_multiple_of(32) })
    }

    /// How many whole records a file of `file_len` bytes holds.
    pub(super) fn records(&self, file_len: u64) -> u64 {
        file_len.saturating_sub(HEADER_LEN) / self.stride as u64
    }

    /// Where a record starts; also the length of a file that holds `ordinal` records.
    pub(super) fn offset(&self, ordinal: u64) -> u64 {
        HEADER_LEN + ordinal * self.stride as u64
    }

    /// Appends the record of `ordinal` to `buffer`.
    pub(super) fn encode(&self, ordinal: u64, key: &VectorKey, vector: &[f32], buffer: &mut Vec<u8>) {
        let start = buffer.len();
        buffer.resize(start + self.stride, 0);
        let record = &mut buffer[start..];
        record[KEY_AT..KEY_AT + key.len()].copy_from_slice(key);
        record[VALUES_AT..VALUES_AT + size_of_val(vector)].copy_from_slice(bytemuck::cast_slice(vector));
        let crc = checksum(ordinal, record);
        record[..KEY_AT].copy_from_slice(&crc.to_le_bytes());
    }

    /// Whether a record is what was written at this ordinal.
    pub(super) fn is_intact(&self, ordinal: u64, record: &[u8]) -> bool {
        record[..KEY_AT] == checksum(ordinal, record).to_le_bytes()
    }

    /// The key in a record, unchecked.
    pub(super) fn key(&self, record: &[u8]) -> VectorKey {
        let mut key = VectorKey::default();
        key.copy_from_slice(&record[KEY_AT..KEY_AT + size_of::<VectorKey>()]);
        key
    }

    /// The values in a record, unchecked. The record must start at a multiple of four bytes in memory.
    pub(super) fn values<'a>(&self, record: &'a [u8]) -> &'a [f32] {
        bytemuck::cast_slice(&record[VALUES_AT..VALUES_AT + self.dim * size_of::<f32>()])
    }
}

/// Covers the ordinal too, so that a record in the wrong place is found.
fn checksum(ordinal: u64, record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&ordinal.to_le_bytes()), &record[KEY_AT..])
}

/// The header of a file of vectors of dimension `dim`.
pub(super) fn encode_header(dim: usize, fingerprint: &Fingerprint) -> [u8; HEADER_LEN as usize] {
    let mut header = [0; HEADER_LEN as usize];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&(dim as u32).to_le_bytes());
    header[16..48].copy_from_slice(fingerprint);
    let crc = crc32c::crc32c(&header[..HEADER_CRC_AT]);
    header[HEADER_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Checks a header against what the caller works with.
pub(super) fn check_header(path: &Path, header: &[u8], dim: usize, fingerprint: &Fingerprint) -> VectorResult<Layout> {
    if header.len() < HEADER_LEN as usize {
        let what = format!("it has {} bytes, expected at least a header of {HEADER_LEN}", header.len());
        return Err(VectorError::corrupt(path, what));
    }
    let header = &header[..HEADER_LEN as usize];
    if &header[..8] != MAGIC {
        return Err(VectorError::corrupt(path, "it does not start like a vector file"));
    }
    if header[HEADER_CRC_AT..] != crc32c::crc32c(&header[..HEADER_CRC_AT]).to_le_bytes() {
        return Err(VectorError::corrupt(path, "its header does not match its checksum"));
    }
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if number(8) != VERSION {
        let what = format!("it has format version {}, expected {VERSION}", number(8));
        return Err(VectorError::corrupt(path, what));
    }
    let found_dim = number(12) as usize;
    if found_dim != dim || header[16..48] != fingerprint[..] {
        let mut found_fingerprint = Box::new(Fingerprint::default());
        found_fingerprint.copy_from_slice(&header[16..48]);
        return Err(VectorError::WrongModel {
            path: path.to_owned(),
            dim,
            found_dim,
            fingerprint: Box::new(*fingerprint),
            found_fingerprint,
        });
    }
    Layout::new(dim)
}
