//! AdamW (Loshchilov and Hutter 2017): moments of the gradient, and weight decay beside them. On a CPU one pass over
//! memory, in place, on all cores; a table whose rows mostly have no gradient is not filled up with zeros for it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use candle_core::{CpuStorage, DType, Device, InplaceOp1, Layout, Tensor, Var};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::gradients::{Gradient, Gradients};
use crate::error::Result;

/// Values that a core takes at a time.
const BLOCK: usize = 1 << 14;

/// The numbers of AdamW.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdamOptions {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Added to the root of the latter.
    pub epsilon: f64,
    /// Decay of matrices, times the learning rate; vectors (norms) do not decay.
    pub weight_decay: f64,
}

impl Default for AdamOptions {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }
}

/// The optimiser and what it remembers.
pub(super) struct AdamW {
    options: AdamOptions,
    moments: BTreeMap<String, Moments>,
}

/// Running means of a parameter's gradient and of its square.
enum Moments {
    Host { first: Vec<f32>, second: Vec<f32> },
    Device { first: Tensor, second: Tensor },
}

/// What a step multiplies with.
#[derive(Clone, Copy)]
struct Factors {
    /// Of the gradient, for clipping and accumulation.
    scale: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    /// Of the parameter itself.
    keep: f32,
    /// Of the first moment.
    rate: f32,
    /// Of the root of the second moment.
    correction: f32,
}

impl AdamW {
    pub(super) fn new(options: AdamOptions) -> Self {
        Self { options, moments: BTreeMap::new() }
    }

    /// Moves every variable that has a gradient; `step` counts from 1.
    pub(super) fn step(
        &mut self,
        variables: &BTreeMap<String, Var>,
        gradients: &Gradients,
        scale: f64,
        rate: f64,
        step: usize,
    ) -> Result<()> {
        for (name, var) in variables {
            let Some(gradient) = gradients.get(name) else { continue };
            let factors = self.options.factors(var.rank(), scale, rate, step);
            let moments = match self.moments.remove(name) {
                Some(moments) => moments,
                None => Moments::zero(var)?,
            };
            self.moments.insert(name.clone(), moments.step(var, gradient, factors)?);
        }
        Ok(())
    }

    /// The moments as tensors, named `NAME.first` and `NAME.second`.
    pub(super) fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = BTreeMap::new();
        for (name, moments) in &self.moments {
            let (first, second) = match moments {
                Moments::Device { first, second } => (first.clone(), second.clone()),
                Moments::Host { first, second } => {
                    (Tensor::new(first.as_slice(), &Device::Cpu)?, Tensor::new(second.as_slice(), &Device::Cpu)?)
                }
            };
            state.insert(format!("{name}.first"), first);
            state.insert(format!("{name}.second"), second);
        }
        Ok(state)
    }

    /// Takes up what [`AdamW::state`] gave.
    pub(super) fn restore(
        &mut self,
        variables: &BTreeMap<String, Var>,
        state: &std::collections::HashMap<String, Tensor>,
    ) -> Result<()> {
        for (name, var) in variables {
            let of = |part: &str| state.get(&format!("{name}.{part}"));
            let (Some(first), Some(second)) = (of("first"), of("second")) else { continue };
            let moments = if is_host(var) {
                Moments::Host { first: first.flatten_all()?.to_vec1()?, second: second.flatten_all()?.to_vec1()? }
            } else {
                Moments::Device { first: first.to_device(var.device())?, second: second.to_device(var.device())? }
            };
            self.moments.insert(name.clone(), moments);
        }
        Ok(())
    }
}

impl AdamOptions {
    fn factors(&self, rank: usize, scale: f64, rate: f64, step: usize) -> Factors {
        let bias = |beta: f64| 1.0 - beta.powi(i32::try_from(step).unwrap_or(i32::MAX));
        let decay = if rank > 1 { rate * self.weight_decay } else { 0.0 };
        Factors {
            scale: scale as f32,
            beta1: self.beta1 as f32,
            beta2: self.beta2 as f32,
            epsilon: self.epsilon as f32,
            keep: (1.0 - decay) as f32,
            rate: (rate / bias(self.beta1)) as f32,
            correction: (1.0 / bias(self.beta2).sqrt()) as f32,
        }
    }
}

fn is_host(var: &Var) -> bool {
    var.device().is_cpu() && var.dtype() == DType::F32
}

impl Moments {
    fn zero(var: &Var) -> Result<Self> {
        Ok(if is_host(var) {
            let count = var.elem_count();
            Self::Host { first: vec![0.0; count], second: vec![0.0; count] }
        } else {
            Self::Device { first: var.zeros_like()?, second: var.zeros_like()? }
        })
    }

    fn step(self, var: &Var, gradient: &Gradient, factors: Factors) -> Result<Self> {
        match self {
            Self::Host { mut first, mut second } => {
                let dense = match gradient {
                    Gradient::Dense(tensor) => Some(tensor.flatten_all()?.to_vec1::<f32>()?),
                    Gradient::Rows(_) => None,
                };
                let width = var.dims().last().copied().unwrap_or(1);
                let row = |at: usize| match (gradient, &dense) {
                    (Gradient::Rows(rows), _) => rows.row(at),
                    (_, Some(dense)) => dense.get(at * width..(at + 1) * width),
                    _ => None,
                };
                let moments = Mutex::new((first.as_mut_slice(), second.as_mut_slice()));
                var.as_tensor().inplace_op1(&HostStep { width, row: &row, moments, factors })?;
                Ok(Self::Host { first, second })
            }
            Self::Device { first, second } => {
                let gradient = match gradient {
                    Gradient::Dense(tensor) => tensor.clone(),
                    Gradient::Rows(rows) => rows.dense(var)?,
                };
                step_tensors(var, &gradient, first, second, factors)
            }
        }
    }
}

/// The same step by candle's operations, for other devices.
fn step_tensors(var: &Var, gradient: &Tensor, first: Tensor, second: Tensor, f: Factors) -> Result<Moments> {
    let wide = |x: f32| f64::from(x);
    let gradient = (gradient * wide(f.scale))?;
    let first = ((first * wide(f.beta1))? + (&gradient * (1.0 - wide(f.beta1)))?)?;
    let second = ((second * wide(f.beta2))? + (gradient.sqr()? * (1.0 - wide(f.beta2)))?)?;
    let root = ((second.sqrt()? * wide(f.correction))? + wide(f.epsilon))?;
    let change = (first.div(&root)? * wide(f.rate))?;
    var.set(&((var.as_detached_tensor() * wide(f.keep))? - change)?.detach())?;
    Ok(Moments::Device { first: first.detach(), second: second.detach() })
}

/// One step over a parameter in memory.
struct HostStep<'a, Row> {
    width: usize,
    row: &'a Row,
    moments: Mutex<(&'a mut [f32], &'a mut [f32])>,
    factors: Factors,
}

impl<'g, Row: Fn(usize) -> Option<&'g [f32]> + Sync> InplaceOp1 for HostStep<'_, Row> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let CpuStorage::F32(values) = storage else {
            candle_core::bail!("AdamW steps weights of f32");
        };
        let values = &mut values[layout.start_offset()..];
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, second) = &mut *moments;
        let rows = (BLOCK / self.width.max(1)).max(1);
        let block = rows * self.width;
        values
            .par_chunks_mut(block)
            .zip(first.par_chunks_mut(block))
            .zip(second.par_chunks_mut(block))
            .enumerate()
            .for_each(|(index, ((values, first), second))| {
                let parts = values.chunks_mut(self.width).zip(first.chunks_mut(self.width));
                for (at, ((values, first), second)) in parts.zip(second.chunks_mut(self.width)).enumerate() {
                    match (self.row)(index * rows + at) {
                        Some(gradient) => self.factors.step(values, first, second, gradient),
                        None => self.factors.rest(values, first, second),
                    }
                }
            });
        Ok(())
    }
}

impl Factors {
    fn step(&self, values: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]) {
        for (((x, m), v), g) in values.iter_mut().zip(first).zip(second).zip(gradient) {
            let g = g * self.scale;
            *m = self.beta1 * *m + (1.0 - self.beta1) * g;
            *v = self.beta2 * *v + (1.0 - self.beta2) * g * g;
            *x = self.keep * *x - self.rate * *m / (v.sqrt() * self.correction + self.epsilon);
        }
    }

    /// A step with a gradient of zero.
    fn rest(&self, values: &mut [f32], first: &mut [f32], second: &mut [f32]) {
        for ((x, m), v) in values.iter_mut().zip(first).zip(second) {
            *m *= self.beta1;
            *v *= self.beta2;
            *x = self.keep * *x - self.rate * *m / (v.sqrt() * self.correction + self.epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three steps of one number with gradients 1, -0.5, 0.25 beside the textbook formula.
    #[test]
    fn steps_by_hand() {
        let options = AdamOptions { weight_decay: 0.1, ..AdamOptions::default() };
        let var = Var::from_tensor(&Tensor::new(&[[2.0f32]], &Device::Cpu).unwrap()).unwrap();
        let wide = Var::from_tensor(&Tensor::new(&[[2.0f64]], &Device::Cpu).unwrap()).unwrap();
        let (mut adam, mut adam_wide) = (AdamW::new(options), AdamW::new(options));
        let (mut x, mut m, mut v) = (2.0f64, 0.0, 0.0);
        for (step, g) in [(1, 1.0), (2, -0.5), (3, 0.25)] {
            for (adam, var) in [(&mut adam, &var), (&mut adam_wide, &wide)] {
                let mut gradients = Gradients::default();
                let gradient = Tensor::new(&[[g]], &Device::Cpu).unwrap();
                gradients.add_rows("x", &[0], &gradient).unwrap();
                adam.step(&BTreeMap::from([("x".to_owned(), var.clone())]), &gradients, 2.0, 0.01, step).unwrap();
            }
            let g = 2.0 * g;
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let (mean, square) = (m / (1.0 - 0.9f64.powi(step as i32)), v / (1.0 - 0.999f64.powi(step as i32)));
            x = x * (1.0 - 0.01 * 0.1) - 0.01 * mean / (square.sqrt() + 1e-8);
        }
        let ours = f64::from(var.to_vec2::<f32>().unwrap()[0][0]);
        assert!((ours - x).abs() < 1e-6, "{ours} {x}");
        assert!((wide.to_vec2::<f64>().unwrap()[0][0] - x).abs() < 1e-6);
    }

    #[test]
    fn rows_without_a_gradient_move_as_with_zeros() {
        let table = || Var::from_tensor(&Tensor::arange(0f32, 12.0, &Device::Cpu).unwrap().reshape((4, 3)).unwrap());
        let (sparse, dense) = (table().unwrap(), table().unwrap());
        let (mut a, mut b) = (AdamW::new(AdamOptions::default()), AdamW::new(AdamOptions::default()));
        for step in 1..4 {
            let rows = Tensor::ones((1, 3), DType::F32, &Device::Cpu).unwrap();
            let mut gradients = Gradients::default();
            gradients.add_rows("t", &[step as u32], &rows).unwrap();
            a.step(&BTreeMap::from([("t".to_owned(), sparse.clone())]), &gradients, 1.0, 0.1, step).unwrap();
            let Some(Gradient::Rows(rows)) = gradients.get("t") else { panic!("rows stay rows") };
            let mut whole = Gradients::default();
            whole.put("t", rows.dense(&dense).unwrap());
            b.step(&BTreeMap::from([("t".to_owned(), dense.clone())]), &whole, 1.0, 0.1, step).unwrap();
        }
        assert_eq!(sparse.to_vec2::<f32>().unwrap(), dense.to_vec2::<f32>().unwrap());
    }
}
