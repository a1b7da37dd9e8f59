//! The passages that a search may return.

use crate::lexical::PassageRef;
use crate::vectors::OrdinalSet;

/// The passages a search may return.
pub struct Scope {
    pub(crate) restricted: Option<Restriction>,
}

pub(crate) struct Restriction {
    pub(crate) ordinals: OrdinalSet,
    pub(crate) passages: PassageSet,
}

/// Passages, one bit for each of a segment's.
pub(crate) struct PassageSet(Vec<OrdinalSet>);

impl PassageSet {
    pub(crate) fn of_segments(lengths: impl Iterator<Item = u32>) -> Self {
        Self(lengths.map(|length| OrdinalSet::new(u64::from(length))).collect())
    }

    pub(crate) fn insert(&mut self, passage: PassageRef) {
        if let Some(segment) = self.0.get_mut(passage.segment as usize) {
            segment.insert(u64::from(passage.doc));
        }
    }

    pub(crate) fn contains(&self, passage: PassageRef) -> bool {
        self.0.get(passage.segment as usize).is_some_and(|segment| segment.contains(u64::from(passage.doc)))
    }
}

impl Scope {
    /// Whether nothing at all can be returned.
    pub fn is_empty(&self) -> bool {
        self.restricted.as_ref().is_some_and(|restriction| restriction.ordinals.iter().next().is_none())
    }

    /// Whether the passage can be returned.
    pub fn admits(&self, passage: PassageRef) -> bool {
        self.restricted.as_ref().is_none_or(|restriction| restriction.passages.contains(passage))
    }
}
