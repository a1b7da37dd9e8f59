//! A benchmark of the vector index: how long it takes to build, and how many queries a second it answers at which
//! recall.
//!
//! The index measured is the one that a search uses: vector file, one sealed segment, exact rescoring.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use serde::Serialize;

use super::error::{VectorError, VectorResult};
use super::index::{Access, DEFAULT_EF, VectorIndex};
use super::kernels::Kernels;
use super::ordinals::OrdinalSet;
use super::segment::SealParams;
use crate::vectorfile::{VectorFile, VectorReader};

/// Neighbours asked for and compared.
const K: usize = 10;
/// Rounds over all queries; the median counts.
const ROUNDS: usize = 5;

/// The cosine from which two vectors are the same, as far as f32 can tell.
const SAME: f32 = 0.999_999;

/// What to measure.
#[derive(Debug, Clone)]
pub struct BenchParams {
    /// How the segment is built.
    pub seal: SealParams,
    /// The values of `ef` to search with.
    pub efs: Vec<usize>,
    /// Threads to build with; searches use one.
    pub threads: usize,
    /// The folder for the index, removed afterwards.
    pub dir: PathBuf,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct BenchReport {
    /// Vectors in the index.
    pub n: usize,
    /// Values in each.
    pub dim: usize,
    /// The time to build and seal the segment.
    pub build_seconds: f64,
    /// Vectors that a search for them, at the default `ef`, does not find.
    pub lost: usize,
    /// The instructions that were used.
    pub kernels: &'static str,
    /// One row for each `ef`.
    pub rows: Vec<BenchRow>,
}

/// One point of the curve.
#[derive(Debug, Clone, Serialize)]
pub struct BenchRow {
    /// Candidates kept in a search.
    pub ef: usize,
    /// The mean share of the ten true neighbours that were found.
    #[serde(rename = "recall@10")]
    pub recall: f64,
    /// Queries a second, by one thread.
    pub qps: f64,
}

/// Builds an index of `base` and searches it for `queries`; `truth` has the numbers of the nearest base vectors of
/// each query by cosine, nearest first, ten or more.
///
/// # Errors
/// [`VectorError::Dimension`] and [`VectorError::NotFinite`] for vectors that cannot be used,
/// [`VectorError::Parameter`] when there is nothing to measure, [`VectorError::Io`].
pub fn measure(
    base: &[Vec<f32>],
    queries: &[Vec<f32>],
    truth: &[Vec<u32>],
    params: &BenchParams,
) -> VectorResult<BenchReport> {
    let dim = base.first().map_or(0, Vec::len);
    if queries.is_empty() || queries.len() != truth.len() {
        let got = truth.len() as u64;
        return Err(VectorError::Parameter { name: "the number of true answers", got, expected: "one for each query" });
    }
    let folder = Folder::create(&params.dir)?;
    let reader = write_vectors(&folder.0.join("vectors"), base, dim)?;
    let everything = OrdinalSet::full(base.len() as u64);
    let (empty, _) = VectorIndex::open(&folder.0.join("index"), &reader, Access::Writer, params.seal)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(params.threads).build();
    let pool = pool.map_err(|reason| VectorError::io("start threads for", &folder.0)(std::io::Error::other(reason)))?;
    let start = Instant::now();
    let index = pool.install(|| empty.extend(&everything)?.seal_tail())?;
    let build_seconds = start.elapsed().as_secs_f64();
    let rows = params.efs.iter().map(|&ef| measure_ef(&index, queries, truth, ef, &everything));
    let rows = rows.collect::<VectorResult<_>>()?;
    let lost = pool.install(|| count_lost(&index, base, &everything))?;
    Ok(BenchReport { n: base.len(), dim, build_seconds, lost, kernels: Kernels::detect().name, rows })
}

fn measure_ef(
    index: &VectorIndex,
    queries: &[Vec<f32>],
    truth: &[Vec<u32>],
    ef: usize,
    allowed: &OrdinalSet,
) -> VectorResult<BenchRow> {
    let mut seconds = Vec::with_capacity(ROUNDS);
    let mut answers = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let found: VectorResult<Vec<_>> = queries.iter().map(|query| index.search(query, K, ef, allowed)).collect();
        seconds.push(start.elapsed().as_secs_f64());
        answers = found?;
    }
    seconds.sort_by(f64::total_cmp);
    let hits: usize = answers.iter().zip(truth).map(|(found, truth)| common(found, truth)).sum();
    let wanted: usize = truth.iter().map(|truth| truth.len().min(K)).sum();
    let recall = hits as f64 / wanted.max(1) as f64;
    Ok(BenchRow { ef, recall, qps: queries.len() as f64 / seconds[ROUNDS / 2] })
}

fn count_lost(index: &VectorIndex, base: &[Vec<f32>], allowed: &OrdinalSet) -> VectorResult<usize> {
    let is_lost = |(ordinal, vector): (usize, &Vec<f32>)| {
        let found = index.search(vector, 1, DEFAULT_EF, allowed)?;
        // Another vector is as good when it is the same.
        Ok(usize::from(found.first().is_none_or(|&(best, cosine)| best != ordinal as u64 && cosine < SAME)))
    };
    base.par_iter().enumerate().map(is_lost).sum()
}

fn common(found: &[(u64, f32)], truth: &[u32]) -> usize {
    let nearest = &truth[..truth.len().min(K)];
    found.iter().filter(|&&(ordinal, _)| nearest.iter().any(|&row| u64::from(row) == ordinal)).count()
}

/// The `k` nearest base vectors of each query by cosine, nearest first, by comparing all: the truth to measure against.
pub fn exact_neighbours(base: &[Vec<f32>], queries: &[Vec<f32>], k: usize) -> Vec<Vec<u32>> {
    let kernels = Kernels::detect();
    let norms: Vec<f32> = base.iter().map(|row| kernels.dot_f32(row, row).sqrt().max(f32::MIN_POSITIVE)).collect();
    let nearest = |query: &Vec<f32>| {
        let cosine = |(row, norm): (&Vec<f32>, &f32)| kernels.dot_f32(query, row) / norm;
        let mut scored: Vec<(f32, u32)> = base.iter().zip(&norms).map(cosine).zip(0..).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        scored.into_iter().take(k).map(|(_, row)| row).collect()
    };
    queries.par_iter().map(nearest).collect()
}

fn write_vectors(path: &Path, base: &[Vec<f32>], dim: usize) -> VectorResult<VectorReader> {
    let mut file = VectorFile::create(path, dim, &[0; 32])?;
    let keyed: Vec<_> = (0u128..).zip(base).map(|(key, row)| (key.to_le_bytes(), row.as_slice())).collect();
    file.append(&keyed)?;
    file.sync()?;
    file.reader()
}

/// A folder that goes away with its owner.
struct Folder(PathBuf);

impl Folder {
    fn create(dir: &Path) -> VectorResult<Self> {
        fs::create_dir(dir).map_err(VectorError::io("create", dir))?;
        Ok(Self(dir.to_owned()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A benchmark's leftovers are no reason to fail.
        let _ = fs::remove_dir_all(&self.0);
    }
}
