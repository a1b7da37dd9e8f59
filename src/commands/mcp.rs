//! `quarry mcp`: an assistant on this machine searches and reads the index, over standard input and output.

use std::process::ExitCode;

use anyhow::Result;
use searcher::Searcher;
use web::AgentParts;

use super::search::viewer_of;
use crate::cli::McpArgs;
use crate::settings::Settings;
use crate::{models, paths};

pub(crate) fn run(settings: &Settings, args: &McpArgs) -> Result<ExitCode> {
    let data_dir = paths::data_dir(settings)?;
    let viewer = viewer_of(&args.seen_as)?;
    let (search, guidance) = (settings.search()?, settings.guidance()?);
    let calibration = settings.calibration()?;
    let (embedder, model) = models::embedder(settings)?;
    let reranker = models::reranker(settings)?;
    let searcher = Searcher::new(embedder, reranker, search).guided(guidance).calibrated(calibration);
    web::serve_agent(AgentParts { data_dir, config: settings.web(), searcher, model, viewer })?;
    Ok(ExitCode::SUCCESS)
}
