//! The model threads' work, as numbers for Prometheus. The threads count for themselves; their counts are copied when
//! somebody asks.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use qwen3::WorkerStats;

use crate::engine::Engine;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Model {
    model: &'static str,
}

type Numbers = Family<Model, Gauge<f64, AtomicU64>>;

/// A number's name, what it is, and where it is found.
type Number = (&'static str, &'static str, fn(&WorkerStats) -> f64);

const NUMBERS: [Number; 12] = [
    ("model_waiting_queries", "Queries that wait for the model", |stats| stats.waiting_urgent as f64),
    ("model_waiting_documents", "Requests for documents that someone waits for", |stats| stats.waiting_soon as f64),
    ("model_waiting_requests", "Other requests that wait for the model", |stats| stats.waiting_bulk as f64),
    ("model_requests", "Requests taken since the start", |stats| stats.requests as f64),
    ("model_abandoned", "Requests whose caller left", |stats| stats.abandoned as f64),
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
}

impl ModelMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let family = |(name, help, _): &Number| {
            let family = Numbers::default();
            registry.register(*name, *help, family.clone());
            family
        };
        Self { families: NUMBERS.iter().map(family).collect() }
    }

    /// Copies what the engine's models have counted.
    pub(crate) fn read(&self, engine: &Engine) {
        self.set("embedding", &engine.embedder.stats());
        if let Some(reranker) = &engine.reranker {
            self.set("reranker", &reranker.stats());
        }
        if let Some(writer) = &engine.generator {
            self.set("writer", &writer.stats());
        }
    }

    fn set(&self, model: &'static str, stats: &WorkerStats) {
        for (family, (_, _, number)) in self.families.iter().zip(&NUMBERS) {
            family.get_or_create(&Model { model }).set(number(stats));
        }
    }
}
