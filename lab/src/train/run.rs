//! The loop: batches in an order that the seed decides, gradients, steps, figures, checkpoints. Where a run stands follows
//! from the number of its step alone, so that one that was killed goes on exactly where its last checkpoint was.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use serde::{Deserialize, Serialize};

use super::{
    adamw::{AdamOptions, AdamW},
    allocation::keep_memory,
    checkpoint::Checkpoints,
    draw::Draw,
    gradients::Gradients,
    objective::{Objective, SCORE},
    schedule::Schedule,
};
use crate::error::Result;

/// How a model is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunOptions {
    /// Decides the order of examples and the first values of low-rank differences.
    pub seed: u64,
    /// Times that each example is seen.
    pub epochs: f64,
    /// Examples in a batch.
    pub batch: usize,
    /// Batches whose gradients make one step.
    pub accumulate: usize,
    /// Learning rate by step.
    pub schedule: Schedule,
    /// The optimiser's numbers.
    pub adam: AdamOptions,
    /// Gradients longer than this, as one vector, are shortened to it.
    pub clip: f64,
    /// Evaluate every so many steps, and at the end; 0: at the end only.
    pub evaluate_every: usize,
    /// Write a checkpoint every so many steps; 0: none but at the end.
    pub checkpoint_every: usize,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            seed: 42,
            epochs: 1.0,
            batch: 32,
            accumulate: 1,
            schedule: Schedule { peak: 1e-5, warmup: 0.1, floor: 0.0 },
            adam: AdamOptions::default(),
            clip: 1.0,
            evaluate_every: 0,
            checkpoint_every: 100,
        }
    }
}

/// One line of the loss curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Steps done.
    pub step: usize,
    /// All steps of the run.
    pub steps: usize,
    /// Mean loss of the step's batches.
    pub loss: f64,
    /// Length of the gradient before it was clipped.
    pub gradient: f64,
    /// Learning rate of the step.
    pub rate: f64,
    /// Tokens of the step's texts.
    pub tokens: usize,
    /// Seconds that the step took.
    pub seconds: f64,
    /// Figures on the examples held out, where it was time for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, f64>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All steps are done.
    Finished,
    /// It was asked to stop; the checkpoint knows where.
    Interrupted,
}

/// Where a batch stands in the run.
struct Order<'o> {
    options: &'o RunOptions,
    examples: usize,
    epoch: Option<(usize, Vec<usize>)>,
}

impl RunOptions {
    /// Steps of a run over `examples`: at least one.
    pub fn steps(&self, examples: usize) -> usize {
        let batches = (self.epochs * self.per_epoch(examples) as f64).ceil().max(1.0);
        (batches as usize).div_ceil(self.accumulate.max(1))
    }

    /// Whole batches in an epoch; what is left over comes in another one, which has another order.
    fn per_epoch(&self, examples: usize) -> usize {
        (examples / self.batch.max(1)).max(1)
    }
}

impl Order<'_> {
    /// The examples of batch `number`, counted over all epochs.
    fn batch(&mut self, number: usize) -> Vec<usize> {
        let per_epoch = self.options.per_epoch(self.examples);
        let (epoch, index) = (number / per_epoch, number % per_epoch);
        if self.epoch.as_ref().is_none_or(|(known, _)| *known != epoch) {
            let order = Draw::named(self.options.seed, &format!("epoch {epoch}")).order(self.examples);
            self.epoch = Some((epoch, order));
        }
        let size = self.options.batch.max(1);
        let order = self.epoch.iter().flat_map(|(_, order)| order.iter().copied());
        order.skip(index * size).take(size).collect()
    }
}

/// Trains the variables of `objective` until all steps are done or `stop` is set, going on from the checkpoint that
/// `checkpoints` holds, if any. `observe` sees every step that is made.
///
/// # Errors
/// [`Error::Training`](crate::Error::Training) for a checkpoint of another run, a loss that is no number; those of writing
/// checkpoints.
pub fn run(
    objective: &impl Objective,
    options: &RunOptions,
    checkpoints: &mut Checkpoints,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(&Report),
) -> Result<Outcome> {
    keep_memory();
    let variables = objective.variables();
    let mut adam = AdamW::new(options.adam);
    let mut done = checkpoints.resume(&variables, &mut adam)?;
    let steps = options.steps(objective.examples());
    let mut order = Order { options, examples: objective.examples(), epoch: None };
    while done < steps {
        let started = Instant::now();
        let mut gradients = Gradients::default();
        let accumulate = options.accumulate.max(1);
        let (mut loss, mut tokens) = (0.0, 0);
        for part in 0..accumulate {
            let outcome = objective.step(&order.batch(done * accumulate + part), &mut gradients)?;
            loss += outcome.loss / accumulate as f64;
            tokens += outcome.tokens;
        }
        let gradient = gradients.norm()? / accumulate as f64;
        let rate = options.schedule.rate(done, steps);
        let shortened = if gradient > options.clip { options.clip / gradient } else { 1.0 };
        adam.step(&variables, &gradients, shortened / accumulate as f64, rate, done + 1)?;
        done += 1;
        let is_due = |every: usize| done == steps || (every > 0 && done.is_multiple_of(every));
        let seconds = started.elapsed().as_secs_f64();
        let figures = if is_due(options.evaluate_every) { objective.evaluate()? } else { BTreeMap::new() };
        let report = Report { step: done, steps, loss, gradient, rate, tokens, seconds, figures };
        observe(&report);
        let score = report.figures.get(SCORE).copied();
        checkpoints.record(report);
        if let Some(score) = score {
            checkpoints.keep_best(&variables, score)?;
        }
        let is_stopped = stop.load(Ordering::Relaxed);
        if is_due(options.checkpoint_every) || is_stopped {
            checkpoints.write(&variables, &adam)?;
        }
        if is_stopped && done < steps {
            return Ok(Outcome::Interrupted);
        }
    }
    Ok(Outcome::Finished)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_sees_its_examples_once() {
        let options = RunOptions { batch: 3, epochs: 2.0, ..RunOptions::default() };
        assert_eq!(options.steps(10), 6);
        assert_eq!(RunOptions { accumulate: 4, ..options.clone() }.steps(10), 2);
        assert_eq!(RunOptions { batch: 100, epochs: 0.1, ..options.clone() }.steps(10), 1);
        let mut order = Order { options: &options, examples: 10, epoch: None };
        let first: Vec<usize> = (0..3).flat_map(|number| order.batch(number)).collect();
        let second: Vec<usize> = (3..6).flat_map(|number| order.batch(number)).collect();
        for epoch in [&first, &second] {
            let mut sorted = epoch.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), 9);
        }
        assert!(first != second);
        // Any batch may be asked for without those before it.
        assert_eq!(Order { options: &options, examples: 10, epoch: None }.batch(4), second[3..6]);
    }
}
