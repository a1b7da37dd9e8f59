//! The areas of a sheet: where one table ends and the next begins, and what its merged cells say.

use std::collections::BTreeSet;

use super::Row;

/// Longest text that merged cells repeat.
const MAX_REPEATED: usize = 200;

/// Bytes that the merged cells of one sheet may repeat in all.
const REPEATED_BYTES: usize = 1 << 20;

/// Columns over which a merged cell is repeated.
const MAX_COLUMNS: u32 = 64;

/// Cells that are one cell for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Merged {
    /// Row and column of the first cell, from 0.
    pub(super) first: (u32, u32),
    /// Row and column of the last cell.
    pub(super) last: (u32, u32),
}

/// Repeats what a merged cell says in the rows it covers, so that each can be read by itself.
pub(super) fn repeat(rows: &mut [Row], merged: &[Merged]) {
    let mut budget = REPEATED_BYTES;
    for Merged { first: (top, left), last: (bottom, right) } in merged {
        let from = rows.partition_point(|row| row.number < *top);
        let Some(text) = rows.get(from).filter(|row| row.number == *top).map(|row| row.get(*left).to_owned()) else {
            continue;
        };
        if text.is_empty() || text.len() > MAX_REPEATED {
            continue;
        }
        for row in rows[from..].iter_mut().take_while(|row| row.number <= *bottom) {
            for column in *left..=(*right).min(left.saturating_add(MAX_COLUMNS)) {
                let Err(at) = row.cells.binary_search_by_key(&column, |(column, _)| *column) else { continue };
                let Some(rest) = budget.checked_sub(text.len()) else { return };
                budget = rest;
                row.cells.insert(at, (column, text.clone()));
            }
        }
    }
}

/// The areas of a sheet that hold a table each: parted by blank rows, and by blank columns where the sides begin or end
/// in different rows (blank columns within a table are only for the eye).
pub(super) fn areas(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let mut areas = Vec::new();
    for group in parted(rows) {
        let sides = sides(&group);
        if sides.len() < 2 {
            areas.push(group);
            continue;
        }
        for (left, right) in sides {
            let within = |row: &Row| {
                let cells = row.cells.iter().filter(|(column, _)| (left..=right).contains(column)).cloned();
                Row { number: row.number, cells: cells.collect() }
            };
            let side: Vec<Row> = group.iter().map(within).filter(|row| !row.cells.is_empty()).collect();
            areas.extend(parted(side));
        }
    }
    areas
}

fn parted(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let mut groups: Vec<Vec<Row>> = Vec::new();
    for row in rows {
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(|last| last.number + 1 >= row.number) => group.push(row),
            _ => groups.push(vec![row]),
        }
    }
    groups
}

/// First and last column of each table that stands beside others; at most one when they are one table.
fn sides(group: &[Row]) -> Vec<(u32, u32)> {
    let columns: BTreeSet<u32> = group.iter().flat_map(|row| row.cells.iter().map(|(column, _)| *column)).collect();
    let mut sides: Vec<(u32, u32)> = Vec::new();
    for column in columns {
        match sides.last_mut() {
            Some((_, right)) if *right + 1 == column => *right = column,
            _ => sides.push((column, column)),
        }
    }
    let wide = sides.iter().all(|(left, right)| left < right);
    let rows_of = |&(left, right): &(u32, u32)| {
        let touches = |row: &&Row| row.cells.iter().any(|(column, _)| (left..=right).contains(column));
        let first = group.iter().find(touches).map(|row| row.number);
        first.zip(group.iter().rev().find(touches).map(|row| row.number))
    };
    let alike = sides.iter().map(rows_of).collect::<BTreeSet<_>>().len() < 2;
    if wide && !alike { sides } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u32, cells: &[(u32, &str)]) -> Row {
        Row { number, cells: cells.iter().map(|(column, text)| (*column, (*text).to_owned())).collect() }
    }

    #[test]
    fn tables_side_by_side_are_parted() {
        let rows = || vec![row(0, &[(0, "a"), (1, "b")]), row(1, &[(0, "c"), (1, "d"), (3, "e"), (4, "f")])];
        let parts = areas(rows());
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(parts[1][0].cells, [(3, "e".to_owned()), (4, "f".to_owned())]);
        let mut spaced = rows();
        spaced[0].cells.push((4, "head".to_owned()));
        assert_eq!(areas(spaced).len(), 1, "a blank column within a table");
    }

    #[test]
    fn merged_cells_are_repeated_where_rows_are() {
        let mut rows = vec![row(0, &[(0, "wide")]), row(1, &[(1, "x")]), row(5, &[(2, "y")])];
        repeat(&mut rows, &[Merged { first: (0, 0), last: (3, 1) }, Merged { first: (2, 2), last: (9, 9) }]);
        assert_eq!(rows[0].cells, [(0, "wide".to_owned()), (1, "wide".to_owned())]);
        assert_eq!(rows[1].cells, [(0, "wide".to_owned()), (1, "x".to_owned())]);
        assert_eq!(rows[2].cells.len(), 1);
    }
}
