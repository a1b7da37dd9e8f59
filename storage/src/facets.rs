//! Facets that passages are filed under: source, kind, language and date, for counting without reading the passages.
//!
//! Made once for a snapshot, when somebody first asks, from the term lists of the lexical index.

use tantivy::columnar::Column;

use crate::lexical::PassageRef;

/// What every passage of a snapshot is filed under.
#[derive(Default)]
pub struct Facets {
    pub(crate) segments: Vec<SegmentFacets>,
    pub(crate) sources: Values,
    pub(crate) kinds: Values,
    pub(crate) languages: Values,
}

/// One number for each passage of a segment of the lexical index, live or not.
pub(crate) struct SegmentFacets {
    pub(crate) source: Vec<u32>,
    pub(crate) kind: Vec<u32>,
    pub(crate) language: Vec<u32>,
    pub(crate) modified: Column<i64>,
}

/// The distinct values of a field; numbers begin at 1, and 0 means none.
#[derive(Default)]
pub(crate) struct Values(Vec<String>);

impl Values {
    pub(crate) fn number_of(&mut self, value: &str) -> u32 {
        let place = self.0.iter().position(|known| known == value).unwrap_or_else(|| {
            self.0.push(value.to_string());
            self.0.len() - 1
        });
        u32::try_from(place + 1).unwrap_or(0)
    }

    fn get(&self, number: u32) -> Option<&str> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.0.get(place).map(String::as_str)
    }
}

/// What one passage is filed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filed<'a> {
    /// Name of the source.
    pub source: &'a str,
    /// Type of the document.
    pub kind: &'a str,
    /// ISO 639-1 code of the language, where it could be told.
    pub language: Option<&'a str>,
    /// Last change of the document, seconds of Unix time.
    pub modified: i64,
}

impl Facets {
    /// What a passage of the same snapshot is filed under; `None` for a passage of another one.
    pub fn of(&self, passage: PassageRef) -> Option<Filed<'_>> {
        let segment = self.segments.get(passage.segment as usize)?;
        let doc = passage.doc as usize;
        Some(Filed {
            source: self.sources.get(*segment.source.get(doc)?)?,
            kind: self.kinds.get(*segment.kind.get(doc)?)?,
            language: self.languages.get(*segment.language.get(doc)?),
            modified: segment.modified.first(passage.doc)?,
        })
    }
}
