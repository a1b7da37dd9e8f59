//! Tokens: the words of a text with the other ways in which the same thing is written.
//!
//! A run of letters and digits is a word. Beside it stand, at its place:
//! * *pieces*: the parts of `camelCase` names and what stands on either side of the border between letters and digits,
//!   so that `230V` is found by `230 V`;
//! * *joined words*: the runs around hyphens in one (`on-call` is found by `oncall`), and around other signs within names
//!   (`U.S.`, `AT&T`, `I/O`, `Node.js`, `snake_case`); and telephone numbers as one (see `dialled`);
//! * *numbers*: digits with separators as the number that they stand for, in every reading: `2.499,00` is `2499`,
//!   `34,155` is `34.155` and `34155`.
//!
//! Positions are those of the pieces, so that a phrase in one spelling is a phrase of that spelling.

use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

use super::dialled::dialled;
use super::normal::is_ignorable;

/// Digits that are left of a number without its leading zeros, at least, where these may be left out: `INC0012345`.
const SHORTENED: usize = 3;

/// Letters on either side of a slash that makes a name of both: `I/O`, `TCP/IP`.
const BESIDE_SLASH: usize = 3;

/// Letters behind a point that belongs to a name: `Node.js`, `ASP.NET`.
const BEHIND_POINT: usize = 3;

/// Pieces of one run; more are no name (base64, a checksum).
const MAX_PIECES: usize = 8;

/// Runs that are joined.
const MAX_JOINED: usize = 5;

/// What a token is of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A run of letters and digits.
    Word,
    /// A part of a `camelCase` run, or a run of digits within a number.
    Piece,
    /// A part of a run of letters and digits: it says little without the others.
    Fragment,
    /// Several runs in one.
    Joined,
    /// A telephone number, as it is compared.
    Dialled,
    /// The number that digits and separators stand for.
    Number,
}

/// A token of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) span: Range<usize>,
    pub(super) position: usize,
    pub(super) kind: TokenKind,
}

/// How a script separates words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// By spaces: a run is a word.
    Spaced,
    /// Not at all: a run is a clause.
    Unspaced,
}

/// Runs of letters and digits, each of one kind of script, as byte ranges: what all analysis begins with.
pub fn runs(text: &str) -> impl Iterator<Item = (Range<usize>, Script)> + '_ {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, first) = rest.find(|(_, character)| character.is_alphanumeric())?;
        let script = script_of(first);
        let mut end = start + first.len_utf8();
        while let Some((at, character)) = rest.peek() {
            let is_unseen = is_ignorable(*character);
            let is_letter = character.is_alphanumeric() && !is_unseen;
            if !(is_letter || is_unseen || is_combining_mark(*character))
                || (is_letter && script_of(*character) != script)
            {
                break;
            }
            // What is not seen joins two letters, and ends no word.
            if !is_unseen {
                end = at + character.len_utf8();
            }
            rest.next();
        }
        Some((start..end, script))
    })
}

/// The words of a text in lower case, unstemmed; of scripts without spaces, each character: for the likeness of texts.
pub fn plain_words(text: &str) -> impl Iterator<Item = String> + '_ {
    runs(text).flat_map(|(run, script)| {
        let run = &text[run];
        match script {
            Script::Spaced => vec![run.to_lowercase()],
            Script::Unspaced => run.chars().map(String::from).collect(),
        }
    })
}

/// Whether the character belongs to a script written without spaces (or, for Korean, best matched without them).
pub fn is_unspaced(character: char) -> bool {
    matches!(u32::from(character),
        0x0E00..=0x0EFF          // Thai, Lao
        | 0x1000..=0x109F        // Burmese
        | 0x1100..=0x11FF        // Hangul letters
        | 0x1780..=0x17FF        // Khmer
        | 0x3005..=0x3007        // iteration marks, zero
        | 0x3040..=0x30FF        // Hiragana, Katakana
        | 0x3130..=0x318F        // Hangul compatibility letters
        | 0x31F0..=0x31FF        // Katakana extensions
        | 0x3400..=0x4DBF        // Han extension A
        | 0x4E00..=0x9FFF        // Han
        | 0xA960..=0xA97F | 0xAC00..=0xD7FF // Hangul
        | 0xF900..=0xFAFF        // Han compatibility
        | 0xFF66..=0xFF9F        // half-width Katakana
        | 0x20000..=0x3FFFF      // Han extensions B and later
    )
}

fn script_of(character: char) -> Script {
    if is_unspaced(character) { Script::Unspaced } else { Script::Spaced }
}

/// What stands between two runs that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// A separator within a number.
    Separator(char),
    /// What may be left out of a name: the hyphen of `on-call`, the points of `U.S.` and `Node.js`, the `&` of `AT&T`.
    Sign(char),
}

impl Link {
    fn between(before: &str, gap: &str, after: &str) -> Option<Self> {
        let mut characters = gap.chars();
        let (only, None) = (characters.next()?, characters.next()) else { return None };
        let is_digit = |character: Option<char>| character.is_some_and(|character| character.is_ascii_digit());
        let around_digits = is_digit(before.chars().next_back()) && is_digit(after.chars().next());
        match only {
            '-' | '\u{2010}' | '\u{2011}' => Some(Self::Sign('-')),
            '.' | ',' | '\'' | '\u{2019}' if around_digits => Some(Self::Separator(only)),
            ' ' if is_digits(before, 1..=3) && is_digits(after, 3..=3) => Some(Self::Separator(' ')),
            '.' if is_letters(before, 1) && is_letters(after, 1) => Some(Self::Sign('.')),
            '.' if is_letters(before, usize::MAX) && is_letters(after, BEHIND_POINT) => Some(Self::Sign('.')),
            '/' if is_short_name(before) && is_short_name(after) => Some(Self::Sign('/')),
            '&' if is_letters(before, usize::MAX) && is_letters(after, usize::MAX) => Some(Self::Sign('&')),
            '\'' | '\u{2019}' if matches!(before, "o" | "O") && is_letters(after, usize::MAX) => Some(Self::Sign('\'')),
            '_' => Some(Self::Sign('_')),
            _ => None,
        }
    }
}

/// Whether a run has letters only, and so many at most.
fn is_letters(run: &str, most: usize) -> bool {
    run.chars().all(char::is_alphabetic) && run.chars().nth(most).is_none()
}

/// Whether a run is a few capitals: those of `TCP/IP`, and not the letters of `l/min`.
fn is_short_name(run: &str) -> bool {
    is_letters(run, BESIDE_SLASH) && run.chars().all(char::is_uppercase)
}

fn is_digits(run: &str, count: std::ops::RangeInclusive<usize>) -> bool {
    count.contains(&run.len()) && run.bytes().all(|byte| byte.is_ascii_digit())
}

/// Calls `visit` with every token of a text, in order of their positions.
pub(super) fn for_each_token(text: &str, mut visit: impl FnMut(Token<'_>)) {
    let mut group = Group { numbers: dialled(text), ..Group::default() };
    let mut position = 0;
    for (run, script) in runs(text) {
        if script == Script::Unspaced {
            position = group.flush(text, position, &mut visit);
            // A gap, so that no phrase reaches across.
            position += 1;
            continue;
        }
        let link = group
            .runs
            .last()
            .and_then(|last| Link::between(&text[last.clone()], &text[last.end..run.start], &text[run.clone()]));
        match link {
            Some(link) => group.links.push(link),
            None => position = group.flush(text, position, &mut visit),
        }
        group.runs.push(run);
    }
    group.flush(text, position, &mut visit);
}

/// Runs that belong together, and what links each to the next.
#[derive(Default)]
struct Group {
    runs: Vec<Range<usize>>,
    links: Vec<Link>,
    /// The telephone numbers of the text, the last one first.
    numbers: Vec<(Range<usize>, String)>,
}

impl Group {
    /// Gives out the tokens of the group, from `position` on, and empties it; the position behind them.
    fn flush(&mut self, text: &str, mut position: usize, visit: &mut impl FnMut(Token<'_>)) -> usize {
        for (index, run) in self.runs.iter().enumerate() {
            let kind = if self.is_in_number(index) { TokenKind::Piece } else { TokenKind::Word };
            visit(Token { text: &text[run.clone()], span: run.clone(), position, kind });
            self.push_joined(text, index, position, visit);
            position = push_pieces(text, run, position, visit);
        }
        // At the place of its last digits: what goes on in several groups is known when they are given out.
        let end = self.runs.last().map_or(0, |run| run.end);
        while let Some((span, number)) = self.numbers.pop_if(|(span, _)| span.end <= end) {
            visit(Token { text: &number, span, position: position.saturating_sub(1), kind: TokenKind::Dialled });
        }
        self.runs.clear();
        self.links.clear();
        position
    }

    fn is_in_number(&self, index: usize) -> bool {
        let is_separator = |link: Option<&Link>| matches!(link, Some(Link::Separator(_)));
        is_separator(self.links.get(index)) || (index > 0 && is_separator(self.links.get(index - 1)))
    }

    /// What begins at a run and reaches over several.
    fn push_joined(&self, text: &str, first: usize, position: usize, visit: &mut impl FnMut(Token<'_>)) {
        let Some(link) = self.links.get(first) else { return };
        let is_alike = |other: &Link| match link {
            Link::Separator(_) => matches!(other, Link::Separator(_)),
            Link::Sign(_) => other == link,
        };
        // Only where it begins: `on-call-list` is one word more, not three.
        if first > 0 && self.links.get(first - 1).is_some_and(is_alike) {
            return;
        }
        let count = self.links[first..].iter().take_while(|link| is_alike(link)).count();
        let (runs, links) = (&self.runs[first..=first + count], &self.links[first..first + count]);
        let span = runs.first().map_or(0, |run| run.start)..runs.last().map_or(0, |run| run.end);
        let mut give = |text: &str, kind| visit(Token { text, span: span.clone(), position, kind });
        match link {
            Link::Separator(_) => {
                let parts: Vec<&str> = runs.iter().map(|run| digits_at_border(&text[run.clone()])).collect();
                let separators: Vec<char> = links.iter().filter_map(Link::separator).collect();
                for number in readings(&parts, &separators) {
                    give(&number, TokenKind::Number);
                }
            }
            Link::Sign(_) if runs.len() <= MAX_JOINED => {
                let joined: String = runs.iter().map(|run| &text[run.clone()]).collect();
                give(&joined, TokenKind::Joined);
            }
            Link::Sign(_) => {}
        }
    }
}

impl Link {
    fn separator(&self) -> Option<char> {
        match self {
            Self::Separator(separator) => Some(*separator),
            Self::Sign(_) => None,
        }
    }
}

/// The digits of a run that belong to a number: `v2` ends with them, `5mm2` begins with them.
fn digits_at_border(run: &str) -> &str {
    let leading = run.bytes().take_while(u8::is_ascii_digit).count();
    if leading > 0 {
        return &run[..leading];
    }
    let trailing = run.bytes().rev().take_while(u8::is_ascii_digit).count();
    &run[run.len() - trailing..]
}

/// The numbers that digits with these separators between them can be: with a point for the decimals, without separators of
/// thousands, without zeros that say nothing. None for dates, versions and addresses.
fn readings(parts: &[&str], separators: &[char]) -> Vec<String> {
    let Some((last, before)) = separators.split_last() else { return Vec::new() };
    let groups_of_three = |parts: &[&str]| {
        parts.first().is_some_and(|first| (1..=3).contains(&first.len()))
            && parts[1..].iter().all(|part| part.len() == 3)
    };
    let are_alike = before.iter().all(|separator| Some(separator) == before.first());
    let is_decimal = matches!(last, '.' | ',') && are_alike && !before.contains(last);
    let mut numbers = Vec::new();
    if let (true, Some((decimals, whole))) = (is_decimal, parts.split_last())
        && groups_of_three_or_one(whole, groups_of_three)
    {
        let decimals = decimals.trim_end_matches('0');
        let whole = without_zeros(&whole.concat());
        numbers.push(if decimals.is_empty() { whole } else { format!("{whole}.{decimals}") });
    }
    if are_alike && before.first().is_none_or(|first| first == last) && groups_of_three(parts) {
        numbers.push(without_zeros(&parts.concat()));
    }
    numbers.dedup();
    numbers
}

/// Before the decimals stands one run of digits, or groups of three.
fn groups_of_three_or_one(whole: &[&str], groups_of_three: impl Fn(&[&str]) -> bool) -> bool {
    whole.len() == 1 || groups_of_three(whole)
}

fn without_zeros(digits: &str) -> String {
    let trimmed = digits.trim_start_matches('0');
    if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
}

/// Gives out the pieces of a run that has several; the position behind it.
fn push_pieces(text: &str, run: &Range<usize>, position: usize, visit: &mut impl FnMut(Token<'_>)) -> usize {
    let word = &text[run.clone()];
    // Most words have no border, and need no list of parts.
    if word.bytes().skip(1).all(|byte| byte.is_ascii_lowercase()) && word.starts_with(|c: char| c.is_ascii_alphabetic())
    {
        return position + 1;
    }
    let atoms = atoms(word);
    if atoms.len() < 2 || atoms.len() > MAX_PIECES {
        return position + 1;
    }
    let is_digits = |atom: &Range<usize>| word[atom.clone()].starts_with(|first: char| first.is_numeric());
    let is_mixed = atoms.iter().any(is_digits);
    let kind = if is_mixed { TokenKind::Fragment } else { TokenKind::Piece };
    let mut give = |piece: Range<usize>, position| {
        let span = run.start + piece.start..run.start + piece.end;
        visit(Token { text: &text[span.clone()], span, position, kind });
    };
    for (index, atom) in atoms.iter().enumerate() {
        let position = position + index;
        let begins_letters = !is_digits(atom) && (index == 0 || is_digits(&atoms[index - 1]));
        let letters_end = atoms[index..].iter().take_while(|atom| !is_digits(atom)).last().map(|last| last.end);
        // A name of several parts before or behind digits: the `OAuth` of `OAuth2`.
        if let (true, Some(end)) = (begins_letters, letters_end)
            && end > atom.end
            && (atom.start > 0 || end < word.len())
        {
            give(atom.start..end, position);
        }
        // A unit with a power behind its number: the `mm2` of `4mm2`.
        if index == 1 && is_digits(&atoms[0]) && atoms.len() > 2 && letters_end != Some(word.len()) {
            give(atom.start..word.len(), position);
        }
        give(atom.clone(), position);
        let shortened = word[atom.clone()].trim_start_matches('0');
        if is_digits(atom) && (SHORTENED..atom.len()).contains(&shortened.len()) {
            give(atom.end - shortened.len()..atom.end, position);
        }
    }
    position + atoms.len()
}

/// The letters and the digits of a run that has both, in their order; none for other runs, and for what is no name.
pub(super) fn letters_and_digits(word: &str) -> Vec<&str> {
    let atoms = atoms(word);
    let is_digits = |part: &str| part.starts_with(|first: char| first.is_numeric());
    let mut parts: Vec<Range<usize>> = Vec::new();
    for atom in &atoms {
        match parts.last_mut() {
            Some(last) if is_digits(&word[last.clone()]) == is_digits(&word[atom.clone()]) => last.end = atom.end,
            _ => parts.push(atom.clone()),
        }
    }
    if parts.len() < 2 || atoms.len() > MAX_PIECES {
        return Vec::new();
    }
    parts.into_iter().map(|part| &word[part]).collect()
}

/// The parts of a run between its borders: lower to upper case, letters to digits. One for a plain word.
fn atoms(word: &str) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut previous: Option<char> = None;
    let mut characters = word.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next_is_lower = characters.peek().is_some_and(|(_, next)| next.is_lowercase());
        let is_border = previous.is_some_and(|previous| {
            let is_camel =
                character.is_uppercase() && (previous.is_lowercase() || (previous.is_uppercase() && next_is_lower));
            is_camel
                || (previous.is_alphabetic() && character.is_numeric())
                || (previous.is_numeric() && character.is_alphabetic())
        });
        if is_border {
            parts.push(start..at);
            start = at;
        }
        previous = Some(character);
    }
    parts.push(start..word.len());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<(String, usize, TokenKind)> {
        let mut all = Vec::new();
        for_each_token(text, |token| all.push((token.text.to_owned(), token.position, token.kind)));
        all
    }

    fn texts(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|(text, ..)| text).collect()
    }

    fn numbers(text: &str) -> Vec<String> {
        tokens(text).into_iter().filter(|(.., kind)| *kind == TokenKind::Number).map(|(text, ..)| text).collect()
    }

    #[test]
    fn names_give_their_parts() {
        assert_eq!(
            texts("getHTTPResponse foo_bar"),
            ["getHTTPResponse", "get", "HTTP", "Response", "foo", "foobar", "bar"]
        );
        assert_eq!(texts("OAuth2"), ["OAuth2", "OAuth", "O", "Auth", "2"]);
        assert_eq!(texts("ISO9001"), ["ISO9001", "ISO", "9001"]);
        assert_eq!(texts("4mm2"), ["4mm2", "4", "mm2", "mm", "2"]);
        assert_eq!(texts("a1b2c3d4e5f6"), ["a1b2c3d4e5f6"]);
    }

    #[test]
    fn letters_and_digits_are_told_apart() {
        assert_eq!(letters_and_digits("OAuth2"), ["OAuth", "2"]);
        assert_eq!(letters_and_digits("4mm2"), ["4", "mm", "2"]);
        assert!(letters_and_digits("getResponse").is_empty() && letters_and_digits("a1b2c3d4e5f6").is_empty());
    }

    #[test]
    fn words_around_hyphens_are_joined_too() {
        assert_eq!(texts("on-call BX-7700/3"), ["on", "oncall", "call", "BX", "BX7700", "7700", "3"]);
        assert_eq!(texts("state-of-the-art"), ["state", "stateoftheart", "of", "the", "art"]);
        assert_eq!(texts("the U.S. and"), ["the", "U", "US", "S", "and"]);
        assert_eq!(texts("one - two"), ["one", "two"]);
        assert_eq!(texts("AT&T Node.js O'Brien"), ["AT", "ATT", "T", "Node", "Nodejs", "js", "O", "OBrien", "Brien"]);
        assert_eq!(texts("I/O 5 l/min end. Next"), ["I", "IO", "O", "5", "l", "min", "end", "Next"]);
        assert_eq!(texts("(030) 765-4321"), ["030", "765", "7654321", "4321", "307654321"]);
        assert_eq!(texts("a-b-c-d-e-f"), ["a", "b", "c", "d", "e", "f"]);
    }

    #[test]
    fn numbers_are_read_in_every_way() {
        for (written, read) in [
            ("155,34", vec!["155.34"]),
            ("155.340", vec!["155.34", "155340"]),
            ("2.499,00", vec!["2499"]),
            ("1,234.50", vec!["1234.5"]),
            ("12’500", vec!["12500"]),
            ("1 250 EUR", vec!["1250"]),
            ("34,155", vec!["34.155", "34155"]),
            ("1.234.567", vec!["1234567"]),
            ("2.5mm", vec!["2.5"]),
            ("v2.1", vec!["2.1"]),
            ("0,50", vec!["0.5"]),
            ("1 234 567,89", vec!["1234567.89"]),
            ("17.03.2024", vec![]),
            ("1.2.3", vec![]),
            ("1, 2", vec![]),
            ("1,234.5,6", vec![]),
        ] {
            assert_eq!(numbers(written), read, "{written}");
        }
    }

    #[test]
    fn positions_never_fall() {
        let all = tokens("The OAuth2 on-call 1 250 EUR for U.S. staff, 4mm2 and 报销 x");
        assert!(all.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{all:?}");
    }

    #[test]
    fn what_is_not_seen_splits_no_word() {
        let all: Vec<_> = runs("Dienst\u{AD}wagen Pass\u{200B}wort\u{200B} x").map(|(run, _)| run.len()).collect();
        assert_eq!(all, ["Dienst\u{AD}wagen".len(), "Pass\u{200B}wort".len(), 1]);
    }
}
