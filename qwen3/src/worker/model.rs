//! What a handle stands before: a model that takes texts, wherever it computes. There are two of each kind, a model here behind its
//! thread ([`super::here`]) and one elsewhere behind an endpoint; nobody beyond the handles can tell them apart but by asking.

use super::{
    WorkerStats,
    queue::{Lane, Pending},
};
use crate::{
    error::{Error, Result},
    place::Place,
    ruler::Ruler,
    tokenizer::Overlong,
};

/// A model that gives texts unit vectors.
pub trait EmbedModel: Send + Sync {
    /// Begins with the vector of a query, in the model's query form. `instruction` replaces the default one.
    ///
    /// # Errors
    /// What is wrong with the query, or with the model already.
    fn query(&self, query: &str, instruction: Option<&str>, overlong: Overlong) -> Result<Pending<Vec<f32>>>;

    /// Refuses a query that would have to be cut.
    ///
    /// # Errors
    /// [`Error::TooLong`].
    fn holds_query(&self, query: &str, instruction: Option<&str>) -> Result<()>;

    /// Begins with the vectors of documents, in order.
    ///
    /// # Errors
    /// What is wrong with a document, or with the model already.
    fn documents(&self, lane: Lane, documents: &[&str], overlong: Overlong) -> Result<Pending<Vec<f32>>>;

    /// Begins with the vectors of token ids of the model's own tokenizer.
    ///
    /// # Errors
    /// [`Error::NoTokens`] where that is not known; what is wrong with an id.
    fn sequences(&self, _: Lane, _: Vec<Vec<u32>>, _: Overlong) -> Result<Pending<Vec<f32>>> {
        Err(Error::NoTokens)
    }

    /// Values in each vector.
    fn dimension(&self) -> usize;

    /// Longest text in tokens.
    fn max_tokens(&self) -> usize;

    /// Stable name of the model and the form of its texts: vectors of different fingerprints do not compare.
    fn fingerprint(&self) -> &str;

    /// How long texts are.
    fn ruler(&self) -> &Ruler;

    /// Where it computes.
    fn place(&self) -> Place;

    /// What it has done. Its handle counts what came from memory.
    fn stats(&self) -> WorkerStats;
}

/// A model that says how well documents answer a query, from 0 to 1.
pub trait RerankModel: Send + Sync {
    /// Begins with the scores of documents, in order.
    ///
    /// # Errors
    /// What is wrong with a text, or with the model already.
    fn scores(
        &self,
        query: &str,
        instruction: Option<&str>,
        documents: &[&str],
        overlong: Overlong,
    ) -> Result<Pending<f32>>;

    /// Refuses texts that would have to be cut.
    ///
    /// # Errors
    /// [`Error::TooLong`].
    fn holds(&self, query: &str, instruction: Option<&str>, documents: &[&str]) -> Result<()>;

    /// Whether an instruction reaches the model: without one, it judges whether a passage is relevant, and nothing else.
    fn follows_instructions(&self) -> bool {
        true
    }

    /// How long texts are.
    fn ruler(&self) -> &Ruler;

    /// Where it computes.
    fn place(&self) -> Place;

    /// What it has done. Its handle counts what came from memory.
    fn stats(&self) -> WorkerStats;
}
