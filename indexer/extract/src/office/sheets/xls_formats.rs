//! Number formats of the cells of an XLS workbook ([MS-XLS] 2.4.126, 2.4.353), which calamine reads only to tell dates.

use std::collections::HashMap;

use super::biff::{BEGIN, MANY_NUMBERS, Record, VERSION_8, unit};
use super::format::NumberFormat;

/// Records of cells that hold one value: numbers, formulas, texts.
const VALUES: [u16; 6] = [0x0203, 0x027e, 0x0006, 0x0204, 0x00d6, 0x00fd];
const SHEET: u16 = 0x0085;
const FORMAT: u16 = 0x041e;
const EXTENDED: u16 = 0x00e0;

/// Formats that are known by their number (ECMA-376 part 1, 18.8.30).
pub(super) const BUILT_IN: [(u16, &str); 27] = [
    (1, "0"),
    (2, "0.00"),
    (3, "#,##0"),
    (4, "#,##0.00"),
    (9, "0%"),
    (10, "0.00%"),
    (11, "0.00E+00"),
    (12, "# ?/?"),
    (13, "# ??/??"),
    (14, "mm-dd-yy"),
    (15, "d-mmm-yy"),
    (16, "d-mmm"),
    (17, "mmm-yy"),
    (18, "h:mm AM/PM"),
    (19, "h:mm:ss AM/PM"),
    (20, "h:mm"),
    (21, "h:mm:ss"),
    (22, "m/d/yy h:mm"),
    (37, "#,##0 ;(#,##0)"),
    (38, "#,##0 ;[Red](#,##0)"),
    (39, "#,##0.00;(#,##0.00)"),
    (40, "#,##0.00;[Red](#,##0.00)"),
    (45, "mm:ss"),
    (46, "[h]:mm:ss"),
    (47, "mmss.0"),
    (48, "##0.0E+0"),
    (49, "@"),
];

/// The formats of a workbook's cells.
#[derive(Default)]
pub(super) struct CellFormats {
    formats: Vec<NumberFormat>,
    /// Sheet, row and column of each cell with a format of its own, in order, and which it is.
    cells: Vec<(u16, u16, u16, u16)>,
}

impl CellFormats {
    pub(super) fn of(stream: &[u8], records: &[Record]) -> Self {
        let is_unicode = records.first().and_then(|first| unit(stream, first.start)) == Some(VERSION_8);
        let codes = codes(stream, records, is_unicode);
        let mut found = Self::default();
        let mut has_own = Vec::new();
        for record in records.iter().filter(|record| record.kind == EXTENDED) {
            let code = unit(stream, record.start + 2).and_then(|number| codes.get(&number)).map_or("", String::as_str);
            has_own.push(!code.is_empty() && !code.eq_ignore_ascii_case("general"));
            found.formats.push(NumberFormat::of(code));
        }
        let starts = sheets(stream, records);
        let mut sheet = None;
        for record in records {
            if record.kind == BEGIN {
                // A chart within a sheet begins too, but is none of the listed ones.
                sheet = starts.get(&(record.start - 4)).copied().or(sheet);
            }
            let Some(sheet) = sheet else { continue };
            for (row, column, format) in values(stream, record) {
                if has_own.get(usize::from(format)) == Some(&true) {
                    found.cells.push((sheet, row, column, format));
                }
            }
        }
        found.cells.sort_unstable();
        found
    }

    /// The format of a cell of a sheet, the first having the number 0; `None` where it has none of its own.
    pub(super) fn get(&self, sheet: u32, row: u32, column: u32) -> Option<&NumberFormat> {
        let place = (u16::try_from(sheet).ok()?, u16::try_from(row).ok()?, u16::try_from(column).ok()?);
        let at = self.cells.partition_point(|&(sheet, row, column, _)| (sheet, row, column) < place);
        let &(sheet, row, column, format) = self.cells.get(at)?;
        ((sheet, row, column) == place).then(|| self.formats.get(usize::from(format))).flatten()
    }
}

/// Row, column and format of each cell of a record.
fn values(stream: &[u8], record: &Record) -> Vec<(u16, u16, u16)> {
    let at = |by: usize| unit(stream, record.start + by).unwrap_or(0);
    let length = record.end - record.start;
    if VALUES.contains(&record.kind) && length >= 6 {
        return vec![(at(0), at(2), at(4))];
    }
    if record.kind == MANY_NUMBERS && length >= 6 {
        return (0..(length - 6) / 6)
            .map(|cell| (at(0), at(2).saturating_add(cell as u16), at(4 + 6 * cell)))
            .collect();
    }
    Vec::new()
}

/// Codes of formats by their number.
fn codes(stream: &[u8], records: &[Record], is_unicode: bool) -> HashMap<u16, String> {
    let mut codes: HashMap<u16, String> = BUILT_IN.iter().map(|&(number, code)| (number, code.to_owned())).collect();
    for record in records.iter().filter(|record| record.kind == FORMAT) {
        let data = &stream[record.start..record.end];
        let code = match *data {
            [_, _, low, high, flags, ref text @ ..] if is_unicode => {
                let count = usize::from(u16::from_le_bytes([low, high]));
                match flags & 1 {
                    0 => text.iter().take(count).map(|&byte| char::from(byte)).collect(),
                    _ => {
                        let units: Vec<u16> =
                            text.as_chunks::<2>().0.iter().take(count).map(|&pair| u16::from_le_bytes(pair)).collect();
                        String::from_utf16_lossy(&units)
                    }
                }
            }
            [_, _, count, ref text @ ..] if !is_unicode => {
                encoding_rs::WINDOWS_1252.decode(&text[..text.len().min(count.into())]).0.into_owned()
            }
            _ => continue,
        };
        codes.extend(unit(stream, record.start).map(|number| (number, code)));
    }
    codes
}

/// Numbers of the sheets, from 0, by where they begin.
fn sheets(stream: &[u8], records: &[Record]) -> HashMap<usize, u16> {
    let listed = records.iter().filter(|record| record.kind == SHEET && record.end - record.start >= 4);
    let start = |record: &Record| {
        let [low, high] = [0, 2].map(|by| usize::from(unit(stream, record.start + by).unwrap_or(0)));
        low + (high << 16)
    };
    listed.map(start).zip(0..).collect()
}
