//! Two texts that belong together, as the teacher reads them and as the small model does.

use lab::train::{Example, TextKind, Translation};
use serde::Serialize;

/// One of the two kinds of data.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum Lesson {
    /// A question and its answer: both read both.
    Pair(Example),
    /// The teacher reads the original alone, the small model its translation too (Reimers and Gurevych 2020, "Making
    /// monolingual sentence embeddings multilingual").
    Translation(Translation),
}

impl Lesson {
    /// What the small model reads.
    pub(super) fn read(&self) -> [&str; 2] {
        match self {
            Self::Pair(Example { query, response, .. }) => [query, response],
            Self::Translation(Translation { source, translation }) => [source, translation],
        }
    }

    /// What the teacher reads in place of each.
    pub(super) fn taught(&self) -> [(&str, TextKind); 2] {
        match self {
            Self::Pair(Example { query, response, .. }) => [(query, TextKind::Query), (response, TextKind::Document)],
            Self::Translation(Translation { source, .. }) => [(source, TextKind::Document); 2],
        }
    }
}
