//! The outline of a document as facts about it: how many pages it has, the names of its sheets, the titles of its slides.

use std::fmt::Write as _;

use crate::block::{BlockKind, StructuredText};
use crate::bounds::MAX_VALUE;
use crate::place::Place;

/// Between two names, and for those that found no room.
const SEPARATOR: &str = "; ";
const MORE: &str = "…";

/// The document with facts about its parts, where its format has such. What it says of itself under these names stays.
pub(crate) fn outlined(mut document: StructuredText) -> StructuredText {
    let (mut sheets, mut slides) = (Names::default(), Names::default());
    for block in &document.blocks {
        match &block.place {
            Some(Place::Sheet { number, name, .. }) => sheets.add(*number, name),
            Some(Place::Slide(number)) if matches!(block.kind, BlockKind::Heading { .. }) => {
                let title = &document.text[block.span.clone()];
                // What a reader calls a slide without a title is no name.
                if title != format!("Slide {number}") {
                    slides.add(*number, title);
                }
            }
            _ => {}
        }
    }
    let pages = document.pages.map_or(String::new(), |pages| pages.all.to_string());
    for (name, value) in [("pages", pages), ("sheets", sheets.list), ("slides", slides.list)] {
        if !value.is_empty() {
            document.metadata.entry(name.to_owned()).or_insert(value);
        }
    }
    document
}

/// Names of parts in their order, each once, as long as there is room.
#[derive(Default)]
struct Names {
    list: String,
    last: Option<u32>,
    is_full: bool,
}

impl Names {
    fn add(&mut self, number: u32, name: &str) {
        let name = name.lines().next().unwrap_or_default().trim();
        if self.is_full || self.last == Some(number) || name.is_empty() {
            return;
        }
        self.last = Some(number);
        let separator = if self.list.is_empty() { "" } else { SEPARATOR };
        self.is_full = self.list.len() + separator.len() + name.len() + SEPARATOR.len() + MORE.len() > MAX_VALUE;
        let name = if self.is_full { MORE } else { name };
        let _ = write!(self.list, "{separator}{name}");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::block::{Block, PageCount};
    use crate::{ExtractLimits, extract};

    fn with(places: &[(Option<Place>, &str)]) -> StructuredText {
        let mut document = extract(Path::new("a.txt"), b"x", &ExtractLimits::default()).unwrap().document.unwrap();
        document.text.clear();
        document.blocks.clear();
        for (place, text) in places {
            let start = document.text.len();
            document.text.push_str(text);
            let span = start..document.text.len();
            let kind = BlockKind::Heading { level: 2 };
            document.blocks.push(Block { kind, span, lines: 1..2, place: place.clone() });
        }
        document
    }

    fn sheet(number: u32, name: &str) -> Option<Place> {
        Some(Place::Sheet { number, name: name.to_owned(), cells: None })
    }

    #[test]
    fn parts_are_named_once_and_in_their_order() {
        let book = with(&[(sheet(1, "Plan"), "a"), (sheet(1, "Plan"), "b"), (sheet(2, "Travel 2025"), "c")]);
        assert_eq!(outlined(book).metadata["sheets"], "Plan; Travel 2025");
        let talk = with(&[
            (Some(Place::Slide(1)), "Pumps"),
            (Some(Place::Slide(1)), "and valves"),
            (Some(Place::Slide(2)), "Slide 2"),
            (Some(Place::Slide(3)), "Valves\nby size"),
        ]);
        assert_eq!(outlined(talk).metadata["slides"], "Pumps; Valves");
        let mut paper = with(&[(Some(Place::Page(1)), "a")]);
        paper.pages = Some(PageCount { all: 12, with_text: 11 });
        let paper = outlined(paper);
        assert_eq!((paper.metadata["pages"].as_str(), paper.metadata.get("sheets")), ("12", None));
        assert!(outlined(with(&[(None, "a"), (Some(Place::Mail), "b")])).metadata.is_empty());
    }

    #[test]
    fn many_names_end_where_the_room_does() {
        let names: Vec<String> = (0..500).map(|number| format!("Übersicht {number}")).collect();
        let places: Vec<(Option<Place>, &str)> =
            (1..).zip(&names).map(|(number, name)| (sheet(number, name), "x")).collect();
        let value = outlined(with(&places)).metadata.remove("sheets").unwrap();
        assert!(value.len() <= MAX_VALUE && value.len() > MAX_VALUE - 40 && value.ends_with("; …"), "{value}");
    }

    #[test]
    fn what_the_document_says_itself_stays() {
        let mut book = with(&[(sheet(1, "Plan"), "a")]);
        book.metadata.insert("sheets".to_owned(), "ours".to_owned());
        assert_eq!(outlined(book).metadata["sheets"], "ours");
    }
}
