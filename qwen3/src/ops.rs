//! The tensor operations of the forward pass, wrapped: each checks layout and types on the CPU too, where candle would
//! accept what CUDA refuses later.

use candle_core::{DType, Tensor};

use crate::{error::Result, rope::Angles};

/// A projection without bias: `y = x W^T`, `W` being `[outputs, inputs]` in f32 or bf16. Activations are f32.
#[derive(Clone)]
pub(crate) struct Linear {
    weight: Tensor,
}

/// Root mean square normalisation over the last dimension, in f32.
pub(crate) struct RmsNorm {
    weight: Tensor,
    epsilon: f32,
}

impl Linear {
    pub(crate) fn new(weight: Tensor) -> Self {
        debug_assert!(weight.is_contiguous());
        Self { weight }
    }

    /// Projections of the same input stacked into one matrix.
    pub(crate) fn stack(weights: &[Tensor]) -> Result<Self> {
        Ok(Self::new(Tensor::cat(weights, 0)?))
    }

    /// The part that computes outputs `start..start + count`; shares the matrix.
    pub(crate) fn outputs(&self, start: usize, count: usize) -> Result<Self> {
        Ok(Self::new(self.weight.narrow(0, start, count)?))
    }

    /// `[tokens, inputs]` to `[tokens, outputs]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check(x);
        // candle's CPU matmul would widen bf16 operands as well: done here, the activations keep their f32.
        let weight =
            if self.weight.dtype() == DType::F32 { self.weight.clone() } else { self.weight.to_dtype(DType::F32)? };
        Ok(x.matmul(&weight.t()?)?)
    }
}

impl RmsNorm {
    pub(crate) fn new(weight: Tensor, epsilon: f64) -> Self {
        Self { weight, epsilon: epsilon as f32 }
    }

    /// Any `[.., width]`, same shape out.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check(x);
        Ok(candle_nn::ops::rms_norm(x, &self.weight, self.epsilon)?)
    }
}

/// Turns `[tokens, heads, head_dim]` by the angles of each token's position.
pub(crate) fn rotate(x: &Tensor, angles: &Angles) -> Result<Tensor> {
    check(x);
    // One batch entry per token, each with its own angles: candle runs batch entries in parallel.
    let (cos, sin) = (angles.cos.unsqueeze(1)?, angles.sin.unsqueeze(1)?);
    Ok(candle_nn::rotary_emb::rope_thd(&x.unsqueeze(1)?, &cos, &sin)?.squeeze(1)?)
}

/// `silu(gate) * up` of `[tokens, gate | up]`.
pub(crate) fn gated_silu(gate_up: &Tensor) -> Result<Tensor> {
    check(gate_up);
    Ok(candle_nn::ops::swiglu(gate_up)?)
}

/// Columns `start..start + count` of `[tokens, width]`, as heads: `[tokens, count / head_dim, head_dim]`.
pub(crate) fn heads(x: &Tensor, start: usize, count: usize, head_dim: usize) -> Result<Tensor> {
    check(x);
    Ok(x.narrow(1, start, count)?.contiguous()?.reshape(((), count / head_dim, head_dim))?)
}

fn check(x: &Tensor) {
    debug_assert!(x.is_contiguous(), "operand {:?} is not contiguous", x.layout());
    debug_assert_eq!(x.dtype(), DType::F32, "activations are f32");
}
