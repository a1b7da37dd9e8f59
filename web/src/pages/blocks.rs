//! The blocks of a passage as markup: paragraphs, nested lists, tables and code, as they were told when the file was read.
//!
//! Promise: nothing of the text is lost but markers, rulers and white space, whatever the blocks say of it.

use std::ops::Range;

use maud::{Markup, html};
use storage::{Block, BlockKind, Marker};

use super::text::{clean, marked};

/// The text of a passage, what it is made of, and what is marked in it.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a> {
    pub(super) text: &'a str,
    pub(super) blocks: &'a [Block],
    /// Sorted, in bytes of the text.
    pub(super) marks: &'a [Range<usize>],
}

/// An item of a list.
struct Item {
    depth: u8,
    marker: Marker,
    text: Range<usize>,
}

/// A row of a table.
struct Row {
    is_header: bool,
    cells: Vec<Range<usize>>,
}

impl<'a> Shape<'a> {
    /// The whole passage.
    pub(super) fn passage(self) -> Markup {
        let is_item = |block: &Block| matches!(block.kind, BlockKind::Item { .. });
        html! {
            @for group in self.blocks.chunk_by(|a, b| is_item(a) && is_item(b)) {
                @if group.first().is_some_and(is_item) { (self.list(&items(group))) } @else {
                    @for block in group { (self.block(block)) }
                }
            }
        }
    }

    fn block(self, block: &Block) -> Markup {
        let text = self.marked(block.bytes());
        html! {
            @match &block.kind {
                BlockKind::Heading { .. } => p.head { (text) },
                BlockKind::Paragraph | BlockKind::Item { .. } => p { (text) },
                BlockKind::Lines => p.lines { (text) },
                BlockKind::Quote => blockquote { (text) },
                BlockKind::Code { .. } => pre tabindex="0" { code { (text) } },
                BlockKind::Table { header } => (self.table(&self.rows(block.bytes(), *header))),
            }
        }
    }

    fn table(self, rows: &[Row]) -> Markup {
        let headers = rows.iter().take_while(|row| row.is_header).count();
        let (header, rows) = rows.split_at(headers);
        html! {
            div.scroll tabindex="0" { table {
                @if !header.is_empty() {
                    thead { @for row in header { tr { @for cell in &row.cells { th scope="col" { (self.marked(cell.clone())) } } } } }
                }
                tbody { @for row in rows { tr { @for cell in &row.cells { td { (self.marked(cell.clone())) } } } } }
            } }
        }
    }

    /// A list, with the lists that lie in its items.
    fn list(self, items: &[Item]) -> Markup {
        let Some(outer) = items.iter().map(|item| item.depth).min() else { return html! {} };
        // An item with all deeper ones behind it; deeper ones before the first have none.
        let entries: Vec<&[Item]> = items.chunk_by(|_, next| next.depth > outer).collect();
        let number = |entry: &[Item]| match entry[0].marker {
            Marker::Number(number) if entry[0].depth == outer => Some(number),
            _ => None,
        };
        html! {
            @for run in runs(&entries, outer) {
                @if let Some(first) = number(run[0]) {
                    ol start=(first) {
                        @for (at, entry) in (0u32..).zip(run) { (self.entry(entry, outer, number(entry).filter(|number| *number != first.saturating_add(at)))) }
                    }
                } @else { ul { @for entry in run { (self.entry(entry, outer, None)) } } }
            }
        }
    }

    fn entry(self, entry: &[Item], outer: u8, value: Option<u32>) -> Markup {
        let own = entry.first().filter(|first| first.depth == outer);
        let is_bare = own.is_none_or(|own| own.marker == Marker::Text);
        html! {
            li value=[value] class=[is_bare.then_some("bare")] {
                @if let Some(own) = own { (self.marked(own.text.clone())) }
                (self.list(&entry[usize::from(own.is_some())..]))
            }
        }
    }

    /// A part of the passage on a few lines, without the furniture of lists and tables.
    pub(super) fn snippet(self, part: &Range<usize>) -> Markup {
        let cells = |cells: &[Range<usize>]| {
            html! {
                @for (at, cell) in cells.iter().filter(|cell| !self.plain(cell).trim().is_empty()).enumerate() {
                    @if at > 0 { span.gap { " · " } }
                    (self.marked(cell.clone()))
                }
            }
        };
        html! {
            @for (number, (block, inside)) in self.within(part).enumerate() {
                @if number > 0 { " " }
                @match &block.kind {
                    BlockKind::Heading { .. } => { b { (self.marked(inside)) } " " },
                    BlockKind::Item { marker, .. } => {
                        @if inside.start == block.bytes().start {
                            @match marker {
                                Marker::Bullet => span.gap { "• " },
                                Marker::Number(number) => span.gap { (number) ". " },
                                Marker::Text => {},
                            }
                        }
                        (self.marked(inside))
                    },
                    BlockKind::Table { header } => @for (at, row) in self.rows(block.bytes(), *header).iter().filter_map(|row| row.within(part)).enumerate() {
                        @if at > 0 { br; }
                        (cells(&row))
                    },
                    _ => (self.marked(inside)),
                }
            }
        }
    }

    /// Whether a part of the passage is nothing but code.
    pub(super) fn is_code(self, part: &Range<usize>) -> bool {
        let is_code = |(block, _): (&Block, _)| matches!(block.kind, BlockKind::Code { .. });
        self.within(part).next().is_some_and(is_code) && self.within(part).all(is_code)
    }

    /// A part of the text, marked.
    pub(super) fn marked(self, part: Range<usize>) -> Markup {
        marked(self.text, part, self.marks)
    }

    fn plain(self, part: &Range<usize>) -> &'a str {
        self.text.get(part.clone()).unwrap_or_default()
    }

    /// The blocks of a part, each with what of it lies there.
    fn within(self, part: &Range<usize>) -> impl Iterator<Item = (&'a Block, Range<usize>)> {
        self.blocks.iter().filter_map(move |block| Some((block, overlap(&block.bytes(), part)?)))
    }

    /// The rows of a table, without the ruler below its header.
    fn rows(self, table: Range<usize>, header: u32) -> Vec<Row> {
        let header_end = table.start + header as usize;
        let mut rows = Vec::new();
        let mut at = table.start;
        for line in self.plain(&table).split('\n') {
            let row = at..at + line.len();
            at = row.end + 1;
            let is_header = row.start < header_end;
            if line.trim().is_empty() || (is_header && row.start > table.start) {
                continue;
            }
            rows.push(Row { is_header, cells: cells(self.text, row) });
        }
        rows
    }
}

impl Row {
    /// The cells of a row that lie in a part, each as far as it does; `None` where none does.
    fn within(&self, part: &Range<usize>) -> Option<Vec<Range<usize>>> {
        let cells: Vec<Range<usize>> = self.cells.iter().filter_map(|cell| overlap(cell, part)).collect();
        (!cells.is_empty()).then_some(cells)
    }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> Option<Range<usize>> {
    let both = a.start.max(b.start)..a.end.min(b.end);
    (both.start < both.end).then_some(both)
}

fn items(blocks: &[Block]) -> Vec<Item> {
    let item = |block: &Block| match block.kind {
        BlockKind::Item { depth, marker } => Some(Item { depth, marker, text: block.bytes() }),
        _ => None,
    };
    blocks.iter().filter_map(item).collect()
}

/// Entries that make one list: counted ones, or others. What has no marker of its own goes with what is before it.
fn runs<'e, 'i>(entries: &'e [&'i [Item]], outer: u8) -> impl Iterator<Item = &'e [&'i [Item]]> {
    let counts = move |entry: &[Item]| match entry[0] {
        Item { marker: Marker::Number(_), depth, .. } if depth == outer => Some(true),
        Item { marker: Marker::Bullet, depth, .. } if depth == outer => Some(false),
        _ => None,
    };
    let mut counted = None;
    entries.chunk_by(move |before, next| {
        counted = counts(before).or(counted);
        let own = counts(next);
        let goes_on = own.is_none() || counted.is_none() && own == Some(false) || own == counted;
        if !goes_on {
            counted = None;
        }
        goes_on
    })
}

/// A text without its markup, for places that show plain words only.
pub(super) fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The cells of a row as every reader writes it: bars around and between them, bars in them escaped.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A passage of these blocks, one below the other.
    fn text_of(parts: &[(BlockKind, &str)]) -> (String, Vec<Block>) {
        let (mut text, mut blocks) = (String::new(), Vec::new());
        for (kind, part) in parts {
            text.push_str(if text.is_empty() { "" } else { "\n" });
            blocks.push(Block::new(kind.clone(), text.len()..text.len() + part.len()));
            text.push_str(part);
        }
        (text, blocks)
    }

    fn shown(parts: &[(BlockKind, &str)]) -> String {
        let (text, blocks) = text_of(parts);
        Shape { text: &text, blocks: &blocks, marks: &[] }.passage().0
    }

    fn item(depth: u8, marker: Marker) -> BlockKind {
        BlockKind::Item { depth, marker }
    }

    #[test]
    fn every_kind_of_block_has_its_element() {
        let table = "| Cost | Proof |\n| --- | --- |\n| Rail | ticket |\n| a\\|b |  |";
        let shown = shown(&[
            (BlockKind::Heading { level: 2 }, "Deadlines"),
            (BlockKind::Paragraph, "Within <45> days."),
            (BlockKind::Lines, "one\ntwo"),
            (BlockKind::Quote, "said"),
            (BlockKind::Table { header: 30 }, table),
            (BlockKind::Code { language: None }, "a\n  | x"),
        ]);
        assert_eq!(
            shown,
            "<p class=\"head\">Deadlines</p><p>Within &lt;45&gt; days.</p><p class=\"lines\">one\ntwo</p>\
             <blockquote>said</blockquote><div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">Cost</th>\
             <th scope=\"col\">Proof</th></tr></thead><tbody><tr><td>Rail</td><td>ticket</td></tr><tr><td>a\\|b</td><td></td>\
             </tr></tbody></table></div><pre tabindex=\"0\"><code>a\n  | x</code></pre>"
        );
    }

    #[test]
    fn a_dash_or_a_bar_in_running_text_makes_no_list_and_no_table() {
        assert_eq!(shown(&[(BlockKind::Paragraph, "- 5 degrees | cold")]), "<p>- 5 degrees | cold</p>");
        let rows = "| no | header |";
        assert!(!self::shown(&[(BlockKind::Table { header: 0 }, rows)]).contains("<th"), "a later part of a table");
    }

    #[test]
    fn lists_lie_in_their_items_and_count_as_they_did() {
        let shown = shown(&[
            (item(0, Marker::Number(3)), "three"),
            (item(1, Marker::Bullet), "inner"),
            (item(1, Marker::Text), "more of inner"),
            (item(0, Marker::Number(4)), "four"),
            (item(0, Marker::Number(9)), "nine"),
            (item(0, Marker::Bullet), "other"),
        ]);
        assert_eq!(
            shown,
            "<ol start=\"3\"><li>three<ul><li>inner</li><li class=\"bare\">more of inner</li></ul></li><li>four</li>\
             <li value=\"9\">nine</li></ol><ul><li>other</li></ul>"
        );
        let begins_inside = self::shown(&[(item(2, Marker::Bullet), "deep"), (item(0, Marker::Bullet), "out")]);
        assert_eq!(begins_inside, "<ul><li class=\"bare\"><ul><li>deep</li></ul></li><li>out</li></ul>");
    }

    #[test]
    fn snippets_lose_the_furniture_of_lists_and_tables() {
        let table = "| ERR_4701 | 400 | not valid |\n| ERR_4711 | 409 |";
        let (text, blocks) = text_of(&[(item(0, Marker::Bullet), "first"), (BlockKind::Table { header: 0 }, table)]);
        let at = text.find("ERR_4711").unwrap();
        let mark = at..at + 8;
        let shape = Shape { text: &text, blocks: &blocks, marks: std::slice::from_ref(&mark) };
        assert_eq!(
            shape.snippet(&(0..text.len())).0,
            "<span class=\"gap\">• </span>first ERR_4701<span class=\"gap\"> · </span>400<span class=\"gap\"> · </span>not valid<br>\
             <mark>ERR_4711</mark><span class=\"gap\"> · </span>409"
        );
        let cut = text.find("not").unwrap() + 4..at + 4;
        assert_eq!(shape.snippet(&cut).0, "valid<br><mark>ERR_</mark>");
    }

    fn any_block() -> impl Strategy<Value = (BlockKind, String)> {
        let marker = prop_oneof![Just(Marker::Bullet), (0u32..4).prop_map(Marker::Number), Just(Marker::Text)];
        let kind = prop_oneof![
            Just(BlockKind::Paragraph),
            Just(BlockKind::Lines),
            Just(BlockKind::Quote),
            Just(BlockKind::Heading { level: 1 }),
            Just(BlockKind::Code { language: None }),
            (0u32..9).prop_map(|header| BlockKind::Table { header }),
            (0u8..4, marker).prop_map(|(depth, marker)| BlockKind::Item { depth, marker }),
        ];
        (kind, "word[0-9]( word[0-9]| \\| |年|<a>){0,6}")
    }

    proptest! {
        #[test]
        fn no_word_is_lost_whatever_the_blocks(parts in proptest::collection::vec(any_block(), 0..8), cut in 0usize..200) {
            let parts: Vec<(BlockKind, &str)> = parts.iter().map(|(kind, text)| (kind.clone(), text.as_str())).collect();
            let (text, blocks) = text_of(&parts);
            let shape = Shape { text: &text, blocks: &blocks, marks: &[] };
            let (whole, snippet) = (shape.passage().0, shape.snippet(&(0..text.len())).0);
            for shown in [&whole, &snippet] {
                prop_assert_eq!(shown.matches("word").count(), text.matches("word").count(), "{}", shown);
                prop_assert!(!shown.contains("<a>"));
            }
            shape.snippet(&(cut.min(text.len())..text.len()));
        }

        #[test]
        fn blocks_that_do_not_fit_the_text_are_no_danger(text in "(a|年|\\||\n){0,9}", from in 0usize..12, length in 0usize..12) {
            for kind in [BlockKind::Table { header: 3 }, BlockKind::Paragraph] {
                let blocks = [Block::new(kind, from..from + length)];
                let shape = Shape { text: &text, blocks: &blocks, marks: &[] };
                shape.passage();
                shape.snippet(&(0..text.len()));
            }
        }
    }
}
