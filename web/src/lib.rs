//! The server, HTTP in and searcher out: the REST API, the model endpoints, the page, and the writer thread behind
//! them.
//!
//! [`serve`] is the whole server: it binds, opens the index in the background, answers until it is told to stop, and
//! closes the index in good order. [`Config`] is everything that can be set, [`KeyFile`] the API keys of a data folder, [`UserFile`] its users.
//!
//! Promises: a request is refused before it costs anything if it may not be made (host, origin, key, rate, size); work
//! that computes runs on a bounded number of threads; every failure is a problem document with a stable code and a cure,
//! or a page that says so to people, and none names a path outside the sources or a key. A route cannot be added without
//! saying who may use it: see `guard::Endpoint`.

mod admission;
mod api;
mod app;
mod audit;
mod brand;
mod compat;
mod config;
mod engine;
mod error;
mod fresh;
mod given;
mod guard;
mod guidance;
mod identity;
mod insights;
mod jobs;
mod json;
mod links;
mod log_tail;
mod manuscript;
mod mcp;
mod metrics;
mod mirror_access;
mod model_metrics;
mod models;
mod pages;
mod pushed;
mod running;
mod server;
mod shapes;
mod socket;
mod stages;
mod suggestions;
mod tls;
mod traffic;
mod wanted;
mod writer;

pub use audit::{AuditConfig, AuditEvent, append_to_audit_log};
pub use brand::{LinkConfig, PageConfig};
pub use config::{
    AuthConfig, BackupConfig, Config, FilesSay, FollowConfig, IndexConfig, LimitsConfig, ServerConfig, SourceConfig,
    SuggestConfig, VectorsWhen,
};
pub use engine::{EngineParts, OpenError};
pub use error::ServeError;
pub use guard::{KeyFile, KeyFileError, KeyHolder, KeyRecord, NewKey, Scope};
pub use identity::{
    LdapConfig, OidcConfig, PosixConfig, RecordFileError, SecretError, UserFile, UserFileError, UserRecord,
};
pub use insights::{Grade, InsightsConfig, JudgedQuery, Judgements};
pub use links::Links;
pub use log_tail::LogTail;
pub use mcp::{AgentParts, serve_agent};
pub use mirror_access::MirrorAccess;
pub use running::{RunningServer, RunningServerError, address_segment};
pub use server::{Announcement, serve};
pub use stages::stage_layer;
pub use tls::TlsError;
