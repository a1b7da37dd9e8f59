//! Where backups lie: a handful of operations on names, and the one implementation there is, a folder.
//!
//! The operations are those of every object store: whoever adds one needs no rename, no append and no part of an object.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::durable::{Readers, replace_durably, sync_folder};

/// What somebody wants with a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To add: nobody else may add.
    Write,
    /// To read: nothing may be removed meanwhile.
    Read,
    /// To remove, by whoever writes: nobody may read.
    Remove,
}

/// Something that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredName {
    /// Its name, with `/` between the parts.
    pub name: String,
    /// Bytes that it takes.
    pub length: u64,
}

/// A place for backups. Names are made of letters, digits, `-`, `.` and `/`.
pub trait Destination: Send + Sync {
    /// What it is called in messages.
    fn place(&self) -> String;

    /// Makes ready for the first backup what has to be there.
    ///
    /// # Errors
    /// The destination refuses.
    fn prepare(&self) -> io::Result<()>;

    /// Stores content under a name, durably, in the place of what was there: whole, or not at all.
    ///
    /// # Errors
    /// The destination refuses.
    fn put(&self, name: &str, content: &[u8]) -> io::Result<()>;

    /// The content under a name.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none; the destination refuses.
    fn get(&self, name: &str) -> io::Result<Vec<u8>>;

    /// All that is stored below a folder; of `""` at the top, not below.
    ///
    /// # Errors
    /// The destination refuses.
    fn list(&self, folder: &str) -> io::Result<Vec<StoredName>>;

    /// Removes what is stored under a name, if anything is.
    ///
    /// # Errors
    /// The destination refuses.
    fn delete(&self, name: &str) -> io::Result<()>;

    /// Takes the destination for as long as what is returned is kept; `None` if somebody else has it.
    ///
    /// # Errors
    /// The destination cannot tell.
    fn lock(&self, wanted: Use) -> io::Result<Option<Box<dyn Send + Sync>>>;

    /// Where it is on this machine, for a destination that is.
    fn local_path(&self) -> Option<&Path> {
        None
    }
}

const LOCK: &str = "LOCK";
/// Shared by whoever reads, so that backups can be made meanwhile. Folders of before have none until the next backup.
const READERS: &str = "READERS";

/// A folder, which may be a share of another machine. It is its owner's alone: what is backed up is not everybody's to read.
#[derive(Debug, Clone)]
pub struct BackupFolder {
    root: PathBuf,
}

impl BackupFolder {
    /// The folder at `root`, which need not exist yet.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// The file that readers share; in a folder of before, the one that keeps writers out.
    fn open_to_read(&self) -> io::Result<Option<File>> {
        for name in [READERS, LOCK] {
            match File::open(self.root.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => return opened.map(Some),
            }
        }
        Ok(None)
    }

    fn list_below(&self, folder: &str, found: &mut Vec<StoredName>) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join(folder))? {
            let entry = entry?;
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            let metadata = match entry.metadata() {
                // A draft of somebody else.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            match metadata.is_dir() {
                true => self.list_below(&name, found)?,
                false => found.push(StoredName { name, length: metadata.len() }),
            }
        }
        Ok(())
    }
}

impl Destination for BackupFolder {
    fn place(&self) -> String {
        self.root.display().to_string()
    }

    fn prepare(&self) -> io::Result<()> {
        // Only the last part of the path: what it lies in may be a disk that is not mounted.
        make_folder(&self.root)?;
        for folder in [super::object::OBJECTS, super::manifest::BACKUPS] {
            make_folder(&self.root.join(folder))?;
        }
        sync_folder(&self.root)
    }

    fn put(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let path = self.root.join(name);
        let write = |file: &mut File| file.write_all(content);
        match replace_durably(&path, Readers::Owner, write) {
            // Only the folder of the object: if all is gone, the disk is not there any more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().unwrap_or(&self.root);
                make_folder(folder)?;
                sync_folder(folder.parent().unwrap_or(&self.root))?;
                replace_durably(&path, Readers::Owner, write)
            }
            written => written,
        }
    }

    fn get(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.root.join(name))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<StoredName>> {
        let mut found = Vec::new();
        if folder.is_empty() {
            for entry in fs::read_dir(&self.root)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                found.push(StoredName { name, length: entry.metadata()?.len() });
            }
            return Ok(found);
        }
        self.list_below(folder, &mut found)?;
        Ok(found)
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.root.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn lock(&self, wanted: Use) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let make = |name: &str| {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(self.root.join(name))
        };
        let locked = match wanted {
            Use::Write => {
                make(READERS)?;
                let file = make(LOCK)?;
                file.try_lock().map(|()| file)
            }
            Use::Remove => {
                let file = make(READERS)?;
                file.try_lock().map(|()| file)
            }
            Use::Read => match self.open_to_read()? {
                Some(file) => file.try_lock_shared().map(|()| file),
                // Where nothing can be written, nobody writes.
                None => return Ok(Some(Box::new(()))),
            },
        };
        match locked {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn local_path(&self) -> Option<&Path> {
        Some(&self.root)
    }
}

/// Makes a folder for its owner alone, if it is not there.
fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_what_is_put_and_lists_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = BackupFolder::new(&root.path().join("backups"));
        folder.prepare().unwrap();
        folder.prepare().unwrap();
        folder.put("objects/ab/abc", b"one").unwrap();
        folder.put("objects/ab/abc", b"three").unwrap();
        folder.put("top.json", b"{}").unwrap();
        assert_eq!(folder.get("objects/ab/abc").unwrap(), b"three");
        assert_eq!(folder.list("objects").unwrap(), [StoredName { name: "objects/ab/abc".into(), length: 5 }]);
        assert_eq!(folder.list("").unwrap().len(), 3);
        folder.delete("objects/ab/abc").unwrap();
        folder.delete("objects/ab/abc").unwrap();
        assert_eq!(folder.get("objects/ab/abc").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn one_writes_while_many_read_and_nothing_is_removed_then() {
        let root = tempfile::tempdir().unwrap();
        let folder = BackupFolder::new(root.path());
        let lock = |wanted| folder.lock(wanted).unwrap();
        assert!(lock(Use::Read).is_some(), "where nobody ever wrote");
        let writer = lock(Use::Write).unwrap();
        assert!(lock(Use::Write).is_none());
        let readers = [lock(Use::Read).unwrap(), lock(Use::Read).unwrap()];
        assert!(lock(Use::Remove).is_none());
        drop((readers, writer));
        let readers = lock(Use::Read).unwrap();
        assert!(lock(Use::Write).is_some(), "readers do not keep writers out");
        drop(readers);
        let removing = lock(Use::Remove).unwrap();
        assert!(lock(Use::Read).is_none());
        drop(removing);
        fs::remove_file(root.path().join(READERS)).unwrap();
        let readers = lock(Use::Read).unwrap();
        assert!(lock(Use::Write).is_none(), "in a folder of before");
        drop(readers);
        assert!(lock(Use::Write).is_some());
    }

    #[test]
    fn a_destination_that_is_gone_is_not_made_anew() {
        let root = tempfile::tempdir().unwrap();
        let folder = BackupFolder::new(&root.path().join("mounted/backups"));
        assert!(folder.prepare().is_err());
        fs::create_dir(root.path().join("mounted")).unwrap();
        folder.prepare().unwrap();
        fs::remove_dir_all(root.path().join("mounted/backups/objects")).unwrap();
        assert_eq!(folder.put("objects/ab/abc", b"x").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
