//! Alternatives: what is looked for beside words of a query, at a lower weight.

use super::analysis::Analyzer;
use super::query::{QueryWord, Sequence, query_words};
use super::tokens::{Script, runs};

/// What is looked for: a correction, a synonym.
#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    /// The words that it may stand for, as they were typed.
    pub typed: String,
    /// What is looked for; several words as a phrase.
    pub text: String,
    /// How much it counts, where what was typed counts 1.
    pub weight: f32,
    /// The language of the documents that it is looked for in, as an ISO 639-1 code; `None`: in all.
    pub language: Option<String>,
}

/// An [`Alternative`] as the index compares it.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalysedAlternative {
    /// The words of the query that it may stand for.
    pub typed: Vec<QueryWord>,
    /// Its own words.
    pub words: Vec<QueryWord>,
    /// What has to stand in order; `None` for a single word.
    pub sequence: Option<Sequence>,
    /// How much it counts.
    pub weight: f32,
    /// The language of the documents that it is looked for in.
    pub language: Option<String>,
}

impl AnalysedAlternative {
    pub(super) fn of(alternative: &Alternative, analyzers: &[Analyzer]) -> Self {
        let Alternative { typed, text, weight, language } = alternative;
        let mut scripts = runs(text).map(|(_, script)| script);
        let is_word = scripts.next() == Some(Script::Spaced) && scripts.next().is_none();
        Self {
            typed: query_words(typed, analyzers),
            words: query_words(text, analyzers),
            sequence: (!is_word).then(|| Sequence::of(text)),
            weight: *weight,
            language: language.clone(),
        }
    }

    /// Whether it may stand for this word.
    pub(super) fn stands_for(&self, word: &QueryWord) -> bool {
        self.typed.iter().any(|typed| typed.stems == word.stems)
    }
}
