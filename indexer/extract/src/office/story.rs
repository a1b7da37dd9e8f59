//! The story of a document, what it says in reading order, whatever format it comes from: paragraphs, tables, and what
//! hangs on a paragraph (text boxes, notes, comments), each of which can hold the others. What is open is a stack of
//! frames, so nothing recurses. Readers open and close; a closing that fits nothing is harmless.

use super::grid::{self, Cell, Span};
use crate::block::{BlockKind, TextBuilder};
use crate::error::FileError;
use crate::input::ExtractLimits;

/// Office formats have no lines: every block says so in the same way.
pub(crate) const NO_LINES: std::ops::Range<u32> = 1..2;

/// A table with a cell longer than this only arranges a page.
const LAYOUT_CELL: usize = 2_000;

/// Indentation of list items ends here.
const MAX_INDENTATION: usize = 8;

/// A finished part of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Block { kind: BlockKind, text: String },
    Table(Vec<Vec<String>>),
}

impl Piece {
    /// A paragraph of running text.
    pub(crate) fn paragraph(text: String) -> Self {
        Self::Block { kind: BlockKind::Paragraph, text }
    }
}

/// What a paragraph is and what stands before its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) kind: BlockKind,
    /// Indentation and marker of a list item, number of a heading.
    pub(crate) prefix: String,
}

impl Default for Role {
    fn default() -> Self {
        Self { kind: BlockKind::Paragraph, prefix: String::new() }
    }
}

impl Role {
    /// A heading, 1 being the highest level.
    pub(crate) fn heading(level: usize) -> Self {
        let level = u8::try_from(level.clamp(1, 6)).unwrap_or(6);
        Self { kind: BlockKind::Heading { level }, prefix: String::new() }
    }

    /// An item of a list, the outermost having level 0.
    pub(crate) fn item(level: usize, marker: &str) -> Self {
        let marker = if marker.is_empty() { "-" } else { marker };
        Self { kind: BlockKind::ListItem, prefix: format!("{}{marker} ", "  ".repeat(level.min(MAX_INDENTATION))) }
    }

    /// Verbatim text.
    pub(crate) fn code() -> Self {
        Self { kind: BlockKind::Code { language: None, definition: None }, prefix: String::new() }
    }
}

/// What is open.
enum Frame {
    Paragraph {
        role: Role,
        text: String,
        after: Vec<Piece>,
    },
    /// A text box, a note, a comment: stands after the paragraph it hangs on.
    Aside {
        label: String,
        pieces: Vec<Piece>,
    },
    Table {
        rows: Vec<Vec<(Span, Vec<Piece>)>>,
    },
    Cell {
        span: Span,
        pieces: Vec<Piece>,
    },
}

/// A story that is being told.
pub(crate) struct Story {
    frames: Vec<Frame>,
    pieces: Vec<Piece>,
    /// Bytes of text that may still be taken.
    left: u64,
    limit: u64,
}

impl Story {
    pub(crate) fn new(limits: &ExtractLimits) -> Self {
        Self { frames: Vec::new(), pieces: Vec::new(), left: limits.max_text, limit: limits.max_text }
    }

    /// Everything told, with what is still open closed.
    pub(crate) fn finish(mut self) -> Vec<Piece> {
        while !self.frames.is_empty() {
            self.close_top();
        }
        self.pieces
    }

    /// Adds text to the open paragraph.
    ///
    /// # Errors
    /// [`FileError::Limit`] above [`ExtractLimits::max_text`].
    pub(crate) fn text(&mut self, more: &str) -> Result<(), FileError> {
        self.left = self
            .left
            .checked_sub(more.len() as u64)
            .ok_or_else(|| FileError::Limit { what: format!("more than {} MiB of text", self.limit >> 20) })?;
        if !matches!(self.frames.last(), Some(Frame::Paragraph { .. })) {
            if more.trim().is_empty() {
                return Ok(());
            }
            self.open_paragraph(Role::default());
        }
        if let Some(Frame::Paragraph { text, .. }) = self.frames.last_mut() {
            text.push_str(more);
        }
        Ok(())
    }

    /// What the open paragraph is.
    pub(crate) fn open_role(&self) -> Option<&Role> {
        match self.frames.last() {
            Some(Frame::Paragraph { role, .. }) => Some(role),
            _ => None,
        }
    }

    /// Text of the open paragraph so far.
    pub(crate) fn open_text(&self) -> &str {
        match self.frames.last() {
            Some(Frame::Paragraph { text, .. }) => text,
            _ => "",
        }
    }

    pub(crate) fn in_paragraph(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Paragraph { .. }))
    }

    pub(crate) fn open_paragraph(&mut self, role: Role) {
        self.frames.push(Frame::Paragraph { role, text: String::new(), after: Vec::new() });
    }

    /// Says what the open paragraph is, where that is known only after it was opened.
    pub(crate) fn set_role(&mut self, new: Role) {
        if let Some(Frame::Paragraph { role, .. }) = self.frames.last_mut() {
            *role = new;
        }
    }

    pub(crate) fn close_paragraph(&mut self) {
        if matches!(self.frames.last(), Some(Frame::Paragraph { .. })) {
            self.close_top();
        }
    }

    /// Opens what stands after the open paragraph. The label is put before its first paragraph.
    pub(crate) fn open_aside(&mut self, label: &str) {
        self.frames.push(Frame::Aside { label: label.to_owned(), pieces: Vec::new() });
    }

    pub(crate) fn close_aside(&mut self) {
        self.close_to(|frame| matches!(frame, Frame::Aside { .. }));
    }

    /// Closes what was opened by [`Story::open_aside`] and takes it out of the story.
    pub(crate) fn take_aside(&mut self) -> Vec<Piece> {
        let open = self.frames.iter().rposition(|frame| matches!(frame, Frame::Aside { .. }));
        while open.is_some_and(|open| self.frames.len() > open + 1) {
            self.close_top();
        }
        match self.frames.pop() {
            Some(Frame::Aside { pieces, .. }) => pieces,
            Some(other) => {
                self.frames.push(other);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    pub(crate) fn open_table(&mut self) {
        self.frames.push(Frame::Table { rows: Vec::new() });
    }

    pub(crate) fn open_row(&mut self) {
        self.close_within_table();
        if let Some(Frame::Table { rows }) = self.frames.last_mut() {
            rows.push(Vec::new());
        }
    }

    pub(crate) fn open_cell(&mut self, span: Span) {
        self.close_within_table();
        self.frames.push(Frame::Cell { span, pieces: Vec::new() });
    }

    /// Says how the open cell is merged, where that is known only after it was opened.
    pub(crate) fn set_span(&mut self, new: impl FnOnce(&mut Span)) {
        if let Some(Frame::Cell { span, .. }) = self.frames.last_mut() {
            new(span);
        }
    }

    pub(crate) fn close_cell(&mut self) {
        self.close_to(|frame| matches!(frame, Frame::Cell { .. }));
    }

    pub(crate) fn close_table(&mut self) {
        self.close_to(|frame| matches!(frame, Frame::Table { .. }));
    }

    /// Whether the innermost open thing beside paragraphs is a cell.
    pub(crate) fn in_table(&self) -> bool {
        self.frames.iter().any(|frame| matches!(frame, Frame::Table { .. }))
    }

    /// Whether what is open stands on the page itself, in no table and no box.
    pub(crate) fn is_on_paper(&self) -> bool {
        !self.frames.iter().any(|frame| matches!(frame, Frame::Table { .. } | Frame::Aside { .. }))
    }

    /// Adds finished pieces: after the open paragraph, if there is one.
    pub(crate) fn add(&mut self, more: Vec<Piece>) {
        match self.frames.last_mut() {
            Some(Frame::Paragraph { after: pieces, .. } | Frame::Aside { pieces, .. } | Frame::Cell { pieces, .. }) => {
                pieces.extend(more);
            }
            Some(Frame::Table { rows }) => match rows.last_mut() {
                Some(row) => row.push((Span::default(), more)),
                None => rows.push(vec![(Span::default(), more)]),
            },
            None => self.pieces.extend(more),
        }
    }

    /// Closes paragraphs and cells that were left open in the innermost table.
    fn close_within_table(&mut self) {
        let open = self.frames.iter().rposition(|frame| matches!(frame, Frame::Table { .. } | Frame::Aside { .. }));
        while open.is_some_and(|open| self.frames.len() > open + 1) {
            self.close_top();
        }
    }

    /// Closes the innermost frame of a kind with all that is open in it; nothing if there is none.
    fn close_to(&mut self, wanted: impl Fn(&Frame) -> bool) {
        let Some(at) = self.frames.iter().rposition(wanted) else { return };
        while self.frames.len() > at {
            self.close_top();
        }
    }

    fn close_top(&mut self) {
        match self.frames.pop() {
            Some(Frame::Paragraph { role, text, after }) => {
                let mut pieces = after;
                if !text.trim().is_empty() {
                    pieces.insert(0, finished(role, &text));
                }
                self.add(pieces);
            }
            Some(Frame::Aside { label, mut pieces }) => {
                if let Some(Piece::Block { text, .. }) = pieces.first_mut() {
                    text.insert_str(0, &label);
                }
                self.add(pieces);
            }
            Some(Frame::Cell { span, pieces }) => match self.frames.last_mut() {
                Some(Frame::Table { rows }) => match rows.last_mut() {
                    Some(row) => row.push((span, pieces)),
                    None => rows.push(vec![(span, pieces)]),
                },
                _ => self.add(pieces),
            },
            Some(Frame::Table { rows }) => self.add(table(rows)),
            None => {}
        }
    }
}

fn finished(role: Role, text: &str) -> Piece {
    let text = match &role.kind {
        BlockKind::Code { .. } => text.trim_end().to_owned(),
        BlockKind::Heading { .. } => {
            format!("{}{}", role.prefix, text.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        _ => format!("{}{}", role.prefix, text.trim()),
    };
    Piece::Block { kind: role.kind, text }
}

/// A table as a piece; one that only arranges a page gives what its cells hold.
fn table(rows: Vec<Vec<(Span, Vec<Piece>)>>) -> Vec<Piece> {
    let cells = || rows.iter().flatten().filter(|(_, pieces)| !pieces.is_empty());
    let columns = rows.iter().map(|row| row.iter().filter(|(_, pieces)| !pieces.is_empty()).count()).max();
    let long = cells().any(|(_, pieces)| pieces.iter().map(length).sum::<usize>() > LAYOUT_CELL);
    if columns.unwrap_or(0) < 2 || long {
        return rows.into_iter().flatten().flat_map(|(_, pieces)| pieces).collect();
    }
    let cell = |(span, pieces): (Span, Vec<Piece>)| {
        let texts: Vec<String> = match &pieces[..] {
            // One item is no list.
            [Piece::Block { kind: BlockKind::ListItem, text }] => {
                vec![text.trim().strip_prefix("- ").unwrap_or(text.trim()).to_owned()]
            }
            pieces => pieces.iter().map(flat).collect(),
        };
        Cell { span, text: texts.join("\n") }
    };
    let grid = grid::grid(rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect());
    if grid.is_empty() { Vec::new() } else { vec![Piece::Table(grid)] }
}

fn length(piece: &Piece) -> usize {
    match piece {
        Piece::Block { text, .. } => text.len(),
        Piece::Table(rows) => rows.iter().flatten().map(String::len).sum(),
    }
}

fn flat(piece: &Piece) -> String {
    match piece {
        Piece::Block { text, .. } => text.trim().to_owned(),
        Piece::Table(rows) => grid::flat(rows),
    }
}

/// A story as running text, one piece a line.
pub(crate) fn running_text(pieces: &[Piece]) -> String {
    pieces.iter().map(flat).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Pushes pieces into a builder; code that follows code becomes one block.
pub(crate) fn tell(builder: &mut TextBuilder, pieces: Vec<Piece>) {
    let mut code = String::new();
    for piece in pieces {
        match piece {
            Piece::Block { kind: BlockKind::Code { .. }, text } => {
                code.push_str(&text);
                code.push('\n');
            }
            other => {
                push_code(builder, &mut code);
                push(builder, &other);
            }
        }
    }
    push_code(builder, &mut code);
}

fn push(builder: &mut TextBuilder, piece: &Piece) {
    match piece {
        Piece::Block { kind, text } => builder.push(kind.clone(), text, NO_LINES),
        Piece::Table(rows) if rows.iter().any(|row| row.len() > 1) => {
            builder.push(BlockKind::Table, &grid::lines(rows), NO_LINES);
        }
        Piece::Table(rows) => builder.push(BlockKind::Paragraph, &grid::lines(rows), NO_LINES),
    }
}

fn push_code(builder: &mut TextBuilder, code: &mut String) {
    builder.push(Role::code().kind, code, NO_LINES);
    code.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(story: Story) -> String {
        let mut builder = TextBuilder::default();
        tell(&mut builder, story.finish());
        builder.finish(crate::Format::of("text")).text
    }

    fn paragraph(story: &mut Story, text: &str) {
        story.open_paragraph(Role::default());
        story.text(text).unwrap();
        story.close_paragraph();
    }

    fn cell(story: &mut Story, text: &str) {
        story.open_cell(Span::default());
        paragraph(story, text);
        story.close_cell();
    }

    #[test]
    fn what_hangs_on_a_paragraph_follows_it() {
        let mut story = Story::new(&ExtractLimits::default());
        story.open_paragraph(Role::heading(9));
        story.text("before ").unwrap();
        story.open_aside("Note: ");
        paragraph(&mut story, "in the box");
        story.close_aside();
        story.text("after").unwrap();
        assert_eq!(told(story), "before after\n\nNote: in the box");
    }

    #[test]
    fn tables_in_tables_become_text_and_single_cells_dissolve() {
        let mut story = Story::new(&ExtractLimits::default());
        story.open_table();
        story.open_row();
        cell(&mut story, "a");
        story.open_cell(Span::default());
        story.open_table();
        story.open_row();
        cell(&mut story, "b");
        cell(&mut story, "c");
        story.close_table();
        story.close_cell();
        story.close_table();
        story.open_table();
        story.open_row();
        cell(&mut story, "alone");
        assert_eq!(told(story), "| a | b, c |\n| --- | --- |\n\nalone");
    }

    #[test]
    fn code_is_joined_and_lists_are_indented() {
        let mut story = Story::new(&ExtractLimits::default());
        for (role, text) in [(Role::code(), "if x:"), (Role::code(), "  y"), (Role::item(1, "a)"), "item")] {
            story.open_paragraph(role);
            story.text(text).unwrap();
            story.close_paragraph();
        }
        assert_eq!(told(story), "if x:\n  y\n\n  a) item");
    }

    #[test]
    fn stray_closings_and_too_much_text_are_harmless() {
        let mut story = Story::new(&ExtractLimits { max_text: 8, ..ExtractLimits::default() });
        story.close_cell();
        story.close_table();
        story.close_aside();
        story.close_paragraph();
        story.open_cell(Span::default());
        story.text("12345").unwrap();
        assert!(matches!(story.text("6789"), Err(FileError::Limit { .. })));
        assert_eq!(told(story), "12345");
    }
}
