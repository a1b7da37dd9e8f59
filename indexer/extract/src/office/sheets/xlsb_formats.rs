//! Number formats of the cells of an XLSB workbook ([MS-XLSB] 2.1.7.50, 2.4.331, 2.4.332), which calamine reads only to
//! tell dates: the styles, and of each sheet which cell has which.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::package::Package;
use super::super::relations::Relations;
use super::format::NumberFormat;
use super::xls_formats::BUILT_IN;
use crate::error::FileError;

const WORKBOOK: &str = "xl/workbook.bin";
const STYLES: &str = "xl/styles.bin";

/// Records of the workbook, the styles and the sheets.
const SHEET: u16 = 0x009c;
const FORMAT: u16 = 0x002c;
const STYLE: u16 = 0x002f;
const BEGIN_STYLES: u16 = 0x0269;
const END_STYLES: u16 = 0x026a;
const ROW: u16 = 0x0000;
const END_CELLS: u16 = 0x0092;
/// Cells that hold a number: packed, whole, of a formula.
const NUMBERS: [u16; 3] = [0x0002, 0x0005, 0x0009];

/// Bytes of the longest code of a format: more is none.
const MAX_CODE: usize = 2_000;

/// The formats of a workbook.
#[derive(Default)]
pub(super) struct Styles {
    formats: Arc<Vec<NumberFormat>>,
    /// Which of them are more than a number.
    has_own: Vec<bool>,
    /// The part of each sheet, by its name.
    parts: HashMap<String, String>,
}

/// The formats of the cells of one sheet.
#[derive(Default)]
pub(super) struct SheetFormats {
    formats: Arc<Vec<NumberFormat>>,
    /// Row and column of each cell with a format of its own, in order, and which it is.
    cells: Vec<(u32, u32, u32)>,
}

impl Styles {
    /// From the parts of a package; what is broken in them has no formats.
    pub(super) fn of(package: &mut Package<'_>) -> Result<Self, FileError> {
        let mut styles = Self::default();
        let relations = Relations::of(package, WORKBOOK)?;
        for (kind, data) in Records(&package.bytes(WORKBOOK)?.unwrap_or_default()) {
            let named = || {
                let mut rest = data.get(8..)?;
                let id = wide(&mut rest)?;
                Some((wide(&mut rest)?, relations.part(&id)?.to_owned()))
            };
            styles.parts.extend((kind == SHEET).then(named).flatten());
        }
        let codes = package.bytes(STYLES)?.unwrap_or_default();
        styles.read_codes(&codes);
        Ok(styles)
    }

    fn read_codes(&mut self, stream: &[u8]) {
        let mut codes: HashMap<u16, String> =
            BUILT_IN.iter().map(|&(number, code)| (number, code.to_owned())).collect();
        let mut formats = Vec::new();
        let mut is_within = false;
        for (kind, data) in Records(stream) {
            let number = |at: usize| data.get(at..at + 2)?.first_chunk().map(|two| u16::from_le_bytes(*two));
            match kind {
                FORMAT => {
                    let code = data.get(2..).and_then(|mut rest| wide(&mut rest));
                    codes.extend(number(0).zip(code.filter(|code| code.len() <= MAX_CODE)));
                }
                BEGIN_STYLES => is_within = true,
                END_STYLES => break,
                STYLE if is_within => {
                    let code = number(2).and_then(|number| codes.get(&number)).map_or("", String::as_str);
                    self.has_own.push(!code.is_empty() && !code.eq_ignore_ascii_case("general"));
                    formats.push(NumberFormat::of(code));
                }
                _ => {}
            }
        }
        self.formats = Arc::new(formats);
    }

    /// Those of a sheet.
    pub(super) fn of_sheet(&self, package: &mut Package<'_>, name: &str) -> Result<SheetFormats, FileError> {
        let Some(part) = self.parts.get(name).filter(|_| self.has_own.contains(&true)) else {
            return Ok(SheetFormats::default());
        };
        let stream = package.bytes(part)?.unwrap_or_default();
        let mut row = 0;
        let mut cells = Vec::new();
        for (kind, data) in Records(&stream) {
            let number = |at: usize| data.get(at..at + 4)?.first_chunk().map(|four| u32::from_le_bytes(*four));
            match kind {
                ROW => row = number(0).unwrap_or(row),
                END_CELLS => break,
                _ if NUMBERS.contains(&kind) => {
                    // The upper byte holds flags.
                    let style = number(4).map(|style| style & 0x00ff_ffff);
                    let style = style.filter(|style| self.has_own.get(*style as usize) == Some(&true));
                    cells.extend(number(0).zip(style).map(|(column, style)| (row, column, style)));
                }
                _ => {}
            }
        }
        cells.sort_unstable();
        Ok(SheetFormats { formats: Arc::clone(&self.formats), cells })
    }
}

impl SheetFormats {
    /// The format of a cell; `None` where it has none of its own.
    pub(super) fn get(&self, row: u32, column: u32) -> Option<&NumberFormat> {
        let at = self.cells.partition_point(|&(of_row, of_column, _)| (of_row, of_column) < (row, column));
        let &(of_row, of_column, style) = self.cells.get(at)?;
        ((of_row, of_column) == (row, column)).then(|| self.formats.get(style as usize)).flatten()
    }
}

/// Records of a part: a number of one or two bytes, a length of one to four, data.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&first, mut rest) = self.0.split_first()?;
        let mut kind = u16::from(first);
        if first & 0x80 != 0 {
            let (&second, after) = rest.split_first()?;
            kind = u16::from(first & 0x7f) | u16::from(second & 0x7f) << 7;
            rest = after;
        }
        let mut length = 0_usize;
        for byte in 0..4 {
            let (&part, after) = rest.split_first()?;
            length |= usize::from(part & 0x7f) << (7 * byte);
            rest = after;
            if part & 0x80 == 0 {
                break;
            }
        }
        let (data, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((kind, data))
    }
}

/// A text with its length in front, taken off what is left.
fn wide(rest: &mut &[u8]) -> Option<String> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?.checked_mul(2)?;
    let (text, after) = after.split_at_checked(length)?;
    *rest = after;
    let units: Vec<u16> = text.as_chunks::<2>().0.iter().map(|&pair| u16::from_le_bytes(pair)).collect();
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};
    use std::path::Path;

    use super::*;
    use crate::{ExtractLimits, extract};

    fn record(kind: u16, data: &[u8]) -> Vec<u8> {
        let low = kind.to_le_bytes()[0];
        let mut out = if kind < 0x80 { vec![low] } else { vec![low | 0x80, (kind >> 7) as u8] };
        assert!(data.len() < 0x4000);
        out.extend([(data.len() & 0x7f) as u8 | 0x80, (data.len() >> 7) as u8]);
        out.extend(data);
        out
    }

    fn text(words: &str) -> Vec<u8> {
        let units: Vec<u16> = words.encode_utf16().collect();
        let length = u32::try_from(units.len()).unwrap();
        length.to_le_bytes().into_iter().chain(units.into_iter().flat_map(u16::to_le_bytes)).collect()
    }

    fn styles(codes: &[&str]) -> Vec<u8> {
        let count = u32::try_from(codes.len()).unwrap().to_le_bytes();
        let mut out = record(0x0267, &count);
        for (number, code) in (200_u16..).zip(codes) {
            out.extend(record(FORMAT, &[&number.to_le_bytes()[..], &text(code)].concat()));
        }
        out.extend(record(BEGIN_STYLES, &(count[0] as u32 + 1).to_le_bytes()));
        for number in [0].into_iter().chain((200_u16..).take(codes.len())) {
            out.extend(record(STYLE, &[&[0, 0][..], &number.to_le_bytes(), &[0; 12]].concat()));
        }
        out.extend(record(END_STYLES, &[]));
        out
    }

    /// A workbook of one sheet with these values below each other, each under the format before it.
    fn workbook(cells: &[(&str, f64)]) -> Vec<u8> {
        let codes: Vec<&str> = cells.iter().map(|(code, _)| *code).collect();
        let sheet = [&[0; 8][..], &text("rId1"), &text("Budget")].concat();
        let book =
            [record(0x0099, &[0; 12]), record(SHEET, &sheet), record(0x0090, &[]), record(0x009d, &[0; 8])].concat();
        let last = u32::try_from(cells.len()).unwrap() - 1;
        let mut rows = [
            record(0x0081, &[]),
            record(0x0094, &[[0; 4], last.to_le_bytes(), [0; 4], [0; 4]].concat()),
            record(0x0091, &[]),
        ]
        .concat();
        for (row, (_, value)) in (0_u32..).zip(cells) {
            rows.extend(record(ROW, &[&row.to_le_bytes()[..], &[0; 20]].concat()));
            rows.extend(record(0x0005, &[&[0; 4][..], &(row + 1).to_le_bytes(), &value.to_le_bytes()].concat()));
        }
        rows.extend(record(END_CELLS, &[]));
        let content = "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'>\
            <Override PartName='/xl/workbook.bin' ContentType='application/vnd.ms-excel.sheet.binary.macroEnabled.main'/></Types>";
        let relation = |kind: &str, target: &str| {
            let base = "http://schemas.openxmlformats.org";
            format!(
                "<Relationships xmlns='{base}/package/2006/relationships'><Relationship Id='rId1' \
                 Type='{base}/officeDocument/2006/relationships/{kind}' Target='{target}'/></Relationships>"
            )
        };
        let members: [(&str, Vec<u8>); 6] = [
            ("[Content_Types].xml", content.into()),
            ("_rels/.rels", relation("officeDocument", "xl/workbook.bin").into()),
            ("xl/workbook.bin", book),
            ("xl/_rels/workbook.bin.rels", relation("worksheet", "worksheets/sheet1.bin").into()),
            ("xl/styles.bin", styles(&codes)),
            ("xl/worksheets/sheet1.bin", rows),
        ];
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, data) in members {
            writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(&data).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn cells_show_their_numbers_under_their_formats() {
        let cells = [
            ("000\\-00\\-0000", 123_456_789.0),
            ("0.0%", 0.285),
            ("#,##0.00\\ \"EUR\"", 1234.5),
            ("yyyy\\-mm\\-dd", 46_083.0),
            ("General", 0.5),
        ];
        let bytes = workbook(&cells);
        let read = extract(Path::new("a"), &bytes, &ExtractLimits::default()).unwrap();
        let document = read.document.unwrap();
        assert_eq!(document.kind, "xlsb");
        for shown in ["Budget", "123-45-6789", "28.5%", "1,234.50 EUR", "2026-03-02", "0.5"] {
            assert!(document.text.contains(shown), "{shown} in {}", document.text);
        }
    }

    #[test]
    fn broken_workbooks_are_harmless() {
        let whole = workbook(&[("0.00", 1.5), ("0%", 0.5)]);
        let limits = ExtractLimits::default();
        let mut package = Package::open(&whole, &limits, "xlsb").unwrap();
        for part in [WORKBOOK, STYLES, "xl/worksheets/sheet1.bin"] {
            let stream = package.bytes(part).unwrap().unwrap();
            for at in 0..stream.len() {
                let mut broken = stream.clone();
                broken[at] ^= 0xff;
                let mut styles = Styles::default();
                styles.read_codes(&broken);
                styles.read_codes(&stream[..at]);
                assert!(Records(&broken).count() <= broken.len());
            }
        }
    }
}
