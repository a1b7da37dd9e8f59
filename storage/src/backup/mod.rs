//! Backups of a data folder: consistent, incremental, verified copies, and the way back.
//!
//! A backup is a manifest, which lists what lay in the data folder at one commit, and objects, which hold the content in
//! pieces that are known by their hash. Whatever two backups have in common is stored once. The place where backups lie
//! is a [`Destination`]:
//!
//! ```text
//! quarry-backup.json         format version
//! LOCK                       held by whoever writes
//! READERS                    shared by whoever reads, held by whoever removes
//! objects/ab/abcdef..        content under its BLAKE3 hash, compressed where that pays; never changed
//! backups/TIME-N.json        manifests, each with its own BLAKE3 hash
//! ```
//!
//! Promises. A manifest is written when all that it names is durable: a backup that is killed leaves objects that no
//! manifest names, which the next one uses or [`BackupWriter::prune`] removes. The truth, the vectors and the lexical index of a
//! backup are those of one commit ([`Store::backup_source`](crate::Store::backup_source)). Nothing is restored but what has
//! the hash that the manifest names, and no index comes in force before it was opened and verified whole.

mod check;
mod codec;
mod destination;
mod error;
mod follow;
mod keep;
mod manifest;
mod moment;
mod near;
mod object;
mod observer;
mod repository;
mod restore;
mod runs;
mod source;
mod workers;
mod writer;

pub use check::{BackupCheck, BackupFinding, verify_backups};
pub use destination::{BackupFolder, Destination, StoredName, Use};
pub use error::{BackupError, BackupResult};
pub use follow::{Pulled, begin_following, check_unfollowed, followed_backup, followed_place};
pub use keep::{Keep, KeepError};
pub use manifest::BackupSummary;
pub use moment::At;
pub use observer::{BackupObserver, Unobserved};
pub use repository::list_backups;
pub use restore::{Restored, restore};
pub use source::BackupSource;
pub use writer::{BackupReport, BackupWriter, KnownObjects, Pruned};

pub(crate) use follow::{pull, taken_path};
pub(crate) use source::{Parts, remove_leftovers};

#[cfg(test)]
mod tests;
