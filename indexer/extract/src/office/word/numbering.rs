//! The lists of a Word document: `numbering.xml` maps a list id to an abstract list with nine levels, some of them
//! started anew.

use std::collections::HashMap;

use super::super::numbering::{LEVELS, Level, NumberStyle};
use super::super::xml::{Node, Xml};
use crate::error::FileError;

/// A list as paragraphs refer to it.
#[derive(Debug, Default)]
struct List {
    of: String,
    /// Levels that start at another number than the abstract list says.
    starts: Vec<(usize, u32)>,
}

/// All lists.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    abstracts: HashMap<String, Vec<Level>>,
    lists: HashMap<String, List>,
}

impl Numbering {
    pub(super) fn read(text: &str, format: &'static str) -> Result<Self, FileError> {
        let mut out = Self::default();
        let mut levels: Option<(String, Vec<Level>)> = None;
        let mut list: Option<(String, List)> = None;
        let mut level = 0usize;
        let mut xml = Xml::new(text, format);
        while let Some(node) = xml.next()? {
            match node {
                Node::Open(element) => {
                    let value = || element.attribute("val").unwrap_or_default();
                    match (element.name(), &mut levels, &mut list) {
                        ("abstractNum", _, _) => {
                            let id = element.attribute("abstractNumId").unwrap_or_default();
                            levels = Some((id, vec![Level::default(); LEVELS]));
                        }
                        ("num", _, _) => list = element.attribute("numId").map(|id| (id, List::default())),
                        ("lvl" | "lvlOverride", _, _) => {
                            level = element.number("ilvl").unwrap_or(0).min(LEVELS - 1);
                        }
                        ("abstractNumId", _, Some((_, list))) => list.of = value(),
                        ("startOverride", _, Some((_, list))) => {
                            list.starts.extend(element.number("val").map(|start| (level, start)));
                        }
                        ("start", Some((_, levels)), None) => levels[level].start = element.number("val").unwrap_or(1),
                        ("numFmt", Some((_, levels)), None) => levels[level].style = style(&value()),
                        ("lvlText", Some((_, levels)), None) => levels[level].pattern = value(),
                        _ => {}
                    }
                }
                Node::Close(closed) => match closed.name() {
                    "abstractNum" => out.abstracts.extend(levels.take()),
                    "num" => out.lists.extend(list.take()),
                    _ => {}
                },
                Node::Text(_) => {}
            }
        }
        Ok(out)
    }

    /// The key under which a list counts, and its levels; `None` for no list.
    pub(super) fn list(&self, id: &str) -> Option<(String, Vec<Level>)> {
        let list = self.lists.get(id)?;
        let mut levels = self.abstracts.get(&list.of)?.clone();
        for &(level, start) in &list.starts {
            levels[level].start = start;
        }
        // A list that starts anew counts by itself; others go on where their abstract list is.
        let key = if list.starts.is_empty() { list.of.clone() } else { format!("list {id}") };
        Some((key, levels))
    }
}

/// `ST_NumberFormat`.
fn style(name: &str) -> NumberStyle {
    match name {
        "bullet" => NumberStyle::Bullet,
        "none" => NumberStyle::None,
        "decimalZero" => NumberStyle::Padded,
        "lowerLetter" => NumberStyle::LowerLetter,
        "upperLetter" => NumberStyle::UpperLetter,
        "lowerRoman" => NumberStyle::LowerRoman,
        "upperRoman" => NumberStyle::UpperRoman,
        "chineseCounting"
        | "chineseCountingThousand"
        | "japaneseCounting"
        | "taiwaneseCounting"
        | "taiwaneseCountingThousand"
        | "ideographDigital" => NumberStyle::Ideograph,
        _ => NumberStyle::Decimal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_found_with_their_levels() {
        let xml = "<w:numbering><w:abstractNum w:abstractNumId='3'><w:lvl w:ilvl='1'><w:start w:val='4'/>\
                   <w:numFmt w:val='lowerRoman'/><w:lvlText w:val='%2)'/></w:lvl></w:abstractNum>\
                   <w:num w:numId='1'><w:abstractNumId w:val='3'/></w:num><w:num w:numId='2'><w:abstractNumId w:val='3'/>\
                   <w:lvlOverride w:ilvl='1'><w:startOverride w:val='9'/></w:lvlOverride></w:num></w:numbering>";
        let numbering = Numbering::read(xml, "docx").unwrap();
        let (key, levels) = numbering.list("1").unwrap();
        assert_eq!((key.as_str(), levels[1].start, levels[1].style), ("3", 4, NumberStyle::LowerRoman));
        let (key, levels) = numbering.list("2").unwrap();
        assert_eq!((key.as_str(), levels[1].start, levels[1].pattern.as_str()), ("list 2", 9, "%2)"));
        assert_eq!(numbering.list("0"), None);
    }
}
