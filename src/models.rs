//! Opening the models that the command line names, or the one in the binary.

use std::path::Path;

use anyhow::{Context, Result};
use qwen3::{
    EmbedHandle, Embedder, EmbedderOptions, ModelFiles, RerankHandle, Reranker, RerankerOptions, WorkerOptions,
};
use storage::IndexModel;

use crate::cli::{Cli, Precision};

/// The small model that every binary carries: a fresh machine searches without a download.
fn bundled() -> Result<ModelFiles> {
    let files = ModelFiles::embedded(
        "the bundled model",
        include_bytes!("../fixtures/models/nano/config.json"),
        include_bytes!("../fixtures/models/nano/tokenizer.json"),
        include_bytes!("../fixtures/models/nano/model.safetensors"),
    );
    files.context("the binary was built with a damaged model; build it again from a fresh clone")
}

/// The embedding model and how the index names it.
pub(crate) fn embedder(cli: &Cli) -> Result<(EmbedHandle, IndexModel)> {
    let (files, name) = match &cli.model {
        Some(folder) => (folder_files(folder)?, folder_name(folder)),
        None => (bundled()?, "nano".to_string()),
    };
    let options =
        EmbedderOptions { precision: precision(cli.precision), dimension: cli.dimension, ..EmbedderOptions::default() };
    let embedder = Embedder::open(&files, options).with_context(|| format!("cannot use the embedding model {name}"))?;
    let model = IndexModel { name, fingerprint: embedder.fingerprint().to_string(), dimension: embedder.dimension() };
    Ok((EmbedHandle::start(embedder, &WorkerOptions::default())?, model))
}

/// The reranker, if one is named.
pub(crate) fn reranker(cli: &Cli) -> Result<Option<RerankHandle>> {
    let Some(folder) = &cli.reranker else { return Ok(None) };
    let options = RerankerOptions { precision: precision(cli.precision), ..RerankerOptions::default() };
    let reranker = Reranker::open(&folder_files(folder)?, options)
        .with_context(|| format!("cannot use the reranker {}", folder.display()))?;
    Ok(Some(RerankHandle::start(reranker, &WorkerOptions::default())?))
}

fn folder_files(folder: &Path) -> Result<ModelFiles> {
    ModelFiles::folder(folder).with_context(|| format!("cannot use the model folder {}", folder.display()))
}

fn folder_name(folder: &Path) -> String {
    folder.file_name().map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn precision(precision: Option<Precision>) -> qwen3::Precision {
    match precision.unwrap_or_default() {
        Precision::F32 => qwen3::Precision::F32,
        Precision::Bf16 => qwen3::Precision::Bf16,
    }
}
