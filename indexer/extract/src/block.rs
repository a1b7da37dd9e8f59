//! The one structured text that every format becomes, so that there is one chunker. Readers push blocks into a
//! [`TextBuilder`] or cut a verbatim text; both promise: blocks are in order, do not overlap, lie on character
//! boundaries, are not blank, and hold every non-blank character of the text.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Format;
use crate::bounds::{few, few_facts};
use crate::language;
use crate::place::Place;

/// A document as quarry sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StructuredText {
    /// The document's own title, if it states one.
    pub title: Option<String>,
    /// ISO 639-1 code of the natural language it is written in; `None` for code and when unsure.
    pub language: Option<String>,
    /// Name of the format as it was read: `markdown`, `html`, `text`, `rust`, `python`, ...
    pub kind: String,
    /// The canonical text: what previews show and what all spans point into. Lines end with `\n`.
    pub text: String,
    /// The parts of `text`, in order.
    #[serde(deserialize_with = "few")]
    pub blocks: Vec<Block>,
    /// What a person should know about the reading (another encoding, replaced characters, a fallback).
    #[serde(deserialize_with = "few")]
    pub warnings: Vec<String>,
    /// What the document says of itself: `author`, `date`, `description` and other front matter or meta tags.
    #[serde(deserialize_with = "few_facts")]
    pub metadata: BTreeMap<String, String>,
    /// Parts of the file that gave no text though they should (a page without a text layer, an encrypted sheet). Where
    /// there are any, the ledger calls the file partly indexed.
    #[serde(deserialize_with = "few")]
    pub missing: Vec<Missing>,
    /// Pages of a paged format in all, and how many of them have a text layer; `None` for formats without pages.
    pub pages: Option<PageCount>,
    /// Pictures of pages without text, for OCR, where [`crate::ExtractLimits::scans`] asks for them.
    #[serde(deserialize_with = "few")]
    pub scans: Vec<Scan>,
}

/// The picture of a page that has no text layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// The page, from 1.
    pub page: u32,
    /// A whole PNG, JPEG, TIFF or WebP file.
    pub image: Vec<u8>,
}

/// A part of a file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Which part, for people: `page 3`, `sheet Budget`, `pages 4 to 9`.
    pub part: String,
    /// Why, and what would help.
    pub reason: String,
}

/// How many pages a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageCount {
    /// All pages.
    pub all: u32,
    /// Those with a text layer.
    pub with_text: u32,
}

/// A part of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// What it is.
    pub kind: BlockKind,
    /// Its bytes in [`StructuredText::text`].
    pub span: Range<usize>,
    /// Its lines in the source file: the first is 1, the end is exclusive. Exact for Markdown, text and code,
    /// approximate for HTML.
    pub lines: Range<u32>,
    /// Page, slide, cells or mail, where the format has them.
    pub place: Option<Place>,
}

/// What a block is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockKind {
    /// A heading: its text without markup.
    Heading {
        /// 1 is the highest, 6 the lowest.
        level: u8,
    },
    /// Running text.
    Paragraph,
    /// One item of a list with its marker, or a further paragraph of it.
    ListItem,
    /// A table: one line a row; the first line is the header, a Markdown separator line may follow.
    Table,
    /// A quotation.
    Quote,
    /// Verbatim text: a fenced block, or one top-level definition of a source file with its comments.
    Code {
        /// Language as the format names it (`rust`, `python`, the word after the fence).
        language: Option<String>,
        /// First line of the definition (`impl Store`, `def main():`), for the context of its parts.
        definition: Option<String>,
    },
}

impl StructuredText {
    /// A document whose canonical text is the source itself, cut into `blocks`.
    pub(crate) fn verbatim(format: &Format, text: String, blocks: Vec<Block>) -> Self {
        let mut document = Self {
            title: None,
            language: None,
            kind: format.name.to_owned(),
            text,
            blocks,
            warnings: Vec::new(),
            metadata: BTreeMap::new(),
            missing: Vec::new(),
            pages: None,
            scans: Vec::new(),
        };
        document.language = language::detect_in(&document.text, &document.blocks).map(str::to_owned);
        document.title = document.first_heading();
        document
    }

    /// The first top heading; or the heading that opens the document, whatever its level.
    fn first_heading(&self) -> Option<String> {
        let top = self.blocks.iter().find(|block| block.kind == BlockKind::Heading { level: 1 });
        let opening = self.blocks.first().filter(|block| matches!(block.kind, BlockKind::Heading { .. }));
        top.or(opening).map(|block| self.text[block.span.clone()].replace('\n', " "))
    }
}

/// Collects blocks into a canonical text.
#[derive(Debug, Default)]
pub struct TextBuilder {
    text: String,
    blocks: Vec<Block>,
    /// The title by its own right (front matter, title element); else the first heading is taken.
    pub title: Option<String>,
    /// See [`StructuredText::metadata`].
    pub metadata: BTreeMap<String, String>,
    /// See [`StructuredText::warnings`].
    pub warnings: Vec<String>,
    /// See [`StructuredText::missing`].
    pub missing: Vec<Missing>,
    /// See [`StructuredText::pages`].
    pub pages: Option<PageCount>,
    /// See [`StructuredText::scans`].
    pub scans: Vec<Scan>,
    /// Where the next blocks stand.
    pub place: Option<Place>,
}

impl TextBuilder {
    /// Appends a block; blank text is left out. Code keeps its indentation, everything else is trimmed.
    pub fn push(&mut self, kind: BlockKind, text: &str, lines: Range<u32>) {
        self.push_at(kind, text, lines, self.place.clone());
    }

    /// Like [`TextBuilder::push`], for a block made from these cells of the sheet.
    pub fn push_cells(&mut self, kind: BlockKind, text: &str, lines: Range<u32>, of_block: String) {
        let mut place = self.place.clone();
        if let Some(Place::Sheet { cells, .. }) = &mut place {
            *cells = Some(of_block);
        }
        self.push_at(kind, text, lines, place);
    }

    fn push_at(&mut self, kind: BlockKind, text: &str, lines: Range<u32>, place: Option<Place>) {
        let text = match kind {
            BlockKind::Code { .. } => trim_blank_lines(text),
            BlockKind::ListItem => text.trim_end().trim_start_matches('\n'),
            _ => text.trim(),
        };
        if text.trim().is_empty() {
            return;
        }
        if let Some(last) = self.blocks.last() {
            let within_list = last.kind == BlockKind::ListItem && kind == BlockKind::ListItem;
            self.text.push_str(if within_list { "\n" } else { "\n\n" });
        }
        let start = self.text.len();
        self.text.push_str(text);
        let lines = lines.start..lines.end.max(lines.start + 1);
        self.blocks.push(Block { kind, span: start..self.text.len(), lines, place });
    }

    /// The finished document with its language and title.
    pub fn finish(self, format: &Format) -> StructuredText {
        let mut document = StructuredText::verbatim(format, self.text, self.blocks);
        document.title = self.title.filter(|title| !title.trim().is_empty()).or(document.title);
        document.metadata = self.metadata;
        document.warnings = self.warnings;
        document.missing = self.missing;
        document.pages = self.pages;
        document.scans = self.scans;
        document
    }

    /// Bytes of text so far.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }
}

/// Without blank lines at both ends and white space at the very end; the first line keeps its indentation.
fn trim_blank_lines(text: &str) -> &str {
    let text = text.trim_end();
    let indentation = text.len() - text.trim_start().len();
    let start = text[..indentation].rfind('\n').map_or(0, |newline| newline + 1);
    &text[start..]
}

/// The last character boundary of a text at or before `at`.
pub fn floor_boundary(text: &str, at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// Finds the line of a byte offset in a source text.
#[derive(Debug)]
pub(crate) struct LineIndex {
    /// Offset of each line's first byte.
    starts: Vec<usize>,
}

impl LineIndex {
    pub(crate) fn new(text: &str) -> Self {
        let newlines = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1);
        Self { starts: std::iter::once(0).chain(newlines).collect() }
    }

    /// Line of the byte at `offset`; the first line is 1.
    pub(crate) fn line(&self, offset: usize) -> u32 {
        u32::try_from(self.starts.partition_point(|&start| start <= offset)).unwrap_or(u32::MAX)
    }

    /// Lines that hold the bytes of `span`: end exclusive, never empty.
    pub(crate) fn lines(&self, span: &Range<usize>) -> Range<u32> {
        let last = self.line(span.end.max(span.start + 1) - 1);
        self.line(span.start)..last.saturating_add(1)
    }
}

#[cfg(test)]
pub(crate) fn assert_invariants(document: &StructuredText) {
    let mut end = 0;
    for block in &document.blocks {
        assert!(block.span.start >= end, "blocks overlap or are out of order at {}", block.span.start);
        assert!(document.text[end..block.span.start].trim().is_empty(), "text lies outside of every block");
        assert!(!document.text[block.span.clone()].trim().is_empty(), "a block is blank");
        assert!(block.lines.start >= 1 && block.lines.end > block.lines.start, "lines are empty: {:?}", block.lines);
        end = block.span.end;
    }
    assert!(document.text[end..].trim().is_empty(), "text lies behind the last block");
}

/// The document itself, once it keeps its promises.
#[cfg(test)]
pub(crate) fn sound(document: StructuredText) -> StructuredText {
    assert_invariants(&document);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_items_stay_together_and_code_keeps_its_indentation() {
        let mut builder = TextBuilder::default();
        builder.push(BlockKind::Heading { level: 2 }, " Sub ", 1..2);
        builder.push(BlockKind::ListItem, "- a", 3..4);
        builder.push(BlockKind::ListItem, "  - b", 4..5);
        builder.push(BlockKind::Paragraph, "  \n ", 5..6);
        builder.push(BlockKind::Code { language: None, definition: None }, "\n\n    x = 1\n  y\n\n", 7..9);
        let document = builder.finish(Format::of("markdown"));
        assert_eq!(document.text, "Sub\n\n- a\n  - b\n\n    x = 1\n  y");
        assert_eq!(document.title.as_deref(), Some("Sub"));
        assert_invariants(&document);
    }

    #[test]
    fn lines_are_counted_from_one() {
        let index = LineIndex::new("a\nbc\n\nd");
        assert_eq!((index.line(0), index.line(1), index.line(2), index.line(5), index.line(6)), (1, 1, 2, 3, 4));
        assert_eq!(index.lines(&(0..4)), 1..3);
        assert_eq!(index.lines(&(6..7)), 4..5);
    }
}
