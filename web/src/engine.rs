//! The engine behind all answers: the searcher over the newest snapshot, the models, and the writer. Made in the
//! background while the server already says that it lives.

use std::path::PathBuf;
use std::sync::Arc;

use connect::Mirrors;
use indexer::{IndexOptions, Vanished};
use prometheus_client::metrics::counter::Counter;
use qwen3::{EmbedHandle, GenerateHandle, RerankHandle};
use searcher::{Answer, Calibration, GuidanceFiles, Reply, SearchConfig, Searcher};
use storage::{Snapshot, SnapshotHandle, Source, Store, TruthReader, View, Viewer};

use crate::config::Config;
use crate::error::Error;
use crate::guard::Caller;
use crate::guidance::GuidanceDesk;
use crate::insights::{Asked, Insights};
use crate::jobs::Jobs;
use crate::links::Links;
use crate::log_tail::LogTail;
use crate::pushed::Pushed;
use crate::writer::{Writer, WriterParts};

/// Why the index or a model could not be opened.
pub type OpenError = Box<dyn std::error::Error + Send + Sync>;

/// The opened parts that the command hands over.
pub struct EngineParts {
    /// The index, opened for writing; where backups are followed, by [`Store::open_following`].
    pub store: Store,
    /// The embedding model of the index.
    pub embedder: EmbedHandle,
    /// The reranker, if there is one, and its name for people.
    pub reranker: Option<(String, RerankHandle)>,
    /// What writes answers, if anything does.
    pub answers: Option<Arc<dyn searcher::Writer>>,
    /// The model that writes, likewise.
    pub generator: Option<(String, GenerateHandle)>,
    /// Folders to bring up to date at once, beside those that the index knows.
    pub sources: Vec<Source>,
    /// The data folder.
    pub data_dir: PathBuf,
    /// How files are read.
    pub indexing: IndexOptions,
    /// How is searched.
    pub search: SearchConfig,
    /// Where administrators write for searches.
    pub guidance: GuidanceFiles,
    /// The settings in force, for administrators to read: a text without secrets.
    pub settings: String,
    /// The last lines of the log.
    pub log: LogTail,
    /// How is judged whether anything answers.
    pub calibration: Calibration,
}

/// Everything a request needs.
pub(crate) struct Engine {
    pub(crate) searcher: Searcher,
    pub(crate) guidance: GuidanceDesk,
    pub(crate) settings: String,
    pub(crate) log: LogTail,
    pub(crate) embedder: EmbedHandle,
    pub(crate) reranker: Option<RerankHandle>,
    /// Empty without one.
    pub(crate) reranker_name: String,
    pub(crate) generator: Option<GenerateHandle>,
    /// Empty without one.
    pub(crate) generator_name: String,
    pub(crate) truth: TruthReader,
    pub(crate) writer: Writer,
    pub(crate) pushed: Arc<Pushed>,
    pub(crate) mirrors: Arc<Mirrors>,
    pub(crate) links: Links,
    /// `None` where they are switched off.
    pub(crate) insights: Option<Insights>,
    snapshots: SnapshotHandle,
}

impl Engine {
    /// Starts the writer, which begins with all sources. Insights that are left out are counted in `left_out`.
    pub(crate) fn start(
        parts: EngineParts,
        config: &Config,
        jobs: Arc<Jobs>,
        left_out: Counter,
    ) -> Result<Self, OpenError> {
        let EngineParts {
            mut store,
            embedder,
            reranker,
            answers,
            generator,
            sources,
            data_dir,
            indexing,
            search,
            guidance,
            settings,
            log,
            calibration,
        } = parts;
        let insights = Insights::open(&data_dir, &config.insights, left_out)?;
        let (follow, s3, config, backup) = (&config.follow, &config.s3, &config.index, &config.backup);
        // Before anything is read: no text is seen before it is said who may see it. Where backups are followed, they say it.
        for source in config.sources.iter().filter(|_| follow.place().is_none()) {
            if let Some(rules) = source.source_access()? {
                store.set_source_access(&source.name, Some(rules))?;
            }
            if let Some(say) = source.permissions {
                store.set_file_permissions(&source.name, say.permissions())?;
            }
        }
        let indexing = IndexOptions {
            commit_documents: config.commit_documents,
            vanished: Vanished::RefuseAbove(f64::from(config.max_deleted_percent) / 100.0),
            ..indexing
        };
        let (reranker_name, reranker) = reranker.unzip();
        let (generator_name, generator) = generator.unzip();
        let pushed = Arc::new(Pushed::open(&data_dir)?);
        let mirrors = Arc::new(Mirrors::open(&data_dir, config.fetched())?);
        let links = Links::of(pushed.links(), Arc::clone(&mirrors), config);
        let snapshots = store.snapshots();
        let truth = store.truth();
        let searcher = Searcher::new(embedder.clone(), reranker.clone(), search);
        let searcher = searcher.calibrated(calibration).with_writer(answers);
        let guidance = GuidanceDesk::open(guidance, searcher.clone())?;
        let writer = Writer::start(WriterParts {
            store,
            embedder: embedder.clone(),
            config,
            backup,
            follow,
            s3,
            indexing,
            jobs,
            first: sources,
            pushed: Arc::clone(&pushed),
            mirrors: Arc::clone(&mirrors),
            data_dir: &data_dir,
        })?;
        Ok(Self {
            searcher,
            guidance,
            settings,
            log,
            embedder,
            reranker,
            reranker_name: reranker_name.unwrap_or_default(),
            generator,
            generator_name: generator_name.unwrap_or_default(),
            truth,
            writer,
            pushed,
            mirrors,
            links,
            insights,
            snapshots,
        })
    }

    /// Whether a model on another machine reads what people type.
    pub(crate) fn sends_texts(&self) -> bool {
        let writer = self.searcher.writer().and_then(searcher::Writer::elsewhere);
        let reranker = self.reranker.as_ref().and_then(RerankHandle::elsewhere);
        [self.embedder.elsewhere(), reranker, writer].into_iter().flatten().any(|model| model.is_remote)
    }

    /// What is kept of what people ask.
    ///
    /// # Errors
    /// [`Error::NoInsights`] where that is switched off.
    pub(crate) fn insights(&self) -> Result<&Insights, Error> {
        self.insights.as_ref().ok_or(Error::NoInsights)
    }

    /// Notes a search that is to be counted, and what came of it, where that is switched on.
    pub(crate) fn note(&self, asked: Option<Asked>, answer: &Answer) {
        if let Some((insights, asked)) = self.insights.as_ref().zip(asked) {
            insights.searched(asked, answer);
        }
    }

    /// Notes a question that was to be answered, and what came of it, where that is switched on.
    pub(crate) fn note_reply(&self, asked: Option<Asked>, answer: &Answer, reply: &Reply) {
        if let Some((insights, asked)) = self.insights.as_ref().zip(asked) {
            insights.replied(asked, answer, reply);
        }
    }

    /// Ends the threads: the commit under way is finished, and what waits is written.
    pub(crate) fn stop(&self) {
        self.writer.stop();
        if let Some(insights) = &self.insights {
            insights.stop();
        }
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
        // A key that is made for a source need not see what it has put there.
        let is_made_for_it = caller.sources.as_ref().is_some_and(|sources| sources.iter().any(|known| known == name));
        let source = if is_made_for_it { self.source(name) } else { self.view(caller)?.source(name).cloned() };
        source.ok_or(Error::NotFound { what: "the source" })
    }
}
