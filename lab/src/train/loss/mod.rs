//! Loss functions, which training makes small: differentiable functions of vectors, similarities or scores, computed in
//! the type of their inputs (f32, or f64 in tests).

mod answer;
mod distillation;
mod infonce;

pub use answer::answer_loss;
pub use distillation::{cosine_loss, kl_loss, margin_mse_loss};
pub use infonce::{Contrast, InfoNce};

use candle_core::{D, Tensor};

use crate::error::Result;

/// Rows `[n, width]` brought to length one.
///
/// # Errors
/// [`Error::Compute`](crate::Error::Compute).
pub fn unit_rows(rows: &Tensor) -> Result<Tensor> {
    // The smallest normal number keeps a zero row zero, and its gradient finite.
    let lengths = (rows.sqr()?.sum_keepdim(D::Minus1)? + f64::from(f32::MIN_POSITIVE))?.sqrt()?;
    Ok(rows.broadcast_div(&lengths)?)
}

/// `ln(sum(exp(x)))` over the last dimension, which goes away; entries of minus infinity add nothing.
pub(super) fn log_sum_exp(x: &Tensor) -> Result<Tensor> {
    let most = x.max_keepdim(D::Minus1)?.detach();
    let sum = x.broadcast_sub(&most)?.exp()?.sum_keepdim(D::Minus1)?;
    Ok((sum.log()? + most)?.squeeze(D::Minus1)?)
}
