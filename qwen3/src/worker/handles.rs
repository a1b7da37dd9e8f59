//! What callers hold: cheap, `Clone + Send + Sync` handles to a model thread. Texts become tokens in the caller's
//! thread (on all cores), so a bulk caller prepares its next request while the model computes the last.

use std::sync::Arc;

use super::{
    WorkerOptions,
    queue::{Lane, Pending, Queue},
    thread::{Engine, start},
};
use crate::{
    embedder::{EmbedEncoder, Embedder},
    error::{Error, Result},
    model::Prefix,
    reranker::{RerankEncoder, Reranker},
    tokenizer::Tokenizer,
};

/// A handle to an embedding model's thread. The thread ends with the last handle.
#[derive(Clone)]
pub struct EmbedHandle {
    queue: Queue<Vec<f32>>,
    facts: Arc<Facts>,
}

struct Facts {
    encoder: EmbedEncoder,
    dimension: usize,
    max_tokens: usize,
    fingerprint: String,
}

/// A handle to a reranker's thread. The thread ends with the last handle.
#[derive(Clone)]
pub struct RerankHandle {
    queue: Queue<f32>,
    encoder: RerankEncoder,
}

impl EmbedHandle {
    /// Gives the model a thread of its own.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn start(embedder: Embedder, options: &WorkerOptions) -> Result<Self> {
        let facts = Facts {
            encoder: embedder.encoder().clone(),
            dimension: embedder.dimension(),
            max_tokens: embedder.max_tokens(),
            fingerprint: embedder.fingerprint().to_owned(),
        };
        Ok(Self { queue: start(embedder, "qwen3-embed", options)?, facts: Arc::new(facts) })
    }

    /// Unit vector of a query in the model's query form; goes before all documents. `instruction` replaces the
    /// default one.
    ///
    /// # Errors
    /// What went wrong with this query, [`Error::Closed`] if the thread is gone.
    pub fn embed_query(&self, query: &str, instruction: Option<&str>) -> Result<Vec<f32>> {
        let ids = self.facts.encoder.query(query, instruction)?;
        self.queue.submit(Lane::Urgent, vec![ids])?.wait()?.pop().ok_or(Error::Closed)
    }

    /// Unit vectors of documents, in order, once waited for. Blocks only for tokenising and while the queue is full.
    ///
    /// # Errors
    /// [`Error::Tokenize`], [`Error::Closed`].
    pub fn embed_documents<T: AsRef<str> + Sync>(&self, documents: &[T]) -> Result<Pending<Vec<f32>>> {
        self.queue.submit(Lane::Bulk, self.facts.encoder.documents(documents)?)
    }

    /// Values in each vector.
    pub fn dimension(&self) -> usize {
        self.facts.dimension
    }

    /// Longest text in tokens, EOS included; longer ones are cut.
    pub fn max_tokens(&self) -> usize {
        self.facts.max_tokens
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        self.facts.encoder.tokenizer()
    }

    /// Stable name of model, templates and dimension: see [`Embedder::fingerprint`].
    pub fn fingerprint(&self) -> &str {
        &self.facts.fingerprint
    }
}

impl RerankHandle {
    /// Gives the model a thread of its own.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn start(reranker: Reranker, options: &WorkerOptions) -> Result<Self> {
        let encoder = reranker.encoder().clone();
        Ok(Self { queue: start(reranker, "qwen3-rerank", options)?, encoder })
    }

    /// Scores between 0 and 1 of documents for a query, in order, once waited for.
    ///
    /// # Errors
    /// [`Error::Tokenize`], [`Error::Closed`].
    pub fn begin<T: AsRef<str> + Sync>(
        &self,
        query: &str,
        instruction: Option<&str>,
        documents: &[T],
    ) -> Result<Pending<f32>> {
        self.queue.submit(Lane::Bulk, self.encoder.prompts(query, instruction, documents)?)
    }

    /// [`RerankHandle::begin`], waited for.
    ///
    /// # Errors
    /// What went wrong with this request, [`Error::Closed`] if the thread is gone.
    pub fn score<T: AsRef<str> + Sync>(
        &self,
        query: &str,
        instruction: Option<&str>,
        documents: &[T],
    ) -> Result<Vec<f32>> {
        self.begin(query, instruction, documents)?.wait()
    }
}

impl Engine for Embedder {
    type Shared = ();
    type Output = Vec<f32>;

    fn share(&self, _: &[&[u32]]) -> Result<()> {
        Ok(())
    }

    fn compute(&self, (): &(), batch: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        self.embed_ids(batch)
    }
}

impl Engine for Reranker {
    type Shared = Prefix;
    type Output = f32;

    fn share(&self, sequences: &[&[u32]]) -> Result<Prefix> {
        self.shared_prefix(sequences)
    }

    fn compute(&self, prefix: &Prefix, batch: &[&[u32]]) -> Result<Vec<f32>> {
        self.score_ids(batch, prefix)
    }
}
