//! Identities: who a key, a trusted proxy or a session says that somebody is.
//!
//! The files here decide who is let in, so each keeps the promise of [`record_file`]: whatever happens to it, nothing that
//! was closed opens.

mod arrival;
mod config;
mod cookie;
mod directory;
mod oidc;
mod people;
mod posix;
mod proxy;
mod record_file;
mod secret;
mod sessions;
mod set_up;
mod sign_in;
mod sign_out;
mod turns;
mod upstreams;
mod userfile;
mod visitors;

pub(crate) use arrival::{Way, arrive, depart};
pub use config::AuthConfig;
pub(crate) use directory::DirectoryError;
pub use directory::LdapConfig;
pub use oidc::OidcConfig;
#[cfg(test)]
pub(crate) use oidc::stand_in;
pub(crate) use oidc::{Answer, ProviderError};
pub(crate) use people::People;
pub use posix::PosixConfig;
pub(crate) use posix::PosixUsers;
pub(crate) use proxy::{ProxyUser, proxy_user};
pub use record_file::RecordFileError;
pub(crate) use record_file::{RecordFile, Stamp, Stamps, stamp};
pub use secret::SecretError;
pub(crate) use secret::{hash, hex, is_of, random};
pub(crate) use sessions::Sessions;
#[cfg(test)]
pub(crate) use sessions::{Holder, Session};
pub(crate) use set_up::SetUp;
pub(crate) use sign_in::{Attempts, NotMade, Refused, first_administrator, sign_in};
pub(crate) use sign_out::{Farewell, sign_out, signed_out_upstream};
pub(crate) use upstreams::Upstreams;
pub(crate) use userfile::user_name;
pub use userfile::{UserFile, UserFileError, UserRecord};
pub(crate) use visitors::{SignedIn, bearer_visitor, session_visitor};
