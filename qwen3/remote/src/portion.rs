//! Portions: texts cut into requests, by number and by length.

use std::ops::Range;

/// What a request holds at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portion {
    /// Texts.
    pub texts: usize,
    /// Characters of all texts together; a longer one goes alone.
    pub characters: usize,
}

impl Portion {
    /// Ranges of texts of these lengths, in order.
    pub(crate) fn cut(self, lengths: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
        let (mut portions, mut start, mut held, mut end) = (Vec::new(), 0, 0usize, 0);
        for length in lengths {
            let is_full = end - start >= self.texts.max(1) || held.saturating_add(length) > self.characters;
            if is_full && end > start {
                portions.push(start..end);
                (start, held) = (end, 0);
            }
            held = held.saturating_add(length);
            end += 1;
        }
        if end > start {
            portions.push(start..end);
        }
        portions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_hold_what_they_may() {
        let portion = Portion { texts: 3, characters: 10 };
        assert_eq!(portion.cut([1, 1, 1, 1].into_iter()), [0..3, 3..4]);
        assert_eq!(portion.cut([6, 6, 2, 30, 1].into_iter()), [0..1, 1..3, 3..4, 4..5]);
        assert!(portion.cut(std::iter::empty()).is_empty());
    }
}
