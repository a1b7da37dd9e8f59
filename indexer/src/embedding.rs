//! Texts that are with the model.

use std::time::Instant;

use qwen3::{Arrival, EmbedHandle, Error, Lane, Pending};

pub(crate) struct Embedding(Pending<Vec<f32>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    Complete,
    UnderWay,
    #[allow(dead_code, reason = "comes with models elsewhere")]
    Away,
}

impl Embedding {
    pub(crate) fn begin(embedder: &EmbedHandle, lane: Lane, texts: Vec<String>) -> Result<Self, Error> {
        Ok(Self(embedder.embed_documents_in(lane, &texts)?))
    }

    pub(crate) fn advance(&mut self, _: &EmbedHandle, deadline: Instant) -> Result<Course, Error> {
        Ok(match self.0.advance_until(deadline)? {
            Arrival::Complete => Course::Complete,
            Arrival::More | Arrival::Late => Course::UnderWay,
        })
    }

    pub(crate) fn tokens(&self) -> usize {
        self.0.tokens()
    }

    pub(crate) fn arrived(&self) -> usize {
        self.0.outputs().iter().flatten().count()
    }

    pub(crate) fn into_outputs(self) -> Vec<Option<Vec<f32>>> {
        self.0.outputs().to_vec()
    }
}
