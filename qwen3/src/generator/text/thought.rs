//! What a model thinks before it answers stands between `<think>` and `</think>` and is no part of the text. The marks
//! are tokens of their own: the same letters written by other tokens are text.

use crate::tokenizer::Tokenizer;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// The tokens around a thought, where a tokenizer has them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ThoughtMarks {
    open: Option<u32>,
    close: Option<u32>,
}

impl ThoughtMarks {
    pub(crate) fn of(tokenizer: &Tokenizer) -> Self {
        Self { open: tokenizer.token_id(OPEN).ok(), close: tokenizer.token_id(CLOSE).ok() }
    }

    /// Whether a thought can be told from what is said.
    pub(crate) fn are_known(&self) -> bool {
        self.open.is_some() && self.close.is_some()
    }
}

/// Where the text of one sequence stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thought {
    marks: ThoughtMarks,
    is_open: bool,
    /// Whether the blank lines behind a thought are still to come.
    is_fresh: bool,
}

impl Thought {
    /// `is_open`: the model begins with a thought.
    pub(crate) fn new(marks: ThoughtMarks, is_open: bool) -> Self {
        Self { marks, is_open: is_open && marks.close.is_some(), is_fresh: false }
    }

    /// Whether the text has a part in this token.
    pub(crate) fn is_said(&mut self, token: u32) -> bool {
        let token = Some(token);
        if token == self.marks.open {
            self.is_open = true;
            return false;
        }
        if token == self.marks.close {
            (self.is_open, self.is_fresh) = (false, true);
            return false;
        }
        !self.is_open
    }

    /// Text without the blank lines that separate it from a thought.
    pub(crate) fn trimmed(&mut self, text: String) -> String {
        if !self.is_fresh {
            return text;
        }
        let rest = text.trim_start_matches('\n');
        self.is_fresh = rest.is_empty();
        rest.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(is_open: bool, tokens: &[u32]) -> Vec<u32> {
        let mut thought = Thought::new(ThoughtMarks { open: Some(1), close: Some(2) }, is_open);
        tokens.iter().copied().filter(|token| thought.is_said(*token)).collect()
    }

    #[test]
    fn thoughts_are_not_said() {
        assert_eq!(said(false, &[1, 10, 11, 2, 12]), [12]);
        assert_eq!(said(true, &[10, 11, 2, 12, 1, 13]), [12]);
        assert_eq!(said(false, &[10, 2, 11]), [10, 11]);
        let mut none = Thought::new(ThoughtMarks::default(), true);
        assert!(none.is_said(5), "a model without the marks says everything");
    }

    #[test]
    fn blank_lines_behind_a_thought_belong_to_it() {
        let mut thought = Thought::new(ThoughtMarks { open: Some(1), close: Some(2) }, true);
        thought.is_said(2);
        let texts = ["\n", "\nA", "\n\nB"].map(|text| thought.trimmed(text.to_owned()));
        assert_eq!(texts, ["", "A", "\n\nB"]);
    }
}
