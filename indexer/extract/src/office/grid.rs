//! The one model of table cells for all office formats: cells as they are written, with the columns and rows they cover,
//! become a grid of texts. What a merged cell says is repeated in every place it covers, so that each row can be read,
//! and found, by itself.

use crate::table;

/// Widest grid; cells beyond are put into the last column.
const MAX_COLUMNS: usize = 256;

/// Longest text that is repeated where a cell covers several places.
const MAX_REPEATED: usize = 200;

/// Bytes that one table may repeat in all.
const REPEATED_BYTES: usize = 1 << 20;

/// How a cell is merged with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Columns it covers.
    pub(crate) columns: usize,
    /// Rows it covers, where the format says so in its first row.
    pub(crate) rows: usize,
    /// Whether it continues the cell above, where the format says so in each row.
    pub(crate) continues: bool,
}

impl Default for Span {
    fn default() -> Self {
        Self { columns: 1, rows: 1, continues: false }
    }
}

/// A cell as it is written.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    pub(crate) span: Span,
    pub(crate) text: String,
}

/// Rows of texts, one for each column, without rows and columns that are all blank.
pub(crate) fn grid(rows: Vec<Vec<Cell>>) -> Vec<Vec<String>> {
    let count = rows.len();
    let mut grid: Vec<Vec<Option<String>>> = Vec::with_capacity(count);
    grid.resize_with(count, Vec::new);
    let mut budget = REPEATED_BYTES;
    for (number, row) in rows.into_iter().enumerate() {
        let mut column = 0;
        for cell in row {
            while grid[number].get(column).is_some_and(Option::is_some) && column < MAX_COLUMNS {
                column += 1;
            }
            let columns = cell.span.columns.clamp(1, MAX_COLUMNS - column.min(MAX_COLUMNS - 1));
            let above = || number.checked_sub(1).and_then(|above| grid[above].get(column)?.clone());
            let text = if cell.span.continues { above().unwrap_or_default() } else { cell.text };
            let repeated = if text.len() <= MAX_REPEATED { text.clone() } else { String::new() };
            let covered = number..(number + cell.span.rows.max(1)).min(count);
            let mut text = Some(text);
            for row in covered {
                for place in column..column + columns {
                    let value = text.take().unwrap_or_else(|| {
                        let fits = budget >= repeated.len();
                        budget -= if fits { repeated.len() } else { 0 };
                        if fits { repeated.clone() } else { String::new() }
                    });
                    put(&mut grid[row], place, value);
                }
            }
            column += columns;
        }
    }
    let grid = grid.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect();
    without_blanks(grid)
}

fn put(row: &mut Vec<Option<String>>, column: usize, value: String) {
    let column = column.min(MAX_COLUMNS - 1);
    if row.len() <= column {
        row.resize(column + 1, None);
    }
    match &mut row[column] {
        Some(there) if !value.is_empty() => {
            there.push(' ');
            there.push_str(&value);
        }
        Some(_) => {}
        empty => *empty = Some(value),
    }
}

/// The rows and columns that hold anything.
fn without_blanks(grid: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let columns = grid.iter().map(Vec::len).max().unwrap_or(0);
    let mut used = vec![false; columns];
    for row in &grid {
        for (column, cell) in row.iter().enumerate() {
            used[column] |= !cell.trim().is_empty();
        }
    }
    let rows = grid.into_iter().filter(|row| row.iter().any(|cell| !cell.trim().is_empty()));
    let wanted =
        |row: Vec<String>| row.into_iter().zip(&used).filter(|(_, used)| **used).map(|(cell, _)| cell).collect();
    rows.map(wanted).collect()
}

/// A table within a cell of another, as running text.
pub(crate) fn flat(rows: &[Vec<String>]) -> String {
    let line = |row: &Vec<String>| {
        let cells: Vec<&str> = row.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
        cells.join(", ")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// The lines of a table as they stand in the text; a table of one column gives its cells as lines.
pub(crate) fn lines(rows: &[Vec<String>]) -> String {
    table::markdown_rows(rows)
        .unwrap_or_else(|| rows.iter().flatten().map(|cell| cell.trim()).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cell(text: &str, columns: usize, rows: usize) -> Cell {
        Cell { span: Span { columns, rows, continues: false }, text: text.to_owned() }
    }

    #[test]
    fn what_merged_cells_say_is_repeated() {
        let below = Cell { span: Span { continues: true, ..Span::default() }, text: String::new() };
        let rows = vec![
            vec![cell("a", 1, 1), cell("b", 2, 1)],
            vec![cell("c", 1, 2), cell("d", 1, 1), cell("e", 1, 1)],
            vec![cell("f", 1, 1), below],
        ];
        assert_eq!(grid(rows), [["a", "b", "b"], ["c", "d", "e"], ["c", "f", "e"]]);
    }

    #[test]
    fn blank_rows_and_columns_are_left_out() {
        let rows = vec![vec![cell("a", 1, 1), cell(" ", 1, 1), cell("b", 1, 1)], vec![cell("", 3, 1)]];
        assert_eq!(grid(rows), [["a", "b"]]);
    }

    #[test]
    fn tables_in_cells_are_flat() {
        let rows = vec![vec!["a".to_owned(), " b ".to_owned()], vec![String::new(), "c".to_owned()]];
        assert_eq!(flat(&rows), "a, b; c");
        assert_eq!(lines(&[vec!["x".to_owned()], vec!["y".to_owned()]]), "x\ny");
    }

    proptest! {
        #[test]
        fn any_spans_make_a_grid(
            spans in proptest::collection::vec(proptest::collection::vec((0usize..2000, 0usize..2000, any::<bool>()), 0..6), 0..6),
        ) {
            let cell = |&(columns, rows, continues): &(usize, usize, bool)| Cell {
                span: Span { columns, rows, continues },
                text: "x".to_owned(),
            };
            let rows: Vec<Vec<Cell>> = spans.iter().map(|row| row.iter().map(cell).collect()).collect();
            let cells = grid(rows);
            prop_assert!(cells.iter().all(|row| row.len() <= MAX_COLUMNS));
        }
    }
}
