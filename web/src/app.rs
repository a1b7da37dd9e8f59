//! The state that all requests share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tracing::Span;

use crate::admission::Admission;
use crate::audit::Audit;
use crate::brand::Brand;
use crate::config::Config;
use crate::engine::Engine;
use crate::error::Error;
use crate::guard::{Keys, Rates};
use crate::identity::{Attempts, People, PosixUsers, Sessions, SetUp, Upstreams};
use crate::jobs::{self, Jobs};
use crate::metrics::Metrics;
use crate::suggestions::Suggestions;
use crate::traffic::Traffic;
use crate::wanted::{Waiting, Wanted};
use crate::writer::Failure;

/// The state of the server.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) brand: Arc<Brand>,
    pub(crate) keys: Keys,
    pub(crate) people: People,
    pub(crate) upstreams: Upstreams,
    pub(crate) posix: PosixUsers,
    pub(crate) sessions: Sessions,
    pub(crate) audit: Audit,
    pub(crate) attempts: Attempts,
    pub(crate) set_up: SetUp,
    pub(crate) rates: Rates,
    pub(crate) admission: Admission,
    /// Places for answers that a writer writes.
    pub(crate) writing: Arc<Semaphore>,
    pub(crate) traffic: Traffic,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) metrics: Metrics,
    pub(crate) suggestions: Suggestions,
    pub(crate) started: Instant,
    /// The same in seconds of Unix time.
    pub(crate) started_at: i64,
    pub(crate) data_dir: PathBuf,
    engine: OnceLock<Engine>,
    stopping: AtomicBool,
}

/// Which turn of a request it is that waits for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The first: it may be sent away.
    First,
    /// The first of work that goes on while somebody reads what it gives.
    Long,
    /// Another one.
    Next,
}

impl App {
    pub(crate) fn new(
        config: Config,
        brand: Brand,
        keys: Keys,
        people: People,
        upstreams: Upstreams,
        audit: Audit,
        data_dir: &Path,
    ) -> Self {
        Self {
            rates: Rates::new(&config.limits),
            admission: Admission::new(&config.limits),
            writing: Arc::new(Semaphore::new(config.limits.answers)),
            traffic: Traffic::new(&config.limits),
            suggestions: Suggestions::new(&config.suggest),
            posix: PosixUsers::new(&config.auth),
            jobs: Arc::default(),
            metrics: Metrics::new(),
            sessions: Sessions::open(&config.auth, data_dir, jobs::now()),
            attempts: Attempts::new(),
            set_up: SetUp::default(),
            brand: Arc::new(brand),
            keys,
            people,
            upstreams,
            audit,
            config,
            started: Instant::now(),
            started_at: jobs::now(),
            data_dir: data_dir.to_path_buf(),
            engine: OnceLock::new(),
            stopping: AtomicBool::new(false),
        }
    }

    /// Whether people sign in here: then nothing is open to those who have not.
    pub(crate) fn has_sign_in(&self) -> bool {
        self.upstreams.provider.is_some() || self.people.are_required()
    }

    /// The engine.
    ///
    /// # Errors
    /// As [`App::not_ready`] says, while the index is being opened.
    pub(crate) fn engine(&self) -> Result<&Engine, Error> {
        self.engine.get().ok_or_else(|| self.not_ready())
    }

    /// Why nothing can be searched yet: [`Error::Upgrading`] or [`Error::Starting`].
    pub(crate) fn not_ready(&self) -> Error {
        let upgrade = if self.engine.get().is_none() { storage::upgrade_progress(&self.data_dir) } else { None };
        upgrade.map_or(Error::Starting, Error::Upgrading)
    }

    pub(crate) fn set_engine(&self, engine: Engine) {
        // Set once, by the thread that opens the index.
        let _ = self.engine.set(engine);
    }

    /// Whether searches can be answered: there is a snapshot that holds something, or nothing is left to be looked
    /// through for the first time. What the writer has to do does not count: searches never wait for it.
    pub(crate) fn is_ready(&self) -> bool {
        let can_search =
            |engine: &Engine| engine.whole().is_ok_and(|view| view.passages() > 0) || engine.writer.awaited() == 0;
        !self.is_stopping() && self.engine.get().is_some_and(can_search)
    }

    /// Whether whoever comes may do everything: one person on a machine of their own.
    pub(crate) fn is_open(&self) -> bool {
        // Behind a proxy everybody comes from its address: that proves nothing.
        let is_closed = self.keys.are_required() || self.has_sign_in() || self.config.has_proxy();
        !is_closed && self.config.server.is_local()
    }

    /// Sources that are known and were never looked through as a whole.
    pub(crate) fn awaited(&self) -> usize {
        self.engine.get().map_or(0, |engine| engine.writer.awaited())
    }

    /// About how long it takes until all vectors are there, while they are made.
    pub(crate) fn seconds_left(&self) -> Option<f64> {
        self.engine.get().and_then(|engine| engine.writer.seconds_left())
    }

    /// Why nothing can be committed at the moment, if so.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.engine.get().and_then(|engine| engine.writer.failure())
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Runs work that computes on one of the bounded places, once one is free.
    ///
    /// # Errors
    /// What the work says; [`Error::Busy`] if too many wait; [`Error::Timeout`]; [`Error::Starting`].
    pub(crate) async fn compute<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&Self, &Engine) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.in_time(self.turn(Turn::First, |app, engine, _| work(app, engine))).await
    }

    /// [`App::compute`] for work that takes long enough to be left off when nobody waits for it any more.
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn compute_while_wanted<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&Self, &Engine, &Wanted) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.in_time(self.turn(Turn::First, work)).await
    }

    /// One turn of work on one of the bounded places. It is wanted as long as this is waited for.
    ///
    /// # Errors
    /// What the work says; [`Error::Busy`] if it is the first turn and too many wait; [`Error::Starting`].
    pub(crate) async fn turn<T: Send + 'static>(
        self: &Arc<Self>,
        turn: Turn,
        work: impl FnOnce(&Self, &Engine, &Wanted) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.engine()?;
        let permit = match turn {
            Turn::First => self.admission.enter().await?,
            Turn::Long => self.admission.enter_long().await?,
            Turn::Next => self.admission.enter_again().await?,
        };
        let app = Arc::clone(self);
        let (_waiting, wanted) = Waiting::new();
        let request = Span::current();
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            wanted.check()?;
            request.in_scope(|| work(&app, app.engine()?, &wanted))
        });
        task.await.map_err(|error| Error::internal(format!("the work of a request panicked: {error}")))?
    }

    /// Waits for something no longer than a request may take.
    ///
    /// # Errors
    /// Its own; [`Error::Timeout`].
    pub(crate) async fn in_time<T>(&self, wait: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let seconds = self.config.limits.request_seconds;
        tokio::time::timeout(self.patience(), wait).await.unwrap_or(Err(Error::Timeout { seconds }))
    }

    /// The limit of a request's time.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.config.limits.request_seconds)
    }
}
