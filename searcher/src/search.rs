//! The line of a search: request -> plan -> recall -> fuse -> rerank -> group -> collapse -> present.
//!
//! A search can be had at once and bettered while the reranker reads (*anytime* reranking). The order of recall is there
//! first. Each step has the reranker read the most promising candidates that it has not read, in growing numbers, and
//! gives a better order. Reading ends when every candidate within the depth was read, when the time is over, when nobody
//! waits any more, or when the first page is *settled*: all its documents were read, and of the candidates left fewer than
//! [`SearchConfig::settle`] are expected to score above its last one (see `Expectation`).

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use qwen3::{EmbedHandle, RerankHandle};
use storage::{DocumentSet, PassageRef, View};

use crate::answer::{Answer, DocumentHit, Timings, milliseconds};
use crate::answerable::{Answerable, Judgement, Verdict};
use crate::calibration::Calibration;
use crate::candidate::Candidate;
use crate::collapse::Collapse;
use crate::config::SearchConfig;
use crate::cursor::Cursor;
use crate::error::SearchError;
use crate::evidence::Evidence;
use crate::facet::{self, FacetCounts};
use crate::group::{Group, group};
use crate::guidance::Guidance;
use crate::learnt::{Learnt, state_of};
use crate::list::List;
use crate::narrow;
use crate::plan::{SearchPlan, Written};
use crate::present::Presenter;
use crate::query::Note;
use crate::recall::{Recall, found_within, recall};
use crate::request::{Copies, Marking, SearchRequest, Unlikely};
use crate::rerank::{RerankState, Reranking, Step, Wish};
use crate::sentence::{Sentences, Which};
use crate::synonyms::Synonyms;
use crate::writer::Writer;

/// Documents that are settled together: those of a page of the usual size.
const BLOCK: usize = 10;

/// Answers queries on views. Cheap to clone.
#[derive(Clone)]
pub struct Searcher {
    pub(crate) embedder: EmbedHandle,
    pub(crate) reranker: Option<RerankHandle>,
    pub(crate) config: SearchConfig,
    /// What administrators have written for searches; of all clones.
    guidance: Arc<RwLock<Arc<Guidance>>>,
    /// What the documents of a view explain themselves.
    learnt: Arc<RwLock<Learnt>>,
    pub(crate) calibration: Option<Arc<Calibration>>,
    pub(crate) writer: Option<Arc<dyn Writer>>,
}

impl Searcher {
    /// A searcher with a model for queries, and one for reranking if there is any.
    pub fn new(embedder: EmbedHandle, reranker: Option<RerankHandle>, config: SearchConfig) -> Self {
        let (guidance, learnt) = Default::default();
        Self { embedder, reranker, config, guidance, learnt, calibration: None, writer: None }
    }

    /// The same searcher, with what administrators have written.
    #[must_use]
    pub fn guided(self, guidance: Guidance) -> Self {
        Self { guidance: Arc::new(RwLock::new(Arc::new(guidance))), ..self }
    }

    /// Changes what administrators have written, from the next search on; of all clones.
    pub fn guide(&self, change: impl FnOnce(&mut Guidance)) {
        let mut guidance = self.guidance.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut guidance));
    }

    /// Takes words that the documents of a view say stand for each other in the place of those that it knew of them; of all
    /// clones.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn learn(&self, view: &View, synonyms: Synonyms) -> Result<(), SearchError> {
        let state = state_of(view)?;
        self.learnt.write().unwrap_or_else(PoisonError::into_inner).take(state, synonyms);
        Ok(())
    }

    /// With this calibration searches are judged: whether anything answers.
    #[must_use]
    pub fn calibrated(self, calibration: Calibration) -> Self {
        Self { calibration: Some(Arc::new(calibration)), ..self }
    }

    /// The same searcher, with a model that writes answers.
    #[must_use]
    pub fn with_writer(self, writer: Option<Arc<dyn Writer>>) -> Self {
        Self { writer, ..self }
    }

    /// The model that writes answers, if one does.
    pub fn writer(&self) -> Option<&dyn Writer> {
        self.writer.as_deref()
    }

    /// The settings in force.
    pub fn config(&self) -> &SearchConfig {
        &self.config
    }

    /// Answers a request on a view, reranked as far as the request and the configuration say.
    ///
    /// # Errors
    /// The index is damaged or the model failed. A query is never wrong: see [`ParsedQuery`](crate::ParsedQuery).
    pub fn search(&self, view: &View, request: &SearchRequest) -> Result<Answer, SearchError> {
        let mut search = self.begin(view, request.clone())?;
        search.finish()?;
        search.answer()
    }

    /// Recalls candidates; reranking is taken step by step from there.
    ///
    /// # Errors
    /// As [`Searcher::search`].
    pub fn begin<S: Deref<Target = View>>(&self, view: S, request: SearchRequest) -> Result<Search<S>, SearchError> {
        let mut plan = self.plan(&view, request)?;
        let planned = plan.started.elapsed();
        let recalled = recall(&view, &self.config, &mut plan)?;
        let evidence = match &self.calibration {
            Some(_) => Judgement::evidence(&view, &self.embedder, &self.config, &plan, &recalled.candidates)?,
            None => None,
        };
        let model = &view.model().fingerprint;
        let floor = if plan.lacks_meaning() { 0.0 } else { self.config.answerable_floor };
        let judgement = self
            .calibration
            .as_ref()
            .zip(evidence.as_ref())
            .and_then(|(known, evidence)| Judgement::of(evidence, model, known, floor));
        let depth = if self.reranker.is_some() { plan.rerank_depth } else { 0 };
        let reranking = Reranking::new(recalled.candidates, depth, self.config.rerank_weight);
        let collapse = Collapse::by(match plan.request.copies {
            Copies::Together => Some(view.copies(self.config.copy_bits)?),
            Copies::Apart => None,
        });
        if recalled.found.is_empty() {
            plan.query.notes.extend(narrow::notes(&view, &plan.filters())?);
        }
        let pinned = plan.weighing.pinned(&view, &plan.filters(), &plan.terms)?;
        Ok(Search {
            searcher: self.clone(),
            view,
            found: recalled.found,
            overall: recalled.overall,
            pinned,
            collapse,
            settled: Vec::new(),
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
            evidence,
            judgement,
        })
    }

    /// What a search for this request does.
    ///
    /// # Errors
    /// A date in the request's filters cannot be read, or the model cannot read the query.
    pub fn plan(&self, view: &View, request: SearchRequest) -> Result<SearchPlan, SearchError> {
        let _span = tracing::debug_span!("plan").entered();
        let state = state_of(view)?;
        let learnt = self.learnt.read().unwrap_or_else(PoisonError::into_inner).by_view.get(&state).cloned();
        let learnt = learnt.unwrap_or_default();
        let guidance = Arc::clone(&self.guidance.read().unwrap_or_else(PoisonError::into_inner));
        let written = Written { synonyms: [&guidance.synonyms, &learnt], rules: &guidance.rules };
        SearchPlan::new(view, &self.embedder, &self.config, written, request)
    }

    /// The candidates of a plan that was just made, before anything is made of them: the ground for measuring and tuning.
    /// The plan has its vector afterwards.
    ///
    /// # Errors
    /// As [`Searcher::search`].
    pub fn recall(&self, view: &View, plan: &mut SearchPlan) -> Result<Recall, SearchError> {
        recall(view, &self.config, plan)
    }

    /// What these candidates of a plan, recalled by it, say of an answer: the ground for calibration.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn evidence(&self, view: &View, plan: &SearchPlan, candidates: &[Candidate]) -> Result<Evidence, SearchError> {
        Evidence::of(view, &self.embedder, plan, candidates)
    }
}

/// A search in the course of being ranked, on a view that is borrowed or shared. With a shared one it can be put
/// aside between two steps.
pub struct Search<S> {
    searcher: Searcher,
    view: S,
    plan: SearchPlan,
    /// The documents that are found.
    found: DocumentSet,
    /// See [`Recall`].
    overall: Vec<PassageRef>,
    /// The documents that come first.
    pinned: Vec<u32>,
    collapse: Collapse,
    reranking: Reranking,
    /// The first results, whose order does not change any more, by what tells results apart.
    settled: Vec<u32>,
    sentences: Sentences,
    state: RerankState,
    timings: Timings,
    reranked_for: Duration,
    /// What speaks for an answer, where that was judged.
    evidence: Option<Evidence>,
    judgement: Option<Judgement>,
}

impl<S: Deref<Target = View>> Search<S> {
    /// What it does.
    pub fn plan(&self) -> &SearchPlan {
        &self.plan
    }

    /// What it searches.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// Who searches.
    pub(crate) fn searcher(&self) -> &Searcher {
        &self.searcher
    }

    /// What speaks for an answer, where that was judged.
    pub(crate) fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_ref()
    }

    /// The candidates in the order known now.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        self.reranking.ranked()
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
        let step = self.reranking.step(&self.view, reranker, &self.plan, wish)?;
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

    fn judge(&mut self, step: Step) -> Result<RerankState, SearchError> {
        match step {
            Step::Unwanted => return Ok(RerankState::Abandoned),
            Step::Resting => return Ok(RerankState::Running),
            Step::Away => {
                self.plan.query.notes.push(Note::RerankerAway);
                return Ok(RerankState::Away);
            }
            Step::Complete | Step::Late => {}
        }
        if self.reranking.scored() == self.reranking.depth() {
            return Ok(RerankState::Complete);
        }
        if step == Step::Late || self.plan.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(RerankState::Late);
        }
        Ok(if self.settle() { RerankState::Settled } else { RerankState::Running })
    }

    /// Settles what can be settled by now; says whether that is the page asked for, and all before it.
    ///
    /// It goes by blocks of the same size from the beginning of the list: a longer or later page finds the same order before it
    /// as the pages that end there.
    fn settle(&mut self) -> bool {
        let settle = self.searcher.config.settle;
        if settle <= 0.0 {
            return false;
        }
        let documents = self.ranked();
        while self.settled.len() < self.plan.wanted().min(documents.len()) {
            let end = documents.len().min(self.settled.len() + BLOCK);
            let block = &documents[self.settled.len()..end];
            let is_settled = block.iter().all(Group::is_read)
                && block.last().is_some_and(|last| self.reranking.expected_above(last.score) < settle);
            if !is_settled {
                return false;
            }
            self.settled.extend(block.iter().map(|group| self.collapse.key(group.document)));
        }
        true
    }

    /// The ranked documents in the order known now, behind those that are settled.
    fn ranked(&self) -> Vec<Group> {
        let mut documents = self.collapse.collapse(group(self.reranking.ranked(), &self.searcher.config));
        let place = |group: &Group| {
            let key = self.collapse.key(group.document);
            self.settled.iter().position(|settled| *settled == key).unwrap_or(usize::MAX)
        };
        if !self.settled.is_empty() {
            documents.sort_by_cached_key(place);
        }
        documents
    }

    /// The answer in the best order known now.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn answer(&mut self) -> Result<Answer, SearchError> {
        let answerable = self.judgement.map(|judgement| judgement.with(self.reranking.best_relevance()));
        let (head, found) = self.shown(answerable);
        let total = self.collapse.count(&found);
        // A filter shows all that is behind it, so that is what its number counts; nothing is behind it in nonsense.
        let counted = if found.is_empty() { &*found } else { &self.found };
        let facets = self.plan.request.facets.then(|| self.facets(counted)).transpose()?;
        let presenting = Instant::now();
        let (mut results, next) = self.page(head, &found)?;
        // Only in the first of all results, and only by a model of which it is known how near an answer is.
        let is_unlikely = answerable.is_none_or(|answerable| answerable.verdict == Verdict::Unlikely);
        let is_wanted = self.plan.request.mark == Marking::Sentences && !is_unlikely && self.plan.is_first_page();
        let floor = self.judgement.filter(|_| is_wanted).and_then(Judgement::near);
        if let Some((vector, floor)) = self.plan.vector.as_ref().zip(floor) {
            let first = results.len().min(1);
            self.sentences.mark(&mut results[..first], vector, Which::Answering { floor })?;
        }
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
            next: next.map(|cursor| cursor.encode()),
            reranked: self.reranking.scored(),
            rerank_depth: self.reranking.depth(),
            rerank_state: self.state,
            answerable,
            timings,
            generation: self.view.generation()?,
            notes: self.plan.query.notes.clone(),
            spelling: self.plan.spelling.clone(),
            expanded: self.plan.expanded.clone(),
            facets,
            understood: self.plan.request.explain.then(|| self.plan.query.clone()),
        })
    }

    /// The ranked documents and all that are found; where nothing is likely to answer and the request does not want them all
    /// the same, only the closest.
    fn shown(&self, answerable: Option<Answerable>) -> (Vec<Group>, Cow<'_, DocumentSet>) {
        let (mut head, pinned) = self.with_pinned(self.ranked());
        let closest = self.judgement.zip(answerable).and_then(|(judgement, answerable)| judgement.closest(answerable));
        // A filter is a wish to see what is there: it leaves nothing out but where there is nothing to be seen.
        let is_narrowed = self.plan.filters().iter().any(|filter| !filter.is_empty());
        let closest = closest.filter(|closest| (*closest == 0 || !is_narrowed) && pinned == 0);
        let Some(closest) = closest.filter(|_| self.plan.request.unlikely == Unlikely::Closest) else {
            return (head, Cow::Borrowed(&self.found));
        };
        head.truncate(closest);
        let mut found = DocumentSet::default();
        for group in &head {
            let copies = self.collapse.members(group.document).iter().filter(|copy| self.found.contains(**copy));
            copies.chain([&group.document]).for_each(|document| found.insert(*document));
        }
        (head, Cow::Owned(found))
    }

    /// The ranked documents behind those that are pinned for the query, and how many these are.
    fn with_pinned(&self, ranked: Vec<Group>) -> (Vec<Group>, usize) {
        let best = ranked.first().map_or(1.0, |group| group.score);
        let mut head: Vec<Group> = Vec::with_capacity(ranked.len());
        let mut ranked = ranked;
        for pinned in &self.pinned {
            let key = self.collapse.key(*pinned);
            if head.iter().any(|group| self.collapse.key(group.document) == key) {
                continue;
            }
            let place = ranked.iter().position(|group| self.collapse.key(group.document) == key);
            let group = place.map_or_else(|| Group::new(*pinned), |place| ranked.remove(place));
            head.push(Group { score: best, ..group });
        }
        let count = head.len();
        head.append(&mut ranked);
        (head, count)
    }

    /// The documents of the page that was asked for, and where to go on.
    fn page(
        &self,
        mut head: Vec<Group>,
        found: &DocumentSet,
    ) -> Result<(Vec<DocumentHit>, Option<Cursor>), SearchError> {
        let _span = tracing::debug_span!("present").entered();
        // Scores fall along the list: what was read later may seem better than what is settled.
        let mut lowest = f64::INFINITY;
        for group in &mut head {
            lowest = lowest.min(group.score);
            group.score = lowest;
        }
        let (view, config) = (&*self.view, &self.searcher.config);
        let list = List { view, config, plan: &self.plan, found, collapse: &self.collapse };
        let page = list.page(head)?;
        let presenter = Presenter::new(view, &self.plan.terms, config)?;
        let results = page.results.into_iter().map(|group| {
            let effects = self.plan.weighing.effects(view, group.document)?;
            Ok::<_, SearchError>(DocumentHit { effects, ..presenter.document(group)? })
        });
        Ok((results.collect::<Result<Vec<_>, _>>()?, page.next))
    }

    /// Counts of the results found; with open facets, each field that is restricted is counted as if it were not.
    fn facets(&self, found: &DocumentSet) -> Result<FacetCounts, SearchError> {
        let _span = tracing::debug_span!("facets").entered();
        let count = |found: &DocumentSet| facet::count(&self.view, found, &self.collapse);
        let counts = count(found)?;
        if !self.plan.counts_alternatives() || found.is_empty() {
            return Ok(counts);
        }
        facet::with_alternatives(counts, &self.plan.filter, |filter| {
            let filters = [filter, self.plan.query.filter.clone()];
            count(&found_within(&self.view, &self.searcher.config, &self.plan, &filters, &self.overall)?)
        })
    }
}
