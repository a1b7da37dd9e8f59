//! Marks in the passages of an answer: the words that made the lexical retriever find them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use storage::{AnalysedQuery, AnalysedText, Analyzer, Block, BlockKind, LexicalQuery, NormalForms, Passage, View};

use crate::error::SearchError;
use crate::highlight::{Span, Terms, highlight};
use crate::query::ParsedQuery;
use crate::snippet::{Cut, Snippet, snippet};

/// Marks passages for one query.
pub struct Marker {
    terms: Terms,
    /// How rare each term is, by its number.
    weights: Vec<f32>,
}

thread_local! {
    // Of a thread, so that searches side by side do not wait for each other; by language, as words are stemmed.
    static FORMS: RefCell<HashMap<String, (Analyzer, NormalForms)>> = RefCell::default();
}

impl Marker {
    pub(crate) fn new(view: &View, terms: &AnalysedQuery) -> Result<Self, SearchError> {
        // In the order in which the terms are numbered; those beyond weigh alike.
        let weights = view.holdings(terms, &[])?.into_iter().map(|term| term.idf).collect();
        Ok(Self { terms: Terms::of(terms), weights })
    }

    /// A marker for a query that is not searched for.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn of_query(view: &View, query: &ParsedQuery) -> Result<Self, SearchError> {
        Self::new(view, &view.analyse(&LexicalQuery::from(query)))
    }

    /// The bytes of a passage that match.
    pub fn marks(&self, passage: &Passage) -> Vec<Range<usize>> {
        let spans = self.spans(&passage.chunk.text, passage.document.language.as_deref());
        spans.into_iter().map(|span| span.range).collect()
    }

    /// Where terms stand in a text of a document in this language.
    pub(crate) fn spans(&self, text: &str, language: Option<&str>) -> Vec<Span> {
        highlight(&analysed(text, language, &self.terms), &self.terms)
    }

    /// The part of a passage to show, of at most `max_chars` characters.
    pub(crate) fn snippet(&self, passage: &Passage, max_chars: usize) -> Snippet {
        let chunk = &passage.chunk;
        let spans = self.spans(&chunk.text, passage.document.language.as_deref());
        let barriers = headings(&chunk.text, &chunk.blocks);
        let cut = snippet(&chunk.text, &spans, Cut { max_chars, weights: &self.weights, barriers: &barriers });
        let is_code =
            |block: &Block| matches!(block.kind, BlockKind::Code { .. }) && block.bytes().contains(&cut.range.start);
        if chunk.blocks.iter().any(is_code) { cut.with_indentation(&chunk.text, max_chars) } else { cut }
    }
}

/// The bytes of the headings that stand in a passage.
pub(crate) fn headings(text: &str, blocks: &[Block]) -> Vec<Range<usize>> {
    let headings = blocks.iter().filter(|block| matches!(block.kind, BlockKind::Heading { .. }));
    headings.map(Block::bytes).filter(|heading| text.get(heading.clone()).is_some()).collect()
}

/// A text, analysed in the language of its document as it was for the index, as far as the query has such terms.
fn analysed(text: &str, language: Option<&str>, terms: &Terms) -> AnalysedText {
    FORMS.with_borrow_mut(|known| {
        let fresh = || (Analyzer::for_documents(language), NormalForms::default());
        let (analyzer, forms) = known.entry(language.unwrap_or_default().to_owned()).or_insert_with(fresh);
        let (exact, stems) =
            analyzer.words_among(text, forms, |word| terms.wants_exact(word), |stem| terms.wants_stem(stem));
        AnalysedText {
            exact,
            stems,
            grams: if terms.asks_for_grams() { Analyzer::grams(text) } else { Vec::new() },
            codes: if terms.asks_for_codes() { Analyzer::codes(text) } else { Vec::new() },
        }
    })
}
