//! The engine behind all answers: the searcher over the newest snapshot, the models, and the writer. Made in the
//! background while the server already says that it lives.

use std::path::PathBuf;
use std::sync::Arc;

use indexer::{IndexOptions, Vanished};
use qwen3::{EmbedHandle, RerankHandle};
use searcher::{Calibration, Rules, SearchConfig, Searcher, Synonyms};
use storage::{Snapshot, SnapshotHandle, Source, Store, TruthReader, View, Viewer};

use crate::config::IndexConfig;
use crate::error::Error;
use crate::guard::Caller;
use crate::jobs::Jobs;
use crate::links::Links;
use crate::pushed::Pushed;
use crate::writer::{Writer, WriterParts};

/// Why the index or a model could not be opened.
pub type OpenError = Box<dyn std::error::Error + Send + Sync>;

/// The opened parts that the command hands over.
pub struct EngineParts {
    /// The index, opened for writing.
    pub store: Store,
    /// The embedding model of the index.
    pub embedder: EmbedHandle,
    /// The reranker, if there is one, and its name for people.
    pub reranker: Option<(String, RerankHandle)>,
    /// Folders to bring up to date at once, beside those that the index knows.
    pub sources: Vec<Source>,
    /// The data folder.
    pub data_dir: PathBuf,
    /// How files are read.
    pub indexing: IndexOptions,
    /// How is searched.
    pub search: SearchConfig,
    /// Words that stand for each other.
    pub synonyms: Synonyms,
    /// What comes first, and what counts more or less.
    pub rules: Rules,
    /// How is judged whether anything answers.
    pub calibration: Calibration,
}

/// Everything a request needs.
pub(crate) struct Engine {
    pub(crate) searcher: Searcher,
    pub(crate) embedder: EmbedHandle,
    pub(crate) reranker: Option<RerankHandle>,
    /// Empty without one.
    pub(crate) reranker_name: String,
    pub(crate) truth: TruthReader,
    pub(crate) writer: Writer,
    pub(crate) pushed: Arc<Pushed>,
    pub(crate) links: Links,
    snapshots: SnapshotHandle,
}

impl Engine {
    /// Starts the writer, which begins with all sources.
    pub(crate) fn start(parts: EngineParts, config: &IndexConfig, jobs: Arc<Jobs>) -> Result<Self, OpenError> {
        let EngineParts {
            mut store,
            embedder,
            reranker,
            sources,
            data_dir,
            indexing,
            search,
            synonyms,
            rules,
            calibration,
        } = parts;
        // Before anything is read: no text is seen before it is said who may see it.
        for source in &config.sources {
            if let Some(rules) = source.source_access()? {
                store.set_source_access(&source.name, Some(rules))?;
            }
        }
        let indexing = IndexOptions {
            commit_documents: config.commit_documents,
            vanished: Vanished::RefuseAbove(f64::from(config.max_deleted_percent) / 100.0),
            ..indexing
        };
        let (reranker_name, reranker) = reranker.map_or((String::new(), None), |(name, handle)| (name, Some(handle)));
        let pushed = Arc::new(Pushed::open(&data_dir)?);
        let links = Links::of(pushed.links(), config);
        let snapshots = store.snapshots();
        let truth = store.truth();
        let searcher = Searcher::new(embedder.clone(), reranker.clone(), search);
        let searcher = searcher.with_synonyms(synonyms).with_rules(rules).calibrated(calibration);
        let writer = Writer::start(WriterParts {
            store,
            embedder: embedder.clone(),
            config,
            indexing,
            jobs,
            first: sources,
            pushed: Arc::clone(&pushed),
            data_dir: &data_dir,
        })?;
        Ok(Self { searcher, embedder, reranker, reranker_name, truth, writer, pushed, links, snapshots })
    }

    /// The newest snapshot.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.get()
    }

    /// What somebody sees now.
    ///
    /// # Errors
    /// The index is damaged.
    pub(crate) fn view(&self, caller: &Caller) -> Result<Arc<View>, Error> {
        Ok(self.snapshot().view(&caller.viewer())?)
    }

    /// What there is now, for what the server does by itself.
    ///
    /// # Errors
    /// The index is damaged.
    pub(crate) fn whole(&self) -> Result<Arc<View>, Error> {
        Ok(self.snapshot().view(&Viewer::of_everything())?)
    }

    /// The number that tells somebody whether anything has changed.
    ///
    /// # Errors
    /// The index is damaged.
    pub(crate) fn generation(&self, caller: &Caller) -> Result<u64, Error> {
        Ok(self.view(caller)?.generation()?)
    }

    /// The source of that name, whoever sees anything of it.
    pub(crate) fn source(&self, name: &str) -> Option<Source> {
        self.whole().ok()?.source(name).cloned()
    }

    /// The source of that name, if it is there for somebody.
    ///
    /// # Errors
    /// [`Error::NotFound`], also where there is a source and nothing of it is for them.
    pub(crate) fn source_for(&self, caller: &Caller, name: &str) -> Result<Source, Error> {
        self.view(caller)?.source(name).cloned().ok_or(Error::NotFound { what: "the source" })
    }
}
