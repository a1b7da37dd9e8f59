//! Reranking: the cross-encoder reads query and passage together, the most promising candidates first, and every step
//! gives an order that can be shown.

use std::time::{Duration, Instant};

use qwen3::{Arrival, Pending, RerankHandle};
use storage::{PassageRef, Snapshot};

use crate::error::SearchError;
use crate::fuse::Fused;
use crate::outlook::Outlook;
use crate::ranking::Wish;

/// A candidate on its way to the answer.
#[derive(Debug, Clone)]
pub(crate) struct Ranked {
    pub(crate) candidate: Fused<PassageRef>,
    /// Probability of relevance by the reranker, if it scored this candidate.
    pub(crate) relevance: Option<f32>,
    /// What the final order is by.
    pub(crate) score: f64,
}

/// The candidates of one query in the order of recall, and what the reranker has said of them so far.
pub(crate) struct Candidates {
    fused: Vec<Fused<PassageRef>>,
    relevance: Vec<Option<f32>>,
    /// Candidates the reranker may read.
    depth: usize,
    /// Its share in the blended score.
    weight: f64,
}

impl Candidates {
    pub(crate) fn new(fused: Vec<Fused<PassageRef>>, depth: usize, weight: f64) -> Self {
        Self { relevance: vec![None; fused.len()], depth: depth.min(fused.len()), fused, weight }
    }

    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// How many the reranker has read.
    pub(crate) fn scored(&self) -> usize {
        self.relevance.iter().flatten().count()
    }

    /// The first `count` candidates that the reranker may read and has not.
    pub(crate) fn next(&self, count: usize) -> Vec<usize> {
        (0..self.depth).filter(|index| self.relevance[*index].is_none()).take(count).collect()
    }

    /// Has the reranker begin with the candidates of `indexes`.
    pub(crate) fn begin(&self, indexes: Vec<usize>, reader: &Reader) -> Result<Reading, SearchError> {
        let texts = indexes.iter().map(|index| passage_text(reader.snapshot, self.fused[*index].id));
        let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
        let pending = reader.reranker.begin(reader.query, reader.instruct, &texts)?;
        Ok(Reading { indexes, pending })
    }

    /// Takes what the reranker says of the candidates that it reads, until it has read all, the deadline is over, or
    /// `wish` says otherwise, which is asked as often as `patience` is over. What was read until then counts.
    pub(crate) fn follow(
        &mut self,
        mut reading: Reading,
        deadline: Option<Instant>,
        patience: Duration,
        wish: &dyn Fn() -> Wish,
    ) -> Result<Followed, SearchError> {
        let is_late = || deadline.is_some_and(|deadline| deadline <= Instant::now());
        let (is_complete, wish) = loop {
            let look_up = Instant::now() + patience;
            match reading.pending.advance_until(deadline.map_or(look_up, |deadline| deadline.min(look_up)))? {
                Arrival::Complete => break (true, Wish::GoOn),
                Arrival::Late if is_late() => break (false, Wish::GoOn),
                Arrival::More | Arrival::Late => match wish() {
                    Wish::GoOn => {}
                    other => break (false, other),
                },
            }
        };
        for (index, score) in reading.indexes.iter().zip(reading.pending.outputs()) {
            self.relevance[*index] = *score;
        }
        Ok(match (is_complete, wish) {
            (true, _) => Followed::Complete,
            (false, Wish::Rest) => Followed::Resting(reading),
            (false, Wish::Stop) => Followed::Unwanted,
            (false, Wish::GoOn) => Followed::Late,
        })
    }

    /// What the scores so far lead to expect of the others.
    pub(crate) fn outlook(&self) -> Outlook {
        let scored = |(index, relevance): (usize, &Option<f32>)| Some((index + 1, f64::from((*relevance)?)));
        Outlook::learn(self.relevance.iter().enumerate().filter_map(scored))
    }

    /// How many of the unread candidates would on average score higher than `score`.
    pub(crate) fn expected_above(&self, score: f64) -> f64 {
        let outlook = self.outlook();
        let chance = |index: &usize| {
            let rank = index + 1;
            outlook.chance_above(rank, (score - (1.0 - self.weight) / rank as f64) / self.weight)
        };
        self.next(self.depth).iter().map(chance).sum()
    }

    /// The best order known: blended scores of what was read, expected ones of what was not, and behind them, in the
    /// order of recall, what lies beyond the depth. The order of recall itself while nothing was read.
    ///
    /// The blend is `w * p + (1 - w) / rank`, with the reranker's probability `p` and the fused rank counted from 1:
    /// what recall was most sure of (an exact code, a quoted phrase) is never lost to a model that does not know it.
    pub(crate) fn ranked(&self) -> Vec<Ranked> {
        let unranked = self.fused.iter().map(|candidate| Ranked {
            score: candidate.score,
            candidate: candidate.clone(),
            relevance: None,
        });
        let mut ranked: Vec<Ranked> = unranked.collect();
        if self.scored() == 0 {
            return ranked;
        }
        let outlook = self.outlook();
        for (index, entry) in ranked[..self.depth].iter_mut().enumerate() {
            entry.relevance = self.relevance[index];
            let p = entry.relevance.map_or_else(|| outlook.expected(index + 1), f64::from);
            entry.score = blend(self.weight, p, index + 1);
        }
        ranked[..self.depth].sort_by(|a, b| b.score.total_cmp(&a.score));
        // Scores fall along the whole list, so that what was not reranked cannot seem better than what was.
        let lowest = ranked[..self.depth].last().map_or(f64::INFINITY, |entry| entry.score);
        for entry in &mut ranked[self.depth..] {
            entry.score = entry.score.min(lowest);
        }
        ranked
    }
}

/// Who reads candidates, for which question.
pub(crate) struct Reader<'r> {
    pub(crate) snapshot: &'r Snapshot,
    pub(crate) reranker: &'r RerankHandle,
    pub(crate) query: &'r str,
    pub(crate) instruct: Option<&'r str>,
}

/// Candidates that the reranker reads. It goes on by itself, whether or not somebody follows; dropping this stops it.
pub(crate) struct Reading {
    indexes: Vec<usize>,
    pending: Pending<f32>,
}

/// How the following of a reading ended.
pub(crate) enum Followed {
    /// All were read.
    Complete,
    /// The time was over.
    Late,
    /// Nobody waits any more.
    Unwanted,
    /// The reader reads on.
    Resting(Reading),
}

fn blend(weight: f64, probability: f64, rank: usize) -> f64 {
    weight * probability + (1.0 - weight) / rank as f64
}

/// What the reranker reads: the heading path says what a passage is about when its own words do not.
fn passage_text(snapshot: &Snapshot, passage: PassageRef) -> Result<String, SearchError> {
    let passage = snapshot.passage(passage)?;
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
