//! The sheets of an OpenDocument spreadsheet. A cell holds its value and, as text, what it shows: the text is read.

use super::super::sheets::{self, Cells, Sheet};
use super::super::story::Piece;
use super::super::xml::{Node, Xml};
use super::Parts;
use super::content;
use super::styles::Styles;
use crate::block::TextBuilder;
use crate::error::FileError;
use crate::place::cell_name;

/// Times that a cell or row with content is repeated at most: more is a filled background.
const MAX_REPEATED: u32 = 1_000;

/// The open sheet and the place in it.
struct Open {
    sheet: Sheet,
    cells: Cells,
    row: u32,
    column: u32,
    /// How often the open row and cell are there.
    rows: u32,
    columns: u32,
    /// Cells of the open row.
    line: Vec<(u32, String)>,
    text: String,
}

/// Reads the sheets below the element that was opened last.
pub(super) fn read(
    xml: &mut Xml<'_>,
    parts: &Parts<'_>,
    styles: &Styles,
    builder: &mut TextBuilder,
) -> Result<(), FileError> {
    let outside = xml.depth().saturating_sub(1);
    let mut open: Option<Open> = None;
    let mut number = 0;
    while xml.depth() > outside {
        let Some(node) = xml.next()? else { break };
        match (node, &mut open) {
            (Node::Open(element), None) if element.name() == "table" => {
                let hidden = element.attribute("style-name").is_some_and(|style| styles.hides(&style));
                let sheet = Sheet { name: element.attribute("name").unwrap_or_default(), hidden, ..Sheet::default() };
                open = Some(Open::new(sheet, Cells::new(parts.limits)));
            }
            (Node::Open(element), Some(open)) => match element.name() {
                "table-row" => {
                    open.rows = element.number("number-rows-repeated").unwrap_or(1);
                    open.column = 0;
                }
                "table-cell" | "covered-table-cell" => {
                    open.columns = element.number("number-columns-repeated").unwrap_or(1);
                    open.text.clear();
                }
                "annotation" => {
                    let comment = content::comment(xml)?;
                    let cell = cell_name(open.column, open.row);
                    open.sheet.remarks.extend(comment.map(|comment| Piece::paragraph(format!("{cell}: {comment}"))));
                }
                "p" => {
                    if !open.text.is_empty() {
                        open.text.push('\n');
                    }
                    open.text.push_str(&xml.text()?);
                }
                "shapes" => {
                    let text = xml.text()?;
                    let text = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
                    open.sheet.remarks.extend(text.map(Piece::paragraph));
                }
                _ => {}
            },
            (Node::Close(closed), Some(at)) => match closed.name() {
                "table-cell" | "covered-table-cell" => at.close_cell(),
                "table-row" => at.close_row()?,
                "table" => {
                    number += 1;
                    if let Some(closed) = open.take() {
                        let rows = closed.cells.finish();
                        sheets::tell(builder, Sheet { rows, ..closed.sheet }, number);
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
    Ok(())
}

impl Open {
    fn new(sheet: Sheet, cells: Cells) -> Self {
        let (line, text) = (Vec::new(), String::new());
        Self { sheet, cells, row: 0, column: 0, rows: 1, columns: 1, line, text }
    }

    fn close_cell(&mut self) {
        if !self.text.trim().is_empty() {
            for copy in 0..self.columns.min(MAX_REPEATED) {
                self.line.push((self.column.saturating_add(copy), self.text.clone()));
            }
        }
        self.text.clear();
        self.column = self.column.saturating_add(self.columns);
    }

    fn close_row(&mut self) -> Result<(), FileError> {
        if !self.line.is_empty() {
            for copy in 0..self.rows.min(MAX_REPEATED) {
                for (column, text) in &self.line {
                    self.cells.add(self.row.saturating_add(copy), *column, text)?;
                }
            }
        }
        self.line.clear();
        self.row = self.row.saturating_add(self.rows);
        Ok(())
    }
}
