//! The options that all training runs share, and what every run does around its steps.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use lab::train::{
    AdamOptions, Checkpoints, DistillOptions, Example, ExportFormat, Lora, NetworkOptions, Objective, Outcome, Report,
    RunOptions, Schedule, Scope, run,
};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::interrupt::on_interrupt;

/// Folder of the checkpoints inside a run's folder.
const CHECKPOINTS: &str = "checkpoints";
/// What a run was asked and how its loss went.
const RECORD: &str = "training.json";
/// Share of the examples that is held out, if none are given for it.
const HELD_OUT: f64 = 0.05;
/// Most examples that are held out.
const MOST_HELD_OUT: usize = 500;

#[derive(Debug, Clone, Args)]
pub(super) struct DataArgs {
    /// Examples: JSON lines {"query": .., "response": .., "rejected_response": [..]}; several files are read as one.
    #[arg(long, required = true, value_name = "FILE")]
    pub(super) data: Vec<PathBuf>,
    /// Examples to evaluate on [default: every 20th of the data, 500 at most].
    #[arg(long, value_name = "FILE")]
    held_out: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct RunArgs {
    /// Folder for the trained model and, until it is done, its checkpoints. The same command goes on after a kill or
    /// Ctrl-C.
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Times that each example is seen.
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    epochs: f64,
    /// Examples in a batch.
    #[arg(long, default_value_t = 32, value_name = "N")]
    batch: usize,
    /// Batches whose gradients make one step.
    #[arg(long, default_value_t = 1, value_name = "N")]
    accumulate: usize,
    /// Highest learning rate [default: 1e-5 for an embedding model, 6e-6 for a reranker, 1e-4 for low-rank differences,
    /// 3e-3 for distill and extend].
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Share of the steps over which the learning rate rises.
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    warmup: f64,
    /// AdamW's decay of matrices.
    #[arg(long, default_value_t = 0.01, value_name = "RATE")]
    weight_decay: f64,
    /// AdamW's decay of the mean of gradients.
    #[arg(long, default_value_t = 0.9, value_name = "RATE")]
    beta1: f64,
    /// AdamW's decay of the mean of their squares.
    #[arg(long, default_value_t = 0.999, value_name = "RATE")]
    beta2: f64,
    /// Added to the root of that mean.
    #[arg(long, default_value_t = 1e-8, value_name = "NUMBER")]
    epsilon: f64,
    /// Longest gradient; longer ones are shortened to it.
    #[arg(long, default_value_t = 1.0, value_name = "LENGTH")]
    clip: f64,
    /// Decides the order of examples and every other chance.
    #[arg(long, default_value_t = 42)]
    pub(super) seed: u64,
    /// Evaluate every so many steps [default: ten times in the run].
    #[arg(long, value_name = "STEPS")]
    evaluate_every: Option<usize>,
    /// Write a checkpoint every so many steps.
    #[arg(long, default_value_t = 200, value_name = "STEPS")]
    checkpoint_every: usize,
    /// Which weights to write at the end.
    #[arg(long, value_enum, default_value_t = Keep::Best)]
    keep: Keep,
    /// How the weights are written.
    #[arg(long, value_enum, default_value_t = Format::F32)]
    pub(super) format: Format,
}

/// What a table of token vectors is to be like.
#[derive(Debug, Clone, Args)]
pub(super) struct LossArgs {
    /// How much the cosine to the teacher's vectors counts.
    #[arg(long, default_value_t = 1.0, value_name = "WEIGHT")]
    cosine: f64,
    /// How much the teacher's ranking of the batch counts.
    #[arg(long, default_value_t = 0.5, value_name = "WEIGHT")]
    lists: f64,
    /// How much the contrastive loss counts.
    #[arg(long, default_value_t = 0.2, value_name = "WEIGHT")]
    contrast: f64,
    /// Temperature of these two.
    #[arg(long, default_value_t = 0.05, value_name = "T")]
    temperature: f64,
    /// Texts are cut to this many tokens.
    #[arg(long, default_value_t = 256, value_name = "N")]
    max_tokens: usize,
}

#[derive(Debug, Clone, Args)]
pub(super) struct ScopeArgs {
    /// Train only weights whose name contains one of these, such as embed_tokens or layers.0.mlp [default: all].
    #[arg(long, value_name = "PART", value_delimiter = ',', conflicts_with = "lora_rank")]
    only: Vec<String>,
    /// Train low-rank differences of this rank instead of the weights (LoRA); they are merged in at the end.
    #[arg(long, value_name = "RANK")]
    lora_rank: Option<usize>,
    /// How much the differences count, over the rank.
    #[arg(long, default_value_t = 32.0, value_name = "ALPHA", requires = "lora_rank")]
    lora_alpha: f64,
    /// Matrices that get a difference: parts of their names.
    #[arg(long, default_value = "_proj", value_name = "PART", value_delimiter = ',', requires = "lora_rank")]
    lora_targets: Vec<String>,
    /// Keep only what enters each layer and compute the rest again: less memory, a third more time.
    #[arg(long)]
    recompute: bool,
    /// Compute in bf16, keep weights, norms and loss in f32. For GPUs.
    #[arg(long)]
    mixed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Keep {
    /// Those of the highest figure on the examples held out.
    Best,
    /// Those of the last step.
    Last,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// 32-bit floating point.
    F32,
    /// 16-bit brain floating point.
    Bf16,
    /// 16-bit floating point.
    F16,
    /// 8-bit integers, a scale for every 32.
    Int8,
    /// A GGUF in Q8_0.
    Gguf,
}

impl From<Format> for ExportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::F32 => Self::F32,
            Format::Bf16 => Self::Bf16,
            Format::F16 => Self::F16,
            Format::Int8 => Self::Int8,
            Format::Gguf => Self::Gguf,
        }
    }
}

impl DataArgs {
    /// Examples to learn from, and those held out.
    pub(super) fn read(&self) -> Result<(Vec<Example>, Vec<Example>)> {
        let mut training = Vec::new();
        for file in &self.data {
            training.extend(Example::read_all(file)?);
        }
        if let Some(file) = &self.held_out {
            return Ok((training, Example::read_all(file)?));
        }
        Ok(hold_out(training))
    }
}

/// What to learn from, and every so manieth for evaluation.
pub(super) fn hold_out<T>(all: Vec<T>) -> (Vec<T>, Vec<T>) {
    let every = ((1.0 / HELD_OUT) as usize).max(all.len() / MOST_HELD_OUT);
    let (mut kept, mut held_out) = (Vec::new(), Vec::new());
    for (index, example) in all.into_iter().enumerate() {
        if index % every == every - 1 { held_out.push(example) } else { kept.push(example) }
    }
    (kept, held_out)
}

impl LossArgs {
    pub(super) fn options(&self) -> DistillOptions {
        DistillOptions {
            cosine: self.cosine,
            lists: self.lists,
            contrast: self.contrast,
            temperature: self.temperature,
            max_tokens: self.max_tokens,
        }
    }
}

impl ScopeArgs {
    pub(super) fn scope(&self) -> Scope {
        match self.lora_rank {
            Some(rank) => Scope::Lora(Lora { rank, alpha: self.lora_alpha, targets: self.lora_targets.clone() }),
            None if self.only.is_empty() => Scope::Everything,
            None => Scope::Matching(self.only.clone()),
        }
    }

    pub(super) fn network(&self) -> NetworkOptions {
        NetworkOptions { recompute: self.recompute, mixed: self.mixed }
    }
}

impl RunArgs {
    /// The loop's options for so many examples; `rate` is the learning rate if none was asked for.
    pub(super) fn options(&self, examples: usize, rate: f64) -> RunOptions {
        let peak = self.learning_rate.unwrap_or(rate);
        let mut options = RunOptions {
            seed: self.seed,
            epochs: self.epochs,
            batch: self.batch,
            accumulate: self.accumulate,
            schedule: Schedule { peak, warmup: self.warmup, floor: 0.0 },
            adam: AdamOptions {
                beta1: self.beta1,
                beta2: self.beta2,
                epsilon: self.epsilon,
                weight_decay: self.weight_decay,
            },
            clip: self.clip,
            evaluate_every: 0,
            checkpoint_every: self.checkpoint_every,
        };
        options.evaluate_every = self.evaluate_every.unwrap_or_else(|| options.steps(examples).div_ceil(10));
        options
    }

    /// Runs the steps, or goes on with them, and puts the wanted weights into the variables. None where the run was
    /// interrupted. `settings` is everything that decides the result.
    pub(super) fn run(
        &self,
        objective: &impl Objective,
        options: &RunOptions,
        settings: &Value,
    ) -> Result<Option<Record>> {
        let place = self.out.join(CHECKPOINTS);
        if self.out.join(RECORD).exists() {
            bail!("{} holds a trained model already; give another folder, or remove it", self.out.display());
        }
        let settings = json!({"run": options, "task": settings});
        let mut checkpoints = Checkpoints::open(&place, settings.clone())?;
        let stop = on_interrupt()?;
        let mut line = Line::default();
        let outcome = run(objective, options, &mut checkpoints, &stop, &mut |report| line.show(report))?;
        if outcome == Outcome::Interrupted {
            eprintln!("stopped; the same command goes on from {}", place.display());
            return Ok(None);
        }
        if self.keep == Keep::Best
            && let Some(best) = checkpoints.restore_best(&objective.variables())?
        {
            eprintln!("kept the weights of the highest figure: {best:.4}");
        }
        Ok(Some(Record { settings, curve: checkpoints.curve().to_vec() }))
    }

    /// After the model was written: what was asked and how it went, and the checkpoints go.
    pub(super) fn finish(&self, record: &Record) -> Result<()> {
        let path = self.out.join(RECORD);
        let text = serde_json::to_string(&json!({"settings": record.settings, "curve": record.curve}))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let place = self.out.join(CHECKPOINTS);
        fs::remove_dir_all(&place).with_context(|| format!("cannot remove {}", place.display()))?;
        println!("{}", self.out.display());
        Ok(())
    }
}

/// What a run was asked, and its loss curve.
pub(super) struct Record {
    settings: Value,
    curve: Vec<Report>,
}

/// What examples are, for the settings of a run.
pub(super) fn digest<T: Serialize>(training: &[T], held_out: &[T]) -> Result<String> {
    let mut hasher = Sha256::new();
    hasher.update(training.len().to_le_bytes());
    for example in training.iter().chain(held_out) {
        hasher.update(serde_json::to_vec(example)?);
    }
    Ok(hex(&hasher.finalize()))
}

/// What a file is, for the settings of a run.
pub(super) fn short_digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The loss curve on standard error: now and then a line, and one for every evaluation.
#[derive(Default)]
struct Line {
    tokens: usize,
    seconds: f64,
    loss: f64,
    steps: usize,
}

/// Seconds of computing between two lines.
const PAUSE: f64 = 5.0;

impl Line {
    fn show(&mut self, report: &Report) {
        self.tokens += report.tokens;
        self.seconds += report.seconds;
        self.loss += report.loss;
        self.steps += 1;
        if report.figures.is_empty() && self.seconds < PAUSE && report.step != report.steps {
            return;
        }
        let figures: Vec<String> = report.figures.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        let _ = writeln!(
            std::io::stderr(),
            "step {}/{}: loss {:.4}, gradient {:.3}, rate {:.2e}, {:.0} tokens/s  {}",
            report.step,
            report.steps,
            self.loss / self.steps as f64,
            report.gradient,
            report.rate,
            self.tokens as f64 / self.seconds.max(1e-9),
            figures.join(", ")
        );
        *self = Self::default();
    }
}

/// The folder must be new, empty, or that of a run that is not done.
pub(super) fn check_out(out: &Path) -> Result<()> {
    if out.join("model.safetensors").exists() && !out.join(CHECKPOINTS).exists() {
        bail!("{} holds a model already; give another folder", out.display());
    }
    Ok(())
}
