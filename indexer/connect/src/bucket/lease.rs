//! Who is at work in a bucket: object stores have no locks, so each worker puts an object that says what it does, looks for
//! others, and renews its own. One that is not renewed is of a process that is gone.
//!
//! The store's clock decides, and where the process was on this machine, the system.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use storage::Use;

use super::client::Client;

/// Time between two renewals.
const RENEWED: Duration = Duration::from_secs(5 * 60);
/// Seconds after which one that was not renewed counts for nothing.
const DEAD: i64 = 30 * 60;

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    /// Boot and process space of its machine.
    machine: String,
    process: u32,
}

/// A lease that is held, renewed until it is dropped.
pub(super) struct Lease {
    client: Client,
    key: String,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lease {
    /// Takes a lease below a prefix; `None` if somebody is at what it would disturb.
    pub(super) fn take(client: &Client, prefix: &str, wanted: Use) -> io::Result<Option<Self>> {
        let told = Told::now();
        let unique = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let key = format!("{prefix}{}-{unique:016x}", word(wanted));
        if is_disturbed(client, prefix, wanted, &key)? {
            return Ok(None);
        }
        let text = serde_json::to_vec(&told)?;
        client.put(&key, &text)?;
        let mut lease = Self { client: client.clone(), key, stop: None, thread: None };
        // Whoever came at the same moment sees this one, or is seen.
        if is_disturbed(client, prefix, wanted, &lease.key)? {
            return Ok(None);
        }
        let (stop, stopped) = mpsc::channel();
        let (client, key) = (lease.client.clone(), lease.key.clone());
        let renew = move || {
            while stopped.recv_timeout(RENEWED) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = client.put(&key, &text) {
                    tracing::warn!("the lease {key} is not renewed: {error}");
                }
            }
        };
        lease.thread = Some(std::thread::Builder::new().name("lease".to_owned()).spawn(renew)?);
        lease.stop = Some(stop);
        Ok(Some(lease))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Err(error) = self.client.delete(&self.key) {
            tracing::warn!("the lease {} stays, and counts for half an hour: {error}", self.key);
        }
    }
}

/// Whether somebody else is at what this would disturb. Leases of those who are gone are removed.
fn is_disturbed(client: &Client, prefix: &str, wanted: Use, own: &str) -> io::Result<bool> {
    let listing = client.list(prefix, false)?;
    let now = listing.now.unwrap_or_else(|| jiff::Timestamp::now().as_second());
    let others = listing.objects.iter().filter(|object| object.key != own);
    for other in others.filter(|other| disturbs(wanted, other.key.strip_prefix(prefix).unwrap_or_default())) {
        let is_old = other.modified.is_some_and(|modified| now - modified > DEAD);
        if !is_old && !is_gone(client, &other.key)? {
            return Ok(true);
        }
        client.delete(&other.key)?;
    }
    Ok(false)
}

/// Whether the process that a lease is of was on this machine and is no more.
fn is_gone(client: &Client, key: &str) -> io::Result<bool> {
    let text = match client.get(key) {
        Ok(answer) => answer.body,
        // It has just ended.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let Ok(told) = serde_json::from_slice::<Told>(&text) else { return Ok(false) };
    let here = Told::now();
    let is_here = !here.machine.is_empty() && told.machine == here.machine;
    Ok(is_here && !Path::new("/proc").join(told.process.to_string()).exists())
}

/// Whether two cannot be at work at once.
fn disturbs(wanted: Use, other: &str) -> bool {
    let other = other.split('-').next().unwrap_or_default();
    match wanted {
        Use::Write => other == word(Use::Write),
        Use::Read => other == word(Use::Remove),
        Use::Remove => other == word(Use::Read),
    }
}

fn word(used: Use) -> &'static str {
    match used {
        Use::Write => "write",
        Use::Read => "read",
        Use::Remove => "remove",
    }
}

impl Told {
    fn now() -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let machine = match (boot.trim(), space.to_str().unwrap_or_default()) {
            ("", _) | (_, "") => String::new(),
            (boot, space) => format!("{boot} {space}"),
        };
        Self { machine, process: std::process::id() }
    }
}
