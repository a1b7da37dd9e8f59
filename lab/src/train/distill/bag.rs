//! The mean of some rows of a matrix, for many lists of rows at once, with a way back. candle's own operations would
//! first write out every row of every list.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::Arc;

/// Lists of rows.
#[derive(Debug, Clone)]
pub(super) struct Bags {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Rows of the matrix.
    rows: usize,
    /// The row of each entry, list after list.
    entries: Vec<u32>,
    /// Where each list starts in `entries`, and the end of the last.
    starts: Vec<usize>,
    /// The lists that hold each row (once for every time they do), row after row, and where each row starts.
    holders: Vec<u32>,
    holder_starts: Vec<usize>,
}

impl Bags {
    /// Lists of rows below `rows`.
    pub(super) fn new(rows: usize, lists: &[Vec<u32>]) -> Self {
        let mut starts = vec![0];
        for list in lists {
            starts.push(starts[starts.len() - 1] + list.len());
        }
        let entries = lists.concat();
        let mut holder_starts = vec![0usize; rows + 1];
        entries.iter().for_each(|row| holder_starts[*row as usize + 1] += 1);
        (0..rows).for_each(|row| holder_starts[row + 1] += holder_starts[row]);
        let (mut next, mut holders) = (holder_starts.clone(), vec![0u32; entries.len()]);
        for (list, rows) in lists.iter().enumerate() {
            for row in rows {
                holders[next[*row as usize]] = list as u32;
                next[*row as usize] += 1;
            }
        }
        Self { inner: Arc::new(Inner { rows, entries, starts, holders, holder_starts }) }
    }

    /// `[lists, width]` of `matrix` `[rows, width]`; an empty list gives zeros. On the CPU, in f32.
    pub(super) fn mean(&self, matrix: &Tensor) -> Result<Tensor> {
        matrix.contiguous()?.apply_op1(Mean(self.clone()))
    }
}

impl Inner {
    fn lists(&self) -> usize {
        self.starts.len() - 1
    }

    /// One over the length of a list; 0 for an empty one.
    fn share(&self, list: usize) -> f32 {
        let length = self.starts[list + 1] - self.starts[list];
        if length == 0 { 0.0 } else { 1.0 / length as f32 }
    }
}

/// The values of a matrix that lies in one piece.
fn values_of<'s>(storage: &'s CpuStorage, layout: &Layout) -> Result<&'s [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("bag-mean: the matrix must be contiguous"),
    }
}

struct Mean(Bags);

impl CustomOp1 for Mean {
    fn name(&self) -> &'static str {
        "bag-mean"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let bags = &self.0.inner;
        let (rows, width) = layout.shape().dims2()?;
        if rows != bags.rows {
            bail!("bag-mean: {rows} rows, expected {}", bags.rows);
        }
        let matrix = values_of(storage, layout)?;
        let mut means = vec![0f32; bags.lists() * width];
        means.par_chunks_mut(width).enumerate().for_each(|(list, mean)| {
            for row in &bags.entries[bags.starts[list]..bags.starts[list + 1]] {
                let values = &matrix[*row as usize * width..][..width];
                mean.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
            }
            mean.iter_mut().for_each(|sum| *sum *= bags.share(list));
        });
        Ok((CpuStorage::F32(means), Shape::from((bags.lists(), width))))
    }

    fn bwd(&self, _matrix: &Tensor, _means: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        gradient.contiguous()?.apply_op1_no_bwd(&Spread(self.0.clone())).map(Some)
    }
}

/// The way back: each row gets its share of the gradients of the lists that hold it.
struct Spread(Bags);

impl CustomOp1 for Spread {
    fn name(&self) -> &'static str {
        "bag-mean-back"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let bags = &self.0.inner;
        let (_, width) = layout.shape().dims2()?;
        let gradient = values_of(storage, layout)?;
        let mut rows = vec![0f32; bags.rows * width];
        rows.par_chunks_mut(width).enumerate().for_each(|(row, sum)| {
            for list in &bags.holders[bags.holder_starts[row]..bags.holder_starts[row + 1]] {
                let (list, share) = (*list as usize, bags.share(*list as usize));
                let values = &gradient[list * width..][..width];
                sum.iter_mut().zip(values).for_each(|(sum, x)| *sum += share * x);
            }
        });
        Ok((CpuStorage::F32(rows), Shape::from((bags.rows, width))))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn means_and_their_gradients_are_those_of_plain_operations() {
        let matrix = Tensor::arange(0f32, 12.0, &Device::Cpu).unwrap().reshape((4, 3)).unwrap();
        let matrix = Var::from_tensor(&(matrix.sqr().unwrap() / 7.0).unwrap()).unwrap();
        let lists = vec![vec![0, 2, 2], vec![3], vec![], vec![1, 0]];
        let means = Bags::new(4, &lists).mean(&matrix).unwrap();
        let plain: Vec<Tensor> = lists
            .iter()
            .map(|list| match list.as_slice() {
                [] => Tensor::zeros((1, 3), candle_core::DType::F32, &Device::Cpu).unwrap(),
                list => {
                    matrix.index_select(&Tensor::new(list, &Device::Cpu).unwrap(), 0).unwrap().mean_keepdim(0).unwrap()
                }
            })
            .collect();
        let plain = Tensor::cat(&plain, 0).unwrap();
        let gradient = |means: &Tensor| {
            let loss = means.sin().unwrap().sum_all().unwrap();
            loss.backward().unwrap().get(&matrix).unwrap().to_vec2::<f32>().unwrap()
        };
        let pairs = |a: Vec<Vec<f32>>, b: Vec<Vec<f32>>| a.concat().into_iter().zip(b.concat()).collect::<Vec<_>>();
        for (a, b) in pairs(means.to_vec2().unwrap(), plain.to_vec2().unwrap()) {
            assert!((a - b).abs() < 1e-5);
        }
        for (a, b) in pairs(gradient(&means), gradient(&plain)) {
            assert!((a - b).abs() < 1e-5);
        }
    }
}
