//! Bounds on everything that a reader says beside the text itself. A title goes into every passage's context, a heading
//! path too, a member's path into the ledger and every result: whatever is not bounded here is paid for again and again
//! further on. So every attribute is cut in this one place, where an [`Extraction`] leaves its reader, and whoever
//! takes one from a process that may be hostile asks [`Extraction::excess`] first.
//!
//! What is cut ends in an ellipsis, on a character, and the ledger has a note. The text of a document is not an attribute:
//! [`crate::ExtractLimits::max_text`] bounds it.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::block::{Block, BlockKind, Missing, StructuredText, floor_boundary};
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::place::Place;

/// Bytes of a title: about three lines.
pub const MAX_TITLE: usize = 400;
/// Bytes of names: formats, languages, areas of cells, keys of metadata.
const MAX_NAME: usize = 64;
/// Bytes of the first line of a definition.
const MAX_DEFINITION: usize = 200;
/// Lowest level of a heading.
const MAX_LEVEL: u8 = 6;
/// Bytes of one value of metadata.
pub(crate) const MAX_VALUE: usize = 1_000;
/// Facts of one document.
const MAX_FACTS: usize = 64;
/// Bytes of all metadata of one document, keys and values.
pub const MAX_METADATA: usize = 8_000;
/// Remarks of a document or a container.
const MAX_REMARKS: usize = 100;
/// Parts of a document that are told to be missing.
const MAX_MISSING: usize = 1_000;
/// Bytes of a remark, a reason, the name of a missing part.
const MAX_REMARK: usize = 500;
/// Bytes of the path of a document inside of a file; systems allow 4,096 for a whole path.
pub(crate) const MAX_PATH: usize = 1_000;
/// Parts of that path.
pub(crate) const MAX_PATH_DEPTH: usize = 64;
/// Room that a cut path has for a number that tells it from others.
const PATH_SLACK: usize = 32;
/// Blocks and other elements of lists in one answer. An element takes about a hundred bytes of memory and may be six in
/// an answer.
const MAX_ELEMENTS: usize = 8_000_000;

/// What stands for what was cut.
const ELLIPSIS: &str = "…";

/// A text of at most `most` bytes: cut at a character, with an ellipsis; tells whether it was.
pub fn shorten(text: &mut String, most: usize) -> bool {
    if text.len() <= most {
        return false;
    }
    text.truncate(floor_boundary(text, most.saturating_sub(ELLIPSIS.len())));
    text.push_str(ELLIPSIS);
    // A sentence of megabytes must not keep them.
    text.shrink_to_fit();
    true
}

/// Facts that are shown or searched: they stay when there are too many.
const KEPT_FIRST: &[&str] =
    &["author", "date", "subject", "from", "to", "keywords", "tags", "description", "pages", "sheets", "slides"];

/// Cuts metadata to at most `most` bytes of keys and values; tells whether something was lost.
pub fn shorten_metadata(metadata: &mut BTreeMap<String, String>, most: usize) -> bool {
    let size = |(key, value): (&String, &String)| key.len() + value.len();
    let long = |(key, value): (&String, &String)| key.len() > MAX_NAME || value.len() > MAX_VALUE;
    if metadata.len() <= MAX_FACTS && metadata.iter().map(size).sum::<usize>() <= most && !metadata.iter().any(long) {
        return false;
    }
    let mut all = std::mem::take(metadata);
    let first = KEPT_FIRST.iter().filter_map(|key| all.remove_entry(*key)).collect::<Vec<_>>();
    let mut left = most;
    for (mut key, mut value) in first.into_iter().chain(all) {
        if metadata.len() == MAX_FACTS || left <= key.len().min(MAX_NAME) + ELLIPSIS.len() {
            break;
        }
        shorten(&mut key, MAX_NAME);
        shorten(&mut value, MAX_VALUE.min(left - key.len()));
        left -= key.len() + value.len();
        metadata.insert(key, value);
    }
    true
}

impl Extraction {
    /// The same with every attribute within its bounds, and a note where one was cut. Doing it twice changes nothing.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        shorten(&mut self.kind, MAX_NAME);
        self.document = self.document.map(StructuredText::bounded);
        for part in &mut self.parts {
            shorten(&mut part.path, MAX_PATH + PATH_SLACK);
            let outcome = std::mem::replace(&mut part.outcome, Err(FileError::Empty));
            part.outcome = outcome.map(StructuredText::bounded).map_err(FileError::bounded);
        }
        bound_remarks(&mut self.warnings);
        self
    }

    /// The first attribute that is not within its bounds, in words.
    pub fn excess(&self) -> Option<&'static str> {
        let parts = self.parts.iter();
        let documents = self.document.iter().chain(parts.clone().filter_map(|part| part.outcome.as_ref().ok()));
        let long_path = |path: &str| path.len() > MAX_PATH + PATH_SLACK || path.split('/').count() > MAX_PATH_DEPTH;
        if self.kind.len() > MAX_NAME || parts.clone().any(|part| long_path(&part.path)) {
            return Some("a name is too long");
        }
        let long_error = |error: &FileError| error.clone().bounded() != *error;
        if parts.filter_map(|part| part.outcome.as_ref().err()).any(long_error) || !are_short(&self.warnings) {
            return Some("a remark is too long");
        }
        documents.filter_map(StructuredText::excess).next()
    }
}

impl StructuredText {
    /// See [`Extraction::bounded`].
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let mut cut: Vec<&str> = Vec::new();
        if self.title.as_mut().is_some_and(|title| shorten(title, MAX_TITLE)) {
            cut.push("its title");
        }
        shorten(&mut self.kind, MAX_NAME);
        self.language = self.language.filter(|language| language.len() <= MAX_NAME);
        let shortened = self.blocks.iter_mut().map(bound_block).fold(false, |any, cut| any | cut);
        if shortened {
            cut.push("names in it");
        }
        if shorten_metadata(&mut self.metadata, MAX_METADATA) {
            cut.push("what it says of itself");
        }
        if !cut.is_empty() {
            let note = format!("{} was too long and has been shortened", cut.join(", "));
            self.warnings.insert(0, note);
        }
        bound_remarks(&mut self.warnings);
        bound_missing(&mut self.missing);
        self
    }

    fn excess(&self) -> Option<&'static str> {
        let is_long = |text: &Option<String>, most| text.as_ref().is_some_and(|text| text.len() > most);
        if is_long(&self.title, MAX_TITLE) {
            return Some("a title is too long");
        }
        if self.kind.len() > MAX_NAME || is_long(&self.language, MAX_NAME) {
            return Some("a name is too long");
        }
        if self.blocks.iter().any(|block| bound_block(&mut block.clone())) {
            return Some("an attribute of a block is too long");
        }
        if shorten_metadata(&mut self.metadata.clone(), MAX_METADATA) {
            return Some("there is too much metadata");
        }
        let is_long = |missing: &Missing| missing.part.len() > MAX_REMARK || missing.reason.len() > MAX_REMARK;
        if !are_short(&self.warnings) || self.missing.len() > MAX_MISSING || self.missing.iter().any(is_long) {
            return Some("a remark is too long");
        }
        None
    }
}

impl FileError {
    /// The same with its words within their bounds: they may quote the file.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        match &mut self {
            Self::Damaged { format, reason } => {
                shorten(format, MAX_NAME);
                shorten(reason, MAX_REMARK);
            }
            Self::Unreadable { reason: words }
            | Self::NotAFile { found: words }
            | Self::Unsupported { format: words }
            | Self::Limit { what: words }
            | Self::Crashed { how: words } => {
                shorten(words, MAX_REMARK);
            }
            _ => {}
        }
        self
    }
}

fn bound_block(block: &mut Block) -> bool {
    let mut cut = false;
    if let Some(Place::Sheet { name, cells, .. }) = &mut block.place {
        cut |= shorten(name, MAX_NAME);
        cut |= cells.as_mut().is_some_and(|cells| shorten(cells, MAX_NAME));
    }
    match &mut block.kind {
        BlockKind::Heading { level } => {
            let within = (*level).clamp(1, MAX_LEVEL);
            cut |= *level != within;
            *level = within;
        }
        BlockKind::Code { language, definition } => {
            cut |= language.as_mut().is_some_and(|language| shorten(language, MAX_NAME));
            cut |= definition.as_mut().is_some_and(|definition| shorten(definition, MAX_DEFINITION));
        }
        BlockKind::Paragraph | BlockKind::ListItem | BlockKind::Table | BlockKind::Quote => {}
    }
    cut
}

fn bound_remarks(remarks: &mut Vec<String>) {
    let more = remarks.len().saturating_sub(MAX_REMARKS - 1);
    // A list that was bounded before ends with its own count.
    if remarks.len() > MAX_REMARKS {
        remarks.truncate(MAX_REMARKS - 1);
        remarks.push(format!("and {more} more remarks"));
    }
    for remark in remarks {
        shorten(remark, MAX_REMARK);
    }
}

fn are_short(remarks: &[String]) -> bool {
    remarks.len() <= MAX_REMARKS && remarks.iter().all(|remark| remark.len() <= MAX_REMARK)
}

fn bound_missing(all: &mut Vec<Missing>) {
    if all.len() > MAX_MISSING {
        let more = all.len() - (MAX_MISSING - 1);
        all.truncate(MAX_MISSING - 1);
        all.push(Missing { part: format!("{more} more parts"), reason: "the list was cut".to_string() });
    }
    for Missing { part, reason } in all {
        shorten(part, MAX_REMARK);
        shorten(reason, MAX_REMARK);
    }
}

/// A path below its file within its bounds; tells whether it was cut. The end of the name stays, which says what it is.
pub(crate) fn shorten_path(path: String) -> (String, bool) {
    let mut parts: Vec<&str> = path.split('/').collect();
    let too_deep = parts.len() > MAX_PATH_DEPTH;
    if too_deep {
        // The outermost folders tell least.
        parts.drain(..parts.len() - MAX_PATH_DEPTH);
    }
    let mut path = parts.join("/");
    if path.len() <= MAX_PATH {
        return (path, too_deep);
    }
    let extension = path.rfind('.').map(|dot| path[dot..].to_string());
    let extension = extension.filter(|extension| extension.len() <= 16 && !extension.contains('/')).unwrap_or_default();
    shorten(&mut path, MAX_PATH - extension.len());
    path.push_str(&extension);
    (path, true)
}

/// Lists are taken element by element, so that an answer of a few bytes an element cannot fill the memory.
pub(crate) fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Few<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
        type Value = Vec<T>;
        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::with_capacity(elements.size_hint().unwrap_or(0).min(1024));
            while let Some(element) = elements.next_element()? {
                take_one()?;
                list.push(element);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_seq(Few(std::marker::PhantomData))
}

/// As [`few`], for facts.
pub(crate) fn few_facts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Few;
    impl<'de> Visitor<'de> for Few {
        type Value = BTreeMap<String, String>;
        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("facts")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut facts: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some((key, value)) = facts.next_entry()? {
                take_one()?;
                all.insert(key, value);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_map(Few)
}

thread_local! {
    /// Elements that the message being decoded on this thread may still have.
    static ELEMENTS: std::cell::Cell<usize> = const { std::cell::Cell::new(MAX_ELEMENTS) };
}

fn take_one<E: serde::de::Error>() -> Result<(), E> {
    ELEMENTS.with(|left| {
        let rest = left.get().checked_sub(1).ok_or_else(|| E::custom("too many elements"))?;
        left.set(rest);
        Ok(())
    })
}

/// Decodes a message that holds [`Extraction`]s, whose lists may have [`MAX_ELEMENTS`] elements in all.
pub fn decode_within_bounds<T>(decode: impl FnOnce() -> T) -> T {
    ELEMENTS.with(|left| left.set(MAX_ELEMENTS));
    decode()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{ExtractLimits, extract};

    fn document(text: &str) -> StructuredText {
        extract(Path::new("a.md"), text.as_bytes(), &ExtractLimits::default()).unwrap().document.unwrap()
    }

    #[test]
    fn titles_are_cut_on_a_character_and_said_once() {
        let long = document(&format!("# {}\n\nbody\n", "größe ".repeat(100_000)));
        let title = long.title.clone().unwrap();
        assert!(title.len() <= MAX_TITLE && title.ends_with("e…") | title.ends_with('…'), "{title}");
        assert!(long.warnings[0].contains("its title was too long"), "{:?}", long.warnings);
        assert!(long.text.len() > 600_000, "the text itself is whole");
        let again = long.clone().bounded();
        assert_eq!(again, long);
        assert!(document("# Title\n\nbody").warnings.is_empty());
    }

    fn sheet(name: &str, cells: &str) -> Place {
        Place::Sheet { number: 1, name: name.to_string(), cells: Some(cells.to_string()) }
    }

    #[test]
    fn every_attribute_is_bounded_and_what_is_not_is_noticed() {
        type Spoil = Box<dyn Fn(&mut Extraction)>;
        let spoilt: Vec<(&str, Spoil)> = vec![
            ("kind", Box::new(|all| all.kind = "k".repeat(1 << 20))),
            ("warnings", Box::new(|all| all.warnings = vec![String::new(); 10_000])),
            ("path", Box::new(|all| all.parts[0].path = "p/".repeat(10_000) + "x")),
            ("depth", Box::new(|all| all.parts[0].path = vec!["a"; 70].join("/"))),
            ("error", Box::new(|all| all.parts[0].outcome = Err(FileError::damaged("x", "y".repeat(1 << 20))))),
            ("title", Box::new(|all| all.document.as_mut().unwrap().title = Some("t".repeat(1 << 20)))),
            ("language", Box::new(|all| all.document.as_mut().unwrap().language = Some("l".repeat(1 << 20)))),
            (
                "level",
                Box::new(|all| all.document.as_mut().unwrap().blocks[0].kind = BlockKind::Heading { level: 200 }),
            ),
            (
                "cells",
                Box::new(|all| all.document.as_mut().unwrap().blocks[0].place = Some(sheet("s", &"c".repeat(1 << 20)))),
            ),
            (
                "name of a sheet",
                Box::new(|all| {
                    all.document.as_mut().unwrap().blocks[0].place = Some(sheet(&"s".repeat(1 << 20), "A1"))
                }),
            ),
            ("remarks", Box::new(|all| all.document.as_mut().unwrap().warnings = vec!["w".repeat(1 << 20)])),
            (
                "missing",
                Box::new(|all| {
                    let missing = Missing { part: "p".to_string(), reason: "r".to_string() };
                    all.document.as_mut().unwrap().missing = vec![missing; 100_000];
                }),
            ),
            (
                "facts",
                Box::new(|all| {
                    let facts = (0..100_000).map(|number| (number.to_string(), String::new()));
                    all.document.as_mut().unwrap().metadata = facts.collect();
                }),
            ),
            (
                "keys",
                Box::new(|all| {
                    all.document.as_mut().unwrap().metadata.insert("k".repeat(1 << 20), String::new());
                }),
            ),
            (
                "values",
                Box::new(|all| {
                    all.document.as_mut().unwrap().metadata.insert("author".to_string(), "v".repeat(1 << 20));
                }),
            ),
            (
                "definition",
                Box::new(|all| {
                    let kind = BlockKind::Code { language: None, definition: Some("d".repeat(1 << 20)) };
                    all.document.as_mut().unwrap().blocks[0].kind = kind;
                }),
            ),
        ];
        for (what, spoil) in spoilt {
            let mut extraction = Extraction::from(document("# Title\n\nbody"));
            extraction.add("a.txt", 1, None, Ok(Extraction::from(document("text"))));
            assert_eq!(extraction.excess(), None, "{what}");
            spoil(&mut extraction);
            assert!(extraction.excess().is_some(), "{what}");
            if what != "depth" && what != "path" {
                // Paths are bounded where a part is added: they have to stay unique.
                assert_eq!(extraction.bounded().excess(), None, "{what}");
            }
        }
    }

    #[test]
    fn facts_that_are_searched_stay_when_there_are_too_many() {
        let mut facts: BTreeMap<String, String> = (0..500).map(|n| (format!("a{n}"), "v".repeat(300))).collect();
        facts.insert("author".to_string(), "Ada".to_string());
        facts.insert("description".to_string(), "ß".repeat(4_000));
        assert!(shorten_metadata(&mut facts, MAX_METADATA));
        assert_eq!(facts["author"], "Ada");
        assert!(facts["description"].ends_with('…') && facts["description"].len() <= MAX_VALUE);
        assert!(facts.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() <= MAX_METADATA);
        assert!(!shorten_metadata(&mut facts, MAX_METADATA), "twice");
    }

    #[test]
    fn paths_of_parts_are_cut_and_stay_unique_and_keep_their_kind() {
        let mut outer = Extraction::container(crate::Format::of("zip"));
        let long = format!("{}/name.txt", "folder/".repeat(5_000));
        for _ in 0..3 {
            outer.add(&long, 1, None, Err(FileError::Empty));
        }
        outer.add(&format!("{}.pdf", "n".repeat(100_000)), 1, None, Err(FileError::Empty));
        let mut paths: Vec<&str> = outer.parts.iter().map(|part| part.path.as_str()).collect();
        assert!(paths[..2].iter().all(|path| path.ends_with(".txt")) && paths[3].ends_with(".pdf"), "{paths:?}");
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), 4);
        assert_eq!(outer.excess(), None);
        assert!(outer.warnings.iter().any(|note| note.contains("shortened")), "{:?}", outer.warnings);
        assert_eq!(outer.warnings.len(), 1);
    }

    #[test]
    fn an_answer_of_countless_empty_elements_is_not_decoded() {
        let mut extraction = Extraction::container(crate::Format::of("zip"));
        extraction.warnings = vec![String::new(); MAX_ELEMENTS + 1];
        let wire = postcard::to_stdvec(&extraction).unwrap();
        assert!(decode_within_bounds(|| postcard::from_bytes::<Extraction>(&wire)).is_err());
        extraction.warnings.truncate(10);
        let wire = postcard::to_stdvec(&extraction).unwrap();
        assert!(decode_within_bounds(|| postcard::from_bytes::<Extraction>(&wire)).is_ok());
    }
}
