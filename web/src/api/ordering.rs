//! How far an answer is reranked: the one place where budgets meet the searcher.

use std::time::Duration;

use searcher::{Answer, Rerank, RerankBudget, RerankState, SearchRequest};
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
    /// With a time where the request names none: an answer in one piece must not wait for a slow machine.
    pub(crate) fn or_within(self, milliseconds: u64) -> Self {
        Self { milliseconds: self.milliseconds.or(Some(milliseconds)), ..self }
    }

    /// As the searcher takes it.
    pub(crate) fn rerank(self) -> Rerank {
        if self.milliseconds == Some(0) || self.candidates == Some(0) {
            return Rerank::Off;
        }
        Rerank::Within(RerankBudget { candidates: self.candidates, time: self.milliseconds.map(Duration::from_millis) })
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

/// Whether somebody still waits for better orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Going {
    /// Yes.
    On,
    /// The client has gone, or the server stops.
    Away,
}

/// Hands every better order to `found`, the fused one first, until the best within the budget is reached or nobody waits.
pub(crate) fn steps(
    engine: &Engine,
    snapshot: &Snapshot,
    request: &SearchRequest,
    budget: Budget,
    going: &dyn Fn() -> Going,
    found: &mut dyn FnMut(Answer),
) -> Result<(), Error> {
    let request = SearchRequest { rerank: budget.rerank(), ..request.clone() };
    let mut ranking = engine.searcher.begin(snapshot, &request)?;
    found(ranking.answer()?);
    let wanted = || going() == Going::On;
    while ranking.state() == RerankState::Running && wanted() {
        ranking.step(&wanted)?;
        found(ranking.answer()?);
    }
    Ok(())
}
