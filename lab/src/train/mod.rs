//! Training: examples in, an adapted model out.
//!
//! [`Parameters`] are a model's weights with those that learn, a [`Network`] computes with them, a loss says how wrong
//! that was, and gradients go back the same way. Everything follows from a seed: a run that was killed goes on as if it
//! had not been.

mod adamw;
mod allocation;
mod checkpoint;
mod distill;
mod draw;
mod embedding;
mod encoded;
mod example;
mod export;
mod gradients;
mod lines;
mod loss;
mod merge;
mod network;
mod norm;
mod objective;
mod padded;
mod parameters;
mod reranking;
mod rotary;
mod run;
mod schedule;
#[cfg(test)]
mod tests;
mod translation;

pub use adamw::AdamOptions;
pub use allocation::keep_memory;
pub use checkpoint::Checkpoints;
pub use distill::{
    Bilingual, DistillOptions, DistillTask, ExtendTask, Frequencies, Projection, TableModel, TableShape, TaughtPair,
    capped, first_table, with_words, write_table,
};
pub use embedding::{EmbeddingOptions, EmbeddingTask, Teacher, TextKind};
pub use example::Example;
pub use export::{ExportFormat, write_model};
pub use gradients::Gradients;
pub use loss::{Contrast, InfoNce, answer_loss, cosine_loss, kl_loss, margin_mse_loss, unit_rows};
pub use merge::{merge, slerp};
pub use network::{Network, NetworkOptions};
pub use objective::{ListLoss, Objective, SCORE, StepOutcome, identity as text_identity};
pub use parameters::{Lora, Parameters, Scope};
pub use reranking::{RerankingOptions, RerankingTask};
pub use run::{Outcome, Report, RunOptions, run};
pub use schedule::Schedule;
pub use translation::Translation;
