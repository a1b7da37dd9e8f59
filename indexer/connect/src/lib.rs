//! Connectors: documents that lie elsewhere, brought into a folder of ours, which is then a source like any other.
//!
//! A [`Connector`] names what is there and fetches one of it; a [`Mirror`] brings a folder up to date with a connector: only
//! what has changed is fetched, nothing is taken for gone unless the whole was listed, and a crash at any moment costs a second
//! fetch at most. The folder is indexed by the pass that indexes every other folder, so readers, deletions, accesses and jobs
//! are the same for all. [`Mirrors`] are the mirrors of a data folder.
//!
//! A [`destination`] is the way back out: a place for backups, a folder or a bucket.
//!
//! What goes out goes to the host that was named and to no other; where a name leads to an address that is not public it is
//! refused, unless the host was named for that ([`Settings::allow_private`]). Passwords come from files or the environment, go
//! to that host alone and are never shown.

mod article;
mod bucket;
mod confluence;
mod connector;
mod error;
mod git;
mod http;
mod json;
mod login;
mod mailbox;
mod manifest;
mod mediawiki;
mod mirror;
mod mirrors;
mod names;
mod pace;
mod places;
mod settings;
mod state;
#[cfg(test)]
mod testing;
mod webdav;
mod website;
mod xml;

pub use bucket::{BucketConfig, destination, is_bucket};
pub use connector::{Connector, Fetched, Known, Remote};
pub use error::ConnectError;
pub use mirror::{Limits, Mirror, SyncCounters, SyncObserver, SyncReport};
pub use mirrors::Mirrors;
pub use settings::{Kind, MailReaders, Restrictions, Settings};
pub use state::SyncState;
