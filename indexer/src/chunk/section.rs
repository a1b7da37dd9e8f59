//! The sections of a document in order: a heading path and the blocks right below it. A heading that only opens deeper
//! headings is carried by the first section below it; a heading with nothing below it is a section of its own.

use super::Chunker;
use super::split::Unit;
use extract::{Block, BlockKind, StructuredText};

/// Bytes above which a "heading" is a paragraph in disguise: it would burden every passage below it.
const MAX_HEADING_BYTES: usize = 200;

/// Whether a block is taken for a heading.
pub(super) fn is_heading(block: &Block) -> bool {
    matches!(block.kind, BlockKind::Heading { .. }) && block.span.len() <= MAX_HEADING_BYTES
}

/// Blocks under one heading.
pub(super) struct Section {
    /// Blocks of the headings above, outermost first, with its own.
    pub(super) path: Vec<usize>,
    /// Where the first heading it carries starts; its own body without one.
    pub(super) lead: usize,
    /// Where its own heading starts; its body without one.
    pub(super) opening: usize,
    /// Tokens of the headings it carries.
    pub(super) heading_tokens: usize,
    /// Its body, never empty.
    pub(super) units: Vec<Unit>,
}

impl Section {
    /// Estimated tokens of the body.
    pub(super) fn tokens(&self) -> usize {
        self.units.iter().map(|unit| unit.tokens + 1).sum::<usize>().saturating_sub(1)
    }

    /// End of the body.
    pub(super) fn end(&self) -> usize {
        self.units.last().map_or(self.opening, |unit| unit.span.end)
    }
}

/// A heading's text on one line.
pub(super) fn heading_text(document: &StructuredText, block: usize) -> String {
    let text = &document.text[document.blocks[block].span.clone()];
    // An underline is part of a plain text's heading.
    let title = text.lines().filter(|line| line.chars().any(char::is_alphanumeric)).map(str::trim);
    let title = title.collect::<Vec<_>>().join(" ");
    if title.is_empty() { text.trim().to_owned() } else { title }
}

/// Characters of a heading that go into a heading path; longer "headings" are whole paragraphs in disguise.
const MAX_HEADING_CHARS: usize = 200;

/// Bytes of a heading path, which is stored, searched and embedded with every passage below it.
const MAX_CONTEXT_BYTES: usize = 800;

/// The headings above a passage. A title found in the document opens every heading path: a passage alone does not say
/// what it is about. A title made from a file name does not, so that renaming a file changes no content.
pub(super) fn heading_path(document: &StructuredText, path: &[usize], definition: Option<&str>) -> Vec<String> {
    let mut headings: Vec<String> = path.iter().map(|&block| heading_text(document, block)).collect();
    headings.extend(definition.map(str::to_owned));
    if let Some(title) = document.title.as_ref().filter(|title| headings.first() != Some(title)) {
        headings.insert(0, title.clone());
    }
    for heading in &mut headings {
        if let Some((end, _)) = heading.char_indices().nth(MAX_HEADING_CHARS) {
            heading.truncate(end);
        }
    }
    // The title and the innermost headings say most.
    while headings.len() > 2 && headings.iter().map(String::len).sum::<usize>() > MAX_CONTEXT_BYTES {
        headings.remove(1);
    }
    headings
}

/// Collects blocks into sections.
pub(super) struct Sections<'a> {
    chunker: &'a Chunker<'a>,
    done: Vec<Section>,
    /// Open headings: level and block.
    stack: Vec<(u8, usize)>,
    /// Headings that no section carries yet.
    waiting: Vec<usize>,
    open: Option<Section>,
}

impl<'a> Sections<'a> {
    pub(super) fn of(chunker: &'a Chunker<'a>) -> Vec<Section> {
        let mut sections = Self { chunker, done: Vec::new(), stack: Vec::new(), waiting: Vec::new(), open: None };
        for (number, block) in chunker.document.blocks.iter().enumerate() {
            if chunker.stop.is_asked() {
                break;
            }
            match block.kind {
                BlockKind::Heading { level } if is_heading(block) => sections.heading(level, number),
                _ => sections.body(number),
            }
        }
        sections.close_heading();
        sections.done.extend(sections.open);
        sections.done
    }

    fn heading(&mut self, level: u8, block: usize) {
        self.done.extend(self.open.take());
        if self.stack.last().is_some_and(|&(open, _)| open >= level) {
            self.close_heading();
        }
        while self.stack.last().is_some_and(|&(open, _)| open >= level) {
            self.stack.pop();
        }
        self.stack.push((level, block));
        self.waiting.push(block);
    }

    fn body(&mut self, block: usize) {
        let units = self.chunker.units(block);
        if let Some(open) = &mut self.open {
            open.units.extend(units);
            return;
        }
        let path = self.stack.iter().map(|&(_, block)| block).collect();
        self.open = Some(self.section(path, block, units));
    }

    /// The innermost waiting heading has nothing below it: it becomes the body itself.
    fn close_heading(&mut self) {
        let Some(block) = self.waiting.pop() else { return };
        let path = self.stack.iter().map(|&(_, heading)| heading).filter(|&heading| heading != block).collect();
        let units = self.chunker.units(block);
        let section = self.section(path, block, units);
        self.done.push(section);
    }

    /// A section whose body starts with `block`, carrying the waiting headings.
    fn section(&mut self, path: Vec<usize>, block: usize, units: Vec<Unit>) -> Section {
        let document = self.chunker.document;
        let start = |block: &usize| document.blocks[*block].span.start;
        let body = start(&block);
        let carried = std::mem::take(&mut self.waiting);
        let count =
            |block: &usize| self.chunker.counter.count(&document.text[document.blocks[*block].span.clone()]) + 1;
        Section {
            path,
            lead: carried.first().map_or(body, start),
            opening: carried.last().map_or(body, start),
            heading_tokens: carried.iter().map(count).sum(),
            units,
        }
    }
}
