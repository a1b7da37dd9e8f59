//! End-to-end tests: everything here runs the real binary on real folders.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answerable;
mod backlog;
mod backup;
mod bad_input;
mod bert;
mod browser;
mod circles;
mod commands;
mod connectors;
mod corpus;
mod corruption;
mod crash;
mod documents;
mod evaluation;
mod extract;
#[cfg(feature = "hub")]
mod gguf;
mod hostile;
#[cfg(feature = "hub")]
mod hub;
mod identity;
mod llm;
mod loopback;
mod mcp;
mod model_server;
#[cfg(feature = "hub")]
mod models;
mod permissions;
mod private;
mod readers;
mod reading;
mod rebuild;
mod rules;
mod serve;
mod server;
mod settings;
mod slips;
mod snapshots;
mod support;
mod synonyms;
mod tidy;
mod train;
mod train_data;
mod upgrade;
mod watch;
mod webdriver;
mod words;
mod writer;
