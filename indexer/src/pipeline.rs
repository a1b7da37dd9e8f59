//! The line: prepare (several threads) -> embed (the model's thread) -> commit (this thread).
//!
//! Two batches are under way at any time: while one is embedded, the next is read and the one before is committed. A
//! batch holds a few seconds' worth of tokens, so that little is lost when the process is killed. Only contents that the
//! store does not know are embedded.
//!
//! Whatever it waits for, a run looks up several times a second: it tells how far it is, stops if it was asked to (what
//! is embedded by then is kept), and makes room for the caller's other work on the store ([`Interlude`]). One large file
//! holds up nobody.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use qwen3::{Arrival, EmbedHandle, Lane, Pending};
use storage::{Batch, ContentKey, FileState, LedgerEntry, Source, Store, embedding_text};

use crate::assembly::{Assembly, Embedded, drafts};
use crate::beneath::Root;
use crate::chunk::ChunkText;
use crate::counter::ModelCounter;
use crate::error::IndexError;
use crate::options::IndexOptions;
use crate::overtaken::Overtaken;
use crate::plan::{Work, plan};
use crate::prepare::{Content, Job, Prepared, Preparer, TextDocument};
use crate::progress::{Counters, Interlude, Observer, RunReport};
use crate::reader::version;
use crate::suspects::{Sorted, Vigil, is_said, sort};
use crate::vanished::Vanished;
use crate::walk::find;

/// Time one batch should take the model.
const BATCH_TIME: Duration = Duration::from_secs(4);
/// Bounds of a batch in tokens; between them it follows the measured speed.
const BATCH_TOKENS: (u64, u64) = (4_096, 1_000_000);
/// Bytes of English text per token, for sizing batches before the tokens are counted.
const BYTES_PER_TOKEN: usize = 4;
/// Time between two looks up from what a run waits for.
const TICK: Duration = Duration::from_millis(100);
/// Prepared documents that may wait for the writer, which bounds the memory.
const QUEUE: usize = 64;

/// Brings documents into a store.
pub struct Indexer<'a> {
    store: &'a mut Store,
    embedder: &'a EmbedHandle,
    options: IndexOptions,
    observer: &'a dyn Observer,
    cancel: &'a AtomicBool,
    interlude: Option<&'a mut dyn Interlude>,
    lane: Lane,
    /// Files of the source that the interlude has committed: what this run knows of them is out of date.
    overtaken: Overtaken,
    /// What earlier parts of the run have done.
    done: Counters,
}

impl<'a> Indexer<'a> {
    /// An indexer that writes to `store`. When `cancel` becomes true it commits what is done and returns.
    pub fn new(
        store: &'a mut Store,
        embedder: &'a EmbedHandle,
        options: IndexOptions,
        observer: &'a dyn Observer,
        cancel: &'a AtomicBool,
    ) -> Self {
        let (interlude, lane, overtaken) = (None, Lane::Bulk, Overtaken::default());
        Self { store, embedder, options, observer, cancel, interlude, lane, overtaken, done: Counters::default() }
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
        let Some(plan) = plan(self.store, source, walk, comparison, &version, self.cancel)? else {
            return Ok(RunReport { interrupted: true, ..RunReport::default() });
        };
        let planning = started.elapsed();
        in_place(&plan.root, source)?;
        let vanished = plan.read.is_empty() && plan.unchanged == 0 && !plan.gone.is_empty();
        if vanished && self.options.vanished != Vanished::Remove {
            return Err(IndexError::SuddenlyEmpty { root: source.root.clone(), documents: plan.gone.len() });
        }
        self.store.commit(plan.unlisted.changes())?;
        self.observer.planned(plan.read.len() as u64, plan.unchanged);
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
        report.removed += removed;
        report.elapsed = started.elapsed();
        Ok(report)
    }

    /// Works on files: the usual ones together, each suspect alone.
    fn files(&mut self, source: &Source, root: &Root, all: Vec<Work>) -> Result<RunReport, IndexError> {
        let version = version(self.options.reader.as_ref(), &self.options.extract);
        let attempts = self.store.attempts();
        let Sorted { usual, suspects, mut aside } =
            sort(&attempts, &source.name, &version, self.options.comparison, all);
        let left = aside.len();
        aside.retain(|work| !is_said(work, &version));
        let said = (left - aside.len()) as u64;
        let _vigil = Vigil::begin(attempts, self.options.stop.clone());
        let file = |work| Job::File(Box::new(work));
        let aside = aside.into_iter().map(|work| Job::SetAside(Box::new(work)));
        let mut report = self.run(source, Some(root), usual.into_iter().map(file).chain(aside))?;
        for suspect in suspects {
            if report.interrupted {
                break;
            }
            let alone = self.run(source, Some(root), std::iter::once(file(suspect)))?;
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
        let mut report = self.run(source, None, texts.map(Job::Text))?;
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

    /// Runs the line over `jobs`, whose files lie below `root`.
    fn run(
        &mut self,
        source: &Source,
        root: Option<&Root>,
        jobs: impl Iterator<Item = Job> + Send,
    ) -> Result<RunReport, IndexError> {
        let counter = ModelCounter::new(self.embedder.tokenizer().clone())?;
        let reader = Arc::clone(&self.options.reader);
        let preparer = Preparer {
            source: &source.name,
            root,
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
                scope.spawn(move || {
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

/// Stops a run whose root is no longer the folder it began with.
fn in_place(root: &Root, source: &Source) -> Result<(), IndexError> {
    if root.is_in_place() { Ok(()) } else { Err(IndexError::RootChanged { root: source.root.clone() }) }
}

/// The writer's end of the line.
struct Line<'a, 'b> {
    indexer: &'a mut Indexer<'b>,
    source: &'a Source,
    root: Option<&'a Root>,
    open: Assembly,
    embedding: Option<(Assembly, Pending<Vec<f32>>, Instant)>,
    batch_tokens: u64,
    counters: Counters,
    report: RunReport,
    ticked: Instant,
}

impl<'a, 'b> Line<'a, 'b> {
    fn new(indexer: &'a mut Indexer<'b>, source: &'a Source, root: Option<&'a Root>) -> Self {
        let counters = indexer.done;
        Self {
            indexer,
            source,
            root,
            open: Assembly::default(),
            embedding: None,
            batch_tokens: BATCH_TOKENS.0 * 8,
            counters,
            report: RunReport::default(),
            ticked: Instant::now(),
        }
    }

    fn write(mut self, prepared: Receiver<Prepared>) -> Result<RunReport, IndexError> {
        loop {
            let next = prepared.recv_timeout(TICK);
            self.look_up()?;
            // What waits in the queues is left for the next run; what is with the model is kept.
            if self.is_cancelled() {
                break;
            }
            match next {
                Ok(prepared) => self.take(prepared)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.open.is_full(self.batch_tokens, self.indexer.options.commit_documents) {
                self.turn()?;
            }
        }
        if self.is_cancelled() {
            self.open = Assembly::default();
        }
        self.turn()?;
        self.turn()?;
        self.indexer.done = self.counters;
        self.report.interrupted = self.indexer.cancel.load(Ordering::Relaxed);
        self.report.embedded = self.counters.embedded;
        self.report.tokens = self.counters.tokens;
        self.report.chunks = self.counters.chunks;
        Ok(self.report)
    }

    fn is_cancelled(&self) -> bool {
        self.indexer.cancel.load(Ordering::Relaxed)
    }

    /// Tells how far the run is, and makes room for others.
    fn look_up(&mut self) -> Result<(), IndexError> {
        if self.ticked.elapsed() < TICK {
            return Ok(());
        }
        self.indexer.observer.progressed(&self.counters);
        if let Some(interlude) = &mut self.indexer.interlude {
            self.indexer.overtaken.add(interlude.room(self.indexer.store)?);
        }
        self.ticked = Instant::now();
        Ok(())
    }

    fn take(&mut self, prepared: Prepared) -> Result<(), IndexError> {
        if let Content::Fresh(_, chunks) = &prepared.content {
            for chunk in chunks {
                self.need(chunk)?;
            }
            self.counters.chunks += chunks.len() as u64;
        }
        self.counters.files += 1;
        self.open.opened.get_or_insert_with(Instant::now);
        self.open.prepared.push(prepared);
        self.indexer.observer.progressed(&self.counters);
        Ok(())
    }

    /// Marks a chunk for embedding unless its content is stored, or on its way already.
    fn need(&mut self, chunk: &ChunkText) -> Result<(), IndexError> {
        let key = ContentKey::of(&chunk.headings, &chunk.text);
        let under_way = self.embedding.as_ref().is_some_and(|(assembly, ..)| assembly.keys.contains_key(&key));
        if under_way || self.open.keys.contains_key(&key) || self.indexer.store.has_vector(key)? {
            return Ok(());
        }
        self.open.keys.insert(key, self.open.texts.len());
        self.open.texts.push(embedding_text(&chunk.headings, &chunk.text));
        self.open.tokens += (chunk.text.len() / BYTES_PER_TOKEN) as u64 + 1;
        Ok(())
    }

    /// Hands the open batch to the model and commits the one that was with it.
    fn turn(&mut self) -> Result<(), IndexError> {
        let mut open = std::mem::take(&mut self.open);
        let pending = self.indexer.embedder.embed_documents_in(self.indexer.lane, &std::mem::take(&mut open.texts))?;
        let previous = self.embedding.replace((open, pending, Instant::now()));
        let Some((assembly, pending, started)) = previous else { return Ok(()) };
        let tokens = pending.tokens() as u64;
        match self.embedded(&assembly, pending)? {
            Embedded::Stopped => Ok(()),
            Embedded::Whole(vectors) => {
                if !assembly.keys.is_empty() {
                    self.adapt(tokens, started.elapsed());
                }
                self.commit(assembly, vectors)
            }
        }
    }

    /// Waits for the model. A run that is stopped meanwhile keeps the vectors that are there, without their documents:
    /// the next run reads those files again, and goes on where this one was.
    fn embedded(&mut self, assembly: &Assembly, mut pending: Pending<Vec<f32>>) -> Result<Embedded, IndexError> {
        let before = self.counters;
        let tokens = pending.tokens() as u64;
        loop {
            match pending.advance_until(Instant::now() + TICK) {
                Ok(Arrival::Complete) => break,
                Ok(Arrival::More | Arrival::Late) => {}
                Err(error) => return Ok(Embedded::Whole(Err(error))),
            }
            let all = pending.outputs().len().max(1) as u64;
            let done = pending.outputs().iter().flatten().count() as u64;
            self.counters.tokens = before.tokens + tokens * done / all;
            self.counters.embedded = before.embedded + done;
            self.look_up()?;
            if self.is_cancelled() {
                self.keep(assembly, pending.outputs())?;
                return Ok(Embedded::Stopped);
            }
        }
        self.counters.tokens = before.tokens + tokens;
        self.counters.embedded = before.embedded + pending.outputs().len() as u64;
        Ok(Embedded::Whole(pending.wait()))
    }

    fn keep(&mut self, assembly: &Assembly, outputs: &[Option<Vec<f32>>]) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        for (key, at) in &assembly.keys {
            if let Some(Some(vector)) = outputs.get(*at) {
                batch.keep_vector(*key, vector.clone());
            }
        }
        self.indexer.store.commit(batch)?;
        Ok(())
    }

    fn adapt(&mut self, tokens: u64, elapsed: Duration) {
        let speed = tokens as f64 / elapsed.as_secs_f64().max(1e-3);
        let wanted = speed * BATCH_TIME.as_secs_f64();
        self.batch_tokens = (wanted as u64).clamp(BATCH_TOKENS.0, BATCH_TOKENS.1);
    }

    fn commit(&mut self, assembly: Assembly, vectors: Result<Vec<Vec<f32>>, qwen3::Error>) -> Result<(), IndexError> {
        let Assembly { mut prepared, keys, .. } = assembly;
        let attempts: Vec<u64> = prepared.iter().filter_map(|prepared| prepared.attempt).collect();
        prepared.retain(|prepared| !self.indexer.overtaken.covers(&prepared.entry.path));
        let mut known: HashMap<ContentKey, Vec<f32>> = HashMap::new();
        // A failed batch leaves nothing known: each document is then tried alone, and only the bad one fails.
        if let Ok(mut vectors) = vectors {
            known.extend(keys.iter().filter_map(|(key, at)| Some((*key, std::mem::take(vectors.get_mut(*at)?)))));
        }
        for prepared in &mut prepared {
            if !self.complete(prepared, &mut known)? {
                return Ok(());
            }
        }
        // What was not found may only be out of reach.
        self.root.map_or(Ok(()), |root| in_place(root, self.source))?;
        let mut batch = Batch::default();
        for Prepared { entry, content, .. } in prepared {
            self.count(&entry, &content);
            match content {
                Content::Fresh(document, chunks) => batch.put(*document, drafts(chunks, &known)),
                Content::Nothing => batch.remove(&entry.source, &entry.path),
                Content::Gone => {
                    batch.remove(&entry.source, &entry.path);
                    batch.forget(&entry.source, &entry.path);
                    continue;
                }
                Content::Unchanged => {}
            }
            batch.record(entry);
        }
        self.indexer.store.commit(batch)?;
        self.indexer.store.attempts().end(&attempts)?;
        self.indexer.observer.progressed(&self.counters);
        Ok(())
    }

    /// Embeds what a document still lacks; false if the process has to end before that is done. If the model fails on
    /// it, that is recorded and the run goes on.
    fn complete(&self, prepared: &mut Prepared, known: &mut HashMap<ContentKey, Vec<f32>>) -> Result<bool, IndexError> {
        let Content::Fresh(_, chunks) = &prepared.content else { return Ok(true) };
        let mut missing: Vec<(ContentKey, String)> = Vec::new();
        for chunk in chunks {
            let key = ContentKey::of(&chunk.headings, &chunk.text);
            if !known.contains_key(&key) && !self.indexer.store.has_vector(key)? {
                missing.push((key, embedding_text(&chunk.headings, &chunk.text)));
            }
        }
        if missing.is_empty() {
            return Ok(true);
        }
        let (keys, texts): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
        let embedded = self.indexer.embedder.embed_documents_in(self.indexer.lane, &texts);
        let embedded = embedded.map(|pending| self.indexer.options.stop.wait(pending));
        match embedded.and_then(Option::transpose) {
            Ok(None) => return Ok(false),
            Ok(Some(vectors)) => known.extend(keys.into_iter().zip(vectors)),
            Err(error @ qwen3::Error::Closed) => return Err(error.into()),
            Err(error) => {
                let error = format!("the model failed on it: {error}");
                prepared.entry.state = FileState::Failed { error, tries: 1 };
                prepared.entry.chunks = 0;
                // The file itself was fine: without its hash, the next run reads it again.
                prepared.entry.content = None;
                prepared.content = Content::Nothing;
            }
        }
        Ok(true)
    }

    fn count(&mut self, entry: &LedgerEntry, content: &Content) {
        let counter = match (&entry.state, content) {
            (_, Content::Unchanged) => &mut self.report.unchanged,
            (_, Content::Gone) => &mut self.report.removed,
            (FileState::Indexed { .. }, _) => &mut self.report.indexed,
            (FileState::Partly { .. }, _) => &mut self.report.partly,
            (FileState::Skipped { .. }, _) => &mut self.report.skipped,
            (FileState::Unreadable { .. }, _) => &mut self.report.unreadable,
            (FileState::Failed { .. }, _) => &mut self.report.failed,
        };
        *counter += 1;
    }
}
