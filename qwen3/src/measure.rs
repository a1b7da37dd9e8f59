//! Measuring the kernels by themselves, for `quarry bench models`: one product, and what the machine could do at most.

use crate::{
    kernels::{Arrangement, Finish, Format, Loops, Panels, Product, View, peak},
    model::Precision,
};

/// A product of random activations `[rows, inputs]` and a random matrix `[outputs, inputs]`, ready to be repeated.
pub struct ProductProbe {
    input: Vec<f32>,
    output: Vec<f32>,
    panels: Panels,
    rows: usize,
    inputs: usize,
    outputs: usize,
}

impl ProductProbe {
    /// Packs the matrix as a model in this precision would.
    pub fn new(precision: Precision, rows: usize, inputs: usize, outputs: usize) -> Self {
        let noise = |index: usize| ((index * 2_654_435_761) % 1021) as f32 / 1021.0 - 0.5;
        let read = |row: usize, out: &mut [f32]| {
            out.iter_mut().enumerate().for_each(|(column, value)| *value = noise(row * inputs + column));
        };
        let panels = Panels::pack(Loops::Fastest, format(precision), inputs, Arrangement::parts(&[outputs]), read);
        let input = (0..rows * inputs).map(noise).collect();
        Self { input, output: vec![0.0; rows * outputs], panels, rows, inputs, outputs }
    }

    /// Computes the product once, over all threads of rayon's pool.
    pub fn run(&mut self) {
        let product = Product {
            input: View { values: &self.input, stride: self.inputs },
            rows: self.rows,
            norm: None,
            panels: &self.panels,
            range: 0..self.panels.count(),
            finish: Finish::Store,
        };
        product.run(&mut self.output, self.outputs);
    }

    /// Multiplications and additions of one run.
    pub fn operations(&self) -> f64 {
        2.0 * self.rows as f64 * self.inputs as f64 * self.outputs as f64
    }
}

/// Billions of multiplications and additions per second that the vector registers of one thread reach in a precision,
/// measured; `None` on processors whose instructions are not known here.
pub fn register_peak(precision: Precision) -> Option<f64> {
    peak(format(precision))
}

/// A precision left to the checkpoint is measured as the published checkpoints are stored.
fn format(precision: Precision) -> Format {
    match precision {
        Precision::F32 => Format::F32,
        Precision::Auto | Precision::Bf16 => Format::Bf16,
        Precision::Int8 => Format::Int8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;

    #[test]
    fn a_probe_computes_what_it_says() {
        let mut probe = ProductProbe::new(Precision::F32, 3, 40, 50);
        probe.run();
        assert_eq!(probe.operations(), 12_000.0);
        let expected: f32 =
            (0..40).map(|i| probe.input[40 + i] * (((40 + i) * 2_654_435_761 % 1021) as f32 / 1021.0 - 0.5)).sum();
        assert!((probe.output[50 + 1] - expected).abs() < 1e-4, "{} {expected}", probe.output[51]);
    }

    #[test]
    fn a_peak_is_measured_where_instructions_are_known() {
        let known = Isa::detect() > Isa::Portable;
        for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
            assert_eq!(register_peak(precision).is_some_and(|peak| peak > 0.1), known, "{precision:?}");
        }
    }
}
