//! A run: what is compared with the folder, and the line over the files that have to be read: prepare (several threads) ->
//! embed (the model's thread) -> commit (this thread, see `line`).

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::bounded;
use qwen3::{EmbedHandle, Lane};
use storage::{Batch, LedgerEntry, STAGE, Source, Store};
use tracing::{Span, debug_span, info_span};

use crate::access::Round;
use crate::beneath::Root;
use crate::counter::ModelCounter;
use crate::error::IndexError;
use crate::history::History;
use crate::line::{Line, in_place};
use crate::options::IndexOptions;
use crate::overtaken::Overtaken;
use crate::permissions::Permissions;
use crate::plan::{Work, plan};
use crate::prepare::{Job, Preparer, TextDocument};
use crate::progress::{Counters, Interlude, Observer, Planned, RunReport};
use crate::reader::version;
use crate::suspects::{Sorted, Vigil, is_said, sort};
use crate::vanished::Vanished;
use crate::walk::find;

/// Prepared documents that may wait for the writer, which bounds the memory.
const QUEUE: usize = 64;

/// Brings documents into a store.
pub struct Indexer<'a> {
    pub(crate) store: &'a mut Store,
    pub(crate) embedder: &'a EmbedHandle,
    pub(crate) options: IndexOptions,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) cancel: &'a AtomicBool,
    pub(crate) interlude: Option<&'a mut dyn Interlude>,
    pub(crate) lane: Lane,
    /// Files of the source that the interlude has committed: what this run knows of them is out of date.
    pub(crate) overtaken: Overtaken,
    /// What earlier parts of the run have done.
    pub(crate) done: Counters,
    pub(crate) round: Round,
}

impl<'a> Indexer<'a> {
    /// An indexer that writes to `store`. When `cancel` becomes true it returns soon: what is committed stays, and of the
    /// batch that is with the model the vectors that are there.
    pub fn new(
        store: &'a mut Store,
        embedder: &'a EmbedHandle,
        options: IndexOptions,
        observer: &'a dyn Observer,
        cancel: &'a AtomicBool,
    ) -> Self {
        let (interlude, lane, overtaken) = (None, Lane::Bulk, Overtaken::default());
        let (done, round) = (Counters::default(), Round::default());
        Self { store, embedder, options, observer, cancel, interlude, lane, overtaken, done, round }
    }

    /// Makes room for other work on the store whenever a run can.
    pub fn with_interlude(mut self, interlude: &'a mut dyn Interlude) -> Self {
        self.interlude = Some(interlude);
        self
    }

    /// Somebody waits: embeds before the runs that nobody waits for.
    pub fn soon(mut self) -> Self {
        self.lane = Lane::Soon;
        self
    }

    /// Makes the index equal to the source's folder.
    ///
    /// # Errors
    /// The folder cannot be listed, it is suddenly empty, the store failed, or the model failed on every text. A file
    /// that cannot be read is no error: the ledger says so.
    pub fn index_source(&mut self, source: &Source) -> Result<RunReport, IndexError> {
        let started = Instant::now();
        self.store.add_source(source.clone())?;
        let version = version(self.options.reader.as_ref(), &self.options.extract);
        let (walk, comparison) = (&self.options.walk, self.options.comparison);
        let _run = info_span!("index", source = source.name).entered();
        let listing = debug_span!(target: STAGE, "list");
        let planned = listing.in_scope(|| plan(self.store, source, walk, comparison, &version, self.cancel))?;
        let Some(plan) = planned else {
            return Ok(RunReport { interrupted: true, ..RunReport::default() });
        };
        let planning = started.elapsed();
        in_place(&plan.root, source)?;
        let vanished = plan.read.is_empty() && plan.unchanged == 0 && !plan.gone.is_empty();
        if vanished && self.options.vanished != Vanished::Remove {
            return Err(IndexError::SuddenlyEmpty { root: source.root.clone(), documents: plan.gone.len() });
        }
        self.store.commit(plan.unlisted.changes())?;
        let bytes = plan.read.iter().map(|work| work.file.bytes).sum();
        self.observer.planned(&Planned { files: plan.read.len() as u64, bytes, unchanged: plan.unchanged });
        // What takes long to read keeps nobody out, or in, of what is there already.
        let noticed = if plan.read.is_empty() { 0 } else { self.begin_accesses(source, &plan.root)? };
        let read: Vec<String> = plan.read.iter().map(|work| work.file.relative.clone()).collect();
        let mut report = self.files(source, &plan.root, plan.read)?;
        report.planning = planning;
        report.unchanged += plan.unchanged;
        report.unlisted = plan.unlisted.len();
        report.problems = plan.problems.iter().map(ToString::to_string).collect();
        if !report.interrupted {
            // Asked twice: most runs need not look for moved files.
            let refuses = |gone: usize| self.options.vanished.refuses(gone, plan.known);
            let lost = if refuses(plan.gone.len()) { self.lost(&source.name, &plan.gone, &read)? } else { 0 };
            if refuses(lost) {
                return Err(IndexError::ManyGone { root: source.root.clone(), gone: lost, known: plan.known });
            }
            in_place(&plan.root, source)?;
            let gone = plan.gone.into_iter().map(|entry| entry.path).filter(|path| !self.overtaken.covers(path));
            let gone: Vec<String> = gone.collect();
            report.removed += self.finish(&source.name, &gone)?;
            report.accesses = noticed + self.refresh_accesses(source, &plan.root, None)?;
        }
        report.elapsed = started.elapsed();
        Ok(report)
    }

    /// How many of the files that are gone are not among those that were read under another name.
    fn lost(&self, source: &str, gone: &[LedgerEntry], read: &[String]) -> Result<usize, IndexError> {
        let mut moved: HashSet<[u8; 32]> = HashSet::new();
        for path in read {
            moved.extend(self.store.ledger_entry(source, path)?.and_then(|entry| entry.content));
        }
        Ok(gone.iter().filter(|entry| entry.content.is_none_or(|content| !moved.contains(&content))).count())
    }

    /// Brings single files of a source up to date: `paths` below its root, with `/` between the parts. A file that is
    /// gone loses its document; the other files of the source are not looked at.
    ///
    /// # Errors
    /// As [`Indexer::index_source`].
    pub fn index_paths(&mut self, source: &Source, paths: &[String]) -> Result<RunReport, IndexError> {
        let started = Instant::now();
        let _run = info_span!("index", source = source.name).entered();
        self.store.add_source(source.clone())?;
        let root = Root::open(&source.root).map_err(|error| IndexError::no_root(&source.root, &error))?;
        let (mut found, mut gone) = (Vec::new(), Batch::default());
        for path in paths {
            match find(&root, path).map_err(|error| IndexError::no_root(&source.root.join(path), &error))? {
                Some(file) => {
                    let known = self.store.ledger_entry(&source.name, path)?;
                    let inside = self.inside(&source.name, path)?;
                    found.push(Work { file, known, inside });
                }
                None => {
                    for path in self.inside(&source.name, path)?.iter().chain([path]) {
                        gone.remove(&source.name, path);
                        gone.forget(&source.name, path);
                    }
                }
            }
        }
        let removed = gone.documents() as u64;
        in_place(&root, source)?;
        self.store.commit(gone)?;
        let mut report = self.files(source, &root, found)?;
        if !report.interrupted {
            self.refresh_accesses(source, &root, Some(paths))?;
        }
        report.removed += removed;
        report.elapsed = started.elapsed();
        Ok(report)
    }

    /// Works on files: the usual ones together, each suspect alone.
    fn files(&mut self, source: &Source, root: &Root, all: Vec<Work>) -> Result<RunReport, IndexError> {
        let version = version(self.options.reader.as_ref(), &self.options.extract);
        let attempts = self.store.attempts();
        let history = History::of(all.iter().map(|work| work.file.path.as_path()));
        let Sorted { usual, suspects, mut aside } =
            sort(&attempts, &source.name, &version, self.options.comparison, all);
        let left = aside.len();
        aside.retain(|work| !is_said(work, &version));
        let said = (left - aside.len()) as u64;
        let _vigil = Vigil::begin(attempts, self.options.stop.clone());
        let file = |work| Job::File(Box::new(work));
        let aside = aside.into_iter().map(|work| Job::SetAside(Box::new(work)));
        let mut report = self.run(source, Some(root), &history, usual.into_iter().map(file).chain(aside))?;
        for suspect in suspects {
            if report.interrupted {
                break;
            }
            let alone = self.run(source, Some(root), &history, std::iter::once(file(suspect)))?;
            report.add(&alone);
        }
        report.failed += said;
        Ok(report)
    }

    /// Paths of the documents inside of a file.
    fn inside(&self, source: &str, path: &str) -> Result<Vec<String>, IndexError> {
        let entries = self.store.ledger_inside(source, path);
        entries.map(|entry| Ok(entry?.path)).collect()
    }

    /// Puts texts that are not files, such as an evaluation corpus.
    ///
    /// # Errors
    /// The store failed, or the model failed on every text.
    pub fn index_texts(
        &mut self,
        source: &Source,
        texts: impl Iterator<Item = TextDocument> + Send,
    ) -> Result<RunReport, IndexError> {
        let started = Instant::now();
        self.store.add_source(source.clone())?;
        let mut report = self.run(source, None, &History::default(), texts.map(Job::Text))?;
        self.finish(&source.name, &[])?;
        report.elapsed = started.elapsed();
        Ok(report)
    }

    /// Removes what is gone and notes the end of the run.
    fn finish(&mut self, source: &str, gone: &[String]) -> Result<u64, IndexError> {
        let mut batch = Batch::default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        batch.finish_run(source, i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        for path in gone {
            batch.remove(source, path);
            batch.forget(source, path);
        }
        self.store.commit(batch)?;
        Ok(gone.len() as u64)
    }

    /// Runs the line over `jobs`, whose files lie below `root` and have this history.
    fn run(
        &mut self,
        source: &Source,
        root: Option<&Root>,
        history: &History,
        jobs: impl Iterator<Item = Job> + Send,
    ) -> Result<RunReport, IndexError> {
        let counter = ModelCounter::new(self.embedder.ruler().clone())?;
        let reader = Arc::clone(&self.options.reader);
        let preparer = Preparer {
            dated: self.options.dated,
            source: &source.name,
            root,
            history,
            permissions: self.store.file_permissions(&source.name).map(Permissions::new),
            counter: &counter,
            reader: reader.as_ref(),
            version: &version(reader.as_ref(), &self.options.extract),
            extract: self.options.extract.clone(),
            chunk: counter.limits_within(self.options.chunk, self.embedder.max_tokens()),
            attempts: &self.store.attempts(),
            stop: &self.options.stop.clone(),
        };
        let cancel = self.cancel;
        std::thread::scope(|scope| {
            let (jobs_in, jobs_out) = bounded(QUEUE);
            let (prepared_in, prepared_out) = bounded(QUEUE);
            scope.spawn(move || {
                // A closed channel means that the writer gave up.
                for job in jobs.take_while(|_| !cancel.load(Ordering::Relaxed)) {
                    if jobs_in.send(job).is_err() {
                        return;
                    }
                }
            });
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                let (jobs_out, prepared_in, preparer) = (jobs_out.clone(), prepared_in.clone(), &preparer);
                let run = Span::current();
                scope.spawn(move || {
                    let _run = run.entered();
                    for job in jobs_out {
                        let all_sent =
                            preparer.prepare(job).into_iter().all(|prepared| prepared_in.send(prepared).is_ok());
                        if !all_sent {
                            return;
                        }
                    }
                });
            }
            drop((jobs_out, prepared_in));
            Line::new(self, source, root).write(prepared_out)
        })
    }
}
