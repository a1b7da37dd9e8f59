//! The commands of the laboratory: measuring quality and speed, and training. They wire the crate `lab` to the command
//! line; without the feature of that name the binary has none of them.

mod beir;
mod bench;
mod eval;
mod train;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::settings::Settings;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum LabCommand {
    /// Measure the quality of search on a folder of judged questions (BEIR layout).
    Eval(eval::EvalArgs),
    /// Measure speed.
    Bench(bench::BenchArgs),
    /// Train models on your own documents.
    Train(train::TrainArgs),
}

impl LabCommand {
    /// Whether it may make files in the data folder.
    pub(crate) fn writes_data_folder(&self) -> bool {
        match self {
            Self::Eval(_) => true,
            Self::Bench(_) | Self::Train(_) => false,
        }
    }
}

pub(crate) fn run(settings: &Settings, command: &LabCommand) -> Result<ExitCode> {
    match command {
        LabCommand::Eval(args) => eval::run(settings, args),
        LabCommand::Bench(args) => bench::run(settings, args),
        LabCommand::Train(args) => train::run(settings, args),
    }
}
