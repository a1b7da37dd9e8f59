//! Calibration: what turns [`Evidence`] into the probability that something answers. A logistic regression for each
//! [`Ground`], fitted to judged questions by `quarry train calibrate`.
//!
//! What meaning says is on the scale of one model, so those weights hold for that model alone, by its fingerprint. Without weights
//! for its model a search that asks vectors is not judged at all; one by words alone always is.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::SearchError;
use crate::evidence::{Evidence, Ground};
use crate::nearness::Spread;

/// Fitted to the bundled model; see docs/BENCHMARKS.md for what it was made of.
const BUNDLED: &str = include_str!("calibration.json");

/// Weights of the evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// What it was made of, for people.
    pub made: String,
    /// For words alone.
    pub words: Line,
    /// For searches that ask vectors.
    pub meaning: Option<MeaningCalibration>,
    /// For answers by words alone; without it none are given there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<AnswerLines>,
}

/// Weights of what speaks for a sentence as the answer to a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerLines {
    /// What it was made of, for people.
    pub made: String,
    /// Which sentence is the likeliest.
    pub pick: Line,
    /// Whether the likeliest answers.
    pub trust: Line,
    /// The probability from which it is said.
    pub floor: f64,
}

/// Weights of what one model says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeaningCalibration {
    /// Fingerprint of the model, its prompts and its dimension.
    pub model: String,
    /// Cosines of a query and a passage that have nothing to do with each other.
    pub background: Spread,
    /// Tokens per character that questions in scripts with spaces hardly exceed: the model has to spell out what does.
    pub fluent: f64,
    /// For meaning alone.
    pub alone: Line,
    /// For words and meaning.
    pub both: Line,
    /// For answers; without it none are given where this model has a say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<AnswerLines>,
}

/// The log odds of an answer as a weighted sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The log odds where every number is 0.
    pub bias: f64,
    /// The weight of each number of [`Evidence::numbers`].
    pub weights: BTreeMap<String, f64>,
}

impl Line {
    /// The log odds that go with the numbers.
    pub fn odds(&self, numbers: &[(&'static str, f64)]) -> f64 {
        let weight = |name: &str| self.weights.get(name).copied().unwrap_or(0.0);
        self.bias + numbers.iter().map(|(name, value)| weight(name) * value).sum::<f64>()
    }

    /// The probability that goes with the numbers.
    pub fn probability(&self, numbers: &[(&'static str, f64)]) -> f64 {
        1.0 / (1.0 + (-self.odds(numbers)).exp())
    }
}

impl Calibration {
    /// Reads a file that `quarry train calibrate` has written.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn read(file: &Path) -> Result<Self, SearchError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| SearchError::CalibrationUnread { file: file.to_owned(), source })?;
        serde_json::from_str(&text).map_err(|source| SearchError::Calibration { file: file.to_owned(), source })
    }

    /// That of the bundled model.
    ///
    /// # Errors
    /// It is none: a bug.
    pub fn bundled() -> Result<Self, SearchError> {
        serde_json::from_str(BUNDLED)
            .map_err(|source| SearchError::Calibration { file: "calibration.json".into(), source })
    }

    /// The probability that something answers, in an index of the model with this fingerprint; `None` where that model was
    /// not calibrated and has a say.
    pub fn probability(&self, evidence: &Evidence, model: &str) -> Option<f64> {
        let ground = evidence.ground();
        if ground == Ground::Words {
            return Some(self.by_words(evidence));
        }
        let meaning = self.of_model(model)?;
        let line = if ground == Ground::Both { &meaning.both } else { &meaning.alone };
        Some(line.probability(&evidence.numbers(ground, meaning.background)))
    }

    /// The probability by what words say alone.
    pub(crate) fn by_words(&self, evidence: &Evidence) -> f64 {
        let nothing = Spread { mean: 0.0, deviation: 1.0 };
        self.words.probability(&evidence.numbers(Ground::Words, nothing))
    }

    /// [`Calibration::probability`], raised to the floor where what was asked for is there by its exact form, and where the
    /// nearest passages are in another script than the query: such a search is never called unanswered.
    pub fn judged(&self, evidence: &Evidence, model: &str, floor: f64) -> Option<f64> {
        let probability = self.probability(evidence, model)?;
        // Words of another script say nothing, and vectors alone cannot tell a poor translation from none.
        let is_beyond_words = evidence.is_foreign() && !self.is_garbled(evidence, model);
        Some(if evidence.is_exact() || is_beyond_words { probability.max(floor) } else { probability })
    }

    /// Whether a query is nothing to the index: no word of it is known, and to the model, where that has a say, it is no text
    /// either.
    pub fn is_nonsense(&self, evidence: &Evidence, model: &str) -> bool {
        evidence.is_unknown() && (evidence.meaning().is_none() || self.is_garbled(evidence, model))
    }

    /// The cosine that lies so many deviations above the background of a query.
    pub(crate) fn cosine_above(&self, evidence: &Evidence, model: &str, deviations: f64) -> Option<f64> {
        let (meaning, known) = evidence.meaning().zip(self.of_model(model))?;
        Some(meaning.cosine_at(deviations, known.background))
    }

    /// Whether the model has to spell the query out, as it does with random letters.
    fn is_garbled(&self, evidence: &Evidence, model: &str) -> bool {
        self.of_model(model).zip(evidence.fertility()).is_some_and(|(known, fertility)| fertility > known.fluent)
    }

    /// The weights of a model.
    pub(crate) fn of_model(&self, model: &str) -> Option<&MeaningCalibration> {
        self.meaning.as_ref().filter(|calibration| calibration.model == model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tests::{of_nothing, of_words, with_code, with_meaning};

    #[test]
    fn the_bundled_weights_are_those_of_the_numbers_there_are() {
        let bundled = Calibration::bundled().unwrap();
        let meaning = bundled.meaning.clone().unwrap();
        let evidence = with_meaning(of_words(), 0.5);
        for (line, ground) in
            [(&bundled.words, Ground::Words), (&meaning.alone, Ground::Meaning), (&meaning.both, Ground::Both)]
        {
            let mut names: Vec<&str> =
                evidence.numbers(ground, meaning.background).into_iter().map(|(name, _)| name).collect();
            names.sort_unstable();
            assert_eq!(line.weights.keys().map(String::as_str).collect::<Vec<_>>(), names, "{ground:?}");
        }
    }

    #[test]
    fn good_evidence_is_likely_and_none_is_nonsense() {
        let bundled = Calibration::bundled().unwrap();
        let model = bundled.meaning.as_ref().unwrap().model.clone();
        for (good, bad) in
            [(of_words(), of_nothing()), (with_meaning(of_words(), 0.6), with_meaning(of_nothing(), 0.1))]
        {
            assert!(bundled.probability(&good, &model).unwrap() > 0.7, "{good:?}");
            assert!(bundled.probability(&bad, &model).unwrap() < 0.1, "{bad:?}");
            assert!(bundled.is_nonsense(&bad, &model) && !bundled.is_nonsense(&good, &model));
        }
        // What is there by its exact form is never below the floor, whatever else speaks against it.
        assert_eq!(bundled.judged(&with_code(of_nothing()), &model, 0.3), Some(0.3));
    }

    #[test]
    fn a_model_that_was_not_calibrated_is_judged_by_words_alone_or_not_at_all() {
        let bundled = Calibration::bundled().unwrap();
        assert!(bundled.probability(&of_words(), "another").is_some());
        assert_eq!(bundled.probability(&with_meaning(of_words(), 0.5), "another"), None);
        assert!(!bundled.is_nonsense(&with_meaning(of_nothing(), 0.1), "another"));
    }

    #[test]
    fn a_file_that_is_no_calibration_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"words\": 1}").unwrap();
        let error = Calibration::read(file.path()).unwrap_err().to_string();
        assert!(error.contains("is no calibration; make one with `quarry train calibrate`"), "{error}");
        let error = Calibration::read(Path::new("/nowhere/at.json")).unwrap_err().to_string();
        assert!(error.contains("cannot read the calibration /nowhere/at.json"), "{error}");
    }
}
