//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::error::{VectorError, VectorResult};

/// The ending of a file that is still being written; such files mean nothing after a crash.
pub(crate) const TMP: &str = "tmp";

/// Writes a file under another name, makes it durable, then gives it its name, durably.
///
/// A crash leaves the old file or the new one, never a mixture; at worst a `.tmp` file stays behind.
pub(crate) fn write_atomically(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> VectorResult<()> {
    let tmp = path.with_extension(TMP);
    let written =
        write_durably(&tmp, write).and_then(|()| fs::rename(&tmp, path).map_err(VectorError::io("rename", &tmp)));
    if written.is_err() {
        // The reason of the failure is what counts; a file that stays behind is removed at the next open.
        let _ = fs::remove_file(&tmp);
    }
    written?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

fn write_durably(tmp: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> VectorResult<()> {
    let mut file = File::create(tmp).map_err(VectorError::io("create", tmp))?;
    write(&mut file).map_err(VectorError::io("write", tmp))?;
    file.sync_all().map_err(VectorError::io("fsync", tmp))
}

/// Makes renames and removals in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> VectorResult<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|opened| opened.sync_all()).map_err(VectorError::io("fsync", folder))
}
