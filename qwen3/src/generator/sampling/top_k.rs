//! Top-k: all tokens below the k-th largest logit are ruled out (`TopKLogitsWarper`). Equals of the k-th stay.

/// `k` of 0 leaves all.
pub(super) fn warp(logits: &mut [f32], k: usize) {
    if k == 0 || k >= logits.len() {
        return;
    }
    let mut values = logits.to_vec();
    let (_, least, _) = values.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    let least = *least;
    logits.iter_mut().filter(|logit| **logit < least).for_each(|logit| *logit = f32::NEG_INFINITY);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: f32 = f32::NEG_INFINITY;

    #[test]
    fn keeps_the_k_largest_and_their_equals() {
        let warped = |k| {
            let mut logits = [1.0, 4.0, 2.0, 2.0, -3.0];
            warp(&mut logits, k);
            logits
        };
        assert_eq!(warped(1), [NONE, 4.0, NONE, NONE, NONE]);
        assert_eq!(warped(2), [NONE, 4.0, 2.0, 2.0, NONE]);
        assert_eq!(warped(4), [1.0, 4.0, 2.0, 2.0, NONE]);
        assert_eq!(warped(0), [1.0, 4.0, 2.0, 2.0, -3.0]);
        assert_eq!(warped(50), [1.0, 4.0, 2.0, 2.0, -3.0]);
    }
}
