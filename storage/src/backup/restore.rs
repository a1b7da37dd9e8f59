//! Restoring: everything is read, compared with its hash and written beside; opened as a writer does; verified whole; and only
//! then put in force by one rename.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::destination::Destination;
use super::error::{BackupError, BackupResult};
use super::manifest::{BackupFile, BackupSummary, Manifest, Part};
use super::moment::At;
use super::near::Near;
use super::object::Piece;
use super::observer::BackupObserver;
use super::repository::Repository;
use super::{runs, workers};
use crate::crash::{self, Step};
use crate::database::Database;
use crate::documents::{Documents, Importer, Settings};
use crate::durable::{Readers, create, replace_durably};
use crate::error::Error;
use crate::lock::Lock;
use crate::{edition, files, layout, private, recover, settings, verify};

/// Where what lies beside the index waits, in the folder of the index in the making.
const BESIDE: &str = "beside";

/// What a server has accepted for whole sources and not done yet: entries with a [`Source`](crate::Source) each.
const ACCEPTED: &str = "accepted.json";

/// What was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What the backup says of itself.
    pub summary: BackupSummary,
    /// Sources of which the folders lay in the data folder, which is another now.
    pub moved: Vec<String>,
    /// What the index repaired when it was opened, in words.
    pub repairs: Vec<String>,
}

/// Restores a backup into the folder `data`, which is new or empty, or holds what a restore that was cut off has left.
///
/// # Errors
/// [`BackupError::NotEmpty`], [`BackupError::NoBackup`]; [`BackupError::Damaged`] and [`BackupError::Unsound`] if it is not what was backed
/// up; the destination or the disk refuses. The folder holds no index then.
pub fn restore(
    destination: &dyn Destination,
    data: &Path,
    at: &At,
    observer: &dyn BackupObserver,
) -> BackupResult<Restored> {
    let repository = Repository::open(destination)?;
    let manifest = repository.find(at)?;
    check_format(&manifest, destination)?;
    check_empty(data)?;
    let repairs = private::make_folder(data)?;
    let lock = Lock::acquire(data)?;
    let restored = Restoration::new(&repository, &manifest, data, observer).whole();
    drop(lock);
    let mut restored = restored?;
    restored.repairs.splice(..0, repairs);
    Ok(restored)
}

pub(super) fn check_format(manifest: &Manifest, destination: &dyn Destination) -> BackupResult<()> {
    let (found, expected) = (manifest.summary.index_format, settings::FORMAT);
    match found > expected {
        true => Err(Error::Format { path: PathBuf::from(destination.place()), found, expected }.into()),
        false => Ok(()),
    }
}

/// Whether there is nothing in a folder but what a restore may take away.
pub(super) fn check_empty(data: &Path) -> BackupResult<()> {
    if !data.exists() {
        return Ok(());
    }
    let is_continued = edition::restoring(data).is_dir() && edition::in_force(data)? == data;
    let entries = fs::read_dir(data).map_err(Error::io("list", data))?;
    let parts = layout::parts(data);
    for entry in entries {
        let entry = entry.map_err(Error::io("list", data))?;
        let is_lock = entry.file_name() == "LOCK" || entry.file_name() == "lost+found";
        if !is_lock && (!is_continued || parts.contains(&entry.path())) {
            return Err(BackupError::NotEmpty { path: data.to_path_buf() });
        }
    }
    Ok(())
}

/// A backup on its way into a data folder, whose lock the caller holds: first all that it holds is written beside what is in
/// force, opened and checked; then it takes its place.
pub(super) struct Restoration<'a> {
    repository: &'a Repository<'a>,
    pub(super) manifest: &'a Manifest,
    data: &'a Path,
    /// What is here already.
    pub(super) near: Option<Near>,
    observer: &'a dyn BackupObserver,
    /// Where the new edition is made.
    folder: PathBuf,
    done: AtomicU64,
    /// Bytes that had to be fetched.
    fetched: AtomicU64,
}

impl<'a> Restoration<'a> {
    pub(super) fn new(
        repository: &'a Repository<'a>,
        manifest: &'a Manifest,
        data: &'a Path,
        observer: &'a dyn BackupObserver,
    ) -> Self {
        let folder = edition::restoring(data);
        let (done, fetched) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { repository, manifest, data, near: None, observer, folder, done, fetched }
    }

    /// Makes the folder that is filled, without what a restore that was cut off has left there.
    pub(super) fn begin(&self) -> BackupResult<()> {
        files::remove(&self.folder)?;
        Ok(fs::create_dir(&self.folder).map_err(Error::io("create", &self.folder))?)
    }

    /// The folder that is filled.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes that had to be fetched.
    pub(super) fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    fn whole(&self) -> BackupResult<Restored> {
        let restored = self.begin().and_then(|()| self.fill(|_| true)).and_then(|restored| {
            self.put_in_force()?;
            Ok(restored)
        });
        if restored.is_err() {
            // The reason of the failure is what counts; what stays is removed by the next restore.
            let _ = files::remove(&self.folder);
        }
        restored
    }

    /// Writes what the backup holds, of what lies beside the index only what is wanted; opens it as a writer does, and checks
    /// it whole.
    pub(super) fn fill(&self, is_wanted: impl Fn(&BackupFile) -> bool) -> BackupResult<Restored> {
        let wanted: Vec<&BackupFile> = self.manifest.files.iter().filter(|file| is_wanted(file)).collect();
        workers::each(&wanted, |file| self.write_file(file))?;
        self.write_documents()?;
        self.near.iter().for_each(Near::remove);
        sync_below(&self.folder)?;
        crash::point(Step::RestoreFilled);
        let moved = relocate(self.manifest, self.data, &self.folder)?;
        let opened = recover::open(&self.folder, &self.manifest.summary.model)?;
        let repairs = opened.repairs;
        opened.lexical.close()?;
        drop((opened.documents, opened.vectors, opened.index));
        Database::wait_until_free(&layout::documents(&self.folder))?;
        let name = &self.manifest.summary.name;
        if let Some(finding) = verify::verify_edition(&self.folder)?.findings.first() {
            let finding = format!("{}: {}", finding.part, finding.detail);
            return Err(BackupError::Unsound { name: name.clone(), finding });
        }
        Database::wait_until_free(&layout::documents(&self.folder))?;
        relocate_accepted(self.manifest, self.data, &beside(&self.folder))?;
        Ok(Restored { summary: self.manifest.summary.clone(), moved, repairs })
    }

    /// Puts in force what was filled.
    pub(super) fn put_in_force(&self) -> BackupResult<()> {
        put_in_force(self.data, &self.folder)
    }

    fn add(&self, bytes: u64) -> BackupResult<()> {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.observer.progressed(done, self.manifest.summary.bytes);
        if self.observer.is_stopped() { Err(BackupError::Stopped) } else { Ok(()) }
    }

    /// What is here, or else what lies at the destination.
    fn content(&self, here: Option<Vec<u8>>, piece: &Piece, of: &str) -> BackupResult<Vec<u8>> {
        if let Some(content) = here {
            return Ok(content);
        }
        let content = self.repository.content(piece, of)?;
        self.fetched.fetch_add(piece.2, Ordering::Relaxed);
        Ok(content)
    }

    fn write_file(&self, file: &BackupFile) -> BackupResult<()> {
        let root = match file.part {
            Part::Index => self.folder.clone(),
            Part::Beside => beside(&self.folder),
        };
        let path = root.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        let mut written = create(&path, Readers::Owner).map_err(Error::io("create", &path))?;
        let mut offset = 0;
        for piece in &file.pieces {
            let here = self.near.as_ref().and_then(|near| near.piece(file, offset, piece));
            let content = self.content(here, piece, &file.path)?;
            written.write_all(&content).map_err(Error::io("write", &path))?;
            offset += piece.1;
            self.add(piece.1)?;
        }
        written.sync_all().map_err(Error::io("write", &path))?;
        Ok(())
    }

    /// Makes a new document store of the entries of the old one, and proves by its own sums that it is the same.
    fn write_documents(&self) -> BackupResult<()> {
        let path = layout::documents(&self.folder);
        let importer = Importer::create(&path)?;
        for piece in &self.manifest.documents.runs {
            let here = self.near.as_ref().and_then(|near| near.run(piece));
            let run = self.content(here, piece, "the document store")?;
            importer.put(&runs::entries(&run)?)?;
            self.add(piece.1)?;
        }
        importer.finish(&self.manifest.documents.totals)?;
        Database::wait_until_free(&path)?;
        let totals = Documents::open(&path)?.totals();
        let summary = &self.manifest.summary;
        let counts = (summary.generation, summary.documents, summary.passages);
        if (totals.sequence, totals.documents, totals.chunks) != counts {
            return Err(BackupError::damaged(
                format!("the list of the backup {}", summary.name),
                "its counts are others",
            ));
        }
        Ok(())
    }
}

/// Where what lies beside the index waits, in the folder that is filled.
pub(super) fn beside(folder: &Path) -> PathBuf {
    folder.join(BESIDE)
}

/// Puts in force what was filled in a folder.
pub(super) fn put_in_force(data: &Path, folder: &Path) -> BackupResult<()> {
    // Who is let in and who may see what is there before there is anything to see.
    place_beside(&beside(folder), data)?;
    crash::point(Step::RestorePlaced);
    Ok(edition::change_over(data, folder)?)
}

/// Documents that were pushed lie in the data folder, and their sources name it: where it is another one now, they do so. The
/// names of the sources that were changed.
fn relocate(manifest: &Manifest, data: &Path, folder: &Path) -> BackupResult<Vec<String>> {
    let data = data.canonicalize().map_err(Error::io("open", data))?;
    let mut documents = Documents::open(&layout::documents(folder))?;
    let Some(mut described) = documents.settings()? else {
        return Err(Error::damaged("the document store", "it does not say what the index is made of").into());
    };
    let mut moved = Vec::new();
    for source in &mut described.sources {
        if let Ok(below) = source.root.strip_prefix(&manifest.data)
            && data != manifest.data
        {
            source.root = data.join(below);
            moved.push(source.name.clone());
        }
    }
    if !moved.is_empty() {
        write_settings(&mut documents, &described, folder)?;
    }
    drop(documents);
    Database::wait_until_free(&layout::documents(folder))?;
    Ok(moved)
}

/// What was accepted for pushed sources and is not done yet names their folders, too.
fn relocate_accepted(manifest: &Manifest, data: &Path, beside: &Path) -> BackupResult<()> {
    let path = beside.join(ACCEPTED);
    let data = data.canonicalize().map_err(Error::io("open", data))?;
    if data == manifest.data || !path.is_file() {
        return Ok(());
    }
    let text = fs::read(&path).map_err(Error::io("read", &path))?;
    // What cannot be read is for whoever reads it to refuse.
    let Ok(mut accepted) = serde_json::from_slice::<serde_json::Value>(&text) else { return Ok(()) };
    for entry in accepted.as_array_mut().into_iter().flatten() {
        let Some(root) = entry.pointer_mut("/source/root") else { continue };
        let below = root.as_str().and_then(|root| Path::new(root).strip_prefix(&manifest.data).ok());
        if let Some(moved) = below.map(|below| data.join(below)) {
            *root = serde_json::Value::from(moved.to_string_lossy());
        }
    }
    let text = serde_json::to_vec(&accepted).unwrap_or_default();
    let written = replace_durably(&path, Readers::Owner, |file| file.write_all(&text));
    Ok(written.map_err(Error::io("write", &path))?)
}

fn write_settings(documents: &mut Documents, described: &Settings, folder: &Path) -> BackupResult<()> {
    documents.replace_settings(described)?;
    Ok(settings::write(folder, described)?)
}

/// Moves what lies beside an index to its place. A restore that was cut off may have done so before.
fn place_beside(beside: &Path, data: &Path) -> BackupResult<()> {
    let replaced = beside.with_extension("replaced");
    files::remove(&replaced)?;
    if beside.is_dir() {
        fs::create_dir(&replaced).map_err(Error::io("create", &replaced))?;
        for entry in fs::read_dir(beside).map_err(Error::io("list", beside))? {
            let entry = entry.map_err(Error::io("list", beside))?;
            let (from, to) = (entry.path(), data.join(entry.file_name()));
            // Nobody misses a folder for longer than two renames take.
            if to.exists() && (to.is_dir() || from.is_dir()) {
                fs::rename(&to, replaced.join(entry.file_name())).map_err(Error::io("rename", &to))?;
            }
            fs::rename(&from, &to).map_err(Error::io("rename", &from))?;
        }
        files::sync_folder(data)?;
    }
    files::remove(&replaced)?;
    Ok(files::remove(beside)?)
}

/// Makes all names below a folder durable.
fn sync_below(folder: &Path) -> BackupResult<()> {
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        if path.is_dir() {
            sync_below(&path)?;
        }
    }
    Ok(files::sync_folder(folder)?)
}
