//! Workbooks by calamine: XLSX and XLSM with what their cells show under their number formats, XLSB, and XLS. Cells come
//! one by one where the library allows it, so that a sheet with a cell in its last corner costs nothing. Comments, text
//! boxes and titles of charts are read from their own parts of an XLSX package.
//!
//! Why calamine: it reads all four formats, tells dates, hidden sheets and passwords, and is what everybody uses;
//! `undoc` and `office_oxide` hand out Markdown without cell names.

use std::collections::HashMap;
use std::io::Cursor;

use calamine::{
    Data, DataRef, DataType, Dimensions, Reader, Sheet as Described, SheetType, SheetVisible, Style, Xls, XlsOptions,
    Xlsb, Xlsx,
};

use super::super::drawn;
use super::super::package::Package;
use super::super::properties;
use super::super::relations::Relations;
use super::super::story::Piece;
use super::super::xml::{Node, Xml};
use super::area::{self, Merged};
use super::format::NumberFormat;
use super::unknown::{self, Unknown};
use super::xlsb_formats::{SheetFormats, Styles};
use super::{Cells, Sheet, biff};
use crate::Format;
use crate::block::{Missing, StructuredText, TextBuilder};
use crate::error::FileError;
use crate::guard;
use crate::input::Input;

pub(crate) const XLSX: &Format = Format::of("xlsx");
pub(crate) const XLSB: &Format = Format::of("xlsb");
pub(crate) const XLS: &Format = Format::of("xls");

/// Parts of a package that calamine reads, which are unpacked within limits before it is let at them.
const TRUSTED_AFTER: &[&str] = &[".xml", ".bin", ".rels"];

/// The code page of UTF-16.
const UTF_16: u16 = 1200;

/// Merged cells of a sheet that are looked at.
const MAX_MERGED: usize = 100_000;

/// Reads an XLSX package.
pub(crate) fn read_xml(package: &mut Package<'_>, main: &str, bytes: &[u8]) -> Result<StructuredText, FileError> {
    let mut builder = TextBuilder::default();
    let declared = properties::read(package, &mut builder)?;
    let mut beside = beside(package, main)?;
    probe(package)?;
    let format = package.format;
    let strange: Vec<Unknown> = beside.values().filter_map(|beside| beside.unknown.clone()).collect();
    let rewritten = if strange.is_empty() { None } else { unknown::as_dialogs(package, main, bytes, &strange) };
    let bytes = rewritten.as_deref().unwrap_or(bytes);
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|error| failed(format, &error))?;
    for (number, described) in sheets(&workbook) {
        let name = described.name.clone();
        let mut cells = Cells::new(package.limits);
        if described.typ == SheetType::WorkSheet {
            let outcome = read_cells(&mut workbook, &name, &mut cells, format);
            note_missing(&mut builder, &name, outcome)?;
        }
        let mut rows = cells.finish();
        let Beside { remarks, merged, unknown, uncalculated } = beside.remove(&name).unwrap_or_default();
        builder.missing.extend(unknown.map(|sheet| missing(&name, sheet.reason())));
        builder.missing.extend(uncalculated.map(|formulas| missing(&name, without_results(formulas))));
        area::repeat(&mut rows, &merged);
        let hidden = described.visible != SheetVisible::Visible;
        super::tell(&mut builder, Sheet { name, hidden, rows, remarks }, number);
        check_length(&builder, package)?;
    }
    finished(builder, XLSX, declared)
}

fn read_cells(
    workbook: &mut Xlsx<Cursor<&[u8]>>,
    name: &str,
    cells: &mut Cells,
    format: &'static str,
) -> Result<(), FileError> {
    let mut reader = workbook.worksheet_cells_reader(name).map_err(|error| failed(format, &error))?;
    let formats: Vec<NumberFormat> = reader.styles().iter().map(|style| NumberFormat::of(code(style))).collect();
    let general = NumberFormat::of("");
    while let Some((cell, style)) = reader.next_cell_with_style_id().map_err(|error| failed(format, &error))? {
        let (row, column) = cell.get_position();
        let format = formats.get(style).unwrap_or(&general);
        cells.add(row, column, &format.shown(cell.get_value()))?;
    }
    Ok(())
}

fn code(style: &Style) -> &str {
    style.number_format.as_ref().map_or("", |format| format.format_code.as_str())
}

/// Reads an XLSB package. calamine takes its records at their word, however short they are.
pub(crate) fn read_binary(package: &mut Package<'_>, bytes: &[u8]) -> Result<StructuredText, FileError> {
    let mut builder = TextBuilder::default();
    let declared = properties::read(package, &mut builder)?;
    probe(package)?;
    let format = package.format;
    let open = || Xlsb::new(Cursor::new(bytes)).map_err(|error| failed(format, &error));
    let mut workbook: Xlsb<_> = guard::guarded(format, open)??;
    let styles = Styles::of(package)?;
    for (number, described) in sheets(&workbook) {
        let name = described.name.clone();
        let formats = styles.of_sheet(package, &name)?;
        let mut cells = Cells::new(package.limits);
        let read = || read_binary_cells(&mut workbook, &name, &formats, &mut cells, format);
        let outcome = guard::guarded(format, read).and_then(|outcome| outcome);
        if described.typ == SheetType::WorkSheet {
            note_missing(&mut builder, &name, outcome)?;
        }
        let hidden = described.visible != SheetVisible::Visible;
        super::tell(&mut builder, Sheet { name, hidden, rows: cells.finish(), remarks: Vec::new() }, number);
        check_length(&builder, package)?;
    }
    finished(builder, XLSB, declared)
}

fn read_binary_cells(
    workbook: &mut Xlsb<Cursor<&[u8]>>,
    name: &str,
    formats: &SheetFormats,
    cells: &mut Cells,
    format: &'static str,
) -> Result<(), FileError> {
    let general = NumberFormat::of("");
    let mut reader = workbook.worksheet_cells_reader(name).map_err(|error| failed(format, &error))?;
    while let Some(cell) = reader.next_cell().map_err(|error| failed(format, &error))? {
        let (row, column) = cell.get_position();
        let format = formats.get(row, column).unwrap_or(&general);
        cells.add(row, column, &format.shown(cell.get_value()))?;
    }
    Ok(())
}

/// Reads an XLS file.
pub(crate) fn read_compound(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let mut builder = TextBuilder::default();
    let prepared = biff::prepare(input.bytes)?;
    let mut options = XlsOptions::default();
    options.force_codepage = prepared.is_unicode.then_some(UTF_16);
    let bytes = prepared.file.as_deref().unwrap_or(input.bytes);
    let mut workbook: Xls<_> =
        Xls::new_with_options(Cursor::new(bytes), options).map_err(|error| failed(XLS.name, &error))?;
    let general = NumberFormat::of("");
    for (number, described) in sheets(&workbook) {
        let name = described.name.clone();
        let mut cells = Cells::new(input.limits);
        let outcome = workbook.worksheet_range(&name).map_err(|error| failed(XLS.name, &error)).and_then(|range| {
            let (top, left) = range.start().unwrap_or_default();
            range.used_cells().try_for_each(|(row, column, value)| {
                let at = |first: u32, at: usize| first.saturating_add(u32::try_from(at).unwrap_or(0));
                let (row, column) = prepared.place(at(top, row), at(left, column));
                let format = prepared.formats.get(number - 1, row, column).unwrap_or(&general);
                cells.add(row, column, &format.shown(&borrowed(value)))
            })
        });
        if described.typ == SheetType::WorkSheet {
            note_missing(&mut builder, &name, outcome)?;
        }
        let hidden = described.visible != SheetVisible::Visible;
        let merged: Vec<Merged> =
            workbook.merge_cells_by_sheet_name(&name).unwrap_or_default().iter().map(merged).collect();
        let mut rows = cells.finish();
        area::repeat(&mut rows, &merged);
        super::tell(&mut builder, Sheet { name, hidden, rows, remarks: Vec::new() }, number);
    }
    finished(builder, XLS, None)
}

fn merged(cells: &Dimensions) -> Merged {
    Merged { first: cells.start, last: cells.end }
}

fn borrowed(value: &Data) -> DataRef<'_> {
    match value {
        Data::String(text) => DataRef::SharedString(text),
        Data::Int(number) => DataRef::Int(*number),
        Data::Float(number) => DataRef::Float(*number),
        Data::Bool(value) => DataRef::Bool(*value),
        Data::DateTime(date) => DataRef::DateTime(*date),
        Data::Error(error) => DataRef::Error(error.clone()),
        other => other.as_string().map_or(DataRef::Empty, DataRef::String),
    }
}

/// All sheets with their numbers, from 1.
fn sheets<RS: std::io::Read + std::io::Seek>(workbook: &impl Reader<RS>) -> Vec<(u32, Described)> {
    (1..).zip(workbook.sheets_metadata().iter().cloned()).collect()
}

/// The document; its title is never the name of a sheet.
fn finished(builder: TextBuilder, format: &Format, declared: Option<String>) -> Result<StructuredText, FileError> {
    if let Some(missing) = builder.missing.first().filter(|_| builder.len() == 0) {
        return Err(FileError::damaged(format.name, &missing.reason));
    }
    let title = builder.title.clone();
    let mut document = properties::finish(builder, format, declared);
    document.title = title;
    Ok(document)
}

fn missing(sheet: &str, reason: String) -> Missing {
    Missing { part: format!("sheet {sheet}"), reason }
}

fn without_results((count, first): (usize, String)) -> String {
    let formulas = if count == 1 { "1 formula".to_owned() } else { format!("{count} formulas, from") };
    format!("no stored result of {formulas} {first}; open the file in a spreadsheet program and save it")
}

/// A damaged sheet is missing; the others are read.
fn note_missing(builder: &mut TextBuilder, name: &str, outcome: Result<(), FileError>) -> Result<(), FileError> {
    match outcome {
        Err(FileError::Damaged { reason, .. }) => {
            builder.missing.push(missing(name, reason));
            Ok(())
        }
        other => other,
    }
}

fn check_length(builder: &TextBuilder, package: &Package<'_>) -> Result<(), FileError> {
    if builder.len() as u64 > package.limits.max_text {
        return Err(FileError::Limit { what: format!("more than {} MiB of text", package.limits.max_text >> 20) });
    }
    Ok(())
}

fn failed(format: &str, error: &impl ToString) -> FileError {
    let reason = error.to_string();
    if reason.contains("password") { FileError::Encrypted } else { FileError::damaged(format, reason) }
}

/// Unpacks what calamine will unpack, against the limits it does not know.
fn probe(package: &mut Package<'_>) -> Result<(), FileError> {
    for name in package.names() {
        if TRUSTED_AFTER.iter().any(|extension| name.ends_with(extension)) {
            package.probe(&name)?;
        }
    }
    Ok(())
}

/// What an XLSX package holds of a sheet beside its cells.
#[derive(Debug, Default)]
struct Beside {
    remarks: Vec<Piece>,
    merged: Vec<Merged>,
    /// What it is, if it is no sheet of cells.
    unknown: Option<Unknown>,
    /// Formulas without a stored result.
    uncalculated: Option<(usize, String)>,
}

/// What stands beside the cells of each sheet, by the sheet's name.
fn beside(package: &mut Package<'_>, main: &str) -> Result<HashMap<String, Beside>, FileError> {
    let relations = Relations::of(package, main)?;
    let text = package.required(main)?;
    let mut out = HashMap::new();
    let mut xml = Xml::new(&text, package.format);
    while let Some(node) = xml.next()? {
        let Node::Open(element) = node else { continue };
        if element.name() != "sheet" {
            continue;
        }
        let (Some(name), Some(id)) = (element.attribute("name"), element.prefixed("id")) else { continue };
        let mut found = Beside { unknown: Unknown::of(&id, relations.kind(&id)), ..Beside::default() };
        let Some(part) = relations.part(&id).filter(|_| found.unknown.is_none()) else {
            out.insert(name, found);
            continue;
        };
        let own = Relations::of(package, part)?;
        let threads = own.of_kind("threadedComment");
        // A thread has an old comment beside it that only says that it is one.
        let comments = if threads.is_empty() { own.of_kind("comments") } else { threads };
        for part in comments {
            comments_of(package, &part, &mut found.remarks)?;
        }
        for part in own.of_kind("drawing") {
            drawing(package, &part, &mut found.remarks)?;
        }
        if let Some(text) = package.xml(part)? {
            found.merged = merged_cells(&text);
            found.uncalculated = unknown::uncalculated(&text);
        }
        out.insert(name, found);
    }
    Ok(out)
}

/// `<mergeCell ref="B2:D2"/>`, which stand behind all cells: found by their name, not by reading a long sheet once more.
fn merged_cells(text: &str) -> Vec<Merged> {
    let Some(start) = text.rfind("mergeCells>").and_then(|end| text[..end].find("mergeCell ")) else {
        return Vec::new();
    };
    let ranges = text[start..].split("mergeCell ").filter_map(|cell| {
        let range = cell.split_once("ref=\"").or_else(|| cell.split_once("ref='"))?.1;
        let (first, last) = range.split(['"', '\'']).next()?.split_once(':')?;
        Some(Merged { first: place(first)?, last: place(last)? })
    });
    ranges.take(MAX_MERGED).collect()
}

/// Row and column of a cell's name, from 0: `B3` is (2, 1).
fn place(name: &str) -> Option<(u32, u32)> {
    let digits = name.find(|c: char| c.is_ascii_digit())?;
    let column = name[..digits].bytes().try_fold(0u32, |column, letter| {
        let letter = letter.is_ascii_uppercase().then(|| u32::from(letter - b'A') + 1)?;
        column.checked_mul(26)?.checked_add(letter)
    })?;
    let row: u32 = name[digits..].parse().ok()?;
    Some((row.checked_sub(1)?, column.checked_sub(1)?))
}

fn comments_of(package: &mut Package<'_>, part: &str, found: &mut Vec<Piece>) -> Result<(), FileError> {
    let Some(text) = package.xml(part)? else { return Ok(()) };
    let mut authors: Vec<String> = Vec::new();
    let mut xml = Xml::new(&text, package.format);
    let (mut cell, mut author, mut date, mut comment) = (String::new(), None, None, String::new());
    while let Some(node) = xml.next()? {
        match node {
            Node::Open(element) => match element.name() {
                "author" => authors.push(xml.text()?),
                "comment" | "threadedComment" => {
                    cell = element.attribute("ref").unwrap_or_default();
                    author = element.number::<usize>("authorId").and_then(|id| authors.get(id).cloned());
                    date = element.attribute("dT");
                }
                "t" => comment.push_str(&xml.text()?),
                _ => {}
            },
            Node::Text(text) => comment.push_str(text.trim()),
            Node::Close(closed) if matches!(closed.name(), "comment" | "threadedComment") => {
                if !comment.trim().is_empty() {
                    let comment = drawn::comment(author.as_deref(), date.as_deref(), &comment);
                    found.push(Piece::paragraph(format!("{cell}: {comment}")));
                }
                comment.clear();
            }
            Node::Close(_) => {}
        }
    }
    Ok(())
}

/// Text boxes and charts. A drawing that cannot be read costs itself alone.
fn drawing(package: &mut Package<'_>, part: &str, found: &mut Vec<Piece>) -> Result<(), FileError> {
    let Some(text) = package.xml(part)? else { return Ok(()) };
    found.extend(drawn::paragraphs(&text, package.format).unwrap_or_default().into_iter().map(Piece::paragraph));
    for (_, kind, part) in Relations::of(package, part)?.drawn() {
        let Some(text) = package.xml(&part)? else { continue };
        found.extend(drawn::read(&text, package.format, &kind, package.limits).unwrap_or_default());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BlockKind;
    use crate::input::ExtractLimits;
    use crate::office::package::tests::packed;

    const TYPES: &str = "<Types><Override PartName='/xl/workbook.xml' \
        ContentType='application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml'/></Types>";
    const ROOT: &str = "<Relationships><Relationship Id='r' Type='http://schemas.openxmlformats.org/officeDocument/2006/\
        relationships/officeDocument' Target='xl/workbook.xml'/></Relationships>";
    const WORKBOOK: &str = "<workbook xmlns:r='x'><sheets><sheet name='Costs' sheetId='1' r:id='r1'/>\
        <sheet name='Old' sheetId='2' state='hidden' r:id='r2'/></sheets></workbook>";
    const RELATIONS: &str = "<Relationships><Relationship Id='r1' Type='http://x/worksheet' Target='worksheets/a.xml'/>\
        <Relationship Id='r2' Type='http://x/worksheet' Target='worksheets/b.xml'/>\
        <Relationship Id='s' Type='http://x/styles' Target='styles.xml'/></Relationships>";
    const STYLES: &str = "<styleSheet><numFmts><numFmt numFmtId='170' formatCode='0.0%'/></numFmts><cellXfs><xf numFmtId='0'/>\
        <xf numFmtId='170'/><xf numFmtId='14'/></cellXfs></styleSheet>";
    const SHEET: &str = "<worksheet><sheetData><row r='2'><c r='B2' t='inlineStr'><is><t>Share</t></is></c>\
        <c r='C2' t='inlineStr'><is><t>Day</t></is></c></row><row r='3'><c r='B3' s='1'><f>1/8</f><v>0.125</v></c>\
        <c r='C3' s='2'><v>45943</v></c></row></sheetData></worksheet>";
    const CORNER: &str = "<worksheet><sheetData><row r='1'><c r='A1'><v>1</v></c></row>\
        <row r='1048576'><c r='XFD1048576'><v>2</v></c></row></sheetData></worksheet>";
    const SHEET_RELATIONS: &str =
        "<Relationships><Relationship Id='c' Type='http://x/comments' Target='../comments1.xml'/></Relationships>";
    const COMMENTS: &str = "<comments><authors><author>Ana</author></authors><commentList><comment ref='B3' authorId='0'>\
        <text><r><t>check this</t></r></text></comment></commentList></comments>";

    fn xlsx(first: &str) -> Vec<u8> {
        packed(&[
            ("[Content_Types].xml", TYPES),
            ("_rels/.rels", ROOT),
            ("xl/workbook.xml", WORKBOOK),
            ("xl/_rels/workbook.xml.rels", RELATIONS),
            ("xl/styles.xml", STYLES),
            ("xl/worksheets/a.xml", first),
            ("xl/worksheets/_rels/a.xml.rels", SHEET_RELATIONS),
            ("xl/comments1.xml", COMMENTS),
            ("xl/worksheets/b.xml", CORNER),
        ])
    }

    fn read(bytes: &[u8]) -> Result<StructuredText, FileError> {
        let limits = ExtractLimits::default();
        let mut package = Package::open(bytes, &limits, "xlsx")?;
        read_xml(&mut package, "xl/workbook.xml", bytes)
    }

    #[test]
    fn cells_are_read_as_they_are_shown() {
        let document = read(&xlsx(SHEET)).unwrap();
        let expected = "Costs\n\n| Share | Day |\n| --- | --- |\n| 12.5% | 2025-10-13 |\n\nB3: Comment by Ana: check this\n\n\
                        Old\n\n1\n\n2";
        assert_eq!(document.text, expected);
        assert_eq!(
            document.blocks[1].place.as_ref().map(|place| (place.cells(), place.number())),
            Some((Some("B2:C3"), Some(1)))
        );
        assert_eq!(document.blocks[1].kind, BlockKind::Table);
        assert_eq!(document.warnings, ["sheet Old is hidden"]);
        assert_eq!(document.title, None);
    }

    #[test]
    fn sheets_of_unknown_kinds_do_not_spoil_the_workbook() {
        let relations = RELATIONS.replace(
            "http://x/worksheet' Target='worksheets/b.xml",
            "http://x/xlMacrosheet' Target='macrosheets/m.xml",
        );
        let workbook =
            WORKBOOK.replace("<sheet name='Old'", "<sheet name='Lost' sheetId='9' r:id='r9'/><sheet name='Old'");
        let bytes = packed(&[
            ("[Content_Types].xml", TYPES),
            ("_rels/.rels", ROOT),
            ("xl/workbook.xml", &workbook),
            ("xl/_rels/workbook.xml.rels", &relations),
            ("xl/styles.xml", STYLES),
            ("xl/worksheets/a.xml", SHEET),
            ("xl/macrosheets/m.xml", "<xm:macrosheet/>"),
        ]);
        let document = read(&bytes).unwrap();
        assert!(document.text.contains("| 12.5% | 2025-10-13 |"), "{}", document.text);
        let parts: Vec<&str> = document.missing.iter().map(|missing| missing.part.as_str()).collect();
        assert_eq!(parts, ["sheet Lost", "sheet Old"]);
        assert!(document.missing[1].reason.contains("macro"));
    }

    #[test]
    fn formulas_without_a_result_are_told_of() {
        let document = read(&xlsx(&SHEET.replace("<f>1/8</f><v>0.125</v>", "<f>1/8</f>"))).unwrap();
        assert_eq!(document.missing[0].part, "sheet Costs");
        assert!(document.missing[0].reason.contains("no stored result of 1 formula B3"), "{:?}", document.missing);
        assert!(read(&xlsx(SHEET)).unwrap().missing.is_empty());
    }

    #[test]
    fn stray_cells_and_old_code_pages_cost_nothing() {
        let cells = [(0, 0, "Größe"), (65_535, 255, "Ecke"), (0, 1, "中文")];
        for stated in [[1, 1], [65_535, 255]] {
            let bytes = biff::tests::workbook_of(&cells, stated);
            let limits = ExtractLimits::default();
            let input = Input::new(std::path::Path::new("a.xls"), &bytes, &limits);
            let document = read_compound(&input).unwrap();
            assert_eq!(document.text, "Sums\n\n| Größe | 中文 |\n| --- | --- |\n\nEcke");
            let cells = document.blocks.last().and_then(|block| block.place.as_ref()?.cells().map(str::to_owned));
            assert_eq!(cells.as_deref(), Some("IV65536:IV65536"));
        }
    }

    #[test]
    fn merged_cells_are_found() {
        let text =
            "<sheetData/><mergeCells count='2'><mergeCell ref=\"A1:B3\"/><mergeCell ref='AA10:AB10'/></mergeCells>";
        let expected = [Merged { first: (0, 0), last: (2, 1) }, Merged { first: (9, 26), last: (9, 27) }];
        assert_eq!(merged_cells(text), expected);
        assert_eq!(merged_cells("<mergeCell ref='1:'/></mergeCells>"), []);
        assert_eq!((place("A0"), place("a1"), place("ZZZZZZZZ1")), (None, None, None));
    }

    #[test]
    fn a_damaged_sheet_is_missing() {
        let document = read(&xlsx("<worksheet><sheetData><row><c r='A1'></row>")).unwrap();
        assert_eq!(document.missing[0].part, "sheet Costs");
        assert!(document.text.contains("Old"));
        assert!(matches!(read(&packed(&[("xl/workbook.xml", "<x/>")])), Err(FileError::Damaged { .. })));
    }
}
