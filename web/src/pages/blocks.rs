//! The canonical text of a passage as paragraphs, lists, tables and code, so that it reads like the document it comes
//! from. Only the shapes that the readers of all formats write are looked for; everything else is a paragraph.
//!
//! Promise: every range lies in the text, at characters, and all in order; no text but markers and table rulers is lost.

use std::ops::Range;

use formats::{Family, Format};
use maud::{Markup, html};

use super::text::{clean, marked};

/// Characters of a line that may be a heading.
const HEADING: usize = 60;

/// A part of a passage.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Block {
    /// The heading of a part that was too small for a passage of its own.
    Heading(Range<usize>),
    Paragraph(Range<usize>),
    List {
        ordered: Option<u32>,
        items: Vec<Range<usize>>,
    },
    Table {
        header: Vec<Range<usize>>,
        rows: Vec<Vec<Range<usize>>>,
    },
    Code(Range<usize>),
}

/// How the lines of a document are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Prose whose line breaks mean nothing.
    Prose,
    /// Plain text whose line breaks are meant.
    Lines,
    /// Verbatim.
    Code,
}

impl Reading {
    pub(super) fn of(kind: &str) -> Self {
        match Format::named(kind).map(|format| format.family) {
            Some(Family::Lines) => Self::Lines,
            Some(Family::Code) => Self::Code,
            Some(Family::Prose | Family::Binary) | None => Self::Prose,
        }
    }
}

/// A whole passage.
pub(super) fn passage(text: &str, reading: Reading, marks: &[Range<usize>]) -> Markup {
    let marked = |part: &Range<usize>| marked(text, part.clone(), marks);
    html! {
        @for block in blocks(text, reading) {
            @match block {
                Block::Heading(part) => p.head { (marked(&part)) },
                Block::Paragraph(part) => p class=[(reading == Reading::Lines).then_some("lines")] { (marked(&part)) },
                Block::Code(part) => pre tabindex="0" { code { (marked(&part)) } },
                Block::List { ordered: Some(first), items } => ol start=(first) {
                    @for item in &items { li { (marked(item)) } }
                },
                Block::List { ordered: None, items } => ul { @for item in &items { li { (marked(item)) } } },
                Block::Table { header, rows } => div.scroll tabindex="0" { table {
                    @if !header.is_empty() { thead { tr { @for cell in &header { th scope="col" { (marked(cell)) } } } } }
                    tbody { @for row in &rows { tr { @for cell in row { td { (marked(cell)) } } } } }
                } },
            }
        }
    }
}

/// A snippet: the same text on a few lines, without the furniture of lists and tables.
pub(super) fn snippet(text: &str, reading: Reading, marks: &[Range<usize>]) -> Markup {
    let marked = |part: &Range<usize>| marked(text, part.clone(), marks);
    let cells = |cells: &[Range<usize>]| {
        html! {
            @for (at, cell) in cells.iter().filter(|cell| !text[(*cell).clone()].trim().is_empty()).enumerate() {
                @if at > 0 { span.gap { " · " } }
                (marked(cell))
            }
        }
    };
    html! {
        @for (number, block) in blocks(text, reading).iter().enumerate() {
            @if number > 0 { " " }
            @match block {
                Block::Heading(part) => { b { (marked(part)) } " " },
                Block::Paragraph(part) | Block::Code(part) => (marked(part)),
                Block::List { ordered, items } => @for (at, item) in items.iter().enumerate() {
                    @if at > 0 { " " }
                    span.gap { @match ordered { Some(first) => { ((*first as usize) + at) ". " }, None => "• " } }
                    (marked(item))
                },
                Block::Table { header, rows } => {
                    (cells(header))
                    @for (at, row) in rows.iter().enumerate() {
                        @if at > 0 || !header.is_empty() { br; }
                        (cells(row))
                    }
                }
            }
        }
    }
}

/// A text without its markup, for places that show plain words only.
pub(super) fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn blocks(text: &str, reading: Reading) -> Vec<Block> {
    if reading == Reading::Code {
        return vec![Block::Code(0..text.len())];
    }
    let mut blocks: Vec<Block> = Vec::new();
    // Whether the next line goes on with the block before it.
    let mut open = false;
    for line in lines(text) {
        if text[line.clone()].trim().is_empty() {
            open = false;
            continue;
        }
        let read = match blocks.last().filter(|_| open) {
            None if blocks.is_empty() && is_end_of_row(&text[line.clone()]) => Line::Row(cells(text, line)),
            before => read(text, line, before),
        };
        match (blocks.last_mut(), read) {
            (Some(last), Line::Continues(end)) if open => stretch(last, end),
            (_, Line::Ruler) => {}
            (Some(Block::List { ordered: before, items }), Line::Item(number, item))
                if open && before.is_some() == number.is_some() =>
            {
                items.push(item);
            }
            (Some(Block::Table { rows, .. }), Line::Row(cells)) if open => rows.push(cells),
            (_, Line::Item(number, item)) => blocks.push(Block::List { ordered: number, items: vec![item] }),
            (_, Line::Row(cells)) => blocks.push(Block::Table { header: Vec::new(), rows: vec![cells] }),
            (_, Line::Code(part)) => blocks.push(Block::Code(part)),
            (_, Line::Text(part)) => blocks.push(Block::Paragraph(part)),
            (_, Line::Continues(_)) => {}
        }
        open = true;
    }
    blocks.iter_mut().for_each(|block| lift_header(text, block));
    if reading == Reading::Prose {
        lift_headings(text, &mut blocks);
    }
    blocks
}

/// A short line by itself, without the end of a sentence, with something below it, is a heading: small parts of a
/// document share a passage, and their headings stand in its text.
fn lift_headings(text: &str, blocks: &mut [Block]) {
    let last = blocks.len().saturating_sub(1);
    for block in blocks.iter_mut().take(last) {
        let Block::Paragraph(part) = block else { continue };
        let line = &text[part.clone()];
        let ends = line.ends_with(['.', ',', ':', ';', '!', '。', '，', '：', '；', '！', '…', '-']);
        if !ends && !line.contains('\n') && line.chars().count() <= HEADING && line.starts_with(char::is_alphanumeric) {
            *block = Block::Heading(part.clone());
        }
    }
}

/// What a line is, given the block it may go on with.
enum Line {
    Continues(usize),
    Item(Option<u32>, Range<usize>),
    Row(Vec<Range<usize>>),
    /// The line between the header and the rows of a table.
    Ruler,
    Code(Range<usize>),
    Text(Range<usize>),
}

fn read(text: &str, line: Range<usize>, before: Option<&Block>) -> Line {
    let content = text[line.clone()].trim_end();
    let indent = content.len() - content.trim_start().len();
    let end = line.start + content.len();
    if let Some(Block::Code(_)) = before {
        return Line::Continues(end);
    }
    if is_ruler(content) {
        return Line::Ruler;
    }
    let in_table = matches!(before, Some(Block::Table { .. }));
    if content.trim_start().starts_with('|') && (in_table || content.ends_with('|')) && content.trim().len() > 1 {
        return Line::Row(cells(text, line.start + indent..end));
    }
    if let Some((number, marker)) = marker(content.trim_start()) {
        return Line::Item(number, line.start + indent + marker..end);
    }
    match before {
        Some(Block::Paragraph(_) | Block::List { .. }) => Line::Continues(end),
        _ if content.starts_with("    ") || content.starts_with('\t') => Line::Code(line.start..end),
        _ => Line::Text(line.start + indent..end),
    }
}

fn stretch(block: &mut Block, end: usize) {
    match block {
        Block::Heading(part) | Block::Paragraph(part) | Block::Code(part) => part.end = end,
        Block::List { items, .. } => items.iter_mut().next_back().into_iter().for_each(|item| item.end = end),
        Block::Table { .. } => {}
    }
}

/// The first row of a table is its header where a ruler follows it.
fn lift_header(text: &str, block: &mut Block) {
    let Block::Table { header, rows } = block else { return };
    let Some(end) = rows.first().and_then(|row| row.last()).map(|cell| cell.end) else { return };
    let next = text[end..].split('\n').nth(1);
    if next.is_some_and(is_ruler) {
        *header = rows.remove(0);
    }
}

fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    text.split('\n').map(move |line| {
        let range = start..start + line.len();
        start = range.end + 1;
        range
    })
}

fn is_ruler(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('|') && line.contains("--") && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

/// Whether a text begins within the row of a table, as snippets do.
fn is_end_of_row(line: &str) -> bool {
    let line = line.trim_end();
    !line.starts_with('|') && line.ends_with(" |") && line.contains(" | ")
}

/// The cells of a row; its ends may have been cut off.
fn cells(text: &str, row: Range<usize>) -> Vec<Range<usize>> {
    let row = trimmed(text, row);
    let content = &text[row.clone()];
    let end = if content.len() > 1 && content.ends_with('|') { row.end - 1 } else { row.end };
    let inner = row.start + usize::from(content.starts_with('|'))..end;
    let mut cells = Vec::new();
    let mut start = inner.start;
    let mut escaped = false;
    for (at, character) in text[inner.clone()].char_indices() {
        if character == '|' && !escaped {
            cells.push(trimmed(text, start..inner.start + at));
            start = inner.start + at + 1;
        }
        escaped = character == '\\';
    }
    cells.push(trimmed(text, start..inner.end));
    cells
}

fn trimmed(text: &str, part: Range<usize>) -> Range<usize> {
    let content = &text[part.clone()];
    let start = part.start + (content.len() - content.trim_start().len());
    start..start + content.trim().len()
}

/// The number and the length of a list marker.
fn marker(line: &str) -> Option<(Option<u32>, usize)> {
    if ["- ", "* ", "+ ", "• "].iter().any(|bullet| line.starts_with(bullet)) {
        return Some((None, line.find(' ')? + 1));
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = line.get(digits..)?;
    let is_marker = (1..=3).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") "));
    is_marker.then(|| Some((Some(line[..digits].parse().ok()?), digits + 2))).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        passage(text, Reading::Prose, &[]).0
    }

    #[test]
    fn tables_lists_and_code_are_recognised() {
        let table = "| Cost | Proof |\n| --- | --- |\n| Rail | ticket |\n| a\\|b |  |";
        let expected =
            "<thead><tr><th scope=\"col\">Cost</th><th scope=\"col\">Proof</th></tr></thead><tbody><tr><td>Rail</td>";
        assert!(shown(table).contains(expected), "{}", shown(table));
        assert!(shown(table).contains("<td>a\\|b</td><td></td>"));
        assert_eq!(
            shown("Intro\nmore\n\n- one\n  goes on\n- two"),
            "<p>Intro\nmore</p><ul><li>one\n  goes on</li><li>two</li></ul>"
        );
        assert_eq!(shown("Deadlines\n\nWithin 45 days."), "<p class=\"head\">Deadlines</p><p>Within 45 days.</p>");
        assert_eq!(shown("3. c\n4. d"), "<ol start=\"3\"><li>c</li><li>d</li></ol>");
        assert_eq!(
            shown("Use:\n\n    x = 1\n    y"),
            "<p>Use:</p><pre tabindex=\"0\"><code>    x = 1\n    y</code></pre>"
        );
        assert_eq!(
            passage("a <b>\n| x", Reading::Code, &[]).0,
            "<pre tabindex=\"0\"><code>a &lt;b&gt;\n| x</code></pre>"
        );
    }

    #[test]
    fn snippets_lose_the_furniture_of_tables() {
        let cut = "| ERR_4701 | 400 | not valid | no |\n| ERR_4711 | 409 |";
        let mark = 38..46;
        assert_eq!(
            snippet(cut, Reading::Prose, std::slice::from_ref(&mark)).0,
            "ERR_4701<span class=\"gap\"> · </span>400<span class=\"gap\"> · </span>not valid<span class=\"gap\"> · </span>no<br>\
             <mark>ERR_4711</mark><span class=\"gap\"> · </span>409"
        );
    }

    #[test]
    fn rows_that_were_cut_are_rows() {
        let cut = "in danger | call first |\n| Stranded | travel line + ";
        let expected =
            "in danger<span class=\"gap\"> · </span>call first<br>Stranded<span class=\"gap\"> · </span>travel line +";
        assert_eq!(snippet(cut, Reading::Prose, &[]).0, expected);
    }

    proptest! {
        #[test]
        fn any_text_can_be_shown(text in "([-|*1. \\\\\n\ta<é年:]|\\PC){0,80}") {
            for reading in [Reading::Prose, Reading::Lines, Reading::Code] {
                let shown = passage(&text, reading, &[]).0;
                prop_assert!(!shown.contains("<a") || !text.contains("<a"));
                snippet(&text, reading, &[]);
            }
        }

        #[test]
        fn no_word_is_lost(text in "([-|1. \n]|word[0-9]){0,40}") {
            let shown = shown(&text);
            for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.starts_with("word")) {
                prop_assert!(shown.contains(word), "{} in {}", word, shown);
            }
        }
    }
}
