//! Keeps a query within bounds, so that a pasted book costs no more than a paragraph.

use storage::{Script, runs};
use unicode_normalization::char::is_combining_mark;

use super::MAX_WORDS;

/// Characters of an unspaced script that count as one word.
const GROUP: usize = 4;
/// Characters of a value that a note repeats.
const EXCERPT: usize = 40;

/// How many words may still be matched.
pub(super) struct TermBudget {
    left: usize,
}

impl Default for TermBudget {
    fn default() -> Self {
        Self { left: MAX_WORDS }
    }
}

impl TermBudget {
    /// The longest prefix of the text whose words are within the budget, cut before a word; what it has is spent.
    ///
    /// Counted are the runs of letters and digits, not the spaces: an index splits `a,b,c` into three terms.
    pub(super) fn spend<'a>(&mut self, text: &'a str) -> &'a str {
        for (run, script) in runs(text) {
            let group = match script {
                Script::Spaced => usize::MAX,
                Script::Unspaced => GROUP,
            };
            let letters = text[run.clone()].char_indices().filter(|(_, character)| !is_combining_mark(*character));
            for (at, _) in letters.step_by(group) {
                if self.left == 0 {
                    return &text[..run.start + at];
                }
                self.left -= 1;
            }
        }
        text
    }
}

/// The longest prefix of at most `bytes` bytes that ends at a character.
pub(super) fn prefix(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// The beginning of the text, short enough for a note.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_characters_have_their_price() {
        let many = "a,".repeat(100);
        assert_eq!(TermBudget::default().spend(&many), "a,".repeat(64));
        assert_eq!(TermBudget::default().spend(&"年".repeat(300)), "年".repeat(256));
        assert_eq!(TermBudget::default().spend(&"x".repeat(5000)).len(), 5000);
        let mut budget = TermBudget::default();
        budget.spend(&"年".repeat(249));
        assert_eq!(budget.spend("word foo"), "word ");
        assert_eq!(budget.spend("年"), "");
    }

    #[test]
    fn cuts_lie_between_characters() {
        assert_eq!(prefix("年假", 4), "年");
        assert_eq!(prefix("abc", 10), "abc");
        assert_eq!(excerpt(&"é".repeat(50)), format!("{}…", "é".repeat(40)));
    }
}
