//! Cuts a text into the units that highlighting compares: words, and single characters of scripts without spaces.
//!
//! Promises: units come in order, do not overlap, begin and end at character boundaries, and each holds a letter or digit.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

use storage::is_unspaced;
use unicode_normalization::char::is_combining_mark;

/// A unit of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Its bytes in the text, following marks included.
    pub(crate) range: Range<usize>,
    /// The letter, when the unit is a single character of a script without spaces; `None` for a word.
    pub(crate) character: Option<char>,
}

/// The units of the text.
///
/// A word is a run of letters, digits, underscores inside of it and the marks on them, with apostrophes between letters;
/// `ERR_4711` is one word, `v1.2-rc` three.
pub(crate) fn units(text: &str) -> impl Iterator<Item = Unit> {
    Units { text, rest: text.char_indices().peekable() }
}

struct Units<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
}

impl Iterator for Units<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        loop {
            let (start, first) = self.rest.next()?;
            if is_character(first) {
                return Some(Unit {
                    range: start..self.end_of_marks(start + first.len_utf8()),
                    character: Some(first),
                });
            }
            if first.is_alphanumeric() {
                return Some(Unit { range: start..self.end_of_word(start + first.len_utf8()), character: None });
            }
        }
    }
}

impl Units<'_> {
    fn end_of_marks(&mut self, mut end: usize) -> usize {
        while let Some((at, mark)) = self.rest.next_if(|(_, character)| is_combining_mark(*character)) {
            end = at + mark.len_utf8();
        }
        end
    }

    /// Where the word ends whose first letter ends at `end`. Underscores and apostrophes count once a letter follows.
    fn end_of_word(&mut self, mut end: usize) -> usize {
        while let Some(&(at, character)) = self.rest.peek() {
            if belongs_to_word(character) {
                end = at + character.len_utf8();
            } else if !joins_letters(character, self.text[at..].chars().nth(1)) {
                break;
            }
            self.rest.next();
        }
        end
    }
}

/// Whether the character is a unit of its own: a letter, not a mark, of a script without spaces.
fn is_character(character: char) -> bool {
    is_unspaced(character) && character.is_alphanumeric()
}

fn belongs_to_word(character: char) -> bool {
    !is_unspaced(character) && (character.is_alphanumeric() || is_combining_mark(character))
}

fn joins_letters(character: char, next: Option<char>) -> bool {
    match character {
        '_' => next.is_some_and(|next| next == '_' || belongs_to_word(next)),
        '\'' | '’' => next.is_some_and(|next| next.is_alphabetic() && !is_unspaced(next)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        units(text).map(|unit| &text[unit.range]).collect()
    }

    #[test]
    fn words_identifiers_and_characters() {
        assert_eq!(cut("See ERR_4711, __init__ (v1.2-rc)!"), ["See", "ERR_4711", "init", "v1", "2", "rc"]);
        assert_eq!(cut("don't the companies’ Bob’s 'x'"), ["don't", "the", "companies", "Bob’s", "x"]);
        assert_eq!(cut("Rust语言2024年"), ["Rust", "语", "言", "2024", "年"]);
        assert_eq!(cut("cafe\u{301}s हिन्दी"), ["cafe\u{301}s", "हिन्दी"]);
        assert_eq!(cut("a_年 _ - '' 🎉"), ["a", "年"]);
        assert_eq!(cut("ที่ラ・ド"), ["ที่", "ラ", "ド"]);
    }
}
