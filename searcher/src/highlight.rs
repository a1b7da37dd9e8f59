//! Highlighting: the places of a passage that show words of the query, to be marked for the reader.
//!
//! Marks are byte ranges, never markup: who shows the text decides how. What is compared are the terms that the index
//! holds, of the passage in its own language, so a mark is what the lexical retriever found the passage by: `travelled` for
//! `travelling`; pairs of characters that merge into runs where a script has no spaces; names such as `CVE-2024-1` and
//! phrases as a whole.
//!
//! Promises: spans lie inside the text, at character boundaries, sorted, neither touching nor overlapping.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde::Serialize;
use storage::{AnalysedQuery, AnalysedTerm, AnalysedText, Sequence};

/// A part of a text that shows terms of the query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// Which terms, as small numbers that mean nothing but equality; sorted, each once, at least one.
    pub terms: Vec<usize>,
}

/// What to mark: the terms of a query, ready to be found in many passages.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    exact: HashMap<String, usize>,
    stems: HashMap<String, usize>,
    grams: HashMap<String, usize>,
    codes: HashMap<String, usize>,
    sequences: Vec<(usize, Sequence)>,
    /// The words of all sequences.
    in_sequences: HashSet<String>,
}

impl Terms {
    /// The terms of a query that are worth a mark.
    pub fn of(query: &AnalysedQuery) -> Self {
        let mut terms = Self::default();
        let mut count = 0;
        let mut next = || {
            count += 1;
            count - 1
        };
        for word in query.words.iter().filter(|word| !word.is_part) {
            let number = next();
            terms.stems.extend(word.stems.iter().map(|(stem, _)| (stem.clone(), number)));
            if word.exact_weight > 0.0 {
                terms.exact.insert(word.exact.clone(), number);
            }
        }
        let is_pair = |gram: &&String| gram.chars().nth(1).is_some();
        // A character that belongs to a pair would be marked everywhere.
        let is_paired = |gram: &String| query.grams.iter().filter(is_pair).any(|pair| pair.contains(gram.as_str()));
        for gram in query.grams.iter().filter(|gram| is_pair(gram) || !is_paired(gram)) {
            terms.grams.insert(gram.clone(), next());
        }
        for code in &query.codes {
            terms.codes.insert(code.clone(), next());
        }
        // `storage::HeldTerm`s come in this order, and end with the names.
        for spelling in &query.spellings {
            terms.sequences.push((next(), spelling.written.clone()));
        }
        for name in &query.names {
            let number = next();
            terms.codes.entry(name.code.clone()).or_insert(number);
        }
        for sequence in query.phrases.iter().chain(&query.compounds) {
            terms.sequences.push((next(), sequence.clone()));
        }
        for alternative in &query.alternatives {
            let number = next();
            match &alternative.sequence {
                Some(sequence) => terms.sequences.push((number, sequence.clone())),
                None => {
                    for (stem, _) in alternative.words.iter().flat_map(|word| &word.stems) {
                        terms.stems.entry(stem.clone()).or_insert(number);
                    }
                }
            }
        }
        let words = terms.sequences.iter().flat_map(|(_, sequence)| sequence.all_spellings().flatten());
        terms.in_sequences = words.map(|(_, word)| word.clone()).collect();
        terms
    }

    /// Whether a word as it is written is looked for, by itself or within a sequence.
    pub(crate) fn wants_exact(&self, word: &str) -> bool {
        self.exact.contains_key(word) || self.in_sequences.contains(word)
    }

    /// Whether a stem is looked for.
    pub(crate) fn wants_stem(&self, stem: &str) -> bool {
        self.stems.contains_key(stem)
    }

    /// Whether characters of unspaced scripts are looked for.
    pub(crate) fn asks_for_grams(&self) -> bool {
        !self.grams.is_empty() || self.sequences.iter().any(|(_, sequence)| !sequence.characters.is_empty())
    }

    /// Whether exact names are looked for.
    pub(crate) fn asks_for_codes(&self) -> bool {
        !self.codes.is_empty()
    }
}

/// The places in a text where terms of the query stand; `text` is its analysis.
pub fn highlight(text: &AnalysedText, terms: &Terms) -> Vec<Span> {
    let mut found: Vec<(Range<usize>, usize)> = Vec::new();
    let streams = [
        (&text.exact, &terms.exact),
        (&text.stems, &terms.stems),
        (&text.grams, &terms.grams),
        (&text.codes, &terms.codes),
    ];
    for (stream, wanted) in streams.into_iter().filter(|(_, wanted)| !wanted.is_empty()) {
        found.extend(stream.iter().filter_map(|term| Some((term.span.clone(), *wanted.get(&term.text)?))));
    }
    for (number, sequence) in &terms.sequences {
        let words: Vec<Range<usize>> = sequence.all_spellings().flat_map(|words| places(&text.exact, words)).collect();
        let characters: Vec<Range<usize>> = places(&text.grams, &sequence.characters).collect();
        // Where it has both, both have to be there.
        let is_whole = (sequence.words.is_empty() || !words.is_empty())
            && (sequence.characters.is_empty() || !characters.is_empty());
        if is_whole {
            found.extend(words.into_iter().chain(characters).map(|range| (range, *number)));
        }
    }
    merge(found)
}

/// Where in a stream of terms others stand at the same distances.
fn places<'a>(stream: &'a [AnalysedTerm], wanted: &'a [(usize, String)]) -> impl Iterator<Item = Range<usize>> + 'a {
    let at = |position: usize, text: &str| {
        let from = stream.partition_point(|term| term.position < position);
        stream[from..].iter().take_while(|term| term.position == position).find(|term| term.text == text)
    };
    let place = move |first: &AnalysedTerm| {
        let (start, _) = wanted.first()?;
        let mut end = first.span.end;
        for (position, text) in &wanted[1..] {
            end = end.max(at(first.position + (position - start), text)?.span.end);
        }
        Some(first.span.start..end)
    };
    let begins = move |term: &&AnalysedTerm| wanted.first().is_some_and(|(_, text)| term.text == *text);
    stream.iter().filter(begins).filter_map(place)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use storage::{Analyzer, LexicalQuery, NormalForms};

    use super::*;

    fn terms(words: &str, phrases: &[&str]) -> Terms {
        let phrases = phrases.iter().map(|phrase| (*phrase).to_owned()).collect();
        let query = LexicalQuery { text: words.to_owned(), phrases, ..LexicalQuery::default() };
        Terms::of(&AnalysedQuery::of(&query, &[Analyzer::for_language(Some("en"))]))
    }

    fn spans(text: &str, terms: &Terms) -> Vec<Span> {
        highlight(&Analyzer::for_language(Some("en")).analyse(text, &mut NormalForms::default()), terms)
    }

    fn marked<'a>(text: &'a str, words: &str, phrases: &[&str]) -> Vec<&'a str> {
        spans(text, &terms(words, phrases)).into_iter().map(|span| &text[span.range]).collect()
    }

    #[test]
    fn stems_match_and_stop_words_do_not() {
        let text = "The Travelled roads of the travelling: TRAVELs, unravel.";
        assert_eq!(marked(text, "travel the", &[]), ["Travelled", "travelling", "TRAVELs"]);
        assert_eq!(marked("Bob’s and Bob's", "bob", &[]), ["Bob", "Bob"]);
        assert_eq!(marked("I don't know", "don't", &[]), ["don't"]);
        assert_eq!(marked("a t-shirt, t", "t-shirt", &[]), ["t-shirt"]);
    }

    #[test]
    fn codes_are_marked_as_a_whole() {
        let text = "Seen ERR_4711 (CVE-2024-1234, v1.2.3) in err; 2 3 std::vector, vector";
        assert_eq!(marked(text, "err_4711", &[]), ["ERR_4711"]);
        assert_eq!(marked("ERR_4711 or ERR_4701 or err 4711", "err_4711", &[]), ["ERR_4711", "err 4711"]);
        assert_eq!(marked("ERR_4711 or ERR_4701", "err", &[]), ["ERR", "ERR"]);
        assert_eq!(marked(text, "4711", &[]), ["4711"]);
        assert_eq!(marked(text, "cve-2024-1234", &[]), ["CVE-2024-1234"]);
        assert_eq!(marked(text, "v1.2.3", &[]), ["v1.2.3"]);
        assert_eq!(marked(text, "std::vector", &[]), ["std::vector", "vector"]);
        assert_eq!(marked("call getUserName now", "username", &[]), Vec::<&str>::new());
        assert_eq!(marked("call getUserName now", "user", &[]), ["User"]);
    }

    #[test]
    fn chinese_pairs_merge_into_runs() {
        assert_eq!(marked("公司的年假申请流程，请年底提交", "年假申请", &[]), ["年假申请"]);
        assert_eq!(marked("假期：年假。申请", "年假申请", &[]), ["年假", "申请"]);
        assert_eq!(marked("一年一度", "年", &[]), ["年"]);
        assert_eq!(marked("用Rust语言写", "rust语言", &[]), ["Rust语言"]);
        assert_eq!(marked("年 假", "年假", &[]), Vec::<&str>::new());
    }

    #[test]
    fn phrases_are_marked_only_in_full() {
        let text = "End of life. The end, of no life; the life's ends";
        assert_eq!(marked(text, "", &["end of life"]), ["End of life"]);
        assert_eq!(marked(text, "life", &["end of"]), ["End of", "life", "end, of", "life", "life"]);
        assert_eq!(marked("申请年假，年假", "", &["申请年假"]), ["申请年假"]);
        assert_eq!(marked("Rust 语言, Rust语言", "", &["没有 rust"]), Vec::<&str>::new());
    }

    #[test]
    fn equal_terms_have_equal_numbers() {
        let found = spans("money travelled, travels money", &terms("travel travelling money", &[]));
        let numbers: Vec<_> = found.iter().map(|span| span.terms.clone()).collect();
        assert_eq!(numbers, [vec![1], vec![0], vec![0], vec![1]]);
        assert_eq!(spans("年假申请", &terms("年假申请", &[]))[0].terms, [0, 1, 2]);
    }

    #[test]
    fn nothing_to_mark_is_fine() {
        assert_eq!(marked("", "x", &["y z"]), Vec::<&str>::new());
        assert_eq!(marked("text", "--", &["!", ""]), Vec::<&str>::new());
    }

    proptest! {
        #[test]
        fn spans_are_sorted_apart_and_at_characters(
            text in "([a-c年假é\u{301} _.'-]|\\PC){0,60}",
            words in "[a-c年假é\u{301}_.' -]{0,20}",
            phrases in proptest::collection::vec("[a-c年假 ]{0,5}", 0..3),
        ) {
            let phrases: Vec<&str> = phrases.iter().map(String::as_str).collect();
            let mut end = None;
            for span in spans(&text, &terms(&words, &phrases)) {
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
            let found = marked(&text, word, &[]);
            prop_assert!(found.iter().any(|found| found == word), "{} in {:?}", word, found);
        }
    }
}
