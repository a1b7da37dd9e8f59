//! The place and the blocks of a passage as answers state them: objects with a tag, and a label for people.

use serde::{Serialize, Serializer};
use storage::{Block, BlockKind, Marker, Place};

/// Where a passage begins, for formats that have more than lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlaceView {
    /// `page`, `slide`, `sheet` or `mail`.
    pub kind: &'static str,
    /// Number of the page, slide or sheet, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Name of the sheet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Cells of the sheet: `A2:F19`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cells: Option<String>,
    /// As people would say it: `page 4`, `slide 4`, `Budget!A2:F19`, `mail`.
    pub label: String,
}

impl From<&Place> for PlaceView {
    fn from(place: &Place) -> Self {
        let (kind, name, cells) = match place {
            Place::Page(_) => ("page", None, None),
            Place::Slide(_) => ("slide", None, None),
            Place::Sheet { name, cells, .. } => ("sheet", Some(name.clone()), cells.clone()),
            Place::Mail => ("mail", None, None),
        };
        Self { kind, number: place.number(), name, cells, label: place.to_string() }
    }
}

/// A part of a passage's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlockView {
    /// `heading`, `paragraph`, `lines` (a paragraph whose line breaks are meant), `item`, `table`, `quote` or `code`.
    pub kind: &'static str,
    /// First byte of the passage's text; of an item, behind its bullet or number.
    pub start: u32,
    /// Byte behind the last one.
    pub end: u32,
    /// Level of a heading, 1 being the highest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    /// Lists around the item's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u8>,
    /// What stands before an item: `bullet`, `number`, or `text` where that is nothing or a part of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<&'static str>,
    /// Number of an item that is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Bytes at the start of a table that are its header; 0 without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<u32>,
    /// Language of code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

impl From<&Block> for BlockView {
    fn from(block: &Block) -> Self {
        let mut view = Self {
            kind: "paragraph",
            start: block.span.start,
            end: block.span.end,
            level: None,
            depth: None,
            marker: None,
            number: None,
            header: None,
            language: None,
        };
        match &block.kind {
            BlockKind::Heading { level } => (view.kind, view.level) = ("heading", Some(*level)),
            BlockKind::Paragraph => {}
            BlockKind::Lines => view.kind = "lines",
            BlockKind::Item { depth, marker } => {
                (view.kind, view.depth) = ("item", Some(*depth));
                (view.marker, view.number) = match marker {
                    Marker::Bullet => (Some("bullet"), None),
                    Marker::Number(number) => (Some("number"), Some(*number)),
                    Marker::Text => (Some("text"), None),
                };
            }
            BlockKind::Table { header } => (view.kind, view.header) = ("table", Some(*header)),
            BlockKind::Quote => view.kind = "quote",
            BlockKind::Code { language } => (view.kind, view.language) = ("code", language.clone()),
        }
        view
    }
}

/// Writes a place as answers state it.
pub(crate) fn place<S: Serializer>(place: &Option<Place>, serializer: S) -> Result<S::Ok, S::Error> {
    place.as_ref().map(PlaceView::from).serialize(serializer)
}

/// Writes blocks as answers state them.
pub(crate) fn blocks<S: Serializer>(blocks: &[Block], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(blocks.iter().map(BlockView::from))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_and_places_are_tagged_objects() {
        let item = Block::new(BlockKind::Item { depth: 1, marker: Marker::Number(3) }, 4..9);
        let expected = json!({"kind": "item", "start": 4, "end": 9, "depth": 1, "marker": "number", "number": 3});
        assert_eq!(serde_json::to_value(BlockView::from(&item)).unwrap(), expected);
        let sheet = Place::Sheet { number: 2, name: "Budget".into(), cells: Some("A2:F19".into()) };
        let expected =
            json!({"kind": "sheet", "number": 2, "name": "Budget", "cells": "A2:F19", "label": "Budget!A2:F19"});
        assert_eq!(serde_json::to_value(PlaceView::from(&sheet)).unwrap(), expected);
        assert_eq!(
            serde_json::to_value(PlaceView::from(&Place::Mail)).unwrap(),
            json!({"kind": "mail", "label": "mail"})
        );
    }
}
