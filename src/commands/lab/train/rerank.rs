//! `quarry train rerank`: teach a reranker "yes" and "no" by examples.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use lab::train::{Network, Parameters, RerankingOptions, RerankingTask, Scope, write_model};
use serde_json::json;

use super::embed::Lists;
use super::options::{DataArgs, RunArgs, ScopeArgs, check_out, digest};
use crate::interrupt::INTERRUPTED;
use crate::models;
use crate::settings::Settings;

/// Learning rate for whole weights, and for low-rank differences.
const RATES: [f64; 2] = [6e-6, 1e-4];

#[derive(Debug, Clone, Args)]
pub(super) struct RerankArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Most negatives of an example; one without any gets the response of another.
    #[arg(long, default_value_t = 7, value_name = "N")]
    negatives: usize,
    /// Prompts are cut to this many tokens.
    #[arg(long, default_value_t = 1024, value_name = "N")]
    max_tokens: usize,
    /// How much the answers count.
    #[arg(long, default_value_t = 1.0, value_name = "WEIGHT")]
    answers: f64,
    /// Learn lists from the "scores" of the examples.
    #[arg(long, value_enum, value_name = "LOSS")]
    lists: Option<Lists>,
    /// How much the lists count.
    #[arg(long, default_value_t = 1.0, value_name = "WEIGHT", requires = "lists")]
    lists_weight: f64,
    /// Both sides of the lists are divided by this before the softmax.
    #[arg(long, default_value_t = 1.0, value_name = "T", requires = "lists")]
    lists_temperature: f64,
    /// Most tokens computed at a time.
    #[arg(long, default_value_t = 8192, value_name = "N")]
    part_tokens: usize,
    /// Batches of more tokens are computed twice instead of kept.
    #[arg(long, default_value_t = 65_536, value_name = "N")]
    kept_tokens: usize,
}

pub(super) fn run(settings: &Settings, args: &RerankArgs) -> Result<ExitCode> {
    check_out(&args.run.out)?;
    let model = settings.reranker.as_deref().context("expected --reranker MODEL: the model to begin with")?;
    let located = models::locate(settings, model)?;
    let files = models::files(&located)?;
    let (training, held_out) = args.data.read()?;
    eprintln!("{} examples to learn from, {} held out", training.len(), held_out.len());
    let scope = args.scope.scope();
    let parameters = Parameters::open(&files, &scope, args.run.seed, settings.device.unwrap_or_default())?;
    let network = Network::new(&parameters, args.scope.network());
    let options = RerankingOptions {
        negatives: args.negatives,
        max_tokens: args.max_tokens,
        answers: args.answers,
        lists: args.lists.map(|lists| (lists.loss(args.lists_temperature), args.lists_weight)),
        part_tokens: args.part_tokens,
        kept_tokens: args.kept_tokens,
    };
    let task = RerankingTask::new(&files, &network, &training, &held_out, options.clone())?;
    let settings = json!({
        "model": files.fingerprint()?, "data": digest(&training, &held_out)?, "scope": format!("{scope:?}"), "reranking": options,
        "network": format!("{:?}", args.scope.network()),
    });
    let rate = RATES[usize::from(matches!(scope, Scope::Lora(_)))];
    let Some(record) = args.run.run(&task, &args.run.options(training.len(), rate), &settings)? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    write_model(&args.run.out, &files, &parameters.merged()?, args.run.format.into())?;
    args.run.finish(&record)?;
    Ok(ExitCode::SUCCESS)
}
