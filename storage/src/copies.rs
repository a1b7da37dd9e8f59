//! Copies: the documents of a snapshot in classes of almost the same text.
//!
//! In the order of their numbers, each document joins the first earlier one whose fingerprint differs in few enough bits
//! and which has joined no other; otherwise it begins a class. The classes are of the snapshot and not of a search, so that
//! what is one result stays one result whatever is filtered, and counts before a click are those behind it.
//!
//! Finding the near ones does not compare all with all: fingerprints are cut into so many bands that two near ones differ in at
//! most one bit of one band, so the candidates stand under the band's value or one with one bit flipped (after Manku, Jain
//! and Das Sarma 2007, *Detecting near-duplicates for web crawling*).

use std::collections::HashMap;

use crate::simhash::SimHash;

/// Bits of a band at the most: more make the tables larger than the caches, and hold hardly less.
const MAX_BAND: u32 = 18;
/// The end of a list.
const NONE: u32 = u32::MAX;

/// Documents with almost the same text, by their numbers in a snapshot.
#[derive(Debug, Default)]
pub struct Copies {
    /// For each document, the first one of its class.
    first: Vec<u32>,
    /// The classes of more than one document, by the first one.
    classes: HashMap<u32, Vec<u32>>,
}

impl Copies {
    /// Classes in which fingerprints differ from the first one's in at most `bits`; documents without one are alone.
    pub(crate) fn of(fingerprints: &[Option<SimHash>], bits: u32) -> Self {
        let mut leaders = Leaders::new(fingerprints.len(), bits);
        let mut copies = Self::default();
        for (number, fingerprint) in (0u32..).zip(fingerprints) {
            let first = fingerprint.map_or(number, |fingerprint| leaders.join(fingerprint, number));
            if first != number {
                copies.classes.entry(first).or_insert_with(|| vec![first]).push(number);
            }
            copies.first.push(first);
        }
        copies
    }

    /// The number that stands for the document's class.
    pub fn class(&self, number: u32) -> u32 {
        self.first.get(number as usize).copied().unwrap_or(number)
    }

    /// The documents of a class with more than one, in their order; none of one that is alone.
    pub fn members(&self, class: u32) -> &[u32] {
        self.classes.get(&class).map_or(&[], Vec::as_slice)
    }
}

/// The fingerprints that begin classes, under each of their bands.
struct Leaders {
    bits: u32,
    bands: u32,
    width: u32,
    /// For each band and value, the last leader with it.
    heads: Vec<u32>,
    /// For each leader and band, the one before it with the same value.
    before: Vec<u32>,
    known: Vec<(SimHash, u32)>,
    /// Equal texts are the most frequent copies: what they joined.
    equal: HashMap<SimHash, u32>,
}

impl Leaders {
    fn new(documents: usize, bits: u32) -> Self {
        // Two that differ in at most `bits` differ in at most one bit of one of these.
        let bands = bits / 2 + 1;
        let useful = documents.max(1).ilog2() + 2;
        let width = (SimHash::BITS / bands).min(MAX_BAND).min(useful).max(1);
        let heads = vec![NONE; (bands as usize) << width];
        Self { bits, bands, width, heads, before: Vec::new(), known: Vec::new(), equal: HashMap::new() }
    }

    /// The first document of the class that this one belongs to: itself, if none is near.
    fn join(&mut self, fingerprint: SimHash, number: u32) -> u32 {
        if let Some(first) = self.equal.get(&fingerprint) {
            return *first;
        }
        let first = self.near(fingerprint).unwrap_or_else(|| {
            self.add(fingerprint, number);
            number
        });
        self.equal.insert(fingerprint, first);
        first
    }

    fn near(&self, fingerprint: SimHash) -> Option<u32> {
        let mut nearest: Option<u32> = None;
        for band in 0..self.bands {
            let value = fingerprint.part(band * self.width, self.width);
            let values = (0..self.width).map(|bit| value ^ 1 << bit);
            for value in values.chain([value]) {
                let mut at = self.heads[self.slot(band, value)];
                while at != NONE {
                    let (other, number) = self.known[at as usize];
                    if fingerprint.distance(other) <= self.bits {
                        nearest = Some(nearest.map_or(number, |known| known.min(number)));
                    }
                    at = self.before[(at * self.bands + band) as usize];
                }
            }
        }
        nearest
    }

    fn add(&mut self, fingerprint: SimHash, number: u32) {
        let place = self.known.len() as u32;
        self.known.push((fingerprint, number));
        for band in 0..self.bands {
            let slot = self.slot(band, fingerprint.part(band * self.width, self.width));
            self.before.push(std::mem::replace(&mut self.heads[slot], place));
        }
    }

    fn slot(&self, band: u32, value: usize) -> usize {
        ((band as usize) << self.width) + value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Classes by comparing all with all.
    fn plainly(fingerprints: &[Option<SimHash>], bits: u32) -> Vec<u32> {
        let mut firsts: Vec<u32> = Vec::new();
        for (number, fingerprint) in fingerprints.iter().enumerate() {
            let is_near = |other: &usize| {
                let leads = firsts[*other] == *other as u32;
                leads && fingerprint.zip(fingerprints[*other]).is_some_and(|(a, b)| a.distance(b) <= bits)
            };
            firsts.push((0..number).find(is_near).unwrap_or(number) as u32);
        }
        firsts
    }

    proptest! {
        #[test]
        fn classes_are_those_of_comparing_all_with_all(
            seeds in proptest::collection::vec((0u128..4, proptest::collection::vec(0u32..128, 0..14)), 1..60),
            bits in prop_oneof![Just(0u32), Just(1), Just(12), Just(13), 0u32..=128],
        ) {
            let spread = |seed: u128| seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            let of = |(seed, flips): &(u128, Vec<u32>)| {
                let bits = flips.iter().fold(spread(*seed), |bits, flip| bits ^ 1 << flip);
                (*seed > 0).then(|| SimHash::from_halves((bits >> 64) as u64, bits as u64))
            };
            let fingerprints: Vec<Option<SimHash>> = seeds.iter().map(of).collect();
            let copies = Copies::of(&fingerprints, bits);
            let firsts: Vec<u32> = (0..fingerprints.len() as u32).map(|number| copies.class(number)).collect();
            prop_assert_eq!(&firsts, &plainly(&fingerprints, bits));
            for number in 0..firsts.len() as u32 {
                let class = copies.class(number);
                let members: Vec<u32> = (0..firsts.len() as u32).filter(|other| copies.class(*other) == class).collect();
                let expected = if members.len() > 1 { members } else { Vec::new() };
                prop_assert_eq!(copies.members(class), &expected[..]);
            }
        }
    }
}
