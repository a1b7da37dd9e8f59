//! The placement of vectors: from an ordinal to the live passages that share it.
//!
//! One vector serves every passage with the same text and headings. This table is made from one view of the lexical
//! index, and it alone decides which vectors are live in a snapshot: so a document is visible in both retrievers or in none.

use crate::error::Result;
use crate::lexical::{LexicalReader, PassageRef};
use crate::record::AWAITED;
use crate::vectors::OrdinalSet;

pub(crate) struct Placement {
    /// Index into `passages` of each ordinal's first passage, and the end.
    starts: Vec<u32>,
    passages: Vec<PassageRef>,
    live: OrdinalSet,
}

impl Placement {
    pub(crate) fn of(lexical: &LexicalReader) -> Result<Self> {
        let mut pairs: Vec<(u64, PassageRef)> = Vec::with_capacity(lexical.payload().chunks as usize);
        lexical.for_each_ordinal(|passage, ordinal| {
            if ordinal != AWAITED {
                pairs.push((ordinal, passage));
            }
        })?;
        pairs.sort_unstable();
        let length = pairs.last().map_or(0, |(ordinal, _)| ordinal + 1);
        let mut live = OrdinalSet::new(length);
        let mut starts = vec![0; length as usize + 1];
        for (ordinal, _) in &pairs {
            live.insert(*ordinal);
            starts[*ordinal as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        Ok(Self { starts, passages: pairs.into_iter().map(|(_, passage)| passage).collect(), live })
    }

    /// Ordinals with at least one live passage.
    pub(crate) fn live(&self) -> &OrdinalSet {
        &self.live
    }

    /// The live passages of an ordinal, in index order.
    pub(crate) fn passages(&self, ordinal: u64) -> &[PassageRef] {
        let at = ordinal as usize;
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(&start), Some(&end)) => &self.passages[start as usize..end as usize],
            _ => &[],
        }
    }
}
