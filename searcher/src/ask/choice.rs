//! The choice: which units answer, and how sure that is. First the units of a search are put in order, then it is judged whether the
//! best of them can be trusted; what cannot is not shown.

use std::collections::HashSet;

use storage::PassageRef;

use super::support::{Support, Supported};
use crate::calibration::AnswerLines;
use crate::nearness::{Nearness, Spread};

/// Units that are shown of one answer.
const SENTENCES: usize = 3;
/// A further unit is at most so much less likely than the best, in log odds.
const CLOSE: f64 = 1.0;
/// It has to be surer than the best: of two sentences that are as likely, one often only goes with the other.
const FURTHER: f64 = 0.9;
/// Leads above this say no more.
const MOST_LEAD: f64 = 6.0;
/// Below this a reranker does not find that a passage answers.
const RELEVANT: f32 = 0.5;

/// What the choice goes by beside the units.
#[derive(Clone, Copy)]
pub struct Setting<'s> {
    /// What cosines are like elsewhere, where vectors have a say.
    pub meaning: Option<(&'s Nearness, Spread)>,
    /// The probability that something in the index answers.
    pub answerable: f64,
}

/// A unit in the order of likelihood.
#[derive(Debug, Clone)]
pub struct Ranked<'u> {
    /// The unit.
    pub unit: &'u Supported,
    /// Log odds that it answers, were it by itself.
    pub odds: f64,
    /// How much likelier it is than the next that says something else; negative for what is not the best.
    pub lead: f64,
}

/// A unit that answers.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The unit.
    pub unit: Supported,
    /// The probability that it answers.
    pub trust: f64,
}

/// All units, the likeliest first. Units with the same text are one: the first of them.
pub fn ranked<'u>(
    units: &'u [Supported],
    lines: &AnswerLines,
    setting: Setting<'_>,
    text: &dyn Fn(&Supported) -> String,
) -> Vec<Ranked<'u>> {
    let rated = |unit: &'u Supported| (unit, lines.pick.odds(&unit.support.numbers(setting.meaning)));
    let mut ranked: Vec<(&Supported, f64)> = units.iter().map(rated).collect();
    // Stable: of equal ones the one of the better passage stays first.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut seen = HashSet::new();
    ranked.retain(|(unit, _)| seen.insert(text(unit)));
    let (best, second) = (ranked.first().map(|(_, odds)| *odds), ranked.get(1).map(|(_, odds)| *odds));
    let lead = |at: usize, odds: f64| {
        let other = if at == 0 { second } else { best };
        other.map_or(MOST_LEAD, |other| (odds - other).clamp(-MOST_LEAD, MOST_LEAD))
    };
    ranked.into_iter().enumerate().map(|(at, (unit, odds))| Ranked { unit, odds, lead: lead(at, odds) }).collect()
}

impl Ranked<'_> {
    /// The numbers that decide whether it is trusted, by their names.
    pub fn numbers(&self, setting: Setting<'_>) -> Vec<(&'static str, f64)> {
        let wanted = ["covered", "short", "passage", "named", "unnamed", "cosine"];
        let p = setting.answerable.clamp(0.001, 0.999);
        let own = [("odds", self.odds), ("lead", self.lead), ("answerable", (p / (1.0 - p)).ln())];
        let of_unit = self.unit.support.numbers(setting.meaning);
        own.into_iter().chain(of_unit.into_iter().filter(|(name, _)| wanted.contains(name))).collect()
    }
}

/// The units that answer, in the order of likelihood: none, or up to [`SENTENCES`] of which each is trusted.
pub fn chosen(ranked: &[Ranked<'_>], lines: &AnswerLines, setting: Setting<'_>) -> Vec<Chosen> {
    let Some(best) = ranked.first() else { return Vec::new() };
    let trust = |ranked: &Ranked<'_>| lines.trust.probability(&ranked.numbers(setting));
    let is_refused = |support: &Support| support.relevance().is_some_and(|relevance| relevance < RELEVANT);
    let mut chosen: Vec<Chosen> = Vec::new();
    let mut places: HashSet<PassageRef> = HashSet::new();
    for unit in ranked.iter().take_while(|unit| unit.odds >= best.odds - CLOSE) {
        let trust = trust(unit);
        let floor = if chosen.is_empty() { lines.floor } else { lines.floor.max(FURTHER) };
        let is_trusted = trust >= floor && !is_refused(&unit.unit.support);
        // The best decides: without it there is no answer.
        if !is_trusted && chosen.is_empty() {
            return chosen;
        }
        if is_trusted && (places.len() < SENTENCES || places.contains(&unit.unit.passage)) {
            places.insert(unit.unit.passage);
            chosen.push(Chosen { unit: unit.unit.clone(), trust });
        }
        if chosen.len() == SENTENCES {
            break;
        }
    }
    chosen
}
