//! Quotes: where in a passage the words stand that a writer quotes. Case, blanks and the forms of quotation marks and dashes do
//! not matter; what is shown is the passage's own text.

use std::ops::Range;

/// What writers put where they leave something out.
const GAPS: [&str; 4] = ["[...]", "[…]", "...", "…"];

/// A text without characters that are not seen: controls, signs without width, marks of direction, language tags.
pub(crate) fn visible(text: &str) -> String {
    text.chars().filter(|c| !is_hidden(*c)).map(|c| if c == '\t' { ' ' } else { c }).collect()
}

fn is_hidden(c: char) -> bool {
    let is_mark = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    is_mark || matches!(c, '\u{e0000}'..='\u{e007f}') || c.is_control() && c != '\t' && c != '\n'
}

/// Where a quote stands: one range for each piece between gaps, in order. `None` where it does not stand in the text as it is.
pub(super) fn found(quote: &str, text: &str) -> Option<Vec<Range<usize>>> {
    let folded = Folded::of(text);
    let mut pieces = vec![quote];
    for gap in GAPS {
        pieces = pieces.into_iter().flat_map(|piece| piece.split(gap)).collect();
    }
    let mut from = 0;
    let mut ranges = Vec::new();
    for piece in pieces {
        let piece = Folded::of(piece).text;
        // A stop that the writer put, or left out.
        let piece = piece.trim().trim_end_matches(['.', ',', ';', ':', '。', '，']).trim_end();
        if !piece.chars().any(char::is_alphanumeric) {
            continue;
        }
        let at = folded.word(piece, from)?;
        from = at + piece.len();
        ranges.push(folded.original(at)..folded.original(from));
    }
    (!ranges.is_empty()).then_some(ranges)
}

/// A text with what does not matter taken off, and where each byte of it was.
struct Folded {
    text: String,
    /// For each byte where its character began in the original, and its length at the end.
    places: Vec<usize>,
}

impl Folded {
    fn of(text: &str) -> Self {
        let (mut folded, mut places) = (String::with_capacity(text.len()), Vec::with_capacity(text.len() + 1));
        for (at, character) in text.char_indices() {
            let character = match character {
                c if c.is_whitespace() => ' ',
                c if is_hidden(c) => continue,
                '“' | '”' | '„' | '«' | '»' | '「' | '」' => '"',
                '‘' | '’' | '‚' => '\'',
                '‐' | '‑' | '–' | '—' | '−' => '-',
                c => c,
            };
            if character == ' ' && (folded.is_empty() || folded.ends_with(' ')) {
                continue;
            }
            for lower in character.to_lowercase() {
                folded.push(lower);
            }
            places.resize(folded.len(), at);
        }
        places.push(text.len());
        Self { text: folded, places }
    }

    /// Where a piece stands as whole words, from a byte on.
    fn word(&self, piece: &str, from: usize) -> Option<usize> {
        let is_apart = |(at, _): &(usize, &str)| {
            let (before, after) = (self.text[..*at].chars().next_back(), self.text[at + piece.len()..].chars().next());
            let joins = |a: Option<char>, b: Option<char>| {
                a.zip(b).is_some_and(|(a, b)| [a, b].iter().all(|c| c.is_alphanumeric() && !storage::is_unspaced(*c)))
            };
            !joins(before, piece.chars().next()) && !joins(piece.chars().next_back(), after)
        };
        self.text[from..].match_indices(piece).map(|(at, text)| (at + from, text)).find(is_apart).map(|(at, _)| at)
    }

    fn original(&self, at: usize) -> usize {
        self.places[at]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quoted<'t>(quote: &str, text: &'t str) -> Option<Vec<&'t str>> {
        Some(found(quote, text)?.into_iter().map(|range| &text[range]).collect())
    }

    #[test]
    fn words_are_found_as_they_stand() {
        let text = "Full-time staff have\n27 “working” days – of holiday a year. İstanbul has none.";
        assert_eq!(quoted("full-time STAFF have 27", text), Some(vec!["Full-time staff have\n27"]));
        assert_eq!(quoted("27 \"working\" days - of holiday.", text), Some(vec!["27 “working” days – of holiday"]));
        assert_eq!(quoted("staff … a year", text), Some(vec!["staff", "a year"]));
        for missing in ["28 working days", "a year … staff", "taff have", "holid", "", "...", "\"\""] {
            assert_eq!(quoted(missing, text), None, "{missing}");
        }
        assert_eq!(quoted("年假27天", "员工年假27天。"), Some(vec!["年假27天"]));
    }

    proptest! {
        #[test]
        fn what_is_copied_is_found(text in "[a-zéİ年 “\n.]{1,60}", from in 0usize..60, length in 1usize..60) {
            let characters: Vec<(usize, char)> = text.char_indices().collect();
            let from = from % characters.len();
            let end = (from + length).min(characters.len());
            let end = characters.get(end).map_or(text.len(), |(at, _)| *at);
            let copy = &text[characters[from].0..end];
            if let Some(ranges) = found(copy, &text) {
                prop_assert!(ranges.iter().all(|range| text.get(range.clone()).is_some()));
            }
        }
    }
}
