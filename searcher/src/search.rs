//! One search from query text to answer.

use std::ops::{Deref, Range};
use std::time::Duration;

use qwen3::{EmbedHandle, RerankHandle};
use storage::{Filter, Passage, PassageRef, Place, Snapshot};

use crate::answer::{Answer, DocumentHit, Marked, PassageHit};
use crate::config::SearchConfig;
use crate::copies::{Copies, DocumentCopy};
use crate::error::SearchError;
use crate::marks::Marker;
use crate::query::ParsedQuery;
use crate::ranking::Ranking;
use crate::recall::{self, LEXICAL, Recalled, VECTOR};
use crate::rerank::Ranked;

/// Most documents one answer holds; deeper pages cost more than they are worth.
pub const MAX_RESULTS: usize = 1000;

/// Passages recalled for each document that is asked for, since several may belong to one.
const PASSAGES_PER_RESULT: usize = 5;

/// Which legs recall candidates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Both, fused.
    #[default]
    Hybrid,
    /// BM25 alone.
    Lexical,
    /// Vectors alone.
    Semantic,
}

/// How far the reranker goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rerank {
    /// As far as the configuration says, if there is a reranker.
    #[default]
    Configured,
    /// Not at all.
    Off,
    /// As far as a budget allows.
    Within(RerankBudget),
}

/// What reranking may cost; `None` leaves it to the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RerankBudget {
    /// Candidates to read at the most.
    pub candidates: Option<usize>,
    /// Time from the beginning of the search.
    pub time: Option<Duration>,
}

/// How the query is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Syntax {
    /// As [`ParsedQuery::parse`] does: phrases, exclusions, filters.
    #[default]
    Operators,
    /// As words alone: for questions that were not written in the query language.
    Plain,
}

/// Whether the documents found are counted by what they are filed under.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Counting {
    /// They are not.
    #[default]
    Off,
    /// By source, type, language and year.
    Facets,
}

/// What is marked in the passages found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Marking {
    /// Words of the query.
    #[default]
    Words,
    /// Where no word of the query stands, the sentence nearest to it in meaning: for people, as it costs the model more
    /// than the search does.
    Sentences,
}

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SearchRequest {
    /// The query.
    pub query: String,
    /// How it is read.
    pub syntax: Syntax,
    /// Documents to return.
    pub top: usize,
    /// Documents to skip.
    pub offset: usize,
    /// Which legs recall.
    pub mode: Mode,
    /// How far to rerank.
    pub rerank: Rerank,
    /// What the model is told to look for, instead of its default instruction.
    pub instruct: Option<String>,
    /// Restrictions beside those in the query.
    pub filter: Filter,
    /// Whether facets are counted.
    pub counting: Counting,
    /// Whether near-duplicates are one result.
    pub copies: Copies,
    /// What is marked.
    pub marking: Marking,
}

/// Answers queries on snapshots. Cheap to clone.
#[derive(Clone)]
pub struct Searcher {
    pub(crate) embedder: EmbedHandle,
    pub(crate) reranker: Option<RerankHandle>,
    pub(crate) config: SearchConfig,
}

impl Searcher {
    /// A searcher with a model for queries, and one for reranking if there is any.
    pub fn new(embedder: EmbedHandle, reranker: Option<RerankHandle>, config: SearchConfig) -> Self {
        Self { embedder, reranker, config }
    }

    /// Answers a request on a snapshot, reranked as far as the request and the configuration say.
    ///
    /// # Errors
    /// The index is damaged or the model failed. A query is never wrong: see [`ParsedQuery`].
    pub fn search(&self, snapshot: &Snapshot, request: &SearchRequest) -> Result<Answer, SearchError> {
        let mut ranking = self.begin(snapshot, request.clone())?;
        ranking.finish()?;
        ranking.answer()
    }

    /// Recalls candidates; reranking is taken step by step from there.
    ///
    /// # Errors
    /// As [`Searcher::search`].
    pub fn begin<S: Deref<Target = Snapshot>>(
        &self,
        snapshot: S,
        request: SearchRequest,
    ) -> Result<Ranking<S>, SearchError> {
        Ranking::new(self, snapshot, request)
    }

    /// The query as it was understood, and its candidates.
    pub(crate) fn recall(
        &self,
        snapshot: &Snapshot,
        request: &SearchRequest,
    ) -> Result<(ParsedQuery, Recalled), SearchError> {
        let query = match request.syntax {
            Syntax::Operators => ParsedQuery::parse(&request.query),
            Syntax::Plain => ParsedQuery::plain(&request.query),
        };
        let wanted = request.top.saturating_add(request.offset).min(MAX_RESULTS);
        let depth = self.config.depth.max(wanted * PASSAGES_PER_RESULT);
        let recalled = recall::recall(snapshot, &self.embedder, &self.config, request, &query, depth)?;
        Ok((query, recalled))
    }
}

/// Passages of one document, best first, and the score of the document.
pub(crate) struct Group {
    passages: Vec<Ranked>,
    score: f64,
    /// Documents with almost the same text, best first.
    pub(crate) copies: Vec<Group>,
}

impl Group {
    pub(crate) fn first(&self) -> Option<PassageRef> {
        self.passages.first().map(|entry| entry.candidate.id)
    }

    pub(crate) fn score(&self) -> f64 {
        self.score
    }

    /// Whether the reranker has read what the document stands for.
    pub(crate) fn is_read(&self) -> bool {
        self.passages.first().is_some_and(|entry| entry.relevance.is_some())
    }
}

/// Passages of the same document together, best document first.
///
/// In the order of recall, a document counts `s1 + d * s2 + d^2 * s3` for its best passages and a decay `d`: several
/// passages that agree are better evidence than one. A reranker judges each passage for itself; there the best one counts.
pub(crate) fn group(
    snapshot: &Snapshot,
    ranked: Vec<Ranked>,
    config: &SearchConfig,
) -> Result<Vec<Group>, SearchError> {
    let is_judged = ranked.iter().any(|entry| entry.relevance.is_some());
    let decay = if is_judged { 0.0 } else { config.passage_decay };
    let mut places = std::collections::HashMap::new();
    let mut documents: Vec<Group> = Vec::new();
    for entry in ranked {
        let place = *places.entry(snapshot.group(entry.candidate.id)?).or_insert_with(|| {
            documents.push(Group { passages: Vec::new(), score: 0.0, copies: Vec::new() });
            documents.len() - 1
        });
        let document = &mut documents[place];
        if let Ok(earlier) = i32::try_from(document.passages.len())
            && document.passages.len() < config.passages_per_document
        {
            document.score += entry.score * decay.powi(earlier);
            document.passages.push(entry);
        }
    }
    // Stable: equal documents stay in the order of their best passages.
    documents.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(documents)
}

/// A document as it is shown. Of several with almost the same text the newest stands for all, at the best one's place.
pub(crate) fn show(snapshot: &Snapshot, marker: &Marker, mut group: Group) -> Result<DocumentHit, SearchError> {
    let score = group.score;
    let mut members = vec![];
    for copy in std::mem::take(&mut group.copies).into_iter().chain([group]) {
        let first = copy.first().ok_or(SearchError::Panicked { stage: "grouping" })?;
        let Passage { document_id, document, .. } = snapshot.passage(first)?;
        members.push((copy, document_id, document));
    }
    // Stable, from the last: of equally new ones the best is shown.
    members.sort_by_key(|(_, _, document)| document.modified);
    let (newest, ..) = members.pop().ok_or(SearchError::Panicked { stage: "grouping" })?;
    let others = members.into_iter().rev().map(|(_, id, document)| DocumentCopy::of(id, document)).collect();
    Ok(DocumentHit { score, copies: others, ..show_one(snapshot, marker, newest)? })
}

fn show_one(snapshot: &Snapshot, marker: &Marker, group: Group) -> Result<DocumentHit, SearchError> {
    let mut passages = Vec::with_capacity(group.passages.len());
    let mut best: Option<Passage> = None;
    for entry in group.passages {
        let passage = snapshot.passage(entry.candidate.id)?;
        passages.push(show_passage(&passage, marker, &entry));
        best.get_or_insert(passage);
    }
    let Passage { document_id, document, .. } = best.ok_or(SearchError::Panicked { stage: "grouping" })?;
    let score = group.score;
    Ok(DocumentHit {
        id: document_id.to_string(),
        source: document.source,
        path: document.path,
        title: document.title,
        kind: document.kind,
        language: document.language,
        modified: document.modified,
        score,
        passages,
        copies: Vec::new(),
    })
}

fn show_passage(passage: &Passage, marker: &Marker, entry: &Ranked) -> PassageHit {
    let chunk = &passage.chunk;
    let cut = marker.snippet(&chunk.text);
    let highlights: Vec<Range<usize>> = cut.spans.into_iter().map(|span| span.range).collect();
    PassageHit {
        number: passage.number,
        headings: chunk.headings.clone(),
        lines: chunk.lines.clone(),
        page: chunk.place.as_ref().and_then(Place::number),
        place: chunk.place.clone(),
        text: chunk.text.clone(),
        blocks: chunk.blocks.clone(),
        snippet: cut.text,
        snippet_start: cut.range.start,
        marked: if highlights.is_empty() { Marked::Nothing } else { Marked::Words },
        highlights,
        score: entry.score,
        lexical: entry.candidate.places[LEXICAL],
        vector: entry.candidate.places[VECTOR],
        reranker: entry.relevance,
    }
}
