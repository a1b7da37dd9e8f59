//! Who may see the documents of files, as the file system says: asked of the file that is held open, and of each folder from
//! the root of the system down to it, so that nobody sees here what they could not read there. Whatever cannot be found out
//! lets nobody through.
//!
//! What counts is what the kernel checks for somebody without special rights: `root` is a user like others. Folders of network
//! file systems whose own lists decide, and whose modes are made up, are closed.

mod acl;
mod folders;
mod handle;
mod names;

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use storage::{Access, AccessList, FilePermissions};

pub(crate) use folders::Folders;
use handle::Handle;
use names::Names;
pub use names::posix_principals;

use crate::access::AsRead;
use crate::beneath::{BeneathError, Root, native};

/// What the files of a source say, as they are asked in one run.
#[derive(Debug)]
pub(crate) struct Permissions {
    kind: FilePermissions,
    names: Names,
}

/// What a document's file says now.
pub(crate) struct Said {
    /// Who may see what is in it.
    pub(crate) access: Access,
    /// Length of the file's own path; that of a document inside of it is longer.
    pub(crate) file: usize,
    bytes: u64,
    modified: i64,
    inode: (u64, u64),
}

impl Said {
    /// Whether the file is the one that was read: otherwise what it says is not about what was read.
    pub(crate) fn is_of(&self, read: &AsRead) -> bool {
        (read.bytes, read.modified, read.inode) == (self.bytes, self.modified, Some(self.inode))
    }
}

impl Permissions {
    pub(crate) fn new(kind: FilePermissions) -> Self {
        Self { kind, names: Names::default() }
    }

    /// How files are asked.
    pub(crate) fn kind(&self) -> FilePermissions {
        self.kind
    }

    /// Who may see what is in a file that is open.
    pub(crate) fn of_open(&self, root: &Root, relative: &Path, file: BorrowedFd<'_>) -> Access {
        let asked = Handle::of(file).and_then(|file| self.access(root, relative, &file, &mut Folders::default()));
        asked.unwrap_or_else(|error| closed(relative, &error))
    }

    /// What the file says now that a document is, or that it lies inside of; `None` where there is no such file.
    pub(crate) fn of_document(&self, root: &Root, path: &str, folders: &mut Folders) -> Option<Said> {
        let (length, opened) = match opened(root, path) {
            Ok(opened) => opened?,
            Err(error) => return Some(unknown(path, &error)),
        };
        let relative = native(&path[..length]);
        let said = Handle::of(opened.as_fd()).and_then(|file| {
            let access = self.access(root, &relative, &file, folders)?;
            Ok(Said { access, file: length, bytes: file.bytes, modified: file.modified, inode: file.inode })
        });
        Some(said.unwrap_or_else(|error| unknown(path, &error)))
    }

    fn access(&self, root: &Root, relative: &Path, file: &Handle, folders: &mut Folders) -> io::Result<Access> {
        match self.kind {
            FilePermissions::Posix => {
                let own = file.rights()?.list(acl::READ, &self.names)?;
                let folder = relative.parent().unwrap_or(Path::new(""));
                Ok(folders.access(root, folder, &self.names)?.and(Access::of([own])))
            }
            FilePermissions::Owner => {
                let owner = self.names.user(file.owned.user)?;
                Ok(Access::of([AccessList { allow: [owner].into(), ..AccessList::default() }]))
            }
        }
    }
}

/// The file at a path, or that the path leads into, with the length of its own path; `None` where there is none.
fn opened(root: &Root, path: &str) -> io::Result<Option<(usize, std::os::fd::OwnedFd)>> {
    let within = path.rmatch_indices('/').map(|(slash, _)| slash);
    for length in std::iter::once(path.len()).chain(within) {
        match root.look_at(&native(&path[..length])) {
            Ok(found) => return Ok(Some((length, found))),
            Err(BeneathError::Io(error)) => match error.kind() {
                io::ErrorKind::NotFound => return Ok(None),
                // The path leads into a file, as that of a member of an archive, whose names can be of any kind.
                io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => {}
                _ => return Err(error),
            },
            Err(BeneathError::Link | BeneathError::NotAFile { .. }) => {}
        }
    }
    Ok(None)
}

fn closed(what: &Path, error: &io::Error) -> Access {
    tracing::warn!("who may see {} cannot be told ({error}): nobody but administrators", what.display());
    Access::nobody()
}

fn unknown(path: &str, error: &io::Error) -> Said {
    let access = closed(Path::new(path), error);
    Said { access, file: path.len(), bytes: 0, modified: 0, inode: (0, 0) }
}
