//! The corpus of an evaluation set, indexed: in a temporary folder, or in one that is kept and used again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use indexer::{IndexOptions, Indexer, RunReport, Until, VectorTiming};
use lab::evaluation::BeirSet;
use sha2::{Digest as _, Sha256};
use storage::{Source, Store, View};

use super::setup::Models;
use super::{Bench, SOURCE};
use crate::commands::lab::beir;
use crate::output::Progress;
use crate::paths;

/// Where the index is made.
pub(in crate::commands::lab) enum Place {
    /// Used again if it is complete.
    Kept(PathBuf),
    /// Removed after the measurement.
    Temporary(PathBuf),
}

impl Place {
    /// A folder of its own for this set and model below one that is kept.
    pub(in crate::commands::lab) fn kept_below(
        folder: &Path,
        set: &BeirSet,
        dir: &Path,
        models: &Models,
    ) -> Result<Self> {
        // Two sets may have the same name, two models the same fingerprint in different precisions.
        let root = absolute(dir)?;
        let precision = match models.embedder.place() {
            qwen3::Place::Here { precision, .. } => format!("{precision:?}").to_lowercase(),
            qwen3::Place::Elsewhere(_) => "elsewhere".to_owned(),
        };
        let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
        let root: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let model: String = models.model.fingerprint.chars().take(12).collect();
        Ok(Self::Kept(folder.join(format!("{}-{root}-{model}-{precision}", set.name))))
    }

    pub(in crate::commands::lab) fn temporary(set: &BeirSet) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("quarry-eval-{}-{}-{number}", set.name, std::process::id());
        Self::Temporary(std::env::temp_dir().join(name))
    }

    /// The place for the same documents beside others.
    pub(in crate::commands::lab) fn beside_noise(self) -> Self {
        let beside = |folder: PathBuf| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            folder.with_file_name(format!("{name}-noise"))
        };
        match self {
            Self::Kept(folder) => Self::Kept(beside(folder)),
            Self::Temporary(folder) => Self::Temporary(beside(folder)),
        }
    }

    fn folder(&self) -> &Path {
        match self {
            Self::Kept(folder) | Self::Temporary(folder) => folder,
        }
    }
}

/// The corpus, indexed.
pub(in crate::commands::lab) struct EvalIndex {
    pub(in crate::commands::lab) view: Arc<View>,
    pub(in crate::commands::lab) documents: u64,
    pub(in crate::commands::lab) seconds: f64,
    place: Place,
}

impl EvalIndex {
    pub(in crate::commands::lab) fn build(
        place: Place,
        bench: &Bench,
        (set, dir, noise): (&BeirSet, &Path, &[PathBuf]),
        models: &Models,
    ) -> Result<Self> {
        let mut store = Store::open(place.folder(), &models.model)?;
        let started = Instant::now();
        let root = absolute(bench.args.docs.as_deref().unwrap_or(dir))?;
        let noise = noise_sources(noise)?;
        let is_other = |source: &&Source| (source.name != SOURCE || source.root != root) && !noise.contains(source);
        if let Some(other) = store.sources().iter().find(is_other) {
            let (folder, other) = (place.folder().display(), other.root.display());
            bail!("the index in {folder} is of {other}; give each corpus a --data-dir of its own");
        }
        if store.last_run(SOURCE)?.is_some() && bench.args.docs.is_none() {
            eprintln!("{}: the index in {} is complete and used as it is", set.name, place.folder().display());
        } else {
            let report = fill(&mut store, bench, set, dir, models)?;
            eprintln!("{}: {} documents read", set.name, report.indexed);
        }
        for source in &noise {
            let report = add(&mut store, bench, source, models)?;
            eprintln!("{}: {} documents read from {}", set.name, report.indexed, source.root.display());
        }
        let seconds = started.elapsed().as_secs_f64();
        let documents = store.statistics()?.documents;
        let view = store.snapshot().whole()?;
        store.close()?;
        Ok(Self { view, documents, seconds, place })
    }

    pub(in crate::commands::lab) fn remove(self) {
        let Place::Temporary(folder) = self.place else { return };
        drop(self.view);
        // A leftover in the system's temporary folder is no reason to fail after a measurement.
        let _ = std::fs::remove_dir_all(folder);
    }
}

fn fill(store: &mut Store, bench: &Bench, set: &BeirSet, dir: &Path, models: &Models) -> Result<RunReport> {
    let progress = Progress::new(&set.name);
    let cancel = AtomicBool::new(false);
    let vectors = bench.args.embedded.map_or(bench.options.vectors, |_| VectorTiming::Later);
    let options = IndexOptions { vectors, ..bench.options.clone() };
    let mut indexer = Indexer::new(store, &models.embedder, options, &progress, &cancel);
    let report = match &bench.args.docs {
        Some(docs) => {
            let source = Source { name: SOURCE.to_string(), root: paths::source_root(docs)? };
            indexer.index_source(&source)?
        }
        None => {
            let source = Source { name: SOURCE.to_string(), root: absolute(dir)? };
            let mut failed = None;
            let report = indexer.index_texts(&source, beir::texts(set.corpus()?, &mut failed))?;
            if let Some(error) = failed {
                return Err(error.into());
            }
            report
        }
    };
    if let Some(percent) = bench.args.embedded {
        indexer.embed_backlog(Until::Left(report.chunks * (100 - percent) / 100))?;
    }
    progress.finish();
    Ok(report)
}

/// Folders of files as sources.
fn noise_sources(folders: &[PathBuf]) -> Result<Vec<Source>> {
    let source = |(number, folder): (usize, &PathBuf)| {
        Ok(Source { name: format!("noise-{}", number + 1), root: paths::source_root(folder)? })
    };
    folders.iter().enumerate().map(source).collect()
}

fn add(store: &mut Store, bench: &Bench, source: &Source, models: &Models) -> Result<RunReport> {
    let progress = Progress::new(&source.name);
    let cancel = AtomicBool::new(false);
    let mut indexer = Indexer::new(store, &models.embedder, bench.options.clone(), &progress, &cancel);
    let report = indexer.index_source(source)?;
    progress.finish();
    Ok(report)
}

fn absolute(folder: &Path) -> Result<PathBuf> {
    folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))
}
