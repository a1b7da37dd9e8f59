//! Marks in the passages of an answer: the words that made the lexical retriever find them.

use std::cell::RefCell;
use std::collections::HashMap;
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

/// Words whose forms a thread keeps; when there are more, it begins anew.
const KEPT: usize = 20_000;

/// The forms of words that were met before. Stemming every word of thirty passages in every language of an index takes
/// longer than finding the passages, and most words are met again and again.
#[derive(Default)]
struct Kept {
    languages: Vec<String>,
    forms: HashMap<String, Vec<String>>,
}

thread_local! {
    // Of a thread, so that searches side by side do not wait for each other.
    static KEPT_FORMS: RefCell<Kept> = RefCell::default();
}

/// What a word is compared by: what the index holds for it in any of its languages. Function words have no form.
pub(crate) fn forms(snapshot: &Snapshot, word: &str) -> Vec<String> {
    KEPT_FORMS.with_borrow_mut(|kept| {
        if kept.languages != snapshot.languages() || kept.forms.len() >= KEPT {
            kept.languages = snapshot.languages().to_vec();
            kept.forms.clear();
        }
        if let Some(forms) = kept.forms.get(word) {
            return forms.clone();
        }
        let forms = computed(snapshot, word);
        kept.forms.insert(word.to_string(), forms.clone());
        forms
    })
}

fn computed(snapshot: &Snapshot, word: &str) -> Vec<String> {
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
