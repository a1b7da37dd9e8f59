//! Repetition penalty (Keskar et al. 2019; `RepetitionPenaltyLogitsProcessor`): the logits of tokens that are in the
//! prompt or were written are divided by the penalty where positive and multiplied by it where negative; once, however
//! often a token is there.

use std::collections::HashSet;

/// `penalty` is above 0.
pub(super) fn warp(logits: &mut [f32], known: &[u32], penalty: f32) {
    let tokens: HashSet<usize> = known.iter().map(|id| *id as usize).collect();
    for token in tokens {
        if let Some(logit) = logits.get_mut(token) {
            *logit = if *logit < 0.0 { *logit * penalty } else { *logit / penalty };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_applied_once_to_each_token_that_is_there() {
        let mut logits = [4.0, -2.0, 1.0, 0.0, f32::NEG_INFINITY];
        warp(&mut logits, &[0, 1, 1, 1, 0, 3, 4, 999], 2.0);
        assert_eq!(logits, [2.0, -4.0, 1.0, 0.0, f32::NEG_INFINITY]);
        let mut logits = [4.0, -2.0];
        warp(&mut logits, &[0, 1], 0.5);
        assert_eq!(logits, [8.0, -1.0], "below one, what is there is encouraged");
    }
}
