//! The folders above files, and whom all of them let search: each is looked at once for as long as this is kept.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, fstatfs, open};
use storage::Access;

use super::acl::SEARCH;
use super::handle::Handle;
use super::names::Names;
use crate::beneath::{self, Root};

/// What folders say that were looked at.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    /// Whom the folders from the root of the system down to this one let through, by its path below the root of the source.
    known: HashMap<PathBuf, Access>,
}

impl Folders {
    /// Whom a folder and all above it let through.
    pub(super) fn access(&mut self, root: &Root, folder: &Path, names: &Names) -> io::Result<Access> {
        if let Some(known) = self.known.get(folder) {
            return Ok(known.clone());
        }
        let access = match folder.parent() {
            Some(parent) => {
                let above = self.access(root, parent, names)?;
                let held = root.look_at(folder).map_err(io::Error::from)?;
                above.and(own(held.as_fd(), names)?)
            }
            None => above(root.path(), names)?.and(own(root.folder(), names)?),
        };
        self.known.insert(folder.to_path_buf(), access.clone());
        Ok(access)
    }
}

/// Whom the folders above the root of a source let through.
fn above(root: &Path, names: &Names) -> io::Result<Access> {
    // Links above the root may lead anywhere; what counts are the folders that are passed.
    let root = root.canonicalize()?;
    let mut access = Access::everyone();
    for folder in root.ancestors().skip(1) {
        let held =
            open(folder, beneath::SEARCH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        access = access.and(own(held.as_fd(), names)?);
    }
    Ok(access)
}

fn own(folder: BorrowedFd<'_>, names: &Names) -> io::Result<Access> {
    if let Some(name) = foreign(folder)? {
        let what = format!("it lies on {name}, whose modes do not say who may read");
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    Ok(Access::of([Handle::of(folder)?.folder_rights()?.list(SEARCH, names)?]))
}

/// Name of the file system that a folder lies on, if its modes are made up by whoever mounted it, or others decide.
#[cfg(target_os = "linux")]
fn foreign(folder: BorrowedFd<'_>) -> io::Result<Option<&'static str>> {
    // Magic numbers of statfs(2).
    const FOREIGN: &[(u32, &str)] = &[
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x517b, "SMB"),
        (0x6573_5546, "FUSE"),
        (0x0102_1997, "9P"),
        (0x5346_414f, "AFS"),
    ];
    // The width and sign of the field differ between architectures; the numbers have 32 bits.
    let magic = fstatfs(folder)?.f_type as u32;
    Ok(FOREIGN.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name))
}

#[cfg(not(target_os = "linux"))]
fn foreign(_: BorrowedFd<'_>) -> io::Result<Option<&'static str>> {
    Ok(None)
}
