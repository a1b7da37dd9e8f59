//! The vector file: every embedding once, in full precision, found by its content.
//!
//! It is part of the truth: an embedding costs seconds of model time and nothing else on disk can give it back. So the
//! file is append-only, each record carries its content key and a checksum that is verified on every read, and a
//! record's position, its *ordinal*, never changes.
//!
//! Format (little-endian): a 64-byte header (`QVECFILE`, format version u32, dimension u32, model fingerprint 32
//! bytes, zeros, CRC-32C of all before it), then records of one length, a multiple of 32 bytes: CRC-32C of the
//! ordinal and the rest of the record, 16-byte key, zeros up to byte 32, the f32 values, zeros.
//!
//! Promises: one writer and any number of readers, in any process, work on the file at once; a reader sees whole
//! records only. What [`VectorFile::sync`] has returned for survives a power cut. A failed append changes nothing.

mod layout;
mod reader;
mod writer;

pub(crate) use layout::Fingerprint;
pub(crate) use reader::{VectorReader, VectorView};
pub(crate) use writer::VectorFile;

#[cfg(test)]
mod tests;
