//! The references between parts of an Office Open XML package (ECMA-376 part 2): `_rels/X.rels` beside part X holds, by
//! id, a type and a target.

use std::collections::HashMap;

use super::package::Package;
use super::xml::{Node, Xml};
use crate::error::FileError;

/// One reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation {
    /// The last word of the type's address: `header`, `slide`, `officeDocument`.
    pub(crate) kind: String,
    /// Name of the part; empty when it lies outside of the package.
    pub(crate) part: String,
}

/// References of one part, by id.
#[derive(Debug, Default)]
pub(crate) struct Relations(HashMap<String, Relation>);

impl Relations {
    /// Those of a part; of the package itself for an empty name.
    pub(crate) fn of(package: &mut Package<'_>, part: &str) -> Result<Self, FileError> {
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        let path = join(folder, &format!("_rels/{name}.rels"));
        let Some(text) = package.xml(&path)? else { return Ok(Self::default()) };
        let mut relations = HashMap::new();
        let mut xml = Xml::new(&text, package.format);
        while let Some(node) = xml.next()? {
            let Node::Open(element) = node else { continue };
            if element.name() != "Relationship" {
                continue;
            }
            let (Some(id), Some(target)) = (element.attribute("Id"), element.attribute("Target")) else { continue };
            let external = element.attribute("TargetMode").is_some_and(|mode| mode == "External");
            let kind = element.attribute("Type").unwrap_or_default();
            let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
            let part = if external { String::new() } else { join(folder, &target) };
            relations.insert(id, Relation { kind, part });
        }
        Ok(Self(relations))
    }

    /// The part that an id refers to.
    pub(crate) fn part(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(|relation| relation.part.as_str()).filter(|part| !part.is_empty())
    }

    /// The kind of what an id refers to.
    pub(crate) fn kind(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(|relation| relation.kind.as_str())
    }

    /// Charts and diagrams: id, kind and part of each, in the order of their ids.
    pub(crate) fn drawn(&self) -> Vec<(String, String, String)> {
        let drawn = |relation: &Relation| matches!(relation.kind.as_str(), "chart" | "diagramData");
        let found = self.0.iter().filter(|(_, relation)| drawn(relation) && !relation.part.is_empty());
        let mut found: Vec<(String, String, String)> =
            found.map(|(id, relation)| (id.clone(), relation.kind.clone(), relation.part.clone())).collect();
        found.sort_by_key(|(id, ..)| (id.len(), id.clone()));
        found
    }

    /// Documents that are inserted as they are: id and part of each.
    pub(crate) fn inserted(&self) -> Vec<(String, String)> {
        let found = self.0.iter().filter(|(_, relation)| relation.kind == "aFChunk" && !relation.part.is_empty());
        found.map(|(id, relation)| (id.clone(), relation.part.clone())).collect()
    }

    /// The parts of a kind, sorted by name.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<String> {
        let parts = self.0.values().filter(|relation| relation.kind == kind && !relation.part.is_empty());
        let mut parts: Vec<String> = parts.map(|relation| relation.part.clone()).collect();
        parts.sort_by_key(|part| (part.len(), part.clone()));
        parts.dedup();
        parts
    }
}

/// A target as a name in the package: relative to the folder unless it starts with `/`; `..` never leaves it.
pub(crate) fn join(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::ExtractLimits;
    use crate::office::package::tests::packed;

    #[test]
    fn targets_are_joined() {
        assert_eq!(join("ppt/slides", "../media/a.png"), "ppt/media/a.png");
        assert_eq!(join("ppt", "/word/x.xml"), "word/x.xml");
        assert_eq!(join("", "../../x"), "x");
    }

    #[test]
    fn relations_are_read() {
        let rels = "<Relationships><Relationship Id='r1' Type='http://x/header' Target='header1.xml'/>\
                    <Relationship Id='r2' Type='http://x/hyperlink' Target='http://y' TargetMode='External'/></Relationships>";
        let bytes = packed(&[("word/_rels/document.xml.rels", rels)]);
        let limits = ExtractLimits::default();
        let mut package = Package::open(&bytes, &limits, "docx").unwrap();
        let relations = Relations::of(&mut package, "word/document.xml").unwrap();
        assert_eq!(relations.part("r1"), Some("word/header1.xml"));
        assert_eq!(relations.part("r2"), None);
        assert_eq!(relations.of_kind("header"), ["word/header1.xml"]);
        assert_eq!(Relations::of(&mut package, "").unwrap().part("r1"), None);
    }
}
