//! The model threads' work, as numbers for Prometheus. The threads count for themselves; their counts are copied when
//! somebody asks.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use qwen3::{Elsewhere, WorkerStats};

use crate::engine::Engine;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Model {
    model: &'static str,
}

type Numbers = Family<Model, Gauge<f64, AtomicU64>>;

/// A number's name, what it is, and where it is found.
type Number = (&'static str, &'static str, fn(&WorkerStats) -> f64);

const NUMBERS: [Number; 13] = [
    ("model_waiting_queries", "Queries that wait for the model", |stats| stats.waiting_urgent as f64),
    ("model_waiting_documents", "Requests for documents that someone waits for", |stats| stats.waiting_soon as f64),
    ("model_waiting_requests", "Other requests that wait for the model", |stats| stats.waiting_bulk as f64),
    ("model_requests", "Requests taken since the start", |stats| stats.requests as f64),
    ("model_abandoned", "Requests whose caller left", |stats| stats.abandoned as f64),
    ("model_failures", "Requests that a model elsewhere gave no answer to", |stats| stats.failures as f64),
    ("model_batches", "Batches computed since the start", |stats| stats.batches as f64),
    ("model_tokens", "Tokens computed since the start", |stats| stats.tokens as f64),
    ("model_batch_tokens", "Tokens of the latest batch", |stats| stats.batch_tokens as f64),
    ("model_tokens_per_second", "Tokens per second while computing", WorkerStats::tokens_per_second),
    ("model_utilisation", "Share of the time that the model computed", WorkerStats::utilisation),
    ("model_cache_hits", "Answers taken from the cache", |stats| stats.cache_hits as f64),
    ("model_cache_misses", "Answers that had to be computed", |stats| stats.cache_misses as f64),
];

/// One family for each of [`NUMBERS`].
pub(crate) struct ModelMetrics {
    families: Vec<Numbers>,
    /// Of models elsewhere.
    away: Numbers,
}

impl ModelMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let family = |(name, help, _): &Number| {
            let family = Numbers::default();
            registry.register(*name, *help, family.clone());
            family
        };
        let families = NUMBERS.iter().map(family).collect();
        let away = Numbers::default();
        registry.register(
            "model_away",
            "Whether a model elsewhere gives no answer that can be used: 1 or 0",
            away.clone(),
        );
        Self { families, away }
    }

    /// Copies what the engine's models have counted.
    pub(crate) fn read(&self, engine: &Engine) {
        self.set("embedding", &engine.embedder.stats(), engine.embedder.elsewhere());
        if let Some(reranker) = &engine.reranker {
            self.set("reranker", &reranker.stats(), reranker.elsewhere());
        }
        if let Some(writer) = &engine.generator {
            self.set("writer", &writer.stats(), None);
        } else if let Some(writer) = engine.searcher.writer()
            && let Some(stats) = writer.stats()
        {
            self.set("writer", &stats, writer.elsewhere());
        }
    }

    fn set(&self, model: &'static str, stats: &WorkerStats, elsewhere: Option<Elsewhere>) {
        if let Some(elsewhere) = elsewhere {
            let is_out = f64::from(u8::from(elsewhere.condition.is_out()));
            self.away.get_or_create(&Model { model }).set(is_out);
        }
        for (family, (_, _, number)) in self.families.iter().zip(&NUMBERS) {
            family.get_or_create(&Model { model }).set(number(stats));
        }
    }
}
