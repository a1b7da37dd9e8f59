//! Abbreviations that documents explain: "Paid Time Off (PTO)", "PTO (paid time off)".
//!
//! A short form stands in brackets behind its long form, or the other way round; the long form is the shortest run of
//! words before it in which the letters of the short form stand in their order, the first at the beginning of a word
//! (Schwartz and Hearst 2003, "A simple algorithm for identifying abbreviation definitions in biomedical text").

use std::collections::{BTreeMap, HashMap};

use storage::View;

use crate::error::SearchError;
use crate::synonyms::Synonyms;

/// Letters of a short form.
const SHORT: std::ops::RangeInclusive<usize> = 2..=8;
/// Pairs that are counted; more come from lists of abbreviations, not from prose.
const MAX_COUNTED: usize = 50_000;
/// Long forms of one short form that are kept: the most frequent.
const MAX_LONG: usize = 3;
/// Short forms that are kept.
const MAX_KEPT: usize = 10_000;

/// The abbreviations that the passages of a view explain, as words that stand for each other. Reads every passage: for a
/// background thread.
///
/// # Errors
/// The index is damaged.
pub fn abbreviations_of(view: &View) -> Result<Synonyms, SearchError> {
    let mut counts: HashMap<(String, String), u32> = HashMap::new();
    view.for_each_passage(|passage| {
        for (short, long) in explained(&passage.chunk.text) {
            let key = (short.to_owned(), long.to_lowercase());
            if counts.len() < MAX_COUNTED || counts.contains_key(&key) {
                *counts.entry(key).or_default() += 1;
            }
        }
    })?;
    let mut by_short: BTreeMap<String, Vec<(u32, String)>> = BTreeMap::new();
    for ((short, long), count) in counts {
        by_short.entry(short).or_default().push((count, long));
    }
    let mut synonyms = Synonyms::default();
    for (short, mut longs) in by_short.into_iter().take(MAX_KEPT) {
        longs.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let most = longs.first().map_or(0, |(count, _)| *count);
        let often = longs.into_iter().take(MAX_LONG).filter(|(count, _)| count * 3 >= most);
        synonyms.explain(&short, &often.map(|(_, long)| long).collect::<Vec<_>>());
    }
    Ok(synonyms)
}

/// The abbreviations of a text with what they stand for.
fn explained(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(['(', '（']) {
        let rest = &text[at..];
        let inside_from = rest.chars().next().map_or(0, char::len_utf8);
        let Some(length) = rest[inside_from..].find([')', '）', '\n']) else { continue };
        let inside = rest[inside_from..inside_from + length].split([',', ';']).next().unwrap_or_default().trim();
        let before = sentence_before(&text[..at]);
        if is_short(inside) {
            found.extend(long_form(inside, before).map(|long| (inside, long)));
        } else if let Some(short) = before.split_whitespace().next_back().filter(|word| is_short(word)) {
            found.extend(long_form(short, inside).filter(|long| *long == inside).map(|long| (short, long)));
        }
    }
    found
}

/// The end of a text from the last sentence or line on.
fn sentence_before(text: &str) -> &str {
    let text = text.trim_end();
    let from = text.rfind(['\n', ';', '(', ')', '|', '。']).into_iter().chain(text.rfind(". ")).max();
    from.and_then(|from| text.get(from..)).map_or(text, |text| text.trim_start_matches(|c: char| !c.is_alphanumeric()))
}

/// Whether a word looks like an abbreviation: few letters and digits, most of them capitals.
fn is_short(word: &str) -> bool {
    let letters = word.chars().count();
    let capitals = word.chars().filter(|letter| letter.is_uppercase()).count();
    let is_plain = word.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '&' | '-' | '.'));
    SHORT.contains(&letters) && is_plain && capitals >= 2 && capitals * 2 >= letters
}

/// The end of a text that a short form abbreviates.
fn long_form<'t>(short: &str, text: &'t str) -> Option<&'t str> {
    let count = short.chars().count();
    let most = (count + 5).min(count * 2);
    let words: Vec<&str> = text.split_whitespace().collect();
    let first = words.get(words.len().saturating_sub(most))?;
    let window = &text[first.as_ptr() as usize - text.as_ptr() as usize..];
    let letters: Vec<(usize, char)> = window.char_indices().collect();
    let mut at = letters.len();
    let mut wanted = short.chars().filter(|letter| letter.is_alphanumeric()).rev().peekable();
    while let Some(letter) = wanted.next() {
        let is_first = wanted.peek().is_none();
        let fits = |place: usize| {
            let (_, other) = letters[place];
            let begins = place == 0 || !letters[place - 1].1.is_alphanumeric();
            other.to_lowercase().eq(letter.to_lowercase()) && (!is_first || begins)
        };
        at = (0..at).rev().find(|place| fits(*place))?;
    }
    let long = window.get(letters.get(at)?.0..)?.trim();
    let long_words = long.split_whitespace().count();
    let holds_itself = long.split_whitespace().any(|word| word == short);
    (long_words > 1 && !holds_itself).then_some(long)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn explained_abbreviations_are_found_in_both_orders() {
        for (text, expected) in [
            ("Staff take Paid Time Off (PTO) when they like.", ("PTO", "Paid Time Off")),
            ("We use PTO (paid time off) for this.", ("PTO", "paid time off")),
            ("Ask the Human Resources department (HR).", ("HR", "Human Resources department")),
            ("the service level agreement (SLA, see below)", ("SLA", "service level agreement")),
            ("Kept by the research and development (R&D) group", ("R&D", "research and development")),
            ("Die Allgemeinen Geschäftsbedingungen (AGB) gelten.", ("AGB", "Allgemeinen Geschäftsbedingungen")),
        ] {
            assert_eq!(explained(text), [expected], "{text}");
        }
    }

    #[test]
    fn brackets_that_explain_nothing_are_left() {
        for text in [
            "as the table (Table 3) shows",
            "in the year (2024)",
            "He said so (NO).",
            "Nothing before it.\n(PTO)",
            "see PTO (and much else)",
            "a thing (with a note",
            "PTO (PTO)",
            "",
        ] {
            assert!(explained(text).is_empty(), "{text}: {:?}", explained(text));
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "([A-Z]{0,4}|[a-z ]{0,8}|[(（）).;\n&]|\\PC){0,40}") {
            for (short, long) in explained(&text) {
                prop_assert!(text.contains(short) && text.contains(long));
            }
        }
    }
}
