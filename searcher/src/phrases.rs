//! Words and phrases that documents have in common, for suggestions: runs of up to three words that stand in several
//! documents and neither begin nor end with a word that stands nearly everywhere.
//!
//! Counted by documents, not by places: a page that repeats itself says nothing new. What is counted is bounded; where it
//! overflows, what the fewest documents hold is given up first (after Manku and Motwani 2002, "Approximate frequency counts
//! over data streams").

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use storage::{folded, is_stopword, is_unspaced, runs};

/// Passages that are read: what is common shows in so many.
const MAX_PASSAGES: u32 = 60_000;
/// Phrases that are counted at once.
const MAX_COUNTED: usize = 150_000;
/// Phrases that are kept: those of the most documents.
const MAX_KEPT: usize = 20_000;
/// Words of a phrase.
const MAX_WORDS: usize = 3;
/// Documents that a phrase must stand in.
const MIN_DOCUMENTS: u32 = 2;
/// Letters of a word that is worth completing.
const WORD_CHARS: std::ops::RangeInclusive<usize> = 3..=40;
/// Characters of a phrase in a script without spaces: what stands between two marks.
const UNSPACED_CHARS: std::ops::RangeInclusive<usize> = 2..=10;
/// A word of more than one in so many documents begins and ends no phrase.
const COMMON_SHARE: u32 = 3;
/// Below so many documents nothing is common.
const COMMON_FROM: u32 = 12;

/// What is counted of a phrase.
#[derive(Debug)]
struct Counted {
    /// As it was written first.
    written: String,
    documents: u32,
    /// The document that it was last seen in.
    last: u32,
}

/// Counts phrases, document by document.
#[derive(Debug, Default)]
pub(crate) struct Phrases {
    counts: HashMap<String, Counted>,
    documents: u32,
    passages: u32,
}

impl Phrases {
    /// The passages that follow are of another document.
    pub(crate) fn next_document(&mut self) {
        self.documents += 1;
    }

    /// Counts the phrases of a passage.
    pub(crate) fn read(&mut self, text: &str) {
        if self.passages == MAX_PASSAGES {
            return;
        }
        self.passages += 1;
        // The last words that belong together, with where each begins and ends.
        let mut open: Vec<(usize, usize)> = Vec::new();
        for (run, _) in runs(text) {
            let word = &text[run.clone()];
            let joins = open.last().is_some_and(|(_, end)| text.get(*end..run.start) == Some(" "));
            if word.chars().any(is_unspaced) {
                open.clear();
                if UNSPACED_CHARS.contains(&word.chars().count()) && word.chars().all(is_unspaced) {
                    self.count(word);
                }
                continue;
            }
            if !joins {
                open.clear();
            }
            if open.len() == MAX_WORDS {
                open.remove(0);
            }
            open.push((run.start, run.end));
            if !is_worthy(word) {
                continue;
            }
            for (start, end) in &open {
                if is_worthy(&text[*start..*end]) {
                    self.count(&text[*start..run.end]);
                }
            }
        }
    }

    fn count(&mut self, written: &str) {
        let document = self.documents;
        match self.counts.entry(folded(written)) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                if known.last != document {
                    known.documents += 1;
                    known.last = document;
                }
            }
            Entry::Vacant(new) => {
                new.insert(Counted { written: written.to_string(), documents: 1, last: document });
            }
        }
        let mut least = 1;
        while self.counts.len() > MAX_COUNTED {
            self.counts.retain(|_, counted| counted.documents > least);
            least += 1;
        }
    }

    /// The phrases of several documents with how many those are, the most frequent first.
    pub(crate) fn common(self) -> Vec<(String, u32)> {
        let everywhere = (self.documents / COMMON_SHARE).max(COMMON_FROM / COMMON_SHARE);
        let is_everywhere = |word: &str| {
            self.documents >= COMMON_FROM
                && self.counts.get(&folded(word)).is_some_and(|counted| counted.documents > everywhere)
        };
        let mut common: Vec<&Counted> =
            self.counts.values().filter(|counted| counted.documents >= MIN_DOCUMENTS).collect();
        common.retain(|counted| {
            let mut words = counted.written.split(' ');
            let first = words.next().unwrap_or_default();
            !is_everywhere(first) && !is_everywhere(words.next_back().unwrap_or(first))
        });
        common.sort_by(|a, b| b.documents.cmp(&a.documents).then_with(|| a.written.cmp(&b.written)));
        common.into_iter().take(MAX_KEPT).map(|counted| (counted.written.clone(), counted.documents)).collect()
    }
}

/// Whether a word may begin and end a phrase.
fn is_worthy(word: &str) -> bool {
    WORD_CHARS.contains(&word.chars().count())
        && word.chars().all(char::is_alphabetic)
        && !is_stopword(&word.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(documents: &[&str]) -> Vec<(String, u32)> {
        let mut phrases = Phrases::default();
        for document in documents {
            phrases.next_document();
            phrases.read(document);
        }
        phrases.common()
    }

    #[test]
    fn what_several_documents_say_is_a_phrase() {
        let found = common(&[
            "The cost of living rises. Travel expenses are paid, travel expenses again.",
            "Travel expenses: see the cost of living. Only here.",
            "报销流程，差旅标准。",
            "请看：差旅标准。",
        ]);
        let texts: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
        for expected in ["cost of living", "Travel expenses", "expenses", "差旅标准"] {
            assert!(texts.contains(&expected), "{expected}: {texts:?}");
        }
        for never in ["cost of", "The cost", "rises", "报销流程", "living Travel", "paid"] {
            assert!(!texts.contains(&never), "{never}: {texts:?}");
        }
        assert!(found.iter().all(|(_, documents)| *documents == 2), "documents count, not places: {found:?}");
    }

    #[test]
    fn a_word_of_nearly_all_documents_begins_no_phrase() {
        let documents: Vec<String> =
            (0..20).map(|n| format!("Sluice {}", if n < 4 { "gauge drift" } else { "pump" })).collect();
        let found = common(&documents.iter().map(String::as_str).collect::<Vec<_>>());
        let texts: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
        assert!(texts.contains(&"gauge drift") && !texts.iter().any(|text| text.starts_with("Sluice")), "{texts:?}");
    }

    #[test]
    fn what_is_counted_is_bounded() {
        let mut phrases = Phrases::default();
        let letters = |mut n: usize| {
            let mut word = String::from("q");
            for _ in 0..5 {
                word.push(char::from(b'a' + (n % 26) as u8));
                n /= 26;
            }
            word
        };
        for n in 0..MAX_COUNTED / 2 {
            phrases.next_document();
            phrases.read(&format!("{} {} {}", letters(n), letters(n + 7), letters(n + 13)));
        }
        assert!(phrases.counts.len() <= MAX_COUNTED);
    }
}
