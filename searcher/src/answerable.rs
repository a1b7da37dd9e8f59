//! The judgement whether something in the index answers a query at all. Asked for what is not there, retrievers still find
//! the nearest; this says so.

use qwen3::EmbedHandle;
use serde::Serialize;
use storage::View;

use crate::calibration::Calibration;
use crate::candidate::Candidate;
use crate::config::SearchConfig;
use crate::error::SearchError;
use crate::evidence::Evidence;
use crate::plan::SearchPlan;

/// From here on an answer is likelier than none.
const LIKELY: f64 = 0.5;
/// How many deviations above the background a sentence lies that answers: measured on labelled questions.
const SENTENCE_DEVIATIONS: f64 = 4.0;
/// Results that are shown where nothing fits.
pub const CLOSEST: usize = 3;

/// Whether something answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Answerable {
    /// The probability that something in the index answers the query, 0 to 1.
    pub probability: f64,
    /// What follows from it.
    pub verdict: Verdict,
}

/// What is said of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Likelier there than not.
    Likely,
    /// Likelier not there, or hard to say.
    Unsure,
    /// Nothing fits: below the configured floor.
    Unlikely,
}

/// What was made of the evidence for one search.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judgement {
    probability: f64,
    floor: f64,
    is_nonsense: bool,
    near: Option<f32>,
}

impl Judgement {
    /// What the candidates of a plan say, if they are to be judged: `None` where judging is off, the query has no text, or filters
    /// leave nothing, which is no sign of what the index holds.
    pub(crate) fn evidence(
        view: &View,
        embedder: &EmbedHandle,
        config: &SearchConfig,
        plan: &SearchPlan,
        candidates: &[Candidate],
    ) -> Result<Option<Evidence>, SearchError> {
        let is_left = !candidates.is_empty() || plan.filters().iter().all(storage::Filter::is_empty);
        if config.answerable_floor <= 0.0 || plan.query.text.trim().is_empty() || !is_left {
            return Ok(None);
        }
        Evidence::of(view, embedder, plan, candidates).map(Some)
    }

    /// Judges the evidence in an index of the model with this fingerprint; `None` where that was not calibrated. With a
    /// floor of 0 nothing is said not to be there.
    pub(crate) fn of(evidence: &Evidence, model: &str, calibration: &Calibration, floor: f64) -> Option<Self> {
        let probability = calibration.judged(evidence, model, floor)?;
        let is_nonsense = calibration.is_nonsense(evidence, model);
        let near = calibration.cosine_above(evidence, model, SENTENCE_DEVIATIONS);
        Some(Self { probability, floor, is_nonsense, near: near.map(|cosine| cosine as f32) })
    }

    /// What is told, given the best that a reranker has said of what it read: it understands more than all the evidence, so
    /// what it finds relevant is not called unanswered.
    pub(crate) fn with(self, relevance: Option<f32>) -> Answerable {
        let probability = self.probability.max(relevance.map_or(0.0, f64::from));
        let verdict = match probability {
            p if p < self.floor => Verdict::Unlikely,
            p if p < LIKELY => Verdict::Unsure,
            _ => Verdict::Likely,
        };
        Answerable { probability, verdict }
    }

    /// The cosine from which a sentence is taken for an answer; `None` where the model was not calibrated or has no say.
    pub(crate) fn near(self) -> Option<f32> {
        self.near
    }

    /// How many results are shown at most; `None` where all are.
    pub(crate) fn closest(self, answerable: Answerable) -> Option<usize> {
        match answerable.verdict {
            Verdict::Unlikely if self.is_nonsense => Some(0),
            Verdict::Unlikely => Some(CLOSEST),
            Verdict::Likely | Verdict::Unsure => None,
        }
    }
}
