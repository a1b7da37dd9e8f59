//! Handles for callers: cheap, `Clone + Send + Sync` handles to a model, here or elsewhere, with a memory of what was asked before.

use std::sync::Arc;

use super::{
    WorkerOptions, WorkerStats,
    cache::{Cache, Key},
    here::{EmbedHere, RerankHere},
    model::{EmbedModel, RerankModel},
    queue::{Lane, Pending},
};
use crate::{
    embedder::Embedder,
    error::{Error, Result},
    place::{Elsewhere, Place},
    reranker::Reranker,
    ruler::Ruler,
    tokenizer::Overlong,
};

/// A handle to an embedding model. The model's thread, or what asks elsewhere, ends with the last handle.
#[derive(Clone)]
pub struct EmbedHandle {
    model: Arc<dyn EmbedModel>,
    /// Vectors of queries. Documents are not kept here: storage never embeds a text twice.
    cache: Arc<Cache<Arc<[f32]>>>,
}

/// A handle to a reranker. The model's thread, or what asks elsewhere, ends with the last handle.
#[derive(Clone)]
pub struct RerankHandle {
    model: Arc<dyn RerankModel>,
    cache: Arc<Cache<f32>>,
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
        Ok(Self::of(Arc::new(EmbedHere::start(embedder, options)?), options))
    }

    /// A handle to a model, wherever it computes.
    pub fn of(model: Arc<dyn EmbedModel>, options: &WorkerOptions) -> Self {
        let cache = Arc::new(Cache::new(options.cache_bytes, model.dimension() * size_of::<f32>()));
        Self { model, cache }
    }

    /// Unit vector of a query in the model's query form; goes before all documents. `instruction` replaces the
    /// default one.
    ///
    /// # Errors
    /// What went wrong with this query, [`Error::Closed`] if the thread is gone; [`Error::is_elsewhere`] where the model is.
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
        if overlong == Overlong::Refuse {
            // What is known may have been cut.
            self.model.holds_query(query, instruction)?;
        }
        let key = Key::of(instruction, &[&[query], beside(overlong)].concat());
        if let Some(vector) = self.cache.get(&key) {
            return Ok(PendingQuery(State::Known(vector)));
        }
        let pending = self.model.query(query, instruction, overlong)?;
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
        self.model.documents(lane, &texts(documents), overlong)
    }

    /// Unit vectors of token ids of this model's own tokenizer, each sequence closed as a document would be: see
    /// [`EmbedEncoder::sequences`](crate::EmbedEncoder::sequences).
    ///
    /// # Errors
    /// [`Error::TokenId`] for an id that the model has no row for, [`Error::TooLong`], [`Error::Closed`]; [`Error::NoTokens`] of a
    /// model elsewhere.
    pub fn embed_ids_in(&self, lane: Lane, sequences: Vec<Vec<u32>>, overlong: Overlong) -> Result<Pending<Vec<f32>>> {
        self.model.sequences(lane, sequences, overlong)
    }

    /// What the model has done, and how often the cache answered.
    pub fn stats(&self) -> WorkerStats {
        with_cache(self.model.stats(), &self.cache)
    }

    /// Values in each vector.
    pub fn dimension(&self) -> usize {
        self.model.dimension()
    }

    /// Longest text in tokens, EOS included; longer ones are cut.
    pub fn max_tokens(&self) -> usize {
        self.model.max_tokens()
    }

    /// How long texts are to the model.
    pub fn ruler(&self) -> &Ruler {
        self.model.ruler()
    }

    /// Where the model computes.
    pub fn place(&self) -> Place {
        self.model.place()
    }

    /// Where it computes elsewhere, and how it fares there.
    pub fn elsewhere(&self) -> Option<Elsewhere> {
        elsewhere(self.place())
    }

    /// Stable name of model, templates and dimension: see [`Embedder::fingerprint`].
    pub fn fingerprint(&self) -> &str {
        self.model.fingerprint()
    }
}

impl RerankHandle {
    /// Gives the model a thread of its own.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn start(reranker: Reranker, options: &WorkerOptions) -> Result<Self> {
        Ok(Self::of(Arc::new(RerankHere::start(reranker, options)?), options))
    }

    /// A handle to a model, wherever it computes.
    pub fn of(model: Arc<dyn RerankModel>, options: &WorkerOptions) -> Self {
        Self { model, cache: Arc::new(Cache::new(options.cache_bytes, size_of::<f32>())) }
    }

    /// Scores between 0 and 1 of documents for a query, in order, once waited for; or as they come, see
    /// [`Pending::advance`]. Pairs that were scored before are not computed again.
    ///
    /// # Errors
    /// [`Error::Tokenize`], [`Error::Closed`]; [`Error::is_elsewhere`] where the model is.
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
            self.model.holds(query, instruction, &texts(documents))?;
        }
        let key = |document: &T| Key::of(instruction, &[&[query, document.as_ref()], beside(overlong)].concat());
        let keys: Vec<Key> = documents.iter().map(key).collect();
        let known: Vec<Option<f32>> = keys.iter().map(|key| self.cache.get(key)).collect();
        let is_new = |index: &usize| known[*index].is_none();
        let new: Vec<usize> = (0..documents.len()).filter(is_new).collect();
        let texts: Vec<&str> = new.iter().map(|index| documents[*index].as_ref()).collect();
        let pending = self.model.scores(query, instruction, &texts, overlong)?;
        let cache = Arc::clone(&self.cache);
        Ok(pending.with_known(known).on_output(move |index, score| cache.put(keys[new[index]], *score)))
    }

    /// Whether an instruction reaches the model.
    pub fn follows_instructions(&self) -> bool {
        self.model.follows_instructions()
    }

    /// How long texts are to the model.
    pub fn ruler(&self) -> &Ruler {
        self.model.ruler()
    }

    /// Where the model computes.
    pub fn place(&self) -> Place {
        self.model.place()
    }

    /// Where it computes elsewhere, and how it fares there.
    pub fn elsewhere(&self) -> Option<Elsewhere> {
        elsewhere(self.place())
    }

    /// What the model has done, and how often the cache answered.
    pub fn stats(&self) -> WorkerStats {
        with_cache(self.model.stats(), &self.cache)
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

fn texts<T: AsRef<str>>(texts: &[T]) -> Vec<&str> {
    texts.iter().map(AsRef::as_ref).collect()
}

fn elsewhere(place: Place) -> Option<Elsewhere> {
    match place {
        Place::Here { .. } => None,
        Place::Elsewhere(elsewhere) => Some(elsewhere),
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
