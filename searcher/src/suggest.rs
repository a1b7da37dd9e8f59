//! Suggestions while somebody types: titles, headings, phrases of the documents and earlier queries that contain what was
//! typed, as words or beginnings of words, with a slip forgiven; and what was typed with its last words completed.
//!
//! Promises: every suggestion holds each typed word (or, if none does, a word one or two slips away), or begins as it was
//! typed; the order is fixed; the cost is bounded by constants, whatever is typed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use storage::{Analyzer, DocumentId, View, is_unspaced, runs};

use crate::error::SearchError;
use crate::phrases::Phrases;
use crate::slips;

/// Texts that are kept; more documents than this have titles enough.
const MAX_TEXTS: usize = 200_000;
/// Characters of a text worth suggesting.
const TEXT_CHARS: std::ops::RangeInclusive<usize> = 2..=120;
/// Typed words that are looked at.
const MAX_TYPED: usize = 12;
/// Words of the vocabulary that one typed beginning may stand for.
const MAX_WORDS: usize = 2_000;
/// Characters from each place of a text without spaces that can be typed to find it.
const RUN: usize = 8;
/// Words at the end of what was typed that a phrase may complete.
const COMPLETED: std::ops::RangeInclusive<usize> = 1..=2;
/// Characters of them.
const COMPLETED_CHARS: usize = 3;

/// Where a suggestion comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SuggestionKind {
    /// Asked before, with success.
    Query,
    /// Title of a document.
    Title,
    /// Heading within a document.
    Heading,
    /// Words that several documents have in common.
    Phrase,
}

/// A text to search for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Suggestion {
    /// The text.
    pub text: String,
    /// Where it comes from.
    pub kind: SuggestionKind,
    /// How often it occurs, or was asked; of a phrase, in how many documents.
    pub count: u32,
    /// Id of the document with this title, where it is the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

/// Finds suggestions. Immutable; made anew when the index has changed.
#[derive(Debug, Default)]
pub struct Suggester {
    texts: Vec<Text>,
    /// Every word with the texts it stands in, in order of words.
    words: Vec<(String, Vec<u32>)>,
}

#[derive(Debug)]
struct Text {
    suggestion: Suggestion,
    normal: String,
}

/// How far a word of the vocabulary is from what was typed; less is better.
type Distance = u32;
const EXACT: Distance = 0;
const BEGINNING: Distance = 1;
const SLIP: Distance = 4;

impl Suggester {
    /// The titles, headings and phrases of a view. Reads every passage: for a background thread.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn texts_of(view: &View) -> Result<Vec<Suggestion>, SearchError> {
        let mut counts: BTreeMap<(SuggestionKind, String), (u32, Option<DocumentId>)> = BTreeMap::new();
        let mut add = |kind, text: &str, document| {
            let known = counts.len();
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if TEXT_CHARS.contains(&text.chars().count()) && known < MAX_TEXTS {
                let counted = counts.entry((kind, text)).or_insert((0, document));
                counted.0 += 1;
                // Of several documents none is the one that is meant.
                counted.1 = counted.1.filter(|_| counted.0 == 1);
            }
        };
        let mut phrases = Phrases::default();
        let mut last = None;
        view.for_each_passage(|passage| {
            if last.replace(passage.document_id) != Some(passage.document_id) {
                phrases.next_document();
            }
            phrases.read(&passage.chunk.text);
            if passage.number == 0 {
                add(SuggestionKind::Title, &passage.document.title, Some(passage.document_id));
            }
            if let Some(heading) = passage.chunk.headings.last().filter(|heading| **heading != passage.document.title) {
                add(SuggestionKind::Heading, heading, None);
            }
        })?;
        let texts = counts.into_iter().map(|((kind, text), (count, document))| Suggestion {
            text,
            kind,
            count,
            document: document.map(|id| id.to_string()),
        });
        let phrases = phrases.common().into_iter().map(|(text, count)| Suggestion {
            text,
            kind: SuggestionKind::Phrase,
            count,
            document: None,
        });
        Ok(texts.chain(phrases).collect())
    }

    /// A suggester of these texts; of texts that differ in case or accents only, the first kind is kept.
    pub fn new(mut suggestions: Vec<Suggestion>) -> Self {
        suggestions.sort_by(|a, b| a.kind.cmp(&b.kind).then(b.count.cmp(&a.count)).then_with(|| a.text.cmp(&b.text)));
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut texts: Vec<Text> = Vec::new();
        let mut words: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for suggestion in suggestions.into_iter().take(MAX_TEXTS) {
            let normal = normal(&suggestion.text);
            if let Some(twin) = seen.get(&normal).and_then(|place| texts.get_mut(*place)) {
                let is_another = suggestion.kind == SuggestionKind::Title && twin.suggestion.kind == suggestion.kind;
                twin.suggestion.document = twin.suggestion.document.take().filter(|_| !is_another);
                continue;
            }
            seen.insert(normal.clone(), texts.len());
            let number = u32::try_from(texts.len()).unwrap_or(u32::MAX);
            for word in words_of(&normal) {
                let places = words.entry(word).or_default();
                if places.last() != Some(&number) {
                    places.push(number);
                }
            }
            texts.push(Text { suggestion, normal });
        }
        Self { texts, words: words.into_iter().collect() }
    }

    /// The best `limit` suggestions for what was typed so far; none for nothing.
    pub fn suggest(&self, typed: &str, limit: usize) -> Vec<&Suggestion> {
        let typed = normal(typed);
        let parts: Vec<&str> = typed.split(' ').filter(|part| !part.is_empty()).take(MAX_TYPED).collect();
        let Some((first, rest)) = parts.split_first() else { return Vec::new() };
        let mut found = self.texts_with(first);
        for part in rest {
            let with_part = self.texts_with(part);
            found = found.into_iter().filter_map(|(text, d)| Some((text, d + with_part.get(&text)?))).collect();
        }
        let mut ranked: Vec<(i64, u32)> =
            found.into_iter().map(|(text, d)| (self.rank(text, d, &typed), text)).collect();
        ranked.sort_unstable();
        ranked
            .into_iter()
            .take(limit)
            .filter_map(|(_, text)| Some(&self.texts.get(text as usize)?.suggestion))
            .collect()
    }

    /// What was typed with its last words completed to a phrase of the documents, the most frequent first: where no text
    /// holds all that was typed, its end can still be helped with.
    pub fn complete(&self, typed: &str, limit: usize) -> Vec<Suggestion> {
        if typed.ends_with(char::is_whitespace) {
            return Vec::new();
        }
        let words: Vec<&str> = typed.split_whitespace().collect();
        let mut completed: Vec<Suggestion> = Vec::new();
        for count in COMPLETED.rev().filter(|count| *count < words.len()) {
            let (head, tail) = words.split_at(words.len() - count);
            let tail = normal(&tail.join(" "));
            if tail.chars().count() < COMPLETED_CHARS {
                continue;
            }
            let is_phrase = |text: &&Text| text.suggestion.kind == SuggestionKind::Phrase;
            let from = self.words.partition_point(|(word, _)| word.as_str() < first_word(&tail));
            let near =
                self.words[from..].iter().take_while(|(word, _)| word.starts_with(first_word(&tail))).take(MAX_WORDS);
            let texts = near.flat_map(|(_, places)| places).filter_map(|place| self.texts.get(*place as usize));
            // A word that is whole by itself is gone on with, not made longer.
            let last = tail.rsplit(' ').next().unwrap_or_default();
            let is_whole = self.words.binary_search_by(|(word, _)| word.as_str().cmp(last)).is_ok();
            let fits = |text: &&Text| {
                let rest = text.normal.strip_prefix(&tail);
                rest.is_some_and(|rest| !rest.is_empty() && (!is_whole || rest.starts_with(' ')))
            };
            let mut phrases: Vec<&Suggestion> =
                texts.filter(is_phrase).filter(fits).map(|text| &text.suggestion).collect();
            phrases.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.text.cmp(&b.text)));
            for phrase in phrases {
                let text = format!("{} {}", head.join(" "), phrase.text);
                if completed.len() < limit && completed.iter().all(|known| known.text != text) {
                    completed.push(Suggestion { text, ..phrase.clone() });
                }
            }
        }
        completed
    }

    /// What was typed as if its last word were whole: the word of the texts that most of them hold, where the last is only
    /// the beginning of some.
    pub fn finished(&self, typed: &str) -> String {
        let last = typed.split_whitespace().next_back().unwrap_or_default();
        let part = normal(last);
        if typed.ends_with(char::is_whitespace) || part.chars().count() < 2 || part.contains(' ') {
            return typed.to_string();
        }
        let from = self.words.partition_point(|(word, _)| word.as_str() < part.as_str());
        let longer = self.words[from..].iter().take_while(|(word, _)| word.starts_with(&part)).take(MAX_WORDS);
        let best = longer.max_by_key(|(word, places)| (*word == part, places.len(), Reverse(word.as_str())));
        match (best, typed.rfind(last)) {
            (Some((word, _)), Some(at)) if *word != part => format!("{}{word}", &typed[..at]),
            _ => typed.to_string(),
        }
    }

    /// Less is better: far words count most, then whether the text begins as typed, its kind, its count, its length.
    fn rank(&self, text: u32, distance: Distance, typed: &str) -> i64 {
        let Some(Text { suggestion, normal }) = self.texts.get(text as usize) else { return i64::MAX };
        let begins = if normal.starts_with(typed) { -3 } else { 0 };
        let kind = match suggestion.kind {
            SuggestionKind::Query => -2,
            SuggestionKind::Title => -1,
            SuggestionKind::Heading => 0,
            SuggestionKind::Phrase => 1,
        };
        let frequency = i64::from(suggestion.count.ilog2().min(4));
        let length = i64::try_from(normal.chars().count()).unwrap_or(i64::MAX / 64);
        (i64::from(distance) + begins + kind) * 64 - frequency * 16 + length
    }

    /// The texts that hold a word like `part`, with the distance of the nearest.
    fn texts_with(&self, part: &str) -> HashMap<u32, Distance> {
        let mut texts = HashMap::new();
        let from = self.words.partition_point(|(word, _)| word.as_str() < part);
        let beginning = self.words[from..].iter().take_while(|(word, _)| word.starts_with(part)).take(MAX_WORDS);
        for (word, places) in beginning {
            let distance = if word.len() == part.len() { EXACT } else { BEGINNING };
            note(&mut texts, places, distance);
        }
        let allowed = slips_allowed(part);
        if texts.is_empty() && allowed > 0 {
            self.note_slips(part, allowed, &mut texts);
        }
        texts
    }

    fn note_slips(&self, part: &str, allowed: usize, texts: &mut HashMap<u32, Distance>) {
        let typed: Vec<char> = part.chars().collect();
        let Some(initial) = typed.first() else { return };
        let initial = initial.to_string();
        // Few slips hit the first letter, and with it only a slice of the vocabulary is looked at.
        let from = self.words.partition_point(|(word, _)| word.as_str() < initial.as_str());
        for (word, places) in self.words[from..].iter().take_while(|(word, _)| word.starts_with(&initial)) {
            let letters: Vec<char> = word.chars().take(typed.len() + allowed).collect();
            if let Some(slips) = slips::to_beginning(&typed, &letters, allowed) {
                note(texts, places, SLIP * Distance::try_from(slips).unwrap_or(SLIP));
            }
        }
    }
}

fn note(texts: &mut HashMap<u32, Distance>, places: &[u32], distance: Distance) {
    for place in places {
        let best = texts.entry(*place).or_insert(distance);
        *best = distance.min(*best);
    }
}

/// Short words have too many neighbours to guess.
fn slips_allowed(part: &str) -> usize {
    match part.chars().count() {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

fn first_word(normal: &str) -> &str {
    normal.split(' ').next().unwrap_or_default()
}

/// The words as the index folds them, unstemmed, with single spaces between them.
fn normal(text: &str) -> String {
    let analyzer = Analyzer::for_language(None);
    let words: Vec<String> = runs(text).map(|(run, _)| analyzer.normalize(&text[run])).collect();
    words.join(" ")
}

/// The words of a normal text; where the script has no spaces, a run from every character.
fn words_of(normal: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in normal.split(' ').filter(|word| !word.is_empty()) {
        let characters: Vec<char> = word.chars().collect();
        if !characters.iter().copied().any(is_unspaced) {
            words.push(word.to_string());
            continue;
        }
        let starts = (0..characters.len()).filter(|at| *at == 0 || is_unspaced(characters[*at]));
        words.extend(starts.map(|at| characters[at..characters.len().min(at + RUN)].iter().collect::<String>()));
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn suggester(texts: &[(&str, SuggestionKind, u32)]) -> Suggester {
        let suggestion = |(text, kind, count): &(&str, SuggestionKind, u32)| Suggestion {
            text: (*text).to_string(),
            kind: *kind,
            count: *count,
            document: None,
        };
        Suggester::new(texts.iter().map(suggestion).collect())
    }

    fn texts<'a>(suggester: &'a Suggester, typed: &str) -> Vec<&'a str> {
        suggester.suggest(typed, 5).into_iter().map(|suggestion| suggestion.text.as_str()).collect()
    }

    #[test]
    fn beginnings_anywhere_and_slips_are_found() {
        use SuggestionKind::{Heading, Query, Title};
        let all = suggester(&[
            ("Travel expenses", Title, 1),
            ("Reimbursement of expenses", Heading, 3),
            ("Vacation policy", Title, 1),
            ("how many vacation days", Query, 4),
            ("出差费用报销办法", Title, 1),
            ("Café régulier", Title, 1),
        ]);
        assert_eq!(texts(&all, "exp"), ["Travel expenses", "Reimbursement of expenses"]);
        assert_eq!(texts(&all, "travel exp"), ["Travel expenses"]);
        assert_eq!(texts(&all, "vac"), ["Vacation policy", "how many vacation days"]);
        assert_eq!(texts(&all, "vacaton"), ["how many vacation days", "Vacation policy"], "one slip");
        assert_eq!(texts(&all, "riembursment"), ["Reimbursement of expenses"], "two slips");
        assert_eq!(texts(&all, "报销"), ["出差费用报销办法"]);
        assert_eq!(texts(&all, "cafe"), ["Café régulier"]);
        assert!(texts(&all, "zzz").is_empty() && texts(&all, " ").is_empty());
        assert!(texts(&all, "travel vacation").is_empty(), "every word counts");
    }

    #[test]
    fn the_same_text_is_suggested_once() {
        use SuggestionKind::{Heading, Query};
        let all = suggester(&[("Leave", Heading, 9), ("leave", Query, 3)]);
        assert_eq!(texts(&all, "le"), ["leave"]);
    }

    #[test]
    fn the_end_of_what_was_typed_is_completed_by_phrases() {
        use SuggestionKind::{Phrase, Title};
        let all = suggester(&[
            ("Travel expenses", Phrase, 4),
            ("travel agency", Phrase, 7),
            ("Expense report", Title, 1),
            ("expenses", Phrase, 9),
            ("travels", Phrase, 20),
        ]);
        let completed = |typed: &str| all.complete(typed, 5).into_iter().map(|one| one.text).collect::<Vec<_>>();
        assert_eq!(
            completed("who pays my travel"),
            ["who pays my travel agency", "who pays my Travel expenses"],
            "not: travels"
        );
        assert_eq!(completed("who pays travel exp"), ["who pays Travel expenses", "who pays travel expenses"]);
        assert!(completed("travel").is_empty(), "one word is for the suggestions");
        assert!(completed("who pays travel ").is_empty() && completed("who pays xy").is_empty());
        assert_eq!(all.finished("who pays exp"), "who pays expenses");
        assert_eq!((all.finished("agency"), all.finished("x ")), ("agency".to_string(), "x ".to_string()));
    }

    #[test]
    fn a_title_leads_to_its_document_where_it_is_the_only_one() {
        let title = |text: &str, document: &str| Suggestion {
            text: text.to_string(),
            kind: SuggestionKind::Title,
            count: 1,
            document: Some(document.to_string()),
        };
        let all = Suggester::new(vec![title("Leave", "a"), title("LEAVE", "b"), title("Travel", "c")]);
        assert_eq!(all.suggest("leave", 5)[0].document, None);
        assert_eq!(all.suggest("travel", 5)[0].document.as_deref(), Some("c"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn nothing_typed_breaks_it(typed in ".{0,40}", stored in prop::collection::vec(".{0,30}", 0..8)) {
            let stored: Vec<_> = stored.iter().map(|text| (text.as_str(), SuggestionKind::Title, 1)).collect();
            let all = suggester(&stored);
            prop_assert!(all.suggest(&typed, 3).len() <= 3 && all.complete(&typed, 3).len() <= 3);
            prop_assert!(typed.is_empty() || !all.finished(&typed).is_empty());
        }

        #[test]
        fn a_text_is_found_by_its_own_words(text in "[a-z]{2,9}( [a-z]{2,9}){0,3}") {
            let all = suggester(&[(&text, SuggestionKind::Title, 1)]);
            prop_assert_eq!(texts(&all, &text), [text.as_str()]);
        }
    }
}
