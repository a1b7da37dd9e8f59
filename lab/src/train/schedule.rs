//! The schedule of step sizes: a linear warm-up, then half a cosine (Loshchilov and Hutter 2016).

use serde::{Deserialize, Serialize};

/// Learning rate by step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The highest learning rate.
    pub peak: f64,
    /// Share of all steps over which the rate rises from zero.
    pub warmup: f64,
    /// The rate of the last step, as a share of the highest.
    pub floor: f64,
}

impl Schedule {
    /// The learning rate of step `step` (from 0) of `steps`.
    pub fn rate(&self, step: usize, steps: usize) -> f64 {
        let rising = (self.warmup * steps as f64).ceil();
        let at = step as f64;
        if at < rising {
            return self.peak * (at + 1.0) / rising;
        }
        let left = (steps as f64 - 1.0 - rising).max(1.0);
        let progress = ((at - rising) / left).min(1.0);
        let height = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.peak * (self.floor + (1.0 - self.floor) * height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls_to_the_floor() {
        let schedule = Schedule { peak: 2.0, warmup: 0.1, floor: 0.25 };
        let rates: Vec<f64> = (0..100).map(|step| schedule.rate(step, 100)).collect();
        assert!((rates[0] - 0.2).abs() < 1e-12 && (rates[9] - 2.0).abs() < 1e-12 && (rates[10] - 2.0).abs() < 1e-12);
        assert!(rates[10..].windows(2).all(|pair| pair[1] <= pair[0]));
        assert!((rates[99] - 0.5).abs() < 1e-12);
        let flat = Schedule { peak: 1.0, warmup: 0.0, floor: 1.0 };
        assert!((0..7).all(|step| (flat.rate(step, 7) - 1.0).abs() < 1e-12));
        assert!(schedule.rate(0, 1).is_finite());
    }
}
