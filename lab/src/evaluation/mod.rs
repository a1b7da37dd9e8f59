//! Evaluation: judged questions, what both retrievers recall for them, how good a ranking is, whether one is better than
//! another, and slips of the hand.

mod beir;
mod metrics;
mod paths;
mod random;
mod significance;
mod slips;

pub use beir::{BeirDocument, BeirOptions, BeirQuery, BeirSet, Corpus};
pub use metrics::{Grades, mean, ndcg, percentile, recall, reciprocal_rank, success};
pub use paths::paths_of;
pub use significance::{Comparison, Trials, compare};
pub use slips::{Slip, Slipped, slips};
