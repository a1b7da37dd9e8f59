//! The errors of the vector side, in one enum, each message saying what was expected.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the vector file or of the vector index.
#[derive(Debug, thiserror::Error)]
pub enum VectorError {
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: `open`, `write`, `fsync`, ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The reason given.
        source: io::Error,
    },
    /// A file is not what its checksum or its structure says it should be.
    #[error("{} is damaged: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Which part, and what was expected.
        what: String,
    },
    /// One record of the vector file does not match its checksum.
    #[error("vector {ordinal} of {} does not match its checksum", path.display())]
    CorruptVector {
        /// The vector file.
        path: PathBuf,
        /// The position of the record.
        ordinal: u64,
    },
    /// The file holds vectors of another model or another dimension.
    #[error(
        "{} holds vectors of dimension {found_dim} by model {}, expected dimension {dim} by model {}: use the model the index was built with, or index into a new data folder",
        path.display(), short_hex(found_fingerprint), short_hex(fingerprint)
    )]
    WrongModel {
        /// The vector file.
        path: PathBuf,
        /// The dimension the caller works with.
        dim: usize,
        /// The dimension in the file.
        found_dim: usize,
        /// The fingerprint the caller works with.
        fingerprint: Box<[u8; 32]>,
        /// The fingerprint in the file.
        found_fingerprint: Box<[u8; 32]>,
    },
    /// A vector has the wrong number of values.
    #[error("expected a vector of {expected} values, got {got}")]
    Dimension {
        /// The dimension of the index.
        expected: usize,
        /// The length of the given vector.
        got: usize,
    },
    /// A vector holds a NaN or an infinity.
    #[error("value {position} of the vector is {value}, expected a finite number: the model's output cannot be used")]
    NotFinite {
        /// Where in the vector.
        position: usize,
        /// The value.
        value: f32,
    },
    /// An ordinal beyond the end of the vector file.
    #[error("vector {ordinal} was asked for, {} has {len}", path.display())]
    OutOfRange {
        /// The vector file.
        path: PathBuf,
        /// The ordinal asked for.
        ordinal: u64,
        /// Vectors in the file.
        len: u64,
    },
    /// An earlier fsync failed, so nobody knows what is on disk.
    #[error("{} cannot be written any more because an earlier fsync failed: check the disk and open the data folder again", path.display())]
    Poisoned {
        /// The vector file.
        path: PathBuf,
    },
    /// A parameter outside of what the engine can do.
    #[error("{name} is {got}, expected {expected}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// What was given.
        got: u64,
        /// What is possible.
        expected: &'static str,
    },
}

/// The result of everything that touches vectors.
pub(crate) type VectorResult<T> = Result<T, VectorError>;

impl VectorError {
    /// A function for `map_err` that says what was done to which file.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// A damaged file.
    pub(crate) fn corrupt(path: &Path, what: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), what: what.into() }
    }
}

/// Refuses vectors of another length than `dim` and vectors that hold NaN or infinities.
pub(crate) fn check_vector(vector: &[f32], dim: usize) -> VectorResult<()> {
    if vector.len() != dim {
        return Err(VectorError::Dimension { expected: dim, got: vector.len() });
    }
    match vector.iter().position(|value| !value.is_finite()) {
        Some(position) => Err(VectorError::NotFinite { position, value: vector[position] }),
        None => Ok(()),
    }
}

/// The first eight bytes of a fingerprint: enough for a person to tell two apart.
fn short_hex(fingerprint: &[u8; 32]) -> String {
    fingerprint[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
