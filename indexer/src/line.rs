//! The writer's end of the line.
//!
//! Two batches are under way at any time: while one is embedded, the next is read and the one before is committed. A
//! batch holds a few seconds' worth of tokens, so that little is lost when the process is killed. Only contents that the
//! store does not know are embedded.
//!
//! Whatever it waits for, it looks up several times a second: it tells how far the run is, stops if it was asked to (what
//! is embedded by then is kept), and makes room for the caller's other work on the store
//! ([`Interlude`](crate::Interlude)). One large file holds up nobody.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use storage::{Batch, ContentKey, FileState, LedgerEntry, STAGE, Source, chain, embedding_text};
use tracing::debug_span;

use crate::access;
use crate::assembly::{Assembly, Embedded, drafts};
use crate::beneath::Root;
use crate::chunk::ChunkText;
use crate::embedding::{Course, Embedding};
use crate::error::IndexError;
use crate::options::VectorTiming;
use crate::pipeline::Indexer;
use crate::prepare::{Content, Prepared};
use crate::progress::{Counters, RunReport};
use crate::stop::{GRACE, LOOK};

/// Time one batch should take the model.
const BATCH_TIME: Duration = Duration::from_secs(4);
/// Bounds of a batch in tokens; between them it follows the measured speed.
const BATCH_TOKENS: (u64, u64) = (4_096, 1_000_000);
/// Bytes of English text per token, for sizing batches before the tokens are counted.
const BYTES_PER_TOKEN: usize = 4;
/// Time between two looks up from what a run waits for.
const TICK: Duration = Duration::from_millis(100);

/// Stops a run whose root is no longer the folder it began with.
pub(crate) fn in_place(root: &Root, source: &Source) -> Result<(), IndexError> {
    if root.is_in_place() { Ok(()) } else { Err(IndexError::RootChanged { root: source.root.clone() }) }
}

/// The writer's end of the line.
pub(crate) struct Line<'a, 'b> {
    indexer: &'a mut Indexer<'b>,
    source: &'a Source,
    root: Option<&'a Root>,
    open: Assembly,
    embedding: Option<(Assembly, Embedding, Instant)>,
    batch_tokens: u64,
    counters: Counters,
    report: RunReport,
    ticked: Instant,
    /// Whether the run was said to wait for the model.
    is_waiting: bool,
}

impl<'a, 'b> Line<'a, 'b> {
    pub(crate) fn new(indexer: &'a mut Indexer<'b>, source: &'a Source, root: Option<&'a Root>) -> Self {
        let counters = indexer.done;
        // What only has to be read is committed every few seconds, whatever its size.
        let is_read_only = indexer.options.vectors == VectorTiming::Later;
        let batch_tokens = if is_read_only { BATCH_TOKENS.1 } else { BATCH_TOKENS.0 * 8 };
        Self {
            indexer,
            source,
            root,
            open: Assembly::default(),
            embedding: None,
            batch_tokens,
            counters,
            report: RunReport::default(),
            ticked: Instant::now(),
            is_waiting: false,
        }
    }

    pub(crate) fn write(mut self, prepared: Receiver<Prepared>) -> Result<RunReport, IndexError> {
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

    fn vectors_come_later(&self) -> bool {
        self.indexer.options.vectors == VectorTiming::Later
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
        self.indexer.look_around(self.source, self.root)?;
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
        // What lies inside of a file was planned with it.
        if prepared.attempt.is_some() {
            self.counters.bytes += prepared.entry.bytes;
        }
        self.open.opened.get_or_insert_with(Instant::now);
        self.open.prepared.push(prepared);
        self.indexer.observer.progressed(&self.counters);
        Ok(())
    }

    /// Marks a chunk for embedding unless its content is stored, or on its way already.
    fn need(&mut self, chunk: &ChunkText) -> Result<(), IndexError> {
        let key = chunk.key;
        let under_way = self.embedding.as_ref().is_some_and(|(assembly, ..)| assembly.keys.contains_key(&key));
        if under_way || self.open.keys.contains_key(&key) || self.indexer.store.has_vector(key)? {
            return Ok(());
        }
        self.open.tokens += (chunk.text.len() / BYTES_PER_TOKEN) as u64 + 1;
        if self.vectors_come_later() {
            return Ok(());
        }
        self.open.keys.insert(key, self.open.texts.len());
        self.open.texts.push(embedding_text(&chunk.headings, &chunk.text));
        Ok(())
    }

    /// Hands the open batch to the model and commits the one that was with it.
    fn turn(&mut self) -> Result<(), IndexError> {
        let mut open = std::mem::take(&mut self.open);
        let texts = std::mem::take(&mut open.texts);
        let with_model = Embedding::begin(self.indexer.embedder, self.indexer.lane, texts)?;
        let previous = self.embedding.replace((open, with_model, Instant::now()));
        let Some((assembly, with_model, started)) = previous else { return Ok(()) };
        let tokens = with_model.tokens() as u64;
        match self.embedded(&assembly, with_model)? {
            Embedded::Stopped => Ok(()),
            Embedded::Late(vectors) => self.commit(assembly, vectors),
            Embedded::Whole(vectors) => {
                if !assembly.keys.is_empty() {
                    self.adapt(tokens, started.elapsed());
                }
                self.commit(assembly, vectors)
            }
        }
    }

    /// Waits for the model, also while it is away. A run that is stopped meanwhile keeps the vectors that are there, without their
    /// documents: the next run reads those files again, and goes on where this one was.
    fn embedded(&mut self, assembly: &Assembly, mut with_model: Embedding) -> Result<Embedded, IndexError> {
        let _span = debug_span!(target: STAGE, "embed").entered();
        let before = self.counters;
        let tokens = with_model.tokens() as u64;
        loop {
            let course = match with_model.advance(self.indexer.embedder, Instant::now() + TICK) {
                Ok(course) => course,
                Err(error) => return Ok(Embedded::Whole(Err(error))),
            };
            self.tell_of_wait(&with_model);
            let (all, done) = (with_model.texts().max(1) as u64, with_model.arrived() as u64);
            self.counters.tokens = before.tokens + tokens * done / all;
            self.counters.embedded = before.embedded + done;
            if course == Course::Complete {
                break;
            }
            self.look_up()?;
            if self.is_cancelled() {
                self.keep(assembly, &with_model.into_outputs())?;
                return Ok(Embedded::Stopped);
            }
        }
        self.counters.tokens = before.tokens + tokens;
        let was_away = with_model.was_away();
        let vectors = with_model.into_outputs().into_iter().collect::<Option<Vec<_>>>().ok_or(qwen3::Error::Closed);
        Ok(if was_away { Embedded::Late(vectors) } else { Embedded::Whole(vectors) })
    }

    /// Says that the run waits for the model, or does so no more.
    fn tell_of_wait(&mut self, with_model: &Embedding) {
        let waits_for = with_model.waits_for();
        if waits_for.is_some() || self.is_waiting {
            self.indexer.observer.waiting(waits_for);
        }
        self.is_waiting = waits_for.is_some();
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
        let is_embedded_now = !self.vectors_come_later();
        for prepared in prepared.iter_mut().filter(|_| is_embedded_now) {
            if !self.complete(prepared, &mut known)? {
                return Ok(());
            }
        }
        // What was not found may only be out of reach.
        self.root.map_or(Ok(()), |root| in_place(root, self.source))?;
        let mut batch = Batch::default();
        if self.vectors_come_later() {
            batch.let_vectors_come_later();
        }
        for Prepared { entry, content, told, .. } in prepared {
            self.count(&entry, &content);
            match content {
                Content::Fresh(document, chunks) => {
                    batch.put(*document, drafts(chunks, &known));
                    // With its text, or somebody might see it in between.
                    if let Some(of) = &self.indexer.options.access {
                        access::note(&mut batch, self.indexer.store, of.as_ref(), self.source, &entry.path);
                    }
                    access::note_told(&mut batch, self.indexer.store, self.source, &entry.path, told);
                }
                Content::Nothing => batch.remove(&entry.source, &entry.path),
                Content::Gone => {
                    batch.remove(&entry.source, &entry.path);
                    batch.forget(&entry.source, &entry.path);
                    continue;
                }
                Content::Unchanged if entry.is_searchable() => {
                    access::note_told(&mut batch, self.indexer.store, self.source, &entry.path, told);
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
    fn complete(
        &mut self,
        prepared: &mut Prepared,
        known: &mut HashMap<ContentKey, Vec<f32>>,
    ) -> Result<bool, IndexError> {
        let Content::Fresh(_, chunks) = &prepared.content else { return Ok(true) };
        let mut missing: Vec<(ContentKey, String)> = Vec::new();
        for chunk in chunks {
            if !known.contains_key(&chunk.key) && !self.indexer.store.has_vector(chunk.key)? {
                missing.push((chunk.key, embedding_text(&chunk.headings, &chunk.text)));
            }
        }
        if missing.is_empty() {
            return Ok(true);
        }
        let (keys, texts): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
        match self.alone(texts) {
            Ok(None) => return Ok(false),
            Ok(Some(vectors)) => known.extend(keys.into_iter().zip(vectors)),
            Err(error @ (qwen3::Error::Closed | qwen3::Error::Unusable { .. })) => return Err(error.into()),
            Err(error) => {
                let error = format!("the model failed on it: {}", chain(&error));
                prepared.entry.state = FileState::Failed { error, tries: 1 };
                prepared.entry.chunks = 0;
                // The file itself was fine: without its hash, the next run reads it again.
                prepared.entry.content = None;
                prepared.content = Content::Nothing;
            }
        }
        Ok(true)
    }

    /// Vectors of the texts of one document; `None` if the run has to end before they are there.
    fn alone(&mut self, texts: Vec<String>) -> Result<Option<Vec<Vec<f32>>>, qwen3::Error> {
        let mut with_model = Embedding::begin(self.indexer.embedder, self.indexer.lane, texts)?;
        let mut asked: Option<Instant> = None;
        loop {
            let course = with_model.advance(self.indexer.embedder, Instant::now() + LOOK)?;
            self.tell_of_wait(&with_model);
            match course {
                Course::Complete => return Ok(with_model.into_outputs().into_iter().collect()),
                // What is nearly done is not thrown away; what is away may be so for long.
                Course::Away if self.is_cancelled() || self.indexer.options.stop.is_asked() => return Ok(None),
                Course::Away => self.indexer.observer.progressed(&self.counters),
                Course::UnderWay => {}
            }
            let stop = &self.indexer.options.stop;
            if stop.is_asked() && asked.get_or_insert_with(Instant::now).elapsed() > GRACE {
                return Ok(None);
            }
        }
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
