//! What a query has in one or in several words and documents have the other way round, as sequences of words.

use std::ops::RangeInclusive;

use super::analysis::Analyzer;
use super::names::Name;
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
/// Digits behind a letter that says a size: `A4`, `M12`.
const SIZE: usize = 2;
/// Letters and digits of the name of a standard: `ISO27001`.
const STANDARD: (RangeInclusive<usize>, RangeInclusive<usize>) = (2..=4, 3..=6);
/// Words that may stand within one: the `IEC` of `ISO/IEC 27001`, the `EN ISO` of `DIN EN ISO 9001`.
const WITHIN_STANDARD: RangeInclusive<usize> = 1..=2;

/// What is one word in a query, or a number and its unit, as several words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    /// What was typed, in lower case and without blanks.
    pub of: String,
    /// How it may be written.
    pub written: Sequence,
}

/// Names of letters and digits, written apart; long numbers in groups; and numbers with the unit behind them.
pub(super) fn spellings(text: &str) -> Vec<Spelling> {
    let text = NormalText::of(text);
    let mut all = Vec::new();
    for_each_token(text.as_str(), |token| {
        if token.kind != TokenKind::Word {
            return;
        }
        let parts = letters_and_digits(token.text);
        let apart = (!parts.is_empty()).then(|| parts.join(" "));
        let written = in_groups(token.text).into_iter().chain(apart).chain(parted(&parts));
        let written = written.map(|apart| as_written(&apart)).chain(standards(&parts));
        all.extend(written.map(|written| Spelling { of: token.text.to_lowercase(), written }));
    });
    all.extend(measures(text.as_str()).map(|measure| Spelling {
        of: as_written(measure).words.into_iter().map(|(_, word)| word).collect(),
        written: as_written(measure),
    }));
    let mut distinct: Vec<Spelling> = Vec::new();
    for spelling in all {
        if distinct.len() < MAX_TERMS && !distinct.iter().any(|known| known.written == spelling.written) {
            distinct.push(spelling);
        }
    }
    distinct
}

fn as_written(apart: &str) -> Sequence {
    let mut sequence = Sequence::of(apart);
    // Groups as a whole: what says that the number is held has none of its digits twice.
    let whole: Vec<String> = apart.split(' ').map(str::to_lowercase).collect();
    if whole.len() > 2 && whole.iter().all(|group| group.len() <= GROUP) {
        sequence.words.retain(|(_, word)| whole.contains(word));
    }
    sequence
}

/// The name of a standard with other words between its letters and its number.
fn standards(parts: &[&str]) -> impl Iterator<Item = Sequence> {
    let is_standard = match parts {
        [letters, digits] => STANDARD.0.contains(&letters.chars().count()) && STANDARD.1.contains(&digits.len()),
        _ => false,
    };
    let apart = if is_standard { Sequence::of(&parts.join(" ").to_lowercase()).words } else { Vec::new() };
    let distances = WITHIN_STANDARD.filter(move |_| is_standard);
    distances.map(move |distance| {
        let words = apart.iter().enumerate().map(|(index, (at, word))| (at + index * distance, word.clone())).collect();
        Sequence { words, spellings: Vec::new(), characters: Vec::new() }
    })
}

/// What else letters and digits may be parts of: `DIN A4` for `DINA4`, and `24/7` for `24x7`.
fn parted(parts: &[&str]) -> Vec<String> {
    match parts {
        [letters, digits] if letters.starts_with(char::is_alphabetic) && digits.len() <= SIZE => {
            let last = letters.char_indices().next_back().filter(|(at, _)| *at > 1);
            last.map(|(at, last)| format!("{} {last}{digits}", &letters[..at]).to_lowercase()).into_iter().collect()
        }
        [one, "x" | "X", other] => vec![format!("{one} {other}")],
        _ => Vec::new(),
    }
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

/// What documents may have as one name, and a query has otherwise: measures (the `12l/min` of `12 l/min`), sizes (the
/// `24x7` of `24/7` and `24 x 7`), and the signs in the names of languages, spelt out (the `C#` of `csharp`).
pub(super) fn joined_names(text: &str) -> Vec<Name> {
    let text = NormalText::of(text);
    let text = text.as_str();
    measured_names(text).chain(sizes(text)).chain(spelt_out(text)).take(MAX_TERMS).collect()
}

/// Numbers with a name of several parts behind them as one name.
fn measured_names(text: &str) -> impl Iterator<Item = Name> {
    let tokens: Vec<&str> = text.split_whitespace().collect();
    let joined = tokens.windows(2).filter(|pair| is_number(pair[0]) && runs(pair[1]).nth(1).is_some());
    let names = joined.flat_map(|pair| Analyzer::codes(&format!("{}{}", pair[0], pair[1])));
    names.map(|code| Name { of: code.text.clone(), code: code.text }).collect::<Vec<_>>().into_iter()
}

/// Two numbers with a sign between them that is as good as an `x`.
fn sizes(text: &str) -> impl Iterator<Item = Name> {
    let runs: Vec<_> = runs(text).map(|(run, _)| run).collect();
    let size = |one: &str, sign: &str, other: &str| {
        let are_numbers = [one, other].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        let code = format!("{one}x{other}");
        (are_numbers && matches!(sign.trim(), "/" | "×" | "x" | "X")).then(|| Name { of: code.clone(), code })
    };
    let pairs = runs
        .windows(2)
        .filter_map(|pair| size(&text[pair[0].clone()], &text[pair[0].end..pair[1].start], &text[pair[1].clone()]));
    let with_letter = runs.windows(3).filter_map(|three| {
        let [one, sign, other] = [0, 1, 2].map(|at| &text[three[at].clone()]);
        size(one, sign, other)
    });
    pairs.chain(with_letter).collect::<Vec<_>>().into_iter()
}

/// The names of languages and frameworks whose signs were spelt out.
fn spelt_out(text: &str) -> impl Iterator<Item = Name> {
    text.split_whitespace().filter_map(|word| {
        let of = word.to_lowercase();
        let behind_dot = of.strip_prefix("dot").filter(|name| name.len() > 1).map(|name| format!(".{name}"));
        let letter = of.strip_suffix("sharp").filter(|letter| letter.len() == 1);
        let plus = matches!(of.as_str(), "cpp" | "cplusplus").then(|| "c++".to_owned());
        let code = plus.or(behind_dot).or_else(|| letter.map(|letter| format!("{letter}#")))?;
        Some(Name { of, code })
    })
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

    fn texts(sequences: impl IntoIterator<Item = Sequence>) -> Vec<String> {
        let text = |sequence: Sequence| sequence.words.into_iter().map(|(_, word)| word).collect::<Vec<_>>().join(" ");
        sequences.into_iter().map(text).collect()
    }

    fn written(text: &str) -> impl Iterator<Item = Sequence> {
        spellings(text).into_iter().map(|spelling| spelling.written)
    }

    #[test]
    fn names_long_numbers_and_measures_are_written_apart() {
        for (text, apart) in [
            ("ISO9001", vec!["iso 9001", "iso 9001", "iso 9001"]),
            ("a plan", vec![]),
            ("230 V and 2.5 mm²", vec!["mm 2", "230 v", "2 5 mm2 2"]),
            ("12 l/min", vec!["12 l"]),
            ("5 of 6 in 2020", vec![]),
            ("7 employees", vec![]),
            ("DE44500105175407324931", vec!["de44 5001 0517 5407 3249 31", "de 44500105175407324931"]),
            ("4111111111111111", vec!["4111 1111 1111 1111"]),
            ("DINA4", vec!["dina 4", "din a4 4"]),
            ("24x7", vec!["24 x 7", "24 7"]),
        ] {
            assert_eq!(texts(written(text)), apart, "{text}");
        }
    }

    #[test]
    fn other_words_may_stand_within_the_name_of_a_standard() {
        let places = |name: &str| {
            let all = written(name).filter(|sequence| texts([sequence.clone()]) == ["iso 27001"]);
            all.map(|sequence| sequence.words.into_iter().map(|(at, _)| at).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        assert_eq!(places("ISO27001"), [[0, 1], [0, 2], [0, 3]]);
    }

    #[test]
    fn signs_of_names_may_be_spelt_out_and_sizes_have_several() {
        for (text, names) in [
            ("dotnet and csharp", vec![".net", "c#"]),
            ("cpp or CPlusPlus", vec!["c++", "c++"]),
            ("24/7 or 1920 × 1080", vec!["24x7", "1920x1080"]),
            ("30 x 40", vec!["30x40"]),
            ("dot app sharp", vec![]),
        ] {
            assert_eq!(codes(text), names, "{text}");
        }
    }

    fn codes(text: &str) -> Vec<String> {
        joined_names(text).into_iter().map(|name| name.code).collect()
    }

    #[test]
    fn a_measure_of_several_parts_is_one_name() {
        assert_eq!(codes("12 l/min or 3 bar, 5 km/h"), ["12l/min", "5km/h"]);
        assert_eq!(codes("hall 20 of net"), Vec::<String>::new());
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
