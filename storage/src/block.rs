//! Blocks and places of passages: what is known of a passage's shape since its file was read, in the form it is stored.
//!
//! These types are part of the disk format: a change of them is a new format.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A part of a passage. The blocks of a passage are in order, do not overlap, and hold all of its text but white space
/// and the markers of list items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// What it is.
    pub kind: BlockKind,
    /// Its bytes in the passage's text.
    pub span: Range<u32>,
}

impl Block {
    /// A block at these bytes of the passage's text.
    pub fn new(kind: BlockKind, span: Range<usize>) -> Self {
        let end = u32::try_from(span.end).unwrap_or(u32::MAX);
        Self { kind, span: u32::try_from(span.start).unwrap_or(u32::MAX).min(end)..end }
    }

    /// Its bytes in the passage's text.
    pub fn bytes(&self) -> Range<usize> {
        self.span.start as usize..self.span.end as usize
    }
}

/// What a block is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockKind {
    /// A heading that stands in the passage's text.
    Heading {
        /// 1 is the highest, 6 the lowest.
        level: u8,
    },
    /// Running text, whose line breaks mean nothing.
    Paragraph,
    /// Text whose line breaks are meant.
    Lines,
    /// An item of a list, without its marker.
    Item {
        /// Lists around its own.
        depth: u8,
        /// What stands before it.
        marker: Marker,
    },
    /// Rows of cells, a line each, with bars between the cells.
    Table {
        /// Bytes at its start that are the header row, with the ruler below it; 0 without a header.
        header: u32,
    },
    /// A quotation.
    Quote,
    /// Verbatim text.
    Code {
        /// Its language, as the file names it.
        language: Option<String>,
    },
}

/// What stands before the text of a list item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Marker {
    /// A bullet.
    Bullet,
    /// A number.
    Number(u32),
    /// Nothing, or something that stands in the text: a further paragraph of an item, `a)`.
    Text,
}

/// Where a passage begins, for formats that have more than lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// A page, from 1.
    Page(u32),
    /// A slide, from 1.
    Slide(u32),
    /// A sheet of a spreadsheet.
    Sheet {
        /// Its number, from 1.
        number: u32,
        /// What its tab says.
        name: String,
        /// The cells, as spreadsheets write them: `A2:F19`.
        cells: Option<String>,
    },
    /// The text of a mail.
    Mail,
}

impl Place {
    /// Number of the page, slide or sheet.
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Page(number) | Self::Slide(number) | Self::Sheet { number, .. } => Some(*number),
            Self::Mail => None,
        }
    }
}

/// As people would say it: `page 4`, `slide 4`, `Budget!A2:F19`, `mail`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(number) => write!(f, "page {number}"),
            Self::Slide(number) => write!(f, "slide {number}"),
            Self::Sheet { name, cells: None, .. } => f.write_str(name),
            Self::Sheet { name, cells: Some(cells), .. } => {
                // One cell is no area.
                let single = cells.split_once(':').filter(|(first, last)| first == last);
                write!(f, "{name}!{}", single.map_or(cells.as_str(), |(first, _)| first))
            }
            Self::Mail => f.write_str("mail"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_as_people_name_them() {
        let sheet =
            |cells: Option<&str>| Place::Sheet { number: 2, name: "Budget".into(), cells: cells.map(Into::into) };
        let all =
            [Place::Page(4), Place::Slide(4), sheet(Some("A2:F19")), sheet(Some("B1:B1")), sheet(None), Place::Mail];
        let named: Vec<String> = all.iter().map(Place::to_string).collect();
        assert_eq!(named, ["page 4", "slide 4", "Budget!A2:F19", "Budget!B1", "Budget", "mail"]);
        assert_eq!((all[2].number(), all[5].number()), (Some(2), None));
    }
}
