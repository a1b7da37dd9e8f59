//! The line of a search: request -> plan -> recall -> fuse -> rerank -> group -> collapse -> present.
//!
//! A search can be had at once and bettered while the reranker reads (*anytime* reranking). The order of recall is there
//! first. Each step has the reranker read the most promising candidates that it has not read, in growing numbers, and
//! gives a better order. Reading ends when every candidate within the depth was read, when the time is over, when nobody
//! waits any more, or when the first page is *settled*: all its documents were read, and of the candidates left fewer than
//! [`SearchConfig::settle`] are expected to score above its last one (see `Expectation`).

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qwen3::{EmbedHandle, RerankHandle};
use storage::Snapshot;

use crate::answer::{Answer, DocumentHit, Timings, milliseconds};
use crate::answerable::{Answerable, Judgement, Verdict};
use crate::calibration::Calibration;
use crate::candidate::Candidate;
use crate::collapse::collapse;
use crate::config::SearchConfig;
use crate::error::SearchError;
use crate::evidence::Evidence;
use crate::facet::{self, FacetCounts};
use crate::group::{Group, group};
use crate::plan::SearchPlan;
use crate::present::Presenter;
use crate::recall::{Recall, recall, recall_within};
use crate::request::{Copies, Marking, SearchRequest, Unlikely};
use crate::rerank::{RerankState, Reranking, Step, Wish};
use crate::sentence::Sentences;

/// Answers queries on snapshots. Cheap to clone.
#[derive(Clone)]
pub struct Searcher {
    pub(crate) embedder: EmbedHandle,
    pub(crate) reranker: Option<RerankHandle>,
    pub(crate) config: SearchConfig,
    calibration: Option<Arc<Calibration>>,
}

impl Searcher {
    /// A searcher with a model for queries, and one for reranking if there is any.
    pub fn new(embedder: EmbedHandle, reranker: Option<RerankHandle>, config: SearchConfig) -> Self {
        Self { embedder, reranker, config, calibration: None }
    }

    /// With this calibration searches are judged: whether anything answers.
    #[must_use]
    pub fn calibrated(self, calibration: Calibration) -> Self {
        Self { calibration: Some(Arc::new(calibration)), ..self }
    }

    /// The settings in force.
    pub fn config(&self) -> &SearchConfig {
        &self.config
    }

    /// Answers a request on a snapshot, reranked as far as the request and the configuration say.
    ///
    /// # Errors
    /// The index is damaged or the model failed. A query is never wrong: see [`ParsedQuery`](crate::ParsedQuery).
    pub fn search(&self, snapshot: &Snapshot, request: &SearchRequest) -> Result<Answer, SearchError> {
        let mut search = self.begin(snapshot, request.clone())?;
        search.finish()?;
        search.answer()
    }

    /// Recalls candidates; reranking is taken step by step from there.
    ///
    /// # Errors
    /// As [`Searcher::search`].
    pub fn begin<S: Deref<Target = Snapshot>>(
        &self,
        snapshot: S,
        request: SearchRequest,
    ) -> Result<Search<S>, SearchError> {
        let mut plan = self.plan(&snapshot, request)?;
        let planned = plan.started.elapsed();
        let recalled = recall(&snapshot, &self.config, &mut plan)?;
        let judgement = match &self.calibration {
            Some(known) => Judgement::of(&snapshot, &self.embedder, &self.config, known, &plan, &recalled.candidates)?,
            None => None,
        };
        let depth = if self.reranker.is_some() { plan.rerank_depth } else { 0 };
        let reranking = Reranking::new(recalled.candidates, depth, self.config.rerank_weight);
        Ok(Search {
            searcher: self.clone(),
            snapshot,
            state: if reranking.depth() == 0 { RerankState::Off } else { RerankState::Running },
            sentences: Sentences::new(&self.embedder, &self.config),
            timings: Timings {
                plan_ms: milliseconds(planned),
                lexical_ms: milliseconds(recalled.lexical),
                embed_ms: milliseconds(recalled.embed),
                vector_ms: milliseconds(recalled.vector),
                fuse_ms: milliseconds(recalled.fuse),
                ..Timings::default()
            },
            reranked_for: Duration::ZERO,
            plan,
            reranking,
            judgement,
        })
    }

    /// What a search for this request does.
    ///
    /// # Errors
    /// A date in the request's filters cannot be read, or the model cannot read the query.
    pub fn plan(&self, snapshot: &Snapshot, request: SearchRequest) -> Result<SearchPlan, SearchError> {
        let _span = tracing::debug_span!("plan").entered();
        SearchPlan::new(snapshot, &self.embedder, &self.config, request)
    }

    /// The candidates of a plan that was just made, before anything is made of them: the ground for measuring and tuning.
    /// The plan has its vector afterwards.
    ///
    /// # Errors
    /// As [`Searcher::search`].
    pub fn recall(&self, snapshot: &Snapshot, plan: &mut SearchPlan) -> Result<Recall, SearchError> {
        recall(snapshot, &self.config, plan)
    }

    /// What these candidates of a plan, recalled by it, say of an answer: the ground for calibration.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn evidence(
        &self,
        snapshot: &Snapshot,
        plan: &SearchPlan,
        candidates: &[Candidate],
    ) -> Result<Evidence, SearchError> {
        Evidence::of(snapshot, &self.embedder, plan, candidates)
    }
}

/// A search in the course of being ranked, on a snapshot that is borrowed or shared. With a shared one it can be put
/// aside between two steps.
pub struct Search<S> {
    searcher: Searcher,
    snapshot: S,
    plan: SearchPlan,
    reranking: Reranking,
    sentences: Sentences,
    state: RerankState,
    timings: Timings,
    reranked_for: Duration,
    judgement: Option<Judgement>,
}

impl<S: Deref<Target = Snapshot>> Search<S> {
    /// What it does.
    pub fn plan(&self) -> &SearchPlan {
        &self.plan
    }

    /// How far reranking got.
    pub fn state(&self) -> RerankState {
        self.state
    }

    /// Whether the last step ended on the wish to rest: there is no better order yet.
    pub fn is_resting(&self) -> bool {
        self.reranking.is_resting()
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
        let step = self.reranking.step(&self.snapshot, reranker, &self.plan, wish)?;
        self.reranked_for += begin.elapsed();
        self.state = self.judge(step)?;
        Ok(self.state)
    }

    /// [`Search::step`] until reranking has ended, without a rest.
    ///
    /// # Errors
    /// As there.
    pub fn finish(&mut self) -> Result<RerankState, SearchError> {
        while self.step(&|| Wish::GoOn)? == RerankState::Running {}
        Ok(self.state)
    }

    fn judge(&self, step: Step) -> Result<RerankState, SearchError> {
        match step {
            Step::Unwanted => return Ok(RerankState::Abandoned),
            Step::Resting => return Ok(RerankState::Running),
            Step::Complete | Step::Late => {}
        }
        if self.reranking.scored() == self.reranking.depth() {
            return Ok(RerankState::Complete);
        }
        if step == Step::Late || self.plan.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(RerankState::Late);
        }
        Ok(if self.is_settled()? { RerankState::Settled } else { RerankState::Running })
    }

    fn is_settled(&self) -> Result<bool, SearchError> {
        let settle = self.searcher.config.settle;
        if settle <= 0.0 {
            return Ok(false);
        }
        let documents = self.documents()?;
        let request = &self.plan.request;
        let page = &documents[..documents.len().min(request.top.saturating_add(request.offset))];
        let Some(last) = page.last().filter(|_| page.iter().all(Group::is_read)) else { return Ok(false) };
        Ok(self.reranking.expected_above(last.score) < settle)
    }

    /// The documents in the order known now.
    fn documents(&self) -> Result<Vec<Group>, SearchError> {
        self.grouped(self.reranking.ranked())
    }

    /// Candidates as documents, near-duplicates as one if they are to be.
    fn grouped(&self, candidates: Vec<Candidate>) -> Result<Vec<Group>, SearchError> {
        let config = &self.searcher.config;
        let documents = group(&self.snapshot, candidates, config)?;
        Ok(match self.plan.request.copies {
            Copies::Together => collapse(&self.snapshot, documents, config.copy_bits),
            Copies::Apart => documents,
        })
    }

    /// The answer in the best order known now.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn answer(&mut self) -> Result<Answer, SearchError> {
        let mut documents = self.documents()?;
        let answerable = self.judgement.map(|judgement| judgement.with(self.reranking.best_relevance()));
        if let Some((judgement, answerable)) = self.judgement.zip(answerable)
            && self.plan.request.unlikely == Unlikely::Closest
        {
            documents.truncate(judgement.shown(answerable));
        }
        let total = documents.len();
        let facets = self.plan.request.facets.then(|| self.facets(&documents)).transpose()?;
        let presenting = Instant::now();
        let results = self.present(documents, answerable)?;
        let timings = Timings {
            rerank_ms: milliseconds(self.reranked_for),
            highlight_ms: milliseconds(presenting.elapsed()),
            total_ms: milliseconds(self.plan.started.elapsed()),
            ..self.timings
        };
        Ok(Answer {
            query: self.plan.query.text.clone(),
            results,
            total,
            reranked: self.reranking.scored(),
            rerank_depth: self.reranking.depth(),
            rerank_state: self.state,
            answerable,
            timings,
            generation: self.snapshot.sequence(),
            notes: self.plan.query.notes.clone(),
            facets,
            understood: self.plan.request.explain.then(|| self.plan.query.clone()),
        })
    }

    /// The documents of the page that was asked for.
    fn present(
        &mut self,
        documents: Vec<Group>,
        answerable: Option<Answerable>,
    ) -> Result<Vec<DocumentHit>, SearchError> {
        let _span = tracing::debug_span!("present").entered();
        let (snapshot, request) = (&*self.snapshot, &self.plan.request);
        let presenter = Presenter::new(snapshot, &self.plan.terms, &self.searcher.config);
        let page = documents.into_iter().skip(request.offset).take(request.top);
        let mut results = page.map(|group| presenter.document(group)).collect::<Result<Vec<_>, _>>()?;
        // What nothing answers has no sentence that does.
        let is_unlikely = answerable.is_some_and(|answerable| answerable.verdict == Verdict::Unlikely);
        let marks_sentences = request.mark == Marking::Sentences && !is_unlikely;
        if let Some(vector) = self.plan.vector.as_ref().filter(|_| marks_sentences) {
            self.sentences.mark(&mut results, vector)?;
        }
        Ok(results)
    }

    /// Counts of the documents found; with open facets, each field that is restricted is counted as if it were not.
    fn facets(&self, documents: &[Group]) -> Result<FacetCounts, SearchError> {
        let _span = tracing::debug_span!("facets").entered();
        let found = facet::count(&self.snapshot, documents.iter().filter_map(Group::first))?;
        if !self.plan.counts_alternatives() {
            return Ok(found);
        }
        facet::with_alternatives(found, &self.plan.filter, |filter| {
            let filters = [filter, self.plan.query.filter.clone()];
            let recalled = recall_within(&self.snapshot, &self.searcher.config, &self.plan, &filters)?;
            let documents = self.grouped(recalled.candidates)?;
            facet::count(&self.snapshot, documents.iter().filter_map(Group::first))
        })
    }
}
