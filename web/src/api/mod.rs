//! The REST API: one file for each noun.

mod health;
mod ordering;
mod routes;
pub(crate) mod search;

pub(crate) use routes::{configure, not_found};
