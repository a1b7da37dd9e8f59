//! Chance that repeats: every draw follows from the run's seed and what it is for, so that a run that goes on after a
//! kill draws what it would have drawn.

use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus, seq::SliceRandom};

/// A source of pseudo-random numbers (xoshiro256++, whose values never change between versions).
pub(super) struct Draw(Xoshiro256PlusPlus);

impl Draw {
    /// For a purpose, by name.
    pub(super) fn named(seed: u64, purpose: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes()).update(purpose.as_bytes());
        Self(Xoshiro256PlusPlus::from_seed(*hasher.finalize().as_bytes()))
    }

    /// Numbers between `-width` and `width`.
    pub(super) fn uniform(&mut self, count: usize, width: f64) -> Vec<f64> {
        (0..count).map(|_| self.0.random_range(-width..width)).collect()
    }

    /// Numbers of the standard normal distribution (Box and Muller 1958).
    pub(super) fn normal(&mut self, count: usize) -> Vec<f64> {
        let one = |_| {
            let (u, v): (f64, f64) = (self.0.random_range(f64::MIN_POSITIVE..1.0), self.0.random_range(0.0..1.0));
            (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        };
        (0..count).map(one).collect()
    }

    /// The numbers below `count` in random order.
    pub(super) fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut self.0);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_repeat_and_differ_by_seed_and_purpose() {
        let order = |seed, purpose| Draw::named(seed, purpose).order(50);
        assert_eq!(order(1, "epoch 0"), order(1, "epoch 0"));
        assert!(order(1, "epoch 0") != order(2, "epoch 0") && order(1, "epoch 0") != order(1, "epoch 1"));
        let mut sorted = order(1, "epoch 0");
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..50));
        assert!(Draw::named(1, "x").uniform(99, 0.5).iter().all(|x| x.abs() <= 0.5));
    }
}
