//! The script of a text, as far as it says whether two texts can share words.

use std::collections::BTreeMap;

/// Letters that tell it.
const LETTERS: usize = 500;

/// A script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Writing {
    /// Without spaces between words: Chinese, Japanese, Korean, Thai ..
    Unspaced,
    /// Latin letters.
    Latin,
    /// Another one, by its block of characters.
    Other(u32),
}

impl Writing {
    /// What most letters at the beginning of a text are written in; `None` without letters.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let mut counts: BTreeMap<Self, usize> = BTreeMap::new();
        for letter in text.chars().filter(|c| c.is_alphabetic()).take(LETTERS) {
            *counts.entry(Self::of_letter(letter)).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(writing, _)| writing)
    }

    fn of_letter(letter: char) -> Self {
        match u32::from(letter) {
            _ if storage::is_unspaced(letter) => Self::Unspaced,
            0..0x250 | 0x1E00..0x1F00 => Self::Latin,
            code => Self::Other(code >> 8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_told_by_most_of_the_letters() {
        for (text, expected) in [
            ("how many days, ça va, Łódź", Some(Writing::Latin)),
            ("在 Nest 里怎么申请年休假", Some(Writing::Unspaced)),
            ("有給休暇", Some(Writing::Unspaced)),
            ("сколько дней", Some(Writing::Other(4))),
            ("πόσες ημέρες", Some(Writing::Other(3))),
            ("4711 -- ?", None),
        ] {
            assert_eq!(Writing::of(text), expected, "{text}");
        }
    }
}
