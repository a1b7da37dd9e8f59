//! The stream of an XLS workbook, looked through before calamine reads it ([MS-XLS] 2.1, 2.4). Two things would spoil
//! it there: calamine lays the cells of a sheet out as a rectangle, so that one stray cell in the last row takes all
//! memory, and it reads UTF-16 labels by the code page that old programs leave in the file. So rows and columns without
//! cells are taken out beforehand, and put back behind. It passes over number formats, too.

use std::io::{Cursor, Read, Seek, Write};

use cfb::CompoundFile;

use super::xls_formats::CellFormats;
use crate::error::FileError;

/// Places of a sheet from which on its empty rows and columns are taken out, and most that it may have without them.
const MANY_PLACES: usize = 2 << 20;
const MAX_PLACES: usize = 12 << 20;

/// Records that begin with the row and the column of a cell.
const CELLS: [u16; 8] = [0x0203, 0x0204, 0x00d6, 0x0205, 0x00fd, 0x027e, 0x0006, 0x00bd];
/// The one of them that holds several cells side by side and ends with the column of the last.
pub(super) const MANY_NUMBERS: u16 = 0x00bd;
pub(super) const BEGIN: u16 = 0x0809;
const DIMENSIONS: u16 = 0x0200;
const PASSWORD: u16 = 0x002f;
pub(super) const VERSION_8: u16 = 0x0600;

/// A workbook ready to be read.
pub(super) struct Prepared {
    /// The file without the empty rows and columns; `None` where it can be read as it is.
    pub(super) file: Option<Vec<u8>>,
    /// Whether its texts are UTF-16, whatever code page it names.
    pub(super) is_unicode: bool,
    /// As the cells show their numbers.
    pub(super) formats: CellFormats,
    rows: Vec<u16>,
    columns: Vec<u16>,
}

impl Prepared {
    /// Where a cell stood before.
    pub(super) fn place(&self, row: u32, column: u32) -> (u32, u32) {
        let before = |known: &[u16], at: u32| known.get(at as usize).map_or(at, |&before| u32::from(before));
        (before(&self.rows, row), before(&self.columns, column))
    }
}

/// Looks through a workbook. One that cannot be opened here is left to calamine.
///
/// # Errors
/// [`FileError::Limit`] if a sheet is too large even without its empty rows and columns.
pub(super) fn prepare(bytes: &[u8]) -> Result<Prepared, FileError> {
    let mut prepared = Prepared {
        file: None,
        is_unicode: false,
        formats: CellFormats::default(),
        rows: Vec::new(),
        columns: Vec::new(),
    };
    let Some((name, mut stream)) = workbook(bytes) else { return Ok(prepared) };
    let all: Vec<Record> = records(&stream).collect();
    prepared.is_unicode =
        all.first().is_some_and(|first| first.kind == BEGIN && unit(&stream, first.start) == Some(VERSION_8));
    if all.iter().any(|record| record.kind == PASSWORD) {
        return Ok(prepared);
    }
    prepared.formats = CellFormats::of(&stream, &all);
    if !is_sparse(&stream, &all) {
        return Ok(prepared);
    }
    let (rows, columns) = used(&stream, &all);
    if rows.len().saturating_mul(columns.len()) > MAX_PLACES {
        return Err(FileError::Limit { what: format!("a sheet of more than {} places", MAX_PLACES) });
    }
    close_up(&mut stream, &all, &rows, &columns);
    prepared.file = with_stream(bytes, &name, &stream);
    if prepared.file.is_some() {
        (prepared.rows, prepared.columns) = (rows, columns);
    }
    Ok(prepared)
}

fn workbook(bytes: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut compound = CompoundFile::open(Cursor::new(bytes)).ok()?;
    ["/Workbook", "/Book"].into_iter().find_map(|name| {
        let mut data = Vec::new();
        compound.open_stream(name).ok()?.take(bytes.len() as u64).read_to_end(&mut data).ok()?;
        Some((name.to_owned(), data))
    })
}

fn with_stream(bytes: &[u8], name: &str, stream: &[u8]) -> Option<Vec<u8>> {
    let mut compound = CompoundFile::open(Cursor::new(bytes.to_vec())).ok()?;
    let mut place = compound.open_stream(name).ok()?;
    place.rewind().ok()?;
    place.write_all(stream).ok()?;
    place.flush().ok()?;
    drop(place);
    Some(compound.into_inner().into_inner())
}

/// A record: its kind, and where its data lie.
pub(super) struct Record {
    pub(super) kind: u16,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Record {
    /// Where the column of its last cell stands, if it has several.
    fn last_column(&self) -> Option<usize> {
        (self.kind == MANY_NUMBERS && self.end - self.start >= 6).then(|| self.end - 2)
    }

    fn is_cell(&self) -> bool {
        CELLS.contains(&self.kind) && self.end - self.start >= 4
    }
}

fn records(stream: &[u8]) -> impl Iterator<Item = Record> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (kind, length) = (unit(stream, at)?, usize::from(unit(stream, at + 2)?));
        let record = Record { kind, start: at + 4, end: at + 4 + length };
        at = record.end;
        (record.end <= stream.len()).then_some(record)
    })
}

/// A number of two bytes.
pub(super) fn unit(stream: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes([*stream.get(at)?, *stream.get(at + 1)?]))
}

/// Whether a sheet of it has many more places than cells, or says that it has.
fn is_sparse(stream: &[u8], records: &[Record]) -> bool {
    let mut sheet = Extent::default();
    let mut largest = 0;
    for record in records {
        if record.kind == BEGIN {
            sheet = Extent::default();
        }
        if record.is_cell() {
            let at = |at: usize| usize::from(unit(stream, at).unwrap_or(0));
            sheet.add(at(record.start), at(record.start + 2));
            sheet.add(at(record.start), at(record.last_column().unwrap_or(record.start + 2)));
            largest = largest.max(sheet.places());
        }
        if record.kind == DIMENSIONS && record.end - record.start >= 12 {
            let at = |by: usize| usize::from(unit(stream, record.start + by).unwrap_or(0));
            let stated = at(4).saturating_sub(at(0)).saturating_mul(at(10).saturating_sub(at(8)));
            // Of a sheet of up to a million rows the number has four bytes; those of XLS have 65,536.
            largest = largest.max(if at(6) > 1 { usize::MAX } else { stated });
        }
    }
    largest > MANY_PLACES
}

/// The rectangle that cells take.
#[derive(Default)]
struct Extent(Option<[usize; 4]>);

impl Extent {
    fn add(&mut self, row: usize, column: usize) {
        let [top, left, bottom, right] = self.0.unwrap_or([row, column, row, column]);
        self.0 = Some([top.min(row), left.min(column), bottom.max(row), right.max(column)]);
    }

    fn places(&self) -> usize {
        self.0.map_or(0, |[top, left, bottom, right]| (bottom - top + 1).saturating_mul(right - left + 1))
    }
}

/// Rows and columns that hold cells, in order.
fn used(stream: &[u8], records: &[Record]) -> (Vec<u16>, Vec<u16>) {
    let mut rows = vec![false; usize::from(u16::MAX) + 1];
    let mut columns = rows.clone();
    for record in records.iter().filter(|record| record.is_cell()) {
        let at = |at: usize| usize::from(unit(stream, at).unwrap_or(0));
        rows[at(record.start)] = true;
        let first = at(record.start + 2);
        let last = record.last_column().map_or(first, at).max(first);
        columns[first..=last].fill(true);
    }
    let of = |used: Vec<bool>| (0..=u16::MAX).zip(used).filter(|(_, used)| *used).map(|(at, _)| at).collect();
    (of(rows), of(columns))
}

/// Numbers the used rows and columns anew, and takes back what the sheets say of their size.
fn close_up(stream: &mut [u8], records: &[Record], rows: &[u16], columns: &[u16]) {
    let mut put = |at: usize, among: &[u16]| {
        let Some(before) = unit(stream, at) else { return };
        let now = among.partition_point(|&one| one < before) as u16;
        stream[at..at + 2].copy_from_slice(&now.to_le_bytes());
    };
    for record in records.iter().filter(|record| record.is_cell()) {
        put(record.start, rows);
        put(record.start + 2, columns);
        if let Some(last) = record.last_column() {
            put(last, columns);
        }
    }
    for record in records.iter().filter(|record| record.kind == DIMENSIONS) {
        stream[record.start..record.end].fill(0);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_le_bytes()[..], &(data.len() as u16).to_le_bytes(), data].concat()
    }

    fn label(row: u16, column: u16, text: &str) -> Vec<u8> {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut data = [row, column, 0, text.encode_utf16().count() as u16].map(u16::to_le_bytes).concat();
        data.push(1);
        record(0x0204, &[data, units].concat())
    }

    /// A workbook of one sheet with these cells; code page 1252, as old programs leave it in the file.
    pub(in crate::office::sheets) fn workbook_of(cells: &[(u16, u16, &str)], stated: [u16; 2]) -> Vec<u8> {
        let begin = |kind: u16| record(BEGIN, &[VERSION_8, kind, 0, 0, 0, 0, 0, 0].map(u16::to_le_bytes).concat());
        let head = [begin(5), record(0x0042, &1252u16.to_le_bytes())].concat();
        let name = "Sums";
        let bound = |at: u32| {
            let data = [&at.to_le_bytes()[..], &[0, 0, name.len() as u8, 0], name.as_bytes()].concat();
            record(0x0085, &data)
        };
        let end = record(0x000a, &[]);
        let start = head.len() + bound(0).len() + end.len();
        let size =
            [&[0; 4][..], &u32::from(stated[0]).to_le_bytes(), &[0; 2], &stated[1].to_le_bytes(), &[0; 2]].concat();
        let mut stream = [head, bound(start as u32), end.clone(), begin(16), record(DIMENSIONS, &size)].concat();
        stream.extend(cells.iter().flat_map(|(row, column, text)| label(*row, *column, text)));
        stream.extend(end);
        let mut compound = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        compound.create_stream("Workbook").unwrap().write_all(&stream).unwrap();
        compound.into_inner().into_inner()
    }

    #[test]
    fn numbers_have_their_formats() {
        let format = |number: u16, code: &str| {
            let units: Vec<u8> = code.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let head = [number, code.encode_utf16().count() as u16].map(u16::to_le_bytes).concat();
            record(0x041e, &[head, vec![1], units].concat())
        };
        let extended = |number: u16| record(0x00e0, &[0, number, 0, 0].map(u16::to_le_bytes).concat());
        let number = |row: u16, format: u16, number: f64| {
            record(0x0203, &[&[row, 0, format].map(u16::to_le_bytes).concat()[..], &number.to_le_bytes()].concat())
        };
        let begin = |kind: u16| record(BEGIN, &[VERSION_8, kind, 0, 0].map(u16::to_le_bytes).concat());
        let many = record(0x00bd, &[5, 0, 1, 0, 0, 2, 0, 0, 1].map(u16::to_le_bytes).concat());
        let start = begin(5).len() + 4 + 4 + format(164, "00\\.00").len() + 3 * extended(0).len();
        let bound = record(0x0085, &(start as u32).to_le_bytes());
        let globals = [begin(5), bound, format(164, "00\\.00"), extended(0), extended(164), extended(9)].concat();
        let stream =
            [globals, begin(16), number(0, 0, 1.0), number(1, 1, 4711.0), number(65535, 2, 0.285), many].concat();
        let all: Vec<Record> = records(&stream).collect();
        let formats = CellFormats::of(&stream, &all);
        let shown = |row: u32, column: u32, number: f64| {
            formats.get(0, row, column).map(|format| format.shown(&calamine::DataRef::Float(number)))
        };
        assert_eq!(shown(0, 0, 1.0), None);
        assert_eq!(shown(1, 0, 4711.0).as_deref(), Some("47.11"));
        assert_eq!(shown(65535, 0, 0.285).as_deref(), Some("29%"));
        assert_eq!((shown(5, 0, 1.0).as_deref(), shown(5, 1, 0.5).as_deref()), (Some("00.01"), Some("50%")));
    }

    #[test]
    fn empty_rows_and_columns_are_taken_out_and_put_back() {
        let prepared =
            prepare(&workbook_of(&[(0, 0, "near"), (65535, 255, "corner"), (7, 2, "x")], [65535, 255])).unwrap();
        assert!(prepared.file.is_some() && prepared.is_unicode);
        assert_eq!((prepared.rows.as_slice(), prepared.columns.as_slice()), (&[0, 7, 65535][..], &[0, 2, 255][..]));
        assert_eq!((prepared.place(2, 2), prepared.place(1, 1)), ((65535, 255), (7, 2)));
        let small = prepare(&workbook_of(&[(0, 0, "near"), (9, 9, "far")], [10, 10])).unwrap();
        assert!(small.file.is_none() && small.place(9, 9) == (9, 9));
        assert!(!prepare(b"nothing of the kind").unwrap().is_unicode);
    }

    proptest! {
        #[test]
        fn any_stream_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut compound = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
            let head = record(BEGIN, &[0, 6, 5, 0]);
            compound.create_stream("Workbook").unwrap().write_all(&[head, bytes].concat()).unwrap();
            let _either = prepare(&compound.into_inner().into_inner());
        }
    }
}
