//! The roster of a snapshot: its documents, numbered in the order of their groups.
//!
//! Numbers are dense, so a set of documents is one bit each. The order is that of the documents' ids: documents that stay
//! keep their order from commit to commit, whatever happens to the segments of the lexical index.

use crate::error::{Error, Result};
use crate::lexical::{LexicalReader, PassageRef};
use crate::vectors::OrdinalSet;

/// The number of a passage that belongs to no live document.
const NOBODY: u32 = u32::MAX;

pub(crate) struct Roster {
    /// By number, ascending.
    groups: Vec<u64>,
    /// One passage of each document, by number: the first in index order.
    first: Vec<PassageRef>,
    /// For each segment, the numbers of its passages.
    numbers: Vec<Vec<u32>>,
}

impl Roster {
    pub(crate) fn of(lexical: &LexicalReader) -> Result<Self> {
        let mut pairs: Vec<(u64, PassageRef)> = Vec::with_capacity(lexical.payload().chunks as usize);
        lexical.for_each_group(|passage, group| pairs.push((group, passage)))?;
        pairs.sort_unstable();
        let mut roster = Self { groups: Vec::new(), first: Vec::new(), numbers: Vec::new() };
        roster.numbers = lexical.segment_lengths().map(|length| vec![NOBODY; length as usize]).collect();
        for (group, passage) in pairs {
            if roster.groups.last() != Some(&group) {
                roster.groups.push(group);
                roster.first.push(passage);
            }
            roster.numbers[passage.segment as usize][passage.doc as usize] = roster.groups.len() as u32 - 1;
        }
        Ok(roster)
    }

    /// How many documents there are.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// The number of a passage's document.
    pub(crate) fn number(&self, passage: PassageRef) -> Result<u32> {
        let number = self.numbers.get(passage.segment as usize).and_then(|numbers| numbers.get(passage.doc as usize));
        number
            .copied()
            .filter(|number| *number != NOBODY)
            .ok_or_else(|| Error::damaged("the lexical index", "a chunk has no document"))
    }

    /// The groups, by number.
    pub(crate) fn groups(&self) -> &[u64] {
        &self.groups
    }

    /// A passage of each document, by number.
    pub(crate) fn first(&self) -> &[PassageRef] {
        &self.first
    }

    /// The number of the first document behind a group.
    pub(crate) fn behind(&self, group: u64) -> usize {
        self.groups.partition_point(|known| *known <= group)
    }

    /// The documents of these passages.
    pub(crate) fn documents(&self, passages: impl IntoIterator<Item = PassageRef>) -> Result<DocumentSet> {
        let mut documents = DocumentSet(OrdinalSet::new(self.len() as u64));
        for passage in passages {
            documents.insert(self.number(passage)?);
        }
        Ok(documents)
    }

    /// Every document.
    pub(crate) fn everybody(&self) -> DocumentSet {
        DocumentSet(OrdinalSet::full(self.len() as u64))
    }
}

/// Documents of one snapshot, by their numbers in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentSet(OrdinalSet);

impl Default for DocumentSet {
    fn default() -> Self {
        Self(OrdinalSet::new(0))
    }
}

impl DocumentSet {
    /// Adds a document.
    pub fn insert(&mut self, number: u32) {
        self.0.insert(u64::from(number));
    }

    /// Adds all of another set.
    pub fn union(&mut self, other: &Self) {
        self.0.union(&other.0);
    }

    /// Whether the document is in the set.
    pub fn contains(&self, number: u32) -> bool {
        self.0.contains(u64::from(number))
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().map(|number| number as u32)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.count_common(&self.0) as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}
