//! A vector index by itself, apart from a store: what benchmarks search. It is the one that a search uses: vector file,
//! one sealed segment, exact rescoring.

use std::fs;
use std::path::Path;

use super::error::{VectorError, VectorResult};
use super::index::{Access, DEFAULT_EF, VectorIndex};
use super::kernels::Kernels;
use super::ordinals::OrdinalSet;
use super::segment::SealParams;
use crate::error::Result;
use crate::vectorfile::{VectorFile, VectorReader};

/// Vectors in a folder of their own, and the index over them. A vector's ordinal is its place among those given.
pub struct VectorSearch {
    index: VectorIndex,
    everything: OrdinalSet,
}

impl VectorSearch {
    /// How many candidates a search of a store keeps.
    pub const DEFAULT_EF: usize = DEFAULT_EF;

    /// Writes the vectors into `dir`, which is made for them; nothing is indexed yet.
    ///
    /// # Errors
    /// Vectors of different lengths or with values that are not finite; parameters out of range; `dir` is there already
    /// or cannot be written.
    pub fn create(dir: &Path, vectors: &[Vec<f32>], params: SealParams) -> Result<Self> {
        fs::create_dir(dir).map_err(VectorError::io("create", dir))?;
        let reader = write(&dir.join("vectors"), vectors)?;
        let everything = OrdinalSet::full(vectors.len() as u64);
        let (index, _) = VectorIndex::open(&dir.join("index"), &reader, Access::Writer, params)?;
        Ok(Self { index, everything })
    }

    /// Builds the segment over all vectors, on the threads of rayon's pool.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn seal(self) -> Result<Self> {
        Ok(Self { index: self.index.extend(&self.everything)?.seal_tail()?, ..self })
    }

    /// The `k` nearest vectors that a walk with `ef` candidates finds: ordinals and cosines, nearest first.
    ///
    /// # Errors
    /// A query of another length, or with values that are not finite.
    pub fn search(&self, query: &[f32], k: usize, ef: usize) -> Result<Vec<(u64, f32)>> {
        Ok(self.index.search(query, k, ef, &self.everything)?)
    }

    /// The instructions that vectors are compared with on this machine.
    pub fn kernels() -> &'static str {
        Kernels::detect().name
    }

    /// The inner product, by those instructions.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 {
        Kernels::detect().dot_f32(a, b)
    }
}

fn write(path: &Path, vectors: &[Vec<f32>]) -> VectorResult<VectorReader> {
    let mut file = VectorFile::create(path, vectors.first().map_or(0, Vec::len), &[0; 32])?;
    let keyed: Vec<_> = (0u128..).zip(vectors).map(|(key, row)| (key.to_le_bytes(), row.as_slice())).collect();
    file.append(&keyed)?;
    file.sync()?;
    file.reader()
}
