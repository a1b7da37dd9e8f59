//! Styles of an OpenDocument file, as far as they say what a paragraph is: headings, code, lists; and which slides and
//! sheets are hidden.

use std::collections::HashMap;

use super::super::numbering::{LEVELS, Level, NumberStyle};
use super::super::xml::{Element, Node, Xml};
use crate::error::FileError;

/// Deepest chain of styles based on styles.
const MAX_PARENTS: usize = 16;

/// The list that numbers headings.
pub(super) const OUTLINE: &str = "\u{0}outline";

/// A style of a paragraph, a slide or a sheet.
#[derive(Debug, Default)]
struct Style {
    parent: Option<String>,
    hidden: bool,
}

/// All styles by name.
#[derive(Debug, Default)]
pub(super) struct Styles {
    styles: HashMap<String, Style>,
    lists: HashMap<String, Vec<Level>>,
}

impl Styles {
    /// Reads the styles of a part; those of documents are read one after the other.
    pub(super) fn read(&mut self, text: &str, format: &'static str) -> Result<(), FileError> {
        let mut style: Option<String> = None;
        let mut list: Option<String> = None;
        let mut xml = Xml::new(text, format);
        while let Some(node) = xml.next()? {
            match node {
                Node::Open(element) => match element.name() {
                    "body" => xml.skip()?,
                    "style" => {
                        style = element.attribute("name");
                        let parent = element.attribute("parent-style-name");
                        self.styles.extend(style.clone().map(|name| (name, Style { parent, hidden: false })));
                    }
                    "drawing-page-properties" | "table-properties" => {
                        let hidden = element.attribute("visibility").is_some_and(|value| value == "hidden")
                            || element.attribute("display").is_some_and(|value| value == "false");
                        let open = style.as_ref().and_then(|name| self.styles.get_mut(name));
                        open.into_iter().for_each(|style| style.hidden |= hidden);
                    }
                    "list-style" | "outline-style" => {
                        let is_outline = element.name() == "outline-style";
                        list = if is_outline { Some(OUTLINE.to_owned()) } else { element.attribute("name") };
                    }
                    name if name.starts_with("list-level-style") || name == "outline-level-style" => {
                        let Some(list) = &list else { continue };
                        let levels = self.lists.entry(list.clone()).or_insert_with(|| vec![Level::default(); LEVELS]);
                        let at: usize = element.number("level").unwrap_or(1);
                        if let Some(place) = at.checked_sub(1).and_then(|at| levels.get_mut(at)) {
                            *place = level(&element, at);
                        }
                    }
                    _ => {}
                },
                Node::Close(closed) => match closed.name() {
                    "style" => style = None,
                    "list-style" | "outline-style" => list = None,
                    _ => {}
                },
                Node::Text(_) => {}
            }
        }
        Ok(())
    }

    /// Names of a style and of those it is based on, with their own spelling (`Heading_20_1` is `Heading 1`).
    pub(super) fn names<'s>(&'s self, name: &'s str) -> impl Iterator<Item = String> + 's {
        let parent = |name: &&'s str| self.styles.get(*name)?.parent.as_deref();
        std::iter::successors(Some(name), parent).take(MAX_PARENTS).map(|name| name.replace("_20_", " "))
    }

    /// Whether a slide or sheet of this style is hidden.
    pub(super) fn hides(&self, name: &str) -> bool {
        self.styles.get(name).is_some_and(|style| style.hidden)
    }

    pub(super) fn list(&self, name: &str) -> Option<&[Level]> {
        self.lists.get(name).map(Vec::as_slice)
    }
}

/// A level of a list: prefix, as many numbers as it displays, suffix.
fn level(element: &Element<'_>, at: usize) -> Level {
    let start = element.number("start-value").unwrap_or(1);
    if element.name() == "list-level-style-bullet" || element.name() == "list-level-style-image" {
        return Level::default();
    }
    let style = match element.attribute("num-format").as_deref() {
        Some("1") => NumberStyle::Decimal,
        Some("a") => NumberStyle::LowerLetter,
        Some("A") => NumberStyle::UpperLetter,
        Some("i") => NumberStyle::LowerRoman,
        Some("I") => NumberStyle::UpperRoman,
        Some("") | None => NumberStyle::None,
        Some(other) if other.starts_with(['一', '壹']) => NumberStyle::Ideograph,
        Some(_) => NumberStyle::Decimal,
    };
    let shown = element.number::<usize>("display-levels").unwrap_or(1).clamp(1, at.max(1));
    let numbers: Vec<String> = (at + 1 - shown..=at).map(|level| format!("%{level}")).collect();
    let part = |name| element.attribute(name).unwrap_or_default();
    Level { style, start, pattern: format!("{}{}{}", part("num-prefix"), numbers.join("."), part("num-suffix")) }
}
