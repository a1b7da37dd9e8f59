//! A file or folder that is held open, with what the system says of its owner and rights at one moment.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use rustix::fs::{FileType, Stat, fgetxattr, fstat, getxattr};
use rustix::io::Errno;

use super::acl::{Owned, Rights};

/// Where Linux keeps the list.
const LIST: &str = "system.posix_acl_access";
/// Bytes of an attribute at most (xattr(7)).
const LONGEST: usize = 64 << 10;
/// Bytes of most lists.
const USUAL: usize = 512;
/// How often something is looked at that changes while it is.
const TRIES: usize = 4;

/// What was found out.
pub(super) struct Handle {
    pub(super) owned: Owned,
    pub(super) bytes: u64,
    /// Nanoseconds since 1970.
    pub(super) modified: i64,
    pub(super) inode: (u64, u64),
    is_file: bool,
    is_folder: bool,
    list: Option<Vec<u8>>,
}

impl Handle {
    /// Looks at what is held: owner, mode and list of one moment.
    ///
    /// # Errors
    /// The system does not say, or something else at every look.
    pub(super) fn of(held: BorrowedFd<'_>) -> io::Result<Self> {
        let mut before = fstat(held)?;
        for _ in 0..TRIES {
            let list = list(held)?;
            let after = fstat(held)?;
            if changed(&before) == changed(&after) {
                return Ok(Self::from(&after, list));
            }
            before = after;
        }
        Err(io::Error::other("its rights change all the time"))
    }

    #[allow(clippy::unnecessary_cast, reason = "other systems have narrower types")]
    fn from(stat: &Stat, list: Option<Vec<u8>>) -> Self {
        let kind = FileType::from_raw_mode(stat.st_mode);
        Self {
            owned: Owned { user: stat.st_uid, group: stat.st_gid, mode: stat.st_mode as u32 },
            bytes: u64::try_from(stat.st_size).unwrap_or(0),
            modified: crate::beneath::nanoseconds(stat),
            inode: crate::beneath::identity(stat),
            is_file: kind == FileType::RegularFile,
            is_folder: kind == FileType::Directory,
            list,
        }
    }

    /// The rights of a file.
    pub(super) fn rights(&self) -> io::Result<Rights> {
        if !self.is_file {
            return Err(io::Error::other("it is no ordinary file"));
        }
        self.any_rights()
    }

    /// The rights of a folder.
    pub(super) fn folder_rights(&self) -> io::Result<Rights> {
        if !self.is_folder {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        self.any_rights()
    }

    fn any_rights(&self) -> io::Result<Rights> {
        self.list.as_deref().map_or_else(|| Ok(Rights::of_mode(self.owned)), |list| Rights::of_list(self.owned, list))
    }
}

/// The moment of the last change of anything but the time of reading.
#[allow(clippy::unnecessary_cast, reason = "other systems have narrower types")]
fn changed(stat: &Stat) -> (i64, i64) {
    (stat.st_ctime as i64, stat.st_ctime_nsec as i64)
}

/// The access control list; `None` where the mode says everything.
#[cfg(target_os = "linux")]
fn list(held: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    let mut room = vec![0; USUAL];
    loop {
        match read_list(held, &mut room) {
            Ok(length) => {
                room.truncate(length);
                return Ok(Some(room));
            }
            // The file system knows no lists, or there is none.
            Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
            Err(Errno::RANGE) if room.len() < LONGEST => room.resize(LONGEST, 0),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(target_os = "linux")]
fn read_list(held: BorrowedFd<'_>, room: &mut [u8]) -> Result<usize, Errno> {
    match fgetxattr(held, LIST, &mut *room) {
        // What is held to look for names in it only is asked by its name in this process.
        Err(Errno::BADF) => getxattr(format!("/proc/self/fd/{}", held.as_raw_fd()), LIST, room),
        read => read,
    }
}

/// Elsewhere rights are kept otherwise, and a mode does not say everything.
#[cfg(not(target_os = "linux"))]
fn list(_: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "permissions of files are read on Linux only"))
}
