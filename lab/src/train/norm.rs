//! Root mean square normalisation with a way back.

use candle_core::{D, Tensor};

use crate::error::Result;

/// Rows over the last dimension, scaled by `weight`; computed in the weight's type, given back in that of `x`.
pub(super) fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    let wide = x.to_dtype(weight.dtype())?;
    let mean = (wide.sqr()?.mean_keepdim(D::Minus1)? + epsilon)?.sqrt()?;
    Ok(wide.broadcast_div(&mean)?.broadcast_mul(weight)?.to_dtype(x.dtype())?)
}
