//! What of a backup is here already, in the edition in force and beside it: it need not be fetched.
//!
//! Nothing is taken on trust: a piece that lies here counts if it has the hash that the manifest names.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::manifest::{BackupFile, Manifest, Part};
use super::object::{ObjectId, Piece};
use super::source;
use crate::documents::Documents;
use crate::error::Result;

/// The runs of the document store that are the same, while a new edition is filled.
const RUNS: &str = "near-runs";

/// An index that is going to be replaced by a newer one of the same origin.
pub(super) struct Near {
    index: PathBuf,
    beside: PathBuf,
    runs: PathBuf,
    /// Where each run is in that file.
    places: HashMap<ObjectId, u64>,
}

impl Near {
    /// What is in force in `index`, with its open document store, and what lies beside it in `data`, for filling `filling` from
    /// a manifest. What is written down is removed with that folder, or by [`Near::remove`].
    pub(super) fn of(
        documents: &Documents,
        index: &Path,
        data: &Path,
        manifest: &Manifest,
        filling: &Path,
    ) -> Result<Self> {
        let runs = filling.join(RUNS);
        let needed: HashSet<ObjectId> = manifest.documents.runs.iter().map(|piece| piece.0).collect();
        let (found, _) = source::export(documents, &runs, |id| needed.contains(id))?;
        let places = found.into_iter().filter_map(|run| Some((run.id, run.at?))).collect();
        Ok(Self { index: index.to_path_buf(), beside: data.to_path_buf(), runs, places })
    }

    /// A piece of a file that begins at `offset` of it, if the file that is here has the same there.
    pub(super) fn piece(&self, file: &BackupFile, offset: u64, piece: &Piece) -> Option<Vec<u8>> {
        let root = match file.part {
            Part::Index => &self.index,
            Part::Beside => &self.beside,
        };
        read(&root.join(&file.path), offset, piece)
    }

    /// A run of the document store, if it is here.
    pub(super) fn run(&self, piece: &Piece) -> Option<Vec<u8>> {
        read(&self.runs, *self.places.get(&piece.0)?, piece)
    }

    /// Removes what was written down.
    pub(super) fn remove(&self) {
        // What stays goes with the folder that it is in.
        let _ = fs::remove_file(&self.runs);
    }
}

/// What lies at a place of a file, if it is the piece. A fault of the disk is a reason to fetch it, not to fail.
fn read(path: &Path, offset: u64, piece: &Piece) -> Option<Vec<u8>> {
    let mut content = vec![0; usize::try_from(piece.1).ok()?];
    let mut file = File::open(path).ok()?;
    file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(&mut content)).ok()?;
    (ObjectId::of(&content) == piece.0).then_some(content)
}
