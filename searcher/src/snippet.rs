//! Cuts the most telling part out of a passage.
//!
//! The window shows as many different terms of the query as fit, begins and ends at sentences where that costs little
//! and at words otherwise, and is never longer than asked for. Scripts without spaces can be cut at every character.

use std::collections::HashMap;
use std::ops::Range;

use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;

use crate::highlight::Span;

/// A sentence's end counts as a good place to stop when the window is filled to this share, in percent.
const FULL_ENOUGH: usize = 60;
/// Characters read beyond the window on both sides, so that sentences and words are recognised at its borders.
const CONTEXT: usize = 100;

/// Part of a passage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// The text, without blanks at the ends; line breaks inside are kept.
    pub text: String,
    /// What to mark in it: byte ranges of `text`, sorted, apart from each other.
    pub spans: Vec<Span>,
    /// Whether text was left out before it.
    pub lead: bool,
    /// Whether text was left out after it.
    pub trail: bool,
    /// Its bytes in the passage.
    pub range: Range<usize>,
}

/// The best part of the passage of at most `max_chars` characters (Unicode scalar values), given what
/// [`highlight`](crate::highlight()) found in it.
pub fn snippet(text: &str, spans: &[Span], max_chars: usize) -> Snippet {
    let ruler = Ruler::new(text);
    if ruler.length() <= max_chars {
        return cut(text, spans, 0..text.len());
    }
    let core = best_window(&ruler, spans, max_chars);
    let window = widen(text, &ruler, core, max_chars);
    cut(text, spans, ruler.bytes(window))
}

/// Translates between characters and bytes.
struct Ruler {
    /// Where each character begins, and the text's length.
    starts: Vec<usize>,
}

impl Ruler {
    fn new(text: &str) -> Self {
        Self { starts: text.char_indices().map(|(at, _)| at).chain([text.len()]).collect() }
    }

    /// The text's length in characters.
    fn length(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many characters begin before the byte.
    fn character(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start < byte).min(self.length())
    }

    fn bytes(&self, characters: Range<usize>) -> Range<usize> {
        self.starts[characters.start]..self.starts[characters.end]
    }
}

/// The characters from the first to the last span of the window that shows the most different terms, then the most spans,
/// then comes first. Empty and at the start without spans.
fn best_window(ruler: &Ruler, spans: &[Span], max_chars: usize) -> Range<usize> {
    let places: Vec<Range<usize>> =
        spans.iter().map(|span| ruler.character(span.range.start)..ruler.character(span.range.end)).collect();
    let mut shown: HashMap<usize, usize> = HashMap::new();
    let mut left = 0;
    let mut best = ((0, 0), 0..0);
    for (right, place) in places.iter().enumerate() {
        spans[right].terms.iter().for_each(|term| *shown.entry(*term).or_default() += 1);
        while left < right && place.end.saturating_sub(places[left].start) > max_chars {
            spans[left].terms.iter().for_each(|term| forget(&mut shown, *term));
            left += 1;
        }
        let worth = (shown.len(), right + 1 - left);
        if worth > best.0 {
            let start = places[left].start;
            best = (worth, start..place.end.clamp(start, start + max_chars));
        }
    }
    best.1
}

fn forget(shown: &mut HashMap<usize, usize>, term: usize) {
    if let Some(count) = shown.get_mut(&term) {
        *count -= 1;
        if *count == 0 {
            shown.remove(&term);
        }
    }
}

/// Grows the core to at most `max_chars` characters, with good borders.
fn widen(text: &str, ruler: &Ruler, core: Range<usize>, max_chars: usize) -> Range<usize> {
    let lowest = core.end.saturating_sub(max_chars);
    let farthest = (core.start + max_chars).min(ruler.length());
    let around = lowest.saturating_sub(CONTEXT)..(farthest + CONTEXT).min(ruler.length());
    let borders = Borders::of(text, ruler, around);
    let start = borders.start(lowest, &core, ruler.length().saturating_sub(max_chars));
    let end = borders.end(start, &core, max_chars, ruler.length());
    start..end
}

/// Where sentences and words begin, in characters, ascending.
struct Borders {
    sentences: Vec<usize>,
    words: Vec<usize>,
    graphemes: Vec<usize>,
}

impl Borders {
    fn of(text: &str, ruler: &Ruler, around: Range<usize>) -> Self {
        let bytes = ruler.bytes(around.clone());
        let part = &text[bytes.clone()];
        // The part's own start is an accident, unless it is the text's.
        let place = |at: usize| ruler.character(bytes.start + at);
        let real = |at: &usize| *at > around.start || around.start == 0;
        Self {
            sentences: part.split_sentence_bound_indices().map(|(at, _)| place(at)).filter(real).collect(),
            words: part.split_word_bound_indices().map(|(at, _)| place(at)).filter(real).collect(),
            graphemes: part.grapheme_indices(true).map(|(at, _)| place(at)).filter(real).collect(),
        }
    }

    /// Where to begin, between `lowest` and the core: at the core's sentence; else at a word, with some context before the
    /// core. Beyond `last_full`, the window would reach behind the text's end, so the start moves back if it can.
    fn start(&self, lowest: usize, core: &Range<usize>, last_full: usize) -> usize {
        let highest = core.start.min(last_full.max(lowest));
        let sentence = self.sentences.iter().rev().find(|at| (lowest..=highest).contains(at));
        let context = highest - (highest - lowest) / 2;
        let word = || self.words.iter().find(|at| (context..=core.start).contains(at));
        sentence.or_else(word).copied().unwrap_or(core.start)
    }

    /// Where to end, not before the core: at the text's end, a sentence's, or a word's.
    fn end(&self, start: usize, core: &Range<usize>, max_chars: usize, length: usize) -> usize {
        let limit = (start + max_chars).min(length);
        if limit == length {
            return length;
        }
        let full_enough = core.end.max(start + max_chars * FULL_ENOUGH / 100);
        let last =
            |borders: &[usize], from: usize| borders.iter().rev().find(|at| (from..=limit).contains(at)).copied();
        let beyond_core = core.end.max(start + 1);
        last(&self.sentences, full_enough)
            .or_else(|| last(&self.words, beyond_core))
            .or_else(|| last(&self.graphemes, beyond_core))
            .unwrap_or(limit)
    }
}

/// The snippet of these bytes, without blanks around it.
fn cut(text: &str, spans: &[Span], bytes: Range<usize>) -> Snippet {
    let part = &text[bytes.clone()];
    let kept = part.trim();
    let start = bytes.start + (part.len() - part.trim_start().len());
    // Of blanks alone nothing is kept, and trimming the start would have walked over all of them.
    let start = start.min(bytes.end - kept.len());
    let range = start..start + kept.len();
    Snippet {
        text: kept.to_owned(),
        spans: spans.iter().filter_map(|span| clip(span, &range)).collect(),
        lead: !text[..range.start].trim().is_empty(),
        trail: !text[range.end..].trim().is_empty(),
        range,
    }
}

/// The part of the span that lies in the range, counted from the range's start.
fn clip(span: &Span, range: &Range<usize>) -> Option<Span> {
    let start = span.range.start.max(range.start);
    let end = span.range.end.min(range.end);
    (start < end).then(|| Span { range: start - range.start..end - range.start, terms: span.terms.clone() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use storage::{AnalysedQuery, Analyzer, LexicalQuery, NormalForms};

    use super::*;
    use crate::highlight::{Terms, highlight};

    fn of(text: &str, words: &[&str], max_chars: usize) -> Snippet {
        let query = LexicalQuery { text: words.join(" "), ..LexicalQuery::default() };
        let analyzer = Analyzer::for_language(None);
        let terms = Terms::of(&AnalysedQuery::of(&query, std::slice::from_ref(&analyzer)));
        snippet(text, &highlight(&analyzer.analyse(text, &mut NormalForms::default()), &terms), max_chars)
    }

    fn marked(snippet: &Snippet) -> Vec<&str> {
        snippet.spans.iter().map(|span| &snippet.text[span.range.clone()]).collect()
    }

    #[test]
    fn a_short_passage_is_kept_whole() {
        let found = of("  Keep your receipts.\n", &["receipts"], 80);
        assert_eq!((found.text.as_str(), found.lead, found.trail), ("Keep your receipts.", false, false));
        assert_eq!(marked(&found), ["receipts"]);
        assert_eq!(found.range, 2..21);
    }

    const PASSAGE: &str = "Every trip begins with a request. Your manager approves it within three days. \
        After the trip, file the receipts in the expense tool. The money is paid back with the next salary. \
        Questions go to the travel desk.";

    #[test]
    fn whole_sentences_around_the_most_terms() {
        let found = of(PASSAGE, &["receipts", "money"], 110);
        assert_eq!(
            found.text,
            "After the trip, file the receipts in the expense tool. The money is paid back with the next salary."
        );
        assert_eq!(marked(&found), ["receipts", "money"]);
        assert!(found.lead && found.trail);
    }

    #[test]
    fn different_terms_beat_repeated_ones() {
        let text = format!(
            "trip trip trip trip. {} one trip and one desk. {}",
            "filler words here. ".repeat(10),
            "more. ".repeat(20)
        );
        assert_eq!(marked(&of(&text, &["trip", "desk"], 40)), ["trip", "desk"]);
    }

    #[test]
    fn without_terms_the_passage_begins() {
        let found = of(PASSAGE, &["unicorn"], 50);
        assert_eq!(found.text, "Every trip begins with a request.");
        assert!(!found.lead && found.trail && found.spans.is_empty());
    }

    #[test]
    fn the_end_of_a_passage_fills_the_window() {
        let found = of(PASSAGE, &["desk"], 90);
        assert!(found.text.ends_with("Questions go to the travel desk."), "{}", found.text);
        assert!(found.text.chars().count() > 60, "{}", found.text);
        assert!(found.lead && !found.trail);
    }

    #[test]
    fn long_sentences_are_cut_between_words() {
        let text = format!("{}needle{}", "some filler ".repeat(20), " other filler".repeat(20));
        let found = of(&text, &["needle"], 60);
        assert_eq!(marked(&found), ["needle"]);
        assert!(found.text.chars().count() > 45, "{}", found.text);
        assert!(
            found.text.split(' ').all(|word| ["some", "filler", "needle", "other"].contains(&word)),
            "{}",
            found.text
        );
    }

    #[test]
    fn chinese_is_cut_between_characters_and_sentences() {
        let text = "员工入职满一年后可以休年假。申请需要提前两周提交给主管。主管批准后系统会通知人事部门，然后人事部门更新考勤记录。其他问题请联系人事。";
        let found = of(text, &["提前两周"], 20);
        assert_eq!(found.text, "申请需要提前两周提交给主管。");
        assert_eq!(marked(&found), ["提前两周"]);
        let found = of(&"长".repeat(300), &["没有"], 20);
        assert_eq!(found.text, "长".repeat(20));
    }

    #[test]
    fn giant_words_and_tiny_windows_are_cut_anyway() {
        let word = "x".repeat(500);
        assert_eq!(of(&word, &[&word], 10).text.len(), 10);
        assert_eq!(of(&word, &["y"], 10).text.len(), 10);
        assert_eq!(of("abc def", &["def"], 0).text, "");
        assert_eq!(of("", &["def"], 0).text, "");
        assert_eq!(of("      ", &["def"], 2).text, "");
    }

    proptest! {
        #[test]
        fn snippets_are_short_parts_with_sound_spans(
            text in "([a-c年假é\u{301} .。\n'-]|\\PC){0,120}",
            words in proptest::collection::vec("[a-c年假]{1,3}", 0..4),
            max_chars in 0usize..60,
        ) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let found = of(&text, &words, max_chars);
            prop_assert!(found.text.chars().count() <= max_chars);
            prop_assert_eq!(&text[found.range.clone()], &found.text);
            let mut end = 0;
            for span in &found.spans {
                prop_assert!(span.range.start >= end && span.range.end <= found.text.len());
                prop_assert!(found.text.get(span.range.clone()).is_some_and(|part| !part.is_empty()));
                end = span.range.end;
            }
        }

        #[test]
        fn a_window_with_room_shows_a_term(before in "[a-z ]{0,80}", after in "[a-z ]{0,80}") {
            let text = format!("{before} NEEDLE9 {after}");
            let found = of(&text, &["needle9"], 20);
            prop_assert_eq!(marked(&found), ["NEEDLE9"]);
        }
    }
}
