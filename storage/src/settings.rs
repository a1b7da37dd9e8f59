//! `index.json`: what a reader must know before it opens anything else.
//!
//! It repeats the settings of the truth (model, sources) with the format version, so that a process that only searches
//! needs no lock and no document store. It is derived: a writer rewrites it whenever it differs from the truth.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::documents::Settings;
use crate::error::{Error, Result};
use crate::record::{IndexModel, Source};
use crate::{edition, files};

/// Version of everything in the data folder. A change of any file's format raises it.
pub(crate) const FORMAT: u32 = 2;

const NAME: &str = "index.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    format: u32,
    settings: Settings,
    /// BLAKE3 over format and settings as compact JSON.
    checksum: String,
}

pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// Reads the settings of the index in `folder`; `None` if there is no index.
pub(crate) fn read(folder: &Path) -> Result<Option<Settings>> {
    let path = path(folder);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    let file: SettingsFile =
        serde_json::from_slice(&text).map_err(|error| Error::damaged(NAME, format!("not readable: {error}")))?;
    if file.checksum != checksum(file.format, &file.settings) {
        return Err(Error::damaged(NAME, "wrong checksum"));
    }
    if file.format != FORMAT {
        return Err(Error::Format { path: folder.to_path_buf(), found: file.format, expected: FORMAT });
    }
    Ok(Some(file.settings))
}

/// The model of the index in the data folder, without opening anything else.
///
/// # Errors
/// [`Error::NoIndex`] if there is none, [`Error::Damaged`] if `index.json` cannot be trusted.
pub fn model_of(data: &Path) -> Result<IndexModel> {
    match edition::reading(data, read)? {
        Some(settings) => Ok(settings.model),
        None => Err(Error::NoIndex { path: data.to_path_buf() }),
    }
}

/// The sources that an index of any format names in `folder`, for making it anew; `None` if that cannot be read.
pub(crate) fn sources_of(folder: &Path) -> Option<Vec<Source>> {
    let file: serde_json::Value = serde_json::from_slice(&fs::read(path(folder)).ok()?).ok()?;
    serde_json::from_value(file.get("settings")?.get("sources")?.clone()).ok()
}

/// Writes the settings of the index in `folder`.
pub(crate) fn write(folder: &Path, settings: &Settings) -> Result<()> {
    let file = SettingsFile { format: FORMAT, settings: settings.clone(), checksum: checksum(FORMAT, settings) };
    let text = serde_json::to_vec_pretty(&file).map_err(|error| Error::damaged(NAME, error.to_string()))?;
    files::replace(&path(folder), &text)
}

fn checksum(format: u32, settings: &Settings) -> String {
    let text = serde_json::to_string(&(format, settings)).unwrap_or_default();
    blake3::hash(text.as_bytes()).to_hex().to_string()
}
