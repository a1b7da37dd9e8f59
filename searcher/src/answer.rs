//! The answer of a search: the shape of the REST API and of `quarry search --json`.

use std::ops::Range;
use std::time::Duration;

use serde::Serialize;
use storage::{Document, DocumentId};

use crate::answerable::Answerable;
use crate::correction::Spelling;
use crate::facet::FacetCounts;
use crate::fuse::Place;
use crate::query::{Note, ParsedQuery};
use crate::rerank::RerankState;
use crate::shape;
use crate::synonyms::Expansion;
use crate::weighing::Effect;

/// The whole result of a search.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Answer {
    /// What was searched for: the words of the query without its operators.
    pub query: String,
    /// Documents, best first.
    pub results: Vec<DocumentHit>,
    /// Results on all pages: the same for every page of a commit.
    pub total: usize,
    /// What to give as `cursor` for the page behind this one, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Candidates the reranker scored; 0 if it did not run.
    pub reranked: usize,
    /// Candidates it may read for this request.
    pub rerank_depth: usize,
    /// Why it went no further.
    pub rerank_state: RerankState,
    /// Whether something answers; absent where that was not judged. Where it is `unlikely`, only the closest are in `results`,
    /// three at most, and none where not even a word of the query is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answerable: Option<Answerable>,
    /// Time per stage.
    pub timings: Timings,
    /// Number of the commit that was searched.
    pub generation: u64,
    /// Remarks for the user: what of the query was not understood as syntax.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub notes: Vec<Note>,
    /// What of the query was taken for a slip, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spelling: Option<Spelling>,
    /// What was looked for beside words of the query: their synonyms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expanded: Vec<Expansion>,
    /// How many of the documents in `total` are filed under what, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facets: Option<FacetCounts>,
    /// How the query was understood, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub understood: Option<ParsedQuery>,
}

/// A document with its best passages.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DocumentHit {
    /// Stable id of the document.
    pub id: String,
    /// Name of its source.
    pub source: String,
    /// Path below the source's root.
    pub path: String,
    /// Title.
    pub title: String,
    /// Type: `markdown`, `html`, ...
    pub kind: String,
    /// ISO 639-1 code of its language.
    pub language: Option<String>,
    /// Last change, seconds of Unix time.
    pub modified: i64,
    /// Where that date comes from: `mail`, `front-matter`, `document`, `git`, `file`, `pushed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_from: Option<String>,
    /// Its address in the system that it comes from, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What the order is by: the best passages' scores together; comparable within one answer only.
    pub score: f64,
    /// What else its place is by: what it is, and what rules of the ranking say of it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub effects: Vec<Effect>,
    /// Its best passages, best first.
    pub passages: Vec<PassageHit>,
    /// Other documents with almost the same text, newest first; this one is the newest.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub copies: Vec<DocumentCopy>,
}

/// A passage that was found.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PassageHit {
    /// Place in the document, from 0.
    pub number: u32,
    /// Headings above it, outermost first.
    pub headings: Vec<String>,
    /// Lines of the file, from 1, end excluded.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub lines: Range<u32>,
    /// Number of the page, slide or sheet, from 1, for formats that have them; `place` says which.
    pub page: Option<u32>,
    /// Page, slide, cells or mail that it begins on, for formats that have them.
    #[serde(serialize_with = "shape::place")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<shape::PlaceView>))]
    pub place: Option<storage::Place>,
    /// The whole passage.
    pub text: String,
    /// The parts of `text`, in order.
    #[serde(serialize_with = "shape::blocks")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<shape::BlockView>))]
    pub blocks: Vec<storage::Block>,
    /// The heading within `text` that `snippet` stands below, where that is not the last of `headings`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// The part of it to show.
    pub snippet: String,
    /// Byte of `text` where `snippet` begins.
    pub snippet_start: usize,
    /// Bytes of `snippet` that are marked.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub highlights: Vec<Range<usize>>,
    /// What is marked there.
    pub marked: Marked,
    /// The score the order is by.
    pub score: f64,
    /// Rank and BM25 score by the lexical retriever.
    pub lexical: Option<Place>,
    /// Rank and cosine by the vector retriever.
    pub vector: Option<Place>,
    /// Probability of relevance by the reranker.
    pub reranker: Option<f32>,
}

/// Another document with almost the same text as the one that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DocumentCopy {
    /// Stable id of the document.
    pub id: String,
    /// Name of its source.
    pub source: String,
    /// Path below the source's root.
    pub path: String,
    /// Title.
    pub title: String,
    /// Last change, seconds of Unix time.
    pub modified: i64,
}

impl DocumentCopy {
    pub(crate) fn of(id: DocumentId, document: Document) -> Self {
        let Document { source, path, title, modified, .. } = document;
        Self { id: id.to_string(), source, path, title, modified }
    }
}

/// What the marks of a snippet stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Marked {
    /// There are none.
    #[default]
    Nothing,
    /// Words of the query.
    Words,
    /// The sentence nearest to the query in meaning: no word of it stands there.
    Sentence,
}

/// Milliseconds per stage. The two retrievers run side by side, so the total is less than the sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Timings {
    /// Parsing and analysing the query.
    pub plan_ms: f64,
    /// BM25 over the lexical index.
    pub lexical_ms: f64,
    /// Embedding of the query.
    pub embed_ms: f64,
    /// Nearest vectors.
    pub vector_ms: f64,
    /// Fusion.
    pub fuse_ms: f64,
    /// Reranking.
    pub rerank_ms: f64,
    /// Cutting passages and marking what answers in them.
    pub highlight_ms: f64,
    /// Everything.
    pub total_ms: f64,
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
