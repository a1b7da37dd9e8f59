//! Units: the parts of a passage that can be an answer by themselves, a sentence, an item of a list, a row of a table.
//!
//! A unit is quoted as it stands: its bytes are those of the passage. Headings and code are none.

use std::ops::Range;

use storage::{Block, BlockKind};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::snippet::flowing;

/// Fewer letters (numbers of lists, lone words) answer nothing by themselves; characters of unspaced scripts count twice.
const LEAST_LETTERS: usize = 12;
/// An item of a list up to this length is one unit, whatever sentences it has; characters.
const WHOLE_ITEM: usize = 240;
/// Units of one passage.
const MOST: usize = 48;

/// What a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitKind {
    /// A sentence of running text, a line, or a part of a quotation.
    Sentence,
    /// An item of a list.
    Item,
    /// A row of a table.
    Row,
}

/// A part of a passage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// What it is.
    pub kind: UnitKind,
    /// Its bytes in the passage's text, without blanks around them.
    pub bytes: Range<usize>,
    /// The bytes of what introduces it and is needed to understand it: the header of its table.
    pub header: Option<Range<usize>>,
}

/// The units of a passage, in order.
pub fn units(text: &str, blocks: &[Block]) -> Vec<Unit> {
    let mut units = Vec::new();
    let whole = [Block::new(BlockKind::Paragraph, 0..text.len())];
    let blocks = if blocks.is_empty() { &whole } else { blocks };
    for block in blocks {
        let bytes = block.bytes();
        let Some(part) = text.get(bytes.clone()) else { continue };
        match &block.kind {
            BlockKind::Heading { .. } | BlockKind::Code { .. } => {}
            BlockKind::Paragraph | BlockKind::Quote => units.extend(sentences(part, bytes.start)),
            BlockKind::Lines => units.extend(lines(part, bytes.start)),
            BlockKind::Item { .. } if part.chars().count() <= WHOLE_ITEM => {
                units.extend(unit(UnitKind::Item, text, bytes));
            }
            BlockKind::Item { .. } => units.extend(sentences(part, bytes.start)),
            BlockKind::Table { header } => rows(text, bytes, *header as usize, &mut units),
        }
    }
    units.truncate(MOST);
    units
}

/// A unit without the blanks around it, if it says something.
fn unit(kind: UnitKind, text: &str, bytes: Range<usize>) -> Option<Unit> {
    let part = text.get(bytes.clone())?;
    let start = bytes.start + (part.len() - part.trim_start().len());
    let bytes = start..start + part.trim().len();
    says_something(&text[bytes.clone()]).then_some(Unit { kind, bytes, header: None })
}

fn sentences(part: &str, at: usize) -> Vec<Unit> {
    // Of the same length in bytes, so that ranges are those of the text.
    let flowing = flowing(part);
    let pieces = flowing.split_sentence_bound_indices();
    let units = pieces.filter_map(|(start, piece)| unit(UnitKind::Sentence, part, start..start + piece.len()));
    units.map(|unit| moved(unit, at)).collect()
}

fn lines(part: &str, at: usize) -> Vec<Unit> {
    let mut start = 0;
    let mut units = Vec::new();
    for line in part.split_inclusive('\n') {
        units.extend(unit(UnitKind::Sentence, part, start..start + line.len()).map(|unit| moved(unit, at)));
        start += line.len();
    }
    units
}

fn moved(unit: Unit, by: usize) -> Unit {
    Unit { bytes: unit.bytes.start + by..unit.bytes.end + by, ..unit }
}

/// The rows below the header, each with it.
fn rows(text: &str, bytes: Range<usize>, header: usize, units: &mut Vec<Unit>) {
    let body = (bytes.start + header).min(bytes.end);
    let Some(part) = text.get(body..bytes.end) else { return };
    let above = text.get(bytes.start..body).and_then(|above| above.lines().next()).unwrap_or_default();
    let above = (!above.trim().is_empty()).then(|| bytes.start..bytes.start + above.len());
    let mut start = body;
    for row in part.split_inclusive('\n') {
        let unit = unit(UnitKind::Row, text, start..start + row.len());
        units.extend(unit.map(|unit| Unit { header: above.clone(), ..unit }));
        start += row.len();
    }
}

fn says_something(piece: &str) -> bool {
    let letters = piece.chars().filter(|c| c.is_alphanumeric());
    let weight: usize = letters.map(|letter| if storage::is_unspaced(letter) { 2 } else { 1 }).sum();
    weight >= LEAST_LETTERS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use storage::Marker;

    use super::*;

    fn cut<'t>(text: &'t str, blocks: &[Block]) -> Vec<(UnitKind, &'t str)> {
        units(text, blocks).into_iter().map(|unit| (unit.kind, &text[unit.bytes])).collect()
    }

    #[test]
    fn each_block_is_cut_as_it_is_read() {
        let text = "Leave\nDays are carried over once,\nup to five of them. Ask your manager!\n\
            Apply in Nest. It takes a day.\n| Role | Weeks |\n| --- | --- |\n| Birth parent | 20 weeks |\n| Other parent | 12 weeks |\nlet days = 27;";
        let at = |part: &str| {
            let start = text.find(part).unwrap();
            start..start + part.len()
        };
        let table = at("| Role | Weeks |\n| --- | --- |\n| Birth parent | 20 weeks |\n| Other parent | 12 weeks |");
        let item = BlockKind::Item { depth: 0, marker: Marker::Bullet };
        let blocks = [
            Block::new(BlockKind::Heading { level: 1 }, at("Leave")),
            Block::new(BlockKind::Paragraph, at("Days are carried over once,\nup to five of them. Ask your manager!")),
            Block::new(item, at("Apply in Nest. It takes a day.")),
            Block::new(BlockKind::Table { header: 31 }, table),
            Block::new(BlockKind::Code { language: None }, at("let days = 27;")),
        ];
        let expected = [
            (UnitKind::Sentence, "Days are carried over once,\nup to five of them."),
            (UnitKind::Sentence, "Ask your manager!"),
            (UnitKind::Item, "Apply in Nest. It takes a day."),
            (UnitKind::Row, "| Birth parent | 20 weeks |"),
            (UnitKind::Row, "| Other parent | 12 weeks |"),
        ];
        assert_eq!(cut(text, &blocks), expected);
        let header = units(text, &blocks).pop().unwrap().header.unwrap();
        assert_eq!(&text[header], "| Role | Weeks |");
    }

    #[test]
    fn unspaced_text_needs_fewer_characters() {
        assert_eq!(cut("年假可以结转一次。请先向主管申请。好。", &[]).len(), 2);
        assert!(cut("1. 2. 3.\n—", &[]).is_empty());
    }

    proptest! {
        #[test]
        fn units_lie_in_the_text_and_apart(text in "[a-zé年 ,.!\n|-]{0,200}", cut in 0usize..200) {
            let at = text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(cut.min(text.chars().count())).unwrap();
            let table = BlockKind::Table { header: 0 };
            let blocks = [Block::new(BlockKind::Paragraph, 0..at), Block::new(table, at..text.len())];
            let found = units(&text, &blocks);
            prop_assert!(found.iter().all(|unit| text.get(unit.bytes.clone()).is_some_and(|piece| piece == piece.trim())));
            prop_assert!(found.windows(2).all(|pair| pair[0].bytes.end <= pair[1].bytes.start));
        }
    }
}
