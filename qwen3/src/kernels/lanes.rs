//! Elementwise arithmetic written so that the compiler can use vector registers: sixteen running sums, no branches in
//! loops, no calls. Inlined into each inner loop, it is compiled for that loop's instruction set.

/// Values that are taken together.
pub(super) const LANES: usize = 16;

/// Sum of squares.
#[inline(always)]
pub(super) fn sum_of_squares(values: &[f32]) -> f32 {
    dot(values, values)
}

/// Sum of products of two slices of one length.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// The largest value; NaN is passed over (the exponentials that follow keep it).
#[inline(always)]
pub(super) fn largest(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            most[lane] = if chunk[lane] > most[lane] { chunk[lane] } else { most[lane] };
        }
    }
    most.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a })
}

/// Replaces each value `x` by `exp(x - shift)` and returns their sum.
#[inline(always)]
pub(super) fn exponentiate(values: &mut [f32], shift: f32) -> f32 {
    let (chunks, rest) = values.as_chunks_mut::<LANES>();
    let mut sums = [0f32; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            chunk[lane] = exp(chunk[lane] - shift);
            sums[lane] += chunk[lane];
        }
    }
    let mut sum = sums.iter().sum::<f32>();
    for value in rest {
        *value = exp(*value - shift);
        sum += *value;
    }
    sum
}

/// `out += factor * values`.
#[inline(always)]
pub(super) fn add_scaled(out: &mut [f32], values: &[f32], factor: f32) {
    for (out, value) in out.iter_mut().zip(values) {
        *out += factor * value;
    }
}

#[inline(always)]
pub(super) fn scale(values: &mut [f32], factor: f32) {
    for value in values {
        *value *= factor;
    }
}

/// `x / (1 + exp(-x))`.
#[inline(always)]
pub(super) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// e to the x: within 2e-7 of its value, 0 below -87.3 (nearly: 1e-38), the largest power of two in f32 times e to
/// the rest above 88; NaN stays NaN. `x = n ln 2 + r`, a polynomial for `e^r`, and `2^n` put together from bits.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const LEAST: f32 = -87.3;
    const MOST: f32 = 88.3;
    /// Adding it leaves a whole number in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    // Comparisons that are false for NaN: clamp() would do as well, max() and min() would lose it.
    let x = if x < LEAST { LEAST } else { x };
    let x = if x > MOST { MOST } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, the first with so few bits that its product with n is exact.
    let r = (x - n * 0.693_359_4) - n * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_6e-1, 0.5] {
        p = p * r + c;
    }
    let p = p * r * r + r + 1.0;
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    p * f32::from_bits(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_everywhere() {
        for i in -87_000..88_000 {
            let x = i as f32 * 1e-3;
            let exact = f64::from(x).exp();
            let off = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(off < 2.5e-7, "exp({x}) is off by {off}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1000.0) < 1.3e-38 && exp(f32::NEG_INFINITY) < 1.3e-38);
        assert!(exp(f32::NAN).is_nan() && silu(f32::NAN).is_nan());
        assert!(exp(1000.0) > 1e38 && exp(1000.0).is_finite());
        assert!(silu(-1000.0).abs() < 1e-30 && silu(1000.0) == 1000.0);
    }

    #[test]
    fn sums_take_every_value() {
        let values: Vec<f32> = (1..=37).map(|i| i as f32).collect();
        assert_eq!(sum_of_squares(&values), (1..=37).map(|i| (i * i) as f32).sum::<f32>());
        assert_eq!(largest(&values), 37.0);
        let mut zeros = vec![0f32; 19];
        assert_eq!(exponentiate(&mut zeros, 0.0), 19.0);
    }
}
