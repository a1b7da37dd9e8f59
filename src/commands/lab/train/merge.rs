//! `quarry train merge`: one model out of several checkpoints, by slerp.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use lab::train::{merge, write_model};

use super::options::{Format, check_out};
use crate::models;
use crate::settings::Settings;

#[derive(Debug, Clone, Args)]
pub(super) struct MergeArgs {
    /// Models of one shape, two or more.
    #[arg(required = true, num_args = 2.., value_name = "MODEL")]
    models: Vec<PathBuf>,
    /// How much each counts [default: all alike].
    #[arg(long, value_name = "WEIGHT", value_delimiter = ',')]
    weights: Vec<f64>,
    /// Folder for the merged model, with the first one's config and tokenizer.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How the weights are written.
    #[arg(long, value_enum, default_value_t = Format::F32)]
    format: Format,
}

pub(super) fn run(settings: &Settings, args: &MergeArgs) -> Result<ExitCode> {
    let weights = if args.weights.is_empty() { vec![1.0; args.models.len()] } else { args.weights.clone() };
    if weights.len() != args.models.len() {
        bail!("{} models and {} weights; expected one for each", args.models.len(), weights.len());
    }
    check_out(&args.out)?;
    let mut opened = Vec::with_capacity(weights.len());
    for (model, weight) in args.models.iter().zip(weights) {
        opened.push((models::files(&models::locate(settings, model)?)?, weight));
    }
    let merged = merge(&opened)?;
    write_model(&args.out, &opened[0].0, &merged, args.format.into())?;
    println!("{}", args.out.display());
    Ok(ExitCode::SUCCESS)
}
