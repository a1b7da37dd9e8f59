//! Handles for callers: cheap, `Clone + Send + Sync` handles to a model thread. Texts become tokens in the caller's
//! thread (on all cores), so a bulk caller prepares its next request while the model computes the last.

use std::sync::Arc;

use super::{
    WorkerOptions, WorkerStats,
    cache::{Cache, Key},
    queue::{Lane, Pending, Queue},
    thread::{Engine, start},
};
use crate::{
    device::DeviceChoice,
    embedder::{EmbedEncoder, Embedder},
    error::{Error, Result},
    model::{Precision, Prefix},
    reranker::{RerankEncoder, Reranker},
    tokenizer::{Overlong, Tokenizer},
};

/// A handle to an embedding model's thread. The thread ends with the last handle.
#[derive(Clone)]
pub struct EmbedHandle {
    queue: Queue<Vec<f32>>,
    facts: Arc<Facts>,
    /// Vectors of queries. Documents are not kept here: storage never embeds a text twice.
    cache: Arc<Cache<Arc<[f32]>>>,
}

struct Facts {
    encoder: EmbedEncoder,
    dimension: usize,
    max_tokens: usize,
    fingerprint: String,
    kept: Kept,
}

/// How and where a model's weights are kept.
#[derive(Clone, Copy)]
struct Kept {
    precision: Precision,
    device: DeviceChoice,
}

/// A handle to a reranker's thread. The thread ends with the last handle.
#[derive(Clone)]
pub struct RerankHandle {
    queue: Queue<f32>,
    encoder: RerankEncoder,
    cache: Arc<Cache<f32>>,
    kept: Kept,
}

/// The vector of one query, on its way.
pub struct PendingQuery(State);

enum State {
    Known(Arc<[f32]>),
    Coming { pending: Pending<Vec<f32>>, key: Key, cache: Arc<Cache<Arc<[f32]>>> },
}

impl PendingQuery {
    /// Blocks until the vector is there.
    ///
    /// # Errors
    /// As [`EmbedHandle::embed_query`].
    pub fn wait(self) -> Result<Vec<f32>> {
        match self.0 {
            State::Known(vector) => Ok(vector.to_vec()),
            State::Coming { pending, key, cache } => {
                let vector = pending.wait()?.pop().ok_or(Error::Closed)?;
                cache.put(key, vector.as_slice().into());
                Ok(vector)
            }
        }
    }
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
            kept: Kept { precision: embedder.precision(), device: embedder.device() },
        };
        let cache = Arc::new(Cache::new(options.cache_bytes, facts.dimension * size_of::<f32>()));
        Ok(Self { queue: start(embedder, "qwen3-embed", options)?, facts: Arc::new(facts), cache })
    }

    /// Unit vector of a query in the model's query form; goes before all documents. `instruction` replaces the
    /// default one.
    ///
    /// # Errors
    /// What went wrong with this query, [`Error::Closed`] if the thread is gone.
    pub fn embed_query(&self, query: &str, instruction: Option<&str>) -> Result<Vec<f32>> {
        self.begin_query(query, instruction)?.wait()
    }

    /// [`EmbedHandle::embed_query`], begun: the model computes while the caller does something else.
    ///
    /// # Errors
    /// [`Error::Tokenize`], [`Error::Closed`].
    pub fn begin_query(&self, query: &str, instruction: Option<&str>) -> Result<PendingQuery> {
        self.begin_query_as(query, instruction, Overlong::CutEnd)
    }

    /// [`EmbedHandle::begin_query`] with a choice of what becomes of one that is too long.
    ///
    /// # Errors
    /// [`Error::Tokenize`], [`Error::TooLong`], [`Error::Closed`].
    pub fn begin_query_as(&self, query: &str, instruction: Option<&str>, overlong: Overlong) -> Result<PendingQuery> {
        let encode = || self.facts.encoder.query_as(query, instruction, overlong);
        // What is known may have been cut.
        let checked = (overlong == Overlong::Refuse).then(encode).transpose()?;
        let key = Key::of(instruction, &[&[query], beside(overlong)].concat());
        if let Some(vector) = self.cache.get(&key) {
            return Ok(PendingQuery(State::Known(vector)));
        }
        let ids = checked.map_or_else(encode, Ok)?;
        let pending = self.queue.submit(Lane::Urgent, vec![ids])?;
        Ok(PendingQuery(State::Coming { pending, key, cache: Arc::clone(&self.cache) }))
    }

    /// Unit vectors of documents, in order, once waited for. Blocks only for tokenising and while the queue is full.
    ///
    /// # Errors
    /// [`Error::Tokenize`], [`Error::Closed`].
    pub fn embed_documents<T: AsRef<str> + Sync>(&self, documents: &[T]) -> Result<Pending<Vec<f32>>> {
        self.embed_documents_in(Lane::Bulk, documents)
    }

    /// [`EmbedHandle::embed_documents`] in the lane of one's choice.
    ///
    /// # Errors
    /// As there.
    pub fn embed_documents_in<T: AsRef<str> + Sync>(&self, lane: Lane, documents: &[T]) -> Result<Pending<Vec<f32>>> {
        self.embed_documents_as(lane, documents, Overlong::CutEnd)
    }

    /// [`EmbedHandle::embed_documents_in`] with a choice of what becomes of a text that is too long.
    ///
    /// # Errors
    /// As there; [`Error::TooLong`].
    pub fn embed_documents_as<T: AsRef<str> + Sync>(
        &self,
        lane: Lane,
        documents: &[T],
        overlong: Overlong,
    ) -> Result<Pending<Vec<f32>>> {
        self.queue.submit(lane, self.facts.encoder.documents_as(documents, overlong)?)
    }

    /// Unit vectors of token ids of this model's own tokenizer, each sequence closed as a document would be: see
    /// [`EmbedEncoder::sequences`].
    ///
    /// # Errors
    /// [`Error::TokenId`] for an id that the model has no row for, [`Error::TooLong`], [`Error::Closed`].
    pub fn embed_ids_in(&self, lane: Lane, sequences: Vec<Vec<u32>>, overlong: Overlong) -> Result<Pending<Vec<f32>>> {
        self.queue.submit(lane, self.facts.encoder.sequences(sequences, overlong)?)
    }

    /// What the thread has done, and how often the cache answered.
    pub fn stats(&self) -> WorkerStats {
        with_cache(self.queue.stats(), &self.cache)
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

    /// How the weights are kept: never [`Precision::Auto`].
    pub fn precision(&self) -> Precision {
        self.facts.kept.precision
    }

    /// The processor that computes: never [`DeviceChoice::Auto`].
    pub fn device(&self) -> DeviceChoice {
        self.facts.kept.device
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
        let cache = Arc::new(Cache::new(options.cache_bytes, size_of::<f32>()));
        let kept = Kept { precision: reranker.precision(), device: reranker.device() };
        Ok(Self { queue: start(reranker, "qwen3-rerank", options)?, encoder, cache, kept })
    }

    /// How the weights are kept: never [`Precision::Auto`].
    pub fn precision(&self) -> Precision {
        self.kept.precision
    }

    /// The processor that computes: never [`DeviceChoice::Auto`].
    pub fn device(&self) -> DeviceChoice {
        self.kept.device
    }

    /// Scores between 0 and 1 of documents for a query, in order, once waited for; or as they come, see
    /// [`Pending::advance`]. Pairs that were scored before are not computed again.
    ///
    /// # Errors
    /// [`Error::Tokenize`], [`Error::Closed`].
    pub fn begin<T: AsRef<str> + Sync>(
        &self,
        query: &str,
        instruction: Option<&str>,
        documents: &[T],
    ) -> Result<Pending<f32>> {
        self.begin_as(query, instruction, documents, Overlong::CutEnd)
    }

    /// [`RerankHandle::begin`] with a choice of what becomes of a text that is too long.
    ///
    /// # Errors
    /// As there; [`Error::TooLong`].
    pub fn begin_as<T: AsRef<str> + Sync>(
        &self,
        query: &str,
        instruction: Option<&str>,
        documents: &[T],
        overlong: Overlong,
    ) -> Result<Pending<f32>> {
        if overlong == Overlong::Refuse {
            // Also those whose score is known: it may be of a text that was cut.
            self.encoder.prompts_as(query, instruction, documents, overlong)?;
        }
        let key = |document: &T| Key::of(instruction, &[&[query, document.as_ref()], beside(overlong)].concat());
        let keys: Vec<Key> = documents.iter().map(key).collect();
        let known: Vec<Option<f32>> = keys.iter().map(|key| self.cache.get(key)).collect();
        let is_new = |index: &usize| known[*index].is_none();
        let new: Vec<usize> = (0..documents.len()).filter(is_new).collect();
        let texts: Vec<&str> = new.iter().map(|index| documents[*index].as_ref()).collect();
        let pending = self.queue.submit(Lane::Bulk, self.encoder.prompts_as(query, instruction, &texts, overlong)?)?;
        let cache = Arc::clone(&self.cache);
        Ok(pending.with_known(known).on_output(move |index, score| cache.put(keys[new[index]], *score)))
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        self.encoder.tokenizer()
    }

    /// What the thread has done, and how often the cache answered.
    pub fn stats(&self) -> WorkerStats {
        with_cache(self.queue.stats(), &self.cache)
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

/// What an answer depends on beside its texts: two halves of a long one are not the same.
fn beside(overlong: Overlong) -> &'static [&'static str] {
    match overlong {
        Overlong::CutStart => &["its end"],
        Overlong::CutEnd | Overlong::Refuse => &[],
    }
}

fn with_cache<V: Clone>(stats: WorkerStats, cache: &Cache<V>) -> WorkerStats {
    let (cache_hits, cache_misses, cache_entries) = cache.counts();
    WorkerStats { cache_hits, cache_misses, cache_entries, ..stats }
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
