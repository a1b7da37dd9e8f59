//! The writing side: one process at a time, commits that are whole or absent.
//!
//! A commit goes through six steps, each durable before the next begins: vectors are appended and synced; the truth is
//! written in one sled batch and flushed (from here on the commit is acknowledged); the lexical index replaces the
//! touched documents; the totals for readers are written; the vector index takes in the new vectors; a fresh snapshot is
//! swapped in. Whatever a crash leaves undone, the next open finishes (see `recover`).

mod accesses;
mod changes;
mod source;
mod waiting;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::debug_span;

use crate::access::{AccessFiles, AccessTable};
use crate::attempts::Attempts;
use crate::batch::Batch;
use crate::closed::ClosedStore;
use crate::contents::Contents;
use crate::crash::{self, Step};
use crate::documents::{Changes, Documents, Settings};
use crate::error::{Error, Result, chain};
use crate::layout;
use crate::lexical::{LexicalIndex, Payload};
use crate::lock::Lock;
use crate::placement::Placement;
use crate::record::{ContentKey, IndexModel, LedgerEntry, Source};
use crate::recover::{self, Opened};
use crate::settings;
use crate::snapshot::{Snapshot, SnapshotHandle};
use crate::totals::{self, IndexTotals};
use crate::truth::{SharedDocuments, Statistics, TruthReader, statistics};
use crate::vectorfile::VectorFile;
use crate::vectors::VectorIndex;
use crate::verify::{self, Verification};
use crate::{backup, duplicates, edition, private, upgrade};

/// Target of the spans that are stages of indexing, here and in the indexer: what they take is measured.
pub const STAGE: &str = "stage";

/// Commits after which the change log is trimmed.
const TRIM_EVERY: u64 = 64;

/// An index opened for writing.
pub struct Store {
    folder: PathBuf,
    settings: Settings,
    documents: Documents,
    vectors: VectorFile,
    lexical: LexicalIndex,
    access: AccessTable,
    access_files: AccessFiles,
    index: VectorIndex,
    current: SnapshotHandle,
    truth: SharedDocuments,
    repairs: Vec<String>,
    poisoned: Option<String>,
    attempts: Arc<Attempts>,
    lock: Lock,
}

impl Store {
    /// Opens the index in the data folder for writing, or makes an empty one; brings one of an earlier format forward, and
    /// repairs what a crash left undone.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process writes, [`Error::Follows`] if the folder follows backups, [`Error::Model`] if the
    /// index was built with another model, [`Error::Format`] if a newer quarry wrote it, [`Error::Damaged`] if the truth is not what was written.
    pub fn open(data: &Path, model: &IndexModel) -> Result<Self> {
        Self::open_with(data, model, Lock::acquire)
    }

    /// Opens the index in a data folder that follows backups, for searches and for [`Store::pull`]: nothing else changes it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_following(data: &Path, model: &IndexModel) -> Result<Self> {
        Self::open_with(data, model, Lock::acquire_following)
    }

    fn open_with(data: &Path, model: &IndexModel, acquire: impl Fn(&Path) -> Result<Lock>) -> Result<Self> {
        let mut repairs = Vec::new();
        repairs.extend(private::make_folder(data)?);
        let lock = acquire(data)?;
        if edition::remove_superseded(data)? {
            repairs.push("removed the index that a rebuild has replaced".to_string());
        }
        backup::remove_leftovers(data)?;
        edition::remove_unfinished(data)?;
        repairs.extend(upgrade::bring_forward(data, model)?);
        let folder = edition::in_force(data)?;
        let mut opened = recover::open(&folder, model)?;
        repairs.append(&mut opened.repairs);
        opened.repairs = repairs;
        Self::with(&folder, lock, opened)
    }

    pub(crate) fn with(folder: &Path, lock: Lock, opened: Opened) -> Result<Self> {
        let Opened { settings, documents, vectors, lexical, access, index, repairs, attempts } = opened;
        let (index, snapshot) = published(&settings, documents.index_totals(), &lexical, &index, &access)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            settings,
            truth: SharedDocuments::new(folder, documents.clone()),
            documents,
            vectors,
            lexical,
            access,
            access_files: AccessFiles::default(),
            index,
            current: SnapshotHandle::new(snapshot),
            repairs,
            poisoned: None,
            attempts: Arc::new(attempts),
            lock,
        })
    }

    /// Closes the store after a failure, to open it again in place. Searches go on on the last snapshot.
    pub fn suspend(self) -> ClosedStore {
        let Self { folder, settings, current, truth, lock, .. } = self;
        // The parts are dropped here: their files have to be free before they are opened again.
        truth.set(None);
        ClosedStore { folder, model: settings.model, current, truth, lock }
    }

    /// A store made of parts that were opened again, and the handles of those who read the one before.
    pub(crate) fn resume(closed: ClosedStore, opened: Opened) -> Result<Self, (Box<ClosedStore>, Error)> {
        let Opened { settings, documents, vectors, lexical, access, index, repairs, attempts } = opened;
        let (index, snapshot) = match published(&settings, documents.index_totals(), &lexical, &index, &access) {
            Ok(viewed) => viewed,
            Err(error) => return Err((Box::new(closed), error)),
        };
        let ClosedStore { folder, model: _, current, truth, lock } = closed;
        current.set(snapshot);
        truth.set(Some((folder.clone(), documents.clone())));
        let (poisoned, attempts) = (None, Arc::new(attempts));
        Ok(Self {
            folder,
            settings,
            documents,
            vectors,
            lexical,
            access,
            access_files: AccessFiles::default(),
            index,
            current,
            truth,
            repairs,
            poisoned,
            attempts,
            lock,
        })
    }

    /// The store, once it has shown that it can write: a disk that is full opens well.
    pub(crate) fn checked(mut self) -> Result<Self, (Box<ClosedStore>, Error)> {
        match self.write_settings(self.settings.clone()) {
            Ok(()) => Ok(self),
            Err(error) => Err((Box::new(self.suspend()), error)),
        }
    }

    /// What was repaired at open, in words.
    pub fn repairs(&self) -> &[String] {
        &self.repairs
    }

    /// The model of the index.
    pub fn model(&self) -> &IndexModel {
        &self.settings.model
    }

    /// The folders that are indexed.
    pub fn sources(&self) -> &[Source] {
        &self.settings.sources
    }

    /// Adds a source; the same name and folder again changes nothing.
    ///
    /// # Errors
    /// [`Error::SourceRoot`] if the name is taken by another folder, [`Error::SourceName`] if it is not usable.
    pub fn add_source(&mut self, source: Source) -> Result<()> {
        let length = source.name.chars().count();
        if length == 0 || length > 200 || source.name.chars().any(char::is_control) {
            return Err(Error::SourceName { name: source.name });
        }
        if let Some(existing) = self.settings.sources.iter().find(|existing| existing.name == source.name) {
            if existing.root == source.root {
                return Ok(());
            }
            let Source { name, root } = existing.clone();
            return Err(Error::SourceRoot { name, existing: root, given: source.root });
        }
        let mut settings = self.settings.clone();
        settings.sources.push(source);
        self.write_settings(settings)
    }

    /// Takes a source out: its documents and ledger lines, then its entry. The number of its files.
    pub fn remove_source(&mut self, name: &str) -> Result<usize> {
        let mut batch = Batch::default();
        for entry in self.documents.ledger(name) {
            let entry = entry?;
            batch.remove(&entry.source, &entry.path);
            batch.forget(&entry.source, &entry.path);
        }
        let files = batch.documents();
        self.commit(batch)?;
        let mut settings = self.settings.clone();
        settings.sources.retain(|source| source.name != name);
        self.write_settings(settings)?;
        Ok(files)
    }

    fn write_settings(&mut self, settings: Settings) -> Result<()> {
        self.check_poison()?;
        let written = self.write_and_publish(settings);
        self.poison_unless_done(written)
    }

    fn write_and_publish(&mut self, settings: Settings) -> Result<()> {
        let mut changes = Changes::default();
        changes.put_settings(&settings);
        self.documents.apply(changes, self.vectors.len())?;
        settings::write(&self.folder, &settings)?;
        totals::write(&self.folder, &self.documents.index_totals())?;
        self.settings = settings;
        self.publish()
    }

    /// What was under way when a process died.
    pub fn attempts(&self) -> Arc<Attempts> {
        Arc::clone(&self.attempts)
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.get()
    }

    /// A handle that always gives the newest snapshot.
    pub fn snapshots(&self) -> SnapshotHandle {
        self.current.clone()
    }

    /// A reading side of the truth for threads that work beside the writer.
    pub fn truth(&self) -> TruthReader {
        TruthReader::new(self.truth.clone())
    }

    /// Whether the content under this key has a vector already.
    pub fn has_vector(&self, key: ContentKey) -> Result<bool> {
        Ok(self.documents.ordinal(key)?.is_some())
    }

    /// The ledger line of a file.
    pub fn ledger_entry(&self, source: &str, path: &str) -> Result<Option<LedgerEntry>> {
        self.documents.ledger_entry(source, path)
    }

    /// The ledger of a source, in the order of paths.
    pub fn ledger(&self, source: &str) -> impl Iterator<Item = Result<LedgerEntry>> + '_ {
        self.documents.ledger(source)
    }

    /// The ledger lines of the documents inside of a file (an archive, a mail with attachments), in the order of paths.
    pub fn ledger_inside(&self, source: &str, path: &str) -> impl Iterator<Item = Result<LedgerEntry>> + '_ {
        self.documents.ledger_inside(source, path)
    }

    /// A ledger line for people: with a note on the file that it is equal to, byte for byte, if there is an earlier one.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn with_duplicate(&self, entry: LedgerEntry) -> Result<LedgerEntry> {
        duplicates::noted(&self.documents, entry)
    }

    /// When the last run over a source ended, in seconds of Unix time.
    pub fn last_run(&self, source: &str) -> Result<Option<i64>> {
        self.documents.last_run(source)
    }

    /// Checks the index whole, as [`verify`](crate::verify()) does without a writer. What is wrong is a finding, not an error.
    ///
    /// # Errors
    /// What is wrong with the document store itself keeps it from being read.
    pub fn verify(&self) -> Result<Verification> {
        verify::verify_open(&self.folder, &self.documents)
    }

    /// Counts and sizes.
    pub fn statistics(&self) -> Result<Statistics> {
        statistics(&self.folder, &self.documents, &self.documents.totals())
    }

    /// Makes a batch durable and visible, whole.
    ///
    /// # Errors
    /// A batch that is refused ([`Error::NoVector`], a vector of the wrong length) changes nothing. After a failure of
    /// the disk the store takes no further commits; opening it again repairs it and loses nothing acknowledged.
    pub fn commit(&mut self, batch: Batch) -> Result<u64> {
        self.check_poison()?;
        if batch.is_empty() {
            return Ok(self.documents.totals().sequence);
        }
        let resolved = self.resolve(&batch)?;
        let committed = self.commit_resolved(batch, &resolved);
        self.poison_unless_done(committed)
    }

    /// What was half done must not be built upon: after a failure nothing more is written until the next open.
    fn poison_unless_done<T>(&mut self, done: Result<T>) -> Result<T> {
        if let Err(error) = &done {
            self.poisoned = Some(chain(error));
        }
        done
    }

    fn commit_resolved(&mut self, batch: Batch, resolved: &changes::Resolved) -> Result<u64> {
        let _commit = debug_span!(target: STAGE, "commit").entered();
        debug_span!(target: STAGE, "commit_vectors").in_scope(|| self.append_vectors(&batch, resolved))?;
        let accesses = self.changed_accesses(&batch);
        let (mut changes, touched) = self.changes(batch, resolved)?;
        accesses.iter().for_each(|(id, access)| changes.put_access(*id, access.as_ref()));
        let writing = debug_span!(target: STAGE, "commit_truth");
        let totals = writing.in_scope(|| self.documents.apply(changes, self.vectors.len()))?;
        let mut access = self.lexical.payload()?.map_or(0, |payload| payload.access);
        if !accesses.is_empty() {
            self.access.note(&accesses);
            access = totals.sequence;
            // Before the lexical index: no text is seen before it is said who may see it.
            self.write_access(access, &accesses)?;
            crash::point(Step::AccessWritten);
        }
        let is_untouched = touched.is_empty() && accesses.is_empty();
        if !is_untouched {
            let _span = debug_span!(target: STAGE, "commit_lexical").entered();
            for (id, written) in &touched {
                match written {
                    Some((document, chunks)) => self.lexical.replace(document, chunks)?,
                    None => self.lexical.delete(*id),
                }
            }
            self.lexical.commit(Payload { sequence: totals.sequence, chunks: totals.chunks, access })?;
        }
        if !accesses.is_empty() {
            self.access_files.keep_only(&self.folder, access)?;
        }
        let counted = self.documents.index_totals();
        debug_span!(target: STAGE, "commit_totals").in_scope(|| totals::write(&self.folder, &counted))?;
        crash::point(Step::TotalsWritten);
        if is_untouched {
            self.current.set(self.current.get().counted_anew(counted));
        } else {
            debug_span!(target: STAGE, "commit_snapshot").in_scope(|| self.publish())?;
        }
        if totals.sequence.is_multiple_of(TRIM_EVERY) {
            self.documents.trim_log(totals.sequence)?;
        }
        crash::point(Step::Published);
        Ok(totals.sequence)
    }

    fn publish(&mut self) -> Result<()> {
        let totals = self.documents.index_totals();
        let (index, snapshot) = published(&self.settings, totals, &self.lexical, &self.index, &self.access)?;
        self.index = index;
        self.current.set(snapshot);
        Ok(())
    }

    fn check_poison(&self) -> Result<()> {
        match &self.poisoned {
            Some(cause) => Err(Error::Poisoned { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    /// Ends writing in good order: merges finish, the log is trimmed. Dropping a store instead is safe and leaves that
    /// to the next open.
    pub fn close(self) -> Result<()> {
        self.close_locked().map(drop)
    }

    /// As [`Store::close`], but the data folder stays locked.
    pub(crate) fn close_locked(mut self) -> Result<Lock> {
        if self.poisoned.is_none() {
            let applied = self.lexical.payload()?.map_or(0, |payload| payload.sequence);
            self.documents.trim_log(applied)?;
        }
        self.lexical.close()?;
        Ok(self.lock)
    }
}

/// The state after the last commit, and the vector index it uses.
fn published(
    settings: &Settings,
    totals: IndexTotals,
    lexical: &LexicalIndex,
    index: &VectorIndex,
    access: &AccessTable,
) -> Result<(VectorIndex, Snapshot)> {
    let lexical = lexical.reader()?;
    let placement = Placement::of(&lexical)?;
    let index = layout::take_in_vectors(index, &placement)?;
    let contents = Contents::new(settings.clone(), lexical, index.clone(), placement);
    Ok((index, Snapshot::of(totals, contents, access.clone())))
}
