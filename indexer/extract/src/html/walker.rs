//! The walk over a page's tree that turns elements into blocks.

use std::collections::HashSet;
use std::ops::Range;

use ego_tree::iter::Edge;
use ego_tree::{NodeId, NodeRef};
use scraper::node::Element;
use scraper::{Html, Node};

use super::hidden::is_hidden;
use super::layout::layout_tables;
use super::rows::Rows;
use super::source::SourceCursor;
use crate::block::{BlockKind, TextBuilder};
use crate::line_ends::is_ideographic;
use crate::list::Lists;
use crate::table;

/// Elements whose text nobody reads.
const SILENT: &[&str] = &[
    "script", "style", "template", "noscript", "svg", "iframe", "object", "canvas", "audio", "video", "head", "button",
    "select", "textarea",
];

/// Elements that are left out of the main content.
const BESIDE_MAIN: &[&str] = &["nav", "aside", "footer"];

/// Words in the class of an `aside` that make it a note of the text, not a box beside it.
const NOTES: &[&str] = &["note", "tip", "warning", "caution", "admonition", "callout", "important", "danger"];

/// Elements that end the line before and after them.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "html",
    "legend",
    "li",
    "main",
    "nav",
    "ol",
    "option",
    "p",
    "pre",
    "search",
    "section",
    "summary",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "ul",
];

/// How much of a tree is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Everything that is text.
    Everything,
    /// A page without a marked main content: no navigation.
    Page,
    /// Below `main` or `article`: what stands beside the content is left out too.
    MainContent,
}

pub(super) fn is_silent(element: &Element) -> bool {
    SILENT.contains(&element.name()) || element.attr("aria-hidden") == Some("true")
}

pub(super) fn walk(tree: &Html, from: NodeRef<'_, Node>, source: &str, keep: Keep) -> TextBuilder {
    let mut walker = Walker {
        keep,
        layout_tables: layout_tables(tree),
        source: SourceCursor::new(source),
        builder: TextBuilder::default(),
        text: String::new(),
        lines: None,
        heading: None,
        preformatted: Vec::new(),
        quotes: 0,
        lists: Lists::default(),
        rows: None,
        nested: 0,
        list_at: None,
    };
    let mut skipped: Option<NodeId> = None;
    for edge in from.traverse() {
        match (edge, skipped) {
            (Edge::Open(node), None) => match node.value() {
                Node::Element(element) if walker.skips(element) || is_hidden(node, element) => {
                    skipped = Some(node.id())
                }
                Node::Element(element) => walker.open(node.id(), element),
                Node::Text(text) => walker.add(text),
                _ => {}
            },
            (Edge::Open(node), Some(_)) => {
                let text = node.value().as_text();
                walker.source.pass(text.map_or(0, |text| text.len()));
            }
            (Edge::Close(node), Some(skip)) if node.id() == skip => skipped = None,
            (Edge::Close(_), Some(_)) => {}
            (Edge::Close(node), None) => {
                if let Node::Element(element) = node.value() {
                    walker.close(node.id(), element);
                }
            }
        }
    }
    walker.flush();
    walker.builder
}

struct Walker<'a> {
    keep: Keep,
    layout_tables: HashSet<NodeId>,
    source: SourceCursor<'a>,
    builder: TextBuilder,
    /// Text since the last block ended.
    text: String,
    /// Lines that `text` came from.
    lines: Option<Range<u32>>,
    heading: Option<u8>,
    /// Languages of the open preformatted elements.
    preformatted: Vec<Option<String>>,
    quotes: usize,
    lists: Lists,
    /// Rows of the open data table.
    rows: Option<Rows>,
    /// Open tables within its cells.
    nested: usize,
    /// Where in the text of the open cell a list began that has no item yet.
    list_at: Option<usize>,
}

impl Walker<'_> {
    fn skips(&self, element: &Element) -> bool {
        let navigation = element.name() == "nav" || element.attr("role") == Some("navigation");
        is_silent(element)
            || match self.keep {
                Keep::Everything => false,
                Keep::Page => navigation,
                Keep::MainContent => navigation || (BESIDE_MAIN.contains(&element.name()) && !is_note(element)),
            }
    }

    fn open(&mut self, id: NodeId, element: &Element) {
        let name = element.name();
        if self.rows.is_some() {
            return self.open_in_table(element);
        }
        match name {
            "br" => return self.break_line(),
            "img" => return self.add(element.attr("alt").unwrap_or_default()),
            _ if !BLOCKS.contains(&name) => return self.note_code_language(element),
            _ => self.flush(),
        }
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading = name[1..].parse().ok(),
            "pre" => self.preformatted.push(code_language(element)),
            "blockquote" => self.quotes += 1,
            "ul" => self.lists.open(None),
            "ol" => {
                let start = element.attr("start").and_then(|start| start.parse().ok()).unwrap_or(1);
                self.lists.open(Some(start));
            }
            "li" => self.lists.start_item(),
            "table" if !self.layout_tables.contains(&id) => self.rows = Some(Rows::new(self.source.line())),
            _ => {}
        }
    }

    fn close(&mut self, id: NodeId, element: &Element) {
        let name = element.name();
        if self.rows.is_some() && (name != "table" || self.nested > 0) {
            return self.close_in_table(name, element);
        }
        if !BLOCKS.contains(&name) {
            return;
        }
        match name {
            "table" if !self.layout_tables.contains(&id) => self.push_table(),
            _ => self.flush(),
        }
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading = None,
            "pre" => drop(self.preformatted.pop()),
            "blockquote" => self.quotes = self.quotes.saturating_sub(1),
            "ul" | "ol" => self.lists.close(),
            _ => {}
        }
    }

    fn open_in_table(&mut self, element: &Element) {
        match (element.name(), self.nested, &mut self.rows) {
            ("tr", 0, Some(rows)) => rows.start_row(),
            ("td" | "th" | "caption", 0, _) => self.text.clear(),
            ("table", ..) => {
                self.nested += 1;
                self.add(" ");
                self.list_at = Some(self.text.len());
            }
            ("tr", ..) => self.separate("; "),
            ("td" | "th", ..) => self.separate(", "),
            ("ul" | "ol", ..) => {
                self.add(" ");
                self.list_at = Some(self.text.len());
            }
            ("li", ..) => self.separate(", "),
            ("img", ..) => self.add(element.attr("alt").unwrap_or_default()),
            ("br", ..) => self.add(" "),
            (name, ..) if BLOCKS.contains(&name) => self.add(" "),
            _ => {}
        }
    }

    fn close_in_table(&mut self, name: &str, element: &Element) {
        match (name, self.nested, &mut self.rows) {
            ("td" | "th", 0, Some(rows)) => {
                let span = |name: &str| element.attr(name).and_then(|span| span.trim().parse().ok()).unwrap_or(1);
                rows.cell(&std::mem::take(&mut self.text), span("colspan"), span("rowspan"));
                self.list_at = None;
            }
            ("caption", 0, _) => {
                let caption = std::mem::take(&mut self.text);
                let line = self.source.line();
                self.builder.push(BlockKind::Paragraph, &caption, line..line + 1);
            }
            ("table", ..) => {
                self.nested -= 1;
                self.add(" ");
            }
            (name, ..) if BLOCKS.contains(&name) => self.add(" "),
            _ => {}
        }
    }

    /// Parts two items of a list or a table within a cell, which are read as a sentence.
    fn separate(&mut self, mark: &str) {
        if self.list_at == Some(self.text.len()) {
            return;
        }
        self.list_at = None;
        let said = self.text.trim_end().len();
        let ends = self.text[..said].ends_with([',', ';', ':']);
        if said > 0 && !ends {
            self.text.truncate(said);
            self.text.push_str(mark);
        }
        // What opens next begins here: a row opens a cell, an item may open a list.
        self.list_at = Some(self.text.len());
    }

    fn push_table(&mut self) {
        self.text.clear();
        self.lines = None;
        let Some(rows) = self.rows.take() else { return };
        let (rows, start) = rows.finish();
        let lines = start..self.source.line() + 1;
        match table::markdown_rows(&rows) {
            Some(text) => self.builder.push(BlockKind::Table, &text, lines),
            None => self.builder.push(BlockKind::Paragraph, &rows.concat().join("\n"), lines),
        }
    }

    /// `<pre><code class="language-rust">`: the language stands on the inner element.
    fn note_code_language(&mut self, element: &Element) {
        if element.name() == "code"
            && let Some(open @ None) = self.preformatted.last_mut()
        {
            *open = code_language(element);
        }
    }

    fn break_line(&mut self) {
        if self.preformatted.is_empty() {
            self.text.truncate(self.text.trim_end_matches(' ').len());
        }
        self.text.push('\n');
    }

    fn add(&mut self, text: &str) {
        if !text.trim().is_empty() {
            let line = self.source.find(text);
            let start = self.lines.as_ref().map_or(line, |lines| lines.start);
            self.lines = Some(start..self.source.line() + 1);
        }
        if self.preformatted.is_empty() {
            add_collapsed(&mut self.text, text);
        } else {
            self.text.push_str(text);
        }
    }

    /// Turns the collected text into a block.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let Some(lines) = self.lines.take() else { return };
        let (kind, text) = match (self.heading, self.preformatted.last()) {
            (Some(level), _) => {
                (BlockKind::Heading { level }, text.trim().trim_end_matches(['¶', '#', '\u{200b}']).replace('\n', " "))
            }
            (None, Some(language)) => (BlockKind::Code { language: language.clone(), definition: None }, text),
            (None, None) if !self.lists.is_empty() => (BlockKind::ListItem, self.lists.item_text(&text)),
            (None, None) if self.quotes > 0 => (BlockKind::Quote, text),
            (None, None) => (BlockKind::Paragraph, text),
        };
        self.builder.push(kind, &text, lines);
    }
}

/// Appends text with each run of white space as one space, as a browser shows it; a line end between two characters of
/// Chinese is none.
fn add_collapsed(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if !first.is_whitespace() {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let after = rest.trim_start();
        let run = &rest[..rest.len() - after.len()];
        let only_wraps = run.contains('\n') && out.ends_with(is_ideographic) && after.starts_with(is_ideographic);
        if !(out.is_empty() || out.ends_with([' ', '\n']) || only_wraps) {
            out.push(' ');
        }
        rest = after;
    }
}

/// A note of the text in an `aside`, as documentation sites mark it.
fn is_note(element: &Element) -> bool {
    let marked = |class: &str| NOTES.iter().any(|note| class.to_lowercase().contains(note));
    element.name() == "aside" && (element.attr("role") == Some("note") || element.classes().any(marked))
}

fn code_language(element: &Element) -> Option<String> {
    element.classes().find_map(|class| {
        let name = class.strip_prefix("language-").or_else(|| class.strip_prefix("lang-"))?;
        (!name.is_empty()).then(|| name.to_lowercase())
    })
}
