//! The objective of a run: the seam between the loop and a task.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

use super::{gradients::Gradients, loss};
use crate::error::{Error, Result};

/// A training task over numbered examples.
pub trait Objective {
    /// What is trained, by name.
    fn variables(&self) -> BTreeMap<String, Var>;

    /// Number of examples.
    fn examples(&self) -> usize;

    /// Computes the mean loss of some examples and adds its gradients.
    ///
    /// # Errors
    /// Those of computing.
    fn step(&self, members: &[usize], gradients: &mut Gradients) -> Result<StepOutcome>;

    /// Figures on examples held out, by name, the most telling one under [`SCORE`]; higher is better. Empty where nothing
    /// was held out.
    ///
    /// # Errors
    /// Those of computing.
    fn evaluate(&self) -> Result<BTreeMap<String, f64>>;
}

/// The name of the figure by which models are compared.
pub const SCORE: &str = "score";

/// What a step came to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepOutcome {
    /// Mean over the examples.
    pub loss: f64,
    /// Tokens of all their texts.
    pub tokens: usize,
}

/// How a list of candidates is learned from a teacher's scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListLoss {
    /// [`kl_loss`](super::kl_loss), with this temperature for both sides.
    Kl(f64),
    /// [`margin_mse_loss`](super::margin_mse_loss).
    MarginMse,
}

impl ListLoss {
    pub(super) fn loss(self, scores: &Tensor, teacher: &Tensor) -> Result<Tensor> {
        match self {
            Self::Kl(temperature) => loss::kl_loss(scores, teacher, temperature),
            Self::MarginMse => loss::margin_mse_loss(scores, teacher),
        }
    }
}

/// The value of a loss, which must be a number.
pub(super) fn finite(loss: &Tensor) -> Result<f64> {
    let value: f64 = loss.detach().to_dtype(candle_core::DType::F64)?.to_scalar()?;
    if value.is_finite() {
        return Ok(value);
    }
    Err(Error::Training("the loss is no number any more: expected a lower learning rate or more warm-up".to_owned()))
}

/// Equal numbers for equal texts.
pub fn identity(text: &str) -> u64 {
    let hash = blake3::hash(text.trim().as_bytes());
    hash.as_bytes().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
