//! Everything a request passes before a handler sees it: the record of it, the host and site it comes by, the key it
//! brings, its scope and its rate.

mod access;
mod base;
mod caller;
mod endpoint;
mod forwarded;
mod hosts;
mod keyfile;
mod keys;
mod observe;
mod rates;
mod site;
#[cfg(test)]
mod walk;

pub(crate) use access::{Need, wants_page};
pub(crate) use base::{base, beneath, current_base, is_base};
pub(crate) use caller::{Caller, Person, Sees, Visitor};
pub(crate) use endpoint::{Endpoint, unmatched};
pub(crate) use forwarded::{client, is_secure, origin};
pub(crate) use hosts::Authority;
pub use keyfile::{KeyFile, KeyFileError, KeyHolder, KeyRecord, NewKey, Scope};
pub(crate) use keys::Keys;
pub(crate) use observe::{current_request, observe};
pub(crate) use rates::Rates;
