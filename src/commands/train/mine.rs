//! `quarry train mine`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::cli::Cli;
use crate::config::FileConfig;

#[derive(Debug, Clone, Args)]
pub(super) struct MineArgs {}

pub(super) fn run(_cli: &Cli, _args: &MineArgs, _file: &FileConfig) -> Result<ExitCode> {
    bail!("not built yet")
}
