//! Benchmarks: the speed of the models and their kernels, and the recall and speed of the vector index.

mod clock;
mod fvecs;
mod models;
mod vectors;

pub use fvecs::{read_fvecs, read_ivecs};
pub use models::{ModelBench, ModelRow, Shape};
pub use vectors::{BenchParams, BenchReport, BenchRow, exact_neighbours, measure};
