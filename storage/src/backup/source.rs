//! What is backed up: a data folder as of one commit, pinned so that the writer may go on.
//!
//! While the writer waits, the document store is exported (its files move under it, and it knows no snapshots) and all other
//! files get a second name in a folder of their own: they are never changed but by appending or by another file in their
//! place, so that the name keeps the content, also when a later commit removes the file. Runs of the document store that
//! the backups have already are not written down. Copying comes after, and the folder goes with the [`BackupSource`].

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::manifest::Part;
use super::object::ObjectId;
use super::runs::RunCutter;
use super::writer::KnownObjects;
use crate::documents::{Documents, Settings};
use crate::error::{Error, Result};
use crate::lexical::LexicalIndex;
use crate::record::IndexModel;
use crate::{access, edition, files, layout, settings, totals};

/// Folder of the second names, in the data folder.
const PINS: &str = "backing-up";
/// File of the runs in it.
const RUNS: &str = "runs";
/// What lies in a data folder and is not backed up, beside every index: who is signed in, which signing in gives again, and
/// what means nothing without the process that wrote it.
const LEFT_OUT: [&str; 3] = ["sessions.json", "accepted-backups.json", "LOCK"];
/// Files that programs push and that nobody has accepted yet.
const UNFINISHED: &str = "pushed/.unfinished";

/// What a store consists of, for as long as it does not change.
pub(crate) struct Parts<'a> {
    pub(crate) data: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) settings: &'a Settings,
    pub(crate) documents: &'a Documents,
    pub(crate) lexical: &'a LexicalIndex,
    /// Bytes of the vector file that are acknowledged.
    pub(crate) vector_bytes: u64,
}

/// A data folder as of one commit. Keep the store that it is from, or its lock, until it is dropped.
pub struct BackupSource {
    pub(super) data: PathBuf,
    pub(super) model: IndexModel,
    pub(super) generation: u64,
    pub(super) documents: u64,
    pub(super) passages: u64,
    pub(super) runs: Vec<PinnedRun>,
    pub(super) totals: Vec<u8>,
    pub(super) files: Vec<PinnedFile>,
    pub(super) waited: Duration,
    pins: Pins,
}

/// A run of the document store.
pub(super) struct PinnedRun {
    pub(super) id: ObjectId,
    pub(super) length: u64,
    /// Where it is in the file of the runs; `None` if it was not wanted there: the backups have it.
    pub(super) at: Option<u64>,
}

/// A file, by its second name.
pub(super) struct PinnedFile {
    pub(super) part: Part,
    pub(super) path: String,
    pub(super) pinned: PathBuf,
    pub(super) length: u64,
}

impl BackupSource {
    /// Pins what a store consists of now.
    pub(crate) fn pin(parts: &Parts<'_>, known: &KnownObjects) -> Result<Self> {
        let began = Instant::now();
        let pins = Pins::new(parts.data)?;
        let (runs, totals) = export(parts.documents, &pins.runs(), |id| !known.has(id))?;
        let mut pinned = Pinned { pins: &pins, files: Vec::new() };
        pinned.index(parts)?;
        pinned.beside(parts.data)?;
        let mut files = pinned.files;
        files.sort_by(|a, b| (a.part, &a.path).cmp(&(b.part, &b.path)));
        let counted = parts.documents.totals();
        Ok(Self {
            data: parts.data.canonicalize().map_err(Error::io("open", parts.data))?,
            model: parts.settings.model.clone(),
            generation: counted.sequence,
            documents: counted.documents,
            passages: counted.chunks,
            runs,
            totals,
            files,
            waited: began.elapsed(),
            pins,
        })
    }

    /// How long the writer had to wait for it.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    pub(super) fn runs_file(&self) -> PathBuf {
        self.pins.runs()
    }
}

/// Writes down the runs that are wanted, and gives all of them, with the entry that counts them.
pub(super) fn export(
    documents: &Documents,
    path: &Path,
    is_wanted: impl Fn(&ObjectId) -> bool,
) -> Result<(Vec<PinnedRun>, Vec<u8>)> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(Error::io("create", path))?);
    let (mut runs, mut end) = (Vec::new(), 0);
    let mut keep = |run: Vec<u8>| {
        let (id, length) = (ObjectId::of(&run), run.len() as u64);
        let at = is_wanted(&id).then_some(end);
        if at.is_some() {
            file.write_all(&run).map_err(Error::io("write", path))?;
            end += length;
        }
        runs.push(PinnedRun { id, length, at });
        Ok(())
    };
    let mut cutter = RunCutter::default();
    let totals = documents.export(|key, value| cutter.push(key, value).map_or(Ok(()), &mut keep))?;
    cutter.finish().map_or(Ok(()), &mut keep)?;
    file.flush().map_err(Error::io("write", path))?;
    Ok((runs, totals))
}

struct Pinned<'a> {
    pins: &'a Pins,
    files: Vec<PinnedFile>,
}

impl Pinned<'_> {
    fn index(&mut self, parts: &Parts<'_>) -> Result<()> {
        let folder = parts.folder;
        for path in [settings::path(folder), totals::path(folder)] {
            self.pin(Part::Index, &name_in(folder, &path), &path)?;
        }
        let vectors = layout::vector_file(folder);
        if let Some(number) = self.pin(Part::Index, &name_in(folder, &vectors), &vectors)? {
            // What lies behind is of no commit.
            let length = &mut self.files[number].length;
            *length = (*length).min(parts.vector_bytes);
        }
        for below in [layout::segments(folder), access::file::folder(folder)] {
            for (name, path) in listed(&below)? {
                if path.is_file() && !is_passing(&name) {
                    self.pin(Part::Index, &name_in(folder, &path), &path)?;
                }
            }
        }
        self.lexical(parts)
    }

    /// The files of the last commit of the lexical index. Segments may be merged in the background meanwhile: then once more.
    fn lexical(&mut self, parts: &Parts<'_>) -> Result<()> {
        let folder = layout::lexical(parts.folder);
        let lists = folder.join("meta.json");
        let read = || fs::read(&lists).map_err(Error::io("read", &lists));
        loop {
            let list = read()?;
            let segments = parts.lexical.segment_names()?;
            let before = self.files.len();
            let mut managed = vec!["meta.json".to_string()];
            for (name, path) in listed(&folder)? {
                if segments.iter().any(|segment| name.starts_with(segment)) {
                    self.pin(Part::Index, &name_in(parts.folder, &path), &path)?;
                    managed.push(name);
                }
            }
            if read()? == list {
                managed.sort_unstable();
                let managed = serde_json::to_vec(&managed).unwrap_or_default();
                self.write(&name_in(parts.folder, &lists), &list)?;
                return self.write(&name_in(parts.folder, &folder.join(".managed.json")), &managed);
            }
            for file in self.files.drain(before..) {
                files::remove(&file.pinned)?;
            }
        }
    }

    /// Everything else in the data folder: a room that puts something there need not say so here.
    fn beside(&mut self, data: &Path) -> Result<()> {
        let of_an_index = layout::parts(data);
        for (name, path) in listed(data)? {
            let is_left_out = LEFT_OUT.contains(&name.as_str()) || is_passing(&name) || edition::is_one(&name);
            if !is_left_out && !of_an_index.contains(&path) && name != PINS {
                self.below(&name, &path)?;
            }
        }
        Ok(())
    }

    fn below(&mut self, name: &str, path: &Path) -> Result<()> {
        let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
        if metadata.is_file() {
            return self.pin(Part::Beside, name, path).map(drop);
        }
        // Links lead elsewhere, and sockets nowhere.
        if metadata.is_dir() && name != UNFINISHED {
            for (inner, path) in listed(path)? {
                self.below(&format!("{name}/{inner}"), &path)?;
            }
        }
        Ok(())
    }

    /// Gives a file its second name; its number among all. `None` if it is gone.
    fn pin(&mut self, part: Part, name: &str, path: &Path) -> Result<Option<usize>> {
        let pinned = self.pins.place(part, name)?;
        match files::link_or_copy(path, &pinned) {
            Err(_) if !path.exists() => return Ok(None),
            linked => linked?,
        }
        let length = fs::metadata(&pinned).map_err(Error::io("open", &pinned))?.len();
        self.files.push(PinnedFile { part, path: name.to_string(), pinned, length });
        Ok(Some(self.files.len() - 1))
    }

    fn write(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let pinned = self.pins.place(Part::Index, name)?;
        fs::write(&pinned, content).map_err(Error::io("write", &pinned))?;
        let length = content.len() as u64;
        self.files.push(PinnedFile { part: Part::Index, path: name.to_string(), pinned, length });
        Ok(())
    }
}

/// What is a draft, or was put aside because it is broken.
fn is_passing(name: &str) -> bool {
    name.ends_with(".tmp") || name.contains(".quarantine")
}

/// The path of a file in a folder, with `/` between the parts.
fn name_in(folder: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(folder).unwrap_or(path).components();
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// What is in a folder, by its names; nothing if it is not there.
fn listed(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let entry = entry.map_err(Error::io("list", folder))?;
        match entry.file_name().into_string() {
            Ok(name) => found.push((name, entry.path())),
            // None of ours, and nothing that a list could name.
            Err(name) => tracing::warn!("not backed up, its name is not UTF-8: {}", folder.join(name).display()),
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The folder of the second names of one source, removed with it.
struct Pins {
    folder: PathBuf,
}

impl Pins {
    fn new(data: &Path) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = data.join(PINS).join(number.to_string());
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        Ok(Self { folder })
    }

    fn runs(&self) -> PathBuf {
        self.folder.join(RUNS)
    }

    /// Where the second name of a file is.
    fn place(&self, part: Part, name: &str) -> Result<PathBuf> {
        let of_part = match part {
            Part::Index => "index",
            Part::Beside => "beside",
        };
        let path = self.folder.join(of_part).join(name);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        Ok(path)
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        // What stays is removed by the next writer.
        let _ = fs::remove_dir_all(&self.folder);
        // The last one takes the folder of all with it.
        let _ = self.folder.parent().map(fs::remove_dir);
    }
}

/// Removes what a process that was killed had pinned. The caller holds the data folder's lock, and no source.
pub(crate) fn remove_leftovers(data: &Path) -> Result<()> {
    files::remove(&data.join(PINS))
}
