//! From logits to the next token: the processors of transformers, in its order. Repetition penalty, then (where tokens
//! are drawn) temperature, top-k, top-p, min-p, then the draw; otherwise the likeliest token. What is ruled out is minus
//! infinity.

mod draw;
mod greedy;
mod min_p;
mod repetition_penalty;
mod temperature;
mod top_k;
mod top_p;

use serde::{Deserialize, Serialize};

/// How the next token is chosen. The defaults are those of transformers without a generation_config.json: the
/// likeliest token, and 50 tokens to choose from where a temperature is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Logits are divided by it; 0 takes the likeliest token, whatever `top_k`, `top_p` and `min_p` are.
    pub temperature: f32,
    /// Only so many of the likeliest tokens are drawn from; 0 for all.
    pub top_k: usize,
    /// Only the likeliest tokens that together reach this probability; 1 for all.
    pub top_p: f32,
    /// Only tokens of at least this share of the likeliest one's probability; 0 for all.
    pub min_p: f32,
    /// Logits of tokens that are there already are divided by it where positive and multiplied by it where negative; 1
    /// for no change.
    pub repetition_penalty: f32,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.0, top_k: 50, top_p: 1.0, min_p: 0.0, repetition_penalty: 1.0 }
    }
}

impl Sampling {
    /// What is wrong with the numbers, naming the first: "temperature must be 0 to 100, got -1".
    pub(crate) fn problem(&self) -> Option<String> {
        let bounds = [
            ("temperature", self.temperature, 0.0, 100.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("repetition_penalty", self.repetition_penalty, 0.01, 100.0),
        ];
        // A value that is no number lies in no bounds.
        let outside = bounds.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value));
        outside.map(|(name, value, least, most)| format!("{name} must be {least} to {most}, got {value}"))
    }

    /// Whether tokens are drawn.
    pub(crate) fn draws(&self) -> bool {
        self.temperature > 0.0
    }

    /// The next token after `known` ids (prompt and what was written), none where every token is ruled out. `chance` is a
    /// uniform number from 0 (inclusive) to 1. The logits are spoilt.
    pub(crate) fn choose(&self, logits: &mut [f32], chance: f64) -> Option<u32> {
        if !self.draws() {
            return greedy::likeliest(logits);
        }
        temperature::warp(logits, self.temperature);
        top_k::warp(logits, self.top_k);
        top_p::warp(logits, self.top_p);
        min_p::warp(logits, self.min_p);
        draw::draw(logits, chance)
    }

    /// What comes before the choice: makes tokens that are there already less likely.
    pub(crate) fn penalise(&self, logits: &mut [f32], known: &[u32]) {
        if self.repetition_penalty != 1.0 {
            repetition_penalty::warp(logits, known, self.repetition_penalty);
        }
    }
}

pub(crate) use draw::chance;

/// Largest logit; minus infinity where all are ruled out.
fn largest(logits: &[f32]) -> f32 {
    logits.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [1.0, 3.0, 2.0, -1.0, 0.0];

    #[test]
    fn the_likeliest_token_unless_a_temperature_is_asked_for() {
        let greedy = Sampling::default();
        assert_eq!(greedy.choose(&mut LOGITS.clone(), 0.99), Some(1));
        let sampled = Sampling { temperature: 1.0, ..greedy };
        let drawn: Vec<u32> =
            (0..100).filter_map(|i| sampled.choose(&mut LOGITS.clone(), f64::from(i) / 100.0)).collect();
        for token in [0, 1, 2, 4] {
            assert!(drawn.contains(&token), "{token} is likely enough to come up: {drawn:?}");
        }
    }

    /// Expected values: transformers 5.24, its processors in its order, on these logits.
    #[test]
    fn processors_come_in_the_order_of_transformers() {
        // The penalty first: 3 becomes 1.5, and 2 is the largest. Divided by 2: [0.5, 0.75, 1, -0.5, 0].
        let sampling = Sampling { temperature: 2.0, top_k: 3, top_p: 0.7, min_p: 0.0, repetition_penalty: 2.0 };
        let mut logits = LOGITS;
        sampling.penalise(&mut logits, &[1]);
        assert_eq!(logits, [1.0, 1.5, 2.0, -1.0, 0.0]);
        // Of the three best, e^1 : e^0.75 : e^0.5 = 0.419 : 0.326 : 0.254; the two best reach 0.7. Were top-p taken of
        // all five (0.349, 0.272, 0.212, ..), it would have kept three.
        let tokens: std::collections::BTreeSet<u32> =
            (0..100).filter_map(|i| sampling.choose(&mut logits.clone(), f64::from(i) / 100.0)).collect();
        assert_eq!(tokens.into_iter().collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn nothing_is_chosen_of_nothing() {
        for sampling in
            [Sampling::default(), Sampling { temperature: 1.0, top_p: 0.5, min_p: 0.1, ..Sampling::default() }]
        {
            assert_eq!(sampling.choose(&mut [f32::NEG_INFINITY; 4], 0.5), None);
            assert_eq!(sampling.choose(&mut [], 0.5), None);
            assert_eq!(sampling.choose(&mut [f32::NEG_INFINITY, -3.0], 0.999), Some(1));
        }
    }

    #[test]
    fn impossible_numbers_are_named() {
        let problem = |sampling: Sampling| sampling.problem().unwrap_or_default();
        assert_eq!(problem(Sampling::default()), "");
        assert!(
            problem(Sampling { temperature: -1.0, ..Sampling::default() }).contains("temperature must be 0 to 100")
        );
        assert!(problem(Sampling { top_p: f32::NAN, ..Sampling::default() }).contains("top_p"));
        assert!(problem(Sampling { min_p: 1.5, ..Sampling::default() }).contains("min_p must be 0 to 1, got 1.5"));
        assert!(problem(Sampling { repetition_penalty: 0.0, ..Sampling::default() }).contains("repetition_penalty"));
    }
}
