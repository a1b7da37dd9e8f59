//! The place of a block in its file, as people name it: a page, a slide, cells of a sheet, a mail.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a block stands, for formats that have more than lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// A page, from 1.
    Page(u32),
    /// A slide, from 1.
    Slide(u32),
    /// A sheet of a spreadsheet.
    Sheet {
        /// Its number, from 1.
        number: u32,
        /// What its tab says.
        name: String,
        /// The cells, as spreadsheets write them: `A1:F40`; `None` for what stands beside the cells.
        cells: Option<String>,
    },
    /// The text of a mail.
    Mail,
}

impl Place {
    /// Number of the page, slide or sheet.
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Page(number) | Self::Slide(number) | Self::Sheet { number, .. } => Some(*number),
            Self::Mail => None,
        }
    }

    /// Cells of a sheet.
    pub fn cells(&self) -> Option<&str> {
        match self {
            Self::Sheet { cells, .. } => cells.as_deref(),
            _ => None,
        }
    }

    /// The smallest area of the sheet that holds both; `None` where they are not on one sheet.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Option<Self> {
        let Self::Sheet { number, name, cells } = self else { return None };
        let Self::Sheet { number: other_number, cells: other_cells, .. } = other else { return None };
        let cells = match (cells, other_cells) {
            (Some(one), Some(other)) => {
                Some(area(one).zip(area(other)).map(|(one, other)| one.with(other).to_string())?)
            }
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        (number == other_number).then(|| Self::Sheet { number: *number, name: name.clone(), cells })
    }
}

/// Column and row of the first and the last cell, from 0.
#[derive(Clone, Copy)]
struct Area {
    first: (u32, u32),
    last: (u32, u32),
}

impl Area {
    fn with(self, other: Self) -> Self {
        let least = |a: (u32, u32), b: (u32, u32)| (a.0.min(b.0), a.1.min(b.1));
        let most = |a: (u32, u32), b: (u32, u32)| (a.0.max(b.0), a.1.max(b.1));
        Self { first: least(self.first, other.first), last: most(self.last, other.last) }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = self;
        write!(f, "{}:{}", cell_name(first.0, first.1), cell_name(last.0, last.1))
    }
}

/// `B2:C3` or `B2`.
fn area(cells: &str) -> Option<Area> {
    let (first, last) = cells.split_once(':').unwrap_or((cells, cells));
    Some(Area { first: cell(first)?, last: cell(last)? })
}

fn cell(name: &str) -> Option<(u32, u32)> {
    let at = name.find(|c: char| c.is_ascii_digit())?;
    let digit = |letter: u8| letter.is_ascii_uppercase().then(|| u32::from(letter - b'A') + 1);
    let column =
        name[..at].bytes().try_fold(0u32, |column, letter| column.checked_mul(26)?.checked_add(digit(letter)?))?;
    let row: u32 = name[at..].parse().ok()?;
    column.checked_sub(1).zip(row.checked_sub(1))
}

/// What spreadsheets call the cell in a column and a row, both from 0: `A1`.
pub(crate) fn cell_name(column: u32, row: u32) -> String {
    let mut letters = Vec::new();
    let mut left = u64::from(column) + 1;
    while left > 0 {
        let letter = (left - 1) % 26;
        letters.push(char::from(b'A' + u8::try_from(letter).unwrap_or(0)));
        left = (left - 1) / 26;
    }
    format!("{}{}", letters.into_iter().rev().collect::<String>(), u64::from(row) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(number: u32, cells: Option<&str>) -> Place {
        Place::Sheet { number, name: "Budget".to_string(), cells: cells.map(str::to_string) }
    }

    #[test]
    fn areas_of_one_sheet_join_to_the_smallest_that_holds_both() {
        let joined = |a, b| sheet(1, a).joined(&sheet(1, b)).and_then(|place| place.cells().map(str::to_string));
        assert_eq!(joined(Some("A2:F19"), Some("B20:AB31")).as_deref(), Some("A2:AB31"));
        assert_eq!(joined(Some("C3"), None).as_deref(), Some("C3"));
        assert_eq!(joined(Some("C3"), Some("?")), None);
        assert_eq!(sheet(1, None).joined(&sheet(2, None)), None);
        assert_eq!(Place::Page(1).joined(&Place::Page(1)), None);
        let names = [(0, 0), (25, 1), (26, 2), (702, 3)].map(|(column, row)| cell_name(column, row));
        assert_eq!(names, ["A1", "Z2", "AA3", "AAA4"]);
    }
}
