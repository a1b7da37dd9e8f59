//! Whether one way to search is better than another, or only luckier on the questions at hand.
//!
//! Two ways answer the same questions, so their scores are compared question by question. Two answers are given:
//!
//! - a confidence interval of the mean difference by the paired *bootstrap*: questions are drawn with replacement again
//!   and again, and the middle 95 % of the mean differences are the interval (the percentile method; Sakai 2006,
//!   "Evaluating evaluation metrics based on the bootstrap");
//! - a p value by the paired *randomisation test*: if the two ways were equally good, every question's difference could
//!   as well have had the other sign; p is the share of random choices of signs whose mean difference is at least as
//!   large, whichever way it points (two-sided). Smucker, Allan and Carterette (2007, "A comparison of statistical
//!   significance tests for information retrieval evaluation") find these two, with the t-test, to agree and to be
//!   the ones to use.
//!
//! Over several sets of questions, each set counts alike, however many questions it has: the statistic is the mean of
//! the sets' means, and questions are drawn within their set. Everything repeats exactly for the same seed.

use super::metrics::{mean, percentile};
use super::random::Random;

/// Share of the bootstrap's means that lie within the interval, in percent.
const CONFIDENCE: f64 = 95.0;
/// Sums that differ by less are equal: the order of summing moves the last digits.
const EQUAL: f64 = 1e-12;

/// How often chance is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trials {
    /// Rounds of the bootstrap and, where the signs are too many to try them all, of the randomisation test.
    pub rounds: u32,
    /// Where the random numbers begin.
    pub seed: u64,
}

impl Default for Trials {
    fn default() -> Self {
        Self { rounds: 10_000, seed: 20_070_611 }
    }
}

/// Two ways to search, compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Mean of the first way's scores.
    pub a: f64,
    /// Mean of the second way's scores.
    pub b: f64,
    /// `b - a`: above 0, the second way is better.
    pub difference: f64,
    /// Bounds of the 95 % confidence interval of the difference.
    pub interval: (f64, f64),
    /// Chance of a difference at least as large, either way, if both were equally good. Never 0 unless every choice of
    /// signs was tried.
    pub p: f64,
    /// Questions that the second way answers better.
    pub wins: usize,
    /// Questions without a difference.
    pub ties: usize,
    /// Questions that the first way answers better.
    pub losses: usize,
}

/// Compares the scores of two ways: for every set, the pair of scores (first way, second way) of each question. Sets
/// without questions are left out; without any question nothing differs (p is 1).
pub fn compare(sets: &[Vec<(f64, f64)>], trials: Trials) -> Comparison {
    let sets: Vec<&Vec<(f64, f64)>> = sets.iter().filter(|set| !set.is_empty()).collect();
    let of_sets = |score: fn(&(f64, f64)) -> f64| {
        mean(&sets.iter().map(|set| mean(&set.iter().map(score).collect::<Vec<_>>())).collect::<Vec<_>>())
    };
    // What each question adds to the difference of the means.
    let shares: Vec<Vec<f64>> = sets
        .iter()
        .map(|set| {
            let count = (set.len() * sets.len()) as f64;
            set.iter().map(|(a, b)| (b - a) / count).collect()
        })
        .collect();
    let all = || sets.iter().flat_map(|set| set.iter());
    let wins = all().filter(|(a, b)| b - a > EQUAL).count();
    let losses = all().filter(|(a, b)| a - b > EQUAL).count();
    let (a, b) = (of_sets(|pair| pair.0), of_sets(|pair| pair.1));
    let mut random = Random(trials.seed);
    let interval = interval(&shares, trials.rounds, &mut random);
    let p = chance(&shares.concat(), trials.rounds, &mut random);
    Comparison { a, b, difference: b - a, interval, p, wins, ties: all().count() - wins - losses, losses }
}

/// The middle of the differences that other questions of the same kind could have shown.
fn interval(sets: &[Vec<f64>], rounds: u32, random: &mut Random) -> (f64, f64) {
    let draw = |_| -> f64 {
        let of_set = |set: &Vec<f64>| -> f64 { (0..set.len()).map(|_| set[random.below(set.len())]).sum() };
        sets.iter().map(of_set).sum()
    };
    let drawn: Vec<f64> = (0..rounds).map(draw).collect();
    let at = |percent| percentile(&drawn, percent).unwrap_or(0.0);
    let outside = (100.0 - CONFIDENCE) / 2.0;
    (at(outside), at(100.0 - outside))
}

/// The share of choices of signs that give a sum as far from 0 as this one. All are tried where they are no more than
/// the rounds; otherwise the one at hand counts among those tried, so that the share is never 0.
fn chance(shares: &[f64], rounds: u32, random: &mut Random) -> f64 {
    // Where there is no difference, its sign does not matter.
    let shares: Vec<f64> = shares.iter().copied().filter(|share| share.abs() > EQUAL / 1e3).collect();
    let observed = shares.iter().sum::<f64>().abs() - EQUAL;
    let is_extreme = |sum: f64| sum.abs() >= observed;
    if let Some(choices) = u32::try_from(shares.len()).ok().and_then(|count| 1u32.checked_shl(count))
        && choices <= rounds
    {
        let signed = |signs: u32| -> f64 {
            shares.iter().enumerate().map(|(bit, share)| if (signs >> bit) & 1 == 0 { *share } else { -share }).sum()
        };
        let extreme = (0..choices).filter(|signs| is_extreme(signed(*signs))).count();
        return extreme as f64 / f64::from(choices);
    }
    let tried = (0..rounds).filter(|_| is_extreme(random.signed(&shares))).count();
    (1 + tried) as f64 / f64::from(rounds + 1)
}

impl Random {
    /// The sum with a random sign for each value.
    fn signed(&mut self, values: &[f64]) -> f64 {
        let mut sum = 0.0;
        for values in values.chunks(64) {
            let mut signs = self.next();
            for value in values {
                sum += if signs & 1 == 0 { *value } else { -value };
                signs >>= 1;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores whose differences are these.
    fn pairs(differences: &[f64]) -> Vec<(f64, f64)> {
        differences.iter().map(|difference| (0.5, 0.5 + difference)).collect()
    }

    fn of(differences: &[f64]) -> Comparison {
        compare(&[pairs(differences)], Trials::default())
    }

    /// About normal, with mean 0 and variance 1: the sum of twelve uniform numbers.
    fn normal(random: &mut Random) -> f64 {
        (0..12).map(|_| random.next() as f64 / u64::MAX as f64).sum::<f64>() - 6.0
    }

    fn close(got: f64, expected: f64, bound: f64) {
        assert!((got - expected).abs() <= bound, "expected {expected}, got {got}");
    }

    #[test]
    fn few_questions_are_tried_exactly() {
        // Of the 8 choices of signs of 1, 2, 3 only +++ and --- reach 6.
        let all = of(&[0.1, 0.2, 0.3]);
        close(all.p, 2.0 / 8.0, 0.0);
        assert_eq!((all.wins, all.ties, all.losses), (3, 0, 0));
        close(all.difference, 0.2, 1e-12);
        // Sums of 3, 1, 1 by sign: 5, 3, 3, 1 and their opposites; 3 of 4 reach 3.
        close(of(&[0.3, 0.1, -0.1]).p, 6.0 / 8.0, 0.0);
        // A question without a difference changes counts and nothing of p.
        let tied = of(&[0.1, 0.0, 0.2, 0.3]);
        close(tied.p, 2.0 / 8.0, 0.0);
        assert_eq!((tied.wins, tied.ties, tied.losses), (3, 1, 0));
    }

    #[test]
    fn trying_some_signs_comes_close_to_trying_all() {
        let differences: Vec<f64> = (0..12).map(|i| f64::from(i % 5) * 0.1 - 0.12).collect();
        let exact = of(&differences).p;
        let some = compare(&[pairs(&differences)], Trials { rounds: 4000, ..Trials::default() }).p;
        close(some, exact, 0.03);
        assert!(exact > 0.1 && exact < 1.0, "{exact}");
    }

    #[test]
    fn nothing_differs_where_nothing_is_asked_or_all_is_equal() {
        for comparison in [compare(&[], Trials::default()), compare(&[vec![]], Trials::default()), of(&[0.0; 20])] {
            assert_eq!((comparison.p, comparison.difference, comparison.interval), (1.0, 0.0, (0.0, 0.0)));
        }
        assert_eq!(of(&[0.0; 20]).ties, 20);
    }

    #[test]
    fn under_the_null_p_is_uniform_and_the_interval_holds_zero() {
        let mut random = Random(7);
        let trials = Trials { rounds: 400, ..Trials::default() };
        let results: Vec<Comparison> = (0..1000)
            .map(|seed| {
                let differences: Vec<f64> = (0..40).map(|_| normal(&mut random)).collect();
                compare(&[pairs(&differences)], Trials { seed, ..trials })
            })
            .collect();
        for level in [0.05, 0.2, 0.5, 0.8] {
            let below = results.iter().filter(|result| result.p <= level).count() as f64 / 1000.0;
            close(below, level, 0.04);
        }
        let holding = results.iter().filter(|result| result.interval.0 <= 0.0 && 0.0 <= result.interval.1).count();
        assert!((920..=975).contains(&holding), "{holding} of 1000 intervals hold the truth");
    }

    #[test]
    fn a_clear_difference_is_found_and_a_bounded_one() {
        let mut random = Random(11);
        let differences: Vec<f64> = (0..200).map(|_| 0.05 + 0.1 * normal(&mut random)).collect();
        let found = of(&differences);
        assert!(found.p < 0.001 && found.p > 0.0, "{}", found.p);
        assert!(found.interval.0 > 0.0 && found.interval.0 < found.difference && found.difference < found.interval.1);
        // The standard error is 0.1 / sqrt(200); the interval reaches about 1.96 of them to either side.
        close(found.interval.1 - found.interval.0, 2.0 * 1.96 * 0.1 / 200f64.sqrt(), 0.004);
        let swapped = compare(&[pairs(&differences.iter().map(|d| -d).collect::<Vec<_>>())], Trials::default());
        close(swapped.difference, -found.difference, 1e-12);
        close(swapped.p, found.p, 1e-3);
    }

    #[test]
    fn every_set_counts_alike() {
        let (large, small) = (pairs(&[0.1; 90]), pairs(&[-0.3; 10]));
        let both = compare(&[large.clone(), small, vec![]], Trials::default());
        close(both.difference, (0.1 - 0.3) / 2.0, 1e-12);
        close(both.b - both.a, both.difference, 1e-12);
        // Drawn within their sets, equal differences leave nothing to chance.
        close(both.interval.0, both.difference, 1e-12);
        close(both.interval.1, both.difference, 1e-12);
        assert_eq!((both.wins, both.losses), (90, 10));
        assert!(compare(&[large], Trials::default()).p < 2e-4);
    }

    #[test]
    fn equal_seeds_repeat_exactly() {
        let differences: Vec<f64> = (0..100).map(|i| f64::from(i * 37 % 11) * 0.01 - 0.045).collect();
        assert_eq!(of(&differences), of(&differences));
        let other = compare(&[pairs(&differences)], Trials { seed: 1, ..Trials::default() });
        assert_ne!(other.interval, of(&differences).interval);
        close(other.p, of(&differences).p, 0.03);
    }
}
