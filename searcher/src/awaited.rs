//! What is expected of passages whose vectors are still to come, so that none is ranked down for having come last.

use std::collections::HashMap;
use std::hash::Hash;

/// How much of what its words are worth a passage is expected to be worth by its meaning, before anything is known, and how many
/// of the best passages that opinion weighs.
const EXPECTED: f32 = 0.7;
const EXPECTED_OF: f32 = 1.0;

/// What a search knows when vectors are still to come.
pub(crate) struct Known<'a, Id> {
    /// What the words find, with its scores, best first.
    pub(crate) words: &'a [(Id, f32)],
    /// The score that counts in full, where even the best is below it.
    pub(crate) full: f32,
    /// What is nearest of what has a vector, best first.
    pub(crate) near: &'a [(Id, f32)],
    /// Cosines of what the words find and is not among the nearest.
    pub(crate) cosines: &'a [(Id, f32)],
    /// The cosine that is worth nothing.
    pub(crate) floor: f32,
}

impl<Id: Copy + Eq + Hash> Known<'_, Id> {
    /// Cosines that are expected of what the words find and has no vector: as good beside the nearest of all as its words are
    /// beside the best, times how far that holds of what has both.
    pub(crate) fn expected(&self) -> Vec<(Id, f32)> {
        let full = self.words.first().map_or(0.0, |(_, score)| *score).max(self.full);
        let height = self.near.first().map_or(0.0, |(_, cosine)| cosine - self.floor);
        if full <= 0.0 || height <= 0.0 {
            return Vec::new();
        }
        let known: HashMap<Id, f32> = self.near.iter().chain(self.cosines).copied().collect();
        let (mut words, mut meaning) = (EXPECTED_OF, EXPECTED_OF * EXPECTED);
        for (id, score) in self.words {
            if let Some(cosine) = known.get(id) {
                words += score / full;
                meaning += ((cosine - self.floor) / height).max(0.0);
            }
        }
        let ratio = meaning / words;
        let awaited = self.words.iter().filter(|(id, _)| !known.contains_key(id));
        awaited.map(|(id, score)| (*id, self.floor + height * ratio * score / full)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_vector_is_worth_by_meaning_what_its_words_make_likely() {
        let words = [(1, 10.0), (2, 8.0), (3, 5.0)];
        let known = |near, cosines| Known { words: &words, full: 0.0, near, cosines, floor: 0.2 };
        // Nothing is near: there is nothing to be beside of.
        assert!(known(&[], &[]).expected().is_empty());
        // Nothing is known of the words' passages: the opinion from before.
        let expected = known(&[(9, 0.6)], &[]).expected();
        assert_eq!(expected.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2, 3]);
        assert!((expected[0].1 - (0.2 + 0.4 * 0.7)).abs() < 1e-6 && (expected[2].1 - (0.2 + 0.4 * 0.35)).abs() < 1e-6);
        // The second has a vector, and is as near as can be: more is expected of the others.
        let expected = known(&[(2, 0.6)], &[]).expected();
        let ratio = (0.7 + 1.0) / (1.0 + 0.8);
        assert_eq!(expected.len(), 2);
        assert!((expected[0].1 - (0.2 + 0.4 * ratio)).abs() < 1e-6, "{expected:?}");
        // The third is as far as can be: less.
        let expected = known(&[(9, 0.6)], &[(3, 0.1)]).expected();
        assert!((expected[0].1 - (0.2 + 0.4 * 0.7 / 1.5)).abs() < 1e-6, "{expected:?}");
    }

    #[test]
    fn words_that_say_little_promise_little() {
        let known = Known { words: &[(1, 2.0)], full: 20.0, near: &[(9, 0.7)], cosines: &[], floor: 0.2 };
        assert!((known.expected()[0].1 - (0.2 + 0.5 * 0.07)).abs() < 1e-6);
    }
}
