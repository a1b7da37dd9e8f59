//! Small files as a whole, written so that a crash leaves either the old or the new content.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::durable::{self, Readers, replace_durably};
use crate::error::{Error, Result};

/// Replaces `path` with `content`, durably.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    replace_durably(path, Readers::Umask, |file| file.write_all(content)).map_err(Error::io("write", path))
}

/// Gives a file a second name; where the disk has no such thing, copies it durably.
pub(crate) fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let copied = fs::copy(from, to).and_then(|_| File::open(to)?.sync_all());
    copied.map_err(Error::io("copy to", to))
}

/// Copies a folder with all that is in it. Not durably: for what is thrown away after a crash.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to).map_err(Error::io("create", to))?;
    for entry in fs::read_dir(from).map_err(Error::io("list", from))? {
        let entry = entry.map_err(Error::io("list", from))?;
        let (place, copied) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(Error::io("list", from))?.is_dir() {
            copy(&place, &copied)?;
        } else {
            fs::copy(&place, &copied).map_err(Error::io("copy", &place))?;
        }
    }
    Ok(())
}

/// Makes renames and creations in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    durable::sync_folder(folder).map_err(Error::io("sync", folder))
}

/// Removes a file, or a folder with all that is in it; nothing happens if it is gone already.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Moves a broken file or folder aside, to `NAME.quarantine-N` with the first free N.
pub(crate) fn quarantine(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (1u32..).map(|n| path.with_file_name(format!("{name}.quarantine-{n}"))).find(|aside| !aside.exists());
    let Some(aside) = free else { return Ok(()) };
    fs::rename(path, &aside).map_err(Error::io("move aside", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Bytes of all files below `path`; what vanishes meanwhile counts as nothing.
pub(crate) fn size_of(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| size_of(&entry.path())).sum()
}
