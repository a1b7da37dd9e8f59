//! Making a backup: objects first, the manifest last; and removing those that nobody keeps.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::destination::Destination;
use super::error::{BackupError, BackupResult};
use super::keep::Keep;
use super::manifest::{BackupDocuments, BackupFile, BackupSummary, Manifest};
use super::object::{ObjectId, PIECE, Piece};
use super::observer::BackupObserver;
use super::repository::{Repository, Stored, rank};
use super::source::{BackupSource, PinnedFile, PinnedRun};
use super::{moment, workers};
use crate::crash::{self, Step};
use crate::error::{Error, chain};
use crate::settings;

/// A destination that is being written to. Nobody else writes there meanwhile.
pub struct BackupWriter<'a> {
    repository: Repository<'a>,
    is_new: bool,
    /// Objects of the newest backup, with the bytes that they took when they were written.
    vouched: HashMap<ObjectId, u64>,
    /// Objects that are there, with the bytes that they take.
    present: HashMap<ObjectId, u64>,
    known: KnownObjects,
}

/// The objects that a destination has: what need not be written down for it.
#[derive(Debug, Clone, Default)]
pub struct KnownObjects(Arc<HashSet<ObjectId>>);

impl KnownObjects {
    pub(super) fn has(&self, id: &ObjectId) -> bool {
        self.0.contains(id)
    }
}

/// What a backup was.
#[derive(Debug, Clone)]
pub struct BackupReport {
    /// What it says of itself.
    pub summary: BackupSummary,
    /// Whether it is the first there.
    pub is_first: bool,
    /// Files in it, without those of the document store.
    pub files: u64,
    /// Objects that were written for it.
    pub objects: u64,
    /// Objects that earlier backups need, too, and that were found missing or damaged and written anew.
    pub mended: u64,
    /// How long the writer of the index had to wait.
    pub waited: Duration,
    /// How long all of it took.
    pub took: Duration,
}

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The names of the backups.
    pub backups: Vec<String>,
    /// Objects that no backup needs.
    pub objects: u64,
    /// Bytes that they took.
    pub bytes: u64,
    /// Whether nothing was removed because somebody was reading there: the next backup removes it.
    pub is_deferred: bool,
}

/// What was written so far, by all threads together.
#[derive(Default)]
struct Tally {
    written: Mutex<HashMap<ObjectId, u64>>,
    /// Held while an object is stored, by what its hash begins with: equal files are not stored by two threads at once.
    claims: [Mutex<()>; 32],
    objects: AtomicU64,
    bytes: AtomicU64,
    mended: AtomicU64,
    done: AtomicU64,
    all: u64,
}

/// A piece of work.
enum Task<'s> {
    Run(&'s PinnedRun),
    Piece { file: &'s PinnedFile, offset: u64, length: u64 },
}

impl<'a> BackupWriter<'a> {
    /// Takes a destination for backups of the data folder at `data`, and makes it ready if it is new.
    ///
    /// # Errors
    /// [`BackupError::InUse`], [`BackupError::NotARepository`], [`BackupError::Inside`], [`BackupError::Format`]; the destination
    /// refuses.
    pub fn begin(destination: &'a dyn Destination, data: &Path) -> BackupResult<Self> {
        if destination.local_path().is_some_and(|path| is_inside(path, data)) {
            return Err(BackupError::Inside { place: destination.place() });
        }
        let (repository, is_new) = Repository::open_or_make(destination)?;
        let present: HashMap<ObjectId, u64> = repository.objects()?.objects.into_iter().collect();
        let vouched = newest_pieces(&repository)?;
        let is_whole = |id: &&ObjectId| present.get(*id).is_some_and(|stored| vouched.get(*id) == Some(stored));
        let known = KnownObjects(Arc::new(vouched.keys().filter(is_whole).copied().collect()));
        Ok(Self { repository, is_new, vouched, present, known })
    }

    /// What the destination has, for [`Store::backup_source`](crate::Store::backup_source).
    pub fn known(&self) -> KnownObjects {
        self.known.clone()
    }

    /// Copies a source. When this returns, the backup is durable.
    ///
    /// # Errors
    /// The destination or the data folder refuses, or the observer stops it. Then there is no backup, and what was copied is
    /// of use for the next.
    pub fn write(&self, source: &BackupSource, observer: &dyn BackupObserver) -> BackupResult<BackupReport> {
        let began = Instant::now();
        crash::point(Step::BackupPinned);
        let tasks = tasks(source);
        let all = tasks.iter().map(Task::length).sum();
        let tally = Tally { all, ..Tally::default() };
        let pieces = workers::each(&tasks, |task| self.copy(source, task, &tally, observer))?;
        crash::point(Step::BackupCopied);
        let summary = BackupSummary {
            name: self.free_name()?,
            created: moment::now(),
            quarry: env!("CARGO_PKG_VERSION").to_string(),
            index_format: settings::FORMAT,
            generation: source.generation,
            documents: source.documents,
            passages: source.passages,
            model: source.model.clone(),
            bytes: all,
            added: tally.bytes.load(Ordering::Relaxed),
        };
        let manifest = manifest(source, summary.clone(), pieces);
        self.repository.put(&Manifest::stored_name(&summary.name), &manifest.encode())?;
        crash::point(Step::BackupWritten);
        Ok(BackupReport {
            summary,
            is_first: self.is_new,
            files: source.files.len() as u64,
            objects: tally.objects.into_inner(),
            mended: tally.mended.into_inner(),
            waited: source.waited,
            took: began.elapsed() + source.waited,
        })
    }

    fn copy(
        &self,
        source: &BackupSource,
        task: &Task<'_>,
        tally: &Tally,
        observer: &dyn BackupObserver,
    ) -> BackupResult<Piece> {
        if observer.is_stopped() {
            return Err(BackupError::Stopped);
        }
        let piece = match task {
            Task::Run(PinnedRun { id, length, at: None }) => {
                Piece(*id, *length, self.present.get(id).copied().unwrap_or_default())
            }
            Task::Run(PinnedRun { id, length, at: Some(at) }) => {
                let content = read(&source.runs_file(), *at, *length)?;
                Piece(*id, *length, self.store(*id, &content, tally)?)
            }
            Task::Piece { file, offset, length } => {
                let content = read(&file.pinned, *offset, *length)?;
                let id = ObjectId::of(&content);
                Piece(id, *length, self.store(id, &content, tally)?)
            }
        };
        let done = tally.done.fetch_add(piece.1, Ordering::Relaxed) + piece.1;
        observer.progressed(done, tally.all);
        Ok(piece)
    }

    /// Sees to it that an object is there; the bytes that it takes.
    fn store(&self, id: ObjectId, content: &[u8], tally: &Tally) -> BackupResult<u64> {
        let claim = &tally.claims[usize::from(id.first_byte()) % tally.claims.len()];
        let _claim = claim.lock().unwrap_or_else(PoisonError::into_inner);
        let written = || tally.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stored) = written().get(&id) {
            return Ok(*stored);
        }
        let (vouched, present) = (self.vouched.get(&id), self.present.get(&id));
        if let Some(stored) = present {
            // One that the newest backup does not name is left of a backup that was cut off, or of an older one: it is read
            // before anything is built on it.
            let piece = Piece(id, content.len() as u64, *stored);
            if vouched == Some(stored) || self.repository.content(&piece, "an earlier backup").is_ok() {
                return Ok(*stored);
            }
        }
        let stored = self.repository.put_object(id, content)?;
        written().insert(id, stored);
        let is_mended = vouched.is_some() || present.is_some();
        tally.mended.fetch_add(u64::from(is_mended), Ordering::Relaxed);
        tally.objects.fetch_add(1, Ordering::Relaxed);
        tally.bytes.fetch_add(stored, Ordering::Relaxed);
        Ok(stored)
    }

    fn free_name(&self) -> BackupResult<String> {
        let names = self.repository.names()?;
        Ok(name_after(names.first().map(String::as_str), &moment::name_of(moment::now())))
    }

    /// Removes the backups that are not to be kept, and then every object that no backup names; nothing while somebody reads.
    ///
    /// # Errors
    /// The list of a backup cannot be read: then nothing is removed, as nobody knows what it needs. The destination refuses.
    pub fn prune(&self, keep: &Keep) -> BackupResult<Pruned> {
        let Some(_alone) = self.repository.lock_to_remove()? else {
            return Ok(Pruned { is_deferred: true, ..Pruned::default() });
        };
        let names = self.repository.names()?;
        let manifests: Vec<Manifest> =
            names.iter().map(|name| self.repository.manifest(name)).collect::<BackupResult<_>>()?;
        let times: Vec<i64> = manifests.iter().map(|manifest| manifest.summary.created).collect();
        let mut pruned = Pruned::default();
        let mut needed: HashSet<ObjectId> = HashSet::new();
        for (manifest, kept) in manifests.iter().zip(keep.kept(&times)) {
            match kept {
                true => needed.extend(manifest.pieces().map(|(piece, _)| piece.0)),
                false => pruned.backups.push(manifest.summary.name.clone()),
            }
        }
        // The manifest first: objects without one are nothing, a manifest without its objects would be a broken backup.
        for name in &pruned.backups {
            self.repository.delete(&Manifest::stored_name(name))?;
        }
        crash::point(Step::BackupPruned);
        let Stored { objects, others } = self.repository.objects()?;
        for (id, stored) in objects.iter().filter(|(id, _)| !needed.contains(id)) {
            self.repository.delete(&id.name())?;
            pruned.objects += 1;
            pruned.bytes += stored;
        }
        let drafts = others.into_iter().chain(self.repository.drafts()?);
        drafts.into_iter().try_for_each(|draft| self.repository.delete(&draft))?;
        Ok(pruned)
    }
}

/// A name that comes behind the newest one: also where earlier ones of the same second were removed, and where the clock was
/// set back.
fn name_after(newest: Option<&str>, now: &str) -> String {
    match newest.map(rank) {
        Some((time, number)) if time >= now => format!("{time}-{}", number + 1),
        _ => format!("{now}-1"),
    }
}

/// The objects of the newest backup whose list can be read, with the bytes that they took.
fn newest_pieces(repository: &Repository<'_>) -> BackupResult<HashMap<ObjectId, u64>> {
    for name in repository.names()? {
        match repository.manifest(&name) {
            Ok(newest) => return Ok(newest.pieces().map(|(Piece(id, _, stored), _)| (*id, *stored)).collect()),
            // A backup that cannot be restored is a reason to make another one.
            Err(error @ BackupError::Damaged { .. }) => tracing::warn!("{}", chain(&error)),
            Err(other) => return Err(other),
        }
    }
    Ok(HashMap::new())
}

fn tasks(source: &BackupSource) -> Vec<Task<'_>> {
    let mut tasks: Vec<Task<'_>> = source.runs.iter().map(Task::Run).collect();
    for file in &source.files {
        let offsets = (0..file.length).step_by(PIECE as usize);
        tasks.extend(offsets.map(|offset| Task::Piece { file, offset, length: PIECE.min(file.length - offset) }));
    }
    tasks
}

impl Task<'_> {
    fn length(&self) -> u64 {
        match self {
            Self::Run(run) => run.length,
            Self::Piece { length, .. } => *length,
        }
    }
}

fn manifest(source: &BackupSource, summary: BackupSummary, pieces: Vec<Piece>) -> Manifest {
    let mut pieces = pieces.into_iter();
    let runs = pieces.by_ref().take(source.runs.len()).collect();
    let files = source.files.iter().map(|file| {
        let count = file.length.div_ceil(PIECE) as usize;
        let pieces = pieces.by_ref().take(count).collect();
        BackupFile { part: file.part, path: file.path.clone(), length: file.length, pieces }
    });
    let files = files.collect();
    let documents = BackupDocuments { runs, totals: source.totals.clone() };
    Manifest { summary, data: source.data.clone(), documents, files }
}

fn read(path: &Path, offset: u64, length: u64) -> BackupResult<Vec<u8>> {
    let mut content = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(&mut content));
    read.map_err(Error::io("read", path))?;
    Ok(content)
}

/// Whether a place lies in the data folder, or is it. What does not exist yet lies where its parent does.
fn is_inside(place: &Path, data: &Path) -> bool {
    let Ok(data) = data.canonicalize() else { return false };
    let place = std::path::absolute(place).unwrap_or_else(|_| place.to_path_buf());
    let existing = place.ancestors().find_map(|ancestor| ancestor.canonicalize().ok());
    existing.is_some_and(|existing| existing.starts_with(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_backup_has_a_later_name() {
        assert_eq!(name_after(None, "20261130T120000Z"), "20261130T120000Z-1");
        let after = |newest: &str, now: &str| {
            let name = name_after(Some(newest), now);
            assert!(rank(&name) > rank(newest), "{name} is not behind {newest}");
            name
        };
        assert_eq!(after("20261130T115959Z-7", "20261130T120000Z"), "20261130T120000Z-1");
        assert_eq!(after("20261130T120000Z-9", "20261130T120000Z"), "20261130T120000Z-10", "the others may be removed");
        assert_eq!(after("20271130T120000Z-1", "20261130T120000Z"), "20271130T120000Z-2", "the clock was set back");
    }
}
