//! Telephone numbers, and others whose digits are written in groups or behind zeros: `(030) 765-4321`, `+49 30 7654321`
//! and `0307654321` are one.
//!
//! What is compared is the number as it is dialled within its country: without the prefix for calls between countries, the
//! country's code (E.164: one digit for 1 and 7, two for those of [`TWO_DIGITS`], three for all others) and the zero for
//! calls between towns.

use std::ops::Range;

/// Digits of a number in groups, without its prefixes; E.164 allows no more.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Digits of a number that has zeros in front.
const BEHIND_ZEROS: std::ops::RangeInclusive<usize> = 3..=15;
/// Digits behind the `00` for calls to another country; with fewer, it is zeros in front of a number.
const ABROAD: usize = 9;
/// Characters between two groups of a number: `) `, ` / `.
const GAP: usize = 3;
/// Digits of a group that may stand in parentheses behind a country's code.
const TRUNK: &str = "0";
/// The country codes of two digits.
const TWO_DIGITS: &[&str] = &[
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49", "51",
    "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84", "86", "90",
    "91", "92", "93", "94", "95", "98",
];

/// The numbers of a text in normal form that are more than the run of digits they are, with the digits that they are
/// compared by; the last one first.
pub(super) fn dialled(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found: Vec<(Range<usize>, String)> = chains(text).iter().filter_map(|chain| number(text, chain)).collect();
    found.reverse();
    found
}

/// Runs of digits, those together that may be groups of one number.
fn chains(text: &str) -> Vec<Vec<Range<usize>>> {
    let mut chains: Vec<Vec<Range<usize>>> = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(|character: char| character.is_ascii_digit()).map(|start| at + start) {
        let digits = text[start..].bytes().take_while(u8::is_ascii_digit).count();
        at = start + digits;
        let is_in_word =
            text[..start].ends_with(char::is_alphanumeric) || text[at..].starts_with(char::is_alphanumeric);
        if is_in_word {
            continue;
        }
        match chains.last_mut() {
            Some(chain) if chain.last().is_some_and(|last| goes_on(text, last, start)) => chain.push(start..at),
            _ => chains.push(std::iter::once(start..at).collect()),
        }
    }
    chains
}

/// Whether the digits that begin at `next` belong to the number of those at `last`: they stand close, and begin none.
fn goes_on(text: &str, last: &Range<usize>, next: usize) -> bool {
    let gap = &text[last.end..next];
    let is_gap = |character: char| matches!(character, ' ' | '-' | '\u{2010}'..='\u{2013}' | '/' | '.' | '(' | ')');
    let begins = gap.ends_with(' ') && text[next..].starts_with('0');
    gap.chars().all(is_gap) && gap.chars().nth(GAP).is_none() && !begins
}

fn number(text: &str, chain: &[Range<usize>]) -> Option<(Range<usize>, String)> {
    let (first, last) = (chain.first()?, chain.last()?);
    let is_trunk = |group: &&Range<usize>| {
        let in_parentheses = text[..group.start].ends_with('(') && text[group.end..].starts_with(')');
        in_parentheses && &text[(*group).clone()] == TRUNK
    };
    let digits: String = chain.iter().filter(|group| !is_trunk(group)).map(|group| &text[group.clone()]).collect();
    let behind_zeros = digits.strip_prefix("00").filter(|rest| rest.len() >= ABROAD && !rest.starts_with('0'));
    let from_abroad = if text[..first.start].ends_with('+') { Some(digits.as_str()) } else { behind_zeros };
    let national = from_abroad.map_or(digits.as_str(), without_country).trim_start_matches('0');
    let is_number = match chain {
        // As it is, it is a word already.
        [only] => national.len() < only.len() && BEHIND_ZEROS.contains(&national.len()),
        _ => DIGITS.contains(&national.len()),
    };
    is_number.then(|| (first.start..last.end, national.to_owned()))
}

fn without_country(digits: &str) -> &str {
    let code = match digits.get(..2) {
        Some(two) if two.starts_with(['1', '7']) => 1,
        Some(two) if TWO_DIGITS.contains(&two) => 2,
        _ => 3,
    };
    digits.get(code..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<String> {
        dialled(text).into_iter().rev().map(|(_, number)| number).collect()
    }

    #[test]
    fn a_telephone_number_is_the_same_however_it_is_written() {
        for written in [
            "0307654321",
            "(030) 765-4321",
            "030 / 765 43 21",
            "030/7654321",
            "+49 30 7654321",
            "+49 (0)30 765 4321",
            "+49-30-7654321",
            "0049 30 7654321",
            "030.765.4321",
            "call +49 30 765\u{2013}4321, please",
        ] {
            assert_eq!(numbers(written), ["307654321"], "{written}");
        }
        assert_eq!(numbers("+1 (555) 123-4567"), numbers("555 123 4567"));
        assert_eq!(numbers("+353 1 234 5678"), ["12345678"]);
        assert_eq!(numbers("no. 0004711 of 2024"), ["4711"]);
    }

    #[test]
    fn numbers_beside_each_other_are_several() {
        assert_eq!(
            numbers("030 7654321 040 1234567, 0301112223\n0404445556"),
            ["307654321", "401234567", "301112223", "404445556"]
        );
    }

    #[test]
    fn what_is_no_group_of_digits_is_none() {
        for none in
            ["5551234", "12 345", "INC0012345 4711", "4mm2 1234567", "012", "14:30:15 99", "1234567890123456 99"]
        {
            assert_eq!(numbers(none), Vec::<String>::new(), "{none}");
        }
    }

    #[test]
    fn numbers_lie_where_their_digits_are() {
        let text = "Tel. (030) 765-4321.";
        assert_eq!(dialled(text).into_iter().map(|(span, _)| &text[span]).collect::<Vec<_>>(), ["030) 765-4321"]);
    }
}
