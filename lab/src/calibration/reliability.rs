//! How good probabilities are: whether they tell two kinds of cases apart, and whether they come true.

/// The chance that a case of the first kind has a higher probability than one of the second, ties counting half: the area
/// under the ROC curve. 0.5 where there are none of a kind.
pub fn auc(positives: &[f64], negatives: &[f64]) -> f64 {
    if positives.is_empty() || negatives.is_empty() {
        return 0.5;
    }
    let mut sorted = negatives.to_vec();
    sorted.sort_by(f64::total_cmp);
    let wins: usize = positives
        .iter()
        .map(|p| sorted.partition_point(|other| other < p) + sorted.partition_point(|other| other <= p))
        .sum();
    wins as f64 / 2.0 / (positives.len() as f64 * negatives.len() as f64)
}

/// The share of the probabilities that are below the floor.
pub fn share_below(probabilities: &[f64], floor: f64) -> f64 {
    let below = probabilities.iter().filter(|p| **p < floor).count();
    below as f64 / probabilities.len().max(1) as f64
}

/// Cases whose probability lies between two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// The lower bound.
    pub from: f64,
    /// The upper one.
    pub to: f64,
    /// How many there are, by weight.
    pub weight: f64,
    /// Their mean probability.
    pub said: f64,
    /// The share of them that came true.
    pub came_true: f64,
}

/// The reliability diagram of (probability, came true, weight), in ten bins of equal width; empty ones are left out.
pub fn bins(outcomes: &[(f64, bool, f64)]) -> Vec<Bin> {
    let bin = |number: i32| {
        let (from, to) = (f64::from(number) / 10.0, f64::from(number + 1) / 10.0);
        let inside = outcomes.iter().filter(|(p, ..)| *p >= from && (*p < to || number == 9));
        let (mut weight, mut said, mut came_true) = (0.0, 0.0, 0.0);
        for (p, outcome, counts) in inside {
            weight += counts;
            said += counts * p;
            came_true += counts * f64::from(u8::from(*outcome));
        }
        (weight > 0.0).then(|| Bin { from, to, weight, said: said / weight, came_true: came_true / weight })
    };
    (0..10).filter_map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_the_share_of_pairs_in_the_right_order() {
        assert_eq!(auc(&[0.9, 0.8], &[0.1, 0.2]), 1.0);
        assert_eq!(auc(&[0.1], &[0.9]), 0.0);
        // Of four pairs two are right, one is wrong, one is equal.
        assert_eq!(auc(&[0.3, 0.6], &[0.3, 0.5]), 2.5 / 4.0);
        assert_eq!(auc(&[], &[0.5]), 0.5);
    }

    #[test]
    fn bins_hold_what_was_said_beside_what_came_true() {
        let bins = bins(&[(0.05, false, 1.0), (0.07, true, 1.0), (1.0, true, 2.0)]);
        assert_eq!(bins.len(), 2);
        assert!((bins[0].said - 0.06).abs() < 1e-12 && bins[0].came_true == 0.5);
        assert_eq!((bins[1].from, bins[1].weight, bins[1].came_true), (0.9, 2.0, 1.0));
    }

    #[test]
    fn what_is_at_the_floor_is_not_below_it() {
        assert_eq!(share_below(&[0.05, 0.1, 0.5, 0.9], 0.1), 0.25);
    }
}
