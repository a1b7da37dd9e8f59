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
use crate::{edition, files, upgrade};

/// Version of everything in the data folder. A change of any file's format raises it, and adds a step to `upgrade`.
pub(crate) const FORMAT: u32 = 8;

/// The first format that says who may see what.
pub(crate) const HIDING: u32 = 6;

const NAME: &str = "index.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    format: u32,
    settings: Settings,
    /// BLAKE3 over format and settings as compact JSON.
    checksum: String,
}

/// The part of the file that all formats have.
#[derive(Deserialize)]
struct Header {
    format: u32,
}

pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// Reads the settings of the index in `folder`; `None` if there is no index.
///
/// # Errors
/// [`Error::Outdated`] if a writer has to bring it forward first; otherwise as [`read_any`].
pub(crate) fn read(folder: &Path) -> Result<Option<Settings>> {
    match read_any(folder)? {
        Some((FORMAT, settings)) => Ok(Some(settings)),
        Some((found, _)) => Err(Error::Outdated { path: folder.to_path_buf(), found, expected: FORMAT }),
        None => Ok(None),
    }
}

/// Reads the settings of an index of this format, or of one that can be brought forward, with its format.
///
/// # Errors
/// [`Error::Format`] if this build knows nothing of the format, [`Error::Damaged`] if the file cannot be trusted.
pub(crate) fn read_any(folder: &Path) -> Result<Option<(u32, Settings)>> {
    let path = path(folder);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    let unreadable = |error: serde_json::Error| Error::damaged(NAME, format!("not readable: {error}"));
    let Header { format } = serde_json::from_slice(&text).map_err(unreadable)?;
    if format > FORMAT {
        // What else stands in it is not known.
        return Err(Error::Format { path: folder.to_path_buf(), found: format, expected: FORMAT });
    }
    let file: SettingsFile = serde_json::from_slice(&text).map_err(unreadable)?;
    if file.checksum != checksum(file.format, &file.settings) {
        return Err(Error::damaged(NAME, "wrong checksum"));
    }
    if !upgrade::is_known(format) {
        return Err(Error::Format { path: folder.to_path_buf(), found: format, expected: FORMAT });
    }
    Ok(Some((format, file.settings)))
}

/// The model of the index in the data folder, without opening anything else.
///
/// # Errors
/// [`Error::NoIndex`] if there is none, [`Error::Damaged`] if `index.json` cannot be trusted.
pub fn model_of(data: &Path) -> Result<IndexModel> {
    match edition::reading(data, read_any)? {
        Some((_, settings)) => Ok(settings.model),
        None => Err(Error::NoIndex { path: data.to_path_buf() }),
    }
}

/// The model of a rebuild that was begun in the data folder and is not done; `None` if there is none that can be told.
pub fn model_of_rebuild(data: &Path) -> Option<IndexModel> {
    Some(read(&edition::unfinished(data)).ok()??.model)
}

/// The sources that an index of any format names in `folder`, for making it anew; `None` if that cannot be read.
pub(crate) fn sources_of(folder: &Path) -> Option<Vec<Source>> {
    let file: serde_json::Value = serde_json::from_slice(&fs::read(path(folder)).ok()?).ok()?;
    serde_json::from_value(file.get("settings")?.get("sources")?.clone()).ok()
}

/// Writes the settings of the index in `folder`.
pub(crate) fn write(folder: &Path, settings: &Settings) -> Result<()> {
    write_as(folder, FORMAT, settings)
}

/// Writes them for an index of another format.
pub(crate) fn write_as(folder: &Path, format: u32, settings: &Settings) -> Result<()> {
    let file = SettingsFile { format, settings: settings.clone(), checksum: checksum(format, settings) };
    let text = serde_json::to_vec_pretty(&file).map_err(|error| Error::damaged(NAME, error.to_string()))?;
    files::replace(&path(folder), &text)
}

fn checksum(format: u32, settings: &Settings) -> String {
    let text = serde_json::to_string(&(format, settings)).unwrap_or_default();
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let model = IndexModel { name: "m".into(), fingerprint: "f".into(), dimension: 2 };
        Settings { model, sources: Vec::new() }
    }

    #[test]
    fn an_earlier_format_names_the_cure_and_a_later_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        write_as(folder.path(), FORMAT - 1, &settings()).unwrap();
        let told = read(folder.path()).unwrap_err().to_string();
        let said = [format!("has format {}", FORMAT - 1), format!("brings it to format {FORMAT}")];
        assert!(said.iter().all(|part| told.contains(part)), "{told}");
        assert_eq!(model_of(folder.path()).unwrap(), settings().model);
        // Whatever else a later version writes.
        fs::write(path(folder.path()), r#"{"format": 9, "new": [1], "checksum": "?"}"#).unwrap();
        let told = read(folder.path()).unwrap_err().to_string();
        assert!(told.contains("format 9") && told.contains("knows format 8"), "{told}");
        write_as(folder.path(), 1, &settings()).unwrap();
        let told = read(folder.path()).unwrap_err().to_string();
        assert!(told.contains("has format 1"), "{told}");
    }
}
