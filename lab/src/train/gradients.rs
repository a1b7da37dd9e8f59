//! The gradients of one step, gathered over the parts of its batch. Those of a table's rows stay rows: a step touches
//! few of them.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, backprop::GradStore};

use super::parameters::Parameters;
use crate::error::Result;

/// The gradient of one parameter.
pub(super) enum Gradient {
    Dense(Tensor),
    Rows(RowGradient),
}

/// Gradients of some rows of a matrix; the others have none.
#[derive(Default)]
pub(super) struct RowGradient {
    width: usize,
    places: BTreeMap<u32, usize>,
    values: Vec<f32>,
}

/// The gradients of all parameters that have one.
#[derive(Default)]
pub struct Gradients {
    by_name: BTreeMap<String, Gradient>,
}

impl Gradients {
    /// Takes those of the parameters out of a pass; a table's rows come by [`Gradients::add_rows`].
    pub(super) fn collect(&mut self, parameters: &Parameters, store: &GradStore) -> Result<()> {
        for (name, var) in parameters.variables() {
            let Some(gradient) = store.get(&var) else { continue };
            let gradient = gradient.detach();
            let sum = match self.by_name.remove(&name) {
                None => Gradient::Dense(gradient),
                Some(Gradient::Dense(before)) => Gradient::Dense((before + gradient)?.detach()),
                Some(Gradient::Rows(rows)) => Gradient::Dense((rows.dense(&gradient)? + gradient)?.detach()),
            };
            self.by_name.insert(name, sum);
        }
        Ok(())
    }

    /// Adds `rows` `[ids, width]` to the gradient of a matrix.
    pub(super) fn add_rows(&mut self, name: &str, ids: &[u32], rows: &Tensor) -> Result<()> {
        match self.by_name.remove(name) {
            Some(Gradient::Dense(before)) => {
                let ids = Tensor::new(ids, before.device())?;
                let sum = before.index_add(&ids, &rows.detach().to_dtype(before.dtype())?, 0)?;
                self.by_name.insert(name.to_owned(), Gradient::Dense(sum.detach()));
            }
            other => {
                let mut sum = if let Some(Gradient::Rows(sum)) = other { sum } else { RowGradient::default() };
                sum.add(ids, rows)?;
                self.by_name.insert(name.to_owned(), Gradient::Rows(sum));
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn put(&mut self, name: &str, gradient: Tensor) {
        self.by_name.insert(name.to_owned(), Gradient::Dense(gradient));
    }

    pub(super) fn get(&self, name: &str) -> Option<&Gradient> {
        self.by_name.get(name)
    }

    /// The length of all gradients as one vector.
    pub(super) fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for gradient in self.by_name.values() {
            sum += match gradient {
                Gradient::Dense(tensor) => tensor.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?,
                Gradient::Rows(rows) => rows.values.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>(),
            };
        }
        Ok(sum.sqrt())
    }
}

impl RowGradient {
    fn add(&mut self, ids: &[u32], rows: &Tensor) -> Result<()> {
        let rows = rows.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.contiguous()?;
        self.width = rows.dim(1)?;
        let values = rows.flatten_all()?.to_vec1::<f32>()?;
        for (id, row) in ids.iter().zip(values.chunks_exact(self.width)) {
            let next = self.places.len();
            let place = *self.places.entry(*id).or_insert(next);
            if place == next {
                self.values.extend_from_slice(row);
            } else {
                let sum = &mut self.values[place * self.width..][..self.width];
                sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
        }
        Ok(())
    }

    /// The gradient of a row, if it has one.
    pub(super) fn row(&self, id: usize) -> Option<&[f32]> {
        let place = self.places.get(&u32::try_from(id).ok()?)?;
        self.values.get(place * self.width..)?.get(..self.width)
    }

    /// As a whole matrix, of the shape, type and place of `like`.
    pub(super) fn dense(&self, like: &Tensor) -> Result<Tensor> {
        let mut dense = vec![0f32; like.elem_count()];
        for (id, place) in &self.places {
            dense[*id as usize * self.width..][..self.width]
                .copy_from_slice(&self.values[place * self.width..][..self.width]);
        }
        Ok(Tensor::from_vec(dense, like.shape(), &Device::Cpu)?.to_dtype(like.dtype())?.to_device(like.device())?)
    }
}
