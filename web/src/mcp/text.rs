//! The text of a document as an assistant reads it: its passages in order, each new heading above them, up to a limit.

use storage::Passage;

/// Bytes of a text: more than an assistant can keep in mind.
pub(super) const MAX_TEXT: usize = 400_000;

/// The text of a document, as far as it is given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: String,
    /// Passages that are in it.
    pub(super) given: usize,
    /// Passages of the document.
    pub(super) total: usize,
}

impl Text {
    /// Of the passages of a document, in order, as many as fit into `limit` bytes, and the first in any case.
    pub(super) fn of(passages: &[Passage], limit: usize) -> Self {
        let title = passages.first().map(|passage| passage.document.title.clone());
        let mut above: Vec<String> = title.into_iter().collect();
        let (mut text, mut given) = (String::new(), 0);
        for passage in passages {
            let mut part = new_headings(&above, &passage.chunk.headings);
            part.push_str(passage.chunk.text.trim_end());
            if given > 0 && text.len() + part.len() > limit {
                break;
            }
            if given > 0 {
                text.push_str("\n\n");
            }
            text.push_str(&part);
            above.clone_from(&passage.chunk.headings);
            given += 1;
        }
        Self { text, given, total: passages.len() }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.given == self.total
    }
}

/// The headings of a passage that the one before it did not have, as Markdown writes them.
fn new_headings(above: &[String], headings: &[String]) -> String {
    let same = above.iter().zip(headings).take_while(|(above, own)| above == own).count();
    let lines = headings.iter().enumerate().skip(same);
    lines.map(|(depth, heading)| format!("{} {heading}\n\n", "#".repeat((depth + 1).min(6)))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use storage::{Chunk, Document};

    use super::*;

    fn passage(number: u32, headings: &[&str], text: &str) -> Passage {
        let document = Document {
            source: "wiki".into(),
            path: "a.md".into(),
            title: "Guide".into(),
            kind: "markdown".into(),
            language: None,
            modified: 0,
            bytes: 0,
            metadata: BTreeMap::new(),
            fingerprint: None,
        };
        let chunk = Chunk {
            headings: headings.iter().map(|heading| (*heading).to_owned()).collect(),
            text: text.into(),
            span: 0..0,
            lines: 1..2,
            place: None,
            blocks: Vec::new(),
            ordinal: 0,
        };
        Passage { document_id: document.id(), document, number, chunk }
    }

    #[test]
    fn passages_stand_below_their_headings_up_to_the_limit() {
        let passages = [
            passage(0, &["Guide"], "One.\n"),
            passage(1, &["Guide", "Travel"], "Two."),
            passage(2, &["Guide", "Travel"], "Three."),
            passage(3, &["Guide", "Leave", "Sick"], "Four."),
        ];
        let whole = Text::of(&passages, 1_000);
        assert_eq!(whole.text, "One.\n\n## Travel\n\nTwo.\n\nThree.\n\n## Leave\n\n### Sick\n\nFour.");
        assert!(whole.is_whole());
        let part = Text::of(&passages, 25);
        assert_eq!((part.text.as_str(), part.given, part.total), ("One.\n\n## Travel\n\nTwo.", 2, 4));
        assert_eq!(Text::of(&passages[1..], 0).text, "## Travel\n\nTwo.");
        assert_eq!(Text::of(&[], 10), Text { text: String::new(), given: 0, total: 0 });
    }
}
