//! A search whose order gets better while the reranker reads: *anytime* reranking.
//!
//! The order of recall is there at once. Each step has the reranker read the most promising candidates that it has not
//! read, in growing numbers, and gives a better order. Reading ends when every candidate within the depth was read, when
//! the time is over, when nobody waits any more, or when the first page is *settled*: all its documents were read, and of
//! the candidates left fewer than [`SearchConfig::settle`](crate::SearchConfig) are expected to score above its last one
//! (see [`Outlook`](crate::outlook::Outlook)).

use std::ops::Deref;
use std::time::{Duration, Instant};

use serde::Serialize;
use storage::Snapshot;

use crate::answer::{Answer, DocumentHit, Timings, milliseconds};
use crate::copies::{self, Copies};
use crate::error::SearchError;
use crate::facet;
use crate::marks::{self, Marker};
use crate::query::ParsedQuery;
use crate::rerank::{Candidates, Followed, Reader, Reading};
use crate::search::{Counting, Group, Marking, Rerank, SearchRequest, Searcher, group, show};
use crate::sentence::Sentences;

/// Candidates read in the first step; each further step doubles what was read.
const FIRST_STEP: usize = 8;
/// How often a step looks whether its answer is still wanted.
const PATIENCE: Duration = Duration::from_millis(50);

/// How far reranking got, and why no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RerankState {
    /// There is no reranker, or it was not wanted.
    Off,
    /// Another step may better the order.
    Running,
    /// The first page is not expected to change any more.
    Settled,
    /// Every candidate within the depth was read.
    Complete,
    /// The time was over.
    Late,
    /// Nobody waited any more.
    Abandoned,
}

/// What the one who waits for a better order wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The best order that can be had.
    GoOn,
    /// That this step ends here; the next one takes it up. What the reranker reads, it reads on meanwhile.
    Rest,
    /// Nothing any more.
    Stop,
}

/// A search in the course of being ranked, on a snapshot that is borrowed or shared. With a shared one it can be put
/// aside between two steps.
pub struct Ranking<S> {
    searcher: Searcher,
    snapshot: S,
    request: SearchRequest,
    query: ParsedQuery,
    candidates: Candidates,
    /// What the reranker reads while this rests.
    reading: Option<Reading>,
    sentences: Sentences,
    state: RerankState,
    timings: Timings,
    started: Instant,
    deadline: Option<Instant>,
    reranking: Duration,
}

impl<S: Deref<Target = Snapshot>> Ranking<S> {
    pub(crate) fn new(searcher: &Searcher, snapshot: S, request: SearchRequest) -> Result<Self, SearchError> {
        let started = Instant::now();
        let (query, recalled) = searcher.recall(&snapshot, &request)?;
        let budget = match request.rerank {
            Rerank::Within(budget) => budget,
            Rerank::Configured | Rerank::Off => crate::search::RerankBudget::default(),
        };
        let depth = budget.candidates.unwrap_or(searcher.config.rerank_depth);
        let is_off = searcher.reranker.is_none() || request.rerank == Rerank::Off || query.text.trim().is_empty();
        let depth = if is_off { 0 } else { depth };
        let timings = Timings {
            lexical_ms: milliseconds(recalled.lexical),
            embed_ms: milliseconds(recalled.embed),
            vector_ms: milliseconds(recalled.vector),
            fuse_ms: milliseconds(recalled.fuse),
            ..Timings::default()
        };
        let candidates = Candidates::new(recalled.candidates, depth, searcher.config.rerank_weight);
        let state = match candidates.depth() {
            0 => RerankState::Off,
            _ => RerankState::Running,
        };
        let deadline = budget.time.map(|time| started + time);
        Ok(Self {
            searcher: searcher.clone(),
            snapshot,
            request,
            query,
            candidates,
            reading: None,
            sentences: Sentences::new(&searcher.embedder, &searcher.config),
            state,
            timings,
            started,
            deadline,
            reranking: Duration::ZERO,
        })
    }

    /// How far reranking got.
    pub fn state(&self) -> RerankState {
        self.state
    }

    /// Whether the last step ended on the wish to rest: there is no better order yet.
    pub fn is_resting(&self) -> bool {
        self.reading.is_some()
    }

    /// Has the reranker read some more, as long as `wish` says so, and says how far it got. Does nothing once reranking
    /// has ended.
    ///
    /// # Errors
    /// The index is damaged or the model failed.
    pub fn step(&mut self, wish: &dyn Fn() -> Wish) -> Result<RerankState, SearchError> {
        let Some(reranker) = self.searcher.reranker.as_ref().filter(|_| self.state == RerankState::Running) else {
            return Ok(self.state);
        };
        let begin = Instant::now();
        let reading = match self.reading.take() {
            Some(reading) => reading,
            None => {
                let reader = Reader {
                    snapshot: &self.snapshot,
                    reranker,
                    query: &self.query.text,
                    instruct: self.request.instruct.as_deref(),
                };
                self.candidates.begin(self.candidates.next(self.candidates.scored().max(FIRST_STEP)), &reader)?
            }
        };
        let followed = self.candidates.follow(reading, self.deadline, PATIENCE, wish)?;
        self.reranking += begin.elapsed();
        self.state = self.judge(followed)?;
        Ok(self.state)
    }

    /// [`Ranking::step`] until reranking has ended, without a rest.
    ///
    /// # Errors
    /// As there.
    pub fn finish(&mut self) -> Result<RerankState, SearchError> {
        while self.step(&|| Wish::GoOn)? == RerankState::Running {}
        Ok(self.state)
    }

    fn judge(&mut self, followed: Followed) -> Result<RerankState, SearchError> {
        let is_complete = match followed {
            Followed::Unwanted => return Ok(RerankState::Abandoned),
            Followed::Resting(reading) => {
                self.reading = Some(reading);
                return Ok(RerankState::Running);
            }
            Followed::Complete => true,
            Followed::Late => false,
        };
        if self.candidates.scored() == self.candidates.depth() {
            return Ok(RerankState::Complete);
        }
        if !is_complete || self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(RerankState::Late);
        }
        Ok(if self.is_settled()? { RerankState::Settled } else { RerankState::Running })
    }

    /// The documents in the order known now.
    fn documents(&self) -> Result<Vec<Group>, SearchError> {
        let config = &self.searcher.config;
        let documents = group(&self.snapshot, self.candidates.ranked(), config)?;
        Ok(match self.request.copies {
            Copies::Together => copies::together(&self.snapshot, documents, config.copy_bits),
            Copies::Apart => documents,
        })
    }

    fn is_settled(&self) -> Result<bool, SearchError> {
        let settle = self.searcher.config.settle;
        if settle <= 0.0 {
            return Ok(false);
        }
        let documents = self.documents()?;
        let page = &documents[..documents.len().min(self.request.top.saturating_add(self.request.offset))];
        let Some(last) = page.last().filter(|_| page.iter().all(Group::is_read)) else { return Ok(false) };
        Ok(self.candidates.expected_above(last.score()) < settle)
    }

    /// The answer in the best order known now.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn answer(&mut self) -> Result<Answer, SearchError> {
        let (snapshot, request, config) = (&*self.snapshot, &self.request, &self.searcher.config);
        let documents = self.documents()?;
        let total = documents.len();
        let facets = match request.counting {
            Counting::Facets => Some(facet::count(snapshot, documents.iter().filter_map(Group::first))?),
            Counting::Off => None,
        };
        let highlighting = Instant::now();
        let normalise = |word: &str| marks::forms(snapshot, word);
        let marker = Marker::new(&self.query, &normalise, config.snippet_chars);
        let page = documents.into_iter().skip(request.offset).take(request.top);
        let mut results = page.map(|group| show(snapshot, &marker, group)).collect::<Result<Vec<_>, _>>()?;
        if request.marking == Marking::Sentences {
            self.mark_sentences(&mut results)?;
        }
        let timings = Timings {
            rerank_ms: milliseconds(self.reranking),
            highlight_ms: milliseconds(highlighting.elapsed()),
            total_ms: milliseconds(self.started.elapsed()),
            ..self.timings
        };
        Ok(Answer {
            query: self.query.text.clone(),
            results,
            total,
            reranked: self.candidates.scored(),
            rerank_depth: self.candidates.depth(),
            rerank_state: self.state,
            timings,
            generation: self.snapshot.sequence(),
            notes: self.query.notes.clone(),
            facets,
        })
    }

    fn mark_sentences(&mut self, results: &mut [DocumentHit]) -> Result<(), SearchError> {
        // What the vector leg did not find, or with a model that does not know the script, has no nearest sentence.
        if results.iter().flat_map(|hit| &hit.passages).all(|passage| passage.vector.is_none()) {
            return Ok(());
        }
        // The model's thread has kept the vector from recall.
        let vector = self.searcher.embedder.embed_query(&self.query.text, self.request.instruct.as_deref())?;
        self.sentences.mark(results, &vector)
    }
}
