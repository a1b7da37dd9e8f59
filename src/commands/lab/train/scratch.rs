//! An index that lives as long as a command: for asking which of many passages a query finds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Result, bail};
use indexer::{IndexOptions, Indexer, TextDocument};
use qwen3::EmbedHandle;
use storage::{IndexModel, Source, Store, View};

use crate::commands::index;
use crate::output::Progress;

/// Name of the source that texts are indexed under.
const TEXTS: &str = "texts";

/// A temporary index, removed at the end.
pub(super) struct Scratch {
    folder: PathBuf,
    view: Arc<View>,
}

/// The folders as sources, each with a name of its own.
pub(super) fn folder_sources(folders: &[PathBuf]) -> Result<Vec<Source>> {
    let mut sources: Vec<Source> = Vec::new();
    for folder in folders {
        let source = index::source_for(folder, None, &sources)?;
        sources.push(source);
    }
    Ok(sources)
}

impl Scratch {
    /// An index of the passages of folders.
    ///
    /// # Errors
    /// A folder cannot be listed, the model or the disk fails, or it was interrupted.
    pub(super) fn of_folders(
        sources: &[Source],
        options: &IndexOptions,
        (embedder, model): (&EmbedHandle, &IndexModel),
        cancel: &AtomicBool,
    ) -> Result<Self> {
        Self::make(model, |store| {
            for source in sources {
                if index::index(store, embedder, source, options.clone(), cancel)?.interrupted {
                    bail!("stopped");
                }
            }
            Ok(())
        })
    }

    /// An index of texts.
    ///
    /// # Errors
    /// The model or the disk fails, or it was interrupted.
    pub(super) fn of_texts(
        texts: impl Iterator<Item = TextDocument> + Send,
        options: &IndexOptions,
        (embedder, model): (&EmbedHandle, &IndexModel),
        cancel: &AtomicBool,
    ) -> Result<Self> {
        Self::make(model, |store| {
            let progress = Progress::new(TEXTS);
            let source = Source { name: TEXTS.to_string(), root: std::env::temp_dir() };
            let report =
                Indexer::new(store, embedder, options.clone(), &progress, cancel).index_texts(&source, texts)?;
            progress.finish();
            if report.interrupted {
                bail!("stopped");
            }
            Ok(())
        })
    }

    fn make(model: &IndexModel, fill: impl FnOnce(&mut Store) -> Result<()>) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("quarry-train-{}", std::process::id()));
        // A killed process with the same number may have left one.
        remove(&folder);
        let made = Store::open(&folder, model).map_err(anyhow::Error::from).and_then(|mut store| {
            fill(&mut store)?;
            let view = store.snapshot().whole()?;
            store.close()?;
            Ok(view)
        });
        match made {
            Ok(view) => Ok(Self { folder, view }),
            Err(error) => {
                remove(&folder);
                Err(error)
            }
        }
    }

    pub(super) fn view(&self) -> &Arc<View> {
        &self.view
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// What is left in the system's temporary folder is no reason to fail.
fn remove(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
}
