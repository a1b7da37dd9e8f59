//! A sight of the lexical index: some of its passages, and statistics as if there were no others.
//!
//! Promise: whatever is asked of a reader within a sight, the answer is the same whether the other passages are there or not.
//! So frequencies, lengths and numbers are counted over the passages in sight, deleted ones count nowhere, and scores are
//! added up in the order of the query's terms and not as segments happen to lie.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tantivy::DocSet as _;
use tantivy::postings::SegmentPostings;
use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{Searcher, TERMINATED};

use super::reader::PassageRef;
use crate::vectors::OrdinalSet;

/// Terms whose frequencies are remembered.
const MAX_FREQUENCIES: usize = 100_000;

/// The passages that are seen, one bit for each of a segment's.
pub(crate) struct Sight {
    segments: Vec<OrdinalSet>,
    passages: u64,
    frequencies: Mutex<HashMap<Term, u64>>,
    tokens: Mutex<HashMap<Field, u64>>,
}

impl Sight {
    /// The sight of these passages of segments of these lengths.
    pub(crate) fn of(lengths: impl Iterator<Item = u32>, passages: impl Iterator<Item = PassageRef>) -> Self {
        let mut segments: Vec<OrdinalSet> = lengths.map(|length| OrdinalSet::new(u64::from(length))).collect();
        let mut count = 0;
        for passage in passages {
            if let Some(segment) = segments.get_mut(passage.segment as usize) {
                segment.insert(u64::from(passage.doc));
                count += 1;
            }
        }
        Self { segments, passages: count, frequencies: Mutex::default(), tokens: Mutex::default() }
    }

    /// How many passages are seen.
    pub(crate) fn passages(&self) -> u64 {
        self.passages
    }

    #[inline]
    pub(crate) fn contains(&self, passage: PassageRef) -> bool {
        self.segments.get(passage.segment as usize).is_some_and(|segment| segment.contains(u64::from(passage.doc)))
    }

    /// The passages of a segment that are seen.
    pub(crate) fn segment(&self, segment: u32) -> Option<&OrdinalSet> {
        self.segments.get(segment as usize)
    }

    /// How many passages in sight hold a term.
    pub(super) fn frequency(&self, searcher: &Searcher, term: &Term) -> tantivy::Result<u64> {
        let known = || self.frequencies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(frequency) = known().get(term) {
            return Ok(*frequency);
        }
        let mut frequency = 0;
        for (segment, reader) in self.segments.iter().zip(searcher.segment_readers()) {
            let index = reader.inverted_index(term.field())?;
            if let Some(postings) = index.read_postings(term, IndexRecordOption::Basic)? {
                frequency += seen(segment, postings);
            }
        }
        let mut frequencies = known();
        if frequencies.len() >= MAX_FREQUENCIES {
            frequencies.clear();
        }
        frequencies.insert(term.clone(), frequency);
        Ok(frequency)
    }

    /// How long a field is in all passages in sight together, as their lengths are kept.
    pub(super) fn tokens(&self, searcher: &Searcher, field: Field) -> tantivy::Result<u64> {
        let known = || self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tokens) = known().get(&field) {
            return Ok(*tokens);
        }
        let mut tokens = 0;
        for (segment, reader) in self.segments.iter().zip(searcher.segment_readers()) {
            let lengths = reader.get_fieldnorms_reader(field)?;
            tokens += segment.iter().map(|doc| u64::from(lengths.fieldnorm(doc as u32))).sum::<u64>();
        }
        known().insert(field, tokens);
        Ok(tokens)
    }
}

/// How many of the passages of some postings are in a set.
pub(super) fn seen(set: &OrdinalSet, mut postings: SegmentPostings) -> u64 {
    let mut count = 0;
    let mut doc = postings.doc();
    while doc != TERMINATED {
        count += u64::from(set.contains(u64::from(doc)));
        doc = postings.advance();
    }
    count
}
