//! Top-p (nucleus): the likeliest tokens whose probabilities together reach p, at least one (Holtzman et al. 2019).
//! As `TopPLogitsWarper` has it: from the least likely on, tokens are ruled out while their probabilities together are
//! at most `1 - p`.

use super::largest;

/// `p` of 1 leaves all.
pub(super) fn warp(logits: &mut [f32], p: f32) {
    if p >= 1.0 {
        return;
    }
    let most = largest(logits);
    let mut order: Vec<usize> = (0..logits.len()).filter(|token| logits[*token] > f32::NEG_INFINITY).collect();
    // Of equals, the first are the likelier ones, as for the likeliest token.
    order.sort_by(|a, b| logits[*a].total_cmp(&logits[*b]).then(b.cmp(a)));
    let weight = |token: &usize| f64::from(logits[*token] - most).exp();
    let weights: Vec<f64> = order.iter().map(weight).collect();
    let total: f64 = weights.iter().sum();
    let bound = (1.0 - f64::from(p)) * total;
    let mut sum = 0.0;
    let out = weights.iter().take_while(|weight| {
        sum += **weight;
        sum <= bound
    });
    let out = out.count().min(order.len().saturating_sub(1));
    order[..out].iter().for_each(|token| logits[*token] = f32::NEG_INFINITY);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: f32 = f32::NEG_INFINITY;

    #[test]
    fn keeps_what_reaches_p() {
        // Probabilities 0.5, 0.3, 0.15, 0.05.
        let logits = [0.15f32.ln(), 0.5f32.ln(), 0.05f32.ln(), 0.3f32.ln()];
        let kept = |p| {
            let mut logits = logits;
            warp(&mut logits, p);
            logits.map(|logit| logit > NONE)
        };
        assert_eq!(kept(0.0), [false, true, false, false]);
        assert_eq!(kept(0.45), [false, true, false, false]);
        assert_eq!(kept(0.6), [false, true, false, true]);
        assert_eq!(kept(0.9), [true, true, false, true]);
        assert_eq!(kept(0.97), [true, true, true, true]);
        assert_eq!(kept(1.0), [true, true, true, true]);
    }

    #[test]
    fn one_token_of_equals_stays_at_the_least() {
        let mut logits = [2.0; 4];
        warp(&mut logits, 0.0);
        assert_eq!(logits, [2.0, NONE, NONE, NONE]);
    }
}
