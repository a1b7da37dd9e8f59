//! Temperature: `logit / temperature` (`TemperatureLogitsWarper`). Below 1 the likely become likelier, above 1 less so.

/// `temperature` is above 0.
pub(super) fn warp(logits: &mut [f32], temperature: f32) {
    if temperature != 1.0 {
        logits.iter_mut().for_each(|logit| *logit /= temperature);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides() {
        let mut logits = [3.0, -1.0, 0.0, f32::NEG_INFINITY];
        warp(&mut logits, 0.5);
        assert_eq!(logits, [6.0, -2.0, 0.0, f32::NEG_INFINITY]);
        warp(&mut logits, 1.0);
        assert_eq!(logits, [6.0, -2.0, 0.0, f32::NEG_INFINITY]);
    }
}
