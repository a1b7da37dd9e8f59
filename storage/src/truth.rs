//! Reading the truth while its writer works: the ledger, times of runs, counts and sizes.
//!
//! Each entry is read whole and checked; several entries read one after another may belong to different commits.

use std::path::{Path, PathBuf};

use crate::documents::{Documents, Totals};
use crate::error::Result;
use crate::layout;
use crate::record::LedgerEntry;
use crate::store::Statistics;
use crate::twins;

/// A reading side of a [`Store`](crate::Store) for other threads of its process. Cheap to clone.
#[derive(Clone)]
pub struct TruthReader {
    folder: PathBuf,
    documents: Documents,
}

impl TruthReader {
    pub(crate) fn new(folder: PathBuf, documents: Documents) -> Self {
        Self { folder, documents }
    }

    /// The ledger line of a file.
    pub fn ledger_entry(&self, source: &str, path: &str) -> Result<Option<LedgerEntry>> {
        self.documents.ledger_entry(source, path)
    }

    /// The ledger of a source in the order of paths, from behind `after`.
    pub fn ledger<'a>(&'a self, source: &str, after: &str) -> impl Iterator<Item = Result<LedgerEntry>> + use<'a> {
        self.documents.ledger_after(source, after)
    }

    /// A ledger line for people: with a note on the file that it is equal to, byte for byte, if there is an earlier one.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn told(&self, entry: LedgerEntry) -> Result<LedgerEntry> {
        twins::told(&self.documents, entry)
    }

    /// When the last run over a source ended, in seconds of Unix time.
    pub fn last_run(&self, source: &str) -> Result<Option<i64>> {
        self.documents.last_run(source)
    }

    /// Counts and sizes.
    pub fn statistics(&self) -> Result<Statistics> {
        let totals = self.documents.totals_now()?;
        statistics(&self.folder, &self.documents, &totals)
    }
}

/// What an index holds by its totals, and what it takes on disk.
pub(crate) fn statistics(folder: &Path, documents: &Documents, totals: &Totals) -> Result<Statistics> {
    let mut bytes = layout::sizes(folder);
    if let Some((_, size)) = bytes.first_mut() {
        *size = documents.size_on_disk()?;
    }
    Ok(Statistics {
        sequence: totals.sequence,
        documents: totals.documents,
        chunks: totals.chunks,
        vectors: totals.vectors,
        bytes,
    })
}
