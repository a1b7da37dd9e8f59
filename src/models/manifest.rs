//! The manifest of a pulled model: a small JSON file in the model's folder, so that a later check can tell whether
//! every byte is still what the hub sent. Folders that were copied by hand need none.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
#[cfg(feature = "hub")]
use storage::{Readers, replace_durably};

/// The manifest's name in a model's folder.
pub(crate) const MANIFEST: &str = "quarry-model.json";

/// Where a model came from and what its files were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) repository: String,
    /// As asked for: a branch, a tag or a commit.
    pub(crate) revision: String,
    /// The commit that the revision was, where the hub says so.
    pub(crate) commit: Option<String>,
    pub(crate) endpoint: String,
    pub(crate) files: Vec<Recorded>,
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) size: u64,
    /// SHA-256 of the contents in hex.
    pub(crate) sha256: String,
    /// What the hub's metadata allowed to check it against: "sha256", "git sha1" or "length".
    pub(crate) checked: String,
    /// What the hub calls these contents: a checksum or an ETag.
    #[serde(default)]
    pub(crate) identity: Option<String>,
}

impl Manifest {
    /// The manifest of a folder; none where the folder was made by hand.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let parsed = serde_json::from_slice(&text);
        parsed.map(Some).with_context(|| format!("{} is damaged: delete it, or pull the model again", path.display()))
    }

    /// Writes the manifest, whole or not at all.
    #[cfg(feature = "hub")]
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(MANIFEST);
        let text = serde_json::to_vec_pretty(self)?;
        let written = replace_durably(&path, Readers::Umask, |file| io::Write::write_all(file, &text));
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Compares the files of a folder with the record; gives what differs, nothing if all is well.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub(crate) fn differences(&self, folder: &Path) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for file in &self.files {
            let path = folder.join(&file.name);
            match fs::metadata(&path) {
                Err(_) => found.push(format!("{} is missing", file.name)),
                Ok(data) if data.len() != file.size => {
                    found.push(format!("{}: expected {} bytes, got {}", file.name, file.size, data.len()));
                }
                Ok(_) => {
                    let sha256 = sha256(&path)?;
                    if sha256 != file.sha256 {
                        found.push(format!("{}: expected sha256 {}, got {sha256}", file.name, file.sha256));
                    }
                }
            }
        }
        Ok(found)
    }
}

/// SHA-256 of a file in hex.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    read_blocks(path, |block| hasher.update(block))?;
    Ok(hex(&hasher.finalize()))
}

/// Hands the contents of a file over block by block.
pub(crate) fn read_blocks(path: &Path, mut take: impl FnMut(&[u8])) -> Result<()> {
    let name = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(name)?;
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block).with_context(name)? {
            0 => return Ok(()),
            read => take(&block[..read]),
        }
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(folder: &Path) -> Manifest {
        let file = Recorded {
            name: "a".to_string(),
            size: 3,
            // NIST's example for SHA-256 of "abc".
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_string(),
            checked: "sha256".to_string(),
            identity: None,
        };
        fs::write(folder.join("a"), "abc").unwrap();
        let text = |text: &str| text.to_string();
        Manifest {
            repository: text("o/n"),
            revision: text("main"),
            commit: None,
            endpoint: text("e"),
            files: vec![file],
        }
    }

    #[test]
    fn every_kind_of_difference_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = manifest(folder.path());
        let differences = || manifest.differences(folder.path()).unwrap();
        assert!(differences().is_empty());
        fs::write(folder.path().join("a"), "abd").unwrap();
        assert!(differences()[0].contains("expected sha256 ba7816bf"));
        fs::write(folder.path().join("a"), "abcd").unwrap();
        assert!(differences()[0].contains("expected 3 bytes, got 4"));
        fs::remove_file(folder.path().join("a")).unwrap();
        assert!(differences()[0].contains("missing"));
    }

    #[test]
    fn a_damaged_manifest_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), None);
        fs::write(folder.path().join(MANIFEST), "{").unwrap();
        assert!(Manifest::read(folder.path()).unwrap_err().to_string().contains("damaged"));
    }
}
