//! Shares of a question: how much of it a text holds, each word counted by its rarity. Words that only make it a question count
//! nothing.

use std::collections::BTreeSet;
use std::ops::Range;

use storage::{Passage, View};

use super::question::is_opener;
use crate::error::SearchError;
use crate::highlight::Span;
use crate::marks::Marker;
use crate::plan::SearchPlan;

/// A term of the question as it was typed.
struct Typed {
    text: String,
    /// Rarity.
    weight: f64,
    is_known: bool,
}

/// Measures texts by the terms of one question.
pub(super) struct Shares {
    marker: Marker,
    /// By their numbers in spans; `None` for another spelling of other terms.
    typed: Vec<Option<Typed>>,
    /// Spellings, by their numbers, and the terms that each stands for.
    spellings: Vec<(usize, Vec<usize>)>,
    total: f64,
}

impl Shares {
    pub(super) fn of(view: &View, plan: &SearchPlan) -> Result<Self, SearchError> {
        let held = view.holdings(&plan.terms, &[])?;
        let weight = |text: &str, idf: f32| if is_opener(text) { 0.0 } else { f64::from(idf).max(0.0) };
        let typed: Vec<Option<Typed>> = held
            .iter()
            .map(|term| {
                let weight = weight(&term.text, term.idf);
                (!term.is_spelling).then(|| Typed { text: term.text.clone(), weight, is_known: term.is_known })
            })
            .collect();
        let parts = |spelling: &str| {
            let is_part = |term: &Option<Typed>| term.as_ref().is_some_and(|term| spelling.contains(&term.text));
            (0..typed.len()).filter(|at| is_part(&typed[*at])).collect()
        };
        let spellings = held.iter().enumerate().filter(|(_, term)| term.is_spelling);
        let spellings = spellings.map(|(number, term)| (number, parts(&term.text))).collect();
        let total = typed.iter().flatten().map(|term| term.weight).sum();
        Ok(Self { marker: Marker::new(view, &plan.terms)?, typed, spellings, total })
    }

    /// Where terms of the question stand in a passage.
    pub(super) fn spans(&self, passage: &Passage) -> Vec<Span> {
        self.marker.spans(&passage.chunk.text, passage.document.language.as_deref())
    }

    /// The numbers of the terms that stand in what a passage stands below: its title and headings.
    pub(super) fn above(&self, passage: &Passage) -> BTreeSet<usize> {
        let above = format!("{}\n{}", passage.document.title, passage.chunk.headings.join("\n"));
        terms(&self.marker.spans(&above, passage.document.language.as_deref()), &(0..above.len()))
    }

    /// The share of the question that these terms are, 0 to 1.
    pub(super) fn share(&self, terms: &BTreeSet<usize>) -> f64 {
        if self.total <= 0.0 {
            return 0.0;
        }
        let mut covered: BTreeSet<usize> = terms.iter().copied().filter(|at| self.weight(*at).is_some()).collect();
        for (_, parts) in self.spellings.iter().filter(|(number, _)| terms.contains(number)) {
            covered.extend(parts);
        }
        // What stands for a word that nobody wrote (a correction, a synonym): for the rarest of them.
        let others = terms.iter().filter(|at| **at >= self.typed.len()).count();
        let is_unknown = |at: &usize| self.typed[*at].as_ref().is_some_and(|term| !term.is_known);
        let mut missing: Vec<usize> =
            (0..self.typed.len()).filter(|at| is_unknown(at) && !covered.contains(at)).collect();
        missing.sort_by(|a, b| self.weight(*b).unwrap_or(0.0).total_cmp(&self.weight(*a).unwrap_or(0.0)));
        covered.extend(missing.into_iter().take(others));
        covered.iter().filter_map(|at| self.weight(*at)).sum::<f64>() / self.total
    }

    fn weight(&self, at: usize) -> Option<f64> {
        self.typed.get(at)?.as_ref().map(|term| term.weight)
    }
}

/// The numbers of the terms that stand in a part of a text.
pub(super) fn terms(spans: &[Span], part: &Range<usize>) -> BTreeSet<usize> {
    let within = spans.iter().filter(|span| part.start <= span.range.start && span.range.end <= part.end);
    within.flat_map(|span| span.terms.iter().copied()).collect()
}
