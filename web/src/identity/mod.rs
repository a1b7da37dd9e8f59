//! Identities: who a key, a trusted proxy or a session says that somebody is.
//!
//! The files here decide who is let in, so each keeps the promise of [`record_file`]: whatever happens to it, nothing that
//! was closed opens.

mod cookie;
mod people;
mod posix;
mod proxy;
mod record_file;
mod secret;
mod sessions;
mod set_up;
mod sign_in;
mod userfile;

pub(crate) use people::People;
pub use posix::PosixConfig;
pub(crate) use posix::PosixUsers;
pub(crate) use proxy::{ProxyUser, proxy_user};
pub use record_file::RecordFileError;
pub(crate) use record_file::{RecordFile, Stamps};
pub use secret::SecretError;
pub(crate) use secret::{hash, hex, is_of, random};
#[cfg(test)]
pub(crate) use sessions::Session;
pub(crate) use sessions::Sessions;
pub(crate) use set_up::SetUp;
pub(crate) use sign_in::{Attempts, NotMade, Refused, first_administrator, session_user, sign_in, sign_out};
pub use userfile::{UserFile, UserFileError, UserRecord};
