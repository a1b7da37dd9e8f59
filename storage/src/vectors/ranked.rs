//! Rows in the order of their similarity, as plain integers.
//!
//! A similarity and a row number packed into one u64 compare with one instruction and make every order total and
//! repeatable: of two equally similar rows the lower one comes first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A row and how similar it is; greater is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ranked(u64);

impl Ranked {
    /// Packs a row and its similarity, which is not NaN.
    #[inline]
    pub(crate) fn new(similarity: f32, row: u32) -> Self {
        let bits = similarity.to_bits();
        // Makes the bits of a float ascend like the float: flips all bits of negative ones, the sign of others.
        let flip = if bits >> 31 == 1 { u32::MAX } else { 1 << 31 };
        Self(u64::from(bits ^ flip) << 32 | u64::from(!row))
    }

    /// The row.
    #[inline]
    pub(crate) fn row(self) -> u32 {
        !(self.0 as u32)
    }

    /// Its similarity.
    #[inline]
    pub(crate) fn similarity(self) -> f32 {
        let bits = (self.0 >> 32) as u32;
        f32::from_bits(if bits >> 31 == 1 { bits ^ 1 << 31 } else { !bits })
    }
}

/// The best rows seen so far, up to a number.
#[derive(Debug, Default)]
pub(crate) struct Best {
    heap: BinaryHeap<Reverse<Ranked>>,
    capacity: usize,
}

impl Best {
    /// Forgets everything, to keep the best `capacity` rows from now on.
    pub(crate) fn reset(&mut self, capacity: usize) {
        self.heap.clear();
        self.capacity = capacity;
    }

    /// Whether a row would be kept.
    #[inline]
    pub(crate) fn admits(&self, ranked: Ranked) -> bool {
        self.heap.len() < self.capacity || self.heap.peek().is_some_and(|worst| ranked > worst.0)
    }

    /// Whether a row, and everything behind it, is behind all that are kept.
    #[inline]
    pub(crate) fn is_beyond(&self, ranked: Ranked) -> bool {
        self.heap.len() >= self.capacity && self.heap.peek().is_none_or(|worst| ranked < worst.0)
    }

    /// Keeps a row if it is among the best.
    #[inline]
    pub(crate) fn push(&mut self, ranked: Ranked) {
        if self.heap.len() < self.capacity {
            self.heap.push(Reverse(ranked));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && ranked > worst.0
        {
            *worst = Reverse(ranked);
        }
    }

    /// The best `count` rows, best first.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Ranked> {
        while self.heap.len() > count {
            self.heap.pop();
        }
        let mut sorted: Vec<Ranked> = self.heap.drain().map(|ranked| ranked.0).collect();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        sorted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packing_keeps_the_row_the_similarity_and_the_order(a in -2.0f32..2.0, b in -2.0f32..2.0, x: u32, y: u32) {
            let (first, second) = (Ranked::new(a, x), Ranked::new(b, y));
            prop_assert_eq!((first.similarity(), first.row()), (a, x));
            prop_assert_eq!(first > second, a > b || (a == b && x < y));
        }

        #[test]
        fn the_best_are_kept(values in proptest::collection::vec(-1.0f32..1.0, 0..60), capacity in 0usize..20) {
            let mut best = Best::default();
            best.reset(capacity);
            let mut all: Vec<Ranked> = (0..).zip(&values).map(|(row, &value)| Ranked::new(value, row)).collect();
            all.iter().for_each(|&ranked| best.push(ranked));
            all.sort_unstable_by(|a, b| b.cmp(a));
            all.truncate(capacity);
            prop_assert_eq!(best.take(usize::MAX), all);
        }
    }
}
