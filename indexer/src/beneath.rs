//! A source's root, held open, and what lies beneath it. Between the moment a folder is listed and the moment one of its
//! files is opened, anybody who may write there can put a symbolic link in place of any part of the path. So paths are
//! not believed: files are opened from the root's own descriptor, and the system (or, where it cannot, this code, part by
//! part) refuses every link on the way. Promises: nothing outside of the root is ever opened, nothing but ordinary files
//! is, and opening waits for nobody (a pipe has no writer to wait for).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use extract::FileError;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, open, openat, statat};
use rustix::io::Errno;

use crate::walk::MARK;

/// The root of a source, as it was when it was opened.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
    folder: OwnedFd,
    /// Device and number of the folder.
    identity: (u64, u64),
    /// The one file that is the source, where it is no folder.
    only: Option<OsString>,
}

/// Why something beneath a root is not opened.
#[derive(Debug, thiserror::Error)]
pub enum BeneathError {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A part of the path is a symbolic link, or the path leads out of the root.
    #[error("its path leads through a symbolic link or out of the source; links are not followed")]
    Link,
    /// Something that is no file.
    #[error("expected an ordinary file, got {found}")]
    NotAFile {
        /// What is there instead, in words.
        found: &'static str,
    },
}

/// What the system says of something beneath a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    /// What it is, in words, where it is no ordinary file.
    pub(crate) other: Option<&'static str>,
    pub(crate) bytes: u64,
    /// Nanoseconds since 1970.
    pub(crate) modified: i64,
    pub(crate) inode: (u64, u64),
}

/// Opens the ordinary file at `relative` below `root`, as a document's path names it, for reading. No part of the path
/// below the root may be a symbolic link.
///
/// # Errors
/// There is none, it cannot be read, it is something else, or its path leads out of the root.
pub fn open_beneath(root: &Path, relative: &str) -> io::Result<File> {
    let opened = Root::open(root)?.open_file(&native(relative));
    opened.map_err(io::Error::from)
}

impl Root {
    /// Opens a folder, or a single file that is a source by itself. What lies above may be links.
    ///
    /// # Errors
    /// It is not there, or cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let is_file = std::fs::metadata(path)?.is_file();
        let (base, only) = match (is_file, path.parent(), path.file_name()) {
            (true, Some(parent), Some(name)) => {
                (if parent == Path::new("") { Path::new(".") } else { parent }, Some(name.to_os_string()))
            }
            _ => (path, None),
        };
        let folder = open(base, SEARCH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let identity = identity(&fstat(&folder)?);
        Ok(Self { path: base.to_path_buf(), folder, identity, only })
    }

    /// The folder that paths are relative to, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the folder's name still leads to the folder that is held: another one in its place (a disk that went away,
    /// a link that was swapped in) says nothing about the documents.
    pub fn is_in_place(&self) -> bool {
        rustix::fs::stat(&self.path).is_ok_and(|stat| identity(&stat) == self.identity)
    }

    /// Opens an ordinary file for reading.
    ///
    /// # Errors
    /// [`BeneathError`]; `NotFound` where there is none.
    pub fn open_file(&self, relative: &Path) -> Result<File, BeneathError> {
        // Looked at first: to open a device can do something to it.
        let found = self.facts(relative)?;
        if let Some(found) = found.other {
            return Err(BeneathError::NotAFile { found });
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = self.open_at(relative, flags)?;
        match other_than_file(&fstat(&file).map_err(io::Error::from)?) {
            Some(found) => Err(BeneathError::NotAFile { found }),
            None => Ok(File::from(file)),
        }
    }

    /// What is at a path, held to look at it; a symbolic link there is not followed.
    pub(crate) fn look_at(&self, relative: &Path) -> Result<OwnedFd, BeneathError> {
        self.check(relative)?;
        self.open_at(relative, SEARCH | OFlags::NOFOLLOW | OFlags::CLOEXEC)
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// What is at a path; a symbolic link there is told as one.
    pub(crate) fn facts(&self, relative: &Path) -> Result<Facts, BeneathError> {
        self.check(relative)?;
        let name = relative.file_name().ok_or(BeneathError::Link)?;
        let stat = match relative.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            None => statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW),
            Some(parent) => {
                let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | SEARCH;
                statat(self.open_at(parent, flags)?, name, AtFlags::SYMLINK_NOFOLLOW)
            }
        };
        let stat = stat.map_err(explained)?;
        Ok(Facts {
            other: other_than_file(&stat),
            bytes: u64::try_from(stat.st_size).unwrap_or(0),
            modified: nanoseconds(&stat),
            inode: identity(&stat),
        })
    }

    /// Only names, so that no path leads out; for a source that is one file, only that name.
    fn check(&self, relative: &Path) -> Result<(), BeneathError> {
        let mut parts = relative.components();
        let inside = parts.all(|part| matches!(part, Component::Normal(_))) && !relative.as_os_str().is_empty();
        let wanted = self.only.as_deref().is_none_or(|only| relative.as_os_str() == only);
        if !inside {
            return Err(BeneathError::Link);
        }
        if wanted { Ok(()) } else { Err(io::Error::from(io::ErrorKind::NotFound).into()) }
    }

    fn open_at(&self, relative: &Path, flags: OFlags) -> Result<OwnedFd, BeneathError> {
        match by_the_system(self.folder.as_fd(), relative, flags) {
            // The kernel does not know the call, a filter of a container forbids it, or names were moved meanwhile.
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::TOOBIG | Errno::AGAIN) => {
                part_by_part(self.folder.as_fd(), relative, flags).map_err(explained)
            }
            opened => opened.map_err(explained),
        }
    }
}

/// Opened to look for names in it, not to list it: needs no right to read.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const SEARCH: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const SEARCH: OFlags = OFlags::RDONLY;

#[cfg(any(target_os = "linux", target_os = "android"))]
fn by_the_system(folder: BorrowedFd<'_>, relative: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(folder, relative, flags, Mode::empty(), resolve)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn by_the_system(_: BorrowedFd<'_>, _: &Path, _: OFlags) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

/// The same without help: each folder on the way is opened from the one before, and must not be a link.
fn part_by_part(folder: BorrowedFd<'_>, relative: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let names: Vec<&OsStr> = relative.components().map(Component::as_os_str).collect();
    let (last, before) = names.split_last().ok_or(Errno::NOENT)?;
    let step = SEARCH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut held: Option<OwnedFd> = None;
    for name in before {
        let from = held.as_ref().map_or(folder, |held| held.as_fd());
        held = Some(openat(from, *name, step, Mode::empty()).map_err(|error| link_or(from, name, error))?);
    }
    let from = held.as_ref().map_or(folder, |held| held.as_fd());
    openat(from, *last, flags | OFlags::NOFOLLOW, Mode::empty()).map_err(|error| link_or(from, last, error))
}

/// A link that was to be opened as a folder is "not a directory" to the system.
fn link_or(folder: BorrowedFd<'_>, name: &OsStr, error: Errno) -> Errno {
    let is_link = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
    if is_link { Errno::LOOP } else { error }
}

fn explained(error: Errno) -> BeneathError {
    match error {
        Errno::LOOP | Errno::XDEV | Errno::MLINK => BeneathError::Link,
        error => BeneathError::Io(error.into()),
    }
}

#[allow(clippy::unnecessary_cast, reason = "other systems have narrower types")]
pub(crate) fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

#[allow(clippy::unnecessary_cast, reason = "other systems have narrower types")]
pub(crate) fn nanoseconds(stat: &Stat) -> i64 {
    let seconds = (stat.st_mtime as i64).saturating_mul(1_000_000_000);
    seconds.saturating_add(i64::try_from(stat.st_mtime_nsec).unwrap_or(0))
}

fn other_than_file(stat: &Stat) -> Option<&'static str> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => None,
        FileType::Symlink => Some("a symbolic link"),
        FileType::Directory => Some("a folder"),
        FileType::Fifo => Some("a pipe"),
        FileType::Socket => Some("a socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Some("a device"),
        FileType::Unknown => Some("something that is no ordinary file"),
    }
}

impl From<BeneathError> for io::Error {
    fn from(error: BeneathError) -> Self {
        match error {
            BeneathError::Io(error) => error,
            other => Self::new(io::ErrorKind::InvalidInput, other),
        }
    }
}

impl From<BeneathError> for FileError {
    fn from(error: BeneathError) -> Self {
        match error {
            BeneathError::Io(error) => match error.kind() {
                // A folder on the way that became a file.
                io::ErrorKind::NotADirectory => Self::Vanished,
                _ => Self::from_io(error),
            },
            BeneathError::Link => Self::Link,
            BeneathError::NotAFile { found } => Self::NotAFile { found: found.to_string() },
        }
    }
}

/// The name on the disk behind a document's path: what [`crate::FoundFile::relative`] writes for bytes that are no
/// Unicode, read backwards.
pub(crate) fn native(relative: &str) -> PathBuf {
    let mut pieces = relative.split(MARK);
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let escaped = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&piece.as_bytes()[2..]);
            }
            // The character itself, in a path that did not come from a walk.
            None => {
                bytes.extend_from_slice(MARK.as_bytes());
                bytes.extend_from_slice(piece.as_bytes());
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A source with a file in a folder, and a secret beside it.
    fn source() -> (tempfile::TempDir, PathBuf) {
        let all = tempfile::tempdir().unwrap();
        let root = all.path().join("root");
        fs::create_dir_all(root.join("a")).unwrap();
        fs::create_dir(all.path().join("outside")).unwrap();
        fs::write(root.join("a/b.md"), "inside").unwrap();
        fs::write(all.path().join("outside/b.md"), "secret").unwrap();
        (all, root)
    }

    fn both(root: &Path, relative: &str) -> [Result<String, BeneathError>; 2] {
        let held = Root::open(root).unwrap();
        let read = |file: File| {
            let mut text = String::new();
            io::BufReader::new(file).read_to_string(&mut text).map(|_| text).map_err(BeneathError::from)
        };
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fallback = held
            .check(Path::new(relative))
            .and_then(|()| part_by_part(held.folder.as_fd(), Path::new(relative), flags).map_err(explained))
            .map(File::from);
        [held.open_file(Path::new(relative)).and_then(read), fallback.and_then(read)]
    }

    #[test]
    fn files_inside_are_opened_either_way() {
        let (_all, root) = source();
        for text in both(&root, "a/b.md") {
            assert_eq!(text.unwrap(), "inside");
        }
        let single = root.join("a/b.md");
        assert!(Root::open(&single).unwrap().open_file(Path::new("b.md")).is_ok());
        fs::write(root.join("a/c.md"), "other").unwrap();
        assert!(Root::open(&single).unwrap().open_file(Path::new("c.md")).is_err(), "beside a single file");
    }

    #[test]
    fn no_link_is_followed_wherever_it_stands() {
        let (all, root) = source();
        let outside = all.path().join("outside");
        symlink(&outside, root.join("folder")).unwrap();
        symlink(outside.join("b.md"), root.join("file.md")).unwrap();
        symlink(Path::new("../../outside"), root.join("a/up")).unwrap();
        symlink(root.join("a"), root.join("within")).unwrap();
        let magic = format!("/proc/self/fd/{}", 0);
        symlink(magic, root.join("magic")).unwrap();
        for path in
            ["folder/b.md", "file.md", "a/up/b.md", "within/b.md", "magic", "../outside/b.md", "/etc/passwd", ""]
        {
            for opened in both(&root, path) {
                let refused = opened.unwrap_err();
                let is_link = matches!(refused, BeneathError::Link)
                    || matches!(refused, BeneathError::NotAFile { found: "a symbolic link" });
                assert!(is_link, "{path}: {refused}");
            }
            assert!(open_beneath(&root, path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_folder_that_is_swapped_under_an_open_root_leads_nowhere() {
        let (all, root) = source();
        let held = Root::open(&root).unwrap();
        fs::rename(root.join("a"), root.join("was")).unwrap();
        symlink(all.path().join("outside"), root.join("a")).unwrap();
        assert!(matches!(held.open_file(Path::new("a/b.md")), Err(BeneathError::Link)));
        // The root itself: what is held stays what it was, and is no longer in its place.
        assert!(held.is_in_place());
        fs::rename(&root, all.path().join("moved")).unwrap();
        assert!(!held.is_in_place());
        symlink(all.path().join("outside"), &root).unwrap();
        assert!(!held.is_in_place() && held.open_file(Path::new("b.md")).is_err());
        assert!(held.open_file(Path::new("was/b.md")).is_ok());
    }

    #[test]
    fn pipes_are_not_waited_for_and_folders_are_no_files() {
        let (_all, root) = source();
        let made = std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap();
        assert!(made.success());
        let held = Root::open(&root).unwrap();
        assert!(matches!(held.open_file(Path::new("pipe")), Err(BeneathError::NotAFile { found: "a pipe" })));
        assert!(matches!(held.open_file(Path::new("a")), Err(BeneathError::NotAFile { found: "a folder" })));
        let missing = held.open_file(Path::new("a/b.md/c")).unwrap_err();
        assert_eq!(FileError::from(missing), FileError::Vanished);
    }

    #[test]
    fn names_that_are_no_unicode_are_found_by_their_paths() {
        let (_all, root) = source();
        for name in [&b"x\xff.md"[..], "\u{fffd}41.md".as_bytes(), "plain.md".as_bytes()] {
            fs::write(root.join(OsStr::from_bytes(name)), name).unwrap();
        }
        let mut found = 0;
        for file in crate::walk::walk(&root, &crate::walk::WalkOptions::default()).unwrap().map(Result::unwrap) {
            let mut bytes = Vec::new();
            open_beneath(&root, &file.relative).unwrap().read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, file.bytes);
            found += 1;
        }
        assert_eq!(found, 4);
    }
}
