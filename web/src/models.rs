//! The models as they are told to people and programs: what they are, where they compute, how fast, who waits.

use qwen3::{Condition, Elsewhere, Place, Precision, WorkerStats};
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
    /// How its weights are kept: `f32`, `bf16` or `int8`; not known of a model elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) precision: Option<&'static str>,
    /// The processor that computes: `cpu`, `cuda:0`; not known of a model elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<String>,
    /// Of a model elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) elsewhere: Option<ElsewhereView>,
    /// Tokens per second while computing, 0 before the first; told to who sees everything, for it also computes for what others
    /// do not see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tokens_per_second: Option<f64>,
    /// Requests that wait for it; told likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waiting: Option<usize>,
}

/// How a model elsewhere fares.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ElsewhereView {
    /// How it is.
    pub(crate) state: ElsewhereState,
    /// Host and port of its endpoint; told to administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    /// What is wrong; told to administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// How a model elsewhere is, as far as the last request told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ElsewhereState {
    /// It was not asked yet.
    Unasked,
    /// It answers.
    Answering,
    /// It gives no answer now, and is asked again.
    Away,
    /// It answers, but cannot be used: another model than it was, the wrong key.
    Unusable,
}

impl ElsewhereView {
    fn of(elsewhere: Elsewhere, caller: &Caller) -> Self {
        let (state, reason) = match elsewhere.condition {
            Condition::Unasked => (ElsewhereState::Unasked, None),
            Condition::Answering => (ElsewhereState::Answering, None),
            Condition::Away { reason } => (ElsewhereState::Away, Some(reason)),
            Condition::Unusable { reason } => (ElsewhereState::Unusable, Some(reason)),
        };
        let is_told = caller.sees_places();
        Self { state, host: Some(elsewhere.host).filter(|_| is_told), reason: reason.filter(|_| is_told) }
    }
}

impl ModelView {
    pub(crate) fn embedding(engine: &Engine, caller: &Caller) -> Self {
        let snapshot = engine.snapshot();
        let model = snapshot.model();
        let embedder = &engine.embedder;
        Self {
            dimension: Some(model.dimension),
            fingerprint: Some(model.fingerprint.clone()),
            ..Self::of(model.name.clone(), embedder.place(), &embedder.stats(), caller)
        }
    }

    pub(crate) fn reranker(engine: &Engine, caller: &Caller) -> Option<Self> {
        let reranker = engine.reranker.as_ref()?;
        Some(Self::of(engine.reranker_name.clone(), reranker.place(), &reranker.stats(), caller))
    }

    /// The model that writes: here, or elsewhere.
    pub(crate) fn writer(engine: &Engine, caller: &Caller) -> Option<Self> {
        if let Some(writer) = &engine.generator {
            let place = Place::Here { precision: writer.precision(), device: writer.device() };
            return Some(Self::of(engine.generator_name.clone(), place, &writer.stats(), caller));
        }
        let writer = engine.searcher.writer()?;
        let place = Place::Elsewhere(writer.elsewhere()?);
        let view = Self::of(writer.name().to_owned(), place, &WorkerStats::default(), caller);
        // How fast it is, and who waits, is not told by endpoints.
        Some(Self { tokens_per_second: None, waiting: None, ..view })
    }

    fn of(name: String, place: Place, stats: &WorkerStats, caller: &Caller) -> Self {
        let seen = caller.sees_everything().then_some(stats);
        let (precision, device, elsewhere) = match place {
            Place::Here { precision, device } => (Some(name_of(precision)), Some(device.to_string()), None),
            Place::Elsewhere(elsewhere) => (None, None, Some(ElsewhereView::of(elsewhere, caller))),
        };
        Self {
            name,
            dimension: None,
            fingerprint: None,
            precision,
            device,
            elsewhere,
            tokens_per_second: seen.map(WorkerStats::tokens_per_second),
            waiting: seen.map(|stats| stats.waiting_urgent + stats.waiting_soon + stats.waiting_bulk),
        }
    }
}

fn name_of(precision: Precision) -> &'static str {
    match precision {
        Precision::Auto => "auto",
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16",
        Precision::Int8 => "int8",
    }
}
