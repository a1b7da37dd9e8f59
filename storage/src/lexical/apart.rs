//! What a query has in one or in several words and documents have the other way round, as sequences of words.

use super::analysis::Analyzer;
use super::normal::NormalText;
use super::query::{MAX_TERMS, Sequence};
use super::stopwords::is_stopword;
use super::tokens::{Script, TokenKind, for_each_token, letters_and_digits, runs};

/// Letters of a unit: `mm`, `kWh`, `Gbit`; and of other short words behind a number.
const UNIT: usize = 5;
/// Characters of a number from which on it is written in groups: accounts, cards.
const LONG_NUMBER: usize = 12;
/// Characters of such a group.
const GROUP: usize = 4;
/// Pairs of words with capitals that are looked for.
const MAX_NEIGHBOURS: usize = 12;

/// Names of letters and digits, written apart; long numbers in groups; and numbers with the unit behind them.
pub(super) fn spellings(text: &str) -> Vec<Sequence> {
    let text = NormalText::of(text);
    let mut sequences: Vec<Sequence> = Vec::new();
    let mut push = |apart: &str| {
        let mut sequence = Sequence::of(apart);
        // Groups as a whole: what says that the number is held has none of its digits twice.
        let whole: Vec<String> = apart.split(' ').map(str::to_lowercase).collect();
        if whole.len() > 2 && whole.iter().all(|group| group.len() <= GROUP) {
            sequence.words.retain(|(_, word)| whole.contains(word));
        }
        if sequences.len() < MAX_TERMS && !sequences.contains(&sequence) {
            sequences.push(sequence);
        }
    };
    for_each_token(text.as_str(), |token| {
        if token.kind != TokenKind::Word {
            return;
        }
        if let Some(groups) = in_groups(token.text) {
            push(&groups);
        }
        let parts = letters_and_digits(token.text);
        if !parts.is_empty() {
            // As several words, and as the parts of a name that is written with capitals.
            push(&parts.join(" ").to_lowercase());
            push(&parts.join(" "));
        }
    });
    measures(text.as_str()).for_each(push);
    sequences
}

/// A long number in groups of four, as accounts and cards have it.
fn in_groups(word: &str) -> Option<String> {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if !word.is_ascii() || word.len() < LONG_NUMBER || digits * 4 < word.len() * 3 {
        return None;
    }
    let groups: Vec<&[u8]> = word.as_bytes().chunks(GROUP).collect();
    String::from_utf8(groups.join(&b' ')).ok()
}

/// Numbers with a name of several parts behind them as one name: the `12l/min` of `12 l/min`.
pub(super) fn measured_names(text: &str) -> Vec<String> {
    let text = NormalText::of(text);
    let tokens: Vec<&str> = text.as_str().split_whitespace().collect();
    let joined = tokens.windows(2).filter(|pair| is_number(pair[0]) && runs(pair[1]).nth(1).is_some());
    let names = joined.flat_map(|pair| Analyzer::codes(&format!("{}{}", pair[0], pair[1])));
    names.map(|code| code.text).take(MAX_TERMS).collect()
}

fn is_number(token: &str) -> bool {
    token.ends_with(|last: char| last.is_ascii_digit()) && !token.contains(char::is_alphabetic)
}

/// Numbers with the short word behind them: `230 V`, `2.5 mm²`.
fn measures(text: &str) -> impl Iterator<Item = &str> {
    let tokens: Vec<&str> = text.split_whitespace().collect();
    let unit = |token: &str| {
        let (run, script) = runs(token).next()?;
        let letters = token[run.clone()].chars().take_while(|character| character.is_alphabetic()).count();
        let is_unit = run.start == 0 && script == Script::Spaced && (1..=UNIT).contains(&letters);
        (is_unit && !is_stopword(&token[run.clone()].to_lowercase())).then_some(run.end)
    };
    let places: Vec<(usize, usize)> = tokens
        .windows(2)
        .filter(|pair| is_number(pair[0]))
        .filter_map(|pair| {
            let start = pair[0].as_ptr() as usize - text.as_ptr() as usize;
            let behind = pair[1].as_ptr() as usize - text.as_ptr() as usize;
            Some((start, behind + unit(pair[1])?))
        })
        .collect();
    places.into_iter().map(|(start, end)| &text[start..end])
}

/// Words with capitals that stand beside each other, two by two: names of several words. Where all is in capitals, they say
/// nothing, and two function words are none.
pub(super) fn neighbours(text: &str) -> Vec<Sequence> {
    let text = NormalText::of(text);
    let text = text.as_str();
    if !text.contains(char::is_lowercase) {
        return Vec::new();
    }
    let words: Vec<_> = runs(text).filter(|(_, script)| *script == Script::Spaced).map(|(run, _)| run).collect();
    let is_function = |word: &str| is_stopword(&word.to_lowercase());
    let has_capital = |word: &str| word.starts_with(char::is_uppercase);
    let mut sequences: Vec<Sequence> = Vec::new();
    for pair in words.windows(2) {
        let (first, second) = (&text[pair[0].clone()], &text[pair[1].clone()]);
        let are_beside = text[pair[0].end..pair[1].start].chars().all(char::is_whitespace);
        let are_names = has_capital(first) && has_capital(second) && !(is_function(first) && is_function(second));
        let sequence = Sequence::of(&text[pair[0].start..pair[1].end]);
        if are_beside && are_names && sequences.len() < MAX_NEIGHBOURS && !sequences.contains(&sequence) {
            sequences.push(sequence);
        }
    }
    sequences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sequences: Vec<Sequence>) -> Vec<String> {
        let text = |sequence: Sequence| sequence.words.into_iter().map(|(_, word)| word).collect::<Vec<_>>().join(" ");
        sequences.into_iter().map(text).collect()
    }

    #[test]
    fn names_long_numbers_and_measures_are_written_apart() {
        for (text, apart) in [
            ("ISO9001", vec!["iso 9001"]),
            ("a plan", vec![]),
            ("230 V and 2.5 mm²", vec!["mm 2", "230 v", "2 5 mm2 2"]),
            ("12 l/min", vec!["12 l"]),
            ("5 of 6 in 2020", vec![]),
            ("7 employees", vec![]),
            ("DE44500105175407324931", vec!["de44 5001 0517 5407 3249 31", "de 44500105175407324931"]),
            ("4111111111111111", vec!["4111 1111 1111 1111"]),
        ] {
            assert_eq!(texts(spellings(text)), apart, "{text}");
        }
    }

    #[test]
    fn a_measure_of_several_parts_is_one_name() {
        assert_eq!(measured_names("12 l/min or 3 bar, 5 km/h"), ["12l/min", "5km/h"]);
        assert_eq!(measured_names("hall 20 of net"), Vec::<String>::new());
    }

    #[test]
    fn names_of_several_words_are_pairs() {
        assert_eq!(texts(neighbours("Who is Will Smith, Sales")), ["will smith"]);
        assert_eq!(texts(neighbours("Le Monde Paris")), ["le monde", "monde paris"]);
        for none in ["travel costs abroad", "TRAVEL COSTS", "The Who", "差旅 E-Mail", ""] {
            assert_eq!(texts(neighbours(none)), Vec::<String>::new(), "{none}");
        }
    }
}
