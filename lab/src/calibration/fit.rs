//! The fit of a calibration to cases, and its measurement on sets that it was not fitted to.

use std::collections::BTreeMap;

use searcher::{Calibration, Ground, MeaningCalibration, Nearness, Spread};

use super::cases::{Case, Kind};
use super::logistic::{self, Example};
use crate::evaluation::percentile;

/// What "hardly any" leaves out, in percent.
const MOST: f64 = 99.0;

/// A calibration, and the cases of a set that took no part in it with their probabilities.
pub struct Fold<'c> {
    /// The number of the set.
    pub set: usize,
    /// The cases with their probabilities.
    pub judged: Vec<(&'c Case, f64)>,
}

/// What a fit is for.
pub struct Calibrated<'m> {
    /// Fingerprint of the model.
    pub model: &'m str,
    /// What it is made of, for people.
    pub made: &'m str,
}

/// Fits weights to the cases. Answered and unanswered questions count alike, and so do the kinds of unanswered ones, and
/// within each the sets.
pub fn calibrate(cases: &[&Case], about: &Calibrated<'_>) -> Calibration {
    let background = background(cases);
    let line = |ground: Ground| logistic::fit(&examples(cases, ground, background));
    Calibration {
        made: about.made.to_owned(),
        answers: None,
        words: line(Ground::Words),
        meaning: Some(MeaningCalibration {
            model: about.model.to_owned(),
            background,
            fluent: fluent(cases),
            alone: line(Ground::Meaning),
            both: line(Ground::Both),
            answers: None,
        }),
    }
}

/// The cases of each set, judged by what was fitted to the others.
pub fn folds<'c>(cases: &'c [Case], sets: usize, floor: f64, about: &Calibrated<'_>) -> Vec<Fold<'c>> {
    let fold = |set: usize| {
        let others: Vec<&Case> = cases.iter().filter(|case| case.set != set).collect();
        let calibration = calibrate(&others, about);
        let own = cases.iter().filter(|case| case.set == set);
        let judged = own.filter_map(|case| Some((case, calibration.judged(&case.evidence, about.model, floor)?)));
        Fold { set, judged: judged.collect() }
    };
    (0..sets).map(fold).collect()
}

fn examples(cases: &[&Case], ground: Ground, background: Spread) -> Vec<Example> {
    // What is raised to the floor for its script teaches nothing.
    let counts = |case: &&&Case| case.evidence.ground() == ground && !case.evidence.is_foreign();
    let own: Vec<&&Case> = cases.iter().filter(counts).collect();
    let alike = |kind: Kind, set: usize| own.iter().filter(|case| case.kind == kind && case.set == set).count();
    let kinds = Kind::ALL.into_iter().filter(|kind| own.iter().any(|case| case.kind == *kind)).count();
    let weight = |case: &Case| {
        let share = if case.kind == Kind::Answered { 1.0 } else { 1.0 / kinds.saturating_sub(1).max(1) as f64 };
        share / alike(case.kind, case.set) as f64
    };
    let mut known = BTreeMap::new();
    let mut weight = |case: &Case| *known.entry((case.kind, case.set)).or_insert_with(|| weight(case));
    let example = |case: &&&Case| Example {
        numbers: case.evidence.numbers(ground, background),
        is_positive: case.kind == Kind::Answered,
        weight: weight(case),
    };
    own.iter().map(example).collect()
}

/// What cosines of the model with texts that have nothing to do with a query are like.
fn background(cases: &[&Case]) -> Spread {
    let spreads: Vec<Spread> =
        cases.iter().filter_map(|case| case.evidence.meaning()).map(Nearness::background).collect();
    let mean = |of: &dyn Fn(&Spread) -> f64| spreads.iter().map(of).sum::<f64>() / spreads.len().max(1) as f64;
    let deviation = mean(&|spread| spread.deviation);
    Spread { mean: rounded(mean(&|spread| spread.mean), 1e4), deviation: rounded(deviation, 1e4).max(1e-4) }
}

/// Tokens per character that answered questions hardly exceed.
fn fluent(cases: &[&Case]) -> f64 {
    let answered = cases.iter().filter(|case| case.kind == Kind::Answered);
    let fertilities: Vec<f64> = answered.filter_map(|case| case.evidence.fertility()).collect();
    rounded(percentile(&fertilities, MOST).unwrap_or(1.0), 100.0)
}

fn rounded(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}
