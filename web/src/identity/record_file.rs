//! A file of records in the data folder that decides who is let in: replaced whole and synced, and its owner's alone.
//!
//! Promise: a folder that once had records stays closed, also when the last one is taken back, and when the file is emptied
//! or gone: a second file is written before the first record and never removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::{Readers, replace_durably};

/// The file, and what it is called.
pub(crate) struct RecordFile {
    path: PathBuf,
    /// What it holds, for messages.
    what: &'static str,
    /// What the second file says to whoever finds it.
    notice: &'static str,
}

/// Why the records cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordFileError {
    /// The system refused.
    #[error("cannot {action} the {what} in {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the file holds.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The data folder follows the backups of another one, which say who is let in.
    #[error("the {what} cannot be changed here")]
    Follows {
        /// What the file holds.
        what: &'static str,
        /// What is followed.
        source: storage::Error,
    },
    /// The file is not what was written.
    #[error("the {what} in {} cannot be read; restore the file, or remove it and make new ones", path.display())]
    Damaged {
        /// What the file holds.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// What tells one state of a file from another.
pub(crate) type Stamp = Option<(SystemTime, i64, u64, u64)>;

/// What tells one state of the records, and of the second file, from another.
pub(crate) type Stamps = (Stamp, Stamp);

impl RecordFile {
    pub(crate) fn new(data_dir: &Path, name: &str, what: &'static str, notice: &'static str) -> Self {
        Self { path: data_dir.join(name), what, notice }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn marker(&self) -> PathBuf {
        self.path.with_extension("required")
    }

    /// What to compare, to see whether the records have changed.
    pub(crate) fn stamps(&self) -> Stamps {
        (stamp(&self.path), stamp(&self.marker()))
    }

    /// Whether the second file is there.
    ///
    /// # Errors
    /// The system does not say.
    pub(crate) fn is_marked(&self) -> Result<bool, RecordFileError> {
        // Whatever has that name counts: it may be a link that leads nowhere.
        match fs::symlink_metadata(self.marker()) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.io("read")(error)),
        }
    }

    /// Writes the second file, which closes the folder for good.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn mark(&self) -> Result<(), RecordFileError> {
        if fs::symlink_metadata(self.marker()).is_ok() {
            return Ok(());
        }
        let write = |file: &mut File| file.write_all(self.notice.as_bytes());
        let written = replace_durably(&self.marker(), Readers::Owner, write);
        // Somebody else may have written it just now.
        written
            .or_else(|error| fs::symlink_metadata(self.marker()).map(drop).map_err(|_| error))
            .map_err(self.io("write"))
    }

    /// What the file holds. One that is not there, or without content, holds nothing.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub(crate) fn read<T: DeserializeOwned + Default>(&self) -> Result<T, RecordFileError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
            Err(error) => return Err(self.io("read")(error)),
        };
        if text.trim_ascii().is_empty() {
            return Ok(T::default());
        }
        serde_json::from_slice(&text).map_err(|source| self.damaged(source))
    }

    /// Held while the file is changed, so that two commands do not undo each other.
    ///
    /// # Errors
    /// The system refused; the folder follows backups.
    pub(crate) fn lock(&self) -> Result<File, RecordFileError> {
        if let Some(folder) = self.path.parent() {
            let what = self.what;
            storage::check_unfollowed(folder).map_err(|source| RecordFileError::Follows { what, source })?;
            fs::create_dir_all(folder).map_err(self.io("write"))?;
        }
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false).mode(0o600);
        let lock = options.open(self.path.with_extension("lock")).map_err(self.io("lock"))?;
        lock.lock().map_err(self.io("lock"))?;
        Ok(lock)
    }

    /// Puts the records in the place of those that are there, behind the second file.
    ///
    /// # Errors
    /// The system refused; then the file is as it was.
    pub(crate) fn write<T: Serialize>(&self, content: &T) -> Result<(), RecordFileError> {
        let text = serde_json::to_vec_pretty(content).map_err(|source| self.damaged(source))?;
        self.mark()?;
        replace_durably(&self.path, Readers::Owner, |file| file.write_all(&text)).map_err(self.io("write"))
    }

    fn damaged(&self, source: serde_json::Error) -> RecordFileError {
        RecordFileError::Damaged { what: self.what, path: self.path.clone(), source }
    }

    fn io(&self, action: &'static str) -> impl FnOnce(io::Error) -> RecordFileError {
        let (what, path) = (self.what, self.path.clone());
        move |source| RecordFileError::Io { action, what, path, source }
    }
}

pub(crate) fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.ctime_nsec(), metadata.len(), metadata.ino()))
}
