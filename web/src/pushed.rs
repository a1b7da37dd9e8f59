//! Documents that programs push: kept as files in the data folder, below `pushed/SOURCE/`, each folder a source like any
//! other. So they are read by the same readers, found again by a rebuild, and safe before their commit: a file is
//! written as a draft and synced, then renamed into place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use indexer::FileAccess;
use storage::{Access, Source};
use unicode_normalization::UnicodeNormalization as _;

use crate::error::Error;
use crate::given::{Change, Given};
use crate::links::{GivenLinks, LINKS};
use crate::traffic::Ticket;
use crate::writer::Failure;

/// Bytes of a path within a source.
const MAX_PATH: usize = 512;
/// Bytes of the name of a pushed source.
const MAX_NAME: usize = 64;

/// The folder of all pushed documents.
pub(crate) struct Pushed {
    root: PathBuf,
    links: Arc<GivenLinks>,
    accesses: Given<Access>,
    placing: Mutex<()>,
}

/// A file that is not in place yet, below `.unfinished`; removed when it is dropped, unless it was put in place. What is
/// left of a crash is removed at the next start.
pub(crate) struct Draft {
    path: PathBuf,
    /// Until it is finished.
    file: Option<File>,
    room: Ticket,
}

/// The files of pushed sources while nobody else changes them.
pub(crate) struct Placing<'a> {
    pushed: &'a Pushed,
    /// Folders in which something was put or removed since the last sync.
    folders: BTreeSet<PathBuf>,
    /// Addresses that came or went since then, by source.
    links: BTreeMap<String, Vec<Change<String>>>,
    /// Likewise who may see them.
    accesses: BTreeMap<String, Vec<Change<Access>>>,
    _lock: MutexGuard<'a, ()>,
}

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// A document.
    There,
    /// Nothing.
    Missing,
}

/// The folder of what was said of who may see documents, beside them.
const ACCESSES: &str = ".access";

impl fmt::Debug for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pushed").field("root", &self.root).finish_non_exhaustive()
    }
}

/// Who may see a pushed document, where that was pushed with it. Where nothing was said, what was said before stays.
impl FileAccess for Pushed {
    fn access(&self, source: &Source, path: &str) -> Option<Access> {
        self.accesses.of(&source.name, path)
    }
}

impl Pushed {
    /// Opens or makes the folder in the data folder.
    pub(crate) fn open(data_dir: &Path) -> io::Result<Self> {
        let root = data_dir.join("pushed");
        let unfinished = root.join(".unfinished");
        if unfinished.is_dir() {
            fs::remove_dir_all(&unfinished)?;
        }
        make_private(&root)?;
        fs::create_dir_all(&unfinished)?;
        let links = Arc::new(GivenLinks::open(&root, LINKS)?);
        let accesses = Given::open(&root, ACCESSES)?;
        Ok(Self { root: root.canonicalize()?, links, accesses, placing: Mutex::default() })
    }

    /// The source of that name, whether or not it exists yet.
    pub(crate) fn source(&self, name: &str) -> Result<Source, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
            return Err(Error::bad(format!(
                "source: expected 1 to {MAX_NAME} letters, digits, `-` or `_`, got {name:?}"
            )));
        }
        Ok(Source { name: name.to_string(), root: self.root.join(name) })
    }

    /// The addresses that were pushed with documents.
    pub(crate) fn links(&self) -> Arc<GivenLinks> {
        Arc::clone(&self.links)
    }

    /// Reads again what is given beside the documents: all of them were replaced.
    ///
    /// # Errors
    /// What the disk says; a file is damaged.
    pub(crate) fn reload(&self) -> io::Result<()> {
        self.links.reload()?;
        self.accesses.reload()
    }

    /// The folder of all pushed documents.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the documents of a source were pushed.
    pub(crate) fn owns(&self, source: &Source) -> bool {
        source.root.parent() == Some(&self.root)
    }

    /// The folders of pushed sources that exist, in the order of their names.
    pub(crate) fn sources(&self) -> io::Result<Vec<Source>> {
        let mut sources = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() && !name.starts_with('.') {
                sources.push(Source { name, root: entry.path() });
            }
        }
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(sources)
    }

    /// A new draft, whose bytes count as `room`.
    ///
    /// # Errors
    /// [`Error::Unwritable`] with what the disk says.
    pub(crate) fn draft(&self, room: Ticket) -> Result<Draft, Error> {
        let path = self.root.join(".unfinished").join(random_name()?);
        let file = File::create_new(&path).map_err(not_kept)?;
        Ok(Draft { path, file: Some(file), room })
    }

    /// Keeps others from putting and removing files until it is dropped: what was checked stays true.
    pub(crate) fn lock(&self) -> Placing<'_> {
        Placing {
            pushed: self,
            folders: BTreeSet::new(),
            links: BTreeMap::new(),
            accesses: BTreeMap::new(),
            _lock: self.placing.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Removes all documents of a pushed source.
    pub(crate) fn remove_source(&self, source: &Source) -> io::Result<()> {
        let _placing = self.lock();
        if self.owns(source) && source.root.is_dir() {
            fs::remove_dir_all(&source.root)?;
        }
        self.links.forget(&source.name)?;
        self.accesses.forget(&source.name)
    }
}

impl Draft {
    /// Writes more.
    ///
    /// # Errors
    /// [`Error::OverShare`], [`Error::Crowded`], [`Error::Unwritable`] with what the disk says.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.room.grow(bytes.len())?;
        let file = self.file.as_mut().ok_or_else(|| Error::internal("a draft was written to after its end"))?;
        file.write_all(bytes).map_err(not_kept)
    }

    /// Closes its file: there may be many drafts.
    pub(crate) fn close(&mut self) {
        self.file = None;
    }

    /// Makes it durable, with the time of its last change, and closes its file.
    ///
    /// # Errors
    /// As [`Draft::append`].
    pub(crate) fn finish(&mut self, modified: Option<i64>) -> Result<(), Error> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::options().write(true).open(&self.path).map_err(not_kept)?,
        };
        if let Some(seconds) = modified.and_then(|seconds| u64::try_from(seconds).ok()) {
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).map_err(not_kept)?;
        }
        file.sync_all().map_err(not_kept)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After it was put in place there is nothing here any more.
        let _ = fs::remove_file(&self.path);
    }
}

impl Placing<'_> {
    /// Whether a document can be put at `path`, once the documents for which `goes` says so are removed.
    ///
    /// # Errors
    /// [`Error::Conflict`] where a folder and a document would have the same name.
    pub(crate) fn check_put(&self, source: &Source, path: &str, goes: &dyn Fn(&str) -> bool) -> Result<(), Error> {
        let same = |what: &str| Error::Conflict {
            detail: format!("{path}: {what}; a folder and a document cannot have the same name"),
        };
        for above in above(path) {
            match lies_at(&source.root.join(above))? {
                Some(Lies::Folder) => {}
                Some(Lies::File) if !goes(above) => return Err(same(&format!("{above} is a document"))),
                Some(Lies::File) | None => return Ok(()),
            }
        }
        let stays =
            |file: &Path| file.strip_prefix(&source.root).ok().and_then(Path::to_str).is_none_or(|path| !goes(path));
        match lies_at(&source.root.join(path))? {
            Some(Lies::Folder) if holds(&source.root.join(path), &stays).map_err(not_kept)? => {
                Err(same("it is a folder with documents"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the document at `path` can be removed, and whether there is one.
    ///
    /// # Errors
    /// [`Error::NotWhole`] if it is a folder, or lies inside of a file that was pushed as a whole.
    pub(crate) fn check_remove(&self, source: &Source, path: &str) -> Result<Presence, Error> {
        for above in above(path) {
            match lies_at(&source.root.join(above))? {
                Some(Lies::Folder) => {}
                Some(Lies::File) => {
                    let detail = format!("{path}: it lies inside of {above}, which was pushed as a whole");
                    return Err(Error::NotWhole { detail });
                }
                None => return Ok(Presence::Missing),
            }
        }
        match lies_at(&source.root.join(path))? {
            Some(Lies::Folder) => Err(Error::NotWhole { detail: format!("{path}: it is a folder") }),
            Some(Lies::File) => Ok(Presence::There),
            None => Ok(Presence::Missing),
        }
    }

    /// Closes documents, before their new texts are put in place, to all but those who may see both the old and the new ones;
    /// whom the new ones are open to is said by [`Placing::sync`]. Durable when it returns.
    ///
    /// # Errors
    /// [`Error::Unwritable`] with what the disk says; then nothing is changed.
    pub(crate) fn close(&mut self, accesses: Vec<(&Source, String, Access)>) -> Result<(), Error> {
        let known = &self.pushed.accesses;
        let mut both: BTreeMap<&str, Vec<Change<Access>>> = BTreeMap::new();
        for (source, path, new) in &accesses {
            let old = known.of(&source.name, path).unwrap_or_default();
            both.entry(&source.name).or_default().push((path.clone(), Some(old.and(new.clone()))));
        }
        for (source, changes) in both {
            known.change(source, changes).map_err(not_kept)?;
        }
        for (source, path, new) in accesses {
            self.accesses.entry(source.name.clone()).or_default().push((path, Some(new)));
        }
        Ok(())
    }

    /// Puts a finished draft in place, with the address that is given for it. It stays there after a power loss only once [`Placing::sync`] was called.
    ///
    /// # Errors
    /// [`Error::Unwritable`] with what the disk says; then nothing is changed.
    pub(crate) fn put(&mut self, source: &Source, path: &str, draft: &Draft, url: Option<&str>) -> Result<(), Error> {
        let place = source.root.join(path);
        let folder = place.parent().ok_or_else(|| Error::bad("path: expected a file name"))?;
        fs::create_dir_all(folder).map_err(not_kept)?;
        if lies_at(&place)? == Some(Lies::Folder) {
            remove_empty(&place).map_err(not_kept)?;
        }
        fs::rename(&draft.path, &place).map_err(not_kept)?;
        self.changed(folder);
        self.linked(source, path, url);
        Ok(())
    }

    /// Removes a document; nothing happens if it is gone already. As durable as [`Placing::put`].
    ///
    /// # Errors
    /// What the disk says; then nothing is changed.
    pub(crate) fn remove(&mut self, source: &Source, path: &str) -> Result<(), Error> {
        let place = source.root.join(path);
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(not_kept(error)),
            // A source of which nothing was ever put is an empty folder, not one that is out of reach.
            Err(_) if !source.root.is_dir() => {
                fs::create_dir_all(&source.root).map_err(not_kept)?;
                self.changed(&source.root);
            }
            Err(_) => {}
            Ok(()) => place.parent().into_iter().for_each(|folder| self.changed(folder)),
        }
        self.linked(source, path, None);
        self.accesses.entry(source.name.clone()).or_default().push((path.to_string(), None));
        Ok(())
    }

    fn linked(&mut self, source: &Source, path: &str, url: Option<&str>) {
        self.links.entry(source.name.clone()).or_default().push((path.to_string(), url.map(str::to_string)));
    }

    /// Each folder on the way may be new: its own entry has to be durable too.
    fn changed(&mut self, folder: &Path) {
        let mut folder = Some(folder);
        while let Some(this) = folder.filter(|folder| folder.starts_with(&self.pushed.root)) {
            if !self.folders.insert(this.to_path_buf()) {
                break;
            }
            folder = this.parent();
        }
    }

    /// Makes all that was put and removed durable.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        // The innermost first: a folder's entry is worth something once its content is there.
        for folder in std::mem::take(&mut self.folders).iter().rev() {
            match File::open(folder).and_then(|folder| folder.sync_all()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(not_kept(error)),
                _ => {}
            }
        }
        for (source, changes) in std::mem::take(&mut self.links) {
            self.pushed.links.change(&source, changes).map_err(not_kept)?;
        }
        for (source, changes) in std::mem::take(&mut self.accesses) {
            self.pushed.accesses.change(&source, changes).map_err(not_kept)?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lies {
    Folder,
    File,
}

/// What lies at a place, links not followed.
fn lies_at(place: &Path) -> Result<Option<Lies>, Error> {
    match fs::symlink_metadata(place) {
        Ok(found) if found.is_dir() => Ok(Some(Lies::Folder)),
        Ok(_) => Ok(Some(Lies::File)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(not_kept(error)),
    }
}

/// The folders above a path, outermost first.
pub(crate) fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(slash, _)| &path[..slash])
}

/// Whether a folder holds a file for which `counts` says so, however deep.
fn holds(folder: &Path, counts: &dyn Fn(&Path) -> bool) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = if entry.file_type()?.is_dir() { holds(&entry.path(), counts)? } else { counts(&entry.path()) };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes a folder that holds folders alone.
fn remove_empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        remove_empty(&entry?.path())?;
    }
    fs::remove_dir(folder)
}

/// What the disk said, without its paths for those who may not know them.
fn not_kept(error: io::Error) -> Error {
    tracing::error!("the folder of pushed documents cannot be changed: {error}");
    Error::Unwritable(Failure::disk(&error))
}

/// A path with its letters composed, as Linux and Windows type them: what macOS sends taken apart is the same document.
pub(crate) fn composed(path: String) -> String {
    if path.is_ascii() { path } else { path.nfc().collect() }
}

/// Refuses what would leave the source, be hidden from the walk, or not be a file name.
pub(crate) fn check_path(path: &str) -> Result<(), Error> {
    let bad = |why: &str| Err(Error::bad(format!("path: {why}; expected something like `notes/2025/plan.md`")));
    if path.is_empty() || path.len() > MAX_PATH {
        return bad(&format!("has {} bytes, 1 to {MAX_PATH} are allowed", path.len()));
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return bad("control characters and backslashes are not allowed");
    }
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && part.len() <= 255 && part.trim() == part;
    if !path.split('/').all(plain) {
        return bad("a part is empty, hidden, too long, or has blanks at its ends");
    }
    let normal = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if normal { Ok(()) } else { bad("it has to stay within its source") }
}

fn random_name() -> Result<String, Error> {
    let mut bytes = [0u8; 12];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Makes the folder for this user only: a group that may read the index has no business here.
#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Budget;

    #[test]
    fn paths_stay_within_their_source() {
        for good in ["a.md", "notes/2025/plan.md", "报销.md", "a b/c.txt"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for bad in ["", "/etc/passwd", "../a", "a/../../b", "a//b", ".hidden", "a/.git/x", "a\\b", "a\n", "a/", "a/ b"]
        {
            assert!(check_path(bad).is_err(), "{bad}");
        }
    }

    fn open(data: &Path) -> (Pushed, Source, Budget) {
        let pushed = Pushed::open(data).unwrap();
        let source = pushed.source("api").unwrap();
        (pushed, source, Budget::new("bytes", 100, 100))
    }

    fn put(pushed: &Pushed, source: &Source, budget: &Budget, path: &str, text: &str) -> Result<(), Error> {
        let mut draft = pushed.draft(budget.take("ann", 0)?)?;
        draft.append(text.as_bytes())?;
        draft.finish(Some(1_000))?;
        let mut placing = pushed.lock();
        placing.check_put(source, path, &|_| false)?;
        placing.put(source, path, &draft, None)?;
        placing.sync()
    }

    #[test]
    fn files_are_put_replaced_and_removed() {
        let data = tempfile::tempdir().unwrap();
        let (pushed, source, budget) = open(data.path());
        assert!(pushed.owns(&source) && pushed.source("../x").is_err());
        put(&pushed, &source, &budget, "a/b.md", "one").unwrap();
        put(&pushed, &source, &budget, "a/b.md", "two").unwrap();
        assert_eq!(fs::read(source.root.join("a/b.md")).unwrap(), b"two");
        assert!(matches!(put(&pushed, &source, &budget, "a", "x"), Err(Error::Conflict { .. })));
        assert!(matches!(put(&pushed, &source, &budget, "a/b.md/c", "x"), Err(Error::Conflict { .. })));
        let mut placing = pushed.lock();
        assert_eq!(placing.check_remove(&source, "a/b.md").unwrap(), Presence::There);
        placing.remove(&source, "a/b.md").unwrap();
        placing.remove(&source, "a/b.md").unwrap();
        assert_eq!(placing.check_remove(&source, "a/b.md").unwrap(), Presence::Missing);
        placing.sync().unwrap();
        drop(placing);
        assert!(!source.root.join("a/b.md").exists());
        put(&pushed, &source, &budget, "a", "the folder was empty").unwrap();
        assert_eq!(fs::read_dir(data.path().join("pushed/.unfinished")).unwrap().count(), 0);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn what_is_not_a_document_by_itself_cannot_be_removed() {
        let data = tempfile::tempdir().unwrap();
        let (pushed, source, budget) = open(data.path());
        put(&pushed, &source, &budget, "a/inner.zip", "x").unwrap();
        let placing = pushed.lock();
        for path in ["a", "a/inner.zip/in.md", "a/inner.zip/deep/in.md"] {
            assert!(matches!(placing.check_remove(&source, path), Err(Error::NotWhole { .. })), "{path}");
        }
        assert_eq!(placing.check_remove(&source, "b/c/d.md").unwrap(), Presence::Missing);
        let goes = |path: &str| path == "a/inner.zip";
        placing.check_put(&source, "a/inner.zip/in.md", &goes).unwrap();
        placing.check_put(&source, "a", &goes).unwrap();
        assert!(placing.check_put(&source, "a", &|_| false).is_err());
    }

    #[test]
    fn a_draft_counts_while_it_lasts_and_leaves_nothing() {
        let data = tempfile::tempdir().unwrap();
        let (pushed, _, budget) = open(data.path());
        let mut draft = pushed.draft(budget.take("ann", 0).unwrap()).unwrap();
        draft.append(&[b'x'; 90]).unwrap();
        assert!(matches!(draft.append(&[b'x'; 11]), Err(Error::OverShare { .. })));
        let drafts = || fs::read_dir(data.path().join("pushed/.unfinished")).unwrap().count();
        assert_eq!((budget.held(), drafts()), (90, 1));
        drop(draft);
        assert_eq!((budget.held(), drafts()), (0, 0));
        fs::write(data.path().join("pushed/.unfinished/left"), "x").unwrap();
        drop(pushed);
        Pushed::open(data.path()).unwrap();
        assert_eq!(drafts(), 0, "what a crash left is removed at the start");
    }
}
