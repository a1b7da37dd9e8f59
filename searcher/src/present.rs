//! Presentation: the documents of one page as they are shown, with their passages cut and marked.

use storage::{AnalysedQuery, Chunk, Passage, Place, View};

use crate::answer::{DocumentCopy, DocumentHit, Marked, PassageHit};
use crate::candidate::Candidate;
use crate::config::SearchConfig;
use crate::error::SearchError;
use crate::group::Group;
use crate::marks::{Marker, headings};

/// Shows documents for one query.
pub(crate) struct Presenter<'s> {
    view: &'s View,
    marker: Marker,
    snippet_chars: usize,
}

impl<'s> Presenter<'s> {
    pub(crate) fn new(view: &'s View, terms: &AnalysedQuery, config: &SearchConfig) -> Result<Self, SearchError> {
        Ok(Self { view, marker: Marker::new(view, terms)?, snippet_chars: config.snippet_chars })
    }

    /// A document as it is shown. Of several with almost the same text the newest stands for all, at the best one's place.
    pub(crate) fn document(&self, mut group: Group) -> Result<DocumentHit, SearchError> {
        let score = group.score;
        let mut members = vec![];
        for copy in std::mem::take(&mut group.copies).into_iter().chain([group]) {
            let first = copy.passages.first().ok_or(SearchError::Panicked { stage: "grouping" })?;
            let Passage { document_id, document, .. } = self.view.passage(first.passage)?;
            members.push((copy, document_id, document));
        }
        // Stable, from the last: of equally new ones the best is shown.
        members.sort_by_key(|(_, _, document)| document.modified);
        let (newest, ..) = members.pop().ok_or(SearchError::Panicked { stage: "grouping" })?;
        let others = members.into_iter().rev().map(|(_, id, document)| DocumentCopy::of(id, document)).collect();
        Ok(DocumentHit { score, copies: others, ..self.one(newest)? })
    }

    fn one(&self, group: Group) -> Result<DocumentHit, SearchError> {
        let mut passages = Vec::with_capacity(group.passages.len());
        let mut best: Option<Passage> = None;
        for candidate in group.passages {
            let passage = self.view.passage(candidate.passage)?;
            passages.push(self.passage(&passage, &candidate));
            best.get_or_insert(passage);
        }
        let Passage { document_id, document, .. } = best.ok_or(SearchError::Panicked { stage: "grouping" })?;
        Ok(DocumentHit {
            id: document_id.to_string(),
            date_from: document.date_from().map(str::to_owned),
            source: document.source,
            path: document.path,
            title: document.title,
            kind: document.kind,
            language: document.language,
            modified: document.modified,
            url: None,
            score: group.score,
            effects: Vec::new(),
            passages,
            copies: Vec::new(),
        })
    }

    fn passage(&self, passage: &Passage, candidate: &Candidate) -> PassageHit {
        let chunk = &passage.chunk;
        let cut = self.marker.snippet(passage, self.snippet_chars);
        let highlights: Vec<_> = cut.spans.into_iter().map(|span| span.range).collect();
        PassageHit {
            number: passage.number,
            headings: chunk.headings.clone(),
            lines: chunk.lines.clone(),
            page: chunk.place.as_ref().and_then(Place::number),
            place: chunk.place.clone(),
            text: chunk.text.clone(),
            blocks: chunk.blocks.clone(),
            section: section(chunk, cut.range.start),
            snippet: cut.text,
            snippet_start: cut.range.start,
            marked: if highlights.is_empty() { Marked::Nothing } else { Marked::Words },
            highlights,
            score: candidate.score,
            lexical: candidate.lexical,
            vector: candidate.vector,
            reranker: candidate.relevance,
        }
    }
}

/// The heading within a passage that a byte of it stands below.
fn section(chunk: &Chunk, at: usize) -> Option<String> {
    let above = headings(&chunk.text, &chunk.blocks).into_iter().rfind(|heading| heading.end <= at)?;
    chunk.text.get(above).map(|heading| heading.trim().to_owned())
}
