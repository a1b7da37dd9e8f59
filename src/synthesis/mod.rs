//! Making training data: what `quarry train synthesize` and `quarry train mine` share.

mod filter;
mod scratch;
mod spool;

pub(crate) use filter::{Candidate, PairFilter};
pub(crate) use scratch::{Scratch, folder_sources};
pub(crate) use spool::{Out, Row, Spool};
