//! The privacy of a data folder: its owner may look into it and nobody else. It holds the text of everything that is
//! indexed, also of files that not everybody may read.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Error, Result};

/// Makes the data folder, for its owner only. One that is there and open to others is closed to them, with all that is in
/// it; then it is said so.
///
/// # Errors
/// The folder cannot be made or looked at. One that belongs to somebody else is not ours to close; that is said, too.
#[cfg(unix)]
pub(crate) fn make_folder(folder: &Path) -> Result<Option<String>> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};

    if !folder.exists() {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(Error::io("create", folder))?;
    }
    // It may be a link; what it leads to is the data folder.
    let folder = &folder.canonicalize().map_err(Error::io("open", folder))?;
    let before = fs::metadata(folder).map_err(Error::io("open", folder))?.mode() & 0o777;
    let mut closed = 0;
    // The folder first: while the files are gone through, nobody comes in any more.
    let outcome = close(folder)
        .and_then(|was_open| if was_open { close_below(folder, &mut closed).map(|()| true) } else { Ok(false) });
    match outcome {
        Ok(false) => Ok(None),
        Ok(true) => Ok(Some(format!(
            "other users could enter the data folder (mode {before:03o}); now only its owner can, also its {closed} files \
             and folders that were open"
        ))),
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => Ok(Some(format!(
            "other users can enter the data folder (mode {before:03o}), and it belongs to somebody else; its owner should \
             run `chmod -R go= {}`",
            folder.display()
        ))),
        Err(other) => Err(other),
    }
}

#[cfg(not(unix))]
pub(crate) fn make_folder(folder: &Path) -> Result<Option<String>> {
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    Ok(None)
}

/// Takes all rights of group and others; whether there were any.
#[cfg(unix)]
fn close(path: &Path) -> Result<bool> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let mode = match fs::symlink_metadata(path) {
        // What is a link leads elsewhere, and is not quarry's to close.
        Ok(metadata) if metadata.is_symlink() => return Ok(false),
        Ok(metadata) => metadata.mode(),
        // sled and tantivy remove files of theirs at any time.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io("open", path)(error)),
    };
    if mode & 0o077 == 0 {
        return Ok(false);
    }
    match fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7700)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        closed => closed.map(|()| true).map_err(Error::io("close to other users", path)),
    }
}

#[cfg(unix)]
fn close_below(folder: &Path, closed: &mut u64) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let entry = entry.map_err(Error::io("list", folder))?;
        let path = entry.path();
        *closed += u64::from(close(&path)?);
        if entry.file_type().map_err(Error::io("list", folder))?.is_dir() {
            close_below(&path, closed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_new_folder_is_private_and_an_open_one_is_closed_with_all_in_it() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("a/data");
        assert_eq!(make_folder(&data).unwrap(), None);
        assert_eq!(mode(&data), 0o700);
        let inner = data.join("pushed/api");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("a.md"), "secret").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", data.join("link")).unwrap();
        for (path, mode) in [(inner.join("a.md"), 0o664), (inner.clone(), 0o755), (data.clone(), 0o750)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let said = make_folder(&data).unwrap().unwrap();
        assert!(said.contains("mode 750") && said.contains("owner"), "{said}");
        assert_eq!((mode(&data), mode(&inner), mode(&inner.join("a.md"))), (0o700, 0o700, 0o600));
        assert_ne!(mode(Path::new("/etc/hostname")), 0o600, "what a link leads to is left alone");
        assert_eq!(make_folder(&data).unwrap(), None, "it is said once");
    }
}
