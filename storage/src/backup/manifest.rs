//! The manifest of a backup: what lay in the data folder, and of which objects it is made.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{BackupError, BackupResult};
use super::object::Piece;
use crate::record::IndexModel;

/// Where manifests lie at a destination.
pub(super) const BACKUPS: &str = "backups";

/// Which folder a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Part {
    /// The edition in force.
    Index,
    /// The data folder: what lies beside the index.
    Beside,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupFile {
    pub(super) part: Part,
    /// Its path in that folder, with `/` between the parts.
    pub(super) path: String,
    pub(super) length: u64,
    pub(super) pieces: Vec<Piece>,
}

/// The document store: its entries in the order of keys, cut into runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupDocuments {
    pub(super) runs: Vec<Piece>,
    /// The entry that counts all others and sums up their checksums, as it is stored. It is another with every commit, and
    /// in a run it would make that another, too.
    pub(super) totals: Vec<u8>,
}

/// All of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) summary: BackupSummary,
    /// The data folder, as sources in it name it.
    pub(super) data: PathBuf,
    pub(super) documents: BackupDocuments,
    pub(super) files: Vec<BackupFile>,
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupSummary {
    /// Its name.
    pub name: String,
    /// When it was made, in seconds of Unix time.
    pub created: i64,
    /// Version of quarry that made it.
    pub quarry: String,
    /// Format of the index.
    pub index_format: u32,
    /// Number of the last commit in it.
    pub generation: u64,
    /// Documents in the index.
    pub documents: u64,
    /// Passages in the index.
    pub passages: u64,
    /// The model of the index.
    pub model: IndexModel,
    /// Bytes of everything that it holds.
    pub bytes: u64,
    /// Bytes that were stored for it, because no backup before it had them.
    pub added: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestFile {
    manifest: Manifest,
    /// BLAKE3 over the manifest as compact JSON.
    checksum: String,
}

impl Manifest {
    /// Its name at a destination.
    pub(super) fn stored_name(name: &str) -> String {
        format!("{BACKUPS}/{name}.json")
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let checksum = checksum(&self);
        // Plain data: encoding it into memory cannot fail.
        serde_json::to_vec(&ManifestFile { manifest: self, checksum }).expect("plain data encodes")
    }

    /// Reads what was written for the backup of that name.
    pub(super) fn decode(name: &str, text: &[u8]) -> BackupResult<Self> {
        let damaged = |detail: String| BackupError::damaged(format!("the list of the backup {name}"), detail);
        let file: ManifestFile =
            serde_json::from_slice(text).map_err(|error| damaged(format!("not readable: {error}")))?;
        if file.checksum != checksum(&file.manifest) {
            return Err(damaged("wrong checksum".to_string()));
        }
        if file.manifest.summary.name != name {
            return Err(damaged(format!("it is that of {}", file.manifest.summary.name)));
        }
        if let Some(file) = file.manifest.files.iter().find(|file| !is_below(&file.path)) {
            return Err(damaged(format!("it names a file outside of the data folder: {:?}", file.path)));
        }
        Ok(file.manifest)
    }

    /// Every piece, with what it is a part of.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (&Piece, &str)> {
        let runs = self.documents.runs.iter().map(|piece| (piece, "the document store"));
        runs.chain(self.files.iter().flat_map(|file| file.pieces.iter().map(|piece| (piece, file.path.as_str()))))
    }
}

/// Whether a path leads to somewhere in the folder that it starts in.
fn is_below(path: &str) -> bool {
    let mut parts = Path::new(path).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

fn checksum(manifest: &Manifest) -> String {
    let text = serde_json::to_vec(manifest).unwrap_or_default();
    blake3::hash(&text).to_hex().to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::backup::object::ObjectId;

    pub(in crate::backup) fn manifest(name: &str, path: &str) -> Manifest {
        let model = IndexModel { name: "m".into(), fingerprint: "f".into(), dimension: 2 };
        let summary = BackupSummary {
            name: name.into(),
            created: 7,
            quarry: "0".into(),
            index_format: 7,
            generation: 3,
            documents: 1,
            passages: 1,
            model,
            bytes: 1,
            added: 1,
        };
        let pieces = vec![Piece(ObjectId::of(b"x"), 1, 2)];
        let file = BackupFile { part: Part::Index, path: path.into(), length: 1, pieces };
        let documents = BackupDocuments { runs: Vec::new(), totals: vec![1] };
        Manifest { summary, data: "/data".into(), documents, files: vec![file] }
    }

    #[test]
    fn a_changed_byte_another_name_and_a_path_that_leads_out_are_damage() {
        let text = manifest("a", "lexical/meta.json").encode();
        assert_eq!(Manifest::decode("a", &text).unwrap(), manifest("a", "lexical/meta.json"));
        assert!(Manifest::decode("b", &text).is_err());
        for at in 0..text.len() {
            let mut other = text.clone();
            other[at] ^= 1;
            assert!(Manifest::decode("a", &other).is_err(), "byte {at}");
        }
        for path in ["../x", "/etc/x", "a/../../x", "", "."] {
            assert!(Manifest::decode("a", &manifest("a", path).encode()).is_err(), "{path:?}");
        }
    }
}
