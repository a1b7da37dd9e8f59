//! Models in this process, each behind a thread of its own. Texts become tokens in the caller's thread (on all cores), so a bulk
//! caller prepares its next request while the model computes the last.

use std::sync::Arc;

use super::{
    WorkerOptions, WorkerStats,
    model::{EmbedModel, RerankModel},
    queue::{Lane, Pending, Queue},
    thread::{Engine, start},
};
use crate::{
    embedder::{EmbedEncoder, Embedder},
    error::Result,
    model::Prefix,
    place::Place,
    reranker::{RerankEncoder, Reranker},
    ruler::Ruler,
    tokenizer::Overlong,
};

/// An embedding model here.
pub(super) struct EmbedHere {
    queue: Queue<Vec<f32>>,
    encoder: EmbedEncoder,
    dimension: usize,
    max_tokens: usize,
    fingerprint: String,
    ruler: Ruler,
    place: Place,
}

/// A reranker here.
pub(super) struct RerankHere {
    queue: Queue<f32>,
    encoder: RerankEncoder,
    ruler: Ruler,
    place: Place,
}

impl EmbedHere {
    pub(super) fn start(embedder: Embedder, options: &WorkerOptions) -> Result<Self> {
        let encoder = embedder.encoder().clone();
        Ok(Self {
            dimension: embedder.dimension(),
            max_tokens: embedder.max_tokens(),
            fingerprint: embedder.fingerprint().to_owned(),
            ruler: Ruler::Exact(encoder.tokenizer().clone()),
            place: Place::Here { precision: embedder.precision(), device: embedder.device() },
            encoder,
            queue: start(embedder, "qwen3-embed", options)?,
        })
    }
}

impl EmbedModel for EmbedHere {
    fn query(&self, query: &str, instruction: Option<&str>, overlong: Overlong) -> Result<Pending<Vec<f32>>> {
        self.queue.submit(Lane::Urgent, vec![self.encoder.query_as(query, instruction, overlong)?])
    }

    fn holds_query(&self, query: &str, instruction: Option<&str>) -> Result<()> {
        self.encoder.query_as(query, instruction, Overlong::Refuse).map(drop)
    }

    fn documents(&self, lane: Lane, documents: &[&str], overlong: Overlong) -> Result<Pending<Vec<f32>>> {
        self.queue.submit(lane, self.encoder.documents_as(documents, overlong)?)
    }

    fn sequences(&self, lane: Lane, sequences: Vec<Vec<u32>>, overlong: Overlong) -> Result<Pending<Vec<f32>>> {
        self.queue.submit(lane, self.encoder.sequences(sequences, overlong)?)
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn ruler(&self) -> &Ruler {
        &self.ruler
    }

    fn place(&self) -> Place {
        self.place.clone()
    }

    fn stats(&self) -> WorkerStats {
        self.queue.stats()
    }
}

impl RerankHere {
    pub(super) fn start(reranker: Reranker, options: &WorkerOptions) -> Result<Self> {
        let encoder = reranker.encoder().clone();
        Ok(Self {
            ruler: Ruler::Exact(encoder.tokenizer().clone()),
            place: Place::Here { precision: reranker.precision(), device: reranker.device() },
            encoder,
            queue: start(reranker, "qwen3-rerank", options)?,
        })
    }
}

impl RerankModel for RerankHere {
    fn scores(
        &self,
        query: &str,
        instruction: Option<&str>,
        documents: &[&str],
        overlong: Overlong,
    ) -> Result<Pending<f32>> {
        self.queue.submit(Lane::Bulk, self.encoder.prompts_as(query, instruction, documents, overlong)?)
    }

    fn holds(&self, query: &str, instruction: Option<&str>, documents: &[&str]) -> Result<()> {
        self.encoder.prompts_as(query, instruction, documents, Overlong::Refuse).map(drop)
    }

    fn ruler(&self) -> &Ruler {
        &self.ruler
    }

    fn place(&self) -> Place {
        self.place.clone()
    }

    fn stats(&self) -> WorkerStats {
        self.queue.stats()
    }
}

impl Engine for Embedder {
    type Shared = ();
    type Output = Vec<f32>;

    fn share(&self, _: &[&[u32]]) -> Result<()> {
        Ok(())
    }

    fn tokens(&self, (): &(), sequence: &[u32]) -> usize {
        sequence.len()
    }

    fn compute(&self, (): &(), batch: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        self.embed_ids(batch)
    }
}

impl Engine for Reranker {
    type Shared = Arc<Prefix>;
    type Output = f32;

    fn share(&self, sequences: &[&[u32]]) -> Result<Arc<Prefix>> {
        self.shared_prefix(sequences)
    }

    fn tokens(&self, prefix: &Arc<Prefix>, sequence: &[u32]) -> usize {
        sequence.len().saturating_sub(prefix.tokens())
    }

    fn compute(&self, prefix: &Arc<Prefix>, batch: &[&[u32]]) -> Result<Vec<f32>> {
        self.score_ids(batch, prefix)
    }
}
