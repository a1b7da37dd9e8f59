//! Buckets of object stores that speak S3 (Amazon, MinIO, Ceph, Garage, R2, Google with HMAC keys): as places for backups, and as
//! places where documents lie.
//!
//! Signatures are rusty-s3's (AWS Signature Version 4, in the address); requests are ureq's.

mod client;
mod config;
mod lease;
mod listing;
mod source;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use percent_encoding::percent_decode_str;
use rusty_s3::Bucket;
use storage::{BackupFolder, Destination, StoredName, Use};

use self::client::Client;
pub use self::config::BucketConfig;
use self::lease::Lease;
pub(crate) use self::source::{BucketSource, bucket_of};
use crate::error::ConnectError;

/// How addresses of buckets begin.
const SCHEME: &str = "s3://";
/// Where those say what they do who are at work.
const LEASES: &str = "leases/";

/// A place for backups, by what somebody writes: `s3://BUCKET/PREFIX`, or the path of a folder.
///
/// # Errors
/// It is no address of a bucket, or how it is reached is not said, or cannot be read.
pub fn destination(place: &Path, config: &BucketConfig) -> Result<Box<dyn Destination>, ConnectError> {
    match place.to_str().filter(|_| is_bucket(place)) {
        None => Ok(Box::new(BackupFolder::new(place))),
        Some(address) => Ok(Box::new(BackupBucket::new(address, config)?)),
    }
}

/// Whether what somebody writes is the address of a bucket, and no path.
pub fn is_bucket(place: &Path) -> bool {
    place.to_str().is_some_and(|place| place.starts_with(SCHEME))
}

/// Backups in a bucket, below a prefix.
struct BackupBucket {
    client: Client,
    address: String,
    /// Empty, or with a slash at its end.
    prefix: String,
}

impl BackupBucket {
    fn new(address: &str, config: &BucketConfig) -> Result<Self, ConnectError> {
        let (bucket, prefix) = parts(address).ok_or_else(|| ConnectError::Setting {
            setting: "place of the backups",
            expected: format!("expected s3://BUCKET or s3://BUCKET/PREFIX, got {address:?}"),
        })?;
        Ok(Self { client: Client::new(bucket, config)?, address: address.to_owned(), prefix })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// Whether a bucket can have that name.
fn is_bucket_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (3..=255).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.')
}

/// Whether a key has an address of its own. Parts of `.` and `..` lead elsewhere, into other buckets too, and nothing leads to
/// the bucket itself: whoever may put an object somewhere could have others read or removed with the key of quarry.
fn has_address(bucket: &Bucket, key: &str) -> bool {
    let (base, url) = (bucket.base_url().path(), bucket.object_url(key));
    let below = url.path().strip_prefix(base).map(|below| percent_decode_str(below).decode_utf8());
    !key.is_empty() && matches!(below, Some(Ok(below)) if below == key)
}

/// Bucket and prefix of an address.
fn parts(address: &str) -> Option<(&str, String)> {
    let rest = address.strip_prefix(SCHEME)?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let is_name = is_bucket_name(bucket);
    let prefix = prefix.trim_end_matches('/');
    let is_path = prefix.is_empty() || prefix.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let is_good = is_name && is_path && !prefix.chars().any(|c| c.is_control() || matches!(c, '?' | '#'));
    is_good.then(|| (bucket, if prefix.is_empty() { String::new() } else { format!("{prefix}/") }))
}

impl Destination for BackupBucket {
    fn place(&self) -> String {
        self.address.clone()
    }

    fn prepare(&self) -> io::Result<()> {
        // Whether there is a bucket, and whether it may be written, the mark tells.
        Ok(())
    }

    fn put(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.client.put(&self.key(name), content)
    }

    fn get(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(self.client.get(&self.key(name))?.body)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<StoredName>> {
        let is_top = folder.is_empty();
        let prefix = if is_top { self.prefix.clone() } else { format!("{}/", self.key(folder)) };
        let listing = self.client.list(&prefix, is_top)?;
        let below = |key: &str| {
            let name = key.strip_prefix(&self.prefix)?;
            // Of what lies deeper, the folder: also where a store lists all of it.
            let name = if is_top { name.split('/').next()? } else { name };
            (!name.is_empty() && name != LEASES.trim_end_matches('/')).then(|| name.to_owned())
        };
        let objects = listing.objects.iter().map(|object| (&object.key, object.length));
        let all = objects.chain(listing.folders.iter().map(|folder| (folder, 0)));
        let mut stored: Vec<StoredName> =
            all.filter_map(|(key, length)| Some(StoredName { name: below(key)?, length })).collect();
        stored.dedup_by(|a, b| is_top && a.name == b.name);
        Ok(stored)
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        self.client.delete(&self.key(name))
    }

    fn lock(&self, wanted: Use) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let lease = Lease::take(&self.client, &self.key(LEASES), wanted)?;
        Ok(lease.map(|lease| Box::new(lease) as Box<dyn Send + Sync>))
    }
}
