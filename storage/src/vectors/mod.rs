//! Nearest vectors: sealed, memory-mapped segments with an HNSW graph or an exact scan, and a tail in memory.
//!
//! Reading order: [`index`] glues the parts, [`segment`] and [`tail`] hold code rows, [`graph`] and [`scan`] search
//! them, [`codes`] and [`kernels`] compare them, [`build`] and [`refine`] make the graph.

mod build;
mod codes;
mod error;
mod graph;
mod index;
mod kernels;
mod manifest;
mod open;
mod ordinals;
mod ranked;
mod refine;
mod scan;
mod scratch;
mod segment;
mod segment_file;
mod standalone;
mod tail;

pub(crate) use error::VectorError;
pub(crate) use index::{Access, DEFAULT_EF, VectorIndex};
pub(crate) use ordinals::OrdinalSet;
pub use segment::SealParams;
pub use standalone::VectorSearch;

pub(crate) use error::{VectorResult, check_vector};
pub(crate) use kernels::prefetch;

#[cfg(test)]
mod tests;
