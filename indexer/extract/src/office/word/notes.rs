//! Footnotes, endnotes and comments of a Word document: parts of their own, read before the body, which puts each after
//! the paragraph that refers to it.

use std::collections::HashMap;

use super::super::drawn;
use super::super::story::{self, Piece};
use super::super::xml::{Node, Xml};
use super::body::{Context, Reading};
use crate::error::FileError;

/// All notes, by the part they come from and their id.
#[derive(Debug, Default)]
pub(super) struct Notes(HashMap<(&'static str, String), String>);

impl Notes {
    /// Reads a part: `footnotes`, `endnotes` or `comments`.
    pub(super) fn read(
        &mut self,
        text: &str,
        format: &'static str,
        kind: &'static str,
        context: &Context<'_>,
    ) -> Result<(), FileError> {
        let none = Self::default();
        let mut xml = Xml::new(text, format);
        while let Some(node) = xml.next()? {
            let Node::Open(element) = node else { continue };
            if !matches!(element.name(), "footnote" | "endnote" | "comment") {
                continue;
            }
            // Separators are notes too.
            if element.attribute("type").is_some_and(|kind| kind != "normal") {
                xml.skip()?;
                continue;
            }
            let (id, author) = (element.attribute("id"), element.attribute("author"));
            let date = element.attribute("date");
            let mut reading = Reading::new(context, &none);
            reading.element(&mut xml)?;
            let text = story::running_text(&reading.finish());
            let id = id.filter(|_| !text.trim().is_empty());
            let text =
                if kind == "comments" { drawn::comment(author.as_deref(), date.as_deref(), &text) } else { text };
            self.0.extend(id.map(|id| ((kind, id), text)));
        }
        Ok(())
    }

    /// A note as the piece that follows its paragraph.
    pub(super) fn piece(&self, kind: &'static str, id: &str, label: &str) -> Option<Piece> {
        let text = self.0.get(&(kind, id.to_owned()))?;
        Some(Piece::Block { kind: crate::BlockKind::Paragraph, text: format!("{label}{text}") })
    }
}
