//! Marks of emphasis within a line, which all these languages write much alike: a sign before a word and the same sign
//! behind one.

/// Bytes in which the closing mark is looked for.
const REACH: usize = 400;

/// A mark; what stands between two verbatim ones has no marks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) sign: &'static str,
    pub(super) verbatim: bool,
}

pub(super) const fn mark(sign: &'static str) -> Mark {
    Mark { sign, verbatim: false }
}

pub(super) const fn verbatim(sign: &'static str) -> Mark {
    Mark { sign, verbatim: true }
}

/// Text without its pairs of `marks`, of which longer ones come first.
pub(super) fn unmark(text: &str, marks: &[Mark]) -> String {
    let mut out = String::with_capacity(text.len());
    // Closing marks that were found, with their lengths.
    let mut closing: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        if let Some(found) = closing.iter().position(|(start, _)| *start == at) {
            at += closing.swap_remove(found).1;
            closing.retain(|(start, _)| *start >= at);
            continue;
        }
        let mark = marks.iter().find(|mark| text[at..].starts_with(mark.sign));
        let opens = mark.filter(|_| !out.ends_with(char::is_alphanumeric));
        let close = opens.and_then(|mark| closing_mark(text, at + mark.sign.len(), mark.sign));
        // A closing mark closes one pair only.
        let close = close.filter(|end| closing.iter().all(|(start, _)| start != end));
        match (mark, close) {
            (Some(mark), Some(end)) if mark.verbatim => {
                out.push_str(&text[at + mark.sign.len()..end]);
                at = end + mark.sign.len();
            }
            (Some(mark), Some(end)) => {
                closing.push((end, mark.sign.len()));
                at += mark.sign.len();
            }
            (Some(mark), None) => {
                out.push_str(mark.sign);
                at += mark.sign.len();
            }
            (None, _) => {
                out.push(character);
                at += character.len_utf8();
            }
        }
    }
    out
}

/// Where a mark closes that opened before `from`: behind a word, before none.
fn closing_mark(text: &str, from: usize, sign: &str) -> Option<usize> {
    let reach = crate::floor_boundary(text, from + REACH);
    let inside = &text[from..reach];
    if inside.starts_with(char::is_whitespace) {
        return None;
    }
    let fits = |at: usize| {
        let behind = &inside[at + sign.len()..];
        at > 0 && !inside[..at].ends_with(char::is_whitespace) && !behind.starts_with(char::is_alphanumeric)
    };
    inside.match_indices(sign).map(|(at, _)| at).find(|&at| fits(at)).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: &[Mark] = &[verbatim("``"), mark("**"), mark("*"), mark("_")];

    #[test]
    fn pairs_of_marks_go() {
        assert_eq!(unmark("a **bold *it* word** and ``x*y*z``.", MARKS), "a bold it word and x*y*z.");
        assert_eq!(unmark("*中文*，_x_", MARKS), "中文，x");
    }

    #[test]
    fn lone_marks_stay() {
        assert_eq!(unmark("2 * 3 * 4, snake_case_name, *open, ``", MARKS), "2 * 3 * 4, snake_case_name, *open, ``");
    }

    #[test]
    fn many_marks_are_read_quickly() {
        let text = "*a ".repeat(50_000);
        assert_eq!(unmark(&text, MARKS).len(), text.len());
        assert!(!unmark(&"*a _b* c_ ".repeat(50_000), MARKS).is_empty());
        let _ = unmark(&"*".repeat(500_000), MARKS);
    }
}
