//! What may be expected of candidates that the reranker has not read, learnt from those it has: the ground on which an
//! answer is declared settled.
//!
//! Relevance falls with the fused rank, steeply for some queries and hardly for others. The fall is fitted as a straight
//! line of `logit(p)` over `ln(rank)` by least squares, with two made-up observations (an even chance at rank 1, hardly
//! any at rank 100) that count as long as little is known. What scatters around the line is taken to be logistic, whose
//! tails are heavier than a normal distribution's: surprises are expected.

/// Weight of each made-up observation.
const PRIOR_WEIGHT: f64 = 1.0;
/// Made-up observations: rank and logit.
const PRIOR: [(f64, f64); 2] = [(1.0, 0.0), (100.0, -4.0)];
/// Standard deviation around the line before anything is known, and how many observations it counts as.
const PRIOR_SPREAD: (f64, f64) = (2.0, 4.0);
/// Probabilities this close to 0 or 1 are taken to be no closer: beyond it a logit says nothing about ranking.
const CLOSEST: f64 = 1e-4;

/// The fitted line and the spread around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outlook {
    intercept: f64,
    slope: f64,
    /// Scale of the logistic distribution around the line.
    scale: f64,
}

impl Outlook {
    /// Learns from fused ranks (from 1) and the reranker's probabilities.
    pub(crate) fn learn(scored: impl Iterator<Item = (usize, f64)> + Clone) -> Self {
        let observed = scored.map(|(rank, p)| ((rank as f64).ln(), logit(p), 1.0));
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
        Self { intercept, slope, scale: variance.sqrt() * 3f64.sqrt() / std::f64::consts::PI }
    }

    /// The probability that a reader would expect of the candidate at this fused rank.
    pub(crate) fn expected(&self, rank: usize) -> f64 {
        sigmoid(self.at(rank))
    }

    /// The chance that the reranker gives the candidate at this fused rank more than `p`.
    pub(crate) fn chance_above(&self, rank: usize, p: f64) -> f64 {
        if p >= 1.0 {
            return 0.0;
        }
        if p <= 0.0 {
            return 1.0;
        }
        sigmoid((self.at(rank) - logit(p)) / self.scale)
    }

    fn at(&self, rank: usize) -> f64 {
        self.intercept + self.slope * (rank as f64).ln()
    }
}

fn logit(p: f64) -> f64 {
    let p = p.clamp(CLOSEST, 1.0 - CLOSEST);
    (p / (1.0 - p)).ln()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_the_line_that_is_there() {
        let scored = (1..=50).map(|rank| (rank, sigmoid(2.0 - 1.5 * (rank as f64).ln())));
        let outlook = Outlook::learn(scored);
        assert!((outlook.slope + 1.5).abs() < 0.15, "{outlook:?}");
        assert!((outlook.expected(10) - sigmoid(2.0 - 1.5 * 10f64.ln())).abs() < 0.03, "{outlook:?}");
    }

    #[test]
    fn a_steep_fall_leaves_little_hope_and_a_flat_one_much() {
        let steep = Outlook::learn((1..=24).map(|rank| (rank, if rank <= 5 { 0.98 } else { 0.001 })));
        let flat = Outlook::learn((1..=24).map(|rank| (rank, if rank % 3 == 0 { 0.9 } else { 0.1 })));
        assert!(steep.chance_above(60, 0.9) < 0.01, "{}", steep.chance_above(60, 0.9));
        assert!(flat.chance_above(60, 0.9) > 0.05, "{}", flat.chance_above(60, 0.9));
    }

    #[test]
    fn nothing_read_means_modest_expectations() {
        let outlook = Outlook::learn(std::iter::empty());
        assert!((outlook.expected(1) - 0.5).abs() < 0.01);
        assert!(outlook.expected(100) < 0.05);
    }

    proptest! {
        #[test]
        fn chances_are_chances_and_fall_with_rank(
            scores in proptest::collection::vec(0.0f64..=1.0, 0..100),
            p in -0.5f64..1.5,
        ) {
            let outlook = Outlook::learn(scores.iter().enumerate().map(|(i, p)| (i + 1, *p)));
            let chances: Vec<f64> = (1..=100).map(|rank| outlook.chance_above(rank, p)).collect();
            prop_assert!(chances.iter().all(|c| (0.0..=1.0).contains(c)));
            prop_assert!(chances.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12));
        }
    }
}
