//! Benchmarks: the speed of the models and their kernels, the recall and speed of the vector index, and the
//! cost of permissions.

mod access;
mod clock;
mod fvecs;
mod models;
mod vectors;
mod writing;

pub use access::{AccessParams, AccessReport, measure_access};
pub use fvecs::{read_fvecs, read_ivecs};
pub use models::{ModelBench, ModelRow, Shape};
pub use vectors::{BenchParams, BenchReport, BenchRow, exact_neighbours, measure};
