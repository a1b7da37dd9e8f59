//! Rotary position embedding with a way back.

use candle_core::{D, Device, Tensor};

use qwen3::Rope;

use crate::error::Result;

/// Turns queries and keys by their positions.
pub(super) struct Rotary {
    rope: Rope,
}

impl Rotary {
    pub(super) fn new(theta: f64, head_dim: usize) -> Self {
        Self { rope: Rope::new(theta, head_dim) }
    }

    /// `x` `[tokens, heads, head_dim]`, each token at its position.
    pub(super) fn turn(&self, x: &Tensor, positions: &[u32]) -> Result<Tensor> {
        let angles = self.rope.angles(positions, &Device::Cpu)?;
        let fit = |table: &Tensor| table.unsqueeze(1)?.to_dtype(x.dtype())?.to_device(x.device());
        let (cos, sin) = (fit(&angles.cos)?, fit(&angles.sin)?);
        let half = x.dim(D::Minus1)? / 2;
        let (left, right) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
        let turned_left = (left.broadcast_mul(&cos)? - right.broadcast_mul(&sin)?)?;
        let turned_right = (right.broadcast_mul(&cos)? + left.broadcast_mul(&sin)?)?;
        Ok(Tensor::cat(&[turned_left, turned_right], D::Minus1)?)
    }
}
