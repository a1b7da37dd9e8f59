//! The list of the segments that count, replaced as a whole.
//!
//! The first line is the CRC-32C of the rest in hexadecimal, the rest is JSON. A segment file that is not in the list
//! means nothing.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{VectorError, VectorResult};
use crate::durable::{Readers, replace_durably};

const NAME: &str = "segments.json";
const VERSION: u32 = 1;

/// Which segments there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    version: u32,
    /// The number of the next segment file; numbers are not used twice.
    pub(crate) next: u64,
    pub(crate) segments: Vec<Entry>,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The file's name in the folder of the manifest.
    pub(crate) file: String,
    /// The checksum of the segment's header, which holds the checksums of the rest.
    pub(crate) identity: u32,
    /// Vectors in the segment, its lowest ordinal, one more than its highest: for the reader of a message.
    pub(crate) count: u64,
    pub(crate) first: u64,
    pub(crate) end: u64,
}

impl Default for Manifest {
    fn default() -> Self {
        Self::new(1, Vec::new())
    }
}

impl Manifest {
    pub(crate) fn new(next: u64, segments: Vec<Entry>) -> Self {
        Self { version: VERSION, next, segments }
    }

    /// Where the manifest of a folder is.
    pub(crate) fn path(dir: &Path) -> PathBuf {
        dir.join(NAME)
    }

    /// Reads the manifest of a folder; one without any has no segments.
    pub(crate) fn load(dir: &Path) -> VectorResult<Self> {
        let path = Self::path(dir);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(reason) => return Err(VectorError::io("read", &path)(reason)),
        };
        let corrupt = |what: &str| VectorError::corrupt(&path, what);
        let (checksum, json) = text.split_at_checked(9).ok_or_else(|| corrupt("it is too short"))?;
        if checksum != checksum_line(json).as_bytes() {
            return Err(corrupt("it does not match its checksum"));
        }
        let manifest: Self = serde_json::from_slice(json).map_err(|reason| corrupt(&reason.to_string()))?;
        if manifest.version != VERSION {
            return Err(corrupt(&format!("it has format version {}, expected {VERSION}", manifest.version)));
        }
        if manifest.segments.iter().any(|entry| Path::new(&entry.file).file_name() != Some(entry.file.as_ref())) {
            return Err(corrupt("it names a file outside of its folder"));
        }
        Ok(manifest)
    }

    /// Replaces the manifest of a folder, durably.
    pub(crate) fn store(&self, dir: &Path) -> VectorResult<()> {
        let path = Self::path(dir);
        let json = serde_json::to_vec(self).map_err(|reason| VectorError::io("write", &path)(reason.into()))?;
        let written = replace_durably(&path, Readers::Umask, |file| {
            file.write_all(checksum_line(&json).as_bytes())?;
            file.write_all(&json)
        });
        written.map_err(VectorError::io("write", &path))
    }
}

fn checksum_line(json: &[u8]) -> String {
    format!("{:08x}\n", crc32c::crc32c(json))
}
