//! Which tables hold data and which only arrange a page, as those of mails and of old pages do. A table with head cells
//! beside plain ones is one of data, whatever stands in its cells: wikis put lists, code, headings and tables there. One
//! without is told by its shape.

use std::collections::HashSet;

use ego_tree::NodeId;
use ego_tree::iter::Edge;
use scraper::node::Element;
use scraper::{Html, Node};

/// Longest cell of a table of data, in bytes: more is a part of the page. Less where no head cell speaks for it.
const MAX_CELL: usize = 6_000;
const MAX_CELL_WITHOUT_HEAD: usize = 1_000;

/// What is seen of an open table: its own rows and cells, not those of tables within.
#[derive(Default)]
struct Seen {
    presentation: bool,
    head_cells: usize,
    cells: usize,
    /// Whether it says that its head cells are some.
    declared: bool,
    /// Whether a cell holds what paragraphs cannot.
    arranges: bool,
    /// Whether a cell holds a table or a heading.
    holds_parts: bool,
    /// Cells of the open row, and rows of more than one.
    row: usize,
    wide_rows: usize,
    /// Bytes of the open cell, of the longest one, and of all.
    cell: usize,
    longest: usize,
    bytes: usize,
}

impl Seen {
    fn of(element: &Element) -> Self {
        let presentation = matches!(element.attr("role"), Some("presentation" | "none"));
        Self { presentation, ..Self::default() }
    }

    fn note(&mut self, element: &Element) {
        match element.name() {
            "tr" => self.row = 0,
            "td" | "th" => {
                let is_head = element.name() == "th";
                self.head_cells += usize::from(is_head);
                self.cells += usize::from(!is_head);
                self.declared |= is_head && element.attr("scope").is_some();
                self.row += 1;
                self.wide_rows += usize::from(self.row == 2);
                self.cell = 0;
            }
            "thead" | "caption" => self.declared = true,
            "ul" | "ol" | "dl" | "pre" => self.arranges = true,
            "table" | "h1" | "h2" | "h3" | "h4" => (self.arranges, self.holds_parts) = (true, true),
            _ => {}
        }
    }

    fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.cell += bytes;
        self.longest = self.longest.max(self.cell);
    }

    fn is_layout(&self) -> bool {
        if self.presentation {
            return true;
        }
        if !self.arranges {
            return false;
        }
        // Mails put everything into head cells, because some programs show those better.
        let has_head = (self.declared || self.head_cells > 0) && self.cells > 0;
        let is_data = match has_head {
            true => self.wide_rows > 0 && self.longest <= MAX_CELL,
            false => self.wide_rows > 1 && self.longest <= MAX_CELL_WITHOUT_HEAD && !self.holds_parts,
        };
        !is_data
    }
}

/// Tables that only arrange a page.
pub(super) fn layout_tables(tree: &Html) -> HashSet<NodeId> {
    let mut layout = HashSet::new();
    let mut open: Vec<(NodeId, Seen)> = Vec::new();
    for edge in tree.tree.root().traverse() {
        match edge {
            Edge::Open(node) => match node.value() {
                Node::Element(element) => {
                    if let Some((_, table)) = open.last_mut() {
                        table.note(element);
                    }
                    if element.name() == "table" {
                        open.push((node.id(), Seen::of(element)));
                    }
                }
                Node::Text(text) => {
                    if let Some((_, table)) = open.last_mut() {
                        table.add(text.trim().len());
                    }
                }
                _ => {}
            },
            Edge::Close(node) => {
                let Some((_, table)) = open.pop_if(|(id, _)| *id == node.id()) else { continue };
                if table.is_layout() {
                    layout.insert(node.id());
                }
                if let Some((_, around)) = open.last_mut() {
                    around.add(table.bytes);
                }
            }
        }
    }
    layout
}
