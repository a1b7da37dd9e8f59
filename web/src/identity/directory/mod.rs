//! A directory (LDAP) that knows in which groups somebody is, whoever says who they are.
//!
//! Promise: groups are all that the directory says, or those that it said not longer ago than is configured, or nobody is let
//! in: a group that is not known may be one that is kept out of a document.

mod config;
mod fault;
mod known;
mod lookup;
mod wire;

pub use config::LdapConfig;
pub(crate) use fault::DirectoryError;
pub(crate) use known::Directory;
