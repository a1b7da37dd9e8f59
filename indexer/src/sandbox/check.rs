//! The check of a reading process's answer: is it what a reader would give? It comes from a process that a hostile file
//! may have taken over, so nothing that others rely on (spans that lie in the text, in order, on characters; paths that
//! stay below their file; attributes within their bounds) is taken on trust.

use extract::{Extraction, StructuredText};

/// The first rule that an extraction breaks, in words.
pub(super) fn fault_of(extraction: &Extraction) -> Option<&'static str> {
    let parts = extraction.parts.iter().filter_map(|part| part.outcome.as_ref().ok());
    let documents = extraction.document.iter().chain(parts);
    let paths = extraction.parts.iter().map(|part| part.path.as_str());
    documents.map(fault_in_text).chain(paths.map(fault_in_path)).find_map(|fault| fault).or_else(|| extraction.excess())
}

fn fault_in_text(document: &StructuredText) -> Option<&'static str> {
    let mut end = 0;
    for block in &document.blocks {
        let span = &block.span;
        if span.start < end || span.end < span.start {
            return Some("blocks are not in order");
        }
        if document.text.get(span.clone()).is_none() {
            return Some("a block is no part of the text");
        }
        end = span.end;
    }
    None
}

fn fault_in_path(path: &str) -> Option<&'static str> {
    let is_sound = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    (!is_sound).then_some("a part lies outside of its file")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use extract::{ExtractLimits, Part, extract};

    use super::*;

    fn extraction() -> Extraction {
        extract(Path::new("a.md"), "# Größe\n\nText".as_bytes(), &ExtractLimits::default()).unwrap()
    }

    #[test]
    fn what_a_reader_gives_is_sound() {
        assert_eq!(fault_of(&extraction()), None);
    }

    #[test]
    fn spans_outside_between_characters_or_out_of_order_are_noticed() {
        for (block, span) in [(0, 0..900), (0, 0..3), (1, 0..2)] {
            let mut wrong = extraction();
            wrong.document.as_mut().unwrap().blocks[block].span = span;
            assert!(fault_of(&wrong).is_some());
        }
        let mut wrong = extraction();
        wrong.document.as_mut().unwrap().text.truncate(2);
        assert!(fault_of(&wrong).is_some());
    }

    #[test]
    fn attributes_that_no_reader_gives_are_noticed() {
        let mut wrong = extraction();
        wrong.document.as_mut().unwrap().title = Some("t".repeat(1 << 20));
        assert_eq!(fault_of(&wrong), Some("a title is too long"));
    }

    #[test]
    fn parts_that_lie_elsewhere_are_noticed() {
        for path in ["../x", "/etc/passwd", "a//b", ""] {
            let mut wrong = extraction();
            let outcome = Ok(wrong.document.clone().unwrap());
            wrong.parts.push(Part { path: path.to_string(), bytes: 1, modified: None, outcome });
            assert!(fault_of(&wrong).is_some(), "{path}");
        }
    }
}
