//! A document as the rules see it: its title, and its sections, each with the headings above it and the blocks below.

use extract::{Block, BlockKind, Format, StructuredText};
use indexer::ReadDocument;

use super::words;

pub(super) const MAN: &Format = Format::of("man");
pub(super) const RST: &Format = Format::of("rst");
const TEXT: &Format = Format::of("text");

/// Bytes above which a "heading" is a paragraph in disguise.
const MAX_HEADING_BYTES: usize = 200;

/// Words up to which whole blocks are put together to a passage: about what an index holds as one.
const PASSAGE: usize = 180;

/// What stands between a page's title and the name of its site.
const TITLE_BREAKS: &[&str] = &[" — ", " | ", " – ", " :: ", " · "];

pub(super) struct Outline<'a> {
    pub(super) document: &'a ReadDocument,
    /// What the document is called, where that is more than its file's name.
    pub(super) title: Option<String>,
    pub(super) sections: Vec<Section<'a>>,
}

/// The blocks between two headings.
pub(super) struct Section<'a> {
    /// Headings above without the title, outermost first, and without numbers.
    pub(super) headings: Vec<String>,
    pub(super) blocks: &'a [Block],
}

impl<'a> Outline<'a> {
    pub(super) fn of(document: &'a ReadDocument) -> Self {
        let text = &document.text;
        let mut outline = Self { document, title: title(document), sections: Vec::new() };
        let mut stack: Vec<(u8, String)> = Vec::new();
        let mut start = 0;
        for (number, block) in text.blocks.iter().enumerate() {
            let BlockKind::Heading { level } = block.kind else { continue };
            if block.span.len() > MAX_HEADING_BYTES {
                continue;
            }
            outline.add(&stack, &text.blocks[start..number]);
            while stack.last().is_some_and(|(open, _)| *open >= level) {
                stack.pop();
            }
            stack.push((level, words::heading(underline_free(&text.text[block.span.clone()]))));
            start = number + 1;
        }
        outline.add(&stack, &text.blocks[start..]);
        if outline.is(MAN) {
            outline.title = outline.manual().map(|(name, _)| name).or(outline.title);
        }
        outline
    }

    /// Whether the document is of this format.
    pub(super) fn is(&self, format: &Format) -> bool {
        self.text().kind == format.name
    }

    fn add(&mut self, stack: &[(u8, String)], blocks: &'a [Block]) {
        let whole = self.document.text.title.as_deref().map(words::heading);
        let is_title = |heading: &String| Some(heading) == whole.as_ref() || Some(heading) == self.title.as_ref();
        let headings = stack.iter().map(|(_, heading)| heading.clone()).filter(|heading| !is_title(heading));
        let headings = headings.collect();
        self.sections.push(Section { headings, blocks });
    }

    pub(super) fn text(&self) -> &'a StructuredText {
        &self.document.text
    }

    /// The text of a block, trimmed.
    pub(super) fn block(&self, block: &Block) -> &'a str {
        self.text().text[block.span.clone()].trim()
    }

    /// Whole blocks from the first on, as many as make a passage; a long first one is clipped.
    pub(super) fn passage(&self, blocks: &[Block]) -> String {
        let Some(first) = blocks.first() else { return String::new() };
        let (mut end, mut total) = (first.span.start, 0);
        for block in blocks {
            let count = words::count(self.block(block));
            if total + count > PASSAGE && total > 0 {
                break;
            }
            (end, total) = (block.span.end, total + count);
        }
        words::clip(self.text().text[first.span.start..end].trim(), PASSAGE).to_owned()
    }

    /// The first prose of the document.
    pub(super) fn opening(&self) -> Option<String> {
        let is_prose = |block: &Block| matches!(block.kind, BlockKind::Paragraph | BlockKind::Quote);
        self.sections.iter().filter(|section| !section.is_furniture()).find_map(|section| {
            let from = section.blocks.iter().position(|block| is_prose(block) && is_sentence(self.block(block)))?;
            Some(self.passage(&section.blocks[from..]))
        })
    }

    /// Name and description of a manual page, from the line that every one has: `name - what it does`.
    pub(super) fn manual(&self) -> Option<(String, String)> {
        let section = self.sections.iter().find(|section| section.headings.last().is_some_and(|own| own == "name"))?;
        let line = words::one_line(self.block(section.blocks.first()?));
        let (names, about) = [" - ", " – ", " — "].iter().find_map(|dash| line.split_once(dash))?;
        let name = names.split(',').next()?.trim();
        (!name.is_empty() && name.len() < 60).then(|| (name.to_owned(), about.trim().to_owned()))
    }
}

impl Section<'_> {
    /// Its own heading.
    pub(super) fn heading(&self) -> Option<&str> {
        self.headings.last().map(String::as_str)
    }

    /// Whether it is a list of contents, a list of links, a licence.
    fn is_furniture(&self) -> bool {
        const FURNITURE: &[&str] = &[
            "contents",
            "table of contents",
            "navigation",
            "name",
            "synopsis",
            "copyright",
            "license",
            "licence",
            "author",
            "authors",
            "目录",
            "版权",
            "许可",
            "on this page",
        ];
        self.heading().is_some_and(|own| FURNITURE.contains(&own.to_lowercase().as_str()))
    }

    /// Whether it explains terms.
    pub(super) fn is_glossary(&self) -> bool {
        const SIGNS: &[&str] =
            &["glossary", "terms", "terminology", "definitions", "abbreviations", "术语", "词汇", "名词", "定义"];
        let own = self.headings.join(" ").to_lowercase();
        SIGNS.iter().any(|sign| own.contains(sign))
    }
}

/// Whether a paragraph is one in words: long enough, and it ends as sentences do; lists of names and addresses do not.
pub(super) fn is_sentence(text: &str) -> bool {
    let end = text.trim_end_matches(['"', '”', ')', '）', '\'', '*', '_', ' ']);
    words::count(text) >= 8 && end.ends_with(['.', '。', ':', '：', '!', '?', '！', '？', ';', '；'])
}

/// A heading of plain text without the rule below it.
fn underline_free(text: &str) -> &str {
    let mut lines = text.trim().lines();
    let last = lines.next_back().unwrap_or_default();
    let is_rule = last.len() >= 3 && last.trim().chars().all(|c| "=-~^*#+.\"'`".contains(c));
    if is_rule { &text[..text.rfind(last).unwrap_or(text.len())] } else { text }
}

fn title(document: &ReadDocument) -> Option<String> {
    let stated = document.text.title.as_deref()?;
    // Of plain text it is the first heading, which may stand anywhere.
    let opens =
        |block: &Block| words::one_line(&document.text.text[block.span.clone()]).starts_with(&words::one_line(stated));
    if document.text.kind == TEXT.name && !document.text.blocks.iter().take(3).any(opens) {
        return None;
    }
    let file = document.path.rsplit('/').next().unwrap_or_default();
    // Readers of source code call it by its file.
    if stated == file || stated.chars().count() > MAX_HEADING_BYTES {
        return None;
    }
    let cut = TITLE_BREAKS.iter().filter_map(|mark| stated.find(mark)).min();
    let short = cut.map(|at| &stated[..at]).filter(|short| words::count(short) >= 1);
    let title = words::heading(short.unwrap_or(stated));
    (!words::is_empty_heading(&title)).then_some(title)
}
