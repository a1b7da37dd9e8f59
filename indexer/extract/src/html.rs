//! HTML by html5ever: headings, lists, tables, preformatted text and paragraphs of the main content. Navigation is
//! left out, and beside a `main` or a single `article` everything else. The tree is walked as a sequence of opening and
//! closing edges: nesting never uses the call stack, and a page nested absurdly deep is read without structure.

use std::collections::HashSet;
use std::ops::Range;

use ego_tree::iter::Edge;
use ego_tree::{NodeId, NodeRef};
use scraper::node::Element;
use scraper::{Html, Node};

use crate::block::{BlockKind, StructuredText, TextBuilder, floor_boundary};
use crate::error::FileError;
use crate::html_meta::{declared_encoding, meta};
use crate::html_source::{SourceCursor, nesting, without_tags};
use crate::list::Lists;
use crate::{Input, decode, table};

const EXTENSIONS: &[&str] = &["html", "htm", "xhtml", "shtml"];

/// Elements whose text nobody reads.
const SILENT: &[&str] = &[
    "script", "style", "template", "noscript", "svg", "iframe", "object", "canvas", "audio", "video", "head", "button",
    "select", "textarea",
];

/// Elements that are left out of the main content.
const BESIDE_MAIN: &[&str] = &["nav", "aside", "footer", "form"];

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

/// Open elements above which the tree builder's own walks over them cost too much.
const MAX_NESTING: usize = 2_000;

/// The main content is believed when it has this many characters, or a quarter of the page's.
const MAIN_CHARACTERS: usize = 400;

pub(crate) fn is_named(input: &Input<'_>) -> bool {
    EXTENSIONS.contains(&input.extension().as_str())
}

pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let decoded = decode::decode(input.bytes, declared_encoding(input.bytes));
    let mut document = page(&decoded.text);
    document.warnings.splice(0..0, decoded.warnings);
    Ok(document)
}

/// Reads a piece of HTML inside another format.
pub(crate) fn fragment(source: &str) -> StructuredText {
    if nesting(source) > MAX_NESTING {
        return without_structure(source);
    }
    let tree = Html::parse_fragment(source);
    walk(&tree, tree.tree.root(), source, Keep::Everything).finish("html")
}

fn page(source: &str) -> StructuredText {
    if nesting(source) > MAX_NESTING {
        return without_structure(source);
    }
    let tree = Html::parse_document(source);
    let root = tree.tree.root();
    let meta = meta(&tree);
    let mut builder = match main_content(root) {
        Some(main) => walk(&tree, main, source, Keep::MainContent),
        None => walk(&tree, root, source, Keep::Page),
    };
    if builder.len() == 0 {
        // A page that is all navigation: better that than nothing.
        builder = walk(&tree, root, source, Keep::Everything);
    }
    builder.title = meta.title;
    builder.metadata = meta.fields;
    let mut document = builder.finish("html");
    let declared =
        document.metadata.remove("lang").map(|language| language[..floor_boundary(&language, 2)].to_lowercase());
    document.language = document.language.or(declared.filter(|code| code.len() == 2));
    document
}

fn without_structure(source: &str) -> StructuredText {
    let mut document = crate::plain::structure(without_tags(source));
    document.kind = "html".to_string();
    document.warnings.push(format!("nested more than {MAX_NESTING} deep: read without its structure"));
    document
}

/// How much of a tree is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Everything that is text.
    Everything,
    /// A page without a marked main content: no navigation.
    Page,
    /// Below `main` or `article`: what stands beside the content is left out too.
    MainContent,
}

/// `main`, or the only `article`, if it holds enough of the page's text.
fn main_content(root: NodeRef<'_, Node>) -> Option<NodeRef<'_, Node>> {
    let elements = || root.descendants().filter_map(|node| node.value().as_element().map(|element| (node, element)));
    let is_main = |element: &Element| element.name() == "main" || element.attr("role") == Some("main");
    let main = elements().find(|(_, element)| is_main(element)).map(|(node, _)| node).or_else(|| {
        let mut articles = elements().filter(|(_, element)| element.name() == "article").map(|(node, _)| node);
        articles.next().filter(|_| articles.next().is_none())
    })?;
    let characters = text_bytes(main);
    (characters >= MAIN_CHARACTERS || characters * 4 >= text_bytes(root)).then_some(main)
}

/// Bytes of readable text below a node.
fn text_bytes(node: NodeRef<'_, Node>) -> usize {
    let mut bytes = 0;
    let mut silent: Option<NodeId> = None;
    for edge in node.traverse() {
        match edge {
            Edge::Open(node) if silent.is_none() => match node.value() {
                Node::Element(element) if is_silent(element) => silent = Some(node.id()),
                Node::Text(text) => bytes += text.split_whitespace().map(str::len).sum::<usize>(),
                _ => {}
            },
            Edge::Close(node) if silent == Some(node.id()) => silent = None,
            _ => {}
        }
    }
    bytes
}

fn is_silent(element: &Element) -> bool {
    SILENT.contains(&element.name()) || element.attr("aria-hidden") == Some("true")
}

fn walk(tree: &Html, from: NodeRef<'_, Node>, source: &str, keep: Keep) -> TextBuilder {
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
    };
    let mut skipped: Option<NodeId> = None;
    for edge in from.traverse() {
        match (edge, skipped) {
            (Edge::Open(node), None) => match node.value() {
                Node::Element(element) if walker.skips(element) => skipped = Some(node.id()),
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

/// Tables that only arrange a page: those with a table, heading, list or preformatted text in a cell.
fn layout_tables(tree: &Html) -> HashSet<NodeId> {
    let mut layout = HashSet::new();
    let mut open: Vec<NodeId> = Vec::new();
    for edge in tree.tree.root().traverse() {
        match edge {
            Edge::Open(node) => {
                let Some(element) = node.value().as_element() else { continue };
                let arranged = matches!(element.name(), "table" | "h1" | "h2" | "h3" | "h4" | "ul" | "ol" | "pre");
                if arranged && let Some(&table) = open.last() {
                    layout.insert(table);
                }
                if element.name() == "table" {
                    open.push(node.id());
                }
            }
            Edge::Close(node) => {
                if open.last() == Some(&node.id()) {
                    open.pop();
                }
            }
        }
    }
    layout
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
    /// Rows of the open data table, and the line it started at.
    rows: Option<(Vec<Vec<String>>, u32)>,
}

impl Walker<'_> {
    fn skips(&self, element: &Element) -> bool {
        let navigation = element.name() == "nav" || element.attr("role") == Some("navigation");
        is_silent(element)
            || match self.keep {
                Keep::Everything => false,
                Keep::Page => navigation,
                Keep::MainContent => navigation || BESIDE_MAIN.contains(&element.name()),
            }
    }

    fn open(&mut self, id: NodeId, element: &Element) {
        let name = element.name();
        if self.rows.is_some() {
            return self.open_in_table(name);
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
            "table" if !self.layout_tables.contains(&id) => self.rows = Some((Vec::new(), self.source.line())),
            _ => {}
        }
    }

    fn close(&mut self, id: NodeId, element: &Element) {
        let name = element.name();
        if self.rows.is_some() && name != "table" {
            return self.close_in_table(name);
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

    fn open_in_table(&mut self, name: &str) {
        match (name, &mut self.rows) {
            ("tr", Some((rows, _))) => rows.push(Vec::new()),
            ("td" | "th" | "caption", _) => self.text.clear(),
            ("br", _) => self.add(" "),
            (name, _) if BLOCKS.contains(&name) => self.add(" "),
            _ => {}
        }
    }

    fn close_in_table(&mut self, name: &str) {
        match (name, &mut self.rows) {
            ("td" | "th", Some((rows, _))) => {
                let cell = std::mem::take(&mut self.text);
                match rows.last_mut() {
                    Some(row) => row.push(cell),
                    None => rows.push(vec![cell]),
                }
            }
            ("caption", _) => {
                let caption = std::mem::take(&mut self.text);
                let line = self.source.line();
                self.builder.push(BlockKind::Paragraph, &caption, line..line + 1);
            }
            (name, _) if BLOCKS.contains(&name) => self.add(" "),
            _ => {}
        }
    }

    fn push_table(&mut self) {
        self.text.clear();
        self.lines = None;
        let Some((mut rows, start)) = self.rows.take() else { return };
        let lines = start..self.source.line() + 1;
        rows.retain(|row| row.iter().any(|cell| !cell.trim().is_empty()));
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

/// Appends text with each run of white space as one space, as a browser shows it.
fn add_collapsed(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            _ if !character.is_whitespace() => out.push(character),
            _ if out.is_empty() || out.ends_with([' ', '\n']) => {}
            _ => out.push(' '),
        }
    }
}

fn code_language(element: &Element) -> Option<String> {
    element.classes().find_map(|class| {
        let name = class.strip_prefix("language-").or_else(|| class.strip_prefix("lang-"))?;
        (!name.is_empty()).then(|| name.to_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ExtractLimits;
    use crate::block::{Block, assert_invariants};

    fn document(html: &str) -> StructuredText {
        let document = read(&Input::new(Path::new("a.html"), html.as_bytes(), &ExtractLimits::default())).unwrap();
        assert_invariants(&document);
        document
    }

    #[test]
    fn structure_is_kept() {
        let document = document(
            "<title>Page</title><body><h1>Top <a href=#x>\u{b6}</a></h1>\n<p>One &amp; <b>two</b>\n three<br>four</p>\n\
             <ol start=3><li>c<ul><li><p>inner</p></li></ul></li><li>d</li></ol>\n\
             <pre><code class=\"language-rust\">fn f() {\n    1\n}</code></pre><blockquote><p>said</p></blockquote>",
        );
        assert_eq!(
            document.text,
            "Top\n\nOne & two three\nfour\n\n3. c\n  - inner\n4. d\n\nfn f() {\n    1\n}\n\nsaid"
        );
        let kinds: Vec<&BlockKind> = document.blocks.iter().map(|block| &block.kind).collect();
        assert_eq!(kinds[0], &BlockKind::Heading { level: 1 });
        assert_eq!(kinds[5], &BlockKind::Code { language: Some("rust".to_owned()), definition: None });
        assert_eq!(kinds[6], &BlockKind::Quote);
        assert_eq!(document.title.as_deref(), Some("Page"));
        let lines: Vec<u32> = document.blocks.iter().map(|block: &Block| block.lines.start).collect();
        assert_eq!(lines, [1, 2, 4, 4, 4, 5, 7]);
    }

    #[test]
    fn data_tables_become_rows_and_layout_tables_do_not() {
        let data = "<table><caption>Rates</caption><thead><tr><th>City<th>Rate</thead><tr><td>Oslo<td>1|2<br>3</table>";
        assert_eq!(document(data).text, "Rates\n\n| City | Rate |\n| --- | --- |\n| Oslo | 1\\|2 3 |");
        let layout = format!("<table><tr><td><h2>Left</h2><p>text</p><td>{data}</table>");
        let document = document(&layout);
        assert_eq!(document.blocks[0].kind, BlockKind::Heading { level: 2 });
        assert_eq!(document.blocks.last().map(|block| &block.kind), Some(&BlockKind::Table));
    }

    #[test]
    fn only_the_main_content_is_read() {
        let page = "<body><header>Site</header><nav>Menu</nav><main><header><h1>T</h1></header><p>Body</p>\
                    <aside>See also</aside></main><footer>Imprint</footer><script>x()</script>";
        assert_eq!(document(page).text, "T\n\nBody");
        assert_eq!(document("<body><nav>Menu</nav><p>Body</p><footer>Imprint</footer>").text, "Body\n\nImprint");
        assert_eq!(document("<body><nav><a>Menu</a></nav>").text, "Menu");
    }

    #[test]
    fn a_main_element_without_the_content_is_not_believed() {
        let text = "words ".repeat(200);
        let page = document(&format!("<body><main>tiny</main><div>{text}</div>"));
        assert!(page.text.contains("words words"));
    }

    #[test]
    fn the_language_is_declared_when_it_cannot_be_told() {
        assert_eq!(document("<html lang=de-AT><p>kurz").language.as_deref(), Some("de"));
        assert_eq!(document("<p>short").language, None);
    }

    #[test]
    fn absurd_nesting_is_read_without_structure() {
        let page = document(&format!("{}deep text", "<div>".repeat(100_000)));
        assert_eq!(page.text.trim(), "deep text");
        assert_eq!(page.warnings.len(), 1);
    }
}
