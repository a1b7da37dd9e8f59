//! Page types: what a document is where it is no prose that somebody wrote to be read.
//!
//! The indexer tells it and keeps it among the document's facts, the lexical index files passages under it, and the searcher
//! ranks such pages below prose.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a document is beside prose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageType {
    /// Little more than a title: a page not written yet, or one that says where it has moved to.
    Stub,
    /// A list of what else there is: an index, a table of contents, a map of a site.
    Navigation,
    /// The text of a licence.
    Licence,
    /// What has changed from version to version.
    Changelog,
    /// Written by a program: locked versions, generated code.
    Generated,
}

impl PageType {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Stub, Self::Navigation, Self::Licence, Self::Changelog, Self::Generated];
    /// The key of [`Document::metadata`](crate::Document) that holds it.
    pub const KEY: &str = "page_type";

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stub => "stub",
            Self::Navigation => "navigation",
            Self::Licence => "licence",
            Self::Changelog => "changelog",
            Self::Generated => "generated",
        }
    }

    /// The type of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|page| page.name() == name)
    }
}

impl fmt::Display for PageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
