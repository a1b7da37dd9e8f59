//! The subdocuments of a Word 97 to 2003 file ([MS-DOC] 2.3): text boxes, comments, headers and footers, which lie behind
//! the main text in one row of characters. `undoc` reads the main text, the notes and one header, and leaves the
//! instructions of fields in notes; the rest is read here, over the same piece table.

use std::collections::HashSet;
use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use cfb::CompoundFile;
use encoding_rs::WINDOWS_1252;

use super::drawn;
use super::grid::Span;
use super::story::{Piece, Role, Story, running_text};
use crate::error::FileError;
use crate::input::ExtractLimits;

/// `FibBase`: identity, and the flags that say which stream holds the tables and whether it is encrypted.
const IDENTITY: u16 = 0xa5ec;
const FIRST_WORD_97: u16 = 0x00c0;
const FLAGS: usize = 0x0a;
const ENCRYPTED: u16 = 0x0100;
const TABLE_1: u16 = 0x0200;

/// Where the variable part of the FIB starts.
const BASE: usize = 32;

/// Counts of characters in `FibRgLw97`, in the order in which the subdocuments lie: text, footnotes, headers, macros,
/// comments, endnotes, text boxes, text boxes of headers.
const COUNTS: Range<usize> = 3..11;
const FOOTNOTES: usize = 1;
const HEADERS: usize = 2;
const COMMENTS: usize = 4;
const ENDNOTES: usize = 5;
const BOXES: usize = 6;
const HEADER_BOXES: usize = 7;

/// The piece table (`Clx`) among the pairs of `FibRgFcLcb97`.
const CLX: usize = 33;

/// Bits of a position in the file: whether its piece has one byte a character.
const ONE_BYTE: u32 = 0x4000_0000;

/// A stretch of characters that lies together in the stream.
struct Piece97 {
    characters: Range<usize>,
    at: usize,
    one_byte: bool,
}

/// A Word file as its characters.
pub(super) struct Subdocuments {
    stream: Vec<u8>,
    pieces: Vec<Piece97>,
    /// Characters of each subdocument.
    counts: Vec<usize>,
}

impl Subdocuments {
    /// Those of a compound file; `None` for older versions of Word, and for files too damaged to tell.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let mut file = CompoundFile::open(Cursor::new(bytes)).ok()?;
        let stream = read(&mut file, "WordDocument")?;
        let flags = short(&stream, FLAGS)?;
        if short(&stream, 0)? != IDENTITY || short(&stream, 2)? < FIRST_WORD_97 || flags & ENCRYPTED != 0 {
            return None;
        }
        let table = read(&mut file, if flags & TABLE_1 == 0 { "0Table" } else { "1Table" })?;
        let numbers = BASE + 2 + usize::from(short(&stream, BASE)?) * 2;
        let pairs = numbers + 2 + usize::from(short(&stream, numbers)?) * 4;
        if usize::from(short(&stream, numbers)?) < COUNTS.end || usize::from(short(&stream, pairs)?) <= CLX {
            return None;
        }
        let count = |index: usize| long(&stream, numbers + 2 + index * 4);
        let counts: Option<Vec<usize>> = COUNTS.map(count).collect();
        let clx = pairs + 2 + CLX * 8;
        let (start, length) = (long(&stream, clx)?, long(&stream, clx + 4)?);
        let pieces = pieces(table.get(start..start.checked_add(length)?)?)?;
        Some(Self { pieces, counts: counts?, stream })
    }

    fn range(&self, subdocument: usize) -> Range<usize> {
        let start: usize = self.counts[..subdocument].iter().sum();
        start..start + self.counts[subdocument]
    }

    /// Characters with where each lies; no more than the stream has.
    fn characters(&self, range: Range<usize>) -> Vec<(char, usize)> {
        let mut found = Vec::new();
        for piece in &self.pieces {
            let from = piece.characters.start.max(range.start);
            let to = piece.characters.end.min(range.end);
            let width = if piece.one_byte { 1 } else { 2 };
            for character in from..to {
                let at = piece.at + (character - piece.characters.start) * width;
                let Some(unit) = self.stream.get(at..at + width) else { break };
                // Pieces that overlap are no way to more text than there is.
                if found.len() > self.stream.len() {
                    return found;
                }
                found.push((if width == 1 { of_byte(unit[0]) } else { of_unit([unit[0], unit[1]]) }, at));
            }
        }
        found
    }

    /// The file without the instructions of fields in its notes, if it has any there.
    pub(super) fn without_instructions(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let notes = [FOOTNOTES, ENDNOTES].map(|notes| self.characters(self.range(notes)));
        let mut silenced: Vec<usize> = Vec::new();
        for (character, at) in notes.into_iter().flat_map(|note| instructions(&note)) {
            if character >= ' ' {
                silenced.push(at);
            }
        }
        if silenced.is_empty() {
            return None;
        }
        let mut stream = self.stream.clone();
        for at in silenced {
            let width =
                self.pieces.iter().find(|piece| piece.holds(at)).map_or(1, |piece| if piece.one_byte { 1 } else { 2 });
            stream.get_mut(at..at + width)?.fill(0);
        }
        let mut file = CompoundFile::open(Cursor::new(bytes.to_vec())).ok()?;
        let mut open = file.open_stream("WordDocument").ok()?;
        open.seek(SeekFrom::Start(0)).ok()?;
        open.write_all(&stream).ok()?;
        open.flush().ok()?;
        drop(open);
        Some(file.into_inner().into_inner())
    }

    /// Text boxes, comments, headers and footers; those that say what was `said` already are left out.
    pub(super) fn tell(&self, said: &HashSet<String>, limits: &ExtractLimits) -> Result<Vec<Piece>, FileError> {
        let mut pieces = Vec::new();
        for subdocument in [BOXES, HEADER_BOXES] {
            pieces.extend(self.story(self.range(subdocument), limits)?);
        }
        let comments = self.story(self.range(COMMENTS), limits)?;
        pieces.extend(
            comments
                .iter()
                .map(|piece| Piece::paragraph(drawn::comment(None, None, &running_text(std::slice::from_ref(piece))))),
        );
        let mut seen = said.clone();
        for piece in self.story(self.range(HEADERS), limits)? {
            let text = running_text(std::slice::from_ref(&piece));
            // Page numbers alone say nothing.
            if text.chars().any(char::is_alphabetic) && seen.insert(plain(&text)) {
                pieces.push(piece);
            }
        }
        Ok(pieces)
    }

    fn story(&self, range: Range<usize>, limits: &ExtractLimits) -> Result<Vec<Piece>, FileError> {
        let mut story = Story::new(limits);
        let lines = lines(&self.characters(range));
        let mut rest = &lines[..];
        while let Some(first) = rest.first() {
            let cells = rest.iter().take_while(|line| line.is_cell).count();
            match columns(&rest[..cells]) {
                Some(columns) => {
                    table(&mut story, &rest[..cells], columns)?;
                    rest = &rest[cells..];
                }
                None => {
                    story.open_paragraph(Role::default());
                    story.text(&first.text)?;
                    story.close_paragraph();
                    rest = &rest[1..];
                }
            }
        }
        Ok(story.finish())
    }
}

impl Piece97 {
    fn holds(&self, at: usize) -> bool {
        let width = if self.one_byte { 1 } else { 2 };
        (self.at..self.at + self.characters.len() * width).contains(&at)
    }
}

/// A text as it is compared.
pub(super) fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A paragraph, or a cell of a table.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    text: String,
    is_cell: bool,
}

/// What people see of the characters, by paragraphs and cells.
fn lines(characters: &[(char, usize)]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut text = String::new();
    // For each open field, whether its instruction is being read.
    let mut fields: Vec<bool> = Vec::new();
    let mut units = Vec::new();
    for &(character, _) in characters {
        let hidden = fields.contains(&true);
        match character {
            '\u{13}' => fields.push(true),
            '\u{14}' => fields.last_mut().into_iter().for_each(|instruction| *instruction = false),
            '\u{15}' => drop(fields.pop()),
            _ if hidden => {}
            '\r' | '\u{7}' | '\u{c}' => {
                lines.push(Line { text: std::mem::take(&mut text), is_cell: character == '\u{7}' });
            }
            '\u{b}' => text.push('\n'),
            '\u{1e}' => text.push('-'),
            '\t' => text.push('\t'),
            '\0'..='\u{1f}' | '\u{fffc}' => {}
            // Halves of characters beyond the first plane come one after the other.
            '\u{f0000}'..='\u{f07ff}' => {
                units.push(u16::try_from(u32::from(character) - 0xf_0000 + 0xd800).unwrap_or(0xfffd));
                if units.len() == 2 {
                    text.push_str(&String::from_utf16_lossy(&units));
                    units.clear();
                }
            }
            other => text.push(other),
        }
    }
    lines.push(Line { text, is_cell: false });
    lines
}

/// Characters of the instructions of fields.
fn instructions(characters: &[(char, usize)]) -> Vec<(char, usize)> {
    let mut fields: Vec<bool> = Vec::new();
    let mut found = Vec::new();
    for &(character, at) in characters {
        match character {
            '\u{13}' => fields.push(true),
            '\u{14}' => fields.last_mut().into_iter().for_each(|instruction| *instruction = false),
            '\u{15}' => drop(fields.pop()),
            _ if fields.contains(&true) => found.push((character, at)),
            _ => {}
        }
    }
    found
}

/// Cells of a row, told by the empty mark that ends each: the properties that say it lie elsewhere. `None` where the
/// marks fit no table.
fn columns(cells: &[Line]) -> Option<usize> {
    (1..=cells.len() / 2 + 1).find(|&columns| {
        let width = columns + 1;
        let ends = |row: &[Line]| row.len() == width && row[columns].text.is_empty();
        !cells.is_empty() && cells.len().is_multiple_of(width) && cells.chunks(width).all(ends)
    })
}

fn table(story: &mut Story, cells: &[Line], columns: usize) -> Result<(), FileError> {
    story.open_table();
    for row in cells.chunks(columns + 1) {
        story.open_row();
        for cell in &row[..columns] {
            story.open_cell(Span::default());
            story.open_paragraph(Role::default());
            story.text(&cell.text)?;
            story.close_cell();
        }
    }
    story.close_table();
    Ok(())
}

/// The pieces of a `Clx`: properties that are passed over, then the table.
fn pieces(clx: &[u8]) -> Option<Vec<Piece97>> {
    let mut rest = clx;
    while let Some(properties) = rest.strip_prefix(&[1]) {
        rest = properties.get(2 + usize::from(short(properties, 0)?)..)?;
    }
    let table = rest.strip_prefix(&[2])?;
    let table = table.get(4..4_usize.checked_add(long(table, 0)?)?)?;
    let count = table.len().checked_sub(4)? / 12;
    let piece = |index: usize| {
        let descriptor = (count + 1) * 4 + index * 8;
        let at = u32::try_from(long(table, descriptor + 2)?).ok()?;
        let one_byte = at & ONE_BYTE != 0;
        let place = usize::try_from(at & !ONE_BYTE).ok()?;
        let characters = long(table, index * 4)?..long(table, index * 4 + 4)?;
        (characters.start <= characters.end).then_some(Piece97 {
            characters,
            at: if one_byte { place / 2 } else { place },
            one_byte,
        })
    };
    (0..count).map(piece).collect()
}

fn read(file: &mut CompoundFile<Cursor<&[u8]>>, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.open_stream(name).ok()?.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn of_byte(byte: u8) -> char {
    // Control characters mean themselves.
    if byte < 0x20 {
        char::from(byte)
    } else {
        WINDOWS_1252.decode_without_bom_handling(&[byte]).0.chars().next().unwrap_or(' ')
    }
}

fn of_unit(unit: [u8; 2]) -> char {
    let unit = u32::from(u16::from_le_bytes(unit));
    // Half of a character: put where no letter is until the other half comes.
    char::from_u32(unit).or_else(|| char::from_u32(unit - 0xd800 + 0xf_0000)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|two| u16::from_le_bytes(*two))
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..)?.first_chunk().and_then(|four| usize::try_from(u32::from_le_bytes(*four)).ok())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A Word file of these subdocuments, as the specification has it: text, footnotes, headers, macros, comments,
    /// endnotes, text boxes, text boxes of headers.
    pub(crate) fn word_file(parts: [&str; 8], one_byte: bool) -> Vec<u8> {
        const TEXT_AT: usize = 1024;
        let all = parts.concat();
        let count = |text: &str| u32::try_from(text.encode_utf16().count()).unwrap();
        let encoded: Vec<u8> = match one_byte {
            true => all.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect(),
            false => all.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        };
        let mut table = vec![2];
        table.extend(16_u32.to_le_bytes());
        table.extend(0_u32.to_le_bytes());
        table.extend(count(&all).to_le_bytes());
        table.extend([0, 0]);
        let at = u32::try_from(TEXT_AT).unwrap();
        table.extend((if one_byte { (at * 2) | ONE_BYTE } else { at }).to_le_bytes());
        table.extend([0, 0]);
        let mut stream = vec![0; BASE];
        stream[..2].copy_from_slice(&IDENTITY.to_le_bytes());
        stream[2..4].copy_from_slice(&0x00c1_u16.to_le_bytes());
        stream.extend(14_u16.to_le_bytes());
        stream.resize(stream.len() + 28, 0);
        stream.extend(22_u16.to_le_bytes());
        let numbers = stream.len();
        stream.resize(numbers + 88, 0);
        for (index, part) in COUNTS.zip(parts) {
            stream[numbers + index * 4..numbers + index * 4 + 4].copy_from_slice(&count(part).to_le_bytes());
        }
        stream.extend(93_u16.to_le_bytes());
        let pairs = stream.len();
        stream.resize(pairs + 93 * 8, 0);
        let length = u32::try_from(table.len()).unwrap();
        stream[pairs + CLX * 8 + 4..pairs + CLX * 8 + 8].copy_from_slice(&length.to_le_bytes());
        stream.resize(TEXT_AT, 0);
        stream.extend(encoded);
        let mut file = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        file.create_stream("WordDocument").unwrap().write_all(&stream).unwrap();
        file.create_stream("0Table").unwrap().write_all(&table).unwrap();
        file.into_inner().into_inner()
    }

    fn told(parts: [&str; 8], one_byte: bool) -> Vec<String> {
        let bytes = word_file(parts, one_byte);
        let pieces = Subdocuments::of(&bytes).unwrap().tell(&HashSet::new(), &ExtractLimits::default()).unwrap();
        pieces.iter().map(|piece| running_text(std::slice::from_ref(piece))).collect()
    }

    #[test]
    fn every_subdocument_is_read() {
        for one_byte in [true, false] {
            let parts = [
                "Body\r",
                "",
                "Header é\r\rPage \u{13}PAGE\u{14}7\u{15}\r12\r",
                "",
                "\u{5}Why?\r",
                "",
                "In a box\r\r",
                "On the margin\r",
            ];
            let expected = ["In a box", "On the margin", "Comment: Why?", "Header é", "Page 7"];
            assert_eq!(told(parts, one_byte), expected, "{one_byte}");
        }
        assert_eq!(told(["", "", "", "", "", "", "中文 😀\r", ""], false), ["中文 😀"]);
    }

    #[test]
    fn tables_in_boxes_are_tables_and_instructions_are_none() {
        let cells = "Before\rCity\u{7}Rate\u{7}\u{7}Oslo\u{7}\u{7}\u{7}Rome\u{7}\u{13}= 1+2 \\* MERGEFORMAT \u{14}3\u{15}\u{7}\u{7}After\r";
        assert_eq!(told(["", "", "", "", "", "", cells, ""], false), ["Before", "City, Rate; Oslo; Rome, 3", "After"]);
        let nested = "a\u{13}IF \u{13}DATE\u{14}May\u{15} = x\u{14}yes\u{15}b\r";
        assert_eq!(told(["", "", "", "", "", "", nested, ""], true), ["ayesb"]);
        assert_eq!(told(["", "", "", "", "", "", "one\u{7}two\u{7}three\r", ""], true), ["one", "two", "three"]);
    }

    #[test]
    fn notes_lose_their_instructions() {
        let bytes =
            word_file(["Body\r", "By \u{13}AUTHOR \\* MERGEFORMAT \u{14}Ana\u{15}\r", "", "", "", "", "", ""], true);
        let mended = Subdocuments::of(&bytes).unwrap().without_instructions(&bytes).unwrap();
        let again = Subdocuments::of(&mended).unwrap();
        let text: String = again
            .characters(again.range(FOOTNOTES))
            .iter()
            .map(|(character, _)| *character)
            .filter(|c| *c >= ' ')
            .collect();
        assert_eq!(text, "By Ana");
        let plain = word_file(["Body\r", "Note\r", "", "", "", "", "", ""], true);
        assert_eq!(Subdocuments::of(&plain).unwrap().without_instructions(&plain), None);
    }

    #[test]
    fn broken_files_are_harmless() {
        let bytes = word_file(["Body\r", "n\r", "h\r", "", "c\r", "e\r", "b\u{7}\u{7}\r", "x\r"], false);
        for at in (0..bytes.len()).step_by(7) {
            let mut broken = bytes.clone();
            broken[at] ^= 0xff;
            if let Some(found) = Subdocuments::of(&broken) {
                let _ = found.without_instructions(&broken);
                let _ = found.tell(&HashSet::new(), &ExtractLimits::default());
            }
        }
        assert!(Subdocuments::of(b"text").is_none());
    }
}
