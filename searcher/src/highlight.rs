//! Finds the words of a query in a passage, to be marked for the reader.
//!
//! Marks are byte ranges, never markup: who shows the text decides how. Words match by what the caller's normaliser makes
//! of them (stems, folded letters), so `travelled` is marked for `travelling`; scripts without spaces match by pairs of
//! characters that merge into runs; phrases and codes such as `CVE-2024-1` are marked as a whole.
//!
//! Promises: spans lie inside the text, at character boundaries, sorted, neither touching nor overlapping.

use std::collections::HashMap;
use std::ops::Range;

use serde::Serialize;

use crate::ParsedQuery;
use crate::units::{Unit, units};

/// Turns a word into the forms it is compared by, for the query and for the text alike: its stem, lower-cased; or several
/// (`err_4711`, `err`, `4711`). A word matches when one form agrees. No form at all means that the word is never marked
/// by itself, as befits `the`; in a phrase it still has to stand in its place.
///
/// Characters of scripts without spaces are compared as they are and do not pass through it.
pub type Normaliser<'n> = &'n dyn Fn(&str) -> Vec<String>;

/// A part of a text that shows terms of the query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// Which terms, as small numbers that mean nothing but equality; sorted, each once, at least one.
    pub terms: Vec<usize>,
}

/// What to mark: the terms of a query, ready to be found in many passages.
pub struct Terms<'n> {
    normalise: Normaliser<'n>,
    words: HashMap<String, usize>,
    pairs: HashMap<(char, char), usize>,
    characters: HashMap<char, usize>,
    sequences: Vec<Sequence>,
    count: usize,
}

/// Units that have to follow each other.
struct Sequence {
    term: usize,
    units: Vec<Form>,
}

/// What a unit is compared by.
enum Form {
    Word { written: String, keys: Vec<String> },
    Character(char),
}

impl Form {
    fn of(text: &str, unit: &Unit, normalise: Normaliser<'_>) -> Self {
        match unit.character {
            Some(character) => Self::Character(character),
            None => {
                let written = plain_word(&text[unit.range.clone()]);
                Self::Word { keys: normalise(&written), written }
            }
        }
    }

    fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Character(a), Self::Character(b)) => a == b,
            (Self::Word { written: a, keys: forms }, Self::Word { written: b, keys: others }) => {
                a == b || forms.iter().any(|key| others.contains(key))
            }
            _ => false,
        }
    }
}

impl<'n> Terms<'n> {
    /// The words and phrases of a query.
    pub fn of(query: &ParsedQuery, normalise: Normaliser<'n>) -> Self {
        Self::new(&query.words, &query.phrases, normalise)
    }

    /// These words and phrases. A word may be a whole clause in a script without spaces, or a code of several parts.
    pub fn new<Text: AsRef<str>>(words: &[Text], phrases: &[Text], normalise: Normaliser<'n>) -> Self {
        let mut terms = Self {
            normalise,
            words: HashMap::new(),
            pairs: HashMap::new(),
            characters: HashMap::new(),
            sequences: Vec::new(),
            count: 0,
        };
        for phrase in phrases {
            terms.add_sequence(phrase.as_ref());
        }
        for word in words {
            terms.add_word(word.as_ref());
        }
        terms
    }

    fn add_sequence(&mut self, phrase: &str) {
        let units: Vec<Form> = units(phrase).map(|unit| Form::of(phrase, &unit, self.normalise)).collect();
        if !units.is_empty() {
            self.sequences.push(Sequence { term: self.count, units });
            self.count += 1;
        }
    }

    fn add_word(&mut self, word: &str) {
        let parts: Vec<Unit> = units(word).collect();
        if parts.len() > 1 && parts.iter().all(|part| part.character.is_none()) {
            self.add_sequence(word);
        }
        for (index, part) in parts.iter().enumerate() {
            match part.character {
                Some(character) => self.add_character(character, index, &parts),
                // A lone letter or digit of `e-mail` or `1.2.3` would be marked everywhere; a query of one letter is meant.
                None if parts.len() > 1 && word[part.range.clone()].chars().count() < 2 => {}
                None => self.add_plain(&word[part.range.clone()]),
            }
        }
    }

    fn add_plain(&mut self, word: &str) {
        let written = plain_word(word);
        let mut keys = (self.normalise)(&written);
        // A name of several parts is meant as a whole: its parts stand in many other names.
        if written.contains('_') && keys.contains(&written) {
            keys.retain(|key| *key == written);
        }
        let known = keys.iter().find_map(|key| self.words.get(key)).copied();
        let term = known.unwrap_or(self.count);
        self.count = self.count.max(term + usize::from(!keys.is_empty()));
        for key in keys {
            self.words.entry(key).or_insert(term);
        }
    }

    /// Adds the pair that begins here, or the character where it stands alone.
    fn add_character(&mut self, character: char, index: usize, parts: &[Unit]) {
        let next = parts.get(index + 1).and_then(|next| touching(&parts[index], next));
        let paired_before =
            index > 0 && touching(&parts[index - 1], &parts[index]).is_some() && parts[index - 1].character.is_some();
        let count = self.count;
        let term = match next {
            Some(next) => *self.pairs.entry((character, next)).or_insert(count),
            None if paired_before => return,
            None => *self.characters.entry(character).or_insert(count),
        };
        self.count = count.max(term + 1);
    }
}

/// The places in the text where terms of the query stand.
pub fn highlight(text: &str, terms: &Terms<'_>) -> Vec<Span> {
    let units: Vec<Unit> = units(text).collect();
    let forms: Vec<Form> = units.iter().map(|unit| Form::of(text, unit, terms.normalise)).collect();
    let mut found: Vec<(Range<usize>, usize)> = Vec::new();
    for (index, (unit, form)) in units.iter().zip(&forms).enumerate() {
        match form {
            Form::Word { keys, .. } => {
                let term = keys.iter().find_map(|key| terms.words.get(key));
                found.extend(term.map(|term| (unit.range.clone(), *term)));
            }
            Form::Character(character) => {
                found.extend(terms.characters.get(character).map(|term| (unit.range.clone(), *term)));
                let Some(next) = units.get(index + 1) else { continue };
                let pair = touching(unit, next).and_then(|second| terms.pairs.get(&(*character, second)));
                found.extend(pair.map(|term| (unit.range.start..next.range.end, *term)));
            }
        }
    }
    for sequence in &terms.sequences {
        found.extend(
            places(sequence, &forms)
                .map(|at| (units[at.start].range.start..units[at.end - 1].range.end, sequence.term)),
        );
    }
    merge(found)
}

/// Where in the text's units the sequence stands.
fn places<'a>(sequence: &'a Sequence, forms: &'a [Form]) -> impl Iterator<Item = Range<usize>> + 'a {
    let length = sequence.units.len();
    forms
        .windows(length)
        .enumerate()
        .filter(|(_, window)| window.iter().zip(&sequence.units).all(|(here, wanted)| here.matches(wanted)))
        .map(move |(at, _)| at..at + length)
}

/// The next unit's character, when it follows without a gap and is one.
fn touching(unit: &Unit, next: &Unit) -> Option<char> {
    if unit.range.end == next.range.start { next.character } else { None }
}

/// Joins ranges that overlap or touch.
fn merge(mut found: Vec<(Range<usize>, usize)>) -> Vec<Span> {
    found.sort_by_key(|(range, term)| (range.start, range.end, *term));
    let mut spans: Vec<Span> = Vec::new();
    for (range, term) in found {
        match spans.last_mut() {
            Some(last) if range.start <= last.range.end => {
                last.range.end = last.range.end.max(range.end);
                last.terms.push(term);
            }
            _ => spans.push(Span { range, terms: vec![term] }),
        }
    }
    for span in &mut spans {
        span.terms.sort_unstable();
        span.terms.dedup();
    }
    spans
}

/// The word in lower case, with plain apostrophes and without the possessive.
fn plain_word(word: &str) -> String {
    let word = word.to_lowercase().replace('’', "'");
    match word.strip_suffix("'s") {
        Some(owner) => owner.to_owned(),
        None => word,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A toy stemmer: cuts endings, knows one stop word, splits codes.
    fn stem(word: &str) -> Vec<String> {
        if word == "the" || word == "of" {
            return Vec::new();
        }
        let stem = ["ling", "led", "ing", "s"].iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word);
        let mut forms = vec![stem.to_owned()];
        if word.contains('_') {
            forms.extend(word.split('_').map(str::to_owned));
        }
        forms
    }

    fn marked<'a>(text: &'a str, words: &[&str], phrases: &[&str]) -> Vec<&'a str> {
        highlight(text, &Terms::new(words, phrases, &stem)).into_iter().map(|span| &text[span.range]).collect()
    }

    #[test]
    fn stems_match_and_stop_words_do_not() {
        let text = "The Travelled roads of the travelling: TRAVELs, unravel.";
        assert_eq!(marked(text, &["travel", "the"], &[]), ["Travelled", "travelling", "TRAVELs"]);
        assert_eq!(marked("Bob’s and Bob's", &["bob"], &[]), ["Bob’s", "Bob's"]);
    }

    #[test]
    fn codes_are_marked_as_a_whole() {
        let text = "Seen ERR_4711 (CVE-2024-1234, v1.2.3) in err; 2 3 std::vector, vector";
        assert_eq!(marked(text, &["err_4711"], &[]), ["ERR_4711"]);
        assert_eq!(marked("ERR_4711 or ERR_4701", &["err_4711"], &[]), ["ERR_4711"]);
        assert_eq!(marked("ERR_4711 or ERR_4701", &["err"], &[]), ["ERR_4711", "ERR_4701"]);
        assert_eq!(marked(text, &["4711"], &[]), ["ERR_4711"]);
        assert_eq!(marked(text, &["cve-2024-1234"], &[]), ["CVE-2024-1234"]);
        assert_eq!(marked(text, &["v1.2.3"], &[]), ["v1.2.3"]);
        assert_eq!(marked(text, &["std::vector"], &[]), ["std::vector", "vector"]);
    }

    #[test]
    fn chinese_pairs_merge_into_runs() {
        assert_eq!(marked("公司的年假申请流程，请年底提交", &["年假申请"], &[]), ["年假申请"]);
        assert_eq!(marked("假期：年假。申请", &["年假申请"], &[]), ["年假", "申请"]);
        assert_eq!(marked("一年一度", &["年"], &[]), ["年"]);
        assert_eq!(marked("用Rust语言写", &["rust语言"], &[]), ["Rust语言"]);
        assert_eq!(marked("年 假", &["年假"], &[]), Vec::<&str>::new());
    }

    #[test]
    fn phrases_are_marked_only_in_full() {
        let text = "End of life. The end, of no life; the life's ends";
        assert_eq!(marked(text, &[], &["end of life"]), ["End of life"]);
        assert_eq!(marked(text, &["life"], &["end of"]), ["End of", "life", "end, of", "life", "life's"]);
        assert_eq!(marked("申请年假，年假", &[], &["申请年假"]), ["申请年假"]);
    }

    #[test]
    fn equal_terms_have_equal_numbers() {
        let terms = Terms::new(&["travel", "travelling", "money"], &[], &stem);
        let spans = highlight("money travelled, travels money", &terms);
        let numbers: Vec<_> = spans.iter().map(|span| span.terms.clone()).collect();
        assert_eq!(numbers, [vec![1], vec![0], vec![0], vec![1]]);
        let terms = Terms::new(&["年假申请"], &[], &stem);
        assert_eq!(highlight("年假申请", &terms)[0].terms, [0, 1, 2]);
    }

    #[test]
    fn nothing_to_mark_is_fine() {
        assert_eq!(marked("", &["x"], &["y z"]), Vec::<&str>::new());
        assert_eq!(marked("text", &["", "--"], &["!", ""]), Vec::<&str>::new());
    }

    proptest! {
        #[test]
        fn spans_are_sorted_apart_and_at_characters(
            text in "([a-c年假é\u{301} _.'-]|\\PC){0,60}",
            words in proptest::collection::vec("[a-c年假é\u{301}_.'-]{0,4}", 0..5),
            phrases in proptest::collection::vec("[a-c年假 ]{0,5}", 0..3),
        ) {
            let spans = highlight(&text, &Terms::new(&words, &phrases, &stem));
            let mut end = None;
            for span in spans {
                prop_assert!(end.is_none_or(|end| end < span.range.start));
                prop_assert!(span.range.start < span.range.end && span.range.end <= text.len());
                prop_assert!(text.get(span.range.clone()).is_some());
                prop_assert!(!span.terms.is_empty());
                end = Some(span.range.end);
            }
        }

        #[test]
        fn every_word_of_a_text_finds_itself(words in proptest::collection::vec("[a-zäж]{2,6}|[年假申请]{1,6}", 1..10), pick in 0usize..10) {
            let text = words.join(" ");
            let word = &words[pick % words.len()];
            prop_assume!(word != "the" && word != "of");
            let found = marked(&text, &[word], &[]);
            prop_assert!(found.iter().any(|found| found == word), "{} in {:?}", word, found);
        }
    }
}
