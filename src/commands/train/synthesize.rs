//! `quarry train synthesize`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::cli::Cli;
use crate::config::FileConfig;

#[derive(Debug, Clone, Args)]
pub(super) struct SynthesizeArgs {}

pub(super) fn run(_cli: &Cli, _args: &SynthesizeArgs, _file: &FileConfig) -> Result<ExitCode> {
    bail!("not built yet")
}
