//! The filter that says which documents a search may return.
//!
//! A filter is plain data: the searcher reads it from the query, the lexical index turns it into a term query, and the
//! vector retriever gets the same documents as a set of ordinals. An empty list or `None` means "no restriction"; the values
//! in one list are alternatives, the fields are joined by AND, and so are several filters given to one search.

use serde::{Deserialize, Serialize};

use crate::page_type::PageType;

/// Restrictions on the documents of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Filter {
    /// Names of sources, in any case.
    pub sources: Vec<String>,
    /// Parts of the path below the source's root: a document matches when its path contains one of them, or begins with one
    /// behind the name of its source (`handbook/leave`). Compared by [`folded`](crate::folded).
    pub paths: Vec<String>,
    /// Document types, as in [`Document::kind`](crate::Document): `markdown`, `html`, `text`, `rust`, ...
    pub kinds: Vec<String>,
    /// ISO 639-1 codes of the document's language: `en`, `zh`, ...
    pub languages: Vec<String>,
    /// What documents are that are no prose.
    pub page_types: Vec<PageType>,
    /// Modified at or after this second (Unix time).
    pub after: Option<i64>,
    /// Modified before this second (Unix time).
    pub before: Option<i64>,
}

impl Filter {
    /// Whether every document passes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
