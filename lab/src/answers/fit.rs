//! The fit of answers to cases, and its measurement on sets that it was not fitted to.

use std::collections::BTreeMap;

use searcher::{AnswerLines, Calibration, Mode, Ranked, Setting, Supported, ranked};

use super::cases::{AnswerCase, CaseKind};
use crate::calibration::logistic::{self, Example};

/// What a fit is for.
pub struct AnswerGoal<'g> {
    /// Judges whether anything answers.
    pub calibration: &'g Calibration,
    /// Fingerprint of the model.
    pub model: &'g str,
    /// The share of what is said that must be right.
    pub precision: f64,
    /// What it is made of, for people.
    pub made: &'g str,
}

/// The likeliest sentence of a case.
#[derive(Debug, Clone)]
pub struct Judged<'c> {
    /// The case.
    pub case: &'c AnswerCase,
    /// The sentence.
    pub text: &'c str,
    /// The probability that it answers.
    pub trust: f64,
    /// Whether it does.
    pub is_right: bool,
}

/// The cases of a set that took no part in a fit, judged by it.
pub struct AnswerFold<'c> {
    /// The number of the set.
    pub set: usize,
    /// From which probability a sentence is said.
    pub floor: f64,
    /// The cases with the same say of vectors, each with its likeliest sentence.
    pub judged: Vec<Judged<'c>>,
}

fn setting<'c>(case: &'c AnswerCase, goal: &'c AnswerGoal<'_>) -> Setting<'c> {
    let meaning = goal.calibration.meaning.as_ref().filter(|known| known.model == goal.model);
    let meaning = case.evidence.meaning().zip(meaning).map(|(nearness, known)| (nearness, known.background));
    let answerable = goal.calibration.probability(&case.evidence, goal.model).unwrap_or(0.5);
    Setting { meaning, answerable }
}

fn best<'c>(case: &'c AnswerCase, lines: &AnswerLines, goal: &AnswerGoal<'_>) -> Option<(Ranked<'c>, usize)> {
    let units: &'c [(Supported, bool)] = &case.units;
    let supported: Vec<Supported> = units.iter().map(|(unit, _)| unit.clone()).collect();
    let place = |unit: &Supported| {
        units.iter().position(|(own, _)| own.passage == unit.passage && own.unit == unit.unit).unwrap_or(0)
    };
    let text = |unit: &Supported| case.texts[place(unit)].clone();
    let first = ranked(&supported, lines, setting(case, goal), &text).into_iter().next()?;
    let at = place(first.unit);
    Some((Ranked { unit: &units[at].0, odds: first.odds, lead: first.lead }, at))
}

/// Fits lines to the cases of one mode. Answered and unanswered questions count alike, and within each the sets. The floor is the
/// lowest from which on the wanted share of what is said is right.
pub fn fit_answers(cases: &[&AnswerCase], goal: &AnswerGoal<'_>) -> AnswerLines {
    let nothing = logistic::fit(&[]);
    let mut lines =
        AnswerLines { made: goal.made.to_owned(), pick: logistic::fit(&pick(cases, goal)), trust: nothing, floor: 1.0 };
    let bests: Vec<(&AnswerCase, Ranked<'_>, usize)> =
        cases.iter().filter_map(|case| best(case, &lines, goal).map(|(ranked, at)| (*case, ranked, at))).collect();
    let weights = weights(cases);
    let weight = |case: &AnswerCase| weights[&(case.kind == CaseKind::Answered, case.set)];
    let trust: Vec<Example> = bests
        .iter()
        .map(|(case, ranked, at)| Example {
            numbers: ranked.numbers(setting(case, goal)),
            is_positive: case.units[*at].1,
            weight: weight(case),
        })
        .collect();
    lines.trust = logistic::fit(&trust);
    let mut outcomes: Vec<(f64, bool, f64)> =
        trust.iter().map(|one| (lines.trust.probability(&one.numbers), one.is_positive, one.weight)).collect();
    lines.floor = floor(&mut outcomes, goal.precision);
    lines
}

/// Units of the questions that one of them answers; those that answer and those that don't count alike.
fn pick(cases: &[&AnswerCase], goal: &AnswerGoal<'_>) -> Vec<Example> {
    let mut examples = Vec::new();
    for case in cases.iter().filter(|case| case.kind == CaseKind::Answered) {
        let right = case.units.iter().filter(|(_, is_right)| *is_right).count();
        if right == 0 || right == case.units.len() {
            continue;
        }
        let setting = setting(case, goal);
        for (unit, is_right) in &case.units {
            let alike = if *is_right { right } else { case.units.len() - right };
            let numbers = unit.support.numbers(setting.meaning);
            examples.push(Example { numbers, is_positive: *is_right, weight: 1.0 / alike as f64 });
        }
    }
    examples
}

/// What a case counts, by whether it has an answer and by its set.
fn weights(cases: &[&AnswerCase]) -> BTreeMap<(bool, usize), f64> {
    let mut counts: BTreeMap<(bool, usize), f64> = BTreeMap::new();
    for case in cases {
        *counts.entry((case.kind == CaseKind::Answered, case.set)).or_default() += 1.0;
    }
    counts.into_iter().map(|(key, count)| (key, 1.0 / count)).collect()
}

/// The lowest probability from which on at least this share, by weight, came true; 1 where there is none.
fn floor(outcomes: &mut [(f64, bool, f64)], precision: f64) -> f64 {
    outcomes.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut said, mut right, mut lowest) = (0.0, 0.0, 1.0);
    for (trust, is_right, weight) in outcomes {
        said += *weight;
        right += if *is_right { *weight } else { 0.0 };
        if right >= precision * said {
            lowest = *trust;
        }
    }
    // To three digits, upwards.
    (lowest * 1_000.0f64).ceil() / 1_000.0
}

/// The cases of each set, judged by what was fitted to the others.
pub fn answer_folds<'c>(
    cases: &'c [AnswerCase],
    sets: usize,
    mode: Mode,
    goal: &AnswerGoal<'_>,
) -> Vec<AnswerFold<'c>> {
    let of_mode = |case: &&AnswerCase| case.mode == mode;
    let fold = |set: usize| {
        let others: Vec<&AnswerCase> = cases.iter().filter(of_mode).filter(|case| case.set != set).collect();
        let lines = fit_answers(&others, goal);
        let own = cases.iter().filter(of_mode).filter(|case| case.set == set);
        let judged = own.filter_map(|case| {
            let (ranked, at) = best(case, &lines, goal)?;
            let trust = lines.trust.probability(&ranked.numbers(setting(case, goal)));
            Some(Judged { case, text: &case.texts[at], trust, is_right: case.units[at].1 })
        });
        AnswerFold { set, floor: lines.floor, judged: judged.collect() }
    };
    (0..sets).map(fold).collect()
}
