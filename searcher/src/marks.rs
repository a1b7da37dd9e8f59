//! Marks in the passages of an answer: the words that made the lexical leg find them.

use std::ops::Range;

use storage::{Analyzer, Snapshot};

use crate::highlight::{Normaliser, Terms, highlight};
use crate::query::ParsedQuery;
use crate::snippet::snippet;

/// Cuts and marks passages for one query.
pub(crate) struct Marker<'n> {
    terms: Terms<'n>,
    max_chars: usize,
}

impl<'n> Marker<'n> {
    pub(crate) fn new(query: &ParsedQuery, normalise: Normaliser<'n>, max_chars: usize) -> Self {
        Self { terms: Terms::of(query, normalise), max_chars }
    }

    /// The part of a passage to show, and the bytes of it that match.
    pub(crate) fn snippet(&self, text: &str) -> (String, Vec<Range<usize>>) {
        let cut = snippet(text, &highlight(text, &self.terms), self.max_chars);
        (cut.text, cut.spans.into_iter().map(|span| span.range).collect())
    }
}

/// What a word is compared by: what the index holds for it in any of its languages. Function words have no form.
pub(crate) fn forms(snapshot: &Snapshot, word: &str) -> Vec<String> {
    let mut forms: Vec<String> = Vec::new();
    for analyzer in snapshot.analyzers() {
        forms.extend(analyzer.words(word).into_iter().map(|term| term.text));
    }
    forms.extend(Analyzer::codes(word).into_iter().map(|term| term.text));
    forms.retain(|form| !storage::is_stopword(form));
    forms.sort_unstable();
    forms.dedup();
    forms
}
