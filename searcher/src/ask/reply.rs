//! The reply to a question: sentences of the documents with their sources, or that the documents do not answer.

use std::ops::Range;

use serde::Serialize;
use storage::Passage;

use crate::answer::{DocumentHit, Timings};
use crate::answerable::Answerable;
use crate::proof::Flaw;
use crate::shape;

/// Whether a question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// There is an answer.
    Answered,
    /// The documents do not seem to answer, or not surely enough to say so.
    Unanswered,
}

/// What is said to a question.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reply {
    /// The question as it was asked of the index: completed by the one before it, if it needed that.
    pub question: String,
    /// Whether it is another one than was sent.
    pub is_rewritten: bool,
    /// Whether it was answered.
    pub outcome: Outcome,
    /// Who wrote the sentences: `extractive` for the documents themselves, or the name of a model.
    pub writer: String,
    /// The answer, sentence by sentence; empty where there is none.
    pub sentences: Vec<CitedSentence>,
    /// The passages that sentences are from, in the order in which they are cited.
    pub citations: Vec<Citation>,
    /// What a model wrote and could not be proved, with the reason: not a part of the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub struck: Vec<StruckSentence>,
    /// What has to be known of how the answer came about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<ReplyNote>,
    /// The documents that come closest, where there is no answer; at most three.
    pub closest: Vec<ClosestDocument>,
    /// How likely something in the index answers; absent where that was not judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answerable: Option<Answerable>,
    /// Time per stage of the search.
    pub timings: Timings,
    /// Number of the commit that was asked.
    pub generation: u64,
}

/// A sentence of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CitedSentence {
    /// The sentence, the item of a list or the row of a table, word by word as the document has it; or a sentence of a model,
    /// whose evidence is what is quoted of the citations.
    pub text: String,
    /// What has to be read with it: the header of its table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Numbers of the citations that it is from, from 1.
    pub citations: Vec<usize>,
    /// The probability that it answers, 0 to 1; of a model's sentence, that what it cites supports it, where a reranker says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<f64>,
}

/// A sentence of a model that was not proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StruckSentence {
    /// The sentence.
    pub text: String,
    /// Why it is not shown as true.
    #[serde(flatten)]
    pub flaw: Flaw,
}

/// What has to be known of how an answer came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum ReplyNote {
    /// The writer gave no answer, or broke off.
    WriterFailed,
    /// Too little of what the writer wrote was proved: these are sentences of the documents.
    Unproved,
    /// The writer was cut at its greatest length.
    Cut,
    /// The writer began to repeat itself, and was cut.
    Repeated,
    /// Not all passages could be compared by meaning: vectors are still to come, or their model is away.
    MeaningLacks,
    /// The writer had no room for all passages.
    PassagesLeftOut {
        /// How many it did not read.
        passages: usize,
    },
}

/// A passage that is cited.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Citation {
    /// Its number, from 1.
    pub number: usize,
    /// Id of the document.
    pub id: String,
    /// Name of its source.
    pub source: String,
    /// Path below the source's root.
    pub path: String,
    /// Its title.
    pub title: String,
    /// Its address in the system that it comes from, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Number of the passage in the document, from 0.
    pub passage: u32,
    /// Headings above it, outermost first.
    pub headings: Vec<String>,
    /// Lines of the file, from 1, end excluded.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub lines: Range<u32>,
    /// Page, slide, cells or mail that it begins on, for formats that have them.
    #[serde(serialize_with = "shape::place")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<shape::PlaceView>))]
    pub place: Option<storage::Place>,
    /// The whole passage.
    pub text: String,
    /// Bytes of `text` that are quoted, in order.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub quotes: Vec<Range<usize>>,
}

/// A document that comes close.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClosestDocument {
    /// Id of the document.
    pub id: String,
    /// Name of its source.
    pub source: String,
    /// Path below the source's root.
    pub path: String,
    /// Its title.
    pub title: String,
    /// The passage that comes closest, from 0.
    pub passage: u32,
}

impl Citation {
    /// A passage of which nothing is quoted yet, without a number.
    pub(super) fn of(passage: Passage) -> Self {
        let Passage { document_id, number, document, chunk } = passage;
        Self {
            number: 0,
            id: document_id.to_string(),
            source: document.source,
            path: document.path,
            title: document.title,
            url: None,
            passage: number,
            headings: chunk.headings,
            lines: chunk.lines,
            place: chunk.place,
            text: chunk.text,
            quotes: Vec::new(),
        }
    }
}

impl ClosestDocument {
    pub(super) fn of(hit: &DocumentHit) -> Self {
        let DocumentHit { id, source, path, title, passages, .. } = hit;
        let passage = passages.first().map_or(0, |passage| passage.number);
        Self { id: id.clone(), source: source.clone(), path: path.clone(), title: title.clone(), passage }
    }
}
