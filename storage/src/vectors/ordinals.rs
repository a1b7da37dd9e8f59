//! A set of ordinals as a dense bitset: which vectors are live, or pass a filter.
//!
//! Ordinals are small, dense integers and the set is asked once for every node a search visits, so one bit each in
//! plain words beats a compressed set. A set has a length fixed at birth; an ordinal beyond it is never contained.

use std::ops::Range;

const WORD: u64 = u64::BITS as u64;

/// A set of ordinals below a fixed length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrdinalSet {
    words: Vec<u64>,
    len: u64,
}

impl OrdinalSet {
    /// The empty set that can hold the ordinals `0..len`.
    pub(crate) fn new(len: u64) -> Self {
        Self { words: vec![0; len.div_ceil(WORD) as usize], len }
    }

    /// The set of all ordinals `0..len`.
    pub(crate) fn full(len: u64) -> Self {
        Self::range(0..len)
    }

    /// The set of the ordinals in `range`, as long as the range's end.
    pub(crate) fn range(range: Range<u64>) -> Self {
        let mut set = Self { words: vec![u64::MAX; range.end.div_ceil(WORD) as usize], len: range.end };
        let ends: Vec<(u64, u64)> = set.masked_words(range).collect();
        set.words.fill(0);
        for (base, word) in ends {
            set.words[(base / WORD) as usize] = word;
        }
        set
    }

    /// One more than the largest ordinal the set can hold.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Adds an ordinal; the set grows when the ordinal is beyond its length.
    pub(crate) fn insert(&mut self, ordinal: u64) {
        if ordinal >= self.len {
            self.len = ordinal + 1;
            self.words.resize(self.len.div_ceil(WORD) as usize, 0);
        }
        self.words[(ordinal / WORD) as usize] |= 1 << (ordinal % WORD);
    }

    /// Whether the ordinal is in the set; false beyond its length.
    #[inline]
    pub(crate) fn contains(&self, ordinal: u64) -> bool {
        match self.words.get((ordinal / WORD) as usize) {
            Some(word) => word >> (ordinal % WORD) & 1 == 1,
            None => false,
        }
    }

    /// How many ordinals are in both sets.
    pub(crate) fn count_common(&self, other: &Self) -> u64 {
        self.words.iter().zip(&other.words).map(|(a, b)| u64::from((a & b).count_ones())).sum()
    }

    /// How many ordinals there are.
    pub(crate) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The ordinals, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.iter_in(0..self.len)
    }

    /// The ordinals of `range` that are in the set, ascending.
    pub(crate) fn iter_in(&self, range: Range<u64>) -> impl Iterator<Item = u64> + '_ {
        self.masked_words(range).flat_map(|(base, word)| SetBits(word).map(move |bit| base + bit))
    }

    /// Keeps only what is also in `other`.
    pub(crate) fn intersect(&mut self, other: &Self) {
        for (index, word) in self.words.iter_mut().enumerate() {
            *word &= other.words.get(index).copied().unwrap_or(0);
        }
    }

    /// Adds everything that is in `other`.
    pub(crate) fn union(&mut self, other: &Self) {
        if other.len > self.len {
            self.len = other.len;
            self.words.resize(other.words.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    /// Takes out everything that is in `other`.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (word, less) in self.words.iter_mut().zip(&other.words) {
            *word &= !less;
        }
    }

    /// The words that overlap `range`, each with the ordinal of its lowest bit, bits outside of the range cleared.
    fn masked_words(&self, range: Range<u64>) -> impl Iterator<Item = (u64, u64)> + '_ {
        let end = range.end.min(self.len);
        let start = range.start.min(end);
        (start / WORD..end.div_ceil(WORD)).map(move |index| {
            let base = index * WORD;
            let below = start.saturating_sub(base);
            let above = (base + WORD).saturating_sub(end);
            (base, self.words[index as usize] & u64::MAX << below & u64::MAX >> above)
        })
    }
}

impl FromIterator<u64> for OrdinalSet {
    fn from_iter<I: IntoIterator<Item = u64>>(ordinals: I) -> Self {
        let mut set = Self::new(0);
        ordinals.into_iter().for_each(|ordinal| set.insert(ordinal));
        set
    }
}

/// The positions of the bits of a word, ascending.
struct SetBits(u64);

impl Iterator for SetBits {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(u64::from(bit))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_like_a_set_of_numbers(
            a in proptest::collection::btree_set(0u64..300, 0..80),
            b in proptest::collection::btree_set(0u64..500, 0..80),
            range in (0u64..400, 0u64..400),
        ) {
            let set: OrdinalSet = a.iter().copied().collect();
            let other: OrdinalSet = b.iter().copied().collect();
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), a.clone());
            let within: Vec<u64> = a.iter().copied().filter(|o| (range.0..range.1).contains(o)).collect();
            prop_assert_eq!(set.iter_in(range.0..range.1).collect::<Vec<_>>(), within);
            for ordinal in 0..600 {
                prop_assert_eq!(set.contains(ordinal), a.contains(&ordinal));
            }
            prop_assert_eq!(set.count_common(&other), a.intersection(&b).count() as u64);
            let run = range.0.min(range.1)..range.1;
            prop_assert_eq!(OrdinalSet::range(run.clone()).iter().collect::<Vec<_>>(), run.collect::<Vec<_>>());
            let apply = |change: fn(&mut OrdinalSet, &OrdinalSet)| {
                let mut changed = set.clone();
                change(&mut changed, &other);
                changed.iter().collect::<BTreeSet<_>>()
            };
            prop_assert_eq!(apply(OrdinalSet::intersect), &a & &b);
            prop_assert_eq!(apply(OrdinalSet::union), &a | &b);
            prop_assert_eq!(apply(OrdinalSet::subtract), &a - &b);
        }

        #[test]
        fn the_full_set_holds_exactly_its_length(len in 0u64..200) {
            let set = OrdinalSet::full(len);
            prop_assert!(!set.contains(len));
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), (0..len).collect::<Vec<_>>());
        }
    }
}
