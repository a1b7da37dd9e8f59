//! Min-p: tokens less likely than `min_p` times the likeliest one are ruled out (Nguyen et al. 2024; `MinPLogitsWarper`).
//! Of logits: those below the largest by more than `-ln(min_p)`.

use super::largest;

/// `min_p` of 0 leaves all.
pub(super) fn warp(logits: &mut [f32], min_p: f32) {
    if min_p <= 0.0 {
        return;
    }
    let most = largest(logits);
    // The likeliest stays, whatever rounding does.
    let too_small = |logit: f32| logit < most && f64::from(logit - most).exp() < f64::from(min_p);
    logits.iter_mut().filter(|logit| too_small(**logit)).for_each(|logit| *logit = f32::NEG_INFINITY);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_share_of_the_likeliest() {
        let kept = |min_p: f32| {
            let mut logits = [0.5f32.ln(), 0.3f32.ln(), 0.15f32.ln(), 0.05f32.ln()];
            warp(&mut logits, min_p);
            logits.iter().filter(|logit| **logit > f32::NEG_INFINITY).count()
        };
        assert_eq!([0.0, 0.05, 0.2, 0.5, 0.7, 1.0].map(kept), [4, 4, 3, 2, 1, 1]);
    }
}
