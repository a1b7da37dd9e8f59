//! Marks in the passages of an answer: the words that made the lexical retriever find them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use storage::{AnalysedQuery, AnalysedText, Analyzer, LexicalQuery, NormalForms, Passage, Snapshot};

use crate::highlight::{Terms, highlight};
use crate::query::ParsedQuery;
use crate::snippet::{Snippet, snippet};

/// Marks passages for one query.
pub struct Marker {
    terms: Terms,
}

thread_local! {
    // Of a thread, so that searches side by side do not wait for each other; by language, as words are stemmed.
    static FORMS: RefCell<HashMap<String, (Analyzer, NormalForms)>> = RefCell::default();
}

impl Marker {
    pub(crate) fn new(terms: &AnalysedQuery) -> Self {
        Self { terms: Terms::of(terms) }
    }

    /// A marker for a query that is not searched for.
    pub fn of_query(snapshot: &Snapshot, query: &ParsedQuery) -> Self {
        Self::new(&snapshot.analyse(&LexicalQuery::from(query)))
    }

    /// The bytes of a passage that match.
    pub fn marks(&self, passage: &Passage) -> Vec<Range<usize>> {
        highlight(&analysed(passage, &self.terms), &self.terms).into_iter().map(|span| span.range).collect()
    }

    /// The part of a passage to show, of at most `max_chars` characters.
    pub(crate) fn snippet(&self, passage: &Passage, max_chars: usize) -> Snippet {
        snippet(&passage.chunk.text, &highlight(&analysed(passage, &self.terms), &self.terms), max_chars)
    }
}

/// A passage, analysed in the language of its document as it was for the index, as far as the query has such terms.
fn analysed(passage: &Passage, terms: &Terms) -> AnalysedText {
    let text = &passage.chunk.text;
    let language = passage.document.language.as_deref();
    FORMS.with_borrow_mut(|known| {
        let fresh = || (Analyzer::for_documents(language), NormalForms::default());
        let (analyzer, forms) = known.entry(language.unwrap_or_default().to_owned()).or_insert_with(fresh);
        let (exact, stems) = match terms.asks_for_exact() {
            true => analyzer.words(text, forms),
            false => (Vec::new(), analyzer.stems(text, forms)),
        };
        AnalysedText {
            exact,
            stems,
            grams: if terms.asks_for_grams() { Analyzer::grams(text) } else { Vec::new() },
            codes: if terms.asks_for_codes() { Analyzer::codes(text) } else { Vec::new() },
        }
    })
}
