//! Everything a request passes before a handler sees it: the record of it, the host and origin it comes by, the key it
//! brings, and its rate.

mod access;
mod hosts;
mod keyfile;
mod keys;
mod observe;
mod rates;

pub(crate) use access::{Caller, access, is_page};
pub use keyfile::{KeyFile, KeyFileError, KeyRecord, NewKey, Scope};
pub(crate) use keys::Keys;
pub(crate) use observe::observe;
pub(crate) use rates::Rates;
