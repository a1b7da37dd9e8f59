//! Looking documents up without a query: one by its id, all in the order of their groups, and what each is filed under.

use std::collections::BTreeMap;

use tantivy::query::TermQuery;
use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{DocSet as _, SegmentReader, TERMINATED};

use super::reader::{Everything, LexicalReader, PassageRef, damaged};
use super::schema::StoredPassage;
use crate::error::Result;
use crate::facets::{Facets, SegmentFacets, Values};
use crate::filter::Filter;
use crate::lexical::LexicalQuery;
use crate::record::DocumentId;

impl LexicalReader {
    /// The live passages of a document, in their order; none if the document is not there.
    pub(crate) fn passages_of(&self, id: DocumentId) -> Result<Vec<StoredPassage>> {
        let places = self.places_of(id)?;
        let mut passages = places.into_iter().map(|place| self.passage(place)).collect::<Result<Vec<_>>>()?;
        passages.sort_by_key(|passage| passage.number);
        Ok(passages)
    }

    /// Where the live passages of a document are, in no order.
    pub(crate) fn places_of(&self, id: DocumentId) -> Result<Vec<PassageRef>> {
        let term = Term::from_field_bytes(self.fields.document, id.bytes());
        Ok(self.searcher.search(&TermQuery::new(term, IndexRecordOption::Basic), &Everything)?)
    }

    /// One passage of each document that passes the filters, by group.
    pub(crate) fn groups(&self, filters: &[Filter]) -> Result<Vec<(u64, PassageRef)>> {
        let mut groups = BTreeMap::new();
        match self.allowed(filters, &LexicalQuery::default())? {
            Some(passages) => {
                for passage in passages {
                    groups.entry(self.group(passage)?).or_insert(passage);
                }
            }
            None => {
                for (segment, reader) in (0u32..).zip(self.searcher.segment_readers()) {
                    let column = reader.fast_fields().u64("group")?;
                    for doc in reader.doc_ids_alive() {
                        let group = column.first(doc).ok_or_else(|| damaged("a chunk has no document"))?;
                        groups.entry(group).or_insert(PassageRef { segment, doc });
                    }
                }
            }
        }
        Ok(groups.into_iter().collect())
    }

    /// Calls `visit` with every live passage.
    pub(crate) fn for_each_passage(&self, mut visit: impl FnMut(StoredPassage)) -> Result<()> {
        for (segment, reader) in (0u32..).zip(self.searcher.segment_readers()) {
            for doc in reader.doc_ids_alive() {
                visit(self.passage(PassageRef { segment, doc })?);
            }
        }
        Ok(())
    }

    /// What every passage is filed under.
    pub(crate) fn facets(&self) -> Result<Facets> {
        let mut facets = Facets::default();
        for reader in self.searcher.segment_readers() {
            let source = column(reader, self.fields.source, &mut facets.sources)?;
            let kind = column(reader, self.fields.kind, &mut facets.kinds)?;
            let language = column(reader, self.fields.language, &mut facets.languages)?;
            let modified = reader.fast_fields().i64("modified")?;
            facets.segments.push(SegmentFacets { source, kind, language, modified });
        }
        Ok(facets)
    }
}

/// The number of each passage's term in `values`; 0 where it has none.
fn column(reader: &SegmentReader, field: Field, values: &mut Values) -> Result<Vec<u32>> {
    let mut numbers = vec![0; reader.max_doc() as usize];
    let index = reader.inverted_index(field)?;
    let mut terms = index.terms().stream().map_err(|error| damaged(error.to_string()))?;
    while let Some((term, info)) = terms.next() {
        let number = values.number_of(&String::from_utf8_lossy(term));
        let mut postings = index
            .read_postings_from_terminfo(info, IndexRecordOption::Basic)
            .map_err(|error| damaged(error.to_string()))?;
        let mut doc = postings.doc();
        while doc != TERMINATED {
            numbers[doc as usize] = number;
            doc = postings.advance();
        }
    }
    Ok(numbers)
}
