//! Blocks out of lines: a paragraph, item or quotation is open until something ends it.

use std::ops::Range;

use crate::Format;
use crate::block::{BlockKind, StructuredText, TextBuilder};
use crate::table;

/// Collects lines into blocks; inline markup is taken out when a block ends.
pub(super) struct Writer {
    pub(super) builder: TextBuilder,
    inline: fn(&str) -> String,
    open: Option<Open>,
}

struct Open {
    kind: BlockKind,
    prefix: String,
    text: String,
    lines: Range<u32>,
}

impl Writer {
    pub(super) fn new(inline: fn(&str) -> String) -> Self {
        Self { builder: TextBuilder::default(), inline, open: None }
    }

    /// Whether lines are being collected.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether nothing was written yet.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none() && self.builder.len() == 0
    }

    /// Opens a block; `prefix` is kept as it is (indentation and marker of an item).
    pub(super) fn open(&mut self, kind: BlockKind, prefix: &str, number: u32, line: &str) {
        self.flush();
        let text = line.trim().to_owned();
        self.open = Some(Open { kind, prefix: prefix.to_owned(), text, lines: number..number + 1 });
    }

    /// Goes on with the open block, or opens one of `kind`.
    pub(super) fn line(&mut self, kind: BlockKind, number: u32, line: &str) {
        match &mut self.open {
            Some(open) => {
                if !open.text.is_empty() {
                    open.text.push('\n');
                }
                open.text.push_str(line.trim());
                open.lines.end = number + 1;
            }
            None => self.open(kind, "", number, line),
        }
    }

    /// Ends the open block.
    pub(super) fn flush(&mut self) {
        let Some(open) = self.open.take() else { return };
        let text = (self.inline)(&open.text);
        if !text.trim().is_empty() {
            self.builder.push(open.kind, &format!("{}{text}", open.prefix), open.lines);
        }
    }

    pub(super) fn heading(&mut self, level: usize, text: &str, number: u32) {
        self.flush();
        let level = u8::try_from(level.clamp(1, 6)).unwrap_or(6);
        self.builder.push(BlockKind::Heading { level }, &(self.inline)(text.trim()), number..number + 1);
    }

    pub(super) fn code(&mut self, language: Option<&str>, text: &str, lines: Range<u32>) {
        self.flush();
        let language = language.map(str::trim).filter(|language| !language.is_empty()).map(str::to_lowercase);
        self.builder.push(BlockKind::Code { language, definition: None }, text, lines);
    }

    pub(super) fn table(&mut self, rows: &[Vec<String>], lines: Range<u32>) {
        self.flush();
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| (self.inline)(cell.trim())).collect::<Vec<_>>())
            .filter(|row| row.iter().any(|cell| !cell.is_empty()))
            .collect();
        match table::markdown_rows(&rows) {
            Some(text) => self.builder.push(BlockKind::Table, &text, lines),
            None => self.builder.push(BlockKind::Paragraph, &rows.concat().join("\n"), lines),
        }
    }

    /// Blocks of another reader.
    pub(super) fn append(&mut self, document: &StructuredText, first: u32) {
        self.flush();
        for block in &document.blocks {
            let lines = block.lines.start + first - 1..block.lines.end + first - 1;
            self.builder.push(block.kind.clone(), &document.text[block.span.clone()], lines);
        }
    }

    /// Keeps what the document says of itself; the title is its title.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        let (name, value) = (name.trim().to_lowercase(), (self.inline)(value.trim()));
        if value.is_empty() {
            return;
        }
        if name == "title" {
            self.builder.title = Some(value);
        } else {
            self.builder.metadata.insert(name, value);
        }
    }

    pub(super) fn finish(mut self, format: &Format) -> StructuredText {
        self.flush();
        self.builder.finish(format)
    }
}
