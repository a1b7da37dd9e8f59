//! The words of the index as a dictionary: which of them are like a word, and how many passages hold one.
//!
//! Likeness is a number of slips (letters missing, too many, replaced; neighbours swapped count as one), and is looked up
//! by an automaton that runs beside the sorted terms of each segment (Schulz and Mihov 2002), so that its cost grows with
//! the terms that begin alike and not with the index.

use std::collections::BTreeMap;

use tantivy::InvertedIndexReader;
use tantivy::collector::Count;
use tantivy::postings::TermInfo;
use tantivy::query::{FuzzyTermQuery, PhraseQuery};
use tantivy::schema::{IndexRecordOption, Term};

use super::query::{AnalysedQuery, LexicalWeights};
use super::reader::{LexicalReader, damaged};
use super::sight;
use crate::error::Result;

/// Words that are looked at for one; no word has as many neighbours that are worth a look.
const MAX_NEIGHBOURS: usize = 4_096;
/// Letters of a word that may be a name of several parts.
const NAME: std::ops::RangeInclusive<usize> = 3..=24;
/// Ways to part a name; there is hardly more than one.
const MAX_WAYS: usize = 3;

/// A word of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownWord {
    /// The word, in lower case and without diacritics.
    pub text: String,
    /// Passages that hold it, or held it before they were deleted.
    pub holders: u64,
}

impl LexicalReader {
    /// The words of the index within so many slips (2 at the most) of a word that is given as the index folds it, the
    /// most frequent first.
    pub(crate) fn words_near(&self, word: &str, slips: u8) -> Result<Vec<KnownWord>> {
        let body = self.fields.body;
        let automaton = FuzzyTermQuery::new(Term::from_field_text(body, word), slips, true).automaton()?;
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for (segment, reader) in (0u32..).zip(self.searcher.segment_readers()) {
            let index = reader.inverted_index(body)?;
            let near = index.terms().search(&automaton).into_stream();
            let mut near = near.map_err(|error| damaged(error.to_string()))?;
            // Within a sight all are looked at: which come first depends on what is out of sight.
            while (found.len() < MAX_NEIGHBOURS || self.sight.is_some()) && near.advance() {
                let holders = self.holders_within(segment, &index, near.value())?;
                if holders > 0 {
                    *found.entry(String::from_utf8_lossy(near.key()).into_owned()).or_default() += holders;
                }
            }
        }
        let mut words = most_frequent_first(found);
        words.truncate(MAX_NEIGHBOURS);
        Ok(words)
    }

    /// The pairs of characters of the index that begin with one of these characters and end with one of those, the most
    /// frequent first.
    pub(crate) fn pairs(&self, firsts: &[char], seconds: &[char]) -> Result<Vec<KnownWord>> {
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for (segment, reader) in (0u32..).zip(self.searcher.segment_readers()) {
            let index = reader.inverted_index(self.fields.grams)?;
            for first in firsts {
                let begin = String::from(*first);
                // Whatever begins with a character comes before what begins with the next one.
                let Some(next) = char::from_u32(u32::from(*first) + 1) else { continue };
                let range = index.terms().range().ge(begin.as_bytes()).lt(String::from(next).as_bytes());
                let mut terms = range.into_stream().map_err(|error| damaged(error.to_string()))?;
                while terms.advance() {
                    let Ok(gram) = std::str::from_utf8(terms.key()) else { continue };
                    if !gram.chars().nth(1).is_some_and(|second| seconds.contains(&second)) {
                        continue;
                    }
                    let holders = self.holders_within(segment, &index, terms.value())?;
                    if holders > 0 {
                        *found.entry(gram.to_owned()).or_default() += holders;
                    }
                }
            }
        }
        Ok(most_frequent_first(found))
    }

    /// The parts of which the index has a word as a name, with capitals: `java` and `script` for the `javascript` of
    /// `JavaScript`.
    pub(super) fn parts_of_name(&self, word: &str) -> Result<Vec<Vec<String>>> {
        let letters = word.chars().count();
        if !NAME.contains(&letters) || !word.chars().all(char::is_alphabetic) {
            return Ok(Vec::new());
        }
        let mut ways = Vec::new();
        let borders: Vec<usize> = word.char_indices().map(|(at, _)| at).skip(1).collect();
        for (index, first) in borders.iter().enumerate() {
            if self.is_word(&word[..*first])? {
                let rest = borders[index + 1..]
                    .iter()
                    .map(|second| vec![&word[..*first], &word[*first..*second], &word[*second..]]);
                for way in std::iter::once(vec![&word[..*first], &word[*first..]]).chain(rest) {
                    if ways.len() < MAX_WAYS && self.is_name(word, &way)? {
                        ways.push(way.into_iter().map(str::to_owned).collect());
                    }
                }
            }
        }
        Ok(ways)
    }

    fn is_word(&self, word: &str) -> Result<bool> {
        Ok(self.searcher.doc_freq(&Term::from_field_text(self.fields.body, word))? > 0)
    }

    /// Whether a word stands somewhere as a name of these parts.
    fn is_name(&self, word: &str, parts: &[&str]) -> Result<bool> {
        // The first part was looked for already.
        for part in &parts[1..] {
            if !self.is_word(part)? {
                return Ok(false);
            }
        }
        let term = |text: &str| Term::from_field_text(self.fields.body, text);
        // The name stands at the place of its first part.
        let parts = parts.iter().enumerate().map(|(place, part)| (place, term(part)));
        let name = PhraseQuery::new_with_offset([(0, term(word))].into_iter().chain(parts).collect());
        Ok(self.searcher.search(&name, &Count)? > 0)
    }

    /// Passages that hold a character or a pair of characters, in the form that the index folds them to.
    pub(crate) fn gram_holders(&self, gram: &str) -> Result<u64> {
        Ok(self.frequency(&Term::from_field_text(self.fields.grams, gram))?)
    }

    /// How many characters and pairs of characters of scripts without spaces the passages have together.
    pub(crate) fn grams(&self) -> Result<u64> {
        Ok(self.tokens(self.fields.grams)?)
    }

    /// Passages of a segment that hold a term and are seen.
    fn holders_within(&self, segment: u32, index: &InvertedIndexReader, term: &TermInfo) -> Result<u64> {
        let Some(seen) = self.sight.as_ref().and_then(|sight| sight.segment(segment)) else {
            return Ok(u64::from(term.doc_freq));
        };
        let postings = index.read_postings_from_terminfo(term, IndexRecordOption::Basic);
        Ok(sight::seen(seen, postings.map_err(tantivy::TantivyError::from)?))
    }

    /// Passages that hold a word in any of its forms, as far as one form can tell: those of the most frequent one.
    pub(crate) fn holders(&self, word: &str) -> Result<u64> {
        let word = self.analysed_word(word);
        let stems = word.stems.iter().chain(&word.variants);
        let stems = stems.map(|(stem, _)| Term::from_field_text(self.fields.stems, stem));
        let exact = Term::from_field_text(self.fields.body, &word.exact);
        let holders = stems.chain([exact]).map(|term| self.frequency(&term));
        Ok(holders.collect::<tantivy::Result<Vec<_>>>()?.into_iter().max().unwrap_or(0))
    }

    /// How many passages have what a query requires: its phrases, and nothing that it excludes.
    pub(crate) fn count(&self, query: &AnalysedQuery) -> Result<u64> {
        match self.builder(LexicalWeights::default()).requirements(query) {
            Some(required) => Ok(self.everything(&required)?.len() as u64),
            None => Ok(self.live()),
        }
    }
}

fn most_frequent_first(found: BTreeMap<String, u64>) -> Vec<KnownWord> {
    let mut words: Vec<KnownWord> = found.into_iter().map(|(text, holders)| KnownWord { text, holders }).collect();
    words.sort_by(|a, b| b.holders.cmp(&a.holders).then_with(|| a.text.cmp(&b.text)));
    words
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::{Batch, ChunkDraft, ContentKey, Document, IndexModel, LexicalQuery, Source, Store, View};

    /// A store of these texts, a commit each, so that they lie in several segments.
    fn with_texts(texts: &[&str], ask: impl FnOnce(&View)) {
        let folder = tempfile::tempdir().unwrap();
        let model = IndexModel { name: "m".into(), fingerprint: "f".into(), dimension: 2 };
        let mut store = Store::open(folder.path(), &model).unwrap();
        store.add_source(Source { name: "a".into(), root: folder.path().to_path_buf() }).unwrap();
        for (number, text) in texts.iter().enumerate() {
            let document = Document {
                source: "a".into(),
                path: number.to_string(),
                title: "t".into(),
                kind: "text".into(),
                language: None,
                modified: 1,
                bytes: 1,
                metadata: BTreeMap::new(),
                fingerprint: None,
            };
            let draft = ChunkDraft {
                headings: Vec::new(),
                text: (*text).into(),
                span: 0..1,
                lines: 1..2,
                place: None,
                blocks: Vec::new(),
                key: ContentKey::of(&[], text),
                vector: Some(vec![1.0, 0.0]),
            };
            let mut batch = Batch::default();
            batch.put(document, vec![draft]);
            store.commit(batch).unwrap();
        }
        ask(&store.snapshot().whole().unwrap());
    }

    #[test]
    fn near_words_are_merged_over_segments_with_the_most_frequent_first() {
        with_texts(&["pump rotor", "pump jump", "bump", "pmup pupm", "pumpkin"], |snapshot| {
            let near = |word: &str, slips| {
                let words = snapshot.words_near(word, slips).unwrap();
                words.into_iter().map(|word| (word.text, word.holders)).collect::<Vec<_>>()
            };
            let named = |words: &[(&str, u64)]| words.iter().map(|(w, n)| ((*w).to_string(), *n)).collect::<Vec<_>>();
            assert_eq!(near("pump", 1), named(&[("pump", 2), ("bump", 1), ("jump", 1), ("pmup", 1), ("pupm", 1)]));
            assert_eq!(near("rotro", 1), named(&[("rotor", 1)]), "a swap is one slip");
            assert_eq!(near("otor", 1), named(&[("rotor", 1)]), "the first letter may be missing");
            assert_eq!(near("zebra", 2), named(&[]));
        });
    }

    #[test]
    fn pairs_of_characters_are_found_by_what_they_may_be_made_of() {
        with_texts(&["年假制度", "年假与事假", "年價", "假期"], |snapshot| {
            let pairs = |firsts: &[char], seconds: &[char]| {
                let words = snapshot.pairs(firsts, seconds).unwrap();
                words.into_iter().map(|word| (word.text, word.holders)).collect::<Vec<_>>()
            };
            let named = |words: &[(&str, u64)]| words.iter().map(|(w, n)| ((*w).to_string(), *n)).collect::<Vec<_>>();
            assert_eq!(
                pairs(&['年', '事', '病'], &['价', '假']),
                named(&[("年假", 2), ("事假", 1), ("年价", 1)]),
                "traditional characters as simplified ones"
            );
            assert_eq!(pairs(&['年'], &['期']), named(&[]));
            assert_eq!(snapshot.grams().unwrap(), 7 + 9 + 3 + 3);
            let holders = ["年", "假期", "病"].map(|gram| snapshot.gram_holders(gram).unwrap());
            assert_eq!(holders, [3, 1, 0]);
        });
    }

    #[test]
    fn holders_count_every_form_and_passages_what_is_required() {
        with_texts(&["the pump turns", "pumps and valves", "on call", "call on Monday"], |snapshot| {
            assert_eq!(snapshot.holders("Pumps").unwrap(), 2);
            assert_eq!(snapshot.holders("zebra").unwrap(), 0);
            let count = |phrases: &[&str]| {
                let phrases = phrases.iter().map(|phrase| (*phrase).to_owned()).collect();
                snapshot.count(&snapshot.analyse(&LexicalQuery { phrases, ..LexicalQuery::default() })).unwrap()
            };
            assert_eq!((count(&["on call"]), count(&["on", "call"]), count(&["pump", "call"])), (1, 2, 0));
        });
    }
}
