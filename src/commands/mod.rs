//! One file per command: each reads its options, wires the rooms together and prints.

pub(crate) mod access;
pub(crate) mod ask;
pub(crate) mod backup;
pub(crate) mod compact;
pub(crate) mod config;
pub(crate) mod confined;
pub(crate) mod doctor;
pub(crate) mod extract;
pub(crate) mod generate;
pub(crate) mod groups;
pub(crate) mod index;
pub(crate) mod insights;
pub(crate) mod jobs;
pub(crate) mod keys;
#[cfg(feature = "lab")]
pub(crate) mod lab;
pub(crate) mod mcp;
pub(crate) mod models;
pub(crate) mod push;
pub(crate) mod remove;
pub(crate) mod restore;
pub(crate) mod search;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod users;
pub(crate) mod verify;
