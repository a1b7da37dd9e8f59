//! Text of documents on its way into a page: cleaned of what could mislead, marked where it matches.
//!
//! Escaping is not done here: maud escapes whatever is a string. Promise: what comes out holds no control characters and
//! no marks that change the direction of text beyond the element they stand in.

use std::borrow::Cow;
use std::ops::Range;

use maud::{Markup, html};

/// Without control characters (but line breaks and tabs) and without bidirectional controls, which can make a file name
/// read as another one.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(misleads) {
        Cow::Owned(text.chars().filter(|c| !misleads(*c)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

fn misleads(character: char) -> bool {
    let direction =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    direction || (character.is_control() && !matches!(character, '\n' | '\t'))
}

/// The part of a text, with what lies in one of the spans marked. Spans are sorted, do not overlap, and lie at
/// characters.
pub(super) fn marked(text: &str, part: Range<usize>, spans: &[Range<usize>]) -> Markup {
    let mut at = part.start;
    let inside = spans.iter().map(|span| span.start.max(part.start)..span.end.min(part.end));
    let inside: Vec<Range<usize>> = inside.filter(|span| span.start < span.end).collect();
    html! {
        @for span in inside {
            (plain(text, at..span.start))
            mark { (plain(text, span.clone())) }
            ({ at = span.end; "" })
        }
        (plain(text, at..part.end))
    }
}

/// A part of a text, cleaned; nothing where the range does not fit.
pub(super) fn plain(text: &str, part: Range<usize>) -> Cow<'_, str> {
    text.get(part).map_or(Cow::Borrowed(""), clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_where_the_spans_are_and_nothing_else_is_markup() {
        let text = "a <b> & travel costs";
        let marks = vec![8..14, 15..20];
        assert_eq!(marked(text, 0..20, &marks).0, "a &lt;b&gt; &amp; <mark>travel</mark> <mark>costs</mark>");
        assert_eq!(marked(text, 10..17, &marks).0, "<mark>avel</mark> <mark>co</mark>");
        assert_eq!(marked(text, 0..3, &[]).0, "a &lt;");
    }

    #[test]
    fn names_cannot_pretend_to_be_others() {
        assert_eq!(clean("invoice\u{202e}fdp.exe"), "invoicefdp.exe");
        assert_eq!(clean("a\u{0}b\u{1b}[31m\nc"), "ab[31m\nc");
        assert!(matches!(clean("报销 plain"), Cow::Borrowed(_)));
    }
}
