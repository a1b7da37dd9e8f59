//! The likeliest token.

/// The first of the largest logits; none where all are ruled out.
pub(super) fn likeliest(logits: &[f32]) -> Option<u32> {
    let mut best = None;
    let mut most = f32::NEG_INFINITY;
    for (token, logit) in (0u32..).zip(logits) {
        if *logit > most {
            (best, most) = (Some(token), *logit);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals() {
        assert_eq!(likeliest(&[1.0, 5.0, 5.0, -2.0]), Some(1));
        assert_eq!(likeliest(&[f32::NEG_INFINITY, -9.0]), Some(1));
        assert_eq!(likeliest(&[f32::NEG_INFINITY; 3]), None);
    }
}
