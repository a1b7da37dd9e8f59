//! The durable write of a file: under another name first, synced, then renamed, and the folder synced. A crash leaves the
//! old file or the new one, never a mixture; at worst a draft stays behind, which the next write of the file replaces.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The ending of a draft; such files mean nothing after a crash.
pub(crate) const DRAFT: &str = "tmp";

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Whom the process's umask lets.
    Umask,
    /// Its owner alone, whatever the umask.
    Owner,
}

/// Puts a file with what `write` writes in the place of `path`, if there is one.
///
/// # Errors
/// The system refused; then the old file is as it was.
pub fn replace_durably(
    path: &Path,
    readers: Readers,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let draft = draft_of(path);
    let written = fill(&draft, readers, write).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // The reason of the failure is what counts.
        let _ = fs::remove_file(&draft);
    }
    written?;
    sync_folder(folder_of(path))
}

/// Gives a file or a folder that is written already its name. What lies below a folder must have been synced before.
///
/// # Errors
/// The system refused.
pub fn rename_durably(from: &Path, to: &Path) -> io::Result<()> {
    File::open(from)?.sync_all()?;
    fs::rename(from, to)?;
    sync_folder(folder_of(to))
}

/// Makes renames, creations and removals in a folder durable.
///
/// # Errors
/// The system refused.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn fill(draft: &Path, readers: Readers, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    // A draft that was left behind may be somebody else's to read, or a link that leads elsewhere.
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create(draft, readers)?;
    write(&mut file)?;
    file.sync_all()
}

/// Makes a file that is not there yet.
#[cfg(unix)]
pub(crate) fn create(draft: &Path, readers: Readers) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let mode = match readers {
        Readers::Umask => 0o666,
        Readers::Owner => 0o600,
    };
    OpenOptions::new().create_new(true).write(true).mode(mode).open(draft)
}

#[cfg(not(unix))]
pub(crate) fn create(draft: &Path, _readers: Readers) -> io::Result<File> {
    OpenOptions::new().create_new(true).write(true).open(draft)
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(DRAFT);
    name.into()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn names(folder: &Path) -> Vec<OsString> {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        replace_durably(&path, Readers::Umask, |file| file.write_all(b"old")).unwrap();
        let failed = replace_durably(&path, Readers::Umask, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!((fs::read(&path).unwrap(), names(folder.path())), (b"old".to_vec(), vec!["a.json".into()]));
        fs::write(folder.path().join("a.json.tmp"), "left by a crash").unwrap();
        replace_durably(&path, Readers::Umask, |file| file.write_all(b"new")).unwrap();
        assert_eq!((fs::read(&path).unwrap(), names(folder.path()).len()), (b"new".to_vec(), 1));
        rename_durably(&path, &folder.path().join("b.json")).unwrap();
        assert_eq!(names(folder.path()), ["b.json"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_its_owners_even_where_a_link_lies_in_wait() {
        use std::os::unix::fs::MetadataExt as _;

        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("keys.json"), folder.path().join("other"));
        std::os::unix::fs::symlink(&other, folder.path().join("keys.json.tmp")).unwrap();
        replace_durably(&path, Readers::Owner, |file| file.write_all(b"secret")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(!other.exists());
    }
}
