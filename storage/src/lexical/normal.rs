//! The normal form of text: one spelling for what looks the same, with the way back to the text it was made from.
//!
//! * A text is brought to NFKC (full-width letters, half-width kana, ligatures, Hangul in letters, `²`), the digits of all
//!   scripts are those of ASCII, and what is not seen vanishes: soft hyphens, zero-width characters, joiners, marks of
//!   direction.
//! * A word is in lower case, without the marks of Latin, Greek, Cyrillic, Arabic and Hebrew letters, and letters that
//!   Unicode does not take apart (`ł`, `đ`, `ß`, `ø`) become the ones they are typed as, as does the `µ` of units. Vowel
//!   signs of other scripts are letters and stay.
//! * Traditional characters become simplified ones, by the table of OpenCC.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use hanconv::RawDictionary;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A text in normal form.
pub(super) struct NormalText<'a> {
    text: Cow<'a, str>,
    /// Where its parts come from, in order; empty if it is the text that it was made from.
    pieces: Vec<Piece>,
}

/// A part of a normal text and what it stands for.
struct Piece {
    /// First byte in the normal text.
    start: usize,
    /// Bytes of the original.
    origin: Range<usize>,
    /// Whether both are the same, byte by byte.
    is_same: bool,
}

impl<'a> NormalText<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        if text.is_ascii() || text.chars().all(is_inert) {
            return Self { text: Cow::Borrowed(text), pieces: Vec::new() };
        }
        let mut normal = Self { text: Cow::Owned(String::with_capacity(text.len())), pieces: Vec::new() };
        let mut rest = text.char_indices().peekable();
        while let Some((start, first)) = rest.next() {
            let mut end = start + first.len_utf8();
            let mut is_same = is_inert(first);
            while let Some((at, next)) = rest.next_if(|(_, next)| belongs_to_last(*next)) {
                end = at + next.len_utf8();
                is_same = false;
            }
            normal.push(&text[start..end], start, is_same);
        }
        normal
    }

    fn push(&mut self, original: &str, at: usize, is_same: bool) {
        let text = self.text.to_mut();
        let start = text.len();
        let origin = at..at + original.len();
        if is_same {
            text.push_str(original);
            match self.pieces.last_mut() {
                Some(last) if last.is_same && last.origin.end == at => last.origin.end = origin.end,
                _ => self.pieces.push(Piece { start, origin, is_same }),
            }
            return;
        }
        // `3½` is no 31, and `10²` no 102.
        let is_behind_number =
            self.pieces.last().is_some_and(|last| last.is_same) && text.ends_with(|last: char| last.is_ascii_digit());
        if is_behind_number && original.starts_with(is_small_number) {
            text.push(' ');
        }
        let shown = original.chars().filter(|character| !is_ignorable(*character)).map(as_separator);
        let normal = shown.nfkc().filter(|character| !is_ignorable(*character));
        text.extend(normal.map(|character| if character == '\u{2044}' { '/' } else { as_digit(character) }));
        if text.len() > start {
            self.pieces.push(Piece { start, origin, is_same });
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The bytes of the original that a part of the normal text stands for.
    pub(super) fn origin(&self, span: Range<usize>) -> Range<usize> {
        if self.pieces.is_empty() {
            return span;
        }
        let of = |byte: usize| {
            let at = self.pieces.partition_point(|piece| piece.start <= byte).saturating_sub(1);
            self.pieces.get(at).map(|piece| (piece, byte - piece.start))
        };
        let start = of(span.start).map_or(span.start, |(piece, into)| {
            if piece.is_same { piece.origin.start + into } else { piece.origin.start }
        });
        let last = span.end.saturating_sub(1).max(span.start);
        let end =
            of(last).map_or(
                span.end,
                |(piece, into)| if piece.is_same { piece.origin.start + into + 1 } else { piece.origin.end },
            );
        start..end
    }
}

/// Whether normalisation leaves a character as it is, whatever follows.
fn is_inert(character: char) -> bool {
    match character {
        '\0'..='\u{9F}' => true,
        // Composed Latin, Greek and Cyrillic letters, CJK ideographs, kana and Hangul syllables: most of all texts.
        '\u{C0}'..='\u{131}' | '\u{134}'..='\u{13E}' | '\u{141}'..='\u{148}' | '\u{14A}'..='\u{17E}' => true,
        '\u{391}'..='\u{3CE}' | '\u{400}'..='\u{482}' | '\u{5D0}'..='\u{5EA}' | '\u{620}'..='\u{63F}' => true,
        '\u{641}'..='\u{64A}' | '\u{2010}' | '\u{2012}'..='\u{2016}' | '\u{2018}'..='\u{2023}' | '\u{20AC}' => true,
        '\u{3001}'..='\u{3029}' | '\u{3041}'..='\u{3096}' | '\u{30A0}'..='\u{30FE}' => true,
        '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' => true,
        _ => false,
    }
}

/// Whether a character is composed with the one before it: marks, vowels and finals of Hangul, the sound marks of
/// half-width kana; and what is not seen, so that it hides nothing from them.
fn belongs_to_last(character: char) -> bool {
    is_combining_mark(character)
        || matches!(character, '\u{1160}'..='\u{11FF}' | '\u{FF9E}' | '\u{FF9F}')
        || is_ignorable(character)
}

/// What text is shown as if it were not there: Unicode's Default_Ignorable_Code_Point, as far as it is assigned, and the
/// line that only stretches Arabic words.
pub(super) fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{640}' | '\u{115F}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}'
    )
}

/// Digits in superscript, and fractions: behind a number they are another one.
fn is_small_number(character: char) -> bool {
    matches!(character, '²' | '³' | '¹' | '¼'..='¾' | '\u{2070}' | '\u{2074}'..='\u{2079}' | '\u{2150}'..='\u{215E}')
}

/// Signs behind names that normalisation would make letters of them; and what separates the digits of Arabic numbers, as
/// others have it.
fn as_separator(character: char) -> char {
    match character {
        '\u{2120}' | '\u{2122}' => ' ',
        '\u{66B}' => '.',
        '\u{66C}' => ',',
        other => other,
    }
}

/// The zeros of the scripts that have digits of their own, each followed by the other nine (Unicode's `Nd`); those that
/// normalisation makes digits of ASCII are not among them.
const ZEROS: &[u32] = &[
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20,
    0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0,
    0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0,
    0x11450, 0x114D0, 0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50, 0x11D50,
    0x11DA0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1, 0x1E950,
];

/// A digit of any script as that of ASCII.
fn as_digit(character: char) -> char {
    let code = u32::from(character);
    let behind = ZEROS.partition_point(|zero| *zero <= code);
    let value = behind.checked_sub(1).map(|at| code - ZEROS[at]).filter(|value| *value < 10);
    value.and_then(|value| char::from_digit(value, 10)).unwrap_or(character)
}

/// A word in lower case.
pub(super) fn lower(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    NormalText::of(word).as_str().to_lowercase()
}

/// A word in lower case without what people leave out when they type.
pub(super) fn fold(word: &str) -> Cow<'_, str> {
    if word.is_ascii() {
        return Cow::Borrowed(word);
    }
    let mut folded = String::with_capacity(word.len());
    let mut letters = word.nfd().filter(|character| !is_folded_mark(*character)).peekable();
    while let Some(letter) = letters.next() {
        // The micro of units, which normalisation makes a Greek letter: `µg` is typed as `ug`.
        if letter == 'μ' && letters.peek().is_some_and(char::is_ascii_alphabetic) {
            folded.push('u');
            continue;
        }
        match typed_as(letter) {
            Some(typed) => folded.push_str(typed),
            None => folded.push(letter),
        }
    }
    Cow::Owned(folded.nfc().collect())
}

/// Marks that people leave out: accents, Hebrew points, Arabic vowels and hamzas.
fn is_folded_mark(character: char) -> bool {
    matches!(
        character,
        '\u{300}'..='\u{36F}' | '\u{483}'..='\u{487}' | '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}' | '\u{5C2}'
            | '\u{5C4}' | '\u{5C5}' | '\u{5C7}' | '\u{610}'..='\u{61A}' | '\u{64B}'..='\u{65F}' | '\u{670}'
            | '\u{6D6}'..='\u{6DC}' | '\u{6DF}'..='\u{6E8}' | '\u{6EA}'..='\u{6ED}' | '\u{1AB0}'..='\u{1AFF}'
            | '\u{1DC0}'..='\u{1DFF}'
    )
}

/// The letters that a lower-case letter is typed as where a keyboard does not have it: CLDR's Latin-ASCII for letters
/// without a decomposition, and the forms of Arabic and Persian letters that are written for one another.
fn typed_as(character: char) -> Option<&'static str> {
    Some(match character {
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ø' => "o",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ħ' => "h",
        'ı' => "i",
        'ŋ' => "n",
        'ŧ' => "t",
        'ĸ' => "q",
        'ς' => "σ",
        'ٱ' => "ا",
        'ى' | 'ی' => "ي",
        'ة' => "ه",
        'ک' => "ك",
        _ => return None,
    })
}

/// Characters of an unspaced script as they are compared.
pub(super) fn fold_characters(text: &str) -> String {
    text.to_lowercase().chars().map(simplified).collect()
}

/// The simplified form of a traditional character; others stay.
fn simplified(character: char) -> char {
    static TABLE: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
        let single = |text: &str| {
            let mut characters = text.chars();
            characters.next().filter(|_| characters.next().is_none())
        };
        let pairs = RawDictionary::TSCharacters.iter();
        pairs.filter_map(|(traditional, simple)| Some((single(traditional)?, single(simple)?))).collect()
    });
    TABLE.get(&character).copied().unwrap_or(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normal(text: &str) -> String {
        NormalText::of(text).as_str().to_owned()
    }

    #[test]
    fn what_looks_the_same_is_the_same() {
        for (typed, expected) in [
            ("U\u{308}bersicht", "Übersicht"),
            ("Dienst\u{AD}wagen", "Dienstwagen"),
            ("Pass\u{200B}wort\u{FEFF}", "Passwort"),
            ("ﾋﾞｼﾞﾈｽ", "ビジネス"),
            ("ビ\u{3099}", "ビ\u{3099}"),
            ("\u{1112}\u{1161}\u{11A8}", "학"),
            ("４ｍｍ²", "4mm2"),
            ("3½ h", "3 1/2 h"),
            ("10²²", "10 22"),
            ("Widget™", "Widget "),
            ("عـــربي", "عربي"),
        ] {
            assert_eq!(normal(typed), expected, "{typed:?}");
        }
    }

    #[test]
    fn what_is_typed_without_marks_finds_what_has_them() {
        for (written, typed) in [
            ("łódź", "lodz"),
            ("đà", "da"),
            ("straße", "strasse"),
            ("smørrebrød", "smorrebrod"),
            ("naïve", "naive"),
            ("ёлка", "елка"),
            ("λόγος", "λογοσ"),
            ("مَكْتَبَة", "مكتبه"),
            ("שָׁלוֹם", "שלום"),
            ("ışık", "isik"),
        ] {
            assert_eq!(fold(written), fold(typed), "{written}");
        }
        // A vowel sign is a letter.
        assert_ne!(fold("कि"), fold("का"));
    }

    #[test]
    fn traditional_characters_are_their_simplified_ones() {
        assert_eq!(fold_characters("報銷費用"), "报销费用");
        assert_eq!(fold_characters("Ａ股"), "ａ股");
    }

    #[test]
    fn inert_characters_are_left_alone_by_normalisation() {
        for character in ('\0'..=char::MAX).filter(|character| is_inert(*character)) {
            assert!(!is_ignorable(character) && !belongs_to_last(character), "{character:?}");
            let single = character.to_string();
            assert_eq!(single.nfkc().collect::<String>(), single, "{character:?}");
        }
    }

    proptest! {
        #[test]
        fn every_part_has_its_origin(text in "[a-zé\u{301}\u{AD}\u{200B}ｱﾞ가\u{1112}\u{1161}² 銷]{0,40}") {
            let normal = NormalText::of(&text);
            for (at, character) in normal.as_str().char_indices() {
                let origin = normal.origin(at..at + character.len_utf8());
                let part = text.get(origin.clone());
                prop_assert!(part.is_some_and(|part| !part.is_empty()), "{text:?} {origin:?}");
                prop_assert!(NormalText::of(part.unwrap()).as_str().contains(character));
            }
        }
    }
}
