//! What tools give: the shapes that deep-research connectors expect, and our own, in which every document has a link.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use searcher::{
    Answer, Answerable, Citation, CitedSentence, ClosestDocument, DocumentHit, Note, Outcome, PassageHit, PlaceView,
    Reply, Spelling,
};
use serde::Serialize;
use storage::{Document, IndexTotals, PageType, Passage, Source};
use utoipa::ToSchema;

use super::super::place::Place;
use super::super::text::{MAX_TEXT, Text};

/// What `search` gives.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SearchResults {
    /// Documents, best first.
    results: Vec<FoundDocument>,
}

/// A document that was found.
#[derive(Debug, Serialize, ToSchema)]
struct FoundDocument {
    /// Its id, for `fetch`.
    id: String,
    /// Its title.
    title: String,
    /// Where it can be opened.
    url: String,
}

impl SearchResults {
    pub(super) fn of(answer: Answer, place: &Place) -> Self {
        let found = |hit: DocumentHit| {
            let url = place.of_document(&hit.id, hit.url.as_deref());
            FoundDocument { id: hit.id, title: hit.title, url }
        };
        Self { results: answer.results.into_iter().map(found).collect() }
    }
}

/// What `fetch` gives.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FetchedDocument {
    /// Its id.
    id: String,
    /// Its title.
    title: String,
    /// Its text, with the headings as Markdown writes them.
    text: String,
    /// Where it can be opened.
    url: String,
    /// Facts about it: source, path, type, language, modified, and what it says of itself. Where its text was too long to be
    /// given whole, `truncated` says how much was.
    metadata: BTreeMap<String, String>,
}

impl FetchedDocument {
    /// `None` of nothing. `own` is its address in the system that it comes from.
    pub(super) fn of(passages: Vec<Passage>, own: Option<String>, place: &Place) -> Option<Self> {
        let text = Text::of(&passages, MAX_TEXT);
        let Passage { document_id, document, .. } = passages.into_iter().next()?;
        let id = document_id.to_string();
        let url = place.of_document(&id, own.as_deref());
        let title = document.title.clone();
        let mut metadata = facts(document);
        metadata.extend(own.map(|own| ("origin".to_owned(), own)));
        if !text.is_whole() {
            metadata.insert(
                "truncated".to_owned(),
                format!(
                    "{} of {} passages are in the text; search_passages finds what stands in the others",
                    text.given, text.total
                ),
            );
        }
        Some(Self { id, title, text: text.text, url, metadata })
    }
}

fn facts(document: Document) -> BTreeMap<String, String> {
    let Document { source, path, kind, language, modified, mut metadata, .. } = document;
    metadata.remove(PageType::KEY);
    let own = [("source", source), ("path", path), ("type", kind), ("modified", moment(modified))];
    metadata.extend(own.map(|(name, value)| (name.to_owned(), value)));
    metadata.extend(language.map(|language| ("language".to_owned(), language)));
    metadata
}

/// A second of Unix time, as RFC 3339 writes it.
fn moment(second: i64) -> String {
    Timestamp::from_second(second).map(|moment| moment.to_string()).unwrap_or_default()
}

/// What `search_passages` gives.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PassageResults {
    /// What was searched for: the words of the query without its operators.
    query: String,
    /// Documents, best first, each with its best passages.
    results: Vec<DocumentPassages>,
    /// Documents on all pages.
    total: usize,
    /// What to give as `cursor` for more, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Whether something answers. Where it is `unlikely`, only the closest documents are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    answerable: Option<Answerable>,
    /// What of the query was taken for a slip, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    spelling: Option<Spelling>,
    /// What of the query was not understood.
    #[schema(value_type = Vec<String>)]
    notes: Vec<Note>,
}

impl PassageResults {
    pub(super) fn of(answer: Answer, place: &Place) -> Self {
        let Answer { query, results, total, next, answerable, spelling, notes, .. } = answer;
        let results = results.into_iter().map(|hit| DocumentPassages::of(hit, place)).collect();
        Self { query, results, total, next, answerable, spelling, notes }
    }
}

/// What `similar` gives.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SimilarResults {
    /// Documents, nearest first, each with the passages that are nearest.
    results: Vec<DocumentPassages>,
}

impl SimilarResults {
    pub(super) fn of(answer: Answer, place: &Place) -> Self {
        Self { results: answer.results.into_iter().map(|hit| DocumentPassages::of(hit, place)).collect() }
    }
}

/// A document with passages of it.
#[derive(Debug, Serialize, ToSchema)]
struct DocumentPassages {
    /// Its id.
    id: String,
    /// Its title.
    title: String,
    /// Where it can be opened.
    url: String,
    /// Name of its source.
    source: String,
    /// Path below the source's root.
    path: String,
    /// Type: markdown, pdf, ...
    kind: String,
    /// ISO 639-1 code of its language.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// Last change, as RFC 3339 writes it.
    modified: String,
    /// What the order is by; comparable within one answer only.
    score: f64,
    /// Its best passages, best first.
    passages: Vec<FoundPassage>,
    /// How many other documents have almost the same text.
    copies: usize,
}

/// A passage that was found.
#[derive(Debug, Serialize, ToSchema)]
struct FoundPassage {
    /// Place in the document, from 0.
    number: u32,
    /// Where it can be opened.
    url: String,
    /// Headings above it, outermost first.
    headings: Vec<String>,
    /// Its text.
    text: String,
    /// Lines of the file.
    lines: LineRange,
    /// Page, slide, cells or mail that it begins on, for formats that have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceView>,
    /// What the order is by.
    score: f64,
}

/// Lines of a file, from 1.
#[derive(Debug, Serialize, ToSchema)]
struct LineRange {
    /// The first.
    start: u32,
    /// The one behind the last.
    end: u32,
}

impl From<Range<u32>> for LineRange {
    fn from(lines: Range<u32>) -> Self {
        Self { start: lines.start, end: lines.end }
    }
}

impl DocumentPassages {
    fn of(hit: DocumentHit, place: &Place) -> Self {
        let DocumentHit {
            id, source, path, title, kind, language, modified, url: own, score, passages, copies, ..
        } = hit;
        let passage = |hit: PassageHit| FoundPassage {
            number: hit.number,
            url: place.of_passage(&id, hit.number, own.as_deref()),
            headings: hit.headings,
            text: hit.text,
            lines: hit.lines.into(),
            place: hit.place.as_ref().map(PlaceView::from),
            score: hit.score,
        };
        Self {
            url: place.of_document(&id, own.as_deref()),
            passages: passages.into_iter().map(passage).collect(),
            id,
            title,
            source,
            path,
            kind,
            language,
            modified: moment(modified),
            score,
            copies: copies.len(),
        }
    }
}

/// What `list_sources` gives.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SourceRows {
    /// The folders and collections that are searched.
    sources: Vec<SourceRow>,
}

/// A source.
#[derive(Debug, Serialize, ToSchema)]
struct SourceRow {
    /// Its name, as filters take it.
    name: String,
    /// Documents that can be found.
    documents: u64,
    /// Passages that they consist of.
    passages: u64,
}

impl SourceRows {
    pub(super) fn of(sources: &[&Source], totals: &IndexTotals) -> Self {
        let row = |source: &&Source| {
            let of = totals.source(&source.name);
            SourceRow { name: source.name.clone(), documents: of.documents, passages: of.chunks }
        };
        Self { sources: sources.iter().map(row).collect() }
    }
}

/// What `answer` gives.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QuotedAnswer {
    /// The question as it was searched for.
    question: String,
    /// `answered`, or `unanswered`: then nothing is quoted.
    outcome: Outcome,
    /// Sentences of the documents, word by word.
    sentences: Vec<CitedSentence>,
    /// The passages that they are from.
    citations: Vec<QuotedPassage>,
    /// The documents that come closest, where there is no answer.
    closest: Vec<CloseDocument>,
    /// How likely something in the documents answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    answerable: Option<Answerable>,
}

/// A passage that is quoted.
#[derive(Debug, Serialize, ToSchema)]
struct QuotedPassage {
    /// Its number, as sentences have it in `citations`.
    number: usize,
    /// Id of the document.
    id: String,
    /// Its title.
    title: String,
    /// Where the passage can be opened.
    url: String,
    /// Name of its source.
    source: String,
    /// Path below the source's root.
    path: String,
    /// Number of the passage in the document, from 0.
    passage: u32,
    /// Headings above it, outermost first.
    headings: Vec<String>,
    /// Lines of the file.
    lines: LineRange,
    /// Page, slide, cells or mail that it begins on, for formats that have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceView>,
    /// The whole passage.
    text: String,
}

/// A document that comes close.
#[derive(Debug, Serialize, ToSchema)]
struct CloseDocument {
    /// Its id.
    id: String,
    /// Its title.
    title: String,
    /// Name of its source.
    source: String,
    /// Path below the source's root.
    path: String,
    /// The passage that comes closest, from 0.
    passage: u32,
}

impl QuotedAnswer {
    pub(super) fn of(reply: Reply, place: &Place) -> Self {
        let Reply { question, outcome, sentences, citations, closest, answerable, .. } = reply;
        let quoted = |citation: Citation| QuotedPassage {
            url: place.of_passage(&citation.id, citation.passage, citation.url.as_deref()),
            number: citation.number,
            id: citation.id,
            title: citation.title,
            source: citation.source,
            path: citation.path,
            passage: citation.passage,
            headings: citation.headings,
            lines: citation.lines.into(),
            place: citation.place.as_ref().map(PlaceView::from),
            text: citation.text,
        };
        let close =
            |ClosestDocument { id, source, path, title, passage }| CloseDocument { id, title, source, path, passage };
        let citations = citations.into_iter().map(quoted).collect();
        Self { question, outcome, sentences, citations, closest: closest.into_iter().map(close).collect(), answerable }
    }
}
