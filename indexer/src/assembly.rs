//! A batch in the making: documents that are committed together, and the texts that have to be embedded for them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use storage::{ChunkDraft, ContentKey};

use crate::chunk::ChunkText;
use crate::prepare::Prepared;

/// Longest a batch waits for slow files before it is closed.
const BATCH_AGE: Duration = Duration::from_secs(5);

/// What came of a batch that was with the model.
pub(crate) enum Embedded {
    /// The vectors of all its texts, or why there are none.
    Whole(Result<Vec<Vec<f32>>, qwen3::Error>),
    /// The same, after the model was away: how long it took says nothing of its speed.
    Late(Result<Vec<Vec<f32>>, qwen3::Error>),
    /// The run was stopped; what was there is kept.
    Stopped,
}

/// A batch in the making.
#[derive(Default)]
pub(crate) struct Assembly {
    pub(crate) prepared: Vec<Prepared>,
    /// Contents to embed, each once.
    pub(crate) texts: Vec<String>,
    pub(crate) keys: HashMap<ContentKey, usize>,
    pub(crate) tokens: u64,
    pub(crate) opened: Option<Instant>,
}

impl Assembly {
    /// Whether it is time to hand it to the model.
    pub(crate) fn is_full(&self, tokens: u64, documents: usize) -> bool {
        self.tokens >= tokens
            || self.prepared.len() >= documents.max(1)
            || self.opened.is_some_and(|opened| opened.elapsed() >= BATCH_AGE)
    }
}

/// The chunks of a document with their vectors, as far as these are new.
pub(crate) fn drafts(chunks: Vec<ChunkText>, known: &HashMap<ContentKey, Vec<f32>>) -> Vec<ChunkDraft> {
    let draft = |chunk: ChunkText| {
        let ChunkText { text, headings, span, lines, place, blocks, key } = chunk;
        let span = span.start as u64..span.end as u64;
        ChunkDraft { headings, text, span, lines, place, blocks, vector: known.get(&key).cloned(), key }
    };
    chunks.into_iter().map(draft).collect()
}
