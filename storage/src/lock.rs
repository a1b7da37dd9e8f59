//! One writer per data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::backup::check_unfollowed;
use crate::error::{Error, Result};

const NAME: &str = "LOCK";

/// Held by the writer for as long as the store is open. The system releases it when the process ends, however it ends.
pub(crate) struct Lock {
    folder: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the lock of `folder` to change what is in it, and writes into it who holds it.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process holds it; [`Error::Follows`] if what is in it comes from backups alone.
    pub(crate) fn acquire(folder: &Path) -> Result<Self> {
        let lock = Self::acquire_following(folder)?;
        check_unfollowed(folder)?;
        Ok(lock)
    }

    /// As [`Lock::acquire`], for those who change nothing, or bring what a newer backup has.
    pub(crate) fn acquire_following(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked { path: folder.to_path_buf(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
        file.set_len(0).map_err(Error::io("write", &path))?;
        write!(file, "{}", std::process::id()).map_err(Error::io("write", &path))?;
        Ok(Self { folder: folder.to_path_buf(), file })
    }

    /// The data folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file releases the lock as well; a failure here changes nothing.
        let _ = self.file.unlock();
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(32).read_to_string(&mut text));
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(id)) => format!("process {id}"),
        _ => "another process".to_string(),
    }
}
