//! More like this: the documents whose passages lie nearest to a document's own, by the vectors that are stored already.

use std::time::Instant;

use storage::{AnalysedQuery, DocumentId, Filter, LexicalQuery, Passage, PassageRef, View};

use crate::answer::{Answer, Timings, milliseconds};
use crate::error::SearchError;
use crate::fuse::Retrieved;
use crate::group::group;
use crate::plan::to_come;
use crate::present::Presenter;
use crate::query::ParsedQuery;
use crate::recall::{candidates, numbered};
use crate::rerank::RerankState;
use crate::search::Searcher;
use crate::sentence::{Sentences, Which};

/// Most documents of one answer.
pub const MAX_SIMILAR: usize = 100;

/// What is to be resembled.
#[derive(Debug, Clone, PartialEq)]
pub struct SimilarRequest {
    /// The document.
    pub document: DocumentId,
    /// One passage of it; all of it otherwise.
    pub passage: Option<u32>,
    /// Documents to return, at most [`MAX_SIMILAR`].
    pub top: usize,
    /// Which documents are looked at.
    pub filter: Filter,
}

impl Searcher {
    /// The documents nearest to another one, best first, without that one; `None` if there is no such document or
    /// passage in the view.
    ///
    /// A document stands for the mean of its passages' vectors.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn similar(&self, view: &View, request: &SimilarRequest) -> Result<Option<Answer>, SearchError> {
        let started = Instant::now();
        let own = view.places(request.document)?;
        let Some((seed, vector)) = seed(view, &own, request.passage)? else { return Ok(None) };
        let scope = view.scope(std::slice::from_ref(&request.filter), &AnalysedQuery::default())?;
        // The document's own passages are nearest to it: room for them beside the others.
        let depth = self.config.depth + own.len();
        let mut hits = match &vector {
            Some(vector) if !scope.is_empty() => view.nearest(vector, &scope, depth, self.config.vector_scan())?,
            _ => Vec::new(),
        };
        hits.retain(|(passage, _)| !own.contains(passage));
        let floor = Some(self.config.cosine_floor);
        let candidates = candidates(
            Retrieved { ranked: &[], weight: 1.0, floor: Some(0.0), full: 0.0 },
            Retrieved { ranked: &numbered(view, &hits)?, weight: 1.0, floor, full: 0.0 },
            &[],
            &self.config,
        );
        let documents = group(candidates, &self.config);
        let total = documents.len();
        let query = ParsedQuery::plain(&seed.document.title);
        let highlighting = Instant::now();
        let presenter = Presenter::new(view, &view.analyse(&LexicalQuery::from(&query)), &self.config)?;
        let page = documents.into_iter().take(request.top.min(MAX_SIMILAR));
        let mut results = page.map(|group| presenter.document(group)).collect::<Result<Vec<_>, _>>()?;
        if let Some(vector) = &vector {
            Sentences::new(&self.embedder, &self.config).mark(&mut results, vector, Which::MostAlike)?;
        }
        let (highlight, elapsed) = (milliseconds(highlighting.elapsed()), milliseconds(started.elapsed()));
        Ok(Some(Answer {
            query: query.text,
            results,
            total,
            next: None,
            reranked: 0,
            rerank_depth: 0,
            rerank_state: RerankState::Off,
            answerable: None,
            timings: Timings {
                vector_ms: elapsed - highlight,
                highlight_ms: highlight,
                total_ms: elapsed,
                ..Timings::default()
            },
            generation: view.generation()?,
            notes: to_come(view).into_iter().collect(),
            spelling: None,
            expanded: Vec::new(),
            facets: None,
            understood: None,
        }))
    }
}

/// What speaks for a document, and the vector to look near, where there is one.
type Seed = (Passage, Option<Vec<f32>>);

/// A passage to speak for the document, and the vector to look near; `None` where its vectors are still to come, or cancel each
/// other out.
fn seed(view: &View, places: &[PassageRef], number: Option<u32>) -> Result<Option<Seed>, SearchError> {
    let mut first: Option<Passage> = None;
    let mut sum: Vec<f32> = Vec::new();
    for place in places {
        let passage = view.passage(*place)?;
        if number.is_some_and(|number| number != passage.number) {
            continue;
        }
        let vector = view.vector(*place)?.unwrap_or_default();
        sum.resize(vector.len().max(sum.len()), 0.0);
        sum.iter_mut().zip(&vector).for_each(|(sum, value)| *sum += value);
        if first.as_ref().is_none_or(|first| passage.number < first.number) {
            first = Some(passage);
        }
    }
    let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
    let Some(first) = first else { return Ok(None) };
    if length <= f32::EPSILON {
        return Ok(Some((first, None)));
    }
    sum.iter_mut().for_each(|value| *value /= length);
    Ok(Some((first, Some(sum))))
}
