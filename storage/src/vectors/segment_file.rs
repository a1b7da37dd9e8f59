//! The bytes of a sealed segment.
//!
//! Little-endian. A header of 256 bytes, then five sections, each padded with zeros to 64 bytes: code rows (u8), scales
//! (f32), ordinals (u64, absent when they follow each other), neighbours on level 0 (u32, absent without a graph),
//! upper levels (u32, see `graph`). The header holds a CRC-32C of each section with its padding and one of itself, so
//! that no byte of the file is uncovered.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use bytemuck::{Pod, Zeroable};

use super::codes::row_len;
use super::error::{VectorError, VectorResult};

const MAGIC: [u8; 8] = *b"QSEGMENT";
const VERSION: u32 = 1;
const ALIGN: usize = 64;
const SECTIONS: usize = 5;

/// The sections, in the order of the file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Section {
    Codes,
    Scales,
    Ordinals,
    Base,
    Upper,
}

const NAMES: [&str; SECTIONS] = ["vectors", "scales", "ordinals", "neighbours", "upper levels"];

/// The header as it lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Header {
    magic: [u8; 8],
    version: u32,
    pub(crate) dim: u32,
    pub(crate) fingerprint: [u8; 32],
    /// Vectors in the segment.
    pub(crate) count: u64,
    /// The lowest ordinal, and one more than the highest.
    pub(crate) first: u64,
    pub(crate) end: u64,
    /// Neighbours of a row on level 0; 0 without a graph.
    pub(crate) width: u32,
    pub(crate) m: u32,
    pub(crate) ef_construction: u32,
    reserved: [u32; 27],
    lengths: [u64; SECTIONS],
    checksums: [u32; SECTIONS],
    header_checksum: u32,
}

const HEADER_LEN: usize = 256;
const _: () = assert!(size_of::<Header>() == HEADER_LEN);

/// What a segment is made of before it is written.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) codes: Vec<u8>,
    pub(crate) scales: Vec<f32>,
    /// Ascending.
    pub(crate) ordinals: Vec<u64>,
    pub(crate) base: Vec<u32>,
    pub(crate) upper: Vec<u32>,
}

impl Contents {
    /// The header that describes these contents.
    pub(crate) fn header(&self, dim: usize, fingerprint: [u8; 32], width: usize, m: usize, ef: usize) -> Header {
        let mut header = Header {
            magic: MAGIC,
            version: VERSION,
            dim: dim as u32,
            fingerprint,
            count: self.scales.len() as u64,
            first: self.ordinals.first().copied().unwrap_or(0),
            end: self.ordinals.last().map_or(0, |last| last + 1),
            width: width as u32,
            m: m as u32,
            ef_construction: ef as u32,
            ..Header::zeroed()
        };
        let sections = self.sections(&header);
        header.lengths = sections.map(|bytes| bytes.len() as u64);
        header.checksums = sections.map(|bytes| crc32c::crc32c_append(crc32c::crc32c(bytes), padding(bytes.len())));
        header.header_checksum = header.checksum();
        header
    }

    /// Writes the file.
    pub(crate) fn write(&self, header: &Header, file: &mut File) -> io::Result<()> {
        file.write_all(bytemuck::bytes_of(header))?;
        for bytes in self.sections(header) {
            file.write_all(bytes)?;
            file.write_all(padding(bytes.len()))?;
        }
        Ok(())
    }

    fn sections(&self, header: &Header) -> [&[u8]; SECTIONS] {
        let listed: &[u64] = if header.is_contiguous() { &[] } else { &self.ordinals };
        [
            &self.codes,
            bytemuck::cast_slice(&self.scales),
            bytemuck::cast_slice(listed),
            bytemuck::cast_slice(&self.base),
            bytemuck::cast_slice(&self.upper),
        ]
    }
}

impl Header {
    /// Whether the ordinals follow each other without a gap.
    pub(crate) fn is_contiguous(&self) -> bool {
        self.end.checked_sub(self.first) == Some(self.count)
    }

    /// The checksum over the whole header, which stands for the file in the manifest.
    pub(crate) fn identity(&self) -> u32 {
        self.header_checksum
    }

    fn checksum(&self) -> u32 {
        crc32c::crc32c(&bytemuck::bytes_of(self)[..HEADER_LEN - size_of::<u32>()])
    }

    /// The bytes of a section in the file, without its padding.
    pub(crate) fn range(&self, section: Section) -> Range<usize> {
        let before = self.lengths[..section as usize].iter();
        let start = HEADER_LEN + before.map(|&len| padded(len as usize)).sum::<usize>();
        start..start + self.lengths[section as usize] as usize
    }

    /// Reads the header of a file and verifies every checksum and every length in it.
    pub(crate) fn verify(path: &Path, file: &[u8]) -> VectorResult<Self> {
        let corrupt = |what: String| VectorError::corrupt(path, what);
        let head = file.get(..HEADER_LEN).ok_or_else(|| corrupt(format!("it has only {} bytes", file.len())))?;
        let header: Self = bytemuck::pod_read_unaligned(head);
        if header.magic != MAGIC {
            return Err(corrupt("it does not start like a segment".into()));
        }
        if header.header_checksum != header.checksum() {
            return Err(corrupt("its header does not match its checksum".into()));
        }
        if header.version != VERSION {
            return Err(corrupt(format!("it has format version {}, expected {VERSION}", header.version)));
        }
        if header.expected_lengths() != Some(header.lengths) {
            return Err(corrupt("the lengths in its header contradict each other".into()));
        }
        let expected = header.range(Section::Upper).start + padded(header.lengths[Section::Upper as usize] as usize);
        if file.len() != expected {
            return Err(corrupt(format!("it has {} bytes, expected {expected}", file.len())));
        }
        let mut start = HEADER_LEN;
        for ((&len, &checksum), name) in header.lengths.iter().zip(&header.checksums).zip(NAMES) {
            let end = start + padded(len as usize);
            if crc32c::crc32c(&file[start..end]) != checksum {
                return Err(corrupt(format!("its {name} do not match their checksum")));
            }
            start = end;
        }
        Ok(header)
    }

    /// What the section lengths must be by the other fields (any whole number of u32 for the upper levels); `None`
    /// for numbers no segment can have.
    fn expected_lengths(&self) -> Option<[u64; SECTIONS]> {
        let limits = self.count < u64::from(u32::MAX) && self.dim > 0 && self.dim <= 1 << 16 && self.width <= 1 << 10;
        let upper = self.lengths[Section::Upper as usize];
        if !limits
            || self.first > self.end
            || self.end - self.first < self.count
            || !upper.is_multiple_of(4)
            || upper > 1 << 40
        {
            return None;
        }
        let listed = if self.is_contiguous() { 0 } else { self.count };
        let count = self.count;
        Some([
            count * row_len(self.dim as usize) as u64,
            count * 4,
            listed * 8,
            count * u64::from(self.width) * 4,
            upper,
        ])
    }
}

fn padded(len: usize) -> usize {
    len.next_multiple_of(ALIGN)
}

fn padding(len: usize) -> &'static [u8] {
    &[0; ALIGN][..padded(len) - len]
}
