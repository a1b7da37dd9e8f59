//! Training: examples in, an adapted model out.
//!
//! [`Parameters`] are a model's weights with those that learn, a [`Network`] computes with them, a loss says how wrong
//! that was, and gradients go back the same way. Everything follows from a seed: a run that was killed goes on as if it
//! had not been.

mod adamw;
mod draw;
mod encoded;
mod example;
mod gradients;
mod loss;
mod network;
mod norm;
mod padded;
mod parameters;
mod rotary;
mod schedule;
#[cfg(test)]
mod tests;

pub use adamw::AdamOptions;
pub use example::Example;
pub use loss::{Contrast, InfoNce, answer_loss, cosine_loss, kl_loss, margin_mse_loss, unit_rows};
pub use network::{Network, NetworkOptions};
pub use parameters::{Lora, Parameters, Scope};
pub use schedule::Schedule;
