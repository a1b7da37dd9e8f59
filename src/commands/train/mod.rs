//! `quarry train`: make training data, train models, merge and export them.

mod mine;
mod synthesize;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::cli::Cli;
use crate::config::FileConfig;

#[derive(Debug, Clone, Args)]
pub(crate) struct TrainArgs {
    #[command(subcommand)]
    command: TrainCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum TrainCommand {
    /// Add texts that look right and are not (hard negatives) to training examples.
    Mine(mine::MineArgs),
    /// Make training examples from documents: queries, and the passages that answer them.
    Synthesize(synthesize::SynthesizeArgs),
}

pub(crate) fn run(cli: &Cli, args: &TrainArgs, file: &FileConfig) -> Result<ExitCode> {
    match &args.command {
        TrainCommand::Mine(args) => mine::run(cli, args, file),
        TrainCommand::Synthesize(args) => synthesize::run(cli, args, file),
    }
}
