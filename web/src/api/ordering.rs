//! How far an answer is reranked: the one place where budgets meet the searcher.

use std::time::Duration;

use searcher::{Answer, Rerank, RerankBudget, SearchRequest};
use storage::Snapshot;

use crate::engine::Engine;
use crate::error::Error;

/// What reranking may cost. `None` leaves it to the configuration.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Budget {
    pub(crate) milliseconds: Option<u64>,
    pub(crate) candidates: Option<usize>,
}

impl Budget {
    /// As the searcher takes it.
    pub(crate) fn rerank(self) -> Rerank {
        if self.milliseconds == Some(0) || self.candidates == Some(0) {
            return Rerank::Off;
        }
        Rerank::Within(RerankBudget {
            candidates: self.candidates,
            time: self.milliseconds.map(Duration::from_millis),
        })
    }
}

/// The best order within the budget.
pub(crate) fn best_within(
    engine: &Engine,
    snapshot: &Snapshot,
    request: &SearchRequest,
    budget: Budget,
) -> Result<Answer, Error> {
    let request = SearchRequest { rerank: budget.rerank(), ..request.clone() };
    Ok(engine.searcher.search(snapshot, &request)?)
}
