//! Nearness: how near the nearest passages are to a query, on the scale of passages that have nothing to do with it.
//!
//! A cosine of 0.4 is much for one model and nothing for another, and much among invoices where it is nothing among
//! articles on one subject. So it is compared with the cosines of a sample of the index.

use serde::{Deserialize, Serialize};
use storage::{PassageRef, View};

use crate::candidate::Candidate;
use crate::error::SearchError;
use crate::fuse::Place;

/// Passages of each retriever that are looked at.
pub(crate) const HEAD: usize = 10;
/// How many vectors of a sample what is known of the model counts as, so that an index of three passages is not
/// compared with itself alone.
const KNOWN_VECTORS: f64 = 50.0;
/// Ranks beyond this depend on how deep was recalled.
const DEEPEST: usize = 100;

/// Cosines of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearness {
    best: f64,
    /// With the tenth; `None` if there are fewer.
    tenth: Option<f64>,
    /// The best with a passage at the head of the lexical retriever, where one is near enough to be known.
    best_by_words: Option<f64>,
    /// With the sample of the index.
    background: Spread,
    /// Vectors in the sample.
    sample: usize,
}

/// Mean and standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
}

impl Nearness {
    /// `None` where vectors had no say.
    pub(crate) fn of(
        view: &View,
        vector: Option<&[f32]>,
        nearest: &[(PassageRef, Place)],
        by_words: &[(PassageRef, Place)],
        candidates: &[Candidate],
    ) -> Result<Option<Self>, SearchError> {
        let Some((vector, (_, best))) = vector.zip(nearest.first()) else { return Ok(None) };
        let cosines: Vec<f64> = view.background()?.iter().map(|other| f64::from(dot(vector, other))).collect();
        let is_by_words = |candidate: &&Candidate| by_words.iter().any(|(passage, _)| *passage == candidate.passage);
        let known = candidates.iter().filter(is_by_words).filter_map(|candidate| candidate.vector);
        let known = known.filter(|place| place.rank <= DEEPEST).map(|place| f64::from(place.score));
        Ok(Some(Self {
            best: f64::from(best.score),
            tenth: nearest.get(HEAD - 1).map(|(_, place)| f64::from(place.score)),
            best_by_words: known.reduce(f64::max),
            background: Spread::of(&cosines),
            sample: cosines.len(),
        }))
    }

    /// With the nearest passage.
    pub fn best(&self) -> f64 {
        self.best
    }

    /// The best with a passage at the head of the lexical retriever, where one is near enough to be known.
    pub fn best_by_words(&self) -> Option<f64> {
        self.best_by_words
    }

    /// With the sample of the index.
    pub fn background(&self) -> Spread {
        self.background
    }

    /// How many deviations a cosine is above the background. `known` is what the background of the model is like elsewhere.
    pub fn above(&self, cosine: f64, known: Spread) -> f64 {
        let scale = self.scale(known);
        (cosine - scale.mean) / scale.deviation
    }

    /// The cosine that is so many deviations above the background.
    pub(crate) fn cosine_at(&self, deviations: f64, known: Spread) -> f64 {
        let scale = self.scale(known);
        scale.mean + deviations * scale.deviation
    }

    /// How many deviations of the background the nearest passage is nearer than the tenth.
    pub fn lead(&self, known: Spread) -> f64 {
        let scale = self.scale(known);
        (self.best - self.tenth.unwrap_or(scale.mean)) / scale.deviation
    }

    /// Mean and deviation of the background: of the sample, and the fewer it holds the more of what is known of the model.
    fn scale(&self, known: Spread) -> Spread {
        let share = self.sample as f64 / (self.sample as f64 + KNOWN_VECTORS);
        let mix = |own: f64, known: f64| share * own + (1.0 - share) * known;
        let Spread { mean, deviation } = self.background;
        Spread {
            mean: mix(mean, known.mean),
            deviation: mix(deviation.powi(2), known.deviation.powi(2)).sqrt().max(1e-6),
        }
    }
}

impl Spread {
    /// Of these values.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        Self { mean, deviation: variance.sqrt() }
    }
}

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
impl Nearness {
    /// With a nearest passage of that cosine.
    pub(crate) fn sample(best: f64) -> Self {
        let background = Spread { mean: 0.1, deviation: 0.08 };
        Self { best, tenth: Some(best * 0.8), best_by_words: Some(best), background, sample: 500 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearness(sample: usize) -> Nearness {
        let background = Spread { mean: 0.1, deviation: 0.05 };
        Nearness { best: 0.6, tenth: Some(0.5), best_by_words: None, background, sample }
    }

    #[test]
    fn a_small_index_is_measured_by_what_is_known_of_the_model() {
        let known = Spread { mean: 0.2, deviation: 0.1 };
        assert!((nearness(0).above(0.6, known) - 4.0).abs() < 1e-9);
        assert!((nearness(1_000_000).above(0.6, known) - 10.0).abs() < 0.01);
        let between = nearness(50).above(0.6, known);
        assert!(4.0 < between && between < 10.0, "{between}");
    }

    #[test]
    fn the_lead_is_over_the_tenth_or_over_the_background() {
        let known = Spread { mean: 0.1, deviation: 0.05 };
        assert!((nearness(50).lead(known) - 2.0).abs() < 1e-9);
        let few = Nearness { tenth: None, ..nearness(50) };
        assert!((few.lead(known) - 10.0).abs() < 1e-9);
    }
}
