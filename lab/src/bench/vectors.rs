//! A benchmark of the vector index: how long it takes to build, and how many queries a second it answers at which
//! recall.
//!
//! The index measured is the one that a search uses: vector file, one sealed segment, exact rescoring.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use serde::Serialize;
use storage::{SealParams, VectorSearch};

use crate::error::{Error, Result};

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
/// [`Error::Storage`] for vectors that cannot be used, [`Error::Write`] for a folder that cannot be made,
/// [`Error::Measuring`] when there is nothing to measure.
pub fn measure(
    base: &[Vec<f32>],
    queries: &[Vec<f32>],
    truth: &[Vec<u32>],
    params: &BenchParams,
) -> Result<BenchReport> {
    let dim = base.first().map_or(0, Vec::len);
    if queries.is_empty() || queries.len() != truth.len() {
        let (queries, answers) = (queries.len(), truth.len());
        return Err(Error::Measuring(format!(
            "expected one row of true answers for each query, got {answers} for {queries}"
        )));
    }
    let folder = Folder::create(&params.dir)?;
    let written = VectorSearch::create(&folder.0.join("vectors"), base, params.seal)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(params.threads).build();
    let pool = pool.map_err(|reason| Error::Measuring(format!("cannot start {} threads: {reason}", params.threads)))?;
    let start = Instant::now();
    let index = pool.install(|| written.seal())?;
    let build_seconds = start.elapsed().as_secs_f64();
    let rows = params.efs.iter().map(|&ef| measure_ef(&index, queries, truth, ef));
    let rows = rows.collect::<Result<_>>()?;
    let lost = pool.install(|| count_lost(&index, base))?;
    Ok(BenchReport { n: base.len(), dim, build_seconds, lost, kernels: VectorSearch::kernels(), rows })
}

fn measure_ef(index: &VectorSearch, queries: &[Vec<f32>], truth: &[Vec<u32>], ef: usize) -> Result<BenchRow> {
    let mut seconds = Vec::with_capacity(ROUNDS);
    let mut answers = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let found: storage::Result<Vec<_>> = queries.iter().map(|query| index.search(query, K, ef)).collect();
        seconds.push(start.elapsed().as_secs_f64());
        answers = found?;
    }
    seconds.sort_by(f64::total_cmp);
    let hits: usize = answers.iter().zip(truth).map(|(found, truth)| common(found, truth)).sum();
    let wanted: usize = truth.iter().map(|truth| truth.len().min(K)).sum();
    let recall = hits as f64 / wanted.max(1) as f64;
    Ok(BenchRow { ef, recall, qps: queries.len() as f64 / seconds[ROUNDS / 2] })
}

fn count_lost(index: &VectorSearch, base: &[Vec<f32>]) -> Result<usize> {
    let is_lost = |(ordinal, vector): (usize, &Vec<f32>)| {
        let found = index.search(vector, 1, VectorSearch::DEFAULT_EF)?;
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
    let dot = VectorSearch::dot;
    let norms: Vec<f32> = base.iter().map(|row| dot(row, row).sqrt().max(f32::MIN_POSITIVE)).collect();
    let nearest = |query: &Vec<f32>| {
        let cosine = |(row, norm): (&Vec<f32>, &f32)| dot(query, row) / norm;
        let mut scored: Vec<(f32, u32)> = base.iter().zip(&norms).map(cosine).zip(0..).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        scored.into_iter().take(k).map(|(_, row)| row).collect()
    };
    queries.par_iter().map(nearest).collect()
}

/// A folder that goes away with its owner.
pub(super) struct Folder<'a>(pub(super) &'a Path);

impl<'a> Folder<'a> {
    pub(super) fn create(dir: &'a Path) -> Result<Self> {
        fs::create_dir(dir).map_err(Error::writing(dir))?;
        Ok(Self(dir))
    }
}

impl Drop for Folder<'_> {
    fn drop(&mut self) {
        // A benchmark's leftovers are no reason to fail.
        let _ = fs::remove_dir_all(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors about a few centres, the same for the same seed.
    fn clustered(count: u64, dim: u64, seed: u64) -> Vec<Vec<f32>> {
        let noise = |at: u64| {
            let mixed = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        let value = |row: u64, column: u64| {
            noise(row % 20 * dim + column) + 0.3 * noise((seed << 40) + (row + 20) * dim + column)
        };
        (0..count).map(|row| (0..dim).map(|column| value(row, column)).collect()).collect()
    }

    #[test]
    fn recall_and_time_are_measured() {
        let (base, queries) = (clustered(400, 16, 21), clustered(20, 16, 22));
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("bench");
        let seal = SealParams { graph_from: 0, ..SealParams::default() };
        let params = BenchParams { seal, efs: vec![16, 128], threads: 1, dir };
        let truth = exact_neighbours(&base, &queries, 10);
        let report = measure(&base, &queries, &truth, &params).unwrap();
        assert_eq!((report.n, report.dim, report.lost, report.rows.len()), (400, 16, 0, 2));
        assert!(report.rows[1].recall >= 0.99 && report.rows[1].qps > 0.0);
        assert!(!params.dir.exists());
        let nothing = measure(&base, &queries, &[], &params).unwrap_err().to_string();
        assert!(nothing.contains("got 0 for 20"), "{nothing}");
    }
}
