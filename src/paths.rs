//! Default paths, for when the user does not say where things are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use etcetera::BaseStrategy;

use crate::settings::Settings;

/// The data folder: flag, environment, or the user's data directory.
pub(crate) fn data_dir(settings: &Settings) -> Result<PathBuf> {
    if let Some(folder) = &settings.data_dir {
        return Ok(folder.clone());
    }
    let strategy = etcetera::choose_base_strategy().context("no home folder is known; name one with --data-dir")?;
    Ok(strategy.data_dir().join("quarry"))
}

/// From here on this process makes files for its user only, whatever the caller's umask: sled and tantivy take no mode.
/// In a data folder that is shared with a group, the group may read them.
pub(crate) fn create_privately(data: &Path) {
    #[cfg(unix)]
    {
        let hidden = if storage::is_shared(data) { 0o027 } else { 0o077 };
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(hidden));
    }
}

/// The absolute path of a folder to index.
pub(crate) fn source_root(folder: &Path) -> Result<PathBuf> {
    folder.canonicalize().with_context(|| format!("cannot open {}; expected a folder of documents", folder.display()))
}

/// A source's name when none is given.
pub(crate) fn source_name(root: &Path) -> String {
    root.file_name().map_or_else(|| "root".to_string(), |name| name.to_string_lossy().into_owned())
}
