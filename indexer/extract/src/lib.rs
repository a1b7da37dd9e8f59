//! Text extraction, from the bytes of a file to its text: every format becomes one [`StructuredText`] of blocks, so
//! that there is one chunker. Nothing here opens a file, starts a thread or knows a model: a reader gets bytes and a
//! name and returns an [`Extraction`] or a [`FileError`], within [`ExtractLimits`]. That is why it can run in a process
//! of its own without any right to the disk. A new format is a reader in a file of its
//! own, listed in `readers`, and a row in the table of [`Format`]s.
//!
//! ```
//! use std::path::Path;
//!
//! use extract::{ExtractLimits, extract};
//!
//! let read = extract(Path::new("leave.md"), b"# Leave\n\nThirty days a year.\n", &ExtractLimits::default())?;
//! let document = read.document.expect("a file with text of its own");
//! assert_eq!((document.title.as_deref(), document.kind.as_str()), (Some("Leave"), "markdown"));
//! assert_eq!(document.text, "Leave\n\nThirty days a year.");
//! # Ok::<(), extract::FileError>(())
//! ```

mod archives;
mod block;
mod bounds;
mod calendar;
mod code;
mod data;
mod decode;
mod error;
mod extraction;
mod front_matter;
mod guard;
mod html;
mod input;
mod language;
mod languages;
mod line_ends;
mod list;
mod mail;
mod markdown;
mod markup;
mod office;
mod outline;
mod payload;
mod pdf;
mod picture;
mod place;
mod plain;
mod readers;
mod sniff;
mod table;

#[cfg(test)]
mod snapshots;

pub use block::{Block, BlockKind, Missing, PageCount, Scan, StructuredText, TextBuilder, floor_boundary};
pub use bounds::{MAX_METADATA, MAX_TITLE, decode_within_bounds, shorten, shorten_metadata};
pub use error::{FileError, Verdict};
pub use extraction::{Extraction, Part};
pub use formats::{Delivery, Family, Format, Icon};
pub use input::ExtractLimits;
pub(crate) use input::Input;
pub use language::detect as detect_language;
pub use languages::grammar;
pub use list::{Marker, item_depth, item_marker};
pub use place::Place;
pub use readers::extract;
