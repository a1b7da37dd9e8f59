//! Reading the truth while its writer works: the ledger, counts and sizes.
//!
//! Each entry is read whole and checked; several entries read one after another may belong to different commits. A writer
//! that has to open its store again takes the document store away for that time ([`Error::Reopening`]) and gives the new
//! one to all readers; nobody holds the old one for longer than it takes to read a page of the ledger.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::documents::{Documents, Totals};
use crate::duplicates;
use crate::error::{Error, Result};
use crate::layout;
use crate::record::LedgerEntry;

/// Lines of the ledger that are read at once.
const PAGE: usize = 512;

/// The document store as all readers see it; `None` while it is opened again.
#[derive(Clone)]
pub(crate) struct SharedDocuments(Arc<RwLock<Option<(PathBuf, Documents)>>>);

impl SharedDocuments {
    pub(crate) fn new(folder: &Path, documents: Documents) -> Self {
        Self(Arc::new(RwLock::new(Some((folder.to_path_buf(), documents)))))
    }

    /// Gives another store, of the index in that folder, to the readers, or none for now.
    pub(crate) fn set(&self, store: Option<(PathBuf, Documents)>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = store;
    }

    fn get(&self) -> Result<Documents> {
        Ok(self.placed()?.1)
    }

    /// With the folder of the index: compaction makes another one.
    fn placed(&self) -> Result<(PathBuf, Documents)> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Error::Reopening)
    }
}

/// A reading side of a [`Store`](crate::Store) for other threads of its process. Cheap to clone.
#[derive(Clone)]
pub struct TruthReader {
    documents: SharedDocuments,
}

impl TruthReader {
    pub(crate) fn new(documents: SharedDocuments) -> Self {
        Self { documents }
    }

    /// The ledger line of a file.
    pub fn ledger_entry(&self, source: &str, path: &str) -> Result<Option<LedgerEntry>> {
        self.documents.get()?.ledger_entry(source, path)
    }

    /// The ledger of a source in the order of paths, from behind `after`.
    pub fn ledger<'a>(&'a self, source: &str, after: &str) -> impl Iterator<Item = Result<LedgerEntry>> + use<'a> {
        LedgerPages {
            documents: &self.documents,
            source: source.to_string(),
            after: after.to_string(),
            page: VecDeque::new(),
            is_over: false,
        }
    }

    /// A ledger line for people: with a note on the file that it is equal to, byte for byte, if there is an earlier one.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn with_duplicate(&self, entry: LedgerEntry) -> Result<LedgerEntry> {
        duplicates::noted(&self.documents.get()?, entry)
    }

    /// Counts and sizes.
    pub fn statistics(&self) -> Result<Statistics> {
        let (folder, documents) = self.documents.placed()?;
        let totals = documents.totals_now()?;
        statistics(&folder, &documents, &totals)
    }
}

/// A ledger read page by page: between two pages nothing is held.
struct LedgerPages<'a> {
    documents: &'a SharedDocuments,
    source: String,
    after: String,
    page: VecDeque<LedgerEntry>,
    is_over: bool,
}

impl LedgerPages<'_> {
    fn turn(&mut self) -> Result<()> {
        let documents = self.documents.get()?;
        self.page = documents.ledger_after(&self.source, &self.after).take(PAGE).collect::<Result<_>>()?;
        self.is_over = self.page.len() < PAGE;
        if let Some(last) = self.page.back() {
            self.after.clone_from(&last.path);
        }
        Ok(())
    }
}

impl Iterator for LedgerPages<'_> {
    type Item = Result<LedgerEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty()
            && !self.is_over
            && let Err(error) = self.turn()
        {
            self.is_over = true;
            return Some(Err(error));
        }
        self.page.pop_front().map(Ok)
    }
}

/// Counts and sizes of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// Number of the last commit.
    pub sequence: u64,
    /// Documents in the index.
    pub documents: u64,
    /// Passages in the index.
    pub chunks: u64,
    /// Distinct vectors ever stored.
    pub vectors: u64,
    /// Bytes on disk by part: documents, vectors, lexical index, vector segments.
    pub bytes: Vec<(&'static str, u64)>,
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
