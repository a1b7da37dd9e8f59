//! SimHash: a fingerprint of a text that differs in few bits where the texts differ little.
//!
//! Charikar, *Similarity estimation techniques from rounding algorithms* (2002): each bit is the sign of the sum of that
//! bit over the hashes of all features. For texts at an angle of `t` between their feature vectors, `128 * t / pi` bits
//! differ on average; unrelated texts differ in 64, give or take 6.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A fingerprint of 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SimHash(u128);

impl SimHash {
    /// Bits of a fingerprint.
    pub(crate) const BITS: u32 = u128::BITS;

    /// The fingerprint of a text with these features, each as a hash of 128 bits; repeated features weigh more.
    pub fn of(features: impl Iterator<Item = u128>) -> Self {
        let mut sums = [0_i64; 128];
        for feature in features {
            for (bit, sum) in sums.iter_mut().enumerate() {
                *sum += if feature >> bit & 1 == 1 { 1 } else { -1 };
            }
        }
        let ones = sums.iter().enumerate().filter(|(_, sum)| **sum > 0);
        Self(ones.fold(0, |bits, (bit, _)| bits | 1 << bit))
    }

    /// Number of bits that differ: 0 for equal texts.
    pub fn distance(self, other: Self) -> u32 {
        (self.0 ^ other.0).count_ones()
    }

    /// `width` of the bits, from bit `from` on; less than a machine word of them.
    pub(crate) fn part(self, from: u32, width: u32) -> usize {
        (self.0 >> from) as usize & ((1 << width) - 1)
    }

    /// Both halves, the upper one first, as columns of 64 bits keep them.
    pub(crate) fn halves(self) -> (u64, u64) {
        ((self.0 >> 64) as u64, self.0 as u64)
    }

    pub(crate) fn from_halves(upper: u64, lower: u64) -> Self {
        Self(u128::from(upper) << 64 | u128::from(lower))
    }
}

impl fmt::Debug for SimHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimHash({:032x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(features: impl Iterator<Item = usize>) -> SimHash {
        SimHash::of(features.map(|feature| {
            let hash = blake3::hash(&feature.to_le_bytes());
            u128::from_le_bytes(hash.as_bytes()[..16].try_into().unwrap())
        }))
    }

    #[test]
    fn the_distance_grows_with_the_difference() {
        let whole = of(0..1000);
        assert_eq!(whole.distance(of((0..1000).rev())), 0);
        // Cosines .99, .9 and .5 stand for 5.7, 18.4 and 42.7 bits.
        for (shared, expected) in [(990, 5.7_f64), (900, 18.4), (500, 42.7)] {
            let distance = f64::from(whole.distance(of(1000 - shared..2000 - shared)));
            // Three standard deviations of 128 throws.
            let spread = (expected * (1.0 - expected / 128.0)).sqrt();
            assert!((distance - expected).abs() < 3.0 * spread, "{shared}: {distance}");
        }
        assert!(whole.distance(of(5000..6000)) > 40);
    }

    #[test]
    fn halves_make_the_whole() {
        let whole = of(0..10);
        let (upper, lower) = whole.halves();
        assert_eq!(SimHash::from_halves(upper, lower), whole);
    }
}
