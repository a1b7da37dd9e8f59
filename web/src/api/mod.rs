//! The REST API: one file for each noun.

mod access;
mod access_body;
pub(crate) mod answer;
pub(crate) mod answering;
mod backups;
mod carry;
pub(crate) mod documents;
mod feedback;
mod health;
mod incoming;
pub(crate) mod insights;
mod jobs;
mod ledger_list;
mod ledger_view;
mod openapi;
mod ordering;
mod parameters;
mod push;
mod routes;
pub(crate) mod search;
mod sign_out;
pub(crate) mod similar;
pub(crate) mod sources;
mod status;
mod stream;
mod suggest;
mod timing;

pub(crate) use ledger_list::{ListForm, answer as ledger_list};
pub(crate) use ledger_view::LedgerView;
pub(crate) use routes::{endpoints, metrics, probes};
