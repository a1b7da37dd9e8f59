//! Making training data: what `quarry train synthesize` and `quarry train mine` share.

#[cfg(feature = "hub")]
pub(crate) mod asked;
mod filter;
mod scratch;
mod spool;

pub(crate) use filter::{Candidate, PairFilter};
pub(crate) use scratch::{Scratch, folder_sources};
pub(crate) use spool::{Out, Row, Spool};
