//! What lies at a destination, read and written as objects and manifests. Every error says where.

use std::io;

use serde::{Deserialize, Serialize};

use super::codec;
use super::destination::{Destination, Use};
use super::error::{BackupError, BackupResult};
use super::manifest::{BACKUPS, BackupSummary, Manifest};
use super::moment::At;
use super::object::{ObjectId, Piece};

/// Version of everything at a destination.
const FORMAT: u32 = 1;
/// The file that makes a folder one of backups.
const MARK: &str = "quarry-backup.json";
/// Names that a folder may have where a first backup was cut off before its mark, or that systems leave in empty ones.
const NOTHING: [&str; 6] = ["LOCK", "READERS", "lost+found", "objects", "backups", "quarry-backup.json.tmp"];

#[derive(Serialize, Deserialize)]
struct Mark {
    format: u32,
}

/// A destination, and whatever keeps others from it meanwhile.
pub(super) struct Repository<'a> {
    destination: &'a dyn Destination,
    _lock: Box<dyn Send + Sync>,
}

/// What lies among the objects of a destination.
#[derive(Default)]
pub(super) struct Stored {
    /// Objects, with the bytes that they take.
    pub(super) objects: Vec<(ObjectId, u64)>,
    /// Names of other things.
    pub(super) others: Vec<String>,
}

impl<'a> Repository<'a> {
    /// Opens what is there to read it.
    pub(super) fn open(destination: &'a dyn Destination) -> BackupResult<Self> {
        let place = || destination.place();
        if !is_marked(destination)? {
            return Err(BackupError::NoBackup { place: place(), wanted: String::new() });
        }
        Ok(Self { destination, _lock: lock(destination, Use::Read)? })
    }

    /// Opens it to write, and makes it where there is none. Whether it was made.
    pub(super) fn open_or_make(destination: &'a dyn Destination) -> BackupResult<(Self, bool)> {
        let place = || destination.place();
        let failed = |action: &'static str| {
            move |source| BackupError::Destination { action, name: MARK.to_string(), place: place(), source }
        };
        let is_new = !is_marked(destination)?;
        if is_new {
            match destination.list("") {
                Ok(others) if others.iter().any(|other| !NOTHING.contains(&other.name.as_str())) => {
                    return Err(BackupError::NotARepository { place: place() });
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("look for")(error)),
                _ => {}
            }
        }
        destination.prepare().map_err(failed("make"))?;
        let lock = lock(destination, Use::Write)?;
        if is_new {
            let mark = serde_json::to_vec(&Mark { format: FORMAT }).unwrap_or_default();
            destination.put(MARK, &mark).map_err(failed("write"))?;
        }
        Ok((Self { destination, _lock: lock }, is_new))
    }

    /// Opens what is there to look at the newest list, which nobody needs to wait for.
    pub(super) fn peek(destination: &'a dyn Destination) -> BackupResult<Self> {
        if !is_marked(destination)? {
            return Err(BackupError::NoBackup { place: destination.place(), wanted: String::new() });
        }
        Ok(Self { destination, _lock: Box::new(()) })
    }

    /// Keeps readers out for as long as what is returned is kept; `None` while somebody reads.
    pub(super) fn lock_to_remove(&self) -> BackupResult<Option<Box<dyn Send + Sync>>> {
        self.destination.lock(Use::Remove).map_err(self.failed("lock", "READERS"))
    }

    fn failed(&self, action: &'static str, name: &str) -> impl FnOnce(io::Error) -> BackupError {
        let (name, place) = (name.to_string(), self.destination.place());
        move |source| BackupError::Destination { action, name, place, source }
    }

    /// Stores content as the object that it is; the bytes that it takes.
    pub(super) fn put_object(&self, id: ObjectId, content: &[u8]) -> BackupResult<u64> {
        let stored = codec::encode(content);
        self.put(&id.name(), &stored)?;
        Ok(stored.len() as u64)
    }

    pub(super) fn put(&self, name: &str, content: &[u8]) -> BackupResult<()> {
        self.destination.put(name, content).map_err(self.failed("write", name))
    }

    pub(super) fn delete(&self, name: &str) -> BackupResult<()> {
        self.destination.delete(name).map_err(self.failed("remove", name))
    }

    /// The content of a piece, which is what was stored: its hash is compared. `of` says what it is a part of.
    pub(super) fn content(&self, piece: &Piece, of: &str) -> BackupResult<Vec<u8>> {
        let Piece(id, length, _) = piece;
        let name = id.name();
        let damaged = |detail: String| BackupError::damaged(format!("{name}, a part of {of},"), detail);
        let stored = match self.destination.get(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged("it is missing".to_string())),
            stored => stored.map_err(self.failed("read", &name))?,
        };
        let content = codec::decode(&stored, *length).map_err(|error| damaged(error.to_string()))?;
        match ObjectId::of(&content) == *id {
            true => Ok(content),
            false => Err(damaged("its content has another hash".to_string())),
        }
    }

    /// Every object that is there, with the bytes that it takes, and other things that lie among them.
    pub(super) fn objects(&self) -> BackupResult<Stored> {
        let folder = super::object::OBJECTS;
        let Stored { mut objects, mut others } = Stored::default();
        for stored in self.destination.list(folder).map_err(self.failed("list", folder))? {
            match ObjectId::named(&stored.name) {
                Some(id) => objects.push((id, stored.length)),
                None => others.push(stored.name),
            }
        }
        Ok(Stored { objects, others })
    }

    /// Lists of backups that were cut off while they were written.
    pub(super) fn drafts(&self) -> BackupResult<Vec<String>> {
        let stored = self.destination.list(BACKUPS).map_err(self.failed("list", BACKUPS))?;
        Ok(stored.into_iter().map(|stored| stored.name).filter(|name| name.ends_with(".json.tmp")).collect())
    }

    /// The names of all backups, the newest first.
    pub(super) fn names(&self) -> BackupResult<Vec<String>> {
        let stored = self.destination.list(BACKUPS).map_err(self.failed("list", BACKUPS))?;
        let name = |stored: &str| Some(stored.rsplit('/').next()?.strip_suffix(".json")?.to_string());
        let mut names: Vec<String> = stored.iter().filter_map(|stored| name(&stored.name)).collect();
        names.sort_unstable_by(|a, b| rank(b).cmp(&rank(a)));
        Ok(names)
    }

    /// The manifest of a backup.
    pub(super) fn manifest(&self, name: &str) -> BackupResult<Manifest> {
        let stored = Manifest::stored_name(name);
        let text = self.destination.get(&stored).map_err(self.failed("read", &stored))?;
        Manifest::decode(name, &text)
    }

    /// The backup that is asked for.
    pub(super) fn find(&self, at: &At) -> BackupResult<Manifest> {
        let none = |wanted: String| BackupError::NoBackup { place: self.destination.place(), wanted };
        let names = self.names()?;
        match at {
            At::Newest => self.manifest(names.first().ok_or_else(|| none(String::new()))?),
            At::Named(name) => match names.contains(name) {
                true => self.manifest(name),
                false => Err(none(format!("{name:?} "))),
            },
            At::By(time) => {
                let by = super::moment::name_of(*time);
                // One that is damaged is not passed over for an older one in silence.
                let name = names.iter().find(|name| rank(name).0 <= by.as_str());
                self.manifest(name.ok_or_else(|| none(format!("of {by} or before ")))?)
            }
        }
    }
}

/// The time in a name, and the number behind it.
pub(super) fn rank(name: &str) -> (&str, u64) {
    let (time, number) = name.rsplit_once('-').unwrap_or((name, ""));
    (time, number.parse().unwrap_or(0))
}

fn is_marked(destination: &dyn Destination) -> BackupResult<bool> {
    let text = match destination.get(MARK) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => {
            let (name, place) = (MARK.to_string(), destination.place());
            return Err(BackupError::Destination { action: "read", name, place, source });
        }
    };
    let mark: Mark =
        serde_json::from_slice(&text).map_err(|error| BackupError::damaged(MARK, format!("not readable: {error}")))?;
    match mark.format {
        FORMAT => Ok(true),
        found => Err(BackupError::Format { place: destination.place(), found, expected: FORMAT }),
    }
}

fn lock(destination: &dyn Destination, wanted: Use) -> BackupResult<Box<dyn Send + Sync>> {
    let locked = destination.lock(wanted).map_err(|source| BackupError::Destination {
        action: "lock",
        name: "LOCK".to_string(),
        place: destination.place(),
        source,
    })?;
    locked.ok_or_else(|| BackupError::InUse { place: destination.place() })
}

/// What the backups at a destination say of themselves, the newest first; of a damaged one, what is wrong with it.
///
/// # Errors
/// There are none, or the destination refuses.
pub fn list_backups(destination: &dyn Destination) -> BackupResult<Vec<BackupResult<BackupSummary>>> {
    let repository = Repository::peek(destination)?;
    let read = |name: &String| match repository.manifest(name) {
        // Removed just now.
        Err(BackupError::Destination { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        read => Some(read.map(|manifest| manifest.summary)),
    };
    Ok(repository.names()?.iter().filter_map(read).collect())
}
