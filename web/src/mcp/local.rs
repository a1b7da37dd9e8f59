//! An index that is only read, without a server: as `quarry search` reads it, for as long as an assistant asks. What a writer
//! commits meanwhile is seen by the next request.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use searcher::{Answer, AskRequest, Reply, SearchRequest, Searcher, SimilarRequest};
use storage::{IndexModel, Snapshot, Stamp, View, Viewer};
use tokio::sync::Semaphore;

use super::place::Place;
use crate::api::similar;
use crate::config::Config;
use crate::error::Error;
use crate::links::Links;

/// What a command hands over to serve an assistant.
pub struct AgentParts {
    /// The data folder.
    pub data_dir: PathBuf,
    /// Limits, sources and places.
    pub config: Config,
    /// How is searched.
    pub searcher: Searcher,
    /// The model of the searcher, which the index must have been built with.
    pub model: IndexModel,
    /// For whom is searched.
    pub viewer: Viewer,
}

/// An index, its reader, and for whom it is read.
pub(super) struct Local {
    data_dir: PathBuf,
    pub(super) config: Config,
    searcher: Searcher,
    model: IndexModel,
    viewer: Viewer,
    pub(super) place: Place,
    opened: Mutex<Option<Opened>>,
    /// Requests that compute at once.
    turns: Arc<Semaphore>,
}

/// The index as it was opened last.
struct Opened {
    stamp: Stamp,
    snapshot: Arc<Snapshot>,
    links: Links,
}

impl Local {
    pub(super) fn new(parts: AgentParts) -> Self {
        let AgentParts { data_dir, config, searcher, model, viewer } = parts;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            place: Place::on_this_machine(&config),
            turns: Arc::new(Semaphore::new(processors)),
            opened: Mutex::default(),
            data_dir,
            config,
            searcher,
            model,
            viewer,
        }
    }

    /// What is seen now. The index is opened again if a writer has changed it.
    ///
    /// # Errors
    /// There is no index; it is damaged, or was built with another model.
    pub(super) fn view(&self) -> Result<(Arc<View>, Links), Error> {
        // A stamp from before it is opened is never too new.
        let stamp = Stamp::of(&self.data_dir)?;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = opened.as_ref().filter(|opened| opened.stamp == stamp) {
            return Ok((opened.snapshot.view(&self.viewer)?, opened.links.clone()));
        }
        let snapshot = Arc::new(Snapshot::open(&self.data_dir)?);
        if snapshot.model().fingerprint != self.model.fingerprint {
            let (index, given) = (snapshot.model().describe(), self.model.describe());
            return Err(storage::Error::Model { index, given }.into());
        }
        let links = Links::open(&self.data_dir, &self.config.index).map_err(Error::internal)?;
        let view = snapshot.view(&self.viewer)?;
        *opened = Some(Opened { stamp, snapshot, links: links.clone() });
        Ok((view, links))
    }

    pub(super) async fn search(self: &Arc<Self>, request: SearchRequest) -> Result<Answer, Error> {
        let request = self.checked(request)?;
        self.compute(move |local, view, links| {
            let mut search = local.searcher.begin(view, request)?;
            search.finish()?;
            let mut answer = search.answer()?;
            links.put_on(&mut answer);
            Ok(answer)
        })
        .await
    }

    pub(super) async fn answer(self: &Arc<Self>, asked: AskRequest) -> Result<Reply, Error> {
        let request = self.checked(asked.search(&self.config.limits.requests())?)?;
        self.compute(move |local, view, links| {
            let mut search = local.searcher.begin(view, request)?;
            search.finish()?;
            let answer = search.answer()?;
            let mut reply = search.reply(&answer, local.searcher.config().answer_time())?;
            links.put_on_reply(&mut reply);
            Ok(reply)
        })
        .await
    }

    pub(super) async fn similar(self: &Arc<Self>, request: SimilarRequest) -> Result<Answer, Error> {
        self.compute(move |local, view, links| {
            let mut answer = local.searcher.similar(&view, &request)?.ok_or_else(similar::missing)?;
            links.put_on(&mut answer);
            Ok(answer)
        })
        .await
    }

    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&View, &Links) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.compute(move |_, view, links| work(&view, links)).await
    }

    /// A search within the limits of one over HTTP.
    fn checked(&self, mut request: SearchRequest) -> Result<SearchRequest, Error> {
        request.check(&self.config.limits.requests())?;
        request.rerank.ms.get_or_insert(self.config.limits.rerank_ms);
        Ok(request)
    }

    async fn compute<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self, Arc<View>, &Links) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Error::Stopping)?;
        let local = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let (view, links) = local.view()?;
            work(&local, view, &links)
        });
        task.await.map_err(|error| Error::internal(format!("the work of a request panicked: {error}")))?
    }
}
