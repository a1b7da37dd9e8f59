//! The folder of the lexical index as a reader sees it: one commit of it, without locks, and nothing can be written.
//!
//! tantivy's own folder takes a lock file to read, which needs the right to write. Here the list of segments is read once
//! and stays the same for as long as the reader opens its files. A writer may merge some of them away meanwhile: that
//! is noticed by [`PinnedFolder::is_superseded`], and the reader begins anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::Directory;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{DirectoryLock, FileHandle, Lock, MmapDirectory, WatchCallback, WatchHandle, WritePtr};

use super::reader::damaged;
use crate::error::{Error, Result};

/// tantivy's list of the segments of the last commit.
const META: &str = "meta.json";

/// A folder of tantivy's, pinned to one commit.
#[derive(Debug, Clone)]
pub(super) struct PinnedFolder {
    files: MmapDirectory,
    path: Arc<Path>,
    meta: Arc<[u8]>,
}

impl PinnedFolder {
    /// Pins the last commit of the index in `folder`.
    ///
    /// # Errors
    /// There is no index in it, or it cannot be read.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let meta = match fs::read(folder.join(META)) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged("it is missing")),
            Err(error) => return Err(Error::io("read", &folder.join(META))(error)),
        };
        let files = MmapDirectory::open(folder).map_err(|error| damaged(error.to_string()))?;
        Ok(Self { files, path: folder.into(), meta: meta.into() })
    }

    /// Whether there is another commit by now.
    pub(super) fn is_superseded(&self) -> bool {
        fs::read(self.path.join(META)).is_ok_and(|now| now != *self.meta)
    }
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "a reader writes nothing")
}

impl Directory for PinnedFolder {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.files.get_file_handle(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.files.exists(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        if path == Path::new(META) { Ok(self.meta.to_vec()) } else { self.files.atomic_read(path) }
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError { io_error: Arc::new(refused()), filepath: path.to_path_buf() })
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::wrap_io_error(refused(), PathBuf::from(path)))
    }

    fn atomic_write(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(refused())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Err(refused())
    }

    /// Granted without a file: a pinned commit needs no protection against the writer's clearing up.
    fn acquire_lock(&self, _: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    /// Never calls: a pinned commit does not change.
    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
