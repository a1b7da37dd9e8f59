//! The tally of mining, in figures.

use std::path::Path;

use lab::mining::Mined;

/// Sums over examples.
#[derive(Default)]
pub(super) struct Tally {
    examples: u64,
    short: u64,
    bare: u64,
    negatives: u64,
    ranks: f64,
    negative_cosines: f64,
    positive_cosines: f64,
    own: u64,
    too_near: u64,
}

impl Tally {
    pub(super) fn note(&mut self, mined: &Mined, wanted: usize) {
        self.examples += 1;
        self.short += u64::from(mined.negatives.len() < wanted);
        self.bare += u64::from(mined.negatives.is_empty());
        self.negatives += mined.negatives.len() as u64;
        self.ranks += mined.negatives.iter().map(|negative| negative.rank as f64).sum::<f64>();
        self.negative_cosines += mined.negatives.iter().map(|negative| f64::from(negative.cosine)).sum::<f64>();
        self.positive_cosines += f64::from(mined.positive);
        self.own += mined.own as u64;
        self.too_near += mined.too_near as u64;
    }

    pub(super) fn print(&self, out: &Path) {
        let mean = |sum: f64, count: u64| if count > 0 { sum / count as f64 } else { 0.0 };
        println!("{} examples in {} with {} negatives", self.examples, out.display(), self.negatives);
        println!("with fewer than wanted: {}, with none: {}", self.short, self.bare);
        println!("mean rank of a negative: {:.1}", mean(self.ranks, self.negatives));
        println!(
            "mean cosine to the query: {:.3} of answers, {:.3} of negatives",
            mean(self.positive_cosines, self.examples),
            mean(self.negative_cosines, self.negatives)
        );
        println!("left out: {} of the answers' own, {} by the margin", self.own, self.too_near);
    }
}
