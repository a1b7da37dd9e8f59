//! SpreadsheetML: the XML that Excel 2002 and 2003 wrote for a whole workbook in one file, and that programs still write
//! because it needs no library. Cells are placed by what they say (`ss:Index`), or behind the one before.

use super::area::Merged;
use super::{Cells, Sheet, area, tell};
use crate::Format;
use crate::block::{StructuredText, TextBuilder};
use crate::error::FileError;
use crate::input::Input;
use crate::office::xml::{Node, Xml};

/// The namespace that tells such a workbook.
pub(crate) const NAMESPACE: &str = "urn:schemas-microsoft-com:office:spreadsheet";

/// Cells beyond these numbers are no sheet's.
const MAX_ROW: u32 = 1_048_576;
const MAX_COLUMN: u32 = 16_384;

/// Reads a workbook. `format` is that of the file: it is XML.
pub(crate) fn read(
    source: &str,
    warnings: Vec<String>,
    input: &Input<'_>,
    format: &Format,
) -> Result<StructuredText, FileError> {
    let mut builder = TextBuilder::default();
    builder.warnings = warnings;
    let mut open: Option<Open> = None;
    let mut number = 0;
    let mut xml = Xml::new(source, format.name);
    loop {
        let node = match xml.next() {
            Ok(Some(node)) => node,
            Ok(None) => break,
            Err(FileError::Damaged { reason, .. }) => {
                builder.warnings.push(format!("not sound XML, read as far as it goes ({reason})"));
                break;
            }
            Err(error) => return Err(error),
        };
        match node {
            Node::Open(element) if element.name() == "Worksheet" => {
                let name = element.attribute("Name").unwrap_or_default();
                open = Some(Open { name, cells: Cells::new(input.limits), ..Open::new(input) });
            }
            Node::Open(element) => {
                let Some(sheet) = &mut open else { continue };
                match element.name() {
                    "Row" => sheet.start_row(element.number("Index")),
                    "Cell" => {
                        sheet.start_cell(element.number("Index"));
                        let size = |name: &str| element.number(name).unwrap_or(0_u32);
                        sheet.merge(size("MergeAcross"), size("MergeDown"));
                    }
                    "Data" => sheet.in_data = true,
                    "Visible" => sheet.in_visible = true,
                    _ => {}
                }
            }
            Node::Text(text) => {
                let Some(sheet) = &mut open else { continue };
                if sheet.in_data {
                    sheet.text.push_str(&text);
                }
                sheet.hidden |= sheet.in_visible && text.contains("Hidden");
            }
            Node::Close(closed) => match (closed.name(), &mut open) {
                ("Data", Some(sheet)) => {
                    sheet.in_data = false;
                    sheet.cells.add(
                        sheet.row.saturating_sub(1),
                        sheet.column.saturating_sub(1),
                        &std::mem::take(&mut sheet.text),
                    )?;
                }
                ("Cell", Some(sheet)) => sheet.column = sheet.column.saturating_add(sheet.across),
                ("Visible", Some(sheet)) => sheet.in_visible = false,
                ("Worksheet", Some(_)) => {
                    number += 1;
                    open.take().into_iter().for_each(|sheet| sheet.tell(&mut builder, number));
                }
                _ => {}
            },
        }
    }
    open.into_iter().for_each(|sheet| sheet.tell(&mut builder, number + 1));
    builder.title = Some(input.file_name());
    Ok(builder.finish(format))
}

/// The sheet that is being read.
struct Open {
    name: String,
    cells: Cells,
    merged: Vec<Merged>,
    hidden: bool,
    /// Row and column of the open cell, from 1.
    row: u32,
    column: u32,
    /// Further columns that it covers.
    across: u32,
    in_data: bool,
    in_visible: bool,
    text: String,
}

impl Open {
    fn new(input: &Input<'_>) -> Self {
        Self {
            name: String::new(),
            cells: Cells::new(input.limits),
            merged: Vec::new(),
            hidden: false,
            row: 0,
            column: 0,
            across: 0,
            in_data: false,
            in_visible: false,
            text: String::new(),
        }
    }

    fn start_row(&mut self, index: Option<u32>) {
        self.row = index.unwrap_or(self.row + 1).clamp(1, MAX_ROW);
        self.column = 0;
    }

    fn start_cell(&mut self, index: Option<u32>) {
        self.column = index.unwrap_or(self.column + 1).clamp(1, MAX_COLUMN);
        self.text.clear();
    }

    fn merge(&mut self, across: u32, down: u32) {
        self.across = across.min(MAX_COLUMN);
        if across > 0 || down > 0 {
            let first = (self.row.saturating_sub(1), self.column - 1);
            let last = (first.0.saturating_add(down.min(MAX_ROW)), first.1.saturating_add(self.across));
            self.merged.push(Merged { first, last });
        }
    }

    fn tell(self, builder: &mut TextBuilder, number: u32) {
        let mut rows = self.cells.finish();
        area::repeat(&mut rows, &self.merged);
        tell(builder, Sheet { name: self.name, hidden: self.hidden, rows, remarks: Vec::new() }, number);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::block::assert_invariants;
    use crate::{ExtractLimits, StructuredText, extract};

    fn workbook(name: &str, sheets: &str) -> StructuredText {
        let source = format!(
            "<?xml version='1.0'?><?mso-application progid='Excel.Sheet'?>\
             <Workbook xmlns='urn:schemas-microsoft-com:office:spreadsheet' xmlns:ss='urn:schemas-microsoft-com:office:spreadsheet'>\
             <Styles><Style ss:ID='s1'/></Styles>{sheets}</Workbook>"
        );
        let document =
            extract(Path::new(name), source.as_bytes(), &ExtractLimits::default()).unwrap().document.unwrap();
        assert_invariants(&document);
        document
    }

    fn row(cells: &[&str]) -> String {
        let cells: String =
            cells.iter().map(|cell| format!("<Cell><Data ss:Type='String'>{cell}</Data></Cell>")).collect();
        format!("<Row>{cells}</Row>")
    }

    #[test]
    fn sheets_are_tables_under_their_names() {
        let second = "<Row ss:Index='3'><Cell ss:Index='2'><Data ss:Type='Number'>7</Data></Cell><Cell><Data>x</Data></Cell></Row>";
        let sheets = format!(
            "<Worksheet ss:Name='Rates'><Table>{}{}</Table></Worksheet><Worksheet ss:Name='More'><Table>{second}</Table></Worksheet>",
            row(&["City", "Rate"]),
            row(&["Oslo &amp; Rome", "3"])
        );
        for name in ["a.xml", "a.xls"] {
            let document = workbook(name, &sheets);
            assert_eq!(
                document.text,
                "Rates\n\n| City | Rate |\n| --- | --- |\n| Oslo & Rome | 3 |\n\nMore\n\n| 7 | x |\n| --- | --- |"
            );
            assert_eq!(document.blocks[1].place.as_ref().and_then(|place| place.cells()), Some("A1:B2"));
            assert_eq!(document.blocks[3].place.as_ref().and_then(|place| place.cells()), Some("B3:C3"));
        }
    }

    #[test]
    fn cut_and_absurd_workbooks_are_harmless() {
        let far = "<Worksheet ss:Name='A'><Table><Row ss:Index='4294967295'><Cell ss:Index='4294967295' ss:MergeAcross='4294967295' ss:MergeDown='4294967295'><Data>x</Data></Cell><Cell><Data>y</Data></Cell></Row></Table>";
        assert!(workbook("a.xml", far).text.contains('x'));
    }
}
