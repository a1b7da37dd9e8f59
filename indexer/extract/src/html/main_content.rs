//! The main content of a page, by what the page says itself: `main`, or the only `article`.

use ego_tree::iter::Edge;
use ego_tree::{NodeId, NodeRef};
use scraper::Node;
use scraper::node::Element;

use super::walker::is_silent;

/// The main content is believed when it has this many characters, or a quarter of the page's.
const MAIN_CHARACTERS: usize = 400;

/// `main`, or the only `article`, if it holds enough of the page's text.
pub(super) fn main_content(root: NodeRef<'_, Node>) -> Option<NodeRef<'_, Node>> {
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
