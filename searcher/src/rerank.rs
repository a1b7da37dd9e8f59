//! Reranking: the cross-encoder reads query and passage together, the most promising candidates first, and every step
//! gives an order that can be shown.

use std::time::{Duration, Instant};

use qwen3::{Arrival, Pending, RerankHandle};
use serde::Serialize;
use storage::{PassageRef, View};

use crate::candidate::Candidate;
use crate::error::SearchError;
use crate::expectation::Expectation;
use crate::plan::SearchPlan;

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
    /// The reranker is elsewhere and gives no answer; what it had read before counts.
    Away,
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

/// The candidates of one query in the order of recall, and what the reranker has said of them so far.
pub(crate) struct Reranking {
    fused: Vec<Candidate>,
    /// Candidates the reranker may read.
    depth: usize,
    /// Its share in the blended score.
    weight: f64,
    /// What the reranker reads while the search rests.
    reading: Option<Reading>,
}

impl Reranking {
    pub(crate) fn new(fused: Vec<Candidate>, depth: usize, weight: f64) -> Self {
        Self { depth: depth.min(fused.len()), fused, weight, reading: None }
    }

    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// How many the reranker has read.
    pub(crate) fn scored(&self) -> usize {
        self.fused.iter().filter(|candidate| candidate.relevance.is_some()).count()
    }

    /// The best that the reranker has said so far.
    pub(crate) fn best_relevance(&self) -> Option<f32> {
        self.fused.iter().filter_map(|candidate| candidate.relevance).max_by(f32::total_cmp)
    }

    /// Whether the last step ended on the wish to rest.
    pub(crate) fn is_resting(&self) -> bool {
        self.reading.is_some()
    }

    /// Has the reranker read some more for the plan's query, until it has read what this step holds, the plan's deadline is
    /// over, or `wish` says otherwise. What was read until then counts.
    pub(crate) fn step(
        &mut self,
        view: &View,
        reranker: &RerankHandle,
        plan: &SearchPlan,
        wish: &dyn Fn() -> Wish,
    ) -> Result<Step, SearchError> {
        let _span = tracing::debug_span!("rerank").entered();
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => match self.begin(view, reranker, plan) {
                Err(SearchError::Model(error)) if error.is_elsewhere() => return Ok(Step::Away),
                begun => begun?,
            },
        };
        let step = reading.follow(plan.deadline, wish)?;
        for (index, relevance) in reading.indexes.iter().zip(reading.pending.outputs()) {
            self.fused[*index].relevance = *relevance;
        }
        if step == Step::Resting {
            self.reading = Some(reading);
        }
        Ok(step)
    }

    fn begin(&self, view: &View, reranker: &RerankHandle, plan: &SearchPlan) -> Result<Reading, SearchError> {
        let indexes = self.unread(self.scored().max(FIRST_STEP));
        let texts = indexes.iter().map(|index| passage_text(view, self.fused[*index].passage));
        let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
        let pending = reranker.begin(&plan.text, plan.request.instruct.as_deref(), &texts)?;
        Ok(Reading { indexes, pending })
    }

    /// The first `count` candidates that the reranker may read and has not.
    fn unread(&self, count: usize) -> Vec<usize> {
        (0..self.depth).filter(|index| self.fused[*index].relevance.is_none()).take(count).collect()
    }

    /// What the scores so far lead to expect of the others.
    fn expectation(&self) -> Expectation {
        let scored = |(index, candidate): (usize, &Candidate)| Some((index + 1, f64::from(candidate.relevance?)));
        Expectation::learn(self.fused.iter().enumerate().filter_map(scored))
    }

    /// How many of the unread candidates would on average score higher than `score`.
    pub(crate) fn expected_above(&self, score: f64) -> f64 {
        let expectation = self.expectation();
        let chance = |index: &usize| {
            let rank = index + 1;
            let score = score / self.fused[*index].factor;
            expectation.chance_above(rank, (score - (1.0 - self.weight) / rank as f64) / self.weight)
        };
        self.unread(self.depth).iter().map(chance).sum()
    }

    /// The best order known: blended scores of what was read, expected ones of what was not, and behind them, in the
    /// order of recall, what lies beyond the depth. The order of recall itself while nothing was read.
    ///
    /// The blend is `w * p + (1 - w) / rank`, with the reranker's probability `p` and the fused rank counted from 1:
    /// what recall was most sure of (an exact code, a quoted phrase) is never lost to a model that does not know it. What a
    /// document is and what rules say of it counts as in recall.
    pub(crate) fn ranked(&self) -> Vec<Candidate> {
        let mut ranked = self.fused.clone();
        if self.scored() == 0 {
            return ranked;
        }
        let expectation = self.expectation();
        for (index, candidate) in ranked[..self.depth].iter_mut().enumerate() {
            let p = candidate.relevance.map_or_else(|| expectation.expected(index + 1), f64::from);
            candidate.score = candidate.factor * blend(self.weight, p, index + 1);
        }
        ranked[..self.depth].sort_by(|a, b| b.score.total_cmp(&a.score));
        // Scores fall along the whole list, so that what was not reranked cannot seem better than what was.
        let lowest = ranked[..self.depth].last().map_or(f64::INFINITY, |candidate| candidate.score);
        for candidate in &mut ranked[self.depth..] {
            candidate.score = candidate.score.min(lowest);
        }
        ranked
    }
}

/// Candidates that the reranker reads. It goes on by itself, whether or not somebody follows; dropping this stops it.
struct Reading {
    indexes: Vec<usize>,
    pending: Pending<f32>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// All that it held was read.
    Complete,
    /// The time was over.
    Late,
    /// Nobody waits any more.
    Unwanted,
    /// The reranker reads on.
    Resting,
    /// The reranker is elsewhere and gives no answer.
    Away,
}

impl Reading {
    fn follow(&mut self, deadline: Option<Instant>, wish: &dyn Fn() -> Wish) -> Result<Step, SearchError> {
        let is_late = || deadline.is_some_and(|deadline| deadline <= Instant::now());
        loop {
            let look_up = Instant::now() + PATIENCE;
            let arrival = match self.pending.advance_until(deadline.map_or(look_up, |deadline| deadline.min(look_up))) {
                Err(error) if error.is_elsewhere() => return Ok(Step::Away),
                arrival => arrival?,
            };
            match arrival {
                Arrival::Complete => return Ok(Step::Complete),
                Arrival::Late if is_late() => return Ok(Step::Late),
                Arrival::More | Arrival::Late => match wish() {
                    Wish::GoOn => {}
                    Wish::Rest => return Ok(Step::Resting),
                    Wish::Stop => return Ok(Step::Unwanted),
                },
            }
        }
    }
}

fn blend(weight: f64, probability: f64, rank: usize) -> f64 {
    weight * probability + (1.0 - weight) / rank as f64
}

/// What the reranker reads: the heading path says what a passage is about when its own words do not.
fn passage_text(view: &View, passage: PassageRef) -> Result<String, SearchError> {
    let passage = view.passage(passage)?;
    Ok(storage::embedding_text(&passage.chunk.headings, &passage.chunk.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_recall_needs_little_relevance_to_stay_high() {
        let exact = blend(0.7, 0.2, 1);
        let liked = blend(0.7, 0.5, 20);
        let loved = blend(0.7, 0.9, 20);
        assert!(exact > liked && loved > exact);
    }
}
