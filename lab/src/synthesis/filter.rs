//! A filter for the pairs that a model would learn something right from: query and passage near enough in meaning, and
//! a search for the query finds the passage (round trip). Both are asked of the embedding model in use and of an
//! index of the documents.

use std::sync::Arc;

use qwen3::EmbedHandle;
use searcher::{Copies, Mode, RerankBudget, SearchConfig, SearchRequest, Searcher, Syntax};
use storage::View;

use super::Fault;
use crate::error::Result;

/// Passages of a document that are compared with the one looked for.
const PASSAGES: usize = 64;

/// Characters, without blanks, by which two passages are told to be the same.
const HEAD: usize = 60;

/// A pair that is going to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The query.
    pub query: &'a str,
    /// The passage.
    pub response: &'a str,
    /// The source's name and the document's path in it.
    pub path: &'a str,
    /// Whether finding the document is enough: its passage was rewritten.
    pub is_rewritten: bool,
}

/// Judges pairs.
pub struct PairFilter {
    embedder: EmbedHandle,
    searcher: Searcher,
    view: Arc<View>,
    /// Whether paths begin with the source's name.
    has_sources: bool,
    min_cosine: f32,
    top: usize,
}

impl PairFilter {
    /// A filter that wants at least `min_cosine` between query and passage, and the passage's document among the `top`
    /// that a search of `view` finds.
    pub fn new(embedder: EmbedHandle, view: Arc<View>, min_cosine: f32, top: usize) -> Self {
        let config = SearchConfig { passages_per_document: PASSAGES, ..SearchConfig::default() };
        let has_sources = view.sources().len() > 1;
        Self { searcher: Searcher::new(embedder.clone(), None, config), embedder, view, has_sources, min_cosine, top }
    }

    /// What is wrong with each pair; `None` for those that stay.
    ///
    /// # Errors
    /// The model or the search fails.
    pub fn judge(&self, pairs: &[Candidate<'_>]) -> Result<Vec<Option<Fault>>> {
        let responses: Vec<&str> = pairs.iter().map(|pair| pair.response).collect();
        let vectors = self.embedder.embed_documents(&responses)?.wait()?;
        pairs.iter().zip(vectors).map(|(pair, vector)| self.judge_one(pair, &vector)).collect()
    }

    fn judge_one(&self, pair: &Candidate<'_>, response: &[f32]) -> Result<Option<Fault>> {
        let query = match self.embedder.embed_query(pair.query, None) {
            Ok(query) => query,
            Err(qwen3::Error::NoDirection { .. }) => return Ok(Some(Fault::Distant)),
            Err(error) => return Err(error.into()),
        };
        let cosine: f32 = query.iter().zip(response).map(|(a, b)| a * b).sum();
        if cosine < self.min_cosine {
            return Ok(Some(Fault::Distant));
        }
        Ok((!self.finds(pair)?).then_some(Fault::Lost))
    }

    fn finds(&self, pair: &Candidate<'_>) -> Result<bool> {
        let request = SearchRequest {
            query: pair.query.to_string(),
            syntax: Syntax::Plain,
            top: self.top,
            mode: Mode::Hybrid,
            rerank: RerankBudget::OFF,
            copies: Copies::Apart,
            ..SearchRequest::default()
        };
        let answer = self.searcher.search(&self.view, &request)?;
        let hits = answer.results.iter().filter(|hit| match self.has_sources {
            true => pair.path.strip_prefix(&hit.source).and_then(|path| path.strip_prefix('/')) == Some(&hit.path),
            false => pair.path == hit.path,
        });
        Ok(hits
            .into_iter()
            .any(|hit| pair.is_rewritten || hit.passages.iter().any(|passage| overlaps(&passage.text, pair.response))))
    }
}

/// Whether one passage begins inside of the other.
fn overlaps(one: &str, other: &str) -> bool {
    let (one, other) = (dense(one), dense(other));
    let head = |text: &str| text.chars().take(HEAD).collect::<String>();
    one.contains(&head(&other)) || other.contains(&head(&one))
}

fn dense(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_overlap_whatever_their_line_breaks() {
        assert!(overlaps("One two\nthree four", "two three"));
        assert!(overlaps("two three", "One two\n\nthree four"));
        assert!(!overlaps("One two three", "four five"));
    }
}
