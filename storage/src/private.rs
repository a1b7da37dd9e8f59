//! The privacy of a data folder: its owner may look into it and nobody else. It holds the text of everything that is
//! indexed, also of files that not everybody may read.
//!
//! An administrator may share it with one group: `chgrp -R GROUP FOLDER && chmod 2750 FOLDER`. The set-group-ID bit
//! together with the group's right to enter is the sign: it is how Unix marks a folder as a group's, no umask makes it by
//! accident, and what is made in such a folder belongs to that group. The group may then read the index, and nothing
//! else: not the keys, what was pushed, or what people looked for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::{edition, layout};

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};

/// Set-group-ID, and the group's rights to list and enter.
const SHARED: u32 = 0o2050;

/// Whether an administrator has shared the data folder with its group.
#[cfg(unix)]
pub fn is_shared(data: &Path) -> bool {
    fs::metadata(data).is_ok_and(|metadata| metadata.is_dir() && metadata.mode() & SHARED == SHARED)
}

#[cfg(not(unix))]
pub fn is_shared(_data: &Path) -> bool {
    false
}

/// Makes the data folder, for its owner only. One that is there and open to others is closed to them, with all that is in
/// it; then it is said so. In one that is shared, the group is given the index to read.
///
/// # Errors
/// The folder cannot be made or looked at. One that belongs to somebody else is not ours to close; that is said, too.
#[cfg(unix)]
pub(crate) fn make_folder(folder: &Path) -> Result<Option<String>> {
    if !folder.exists() {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(Error::io("create", folder))?;
    }
    // It may be a link; what it leads to is the data folder.
    let folder = &folder.canonicalize().map_err(Error::io("open", folder))?;
    let before = fs::metadata(folder).map_err(Error::io("open", folder))?.mode() & 0o7777;
    let outcome = if is_shared(folder) { share(folder) } else { close_whole(folder) };
    match outcome {
        Ok(None) => Ok(None),
        Ok(Some(_)) if is_shared(folder) => Ok(Some(format!(
            "users outside of its group could enter the data folder (mode {before:03o}); now only its owner and its group can"
        ))),
        Ok(Some(closed)) => Ok(Some(format!(
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

/// Closes the folder and all that is in it to everybody else; how many files and folders in it were open, if it was.
#[cfg(unix)]
fn close_whole(folder: &Path) -> Result<Option<u64>> {
    // The folder first: while the files are gone through, nobody comes in any more.
    if !change(folder, |mode, _| mode & 0o7700)? {
        return Ok(None);
    }
    let mut closed = 0;
    change_below(folder, &mut closed, &|mode, _| mode & 0o7700)?;
    Ok(Some(closed))
}

/// Gives the index to the group to read and keeps the rest from it; something only if others than the group could enter.
#[cfg(unix)]
fn share(folder: &Path) -> Result<Option<u64>> {
    let was_open = change(folder, |mode, _| mode & 0o7770)?;
    let mut changed = 0;
    let index = index_in(folder)?;
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        if !index.contains(&path) {
            // What is closed here needs no closing below: nobody comes that far.
            change(&path, |mode, _| mode & 0o7700)?;
            continue;
        }
        let readable = |mode: u32, is_folder: bool| {
            if is_folder { mode & 0o7770 | SHARED } else { mode & 0o7770 | 0o040 }
        };
        change(&path, readable)?;
        if path.is_dir() {
            change_below(&path, &mut changed, &readable)?;
        }
    }
    Ok(was_open.then_some(changed))
}

/// What a reader needs of a data folder.
#[cfg(unix)]
fn index_in(data: &Path) -> Result<Vec<PathBuf>> {
    let in_force = edition::in_force(data)?;
    Ok(if in_force == data { layout::parts(data) } else { vec![in_force] })
}

/// Gives `path` the mode that `wanted` makes of its own and of whether it is a folder; whether that is another.
#[cfg(unix)]
fn change(path: &Path, wanted: impl Fn(u32, bool) -> u32) -> Result<bool> {
    let metadata = match fs::symlink_metadata(path) {
        // What is a link leads elsewhere, and is not quarry's to change.
        Ok(metadata) if metadata.is_symlink() => return Ok(false),
        Ok(metadata) => metadata,
        // sled and tantivy remove files of theirs at any time.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io("open", path)(error)),
    };
    let mode = metadata.mode() & 0o7777;
    let wanted = wanted(mode, metadata.is_dir());
    if mode == wanted {
        return Ok(false);
    }
    match fs::set_permissions(path, fs::Permissions::from_mode(wanted)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        changed => changed.map(|()| true).map_err(Error::io("set the permissions of", path)),
    }
}

#[cfg(unix)]
fn change_below(folder: &Path, changed: &mut u64, wanted: &impl Fn(u32, bool) -> u32) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let entry = entry.map_err(Error::io("list", folder))?;
        let path = entry.path();
        *changed += u64::from(change(&path, wanted)?);
        if entry.file_type().map_err(Error::io("list", folder))?.is_dir() {
            change_below(&path, changed, wanted)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_group_that_the_folder_is_shared_with_reads_the_index_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        make_folder(&data).unwrap();
        assert!(!is_shared(&data));
        fs::create_dir(data.join("lexical")).unwrap();
        fs::create_dir(data.join("pushed")).unwrap();
        for file in ["index.json", "lexical/meta.json", "keys.json", "pushed/a.md"] {
            fs::write(data.join(file), "x").unwrap();
            set_mode(&data.join(file), 0o644);
        }
        for (folder, before) in [("", 0o2755), ("lexical", 0o700), ("pushed", 0o755)] {
            set_mode(&data.join(folder), before);
        }
        let said = make_folder(&data).unwrap().unwrap();
        assert!(is_shared(&data) && said.contains("mode 2755") && said.contains("group"), "{said}");
        let now = |path: &str| mode(&data.join(path));
        assert_eq!(
            (mode(&data), now("index.json"), now("lexical"), now("lexical/meta.json")),
            (0o750, 0o640, 0o750, 0o640)
        );
        assert_eq!((now("keys.json"), now("pushed")), (0o600, 0o700));
        assert_eq!(make_folder(&data).unwrap(), None, "it is said once");
        set_mode(&data, 0o750);
        assert!(make_folder(&data).unwrap().is_some(), "without the sign the group is shut out again");
        assert_eq!((mode(&data), now("index.json"), now("lexical")), (0o700, 0o600, 0o700));
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
