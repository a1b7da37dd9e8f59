//! Sheets of cells, whatever file they come from: the sheet's name as heading and its number as page, then its tables.
//! Blank rows part tables; a long table is cut into several blocks that each repeat the header row and name the cells
//! they come from, so that a passage says what its columns mean and where it stands.

mod area;
mod biff;
mod code;
mod decimal;
pub(crate) mod delimited;
mod format;
pub(crate) mod spreadsheet_ml;
mod unknown;
pub(crate) mod workbook;
mod xls_formats;
mod xlsb_formats;

pub(crate) use format::NumberFormat;

use std::collections::BTreeSet;
use std::ops::Range;

use super::grid;
use super::story::{self, Piece};
use crate::block::{BlockKind, TextBuilder};
use crate::error::FileError;
use crate::input::ExtractLimits;
use crate::place::{Place, cell_name};

/// Rows of one block, without its header.
const BLOCK_ROWS: usize = 50;

/// Bytes of one block.
const BLOCK_BYTES: usize = 6_000;

/// A sheet as it was read.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    pub(crate) name: String,
    pub(crate) hidden: bool,
    /// Rows that hold anything, from the top.
    pub(crate) rows: Vec<Row>,
    /// What else stands on it: comments, text boxes, charts.
    pub(crate) remarks: Vec<Piece>,
}

/// A row of a sheet.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// Its number, from 0.
    pub(crate) number: u32,
    /// Column, from 0, and text of each cell that holds anything, from the left.
    pub(crate) cells: Vec<(u32, String)>,
}

impl Row {
    /// Whether it says one thing: the name of what stands below it, in one cell or in merged ones.
    fn is_caption(&self) -> bool {
        let mut texts = self.cells.iter().map(|(_, text)| text);
        texts.next().is_some_and(|first| texts.all(|text| text == first && !has_numbers(self)))
    }

    fn get(&self, column: u32) -> &str {
        let found = self.cells.binary_search_by_key(&column, |(column, _)| *column);
        found.ok().and_then(|at| self.cells.get(at)).map_or("", |(_, text)| text.as_str())
    }
}

/// Collects cells that come row by row, with what they may cost.
pub(crate) struct Cells {
    rows: Vec<Row>,
    left: u64,
    limit: u64,
}

impl Cells {
    pub(crate) fn new(limits: &ExtractLimits) -> Self {
        Self { rows: Vec::new(), left: limits.max_text, limit: limits.max_text }
    }

    /// Adds a cell; blank ones are left out.
    ///
    /// # Errors
    /// [`FileError::Limit`] above [`ExtractLimits::max_text`].
    pub(crate) fn add(&mut self, row: u32, column: u32, text: &str) -> Result<(), FileError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        // Short texts cost more than their bytes.
        self.left = self
            .left
            .checked_sub(text.len() as u64 + 2)
            .ok_or_else(|| FileError::Limit { what: format!("more than {} MiB of text", self.limit >> 20) })?;
        if self.rows.last().is_none_or(|last| last.number != row) {
            self.rows.push(Row { number: row, cells: Vec::new() });
        }
        let cell = (column, text.to_owned());
        self.rows.last_mut().into_iter().for_each(|last| last.cells.push(cell.clone()));
        Ok(())
    }

    /// The rows, from the top, with their cells from the left.
    pub(crate) fn finish(mut self) -> Vec<Row> {
        self.rows.sort_by_key(|row| row.number);
        self.rows.dedup_by(|second, first| {
            let same = second.number == first.number;
            if same {
                first.cells.append(&mut second.cells);
            }
            same
        });
        for row in &mut self.rows {
            row.cells.sort_by_key(|(column, _)| *column);
            row.cells.dedup_by_key(|(column, _)| *column);
        }
        self.rows
    }
}

/// Pushes a sheet, the first having number 1.
pub(crate) fn tell(builder: &mut TextBuilder, sheet: Sheet, number: u32) {
    builder.place = Some(Place::Sheet { number, name: sheet.name.clone(), cells: None });
    if sheet.rows.is_empty() && sheet.remarks.is_empty() {
        return;
    }
    if sheet.hidden {
        builder.warnings.push(format!("sheet {} is hidden", sheet.name));
    }
    builder.push(BlockKind::Heading { level: 1 }, &sheet.name, 1..2);
    rows(builder, sheet.rows);
    story::tell(builder, sheet.remarks);
}

/// Pushes the tables that rows make.
pub(crate) fn rows(builder: &mut TextBuilder, rows: Vec<Row>) {
    let areas = area::areas(rows);
    let mut before: Option<Table<'_>> = None;
    for area in &areas {
        let table = Table::new(area, before.as_ref());
        table.push(builder);
        before = Some(table);
    }
}

/// Rows without a blank one between them.
struct Table<'s> {
    /// Number of the first row; a header above it is that of the table before.
    top: u32,
    /// Columns that hold anything.
    columns: Vec<u32>,
    /// Rows above the header with one cell each: what the table is called.
    captions: &'s [Row],
    header: Option<&'s Row>,
    rows: &'s [Row],
}

impl<'s> Table<'s> {
    fn new(group: &'s [Row], before: Option<&Table<'s>>) -> Self {
        let columns: BTreeSet<u32> = group.iter().flat_map(|row| row.cells.iter().map(|(column, _)| *column)).collect();
        let columns: Vec<u32> = columns.into_iter().collect();
        let captions = if columns.len() > 1 { group.iter().take_while(|row| row.is_caption()).count() } else { 0 };
        let (captions, rows) = group.split_at(captions);
        // A blank row in the middle of a table: what follows looks like its rows, not like a header.
        let header = before.filter(|_| captions.is_empty()).and_then(|before| before.header).filter(|header| {
            let fits = columns.iter().all(|&column| !header.get(column).is_empty());
            fits && columns.len() > 1 && rows.first().is_some_and(has_numbers) && !has_numbers(header)
        });
        let top = group.first().map_or(0, |row| row.number);
        match (header, rows) {
            (Some(header), rows) => Self { top, columns, captions, header: Some(header), rows },
            (None, [first, rest @ ..]) if columns.len() > 1 => {
                Self { top, columns, captions, header: Some(first), rows: rest }
            }
            (None, rows) => Self { top, columns, captions, header: None, rows },
        }
    }

    fn push(&self, builder: &mut TextBuilder) {
        for caption in self.captions {
            let text = caption.cells.first().map_or("", |(_, text)| text.as_str());
            let cells =
                caption.cells.first().map_or_else(String::new, |(column, _)| cell_name(*column, caption.number));
            builder.push_cells(BlockKind::Paragraph, text, lines(caption.number, caption.number), cells);
        }
        let Some((&left, &right)) = self.columns.first().zip(self.columns.last()) else { return };
        if self.header.is_none() && self.rows.is_empty() {
            return;
        }
        let kind = if self.header.is_some() { BlockKind::Table } else { BlockKind::Paragraph };
        let header: Option<Vec<String>> = self.header.map(|row| self.texts(row));
        let mut rest = self.rows;
        let mut first_block = true;
        while !rest.is_empty() || first_block {
            let (block, later) = rest.split_at(self.fitting(rest));
            let own_header = self.header.filter(|row| first_block && row.number >= self.top);
            let top = own_header.or(block.first()).map_or(0, |row| row.number);
            let bottom = block.last().or(own_header).map_or(top, |row| row.number);
            let texts: Vec<Vec<String>> =
                header.iter().cloned().chain(block.iter().map(|row| self.texts(row))).collect();
            let cells = format!("{}:{}", cell_name(left, top), cell_name(right, bottom));
            builder.push_cells(kind.clone(), &grid::lines(&texts), lines(top, bottom), cells);
            rest = later;
            first_block = false;
        }
    }

    fn texts(&self, row: &Row) -> Vec<String> {
        self.columns.iter().map(|&column| row.get(column).to_owned()).collect()
    }

    /// How many rows make the next block: at least one.
    fn fitting(&self, rows: &[Row]) -> usize {
        let mut bytes = 0;
        let fits = |row: &&Row| {
            bytes += row.cells.iter().map(|(_, text)| text.len() + 3).sum::<usize>();
            bytes <= BLOCK_BYTES
        };
        rows.iter().take(BLOCK_ROWS).take_while(fits).count().max(1).min(rows.len())
    }
}

fn has_numbers(row: &Row) -> bool {
    row.cells.iter().any(|(_, text)| {
        text.trim_start_matches(['-', '+', '€', '$', '£', ' ']).starts_with(|c: char| c.is_ascii_digit())
    })
}

fn lines(first: u32, last: u32) -> Range<u32> {
    first.saturating_add(1)..last.saturating_add(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{StructuredText, sound};

    fn told(cells: &[(u32, u32, &str)]) -> StructuredText {
        let mut collected = Cells::new(&ExtractLimits::default());
        for &(row, column, text) in cells {
            collected.add(row, column, text).unwrap();
        }
        let mut builder = TextBuilder::default();
        let sheet = Sheet { name: "Costs".to_owned(), rows: collected.finish(), ..Sheet::default() };
        tell(&mut builder, sheet, 3);
        sound(builder.finish(workbook::XLSX))
    }

    #[test]
    fn cells_have_names() {
        assert_eq!(
            (cell_name(0, 0), cell_name(25, 9), cell_name(26, 1), cell_name(701, 0), cell_name(702, 0)),
            ("A1".into(), "Z10".into(), "AA2".into(), "ZZ1".into(), "AAA1".into())
        );
    }

    #[test]
    fn captions_tables_and_gaps_are_told() {
        let cells = [
            (0, 1, "Prices"),
            (1, 1, "Name"),
            (1, 3, "EUR"),
            (2, 1, "tea"),
            (2, 3, "3"),
            (4, 1, "milk"),
            (4, 3, "2"),
            (6, 1, "City"),
            (6, 3, "Land"),
            (9, 0, "note"),
        ];
        let document = told(&cells);
        let expected = "Costs\n\nPrices\n\n| Name | EUR |\n| --- | --- |\n| tea | 3 |\n\n| Name | EUR |\n| --- | --- |\n\
                        | milk | 2 |\n\n| City | Land |\n| --- | --- |\n\nnote";
        assert_eq!(document.text, expected);
        let ranges: Vec<Option<&str>> = document.blocks.iter().map(|block| block.place.as_ref()?.cells()).collect();
        assert_eq!(ranges, [None, Some("B1"), Some("B2:D3"), Some("B5:D5"), Some("B7:D7"), Some("A10:A10")]);
        assert!(document.blocks.iter().all(|block| block.place.as_ref().and_then(Place::number) == Some(3)));
        assert_eq!(document.blocks[2].lines, 2..4);
    }

    #[test]
    fn long_tables_repeat_their_header() {
        let texts: Vec<String> = (0..120).map(|row| format!("value {row}")).collect();
        let mut cells = vec![(0, 0, "Key"), (0, 1, "Value")];
        for (row, text) in texts.iter().enumerate() {
            cells.push((row as u32 + 1, 0, "k"));
            cells.push((row as u32 + 1, 1, text));
        }
        let document = told(&cells);
        let tables: Vec<_> = document.blocks.iter().filter(|block| block.kind == BlockKind::Table).collect();
        let ranges: Vec<_> = tables.iter().filter_map(|block| block.place.as_ref()?.cells()).collect();
        assert_eq!(ranges, ["A1:B51", "A52:B101", "A102:B121"]);
        assert!(tables.iter().all(|block| document.text[block.span.clone()].starts_with("| Key | Value |\n| --- |")));
        assert_eq!(document.text.matches("value 77").count(), 1);
    }

    #[test]
    fn cells_in_disorder_are_put_in_order() {
        let document = told(&[(5, 1, "d"), (0, 1, "b"), (0, 0, "a"), (5, 0, "c"), (5, 0, "again"), (1, 0, " ")]);
        assert!(document.text.contains("| a | b |") && document.text.contains("| c | d |"), "{}", document.text);
    }
}
