//! `quarry train export`: write a model in another number format.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use lab::train::{Parameters, Scope, write_model};
use qwen3::DeviceChoice;

use super::options::{Format, check_out};
use crate::models;
use crate::settings::Settings;

#[derive(Debug, Clone, Args)]
pub(super) struct ExportArgs {
    /// The model: a name, a folder or a .gguf file.
    model: PathBuf,
    /// Folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How the weights are written.
    #[arg(long, value_enum)]
    format: Format,
}

pub(super) fn run(settings: &Settings, args: &ExportArgs) -> Result<ExitCode> {
    check_out(&args.out)?;
    let files = models::files(&models::locate(settings, &args.model)?)?;
    let parameters = Parameters::open(&files, &Scope::Everything, 0, DeviceChoice::Cpu)?;
    for path in write_model(&args.out, &files, &parameters.merged()?, args.format.into())? {
        println!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
