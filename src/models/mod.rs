//! Models: what `--model`, `--reranker` and `--writer` name, the folder where named ones are kept, and opening them.
//!
//! Opening never uses the network: a model that is not here is an error that says how to get it.

#[cfg(feature = "hub")]
mod hub;
mod manifest;
#[cfg(feature = "hub")]
mod meter;
mod name;
#[cfg(feature = "hub")]
mod pull;
mod shelf;
#[cfg(feature = "hub")]
mod transfer;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use qwen3::{
    EmbedHandle, Embedder, EmbedderOptions, GenerateHandle, Generator, GeneratorOptions, ModelFiles, RerankHandle,
    Reranker, RerankerOptions, WorkerOptions,
};
use storage::IndexModel;

use crate::cli::Precision;
use crate::elsewhere::EmbeddingConfig;
use crate::paths;
use crate::settings::Settings;

#[cfg(feature = "hub")]
pub(crate) use hub::Hub;
pub(crate) use name::{BUNDLED, KNOWN, ModelName, Repository};
#[cfg(feature = "hub")]
pub(crate) use pull::{Outcome, pull};
pub(crate) use shelf::Shelf;
pub(crate) use verify::{Check, Outcome as CheckOutcome, Report, verify};

/// A model that is here: its name for people, and its place.
pub(crate) struct Located {
    pub(crate) name: String,
    pub(crate) place: Place,
}

/// Where a model's files are.
pub(crate) enum Place {
    /// In this binary.
    Bundled,
    /// A folder, or a GGUF file.
    Path(PathBuf),
}

/// Finds what the user named: an existing path, the bundled model, or a model on the shelf.
///
/// # Errors
/// When it is not here, with the ways to get it.
pub(crate) fn locate(settings: &Settings, text: &Path) -> Result<Located> {
    let shelf = Shelf::of(settings);
    let shelved = |repository: &Repository| -> Result<PathBuf> {
        match &shelf {
            Ok(shelf) => shelf.find(repository),
            Err(error) => Err(anyhow::anyhow!("{error:#}")),
        }
    };
    match ModelName::read(text)? {
        ModelName::Bundled => Ok(Located { name: BUNDLED.to_string(), place: Place::Bundled }),
        ModelName::Path(path) => {
            report_ambiguity(text, &shelved);
            let path = model_path(&path)?;
            Ok(Located { name: path_name(text), place: Place::Path(path) })
        }
        ModelName::Repository(repository) => {
            Ok(Located { name: repository.to_string(), place: Place::Path(shelved(&repository)?) })
        }
    }
}

/// Says so when a path was taken that is also the name of a model that is here.
fn report_ambiguity(text: &Path, shelved: &impl Fn(&Repository) -> Result<PathBuf>) {
    let other = match text.to_str().map(ModelName::parse) {
        Some(Ok(ModelName::Bundled)) => "the model in the binary".to_string(),
        Some(Ok(ModelName::Repository(repository))) => match shelved(&repository) {
            Ok(path) => path.display().to_string(),
            Err(_) => return,
        },
        _ => return,
    };
    let text = text.display();
    eprintln!("note: {text} is taken as the path ./{text}, not as {other}, which has the same name");
}

/// What to open of a path: a folder with a config.json, a GGUF file, or the only GGUF file of a folder.
fn model_path(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() || path.join("config.json").exists() {
        return Ok(path.to_owned());
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot read the folder {}", path.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "gguf")).collect();
    match files.len() {
        1 => Ok(files.remove(0)),
        // Without one, opening the folder says what is missing.
        0 => Ok(path.to_owned()),
        _ => bail!("{} holds several GGUF files; name one of them", path.display()),
    }
}

/// The files of a model that is here.
pub(crate) fn files(located: &Located) -> Result<ModelFiles> {
    match &located.place {
        Place::Bundled => bundled(),
        Place::Path(path) => open_files(path),
    }
}

fn open_files(path: &Path) -> Result<ModelFiles> {
    ModelFiles::open(path).with_context(|| format!("cannot use the model {}", path.display()))
}

const NANO_WEIGHTS: &[u8] = include_bytes!("../../fixtures/models/nano/model.safetensors");
/// About how much of the binary is its model.
pub(crate) const BUNDLED_BYTES: u64 = NANO_WEIGHTS.len() as u64;

/// The small model that every binary carries: a fresh machine searches without a download.
fn bundled() -> Result<ModelFiles> {
    let files = ModelFiles::embedded(
        "the bundled model",
        include_bytes!("../../fixtures/models/nano/config.json"),
        include_bytes!("../../fixtures/models/nano/tokenizer.json"),
        NANO_WEIGHTS,
    );
    files.context("the binary was built with a damaged model; build it again from a fresh clone")
}

/// The embedding model that the user named, or the bundled one.
pub(crate) fn embedding_model(settings: &Settings) -> Result<Located> {
    match &settings.model {
        Some(model) => locate(settings, model),
        None => Ok(Located { name: BUNDLED.to_string(), place: Place::Bundled }),
    }
}

/// The embedding model, here or elsewhere, and how the index names it.
pub(crate) fn embedder(settings: &Settings) -> Result<(EmbedHandle, IndexModel)> {
    let known = paths::data_dir(settings).ok().and_then(|folder| storage::model_of(&folder).ok());
    match one_embedder(settings)?.model(settings.dimension, known.as_ref())? {
        Some(elsewhere) => Ok(elsewhere),
        None => embedder_here(settings),
    }
}

/// [`embedder`] for an index that is made anew. One elsewhere is asked who it is now, whoever it was before.
pub(crate) fn embedder_anew(settings: &Settings) -> Result<(EmbedHandle, IndexModel)> {
    let folder = paths::data_dir(settings)?;
    let known: Vec<IndexModel> =
        storage::model_of(&folder).ok().into_iter().chain(storage::model_of_rebuild(&folder)).collect();
    match one_embedder(settings)?.model_anew(settings.dimension, &known)? {
        Some(elsewhere) => Ok(elsewhere),
        None => embedder_here(settings),
    }
}

/// The settings of the embedding model elsewhere, unless another one is named as well.
fn one_embedder(settings: &Settings) -> Result<&EmbeddingConfig> {
    if settings.model.is_some() && !settings.embedding.endpoint.is_empty() {
        bail!("there are two embedding models: name embedding.endpoint or model (--model), not both");
    }
    Ok(&settings.embedding)
}

fn embedder_here(settings: &Settings) -> Result<(EmbedHandle, IndexModel)> {
    let located = embedding_model(settings)?;
    let options = EmbedderOptions {
        precision: precision(settings.precision),
        device: settings.device.unwrap_or_default(),
        dimension: settings.dimension,
        ..EmbedderOptions::default()
    };
    let Located { name, .. } = &located;
    let embedder =
        Embedder::open(&files(&located)?, options).with_context(|| format!("cannot use the embedding model {name}"))?;
    let (fingerprint, dimension) = (embedder.fingerprint().to_string(), embedder.dimension());
    let model = IndexModel { name: located.name, fingerprint, dimension };
    Ok((EmbedHandle::start(embedder, &WorkerOptions::default())?, model))
}

/// The reranker, if one is named, here or elsewhere.
pub(crate) fn reranker(settings: &Settings) -> Result<Option<RerankHandle>> {
    let Some(reranker) = &settings.reranker else { return settings.reranking.model() };
    if !settings.reranking.endpoint.is_empty() {
        bail!("there are two rerankers: name reranking.endpoint or reranker (--reranker), not both");
    }
    let located = locate(settings, reranker)?;
    let options = RerankerOptions {
        precision: precision(settings.precision),
        device: settings.device.unwrap_or_default(),
        ..RerankerOptions::default()
    };
    let reranker = Reranker::open(&files(&located)?, options)
        .with_context(|| format!("cannot use the reranker {}", located.name))?;
    Ok(Some(RerankHandle::start(reranker, &WorkerOptions::default())?))
}

/// The model that writes, if one is named.
pub(crate) fn writer(settings: &Settings) -> Result<Option<GenerateHandle>> {
    let Some(writer) = &settings.writer else { return Ok(None) };
    let (context_tokens, memory_tokens) = settings.writing.tokens()?;
    let worker = settings.writing.worker()?;
    let located = locate(settings, writer)?;
    let options = GeneratorOptions {
        precision: precision(settings.precision),
        device: settings.device.unwrap_or_default(),
        context_tokens: Some(context_tokens),
        memory_tokens: Some(memory_tokens),
    };
    let generator = Generator::open(&files(&located)?, options)
        .with_context(|| format!("cannot use the writer {}", located.name))?;
    Ok(Some(GenerateHandle::start(generator, &worker)?))
}

/// What the status calls the reranker.
pub(crate) fn reranker_name(settings: &Settings) -> Result<Option<String>> {
    let elsewhere = Some(&settings.reranking.model).filter(|name| !name.is_empty());
    Ok(shown_name(settings.reranker.as_deref())?.or_else(|| elsewhere.cloned()))
}

/// What the status calls a model: never where it lies.
pub(crate) fn shown_name(model: Option<&Path>) -> Result<Option<String>> {
    let Some(model) = model else { return Ok(None) };
    Ok(Some(match ModelName::read(model)? {
        ModelName::Bundled => BUNDLED.to_string(),
        ModelName::Repository(repository) => repository.to_string(),
        ModelName::Path(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
    }))
}

/// The last part of a path, to name a model by.
fn path_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

pub(crate) fn precision(precision: Option<Precision>) -> qwen3::Precision {
    match precision.unwrap_or_default() {
        Precision::Auto => qwen3::Precision::Auto,
        Precision::F32 => qwen3::Precision::F32,
        Precision::Bf16 => qwen3::Precision::Bf16,
        Precision::Int8 => qwen3::Precision::Int8,
    }
}
