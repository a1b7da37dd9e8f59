//! The contents of a view: both indexes over the documents that it shows, and what is made of them when it is first asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use crate::copies::Copies;
use crate::documents::Settings;
use crate::error::Result;
use crate::facets::Facets;
use crate::filter::Filter;
use crate::lexical::LexicalReader;
use crate::placement::Placement;
use crate::record::AWAITED;
use crate::roster::{DocumentSet, Roster};
use crate::totals::{IndexTotals, SourceTotals};
use crate::vectors::VectorIndex;

/// What is read. Commits that touch no document leave it as it is.
pub(crate) struct Contents {
    pub(crate) settings: Settings,
    pub(crate) lexical: LexicalReader,
    pub(crate) vectors: VectorIndex,
    pub(crate) placement: Placement,
    /// Whether all documents are in it.
    pub(crate) is_whole: bool,
    pub(crate) derived: Derived,
}

/// What is made when it is first asked for.
#[derive(Default)]
pub(crate) struct Derived {
    pub(crate) facets: OnceLock<Facets>,
    pub(crate) background: OnceLock<Vec<Vec<f32>>>,
    pub(crate) roster: OnceLock<Roster>,
    pub(crate) generation: OnceLock<u64>,
    /// Classes of near-duplicates, with the bits in which they may differ.
    pub(crate) copies: Mutex<Option<(u32, Arc<Copies>)>>,
    /// What filters let through that are asked for again and again.
    pub(crate) classes: Mutex<HashMap<Filter, Arc<DocumentSet>>>,
}

impl Contents {
    pub(crate) fn new(settings: Settings, lexical: LexicalReader, vectors: VectorIndex, placement: Placement) -> Self {
        Self { settings, lexical, vectors, placement, is_whole: true, derived: Derived::default() }
    }

    /// The same, of which nothing is there but these documents.
    pub(crate) fn within(&self, documents: &DocumentSet) -> Result<Self> {
        let roster = self.roster()?;
        let mut passages = Vec::new();
        self.lexical.for_each_group(|passage, _| passages.push(passage))?;
        let mut seen = Vec::with_capacity(passages.len());
        for passage in passages {
            if documents.contains(roster.number(passage)?) {
                seen.push(passage);
            }
        }
        let lexical = self.lexical.within(seen.into_iter())?;
        let placement = Placement::of(&lexical)?;
        let (settings, vectors) = (self.settings.clone(), self.vectors.clone());
        Ok(Self { settings, lexical, vectors, placement, is_whole: false, derived: Derived::default() })
    }

    pub(crate) fn roster(&self) -> Result<&Roster> {
        if let Some(roster) = self.derived.roster.get() {
            return Ok(roster);
        }
        let roster = Roster::of(&self.lexical)?;
        Ok(self.derived.roster.get_or_init(|| roster))
    }

    pub(crate) fn facets(&self) -> Result<&Facets> {
        if let Some(facets) = self.derived.facets.get() {
            return Ok(facets);
        }
        let facets = self.lexical.facets()?;
        Ok(self.derived.facets.get_or_init(|| facets))
    }
}

/// Counts over contents that are not all that there is.
pub(crate) fn counted(contents: &Contents) -> Result<IndexTotals> {
    let (roster, facets) = (contents.roster()?, contents.facets()?);
    let mut totals = IndexTotals { documents: roster.len() as u64, ..IndexTotals::default() };
    for passage in roster.first() {
        if let Some(filed) = facets.of(*passage) {
            let source = totals.sources.entry(filed.source.to_owned()).or_default();
            let SourceTotals { files, documents, indexed, .. } = source;
            [files, documents, indexed].into_iter().for_each(|count| *count += 1);
        }
    }
    let mut waiting = DocumentSet::default();
    let mut awaited = Vec::new();
    contents.lexical.for_each_ordinal(|passage, ordinal| {
        if ordinal == AWAITED {
            awaited.push(passage);
        }
    })?;
    for passage in awaited {
        waiting.insert(roster.number(passage)?);
        totals.waiting.passages += 1;
        totals.waiting.bytes += contents.lexical.passage(passage)?.chunk.text.len() as u64;
    }
    totals.waiting.documents = waiting.len() as u64;
    contents.lexical.for_each_group(|passage, _| {
        totals.chunks += 1;
        let source = facets.of(passage).and_then(|filed| totals.sources.get_mut(filed.source));
        source.into_iter().for_each(|source| source.chunks += 1);
    })?;
    Ok(totals)
}
