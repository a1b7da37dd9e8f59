//! Whether a text goes round in circles: its last tokens are one and the same run again and again.

/// Longest run that is looked for, in tokens.
const LONGEST: usize = 64;
/// As often it has to stand there ..
const TIMES: usize = 4;
/// .. and as many tokens in all: a line of dashes, or a table's empty cells, are no circle yet.
const TOKENS: usize = 64;

/// What was written, seen as it comes.
pub(crate) struct Repetition {
    written: Vec<u32>,
    /// For each length, how many of the last tokens equal the one so many before.
    equal: [usize; LONGEST],
}

impl Repetition {
    pub(crate) fn new() -> Self {
        Self { written: Vec::new(), equal: [0; LONGEST] }
    }

    /// Notes a token; whether the text goes round in circles by now.
    pub(crate) fn push(&mut self, token: u32) -> bool {
        let count = self.written.len();
        let mut found = false;
        for (index, equal) in self.equal.iter_mut().enumerate() {
            let length = index + 1;
            let is_same = length <= count && self.written[count - length] == token;
            *equal = if is_same { *equal + 1 } else { 0 };
            found |= *equal + length >= TOKENS.max(TIMES * length);
        }
        self.written.push(token);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many tokens of a text a circle is seen.
    fn seen(tokens: impl IntoIterator<Item = u32>) -> Option<usize> {
        let mut repetition = Repetition::new();
        tokens.into_iter().position(|token| repetition.push(token)).map(|at| at + 1)
    }

    #[test]
    fn a_run_that_goes_on_is_a_circle() {
        assert_eq!(seen(std::iter::repeat_n(7, 63)), None);
        assert_eq!(seen(std::iter::repeat_n(7, 1000)), Some(64));
        assert_eq!(seen((0..1000).map(|i| i % 5)), Some(64));
        assert_eq!(seen((0..1000).map(|i| i % 64)), Some(256));
        assert_eq!(seen((100..130).chain((0..1000).map(|i| i % 20))), Some(30 + 80));
    }

    #[test]
    fn a_text_that_varies_is_none() {
        assert_eq!(seen(0..2000), None);
        assert_eq!(seen((0..2000).map(|i| i % 65)), None);
        // A table: the same cells with a number that grows.
        assert_eq!(seen((0..400).flat_map(|i| [1, 2, 3, 1000 + i])), None);
    }
}
