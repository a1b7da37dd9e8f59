//! Expected relevance of candidates that the reranker has not read, learnt from those it has: the ground on which an
//! answer is declared settled.
//!
//! Two things can bring an unread candidate to the first page. It may be relevant: the chance of that falls with the fused
//! rank as `rank^-1.75` and is scaled to how many relevant ones were read, in all or in the latter half, whichever
//! promises more. Or it may be one of the many that are not, with a score above the others of its kind: their log odds
//! are fitted as a straight line over `ln(rank)` by least squares, with two made-up observations that count as long as
//! little is known, and scatter around it normally. Relevant ones are kept out of that line: a few of them would make it
//! seem that anything can happen, and reading would never end.

/// How steeply the chance of being relevant falls with the fused rank.
const FALL: f64 = 1.75;
/// Relevant candidates that are taken to have been read before any was.
const PRIOR_RELEVANT: f64 = 0.02;
/// The greatest chance of being relevant.
const MOST_LIKELY: f64 = 0.9;
/// What is expected of a relevant candidate.
const RELEVANT: f64 = 0.8;
/// Made-up observations of the others, rank and logit, and the weight of each.
const PRIOR: [(f64, f64); 2] = [(1.0, -2.0), (100.0, -5.0)];
const PRIOR_WEIGHT: f64 = 0.5;
/// Their standard deviation around the line before anything is known, and how many observations it counts as.
const PRIOR_SPREAD: (f64, f64) = (1.5, 2.0);
/// Probabilities this close to 0 or 1 are taken to be no closer: beyond it a logit says nothing about ranking.
const CLOSEST: f64 = 1e-4;

/// What was learnt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Expectation {
    /// Chance of being relevant at rank 1, before it is capped.
    relevant: f64,
    /// The line of the others.
    intercept: f64,
    slope: f64,
    /// Standard deviation around it.
    spread: f64,
}

impl Expectation {
    /// Learns from fused ranks (from 1) and the reranker's probabilities.
    pub(crate) fn learn(scored: impl Iterator<Item = (usize, f64)> + Clone) -> Self {
        let others = scored.clone().filter(|(_, p)| !is_relevant(*p));
        let observed = others.map(|(rank, p)| ((rank as f64).ln(), logit(p), 1.0));
        let prior = PRIOR.map(|(rank, logit)| (rank.ln(), logit, PRIOR_WEIGHT));
        let points = observed.chain(prior);
        let (mut n, mut sum_x, mut sum_y) = (0.0, 0.0, 0.0);
        for (x, y, weight) in points.clone() {
            n += weight;
            sum_x += weight * x;
            sum_y += weight * y;
        }
        let (mean_x, mean_y) = (sum_x / n, sum_y / n);
        let (mut xx, mut xy) = (0.0, 0.0);
        for (x, y, weight) in points.clone() {
            xx += weight * (x - mean_x) * (x - mean_x);
            xy += weight * (x - mean_x) * (y - mean_y);
        }
        // A relevance that rises with the rank would be an accident of few candidates.
        let slope = (xy / xx).min(0.0);
        let intercept = mean_y - slope * mean_x;
        let (spread, count) = PRIOR_SPREAD;
        let squares: f64 = points.map(|(x, y, weight)| weight * (y - intercept - slope * x).powi(2)).sum();
        let variance = (squares + count * spread * spread) / (n + count);
        Self { relevant: relevant(scored), intercept, slope, spread: variance.sqrt() }
    }

    /// The probability that a reader would expect of the candidate at this fused rank.
    pub(crate) fn expected(&self, rank: usize) -> f64 {
        let relevant = self.relevant_at(rank);
        relevant * RELEVANT + (1.0 - relevant) * sigmoid(self.at(rank)).min(RELEVANT)
    }

    /// The chance that the reranker gives the candidate at this fused rank more than `p`.
    pub(crate) fn chance_above(&self, rank: usize, p: f64) -> f64 {
        if p >= 1.0 {
            return 0.0;
        }
        if p <= 0.0 {
            return 1.0;
        }
        // Of relevant ones, few score above the best of them.
        let as_relevant = self.relevant_at(rank) * (1.0 - p).sqrt();
        let as_other = normal((self.at(rank) - logit(p)) / self.spread);
        1.0 - (1.0 - as_relevant) * (1.0 - as_other)
    }

    fn relevant_at(&self, rank: usize) -> f64 {
        (self.relevant * (rank as f64).powf(-FALL)).min(MOST_LIKELY)
    }

    fn at(&self, rank: usize) -> f64 {
        self.intercept + self.slope * (rank as f64).ln()
    }
}

/// Relevant candidates for each unit of `rank^-FALL` that was read.
fn relevant(scored: impl Iterator<Item = (usize, f64)> + Clone) -> f64 {
    let last = scored.clone().map(|(rank, _)| rank).max().unwrap_or(0);
    let share = |prior: f64, first: usize| {
        let part = scored.clone().filter(|(rank, _)| *rank > first);
        let expected: f64 = part.clone().map(|(rank, _)| (rank as f64).powf(-FALL)).sum();
        let found: f64 = part.map(|(_, p)| p).filter(|p| is_relevant(*p)).sum();
        if expected > 0.0 { (found + prior) / expected } else { prior }
    };
    share(PRIOR_RELEVANT, 0).max(share(0.0, last / 2))
}

fn is_relevant(p: f64) -> bool {
    p >= 0.5
}

fn logit(p: f64) -> f64 {
    let p = p.clamp(CLOSEST, 1.0 - CLOSEST);
    (p / (1.0 - p)).ln()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The normal distribution function, to 1.4e-4: Bowling, Khasawneh, Kaewkuekool and Cho (2009), "A logistic approximation
/// to the cumulative normal distribution".
fn normal(z: f64) -> f64 {
    sigmoid(0.07056 * z.powi(3) + 1.5976 * z)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_the_line_that_is_there() {
        let scored = (1..=50).map(|rank| (rank, sigmoid(-1.0 - 1.5 * (rank as f64).ln())));
        let expectation = Expectation::learn(scored);
        assert!((expectation.slope + 1.5).abs() < 0.15, "{expectation:?}");
        assert!((expectation.expected(60) - sigmoid(-1.0 - 1.5 * 60f64.ln())).abs() < 0.01, "{expectation:?}");
    }

    #[test]
    fn a_steep_fall_leaves_little_hope_and_a_flat_one_much() {
        let steep = Expectation::learn((1..=24).map(|rank| (rank, if rank <= 3 { 0.98 } else { 0.001 })));
        let flat = Expectation::learn((1..=24).map(|rank| (rank, if rank % 3 == 0 { 0.9 } else { 0.1 })));
        assert!(steep.chance_above(60, 0.5) < 0.002, "{}", steep.chance_above(60, 0.5));
        assert!(flat.chance_above(60, 0.5) > 0.02, "{}", flat.chance_above(60, 0.5));
    }

    #[test]
    fn relevant_ones_do_not_blur_the_others() {
        let quiet = |rank: usize| (rank, if rank == 2 || rank == 5 { 0.99 } else { 0.0005 });
        let expectation = Expectation::learn((1..=32).map(quiet));
        assert!(expectation.spread < 1.5, "{expectation:?}");
        // Nothing that deep is likely to get past a tenth result that the reranker thinks nothing of.
        assert!(expectation.chance_above(60, 0.03) < 0.002, "{}", expectation.chance_above(60, 0.03));
    }

    #[test]
    fn nothing_read_means_modest_expectations() {
        let expectation = Expectation::learn(std::iter::empty());
        assert!((0.05..0.5).contains(&expectation.expected(1)), "{}", expectation.expected(1));
        assert!(expectation.expected(100) < 0.05);
    }

    #[test]
    fn the_normal_distribution_is_that() {
        for (z, expected) in [(0.0, 0.5), (1.0, 0.841_345), (-2.0, 0.022_750), (-3.0, 0.001_350)] {
            assert!((normal(z) - expected).abs() < 2e-4, "{z}: {}", normal(z));
        }
    }

    proptest! {
        #[test]
        fn chances_are_chances_and_fall_with_rank(
            scores in proptest::collection::vec(0.0f64..=1.0, 0..100),
            p in -0.5f64..1.5,
        ) {
            let expectation = Expectation::learn(scores.iter().enumerate().map(|(i, p)| (i + 1, *p)));
            let chances: Vec<f64> = (1..=100).map(|rank| expectation.chance_above(rank, p)).collect();
            prop_assert!(chances.iter().all(|c| (0.0..=1.0).contains(c)));
            prop_assert!(chances.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12));
        }
    }
}
