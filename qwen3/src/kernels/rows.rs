//! Steps that take each row by itself, in place: what stands between BERT's products.

use rayon::prelude::*;

use super::{
    isa::Isa,
    lanes,
    micro::{Format, Micro, Work, dispatch},
};

/// Rows that one task takes.
const ROWS: usize = 16;
const LANES: usize = 16;

/// Normalisation of a row to mean 0 and variance 1, then a learned scale and shift (Ba, Kiros and Hinton 2016):
/// `(x - mean(x)) / sqrt(mean((x - mean(x))²) + epsilon) * weight + bias`.
#[derive(Clone, Copy)]
pub(crate) struct LayerNorm<'n> {
    pub(crate) weight: &'n [f32],
    pub(crate) bias: &'n [f32],
    pub(crate) epsilon: f32,
}

/// What happens to each row. Slices are as long as a row.
#[derive(Clone, Copy)]
pub(crate) enum RowStep<'s> {
    /// `x + bias`.
    AddBias(&'s [f32]),
    /// `gelu(x + bias)`.
    Gelu(&'s [f32]),
    /// `norm(x + before)`.
    Normalise { before: Option<&'s [f32]>, norm: LayerNorm<'s> },
}

impl RowStep<'_> {
    /// All rows of `values`, which follow one another.
    pub(crate) fn run(self, isa: Isa, values: &mut [f32]) {
        let width = self.width();
        values.par_chunks_mut(ROWS * width).for_each(|values| {
            dispatch(isa, Format::F32, Rows { step: self, values, width });
        });
    }

    fn width(&self) -> usize {
        match self {
            Self::AddBias(bias) | Self::Gelu(bias) => bias.len(),
            Self::Normalise { norm, .. } => norm.weight.len(),
        }
    }
}

struct Rows<'s> {
    step: RowStep<'s>,
    values: &'s mut [f32],
    width: usize,
}

impl Work for Rows<'_> {
    #[inline(always)]
    fn run<M: Micro>(self) {
        for row in self.values.chunks_mut(self.width) {
            match self.step {
                RowStep::AddBias(bias) => lanes::add_scaled(row, bias, 1.0),
                RowStep::Gelu(bias) => row.iter_mut().zip(bias).for_each(|(x, bias)| *x = gelu(*x + bias)),
                RowStep::Normalise { before, norm } => {
                    if let Some(before) = before {
                        lanes::add_scaled(row, before, 1.0);
                    }
                    norm.apply(row);
                }
            }
        }
    }
}

impl LayerNorm<'_> {
    #[inline(always)]
    fn apply(&self, row: &mut [f32]) {
        let count = row.len() as f32;
        let mean = sum(row) / count;
        row.iter_mut().for_each(|x| *x -= mean);
        let factor = 1.0 / (lanes::sum_of_squares(row) / count + self.epsilon).sqrt();
        for (x, (weight, bias)) in row.iter_mut().zip(self.weight.iter().zip(self.bias)) {
            *x = *x * factor * weight + bias;
        }
    }
}

#[inline(always)]
fn sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += chunk[lane];
        }
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// `x` times the share of a normal distribution below `x` (Hendrycks and Gimpel 2016), within 3e-7 of its value; NaN
/// stays NaN.
///
/// The share of the tail above `|x|` is formula 7.1.26 of Abramowitz and Stegun, "Handbook of Mathematical Functions":
/// written so, nothing is lost to cancellation where `x` is far below 0.
#[inline(always)]
fn gelu(x: f32) -> f32 {
    let size = x.abs();
    let z = size * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut p = 1.061_405_4;
    for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = p * t + c;
    }
    let tail = 0.5 * p * t * lanes::exp(-z * z);
    let straight = if x > 0.0 { x } else { 0.0 };
    straight - size * tail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + 13) % 1009) as f32 / 250.0 - 2.0).collect()
    }

    /// The error function by its series (Abramowitz and Stegun 7.1.6), in f64.
    fn erf(z: f64) -> f64 {
        let mut term = z;
        let mut sum = z;
        for n in 1..200 {
            term *= 2.0 * z * z / f64::from(2 * n + 1);
            sum += term;
        }
        2.0 / std::f64::consts::PI.sqrt() * (-z * z).exp() * sum
    }

    #[test]
    fn gelu_is_close_everywhere() {
        for i in -8000..8000 {
            let x = f64::from(i) * 1e-3;
            let exact = 0.5 * x * (1.0 + erf(x / 2f64.sqrt()));
            let off = (f64::from(gelu(x as f32)) - exact).abs();
            assert!(off < 3e-7 * (1.0 + x.abs()), "gelu({x}) is off by {off}");
        }
        assert_eq!((gelu(0.0), gelu(1e4)), (0.0, 1e4));
        assert!(gelu(-1e4).abs() < 1e-30);
        assert!(gelu(f32::NAN).is_nan());
    }

    #[test]
    fn rows_are_as_defined_on_every_instruction_set() {
        for width in [1usize, 5, 16, 33, 96] {
            let (x, weight, bias, before) = (noise(37 * width), noise(width), noise(2 * width), noise(3 * width));
            let (bias, before) = (&bias[width..], &before[2 * width..]);
            let norm = LayerNorm { weight: &weight, bias, epsilon: 1e-6 };
            for isa in Isa::available() {
                let mut normed = x.clone();
                RowStep::Normalise { before: Some(before), norm }.run(isa, &mut normed);
                let mut biased = x.clone();
                RowStep::AddBias(bias).run(isa, &mut biased);
                let mut curved = x.clone();
                RowStep::Gelu(bias).run(isa, &mut curved);
                for (index, row) in x.chunks(width).enumerate() {
                    let moved: Vec<f64> = row.iter().zip(before).map(|(x, b)| f64::from(*x) + f64::from(*b)).collect();
                    let mean = moved.iter().sum::<f64>() / width as f64;
                    let variance = moved.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
                    for column in 0..width {
                        let at = index * width + column;
                        let scaled = (moved[column] - mean) / (variance + 1e-6).sqrt();
                        let expected = scaled * f64::from(weight[column]) + f64::from(bias[column]);
                        assert!((f64::from(normed[at]) - expected).abs() < 2e-4, "{isa} {width}: {at}");
                        assert_eq!(biased[at], x[at] + bias[column]);
                        assert!((curved[at] - gelu(biased[at])).abs() < 1e-6);
                    }
                }
            }
        }
    }
}
