//! The lines of a source, taken one after the other.

/// A place between two lines.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { lines: source.lines().collect(), at: 0 }
    }

    /// Number of the next line, from 1.
    pub(super) fn number(&self) -> u32 {
        u32::try_from(self.at).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// The line `ahead` of the next one.
    pub(super) fn peek(&self, ahead: usize) -> Option<&'a str> {
        self.lines.get(self.at + ahead).copied()
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        let line = self.peek(0)?;
        self.at += 1;
        Some(line)
    }

    pub(super) fn skip(&mut self, count: usize) {
        self.at = (self.at + count).min(self.lines.len());
    }

    /// Takes lines up to the one that `ends`, which is passed over; the rest if there is none.
    pub(super) fn until(&mut self, ends: impl Fn(&str) -> bool) -> Vec<&'a str> {
        let mut taken = Vec::new();
        while let Some(line) = self.next() {
            if ends(line) {
                break;
            }
            taken.push(line);
        }
        taken
    }

    /// Takes the lines that follow and are indented by at least `by` columns, with blank ones between them.
    pub(super) fn indented(&mut self, by: usize) -> Vec<&'a str> {
        let mut taken = Vec::new();
        while let Some(line) = self.peek(0).filter(|line| line.trim().is_empty() || indentation(line) >= by) {
            taken.push(line);
            self.at += 1;
        }
        while taken.last().is_some_and(|line| line.trim().is_empty()) {
            taken.pop();
            self.at -= 1;
        }
        taken
    }
}

/// Columns of white space before a line; a tab counts up to the next multiple of eight.
pub(super) fn indentation(line: &str) -> usize {
    let mut column = 0;
    for character in line.chars() {
        match character {
            ' ' => column += 1,
            '\t' => column += 8 - column % 8,
            _ => break,
        }
    }
    column
}

/// Lines without the indentation they have in common.
pub(super) fn dedented(lines: &[&str]) -> String {
    let common = lines.iter().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len());
    let common = common.min().unwrap_or(0);
    let cut = |line: &&str| line.get(common..).unwrap_or_default().to_owned();
    lines.iter().map(cut).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indented_lines_end_at_the_next_one_that_is_not() {
        let mut lines = Lines::new("a\n  b\n\n    c\n\nd");
        assert_eq!(lines.next(), Some("a"));
        let taken = lines.indented(1);
        assert_eq!(dedented(&taken), "b\n\n  c");
        assert_eq!((lines.next(), lines.next(), lines.next()), (Some(""), Some("d"), None));
    }

    #[test]
    fn tabs_are_columns() {
        assert_eq!((indentation("\tx"), indentation("  \tx"), indentation("x")), (8, 8, 0));
    }
}
