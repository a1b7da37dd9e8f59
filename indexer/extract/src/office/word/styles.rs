//! Paragraph styles of a Word document: which are headings, which lists, which code. Built-in styles keep their English
//! name whatever language Word speaks; other programs write localized names, so both are known.

use std::collections::HashMap;

use super::super::xml::{Node, Xml};
use crate::error::FileError;

/// Deepest chain of styles based on styles.
const MAX_BASES: usize = 16;

/// Names of heading styles in many languages, lower case, in front of the level.
const HEADINGS: &[&str] = &[
    "heading",
    "überschrift",
    "titre",
    "título",
    "titulo",
    "titolo",
    "kop",
    "rubrik",
    "overskrift",
    "otsikko",
    "nagłówek",
    "nadpis",
    "címsor",
    "titlu",
    "заголовок",
    "заглавие",
    "επικεφαλίδα",
    "başlık",
    "标题",
    "標題",
    "見出し",
    "제목",
];

/// Names of styles for verbatim text, lower case.
const CODE: &[&str] =
    &["code", "source code", "html preformatted", "preformatted text", "macro text", "macro", "sourcecode"];

/// What a style means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Heading(usize),
    Code,
    Quote,
}

/// A paragraph style.
#[derive(Debug, Default)]
struct Style {
    name: String,
    based_on: Option<String>,
    outline: Option<usize>,
    list: Option<String>,
    level: Option<usize>,
}

/// All paragraph styles by id.
#[derive(Debug, Default)]
pub(super) struct Styles(HashMap<String, Style>);

impl Styles {
    pub(super) fn read(text: &str, format: &'static str) -> Result<Self, FileError> {
        let mut styles = HashMap::new();
        let mut open: Option<(String, Style)> = None;
        let mut xml = Xml::new(text, format);
        while let Some(node) = xml.next()? {
            match (node, &mut open) {
                (Node::Open(element), None) if element.name() == "style" => {
                    open = element.attribute("styleId").map(|id| (id, Style::default()));
                }
                (Node::Open(element), Some((_, style))) => match element.name() {
                    "name" => style.name = element.attribute("val").unwrap_or_default(),
                    "basedOn" => style.based_on = element.attribute("val"),
                    "outlineLvl" => style.outline = element.number("val"),
                    "numId" => style.list = element.attribute("val"),
                    "ilvl" => style.level = element.number("val"),
                    _ => {}
                },
                (Node::Close(closed), Some(_)) if closed.name() == "style" => styles.extend(open.take()),
                _ => {}
            }
        }
        Ok(Self(styles))
    }

    /// What a style, or one that it is based on, means.
    pub(super) fn meaning(&self, id: &str) -> Option<Meaning> {
        self.chain(id).find_map(|(id, style)| {
            let by_outline = style.and_then(|style| style.outline).filter(|&level| level < 9);
            let name = style.map_or(id, |style| style.name.as_str());
            by_outline.map(|level| Meaning::Heading(level + 1)).or_else(|| by_name(name))
        })
    }

    /// The list that a style puts its paragraphs into: its id and level.
    pub(super) fn list<'s>(&'s self, id: &'s str) -> Option<(&'s str, usize)> {
        let list = self.chain(id).find_map(|(_, style)| style?.list.as_deref())?;
        let level = self.chain(id).find_map(|(_, style)| style?.level).unwrap_or(0);
        Some((list, level))
    }

    fn chain<'s>(&'s self, id: &'s str) -> impl Iterator<Item = (&'s str, Option<&'s Style>)> {
        let first = Some((id, self.0.get(id)));
        std::iter::successors(first, |(_, style)| {
            let base = (*style)?.based_on.as_deref()?;
            Some((base, self.0.get(base)))
        })
        .take(MAX_BASES)
    }
}

/// What the name of a style says.
pub(super) fn by_name(name: &str) -> Option<Meaning> {
    let name = name.trim().to_lowercase().replace('_', " ");
    if matches!(name.as_str(), "title" | "titel" | "titre" | "título" | "titolo" | "表题" | "表題" | "標題" | "标题")
    {
        return Some(Meaning::Heading(1));
    }
    if CODE.contains(&name.as_str()) {
        return Some(Meaning::Code);
    }
    if matches!(name.as_str(), "quote" | "intense quote" | "block text" | "quotations" | "zitat" | "citation") {
        return Some(Meaning::Quote);
    }
    let rest = HEADINGS.iter().find_map(|heading| name.strip_prefix(heading))?;
    let level: usize = rest.trim().parse().ok()?;
    (1..=9).contains(&level).then_some(Meaning::Heading(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_told_by_level_name_and_base() {
        let xml = "<w:styles><w:style w:styleId='a'><w:name w:val='heading 2'/></w:style>\
                   <w:style w:styleId='b'><w:name w:val='Own'/><w:basedOn w:val='a'/><w:pPr><w:numPr><w:ilvl w:val='1'/>\
                   <w:numId w:val='7'/></w:numPr></w:pPr></w:style>\
                   <w:style w:styleId='c'><w:name w:val='x'/><w:pPr><w:outlineLvl w:val='0'/></w:pPr></w:style>\
                   <w:style w:styleId='d'><w:name w:val='loop'/><w:basedOn w:val='d'/></w:style></w:styles>";
        let styles = Styles::read(xml, "docx").unwrap();
        assert_eq!(styles.meaning("b"), Some(Meaning::Heading(2)));
        assert_eq!(styles.list("b"), Some(("7", 1)));
        assert_eq!(styles.meaning("c"), Some(Meaning::Heading(1)));
        assert_eq!((styles.meaning("d"), styles.list("d")), (None, None));
        assert_eq!(styles.meaning("Heading1"), Some(Meaning::Heading(1)));
    }

    #[test]
    fn names_are_known_in_many_languages() {
        for name in ["Überschrift 3", "Titre 3", "标题 3", "見出し 3", "Заголовок 3", "heading_3"] {
            assert_eq!(by_name(name), Some(Meaning::Heading(3)), "{name}");
        }
        assert_eq!(by_name("Source Code"), Some(Meaning::Code));
        assert_eq!(by_name("Normal"), None);
    }
}
