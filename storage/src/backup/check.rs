//! The check of backups: every object of every manifest is read and compared with its hash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use super::destination::Destination;
use super::error::{BackupError, BackupResult};
use super::object::{ObjectId, Piece};
use super::observer::BackupObserver;
use super::repository::Repository;
use super::workers;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupFinding {
    /// The backups that need it, the newest first.
    pub backups: Vec<String>,
    /// What is wrong, and with what.
    pub detail: String,
}

/// What a check looked at and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupCheck {
    /// Backups checked.
    pub backups: u64,
    /// Objects read.
    pub objects: u64,
    /// Bytes of their content.
    pub bytes: u64,
    /// Objects that no backup names: of one that was cut off. The next backup uses them, pruning removes them.
    pub unused: u64,
    /// Everything that is wrong; empty for sound backups.
    pub findings: Vec<BackupFinding>,
}

/// An object, what it is a part of in some backup, and the backups.
type Needed = BTreeMap<ObjectId, (Piece, String, BTreeSet<usize>)>;

/// Reads all backups at a destination whole, and changes nothing.
///
/// # Errors
/// There are none; the destination refuses; the observer stops it. Damage is not an error but a finding.
pub fn verify_backups(destination: &dyn Destination, observer: &dyn BackupObserver) -> BackupResult<BackupCheck> {
    let repository = Repository::open(destination)?;
    let mut check = BackupCheck::default();
    let (names, mut needed) = (repository.names()?, Needed::new());
    for (number, name) in names.iter().enumerate() {
        check.backups += 1;
        match repository.manifest(name) {
            Ok(manifest) => {
                for (piece, of) in manifest.pieces() {
                    let entry = needed.entry(piece.0);
                    entry.or_insert_with(|| (*piece, of.to_string(), BTreeSet::new())).2.insert(number);
                }
            }
            Err(BackupError::Damaged { what, detail }) => {
                check.findings.push(BackupFinding { backups: vec![name.clone()], detail: format!("{what}: {detail}") });
            }
            Err(other) => return Err(other),
        }
    }
    let all: u64 = needed.values().map(|(piece, ..)| piece.1).sum();
    let needed: Vec<_> = needed.into_values().collect();
    let done = AtomicU64::new(0);
    let damages = workers::each(&needed, |(piece, of, _)| {
        if observer.is_stopped() {
            return Err(BackupError::Stopped);
        }
        let damage = match repository.content(piece, of) {
            Err(BackupError::Damaged { what, detail }) => Some(format!("{what} is damaged: {detail}")),
            read => read.map(|_| None)?,
        };
        observer.progressed(done.fetch_add(piece.1, Ordering::Relaxed) + piece.1, all);
        Ok(damage)
    })?;
    for ((_, _, backups), damage) in needed.iter().zip(damages) {
        let Some(detail) = damage else { continue };
        let backups = backups.iter().filter_map(|number| names.get(*number).cloned()).collect();
        check.findings.push(BackupFinding { backups, detail });
    }
    check.objects = needed.len() as u64;
    check.bytes = all;
    let known: BTreeSet<ObjectId> = needed.iter().map(|(piece, ..)| piece.0).collect();
    check.unused = repository.objects()?.objects.iter().filter(|(id, _)| !known.contains(id)).count() as u64;
    Ok(check)
}
