//! Formats whose truth is that of the next one, and only what is derived from it is made anew: format 3, whose lexical index
//! held stems without their languages; format 4, whose passages were not filed under the type of their page; format 5, whose index
//! did not name who may see what, so that builds that know nothing of accesses refuse this one; format 6, which read `3½` as 31,
//! had no names such as `.NET` and the `C++` of `C++20`, and had a vector for each passage, so that builds which rely on that refuse this one;
//! and format 7, which had no telephone numbers, took the digits of other scripts for letters, and `AT&T` and `Node.js` for two words each.

use std::path::Path;

use super::Progress;
use crate::documents::Documents;
use crate::error::{Error, Result};
use crate::{files, layout};

/// Copies the truth of the index in `from` to `to`.
pub(super) fn convert(from: &Path, to: &Path, progress: &mut Progress<'_>) -> Result<()> {
    let copied = layout::documents(to);
    copy(&layout::documents(from), &copied)?;
    let documents = Documents::open(&copied)?.totals().documents;
    progress.begin(documents)?;
    progress.first_half(documents)
}

/// Copies a folder: sled changes its files in place, so that another name for them would not do.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir(to).map_err(Error::io("create", to))?;
    for entry in std::fs::read_dir(from).map_err(Error::io("list", from))? {
        let entry = entry.map_err(Error::io("list", from))?;
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &copied)?;
        } else {
            std::fs::copy(&path, &copied).map_err(Error::io("copy", &path))?;
            let file = std::fs::File::open(&copied).map_err(Error::io("open", &copied))?;
            file.sync_all().map_err(Error::io("write", &copied))?;
        }
    }
    files::sync_folder(to)
}
