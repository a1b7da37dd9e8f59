//! The backlog: documents that are found by their words, and whose vectors are still to come.
//!
//! A slow model takes hours for what is read in minutes. So documents are committed as soon as they are read, and their vectors
//! follow, best first: the beginning of every document, the newest first, then the rest of each. Every few seconds' worth is
//! committed; what a kill leaves undone is still in the backlog, which the store keeps, and no text is embedded twice.
//!
//! While one portion is with the model, the one before is committed. Whatever is waited for, the caller's other work on the store
//! is let in between, as in a run over a source.

use std::cmp::Reverse;
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use storage::{Batch, Chunk, ContentKey, DocumentId, STAGE, Waiting, WaitingDocument, chain, embedding_text};
use tracing::{debug_span, warn};

use crate::embedding::{Course, Embedding};
use crate::error::IndexError;
use crate::pipeline::Indexer;
use crate::progress::Counters;

/// Time a portion should take the model.
const PORTION_TIME: Duration = Duration::from_secs(4);
/// Bounds of a portion in bytes; between them it follows the measured speed.
const PORTION_BYTES: (u64, u64) = (8 << 10, 4 << 20);
/// The first portion, of a speed that nobody knows.
const FIRST_PORTION: u64 = 16 << 10;
/// Time between two looks up from what is waited for.
const TICK: Duration = Duration::from_millis(100);

/// What came of working on the backlog.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BacklogReport {
    /// Passages that were embedded.
    pub embedded: u64,
    /// Tokens of their texts.
    pub tokens: u64,
    /// Passages of which the model can make no vector: they stay found by their words.
    pub refused: u64,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

/// When a piece of work on the backlog ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// When nothing waits any more.
    Done,
    /// When about so many passages wait.
    Left(u64),
}

impl Until {
    /// How many bytes may be embedded from here, given what waits.
    fn allows(self, waiting: Waiting) -> u64 {
        match self {
            Self::Done => u64::MAX,
            Self::Left(left) => {
                let share = waiting.passages.saturating_sub(left) as f64 / waiting.passages.max(1) as f64;
                (waiting.bytes as f64 * share) as u64
            }
        }
    }
}

/// What is with the model together.
#[derive(Default)]
struct Portion {
    /// Documents that have all they wait for, or their beginning, with the portion.
    documents: Vec<DocumentId>,
    keys: Vec<ContentKey>,
    texts: Vec<String>,
    bytes: u64,
}

/// A document's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Its first passage.
    Beginning(DocumentId),
    /// All that it waits for.
    Rest(DocumentId),
}

impl Indexer<'_> {
    /// Makes the vectors that are still to come, best first. When the run is cancelled it returns soon, and what is there is kept.
    ///
    /// # Errors
    /// The store failed, or the model is gone.
    pub fn embed_backlog(&mut self, until: Until) -> Result<BacklogReport, IndexError> {
        let _span = debug_span!(target: STAGE, "backlog").entered();
        let turns = turns(self.store.waiting_documents()?);
        Backlog {
            turns,
            rest: VecDeque::new(),
            under_way: HashSet::new(),
            report: BacklogReport::default(),
            is_waiting: false,
            indexer: self,
        }
        .work(until)
    }
}

/// The order of the turns: every beginning, then the rest of each document, the newest first.
fn turns(mut waiting: Vec<(DocumentId, WaitingDocument)>) -> VecDeque<Turn> {
    waiting.sort_by_key(|(id, document)| (Reverse(document.modified), *id));
    let beginnings = waiting.iter().filter(|(_, document)| !document.is_begun && document.passages > 1);
    let beginnings = beginnings.map(|(id, _)| Turn::Beginning(*id));
    // Those of one passage are their beginning.
    let mut turns: VecDeque<Turn> = beginnings.collect();
    for is_short in [true, false] {
        let of_length = waiting.iter().filter(|(_, document)| (document.passages == 1) == is_short);
        turns.extend(of_length.map(|(id, _)| Turn::Rest(*id)));
    }
    turns
}

struct Backlog<'a, 'b> {
    indexer: &'a mut Indexer<'b>,
    turns: VecDeque<Turn>,
    /// What is left of the document whose turn it is.
    rest: VecDeque<(DocumentId, ContentKey, String)>,
    /// Contents that are with the model.
    under_way: HashSet<ContentKey>,
    report: BacklogReport,
    /// Whether it was said that a model elsewhere is waited for.
    is_waiting: bool,
}

impl Backlog<'_, '_> {
    fn work(mut self, until: Until) -> Result<BacklogReport, IndexError> {
        let mut size = FIRST_PORTION;
        let mut allowed = until.allows(self.indexer.store.waiting());
        let mut with_model: Option<(Portion, Embedding, Instant)> = None;
        loop {
            let portion = if allowed == 0 { Portion::default() } else { self.portion(size.min(allowed))? };
            allowed = allowed.saturating_sub(portion.bytes);
            let is_last = portion.documents.is_empty() && portion.keys.is_empty();
            let next = match portion.texts.is_empty() {
                // Everything of it is known already: nothing to wait for, but what is before it comes first.
                true => None,
                false => Some(Embedding::begin(self.indexer.embedder, self.indexer.lane, portion.texts.clone())),
            };
            if let Some((portion, embedding, began)) = with_model.take() {
                let bytes = portion.bytes;
                if !self.finish(portion, embedding)? {
                    // The portion behind it is with the model for nothing, and embedded by whoever goes on.
                    self.report.interrupted = true;
                    return Ok(self.report);
                }
                size = sized(bytes, began.elapsed());
            }
            match next {
                Some(Ok(embedding)) => with_model = Some((portion, embedding, Instant::now())),
                Some(Err(error)) => {
                    if !self.one_by_one(portion, &error)? {
                        return Ok(self.report);
                    }
                }
                None if is_last => return Ok(self.report),
                None => self.commit(portion, Vec::new())?,
            }
        }
    }

    /// The next texts, of about so many bytes.
    fn portion(&mut self, size: u64) -> Result<Portion, IndexError> {
        let mut portion = Portion::default();
        while portion.bytes < size {
            if let Some((id, key, text)) = self.rest.pop_front() {
                portion.bytes += text.len() as u64;
                if self.under_way.insert(key) {
                    portion.keys.push(key);
                    portion.texts.push(text);
                }
                if self.rest.is_empty() {
                    portion.documents.push(id);
                }
                continue;
            }
            let Some(turn) = self.turns.pop_front() else { break };
            let (id, most) = match turn {
                Turn::Beginning(id) => (id, 1),
                Turn::Rest(id) => (id, usize::MAX),
            };
            for chunk in self.indexer.store.chunks(id)?.iter().take(most).filter(|chunk| chunk.awaits_vector()) {
                self.need(id, chunk)?;
            }
            if self.rest.is_empty() {
                // Its contents have come with those of other documents.
                portion.documents.push(id);
                portion.bytes += 1;
            }
        }
        Ok(portion)
    }

    fn need(&mut self, id: DocumentId, chunk: &Chunk) -> Result<(), IndexError> {
        let key = chunk.key();
        if !self.indexer.store.has_vector(key)? && !self.indexer.store.is_refused(key)? {
            self.rest.push_back((id, key, embedding_text(&chunk.headings, &chunk.text)));
        }
        Ok(())
    }

    /// Waits for the vectors of a portion and commits them; false if the run was stopped before they were there.
    fn finish(&mut self, portion: Portion, mut embedding: Embedding) -> Result<bool, IndexError> {
        let before = self.report;
        let tokens = embedding.tokens() as u64;
        let mut ticked = Instant::now();
        loop {
            let course = match embedding.advance(self.indexer.embedder, Instant::now() + TICK) {
                Ok(course) => course,
                Err(error) => return self.one_by_one(portion, &error),
            };
            self.tell_of_wait(&embedding);
            let all = portion.texts.len().max(1) as u64;
            let done = embedding.arrived() as u64;
            self.report.tokens = before.tokens + tokens * done / all;
            self.report.embedded = before.embedded + done;
            if course == Course::Complete {
                break;
            }
            if ticked.elapsed() >= TICK {
                self.look_up()?;
                ticked = Instant::now();
            }
            if self.is_stopped() {
                self.keep(&portion, embedding.into_outputs())?;
                return Ok(false);
            }
        }
        let vectors = embedding.into_outputs().into_iter().flatten().collect();
        self.commit(portion, vectors)?;
        Ok(true)
    }

    /// Tells how far it is, and makes room for others.
    fn look_up(&mut self) -> Result<(), IndexError> {
        let counters = Counters { embedded: self.report.embedded, tokens: self.report.tokens, ..Counters::default() };
        self.indexer.observer.progressed(&counters);
        if let Some(interlude) = &mut self.indexer.interlude {
            // Whatever they have changed: documents are read anew when they are completed.
            interlude.room(self.indexer.store)?;
        }
        Ok(())
    }

    fn commit(&mut self, portion: Portion, vectors: Vec<Vec<f32>>) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        for key in &portion.keys {
            self.under_way.remove(key);
        }
        portion.keys.into_iter().zip(vectors).for_each(|(key, vector)| batch.keep_vector(key, vector));
        portion.documents.into_iter().for_each(|id| batch.complete(id));
        self.indexer.store.commit(batch)?;
        self.indexer.observer.backlog(&self.indexer.store.waiting());
        Ok(())
    }

    fn keep(&mut self, portion: &Portion, outputs: Vec<Option<Vec<f32>>>) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        for (key, vector) in portion.keys.iter().zip(outputs) {
            if let Some(vector) = vector {
                batch.keep_vector(*key, vector);
            }
        }
        self.indexer.store.commit(batch)?;
        Ok(())
    }

    /// The model failed on a portion: each text is tried alone, and what it can make nothing of is not waited for any more.
    /// False if the run was stopped before all were tried.
    fn one_by_one(&mut self, portion: Portion, error: &qwen3::Error) -> Result<bool, IndexError> {
        warn!("the model failed on {} texts, which are tried one by one: {}", portion.texts.len(), chain(error));
        let mut batch = Batch::default();
        for (key, text) in portion.keys.iter().zip(portion.texts) {
            match self.alone(text) {
                // What is there is kept; whoever goes on tries the others.
                Ok(None) => {
                    self.indexer.store.commit(batch)?;
                    self.report.interrupted = true;
                    return Ok(false);
                }
                Ok(Some(vectors)) => {
                    self.report.embedded += 1;
                    vectors.into_iter().for_each(|vector| batch.keep_vector(*key, vector));
                }
                Err(error @ (qwen3::Error::Closed | qwen3::Error::Unusable { .. })) => return Err(error.into()),
                Err(error) => {
                    warn!("a passage stays found by its words alone: {}", chain(&error));
                    self.report.refused += 1;
                    batch.refuse_vector(*key);
                }
            }
            self.under_way.remove(key);
        }
        portion.documents.into_iter().for_each(|id| batch.complete(id));
        self.indexer.store.commit(batch)?;
        self.indexer.observer.backlog(&self.indexer.store.waiting());
        Ok(true)
    }

    /// The vector of one text, however long a model elsewhere is away; `None` if the run has to end before it is there.
    fn alone(&mut self, text: String) -> Result<Option<Vec<Vec<f32>>>, qwen3::Error> {
        let mut embedding = Embedding::begin(self.indexer.embedder, self.indexer.lane, vec![text])?;
        while embedding.advance(self.indexer.embedder, Instant::now() + TICK)? != Course::Complete {
            self.tell_of_wait(&embedding);
            if self.is_stopped() {
                return Ok(None);
            }
        }
        Ok(embedding.into_outputs().into_iter().collect())
    }

    /// Says that a model elsewhere is waited for, or is no more.
    fn tell_of_wait(&mut self, embedding: &Embedding) {
        let waits_for = embedding.waits_for();
        if waits_for.is_some() || self.is_waiting {
            self.indexer.observer.waiting(waits_for);
        }
        self.is_waiting = waits_for.is_some();
    }

    fn is_stopped(&self) -> bool {
        self.indexer.cancel.load(Ordering::Relaxed) || self.indexer.options.stop.is_asked()
    }
}

/// The size of the next portion, after one of so many bytes took so long.
fn sized(bytes: u64, took: Duration) -> u64 {
    let speed = bytes as f64 / took.as_secs_f64().max(1e-3);
    ((speed * PORTION_TIME.as_secs_f64()) as u64).clamp(PORTION_BYTES.0, PORTION_BYTES.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_come_first_and_the_newest_before_the_others() {
        let id = |path: &str| DocumentId::of("a", path);
        let waiting = |passages, modified, is_begun| WaitingDocument { passages, bytes: 1, modified, is_begun };
        let turns = turns(vec![
            (id("old book"), waiting(90, 1, false)),
            (id("new book"), waiting(80, 5, false)),
            (id("begun book"), waiting(70, 9, true)),
            (id("old note"), waiting(1, 2, false)),
            (id("new note"), waiting(1, 8, false)),
        ]);
        let expected = [
            Turn::Beginning(id("new book")),
            Turn::Beginning(id("old book")),
            Turn::Rest(id("new note")),
            Turn::Rest(id("old note")),
            Turn::Rest(id("begun book")),
            Turn::Rest(id("new book")),
            Turn::Rest(id("old book")),
        ];
        assert_eq!(turns, expected);
    }

    #[test]
    fn a_portion_takes_the_model_a_few_seconds() {
        assert_eq!(sized(100_000, Duration::from_secs(2)), 200_000);
        assert_eq!(sized(100, Duration::from_secs(9)), PORTION_BYTES.0);
        assert_eq!(sized(10 << 20, Duration::ZERO), PORTION_BYTES.1);
    }

    #[test]
    fn a_share_is_what_may_be_embedded_until_the_rest_is_left() {
        let waiting = Waiting { documents: 10, passages: 200, bytes: 50_000 };
        assert_eq!(Until::Done.allows(waiting), u64::MAX);
        assert_eq!(Until::Left(150).allows(waiting), 12_500);
        assert_eq!(Until::Left(200).allows(waiting), 0);
        assert_eq!(Until::Left(9).allows(Waiting::default()), 0);
    }
}
