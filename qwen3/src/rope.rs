//! Rotary position embedding: the tables of cosines and sines, grown as far as sequences have reached. Angles are
//! computed in f32, as the reference implementation does.

use std::sync::{Arc, PoisonError, RwLock};

use candle_core::{Device, Tensor};

use crate::error::Result;

/// Positions computed ahead at load.
const FIRST_POSITIONS: usize = 256;

/// Tables for one model.
pub struct Rope {
    frequencies: Vec<f32>,
    table: RwLock<Arc<Table>>,
}

struct Table {
    positions: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// Rows of the tables for the tokens of one batch: each `[tokens, head_dim / 2]`, f32.
pub struct Angles {
    /// Cosines.
    pub cos: Tensor,
    /// Sines.
    pub sin: Tensor,
}

impl Rope {
    /// Tables for `rope_theta` and `head_dim` of a config.json.
    pub fn new(theta: f64, head_dim: usize) -> Self {
        let frequencies: Vec<f32> =
            (0..head_dim).step_by(2).map(|i| 1.0 / theta.powf(i as f64 / head_dim as f64) as f32).collect();
        let table = RwLock::new(Arc::new(Table::new(&frequencies, FIRST_POSITIONS)));
        Self { frequencies, table }
    }

    /// Angles of the given positions.
    ///
    /// # Errors
    /// [`Error::Compute`](crate::Error::Compute).
    pub fn angles(&self, positions: &[u32], device: &Device) -> Result<Angles> {
        let needed = positions.iter().max().map_or(0, |p| *p as usize + 1);
        let table = self.table(needed);
        let half = self.frequencies.len();
        let gather = |values: &[f32]| -> Result<Tensor> {
            let mut rows = Vec::with_capacity(positions.len() * half);
            positions.iter().for_each(|p| rows.extend_from_slice(&values[*p as usize * half..][..half]));
            Ok(Tensor::from_vec(rows, (positions.len(), half), device)?)
        };
        Ok(Angles { cos: gather(&table.cos)?, sin: gather(&table.sin)? })
    }

    fn table(&self, needed: usize) -> Arc<Table> {
        // A table is replaced whole, so a poisoned lock still guards a valid one.
        let current = Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner));
        if current.positions >= needed {
            return current;
        }
        let grown = Arc::new(Table::new(&self.frequencies, needed.next_power_of_two()));
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&grown);
        grown
    }
}

impl Table {
    fn new(frequencies: &[f32], positions: usize) -> Self {
        let angles = (0..positions).flat_map(|p| frequencies.iter().map(move |f| p as f32 * f));
        let (cos, sin) = angles.map(|angle| (angle.cos(), angle.sin())).unzip();
        Self { positions, cos, sin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_changes_no_angle() {
        let rope = Rope::new(1e6, 8);
        let before = rope.angles(&[0, 3, 255], &Device::Cpu).unwrap().cos.to_vec2::<f32>().unwrap();
        let far = rope.angles(&[5000], &Device::Cpu).unwrap().sin.to_vec2::<f32>().unwrap();
        let after = rope.angles(&[0, 3, 255], &Device::Cpu).unwrap().cos.to_vec2::<f32>().unwrap();
        assert_eq!(before, after);
        assert_eq!(before[0], vec![1.0; 4]);
        assert!((far[0][0] - 5000f32.sin()).abs() < 1e-6);
    }
}
