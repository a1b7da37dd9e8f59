//! Following: a data folder that is kept equal to the newest backup somewhere, for servers that only search.
//!
//! `follows.json` in the data folder says so, and keeps all other writers out; `backup.json` in an edition says which backup
//! it is. A newer one is filled beside the edition in force ([`Store::pull`](crate::Store::pull)) and takes its place by one
//! rename ([`ClosedStore::adopt`]), as a restore does: killed at any moment, one of the two is in force. What lies beside the
//! index (who is let in, pushed documents) comes with it, but for what every server has of its own.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::destination::Destination;
use super::error::BackupResult;
use super::manifest::{BackupFile, BackupSummary, Manifest, Part};
use super::moment::At;
use super::near::Near;
use super::observer::BackupObserver;
use super::repository::Repository;
use super::restore::{Restoration, beside, check_empty, check_format, put_in_force};
use crate::closed::ClosedStore;
use crate::documents::Documents;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::record::IndexModel;
use crate::{edition, files, private, settings};

/// In a data folder that follows backups.
const MARK: &str = "follows.json";
/// In an edition that was made from one.
const TAKEN: &str = "backup.json";
/// What lies beside an index and is every server's own, or means nothing without the one that wrote it.
const OWN: [&str; 4] = ["insights", "audit", "accepted.json", MARK];
/// How names end that close a folder for good.
const CLOSING: &str = ".required";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    /// Where the backups lie.
    place: String,
}

/// What an edition was made from.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Taken {
    summary: BackupSummary,
    /// What came with it and lies beside it, by its names in the data folder.
    beside: BTreeSet<String>,
}

/// A newer backup, filled and checked, that is not in force yet.
#[derive(Debug)]
pub struct Pulled {
    /// What it says of itself.
    pub summary: BackupSummary,
    /// Bytes that had to be fetched: the rest was here.
    pub fetched: u64,
    folder: PathBuf,
}

/// Where the backups lie that a data folder follows; `None` for one that is an index of its own.
///
/// # Errors
/// The file that says so cannot be read.
pub fn followed_place(data: &Path) -> Result<Option<String>> {
    Ok(read::<Mark>(&data.join(MARK))?.map(|mark| mark.place))
}

/// Refuses for a data folder that follows backups.
///
/// # Errors
/// [`Error::Follows`]; the file that says so cannot be read.
pub fn check_unfollowed(data: &Path) -> Result<()> {
    match followed_place(data)? {
        None => Ok(()),
        Some(place) => Err(Error::Follows { path: data.to_path_buf(), place }),
    }
}

/// The backup that the index in force is, in a data folder that follows some; `None` before the first.
///
/// # Errors
/// What says so cannot be read.
pub fn followed_backup(data: &Path) -> Result<Option<BackupSummary>> {
    Ok(taken(&edition::in_force(data)?)?.map(|taken| taken.summary))
}

/// Makes a data folder follow the backups at a destination: in one that is new or empty, the newest is restored. One that
/// follows already is left as it is, but if its index `is_lost`: then the newest backup takes its place.
///
/// # Errors
/// As [`restore`](super::restore); [`BackupError::NotEmpty`](super::BackupError::NotEmpty) also for an index of its own.
pub fn begin_following(
    destination: &dyn Destination,
    data: &Path,
    is_lost: bool,
    observer: &dyn BackupObserver,
) -> BackupResult<Option<BackupSummary>> {
    let is_followed = followed_place(data)?.is_some();
    if is_followed && !is_lost && taken(&edition::in_force(data)?)?.is_some() {
        let lock = Lock::acquire_following(data)?;
        mark(data, destination)?;
        drop(lock);
        return Ok(None);
    }
    let repository = Repository::open(destination)?;
    let manifest = repository.find(&At::Newest)?;
    check_format(&manifest, destination)?;
    if !is_followed {
        check_empty(data)?;
    }
    private::make_folder(data)?;
    let _lock = Lock::acquire_following(data)?;
    let restoration = Restoration::new(&repository, &manifest, data, observer);
    let filled = restoration.begin().and_then(|()| fill(&restoration)).and_then(|()| {
        mark(data, destination)?;
        restoration.put_in_force()
    });
    if filled.is_err() {
        // The reason of the failure is what counts; what stays is removed by the next try.
        let _ = files::remove(restoration.folder());
    }
    filled?;
    Ok(Some(manifest.summary))
}

/// See [`Store::pull`](crate::Store::pull).
pub(crate) fn pull(
    destination: &dyn Destination,
    data: &Path,
    index: &Path,
    documents: &Documents,
    model: &IndexModel,
    observer: &dyn BackupObserver,
) -> BackupResult<Option<Pulled>> {
    let known = taken(index)?.map(|taken| taken.summary.name);
    if Repository::peek(destination)?.names()?.first() == known.as_ref() {
        return Ok(None);
    }
    // It may have been removed since: from here on nothing is.
    let repository = Repository::open(destination)?;
    let manifest = repository.find(&At::Newest)?;
    check_likeness(&manifest, model, destination)?;
    let mut restoration = Restoration::new(&repository, &manifest, data, observer);
    let filled = restoration.begin().and_then(|()| {
        restoration.near = Some(Near::of(documents, index, data, &manifest, restoration.folder())?);
        fill(&restoration)
    });
    if filled.is_err() {
        let _ = files::remove(restoration.folder());
    }
    filled?;
    let (fetched, folder) = (restoration.fetched(), restoration.folder().to_path_buf());
    Ok(Some(Pulled { summary: manifest.summary, fetched, folder }))
}

impl ClosedStore {
    /// Puts in force what was pulled: open the store next. Searches go on on the last snapshot meanwhile.
    ///
    /// # Errors
    /// The disk refuses. Then what was in force still is, and may be opened again.
    pub fn adopt(&mut self, pulled: &Pulled) -> BackupResult<()> {
        let data = self.lock.folder().to_path_buf();
        let before = taken(&self.folder)?.map(|taken| taken.beside).unwrap_or_default();
        let now = taken(&pulled.folder)?.map(|taken| taken.beside).unwrap_or_default();
        put_in_force(&data, &pulled.folder)?;
        self.folder = edition::in_force(&data)?;
        for gone in before.difference(&now).filter(|name| !name.ends_with(CLOSING)) {
            files::remove(&data.join(gone))?;
        }
        edition::remove_superseded(&data)?;
        Ok(())
    }
}

/// A model of another kind needs other vectors of what people type, and another format another quarry.
fn check_likeness(manifest: &Manifest, model: &IndexModel, destination: &dyn Destination) -> BackupResult<()> {
    let BackupSummary { model: of_backup, index_format: found, .. } = &manifest.summary;
    if of_backup.fingerprint != model.fingerprint {
        return Err(Error::Model { index: of_backup.describe(), given: model.describe() }.into());
    }
    match *found == settings::FORMAT {
        true => Ok(()),
        false => {
            let path = PathBuf::from(destination.place());
            Err(Error::Format { path, found: *found, expected: settings::FORMAT }.into())
        }
    }
}

/// Fills the new edition, without what is every server's own, and notes what it is.
fn fill(restoration: &Restoration<'_>) -> BackupResult<()> {
    restoration.fill(|file| !is_own(file))?;
    // What a server has accepted and not done is for the one that accepted it.
    let wanted = restoration.manifest.files.iter().filter(|file| file.part == Part::Beside && !is_own(file));
    let taken = Taken {
        summary: restoration.manifest.summary.clone(),
        beside: wanted.filter_map(|file| Some(first_part(file)?.to_owned())).collect(),
    };
    fs::create_dir_all(beside(restoration.folder())).map_err(Error::io("create", restoration.folder()))?;
    Ok(write(&taken_path(restoration.folder()), &taken)?)
}

fn mark(data: &Path, destination: &dyn Destination) -> Result<()> {
    write(&data.join(MARK), &Mark { place: destination.place() })
}

fn is_own(file: &BackupFile) -> bool {
    file.part == Part::Beside && first_part(file).is_some_and(|name| OWN.contains(&name))
}

/// What a file is, or lies in, in the data folder.
fn first_part(file: &BackupFile) -> Option<&str> {
    file.path.split('/').next()
}

fn taken(index: &Path) -> Result<Option<Taken>> {
    read(&taken_path(index))
}

/// Where it stands which backup an edition is.
pub(crate) fn taken_path(index: &Path) -> PathBuf {
    index.join(TAKEN)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let unreadable = |error: serde_json::Error| Error::damaged(path.display().to_string(), error.to_string());
    serde_json::from_slice(&text).map(Some).map_err(unreadable)
}

fn write<T: Serialize>(path: &Path, content: &T) -> Result<()> {
    // Plain data: encoding it into memory cannot fail.
    files::replace(path, &serde_json::to_vec_pretty(content).expect("plain data encodes"))
}
