//! Rows of a data table in which cells span others: a short text is repeated in every cell that it spans, so that each
//! row can be understood alone.

/// Widest and highest span that is followed.
const MAX_SPAN: usize = 60;

/// Longest text that is repeated, in bytes.
const MAX_REPEATED: usize = 120;

/// The rows of an open table.
pub(super) struct Rows {
    rows: Vec<Vec<Option<String>>>,
    /// Number of the current row, from 1: 0 before the first.
    current: usize,
    /// Line the table started at.
    line: u32,
}

impl Rows {
    pub(super) fn new(line: u32) -> Self {
        Self { rows: Vec::new(), current: 0, line }
    }

    pub(super) fn start_row(&mut self) {
        self.current += 1;
        if self.rows.len() < self.current {
            self.rows.push(Vec::new());
        }
    }

    /// Puts a cell into the first free column of the current row.
    pub(super) fn cell(&mut self, text: &str, columns: usize, rows: usize) {
        if self.current == 0 {
            self.start_row();
        }
        let text = text.trim();
        let first = self.current - 1;
        let column = self.rows[first].iter().position(Option::is_none).unwrap_or(self.rows[first].len());
        for row in 0..rows.clamp(1, MAX_SPAN) {
            if self.rows.len() <= first + row {
                self.rows.push(Vec::new());
            }
            let cells = &mut self.rows[first + row];
            for place in column..column + columns.clamp(1, MAX_SPAN) {
                if cells.len() <= place {
                    cells.resize(place + 1, None);
                }
                let own = row == 0 && place == column;
                let text = if own || text.len() <= MAX_REPEATED { text } else { "" };
                cells[place].get_or_insert_with(|| text.to_owned());
            }
        }
    }

    /// The rows that say something, without those that only a span reached into, and the line of the first.
    pub(super) fn finish(mut self) -> (Vec<Vec<String>>, u32) {
        self.rows.truncate(self.current);
        let rows = self.rows.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect());
        let rows = rows.filter(|row: &Vec<String>| row.iter().any(|cell| !cell.is_empty())).collect();
        (rows, self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_filled() {
        let mut rows = Rows::new(3);
        rows.start_row();
        rows.cell("A", 1, 2);
        rows.cell("B", 2, 1);
        rows.start_row();
        rows.cell("c", 1, 1);
        rows.cell("d", 1, 9);
        let (rows, line) = rows.finish();
        assert_eq!(rows, [["A", "B", "B"], ["A", "c", "d"]]);
        assert_eq!(line, 3);
    }

    #[test]
    fn absurd_spans_and_long_texts_are_bounded() {
        let mut rows = Rows::new(1);
        rows.cell(&"x".repeat(500), usize::MAX, usize::MAX);
        let (rows, _) = rows.finish();
        assert_eq!((rows.len(), rows[0].len(), rows[0][1].as_str()), (1, MAX_SPAN, ""));
    }
}
