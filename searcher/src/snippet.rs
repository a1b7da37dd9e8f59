//! Cuts the most telling part out of a passage.
//!
//! It is the run of whole sentences and rows that shows the most terms of the query, of equal ones the rarest, and never
//! reaches across a barrier (a heading). Only where a sentence alone is too long, it is cut at words; scripts without spaces
//! can be cut at every character. It is never longer than asked for.

use std::collections::{BTreeSet, HashMap};
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

impl Snippet {
    /// With the blanks that stand before it on its line, if all fits: code is read by its indentation.
    pub(crate) fn with_indentation(self, text: &str, max_chars: usize) -> Self {
        let before = &text[..self.range.start];
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let indentation = &before[line..];
        let room = max_chars.saturating_sub(self.text.chars().count());
        if !indentation.trim_matches([' ', '\t']).is_empty() || indentation.chars().count() > room {
            return self;
        }
        let by = indentation.len();
        let moved = |span: Span| Span { range: span.range.start + by..span.range.end + by, ..span };
        Self {
            text: indentation.to_owned() + &self.text,
            spans: self.spans.into_iter().map(moved).collect(),
            range: line..self.range.end,
            ..self
        }
    }
}

/// What decides which part is cut.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'c> {
    /// Characters (Unicode scalar values) of the snippet at the most.
    pub max_chars: usize,
    /// The weight of each term that spans name, by its number; terms beyond count 1.
    pub weights: &'c [f32],
    /// Bytes that a snippet does not reach across, in order; it may be one of them.
    pub barriers: &'c [Range<usize>],
}

impl Cut<'_> {
    /// All terms alike, and no barriers.
    pub fn at(max_chars: usize) -> Self {
        Self { max_chars, weights: &[], barriers: &[] }
    }

    fn weight(&self, terms: &BTreeSet<usize>) -> f32 {
        terms.iter().map(|term| self.weights.get(*term).copied().unwrap_or(1.0)).sum()
    }
}

/// The best part of the passage, given what [`highlight`](crate::highlight()) found in it.
pub fn snippet(text: &str, spans: &[Span], cut: Cut<'_>) -> Snippet {
    let ruler = Ruler::new(text);
    if ruler.length() <= cut.max_chars && cut.barriers.is_empty() {
        return part(text, spans, 0..text.len());
    }
    let units = units(text, cut.barriers);
    let terms: Vec<BTreeSet<usize>> = units.iter().map(|unit| terms_in(spans, unit)).collect();
    let run = |first: usize| first..grown(text, &units, &terms, first..first + 1, Side::Behind, cut).end;
    let worth = |run: &Range<usize>| {
        let shown: BTreeSet<usize> = terms[run.clone()].iter().flatten().copied().collect();
        (shown.len(), cut.weight(&shown))
    };
    let fits = |at: &usize| text[units[*at].clone()].chars().count() <= cut.max_chars;
    let may_lead = |at: &usize| !cut.barriers.contains(&units[*at]) && fits(at);
    let leads: Vec<usize> = (0..units.len()).filter(may_lead).collect();
    let shows = |at: &usize| !terms[*at].is_empty();
    let telling = leads.iter().copied().filter(shows);
    // Without any term the text speaks for itself from its beginning.
    let runs = telling.chain(leads.first().copied().filter(|_| !leads.iter().any(shows))).map(run);
    let best = runs.reduce(|best, run| if worth(&run) > worth(&best) { run } else { best });
    // Of a sentence that is too long, part is better than others without the terms that it shows.
    let is_best_too_long =
        |best: &Range<usize>| (0..units.len()).any(|at| !fits(&at) && terms[at].len() > worth(best).0);
    match best.filter(|best| !is_best_too_long(best)) {
        Some(best) => {
            let whole = grown(text, &units, &terms, best, Side::Both, cut);
            part(text, spans, units[whole.start].start..units[whole.end - 1].end)
        }
        None => {
            let core = best_window(&ruler, spans, cut.max_chars);
            let window = widen(text, &ruler, core, cut.max_chars);
            part(text, spans, ruler.bytes(window))
        }
    }
}

/// The sentences and rows of a text, without gaps between them; a barrier is one by itself.
fn units(text: &str, barriers: &[Range<usize>]) -> Vec<Range<usize>> {
    let flowing = flowing(text);
    let mut borders: BTreeSet<usize> = flowing.split_sentence_bound_indices().map(|(at, _)| at).collect();
    for barrier in barriers {
        borders.retain(|at| *at <= barrier.start || *at >= barrier.end);
        borders.extend([barrier.start, barrier.end]);
    }
    borders.insert(text.len());
    let borders: Vec<usize> = borders.into_iter().collect();
    borders.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

fn terms_in(spans: &[Span], unit: &Range<usize>) -> BTreeSet<usize> {
    let inside = spans.iter().filter(|span| span.range.start < unit.end && span.range.end > unit.start);
    inside.flat_map(|span| span.terms.iter().copied()).collect()
}

/// Where a run of units may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Behind,
    Both,
}

/// A run of units and those beside it, as many as fit: those first that show terms which the others do not, else those
/// behind it.
fn grown(
    text: &str,
    units: &[Range<usize>],
    terms: &[BTreeSet<usize>],
    run: Range<usize>,
    side: Side,
    cut: Cut<'_>,
) -> Range<usize> {
    let (mut first, mut last) = (run.start, run.end - 1);
    let mut shown: BTreeSet<usize> = terms[run].iter().flatten().copied().collect();
    let is_open = |at: usize| !cut.barriers.contains(&units[at]);
    let fits =
        |first: usize, last: usize| text[units[first].start..units[last].end].trim().chars().count() <= cut.max_chars;
    loop {
        let next = Some(last + 1).filter(|next| *next < units.len() && is_open(*next) && fits(first, *next));
        let before = first.checked_sub(1).filter(|_| side == Side::Both);
        let before = before.filter(|before| is_open(*before) && fits(*before, last));
        let gain = |at: usize| cut.weight(&terms[at].difference(&shown).copied().collect());
        let chosen = match (next, before) {
            (Some(next), Some(before)) if gain(before) > gain(next) => before,
            (Some(next), _) => next,
            (None, Some(before)) => before,
            (None, None) => return first..last + 1,
        };
        shown.extend(terms[chosen].iter().copied());
        (first, last) = (first.min(chosen), last.max(chosen));
    }
}

/// The text with line breaks inside of sentences as blanks: a break between two words goes on with the sentence, one
/// after a full stop or before a list item does not. Of the same length in bytes.
pub(crate) fn flowing(text: &str) -> String {
    let mut characters = text.chars().peekable();
    let mut before = '\n';
    let mut out = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        let goes_on = |after: &char| after.is_alphanumeric() && (before.is_alphanumeric() || before == ',');
        let soft = character == '\n' && characters.peek().is_some_and(goes_on);
        out.push(if soft { ' ' } else { character });
        before = character;
    }
    out
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
fn part(text: &str, spans: &[Span], bytes: Range<usize>) -> Snippet {
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
        snippet(text, &highlight(&analyzer.analyse(text, &mut NormalForms::default()), &terms), Cut::at(max_chars))
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
    fn of_equally_many_terms_the_rarest_are_shown() {
        let text = format!("The form is sent to the desk. {}Grebe has the winch.", "More of it. ".repeat(20));
        let spans = [("form", 0), ("Grebe", 1)].map(|(word, term)| {
            let at = text.find(word).unwrap();
            Span { range: at..at + word.len(), terms: vec![term] }
        });
        let cut = |weights: &[f32]| snippet(&text, &spans, Cut { max_chars: 50, weights, barriers: &[] }).text;
        assert!(cut(&[1.0, 1.0]).starts_with("The form"), "{}", cut(&[1.0, 1.0]));
        assert!(cut(&[1.0, 5.0]).ends_with("Grebe has the winch."), "{}", cut(&[1.0, 5.0]));
    }

    #[test]
    fn a_heading_is_never_part_of_a_snippet() {
        let text = "Claims end here.\nDeadlines\nSubmit within 45 days.\nMoney\nPaid on the 25th.";
        let barriers = ["Deadlines", "Money"].map(|heading| {
            let at = text.find(heading).unwrap();
            at..at + heading.len()
        });
        let at = text.find("45").unwrap();
        let spans = [Span { range: at..at + 2, terms: vec![0] }];
        let found = snippet(text, &spans, Cut { max_chars: 200, weights: &[], barriers: &barriers });
        assert_eq!(found.text, "Submit within 45 days.");
        assert!(found.lead && found.trail);
    }

    #[test]
    fn code_keeps_the_indentation_of_its_first_line() {
        let text = "fn main() {\n    if ready {\n        start();\n    }\n}\n";
        let at = text.find("start").unwrap();
        let found = snippet(text, &[Span { range: at..at + 5, terms: vec![0] }], Cut::at(20));
        assert!(!found.text.starts_with(' '));
        let line = found.text.clone();
        let found = found.with_indentation(text, 40);
        assert!(found.text.starts_with("  ") && found.text.trim_start() == line, "{:?}", found.text);
        assert_eq!(&text[found.range.clone()], found.text);
        assert_eq!(marked(&found), ["start"]);
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
