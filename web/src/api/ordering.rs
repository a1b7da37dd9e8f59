//! How far an answer is reranked: the one place where budgets meet the searcher.
//!
//! For now the searcher knows two orders, fused and fully reranked. When it can rerank step by step, this file is what
//! changes.

use searcher::{Answer, Rerank, SearchConfig, SearchRequest, Searcher};
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
    fn is_nothing(self) -> bool {
        self.milliseconds == Some(0) || self.candidates == Some(0)
    }
}

/// The best order within the budget. A number of candidates is kept to; a number of milliseconds other than 0 is not
/// looked at yet.
pub(crate) fn best_within(
    engine: &Engine,
    snapshot: &Snapshot,
    request: &SearchRequest,
    budget: Budget,
) -> Result<Answer, Error> {
    if budget.is_nothing() {
        return fused(engine, snapshot, request);
    }
    let default = SearchConfig::default();
    let Some(depth) = budget.candidates.filter(|depth| *depth < default.rerank_depth) else {
        return Ok(engine.searcher.search(snapshot, request)?);
    };
    let config = SearchConfig { rerank_depth: depth, ..default };
    let searcher = Searcher::new(engine.embedder.clone(), engine.reranker.clone(), config);
    Ok(searcher.search(snapshot, request)?)
}

/// The order of recall, without the reranker.
pub(crate) fn fused(engine: &Engine, snapshot: &Snapshot, request: &SearchRequest) -> Result<Answer, Error> {
    let request = SearchRequest { rerank: Rerank::Off, ..request.clone() };
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
    found(fused(engine, snapshot, request)?);
    if engine.reranker.is_none() || budget.is_nothing() || going() == Going::Away {
        return Ok(());
    }
    found(best_within(engine, snapshot, request, budget)?);
    Ok(())
}
