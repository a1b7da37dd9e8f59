//! The blocks and the place of a passage: those of the document that lie in it, in the form in which they are stored.

use std::ops::Range;

use extract::{BlockKind, Family, Format, StructuredText, item_depth, item_marker};
use storage::{Block, Marker, Place};

use super::pack::Draft;
use super::section::is_heading;

/// The blocks of a passage whose text is its header row, if it repeats one, and its span.
pub(super) fn blocks(document: &StructuredText, draft: &Draft) -> Vec<Block> {
    let header = draft.header.as_ref().map_or(0, |header| header.len());
    let mut passage = Passage { document, span: draft.text.clone(), shift: header, blocks: Vec::new() };
    if header > 0 {
        // A line break stands between the header row and the rows.
        passage.shift += 1;
        passage.blocks.push(Block::new(storage::BlockKind::Table { header: as_u32(header) }, 0..header));
    }
    let first = document.blocks.partition_point(|block| block.span.end <= draft.text.start);
    document.blocks[first..].iter().take_while(|block| block.span.start < draft.text.end).for_each(|b| passage.add(b));
    passage.blocks
}

/// Where a passage begins; of a sheet, all cells that it was made from.
pub(super) fn place(document: &StructuredText, draft: &Draft) -> Option<Place> {
    let mut place = document.blocks[draft.block].place.clone()?;
    let inside = document.blocks[draft.block..].iter().take_while(|block| block.span.start < draft.text.end);
    for other in inside.filter_map(|block| block.place.as_ref()) {
        place = place.joined(other).unwrap_or(place);
    }
    Some(match place {
        extract::Place::Page(number) => Place::Page(number),
        extract::Place::Slide(number) => Place::Slide(number),
        extract::Place::Sheet { number, name, cells } => Place::Sheet { number, name, cells },
        extract::Place::Mail => Place::Mail,
    })
}

struct Passage<'a> {
    document: &'a StructuredText,
    /// Bytes of the document's text that it has.
    span: Range<usize>,
    /// Bytes of its own text before them.
    shift: usize,
    blocks: Vec<Block>,
}

impl Passage<'_> {
    /// Adds the part of a block that lies in the passage.
    fn add(&mut self, block: &extract::Block) {
        let text = &self.document.text;
        let part = block.span.start.max(self.span.start)..block.span.end.min(self.span.end);
        let part = part.start..part.start + text[part].trim_end().len();
        if part.is_empty() {
            return;
        }
        let begins = part.start == block.span.start;
        match &block.kind {
            BlockKind::Heading { level } if is_heading(block) => {
                let title = without_rule(&text[part.clone()]);
                self.push(storage::BlockKind::Heading { level: *level }, part.start..part.start + title);
            }
            BlockKind::Heading { .. } | BlockKind::Paragraph => {
                // All other readers join what belongs together.
                let has_lines = Format::named(&self.document.kind).is_some_and(|format| format.family == Family::Lines);
                self.push(if has_lines { storage::BlockKind::Lines } else { storage::BlockKind::Paragraph }, part);
            }
            BlockKind::ListItem => self.push_item(&text[block.span.clone()], part, begins),
            BlockKind::Table => self.push_rows(part, begins),
            BlockKind::Quote => self.push(storage::BlockKind::Quote, part),
            BlockKind::Code { language, .. } => self.push_code(language.as_ref(), part),
        }
    }

    fn push(&mut self, kind: storage::BlockKind, part: Range<usize>) {
        let at = |byte: usize| self.shift + byte - self.span.start;
        self.blocks.push(Block::new(kind, at(part.start)..at(part.end)));
    }

    fn push_item(&mut self, item: &str, part: Range<usize>, begins: bool) {
        let text = &self.document.text[part.clone()];
        let own = item_marker(item).filter(|marker| begins && marker.length < part.len());
        let (depth, marker, length) = match own {
            Some(extract::Marker { length, depth, number }) => {
                (depth, number.map_or(Marker::Bullet, Marker::Number), length)
            }
            None => (item_depth(item), Marker::Text, text.len() - text.trim_start().len()),
        };
        self.push(storage::BlockKind::Item { depth, marker }, part.start + length..part.end);
    }

    /// Rows of a table: behind a repeated header row, they are one block with it.
    fn push_rows(&mut self, part: Range<usize>, begins: bool) {
        let end = as_u32(self.shift + part.end - self.span.start);
        if let [Block { kind: storage::BlockKind::Table { .. }, span }] = self.blocks.as_mut_slice()
            && part.start == self.span.start
        {
            span.end = end;
            return;
        }
        let header = if begins { header_row(&self.document.text[part.clone()]) } else { 0 };
        self.push(storage::BlockKind::Table { header: as_u32(header) }, part);
    }

    /// Definitions of a source file that follow each other are one block.
    fn push_code(&mut self, language: Option<&String>, part: Range<usize>) {
        let end = as_u32(self.shift + part.end - self.span.start);
        match self.blocks.last_mut() {
            Some(Block { kind: storage::BlockKind::Code { language: before }, span })
                if before.as_ref() == language =>
            {
                span.end = end;
            }
            _ => self.push(storage::BlockKind::Code { language: language.cloned() }, part),
        }
    }
}

/// Bytes of a table's first line, and of the ruler below it where there is one.
pub(super) fn header_row(table: &str) -> usize {
    let first = table.find('\n').unwrap_or(table.len());
    let below = table.get(first + 1..).unwrap_or_default().lines().next().unwrap_or_default();
    let is_ruler = below.starts_with('|') && below.chars().all(|character| "|-: ".contains(character));
    if is_ruler { first + 1 + below.len() } else { first }
}

/// Bytes of a heading without the line that a plain text draws below it.
fn without_rule(heading: &str) -> usize {
    match heading.rfind('\n') {
        Some(at) if !heading[at..].chars().any(char::is_alphanumeric) => heading[..at].trim_end().len(),
        _ => heading.len(),
    }
}

fn as_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
