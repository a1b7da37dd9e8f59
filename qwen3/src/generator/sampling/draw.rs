//! The draw of a token by its probability (softmax of the logits), and the chance that decides it: a pure function of a
//! seed and the number of the token, so that the same seed writes the same text whatever else is written beside it.

use super::largest;
use crate::random::mixed;

/// A uniform number from 0 (inclusive) to 1 (exclusive) for the `step`-th token of a text.
pub(crate) fn chance(seed: u64, step: u64) -> f64 {
    let bits = mixed(mixed(seed) ^ mixed(step.wrapping_mul(2).wrapping_add(1)));
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// The token at whose probability the sum of all up to it passes `chance`.
pub(super) fn draw(logits: &[f32], chance: f64) -> Option<u32> {
    let most = largest(logits);
    if most == f32::NEG_INFINITY {
        return None;
    }
    let weight = |logit: &f32| f64::from(logit - most).exp();
    let wanted = chance * logits.iter().map(weight).sum::<f64>();
    let mut sum = 0.0;
    let mut last = None;
    for (token, logit) in (0u32..).zip(logits).filter(|(_, logit)| **logit > f32::NEG_INFINITY) {
        sum += weight(logit);
        last = Some(token);
        if sum > wanted {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_up_as_often_as_they_are_likely() {
        let logits = [0.5f32.ln(), f32::NEG_INFINITY, 0.3f32.ln(), 0.2f32.ln()];
        let mut counts = [0; 4];
        for step in 0..10_000 {
            counts[draw(&logits, chance(7, step)).unwrap() as usize] += 1;
        }
        // Three standard deviations of 10,000 draws are 150 at the most.
        for (count, expected) in counts.iter().zip([5000, 0, 3000, 2000i32]) {
            assert!((count - expected).abs() <= 150, "{counts:?}");
        }
        assert_eq!((draw(&logits, 0.0), draw(&logits, 0.999_999_999)), (Some(0), Some(3)));
    }

    #[test]
    fn chances_repeat_and_differ_and_are_uniform() {
        assert_eq!(chance(1, 5), chance(1, 5));
        assert!(chance(1, 5) != chance(1, 6) && chance(1, 5) != chance(2, 5));
        let mean = (0..10_000).map(|step| chance(3, step)).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        assert!((0..10_000).all(|step| (0.0..1.0).contains(&chance(9, step))));
    }
}
