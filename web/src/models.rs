//! The models as they are told to people and programs: what they are, where they compute, how fast, who waits.

use qwen3::{DeviceChoice, Precision, WorkerStats};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::Engine;
use crate::guard::Caller;

/// A model at one moment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ModelView {
    /// Name for people.
    pub(crate) name: String,
    /// Length of its vectors; a reranker and a writer have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dimension: Option<usize>,
    /// Hash of model, prompts and dimension; vectors of different ones do not compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fingerprint: Option<String>,
    /// How its weights are kept: `f32`, `bf16` or `int8`.
    pub(crate) precision: &'static str,
    /// The processor that computes: `cpu`, `cuda:0`.
    pub(crate) device: String,
    /// Tokens per second while computing, 0 before the first; told to who sees everything, for it also computes for what others
    /// do not see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tokens_per_second: Option<f64>,
    /// Requests that wait for it; told likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waiting: Option<usize>,
}

impl ModelView {
    pub(crate) fn embedding(engine: &Engine, caller: &Caller) -> Self {
        let snapshot = engine.snapshot();
        let model = snapshot.model();
        let embedder = &engine.embedder;
        Self {
            dimension: Some(model.dimension),
            fingerprint: Some(model.fingerprint.clone()),
            ..Self::of(model.name.clone(), embedder.precision(), embedder.device(), &embedder.stats(), caller)
        }
    }

    pub(crate) fn reranker(engine: &Engine, caller: &Caller) -> Option<Self> {
        let reranker = engine.reranker.as_ref()?;
        let name = engine.reranker_name.clone();
        Some(Self::of(name, reranker.precision(), reranker.device(), &reranker.stats(), caller))
    }

    pub(crate) fn writer(engine: &Engine, caller: &Caller) -> Option<Self> {
        let writer = engine.generator.as_ref()?;
        let name = engine.generator_name.clone();
        Some(Self::of(name, writer.precision(), writer.device(), &writer.stats(), caller))
    }

    fn of(name: String, precision: Precision, device: DeviceChoice, stats: &WorkerStats, caller: &Caller) -> Self {
        let seen = caller.sees_everything().then_some(stats);
        Self {
            name,
            dimension: None,
            fingerprint: None,
            precision: match precision {
                Precision::Auto => "auto",
                Precision::F32 => "f32",
                Precision::Bf16 => "bf16",
                Precision::Int8 => "int8",
            },
            device: device.to_string(),
            tokens_per_second: seen.map(WorkerStats::tokens_per_second),
            waiting: seen.map(|stats| stats.waiting_urgent + stats.waiting_soon + stats.waiting_bulk),
        }
    }
}
