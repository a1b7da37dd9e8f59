//! The options of a run over a source.

use std::sync::Arc;

use extract::ExtractLimits;

use crate::access::FileAccess;
use crate::chunk::ChunkLimits;
use crate::dates::DateOrigin;
use crate::plan::Comparison;
use crate::reader::{FileReader, InProcess};
use crate::stop::Stop;
use crate::vanished::Vanished;
use crate::walk::WalkOptions;

/// When the vectors of documents are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VectorTiming {
    /// Before a document is committed: it is found by its words and its meaning at once.
    #[default]
    WithText,
    /// Afterwards, by [`Indexer::embed_backlog`](crate::Indexer::embed_backlog): it is found by its words meanwhile.
    Later,
}

/// How a run goes about it.
#[derive(Debug, Clone)]
pub struct IndexOptions {
    /// How to tell that a file has not changed.
    pub comparison: Comparison,
    /// Which files are seen.
    pub walk: WalkOptions,
    /// Who reads the files.
    pub reader: Arc<dyn FileReader>,
    /// Limits of extraction.
    pub extract: ExtractLimits,
    /// Sizes of chunks in tokens.
    pub chunk: ChunkLimits,
    /// What the times of the files are, where a document states no date of its own.
    pub dated: DateOrigin,
    /// Who may see the documents, as far as files say that; `None`: what was said before stays.
    pub access: Option<Arc<dyn FileAccess>>,
    /// What to do when every file of a source that has documents is gone.
    pub vanished: Vanished,
    /// When vectors are made.
    pub vectors: VectorTiming,
    /// Most documents of one commit.
    pub commit_documents: usize,
    /// Asked when the whole process is to end: a run then does not finish even what it has begun.
    pub stop: Stop,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self {
            comparison: Comparison::default(),
            walk: WalkOptions::default(),
            reader: Arc::new(InProcess),
            extract: ExtractLimits::default(),
            chunk: ChunkLimits::default(),
            dated: DateOrigin::default(),
            access: None,
            vanished: Vanished::default(),
            vectors: VectorTiming::default(),
            commit_documents: 2_000,
            stop: Stop::default(),
        }
    }
}
