//! `quarry train`: make training data, train models, merge and export them.

mod answers;
mod calibrate;
mod distill;
mod embed;
mod export;
mod extend;
mod merge;
mod mine;
mod options;
mod rerank;
mod scratch;
mod synthesize;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::settings::Settings;

#[derive(Debug, Clone, Args)]
pub(crate) struct TrainArgs {
    #[command(subcommand)]
    command: TrainCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum TrainCommand {
    /// Adapt an embedding model (--model, or the bundled one) to examples.
    Embed(Box<embed::EmbedArgs>),
    /// Teach a reranker (--reranker) by examples.
    Rerank(Box<rerank::RerankArgs>),
    /// Make a small, fast embedding model out of a large one.
    Distill(Box<distill::DistillArgs>),
    /// Teach a model that distill made other languages, by translations.
    Extend(Box<extend::ExtendArgs>),
    /// Fit the probability that something answers to judged questions, or measure it on them.
    Calibrate(calibrate::CalibrateArgs),
    /// Fit which sentence answers a question, and whether it can be trusted to, or measure it.
    Answers(answers::AnswersArgs),
    /// Merge checkpoints of one model (slerp).
    Merge(merge::MergeArgs),
    /// Write a model in another number format.
    Export(export::ExportArgs),
    /// Add texts that look right and are not (hard negatives) to training examples.
    Mine(mine::MineArgs),
    /// Make training examples from documents: queries, and the passages that answer them.
    Synthesize(synthesize::SynthesizeArgs),
}

pub(crate) fn run(settings: &Settings, args: &TrainArgs) -> Result<ExitCode> {
    match &args.command {
        TrainCommand::Embed(args) => embed::run(settings, args),
        TrainCommand::Rerank(args) => rerank::run(settings, args),
        TrainCommand::Distill(args) => distill::run(settings, args),
        TrainCommand::Extend(args) => extend::run(settings, args),
        TrainCommand::Calibrate(args) => calibrate::run(settings, args),
        TrainCommand::Answers(args) => answers::run(settings, args),
        TrainCommand::Merge(args) => merge::run(settings, args),
        TrainCommand::Export(args) => export::run(settings, args),
        TrainCommand::Mine(args) => mine::run(settings, args),
        TrainCommand::Synthesize(args) => synthesize::run(settings, args),
    }
}
