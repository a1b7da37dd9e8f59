//! The totals of an index as of its last commit: documents, passages, vectors, and what became of the files of each
//! source.
//!
//! The truth counts them anew when it is opened and counts on with every commit. A writer repeats them in `totals.json`,
//! so that a reader needs neither a lock nor the document store. The file is derived: after a crash it may be that of an
//! earlier commit, and the next writer writes it anew.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::documents::Waiting;
use crate::error::{Error, Result};
use crate::files;
use crate::record::{FileState, LedgerEntry};

const NAME: &str = "totals.json";

/// Counts over a whole index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexTotals {
    /// Number of the commit.
    pub sequence: u64,
    /// Documents in the index.
    pub documents: u64,
    /// Passages in the index.
    pub chunks: u64,
    /// Distinct vectors ever stored.
    pub vectors: u64,
    /// Passages whose vectors are still to come.
    #[serde(default, skip_serializing_if = "Waiting::is_over")]
    pub waiting: Waiting,
    /// Texts of which the model could make no vector: their passages are found by their words alone.
    #[serde(default, skip_serializing_if = "is_none")]
    pub refused: u64,
    /// Counts over the files of each source that has any.
    pub sources: BTreeMap<String, SourceTotals>,
}

/// Counts over the files of one source, by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTotals {
    /// Files that are known.
    pub files: u64,
    /// Files that are searchable: the source's documents.
    pub documents: u64,
    /// Files that were read whole.
    pub indexed: u64,
    /// Files of which a part could not be read.
    pub partly: u64,
    /// Files left out by a rule.
    pub skipped: u64,
    /// Files that cannot be read.
    pub unreadable: u64,
    /// Files that failed and are tried again.
    pub failed: u64,
    /// Passages of all files.
    pub chunks: u64,
    /// When the last run over the source ended, in seconds of Unix time.
    pub last_run: Option<i64>,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

impl IndexTotals {
    /// The totals of a source; nothing but zeros before its first file.
    pub fn source(&self, name: &str) -> SourceTotals {
        self.sources.get(name).cloned().unwrap_or_default()
    }

    /// Files of these sources whose text is missing though it should be there; of all sources where none is named.
    pub fn unread(&self, sources: &[String]) -> u64 {
        let named = self.sources.iter().filter(|(name, _)| sources.is_empty() || sources.contains(name));
        named.map(|(_, totals)| totals.unread()).sum()
    }
}

impl SourceTotals {
    /// Files whose text is missing from the index though it should be there.
    pub fn unread(&self) -> u64 {
        self.unreadable + self.failed
    }
}

/// Counts by source, carried on from commit to commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SourceCounts(BTreeMap<String, SourceTotals>);

impl SourceCounts {
    /// Counts a line of the ledger.
    pub(crate) fn add(&mut self, entry: &LedgerEntry) {
        self.count(entry, |counter, number| *counter += number);
    }

    /// Takes a line of the ledger out of the counts.
    pub(crate) fn remove(&mut self, entry: &LedgerEntry) {
        self.count(entry, |counter, number| *counter = counter.saturating_sub(number));
        self.forget_if_empty(&entry.source);
    }

    /// Notes when the last run over a source ended, or that none is known.
    pub(crate) fn set_run(&mut self, source: &str, finished: Option<i64>) {
        self.0.entry(source.to_string()).or_default().last_run = finished;
        self.forget_if_empty(source);
    }

    pub(crate) fn by_source(&self) -> &BTreeMap<String, SourceTotals> {
        &self.0
    }

    fn count(&mut self, entry: &LedgerEntry, change: impl Fn(&mut u64, u64)) {
        let totals = self.0.entry(entry.source.clone()).or_default();
        change(&mut totals.files, 1);
        change(&mut totals.documents, u64::from(entry.is_searchable()));
        change(&mut totals.chunks, u64::from(entry.chunks));
        let of_state = match entry.state {
            FileState::Indexed { .. } => &mut totals.indexed,
            FileState::Partly { .. } => &mut totals.partly,
            FileState::Skipped { .. } => &mut totals.skipped,
            FileState::Unreadable { .. } => &mut totals.unreadable,
            FileState::Failed { .. } => &mut totals.failed,
        };
        change(of_state, 1);
    }

    fn forget_if_empty(&mut self, source: &str) {
        if self.0.get(source).is_some_and(|totals| *totals == SourceTotals::default()) {
            self.0.remove(source);
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TotalsFile {
    totals: IndexTotals,
    /// BLAKE3 over the totals as compact JSON.
    checksum: String,
}

pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// Reads the totals of the index in `folder`; `None` if no writer has written them yet.
pub(crate) fn read(folder: &Path) -> Result<Option<IndexTotals>> {
    let path = path(folder);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    let file: TotalsFile =
        serde_json::from_slice(&text).map_err(|error| Error::damaged(NAME, format!("not readable: {error}")))?;
    if file.checksum != checksum(&file.totals) {
        return Err(Error::damaged(NAME, "wrong checksum"));
    }
    Ok(Some(file.totals))
}

/// Reads the totals for a reader, who cannot do without.
///
/// # Errors
/// [`Error::NoTotals`] if no writer has written them yet.
pub(crate) fn known(folder: &Path) -> Result<IndexTotals> {
    read(folder)?.ok_or_else(|| Error::NoTotals { path: folder.to_path_buf() })
}

/// Writes the totals of the index in `folder`, durably.
pub(crate) fn write(folder: &Path, totals: &IndexTotals) -> Result<()> {
    let file = TotalsFile { totals: totals.clone(), checksum: checksum(totals) };
    let text = serde_json::to_vec_pretty(&file).map_err(|error| Error::damaged(NAME, error.to_string()))?;
    files::replace(&path(folder), &text)
}

/// Writes the totals if the file says anything else; whether what it held was damaged.
pub(crate) fn bring_up_to_date(folder: &Path, totals: &IndexTotals) -> Result<bool> {
    let was_damaged = match read(folder) {
        Ok(found) if found.as_ref() == Some(totals) => return Ok(false),
        Ok(_) => false,
        Err(Error::Damaged { .. }) => true,
        Err(other) => return Err(other),
    };
    write(folder, totals)?;
    Ok(was_damaged)
}

fn checksum(totals: &IndexTotals) -> String {
    let text = serde_json::to_string(totals).unwrap_or_default();
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, state: FileState, chunks: u32) -> LedgerEntry {
        LedgerEntry { state, chunks, ..LedgerEntry::blank("docs", path, "1") }
    }

    #[test]
    fn counts_follow_the_ledger_and_an_empty_source_is_gone() {
        let mut counts = SourceCounts::default();
        let indexed = entry("a", FileState::Indexed { notes: Vec::new() }, 3);
        let archive = entry("b.zip", FileState::Indexed { notes: Vec::new() }, 0);
        let failed = entry("c", FileState::Failed { error: "x".to_string(), tries: 1 }, 0);
        [&indexed, &archive, &failed].into_iter().for_each(|entry| counts.add(entry));
        counts.set_run("docs", Some(7));
        let expected = SourceTotals {
            files: 3,
            documents: 1,
            indexed: 2,
            failed: 1,
            chunks: 3,
            last_run: Some(7),
            ..SourceTotals::default()
        };
        assert_eq!(counts.by_source()["docs"], expected);
        let totals = IndexTotals { sources: counts.by_source().clone(), ..IndexTotals::default() };
        assert_eq!((totals.unread(&[]), totals.unread(&["docs".into()]), totals.unread(&["mail".into()])), (1, 1, 0));
        [&indexed, &archive, &failed].into_iter().for_each(|entry| counts.remove(entry));
        counts.set_run("docs", None);
        assert!(counts.by_source().is_empty());
    }

    #[test]
    fn a_changed_byte_is_damage_and_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(known(folder.path()), Err(Error::NoTotals { .. })));
        let totals = IndexTotals { sequence: 4, documents: 2, ..IndexTotals::default() };
        assert!(!bring_up_to_date(folder.path(), &totals).unwrap(), "there was none");
        assert_eq!(known(folder.path()).unwrap(), totals);
        let text = fs::read_to_string(path(folder.path())).unwrap();
        fs::write(path(folder.path()), text.replace("\"documents\": 2", "\"documents\": 3")).unwrap();
        assert!(matches!(known(folder.path()), Err(Error::Damaged { .. })));
        assert!(bring_up_to_date(folder.path(), &totals).unwrap());
        assert_eq!(known(folder.path()).unwrap(), totals);
    }
}
