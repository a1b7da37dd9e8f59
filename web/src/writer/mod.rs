//! The one writer: a thread that owns the store. Searches never wait for it; they read the snapshot of the last commit.
//!
//! Changes that somebody waits for (pushed documents) go before runs over whole sources: a run that is under way commits
//! what it has, makes room, and goes on afterwards. Promises: a change is answered after its commit, not before; at a
//! stop, the batch under way is committed and the store closed.

mod thread;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indexer::IndexOptions;
use qwen3::EmbedHandle;
use storage::{LedgerEntry, Source, Store};
use tokio::sync::oneshot;

use crate::config::IndexConfig;
use crate::engine::OpenError;
use crate::error::Error;
use crate::jobs::{JobKind, Jobs};
use crate::pushed::Pushed;

/// Changes that may wait.
const MAX_CHANGES: usize = 256;

/// The writer's side for requests.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What requests and the thread share.
pub(crate) struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// Tells a run to commit what it has and return.
    cancel: AtomicBool,
    pub(crate) jobs: Arc<Jobs>,
}

#[derive(Default)]
struct Queue {
    changes: VecDeque<Change>,
    runs: VecDeque<Run>,
    /// Sources named at start that were never indexed and are not yet.
    awaited: BTreeSet<String>,
    stopping: bool,
}

/// Files of a source that were put or removed, and who waits for the commit.
struct Change {
    job: u64,
    source: Source,
    paths: Vec<String>,
    reply: oneshot::Sender<Committed>,
}

/// What became of the files of a change: their ledger lines, without those that are gone; or why nothing did.
pub(crate) type Committed = Result<Vec<LedgerEntry>, String>;

/// A whole source.
struct Run {
    job: u64,
    source: Source,
    task: Task,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Index,
    Remove,
}

/// What the thread does next.
enum Next {
    Changes(Vec<Change>),
    Run(Run),
    /// It is time to look through the sources again.
    Schedule,
    Stop,
}

impl Writer {
    /// Starts the thread; it begins with `first`, then the other sources of the store.
    pub(crate) fn start(
        store: Store,
        embedder: EmbedHandle,
        config: &IndexConfig,
        indexing: IndexOptions,
        jobs: Arc<Jobs>,
        first: Vec<Source>,
        pushed: &Pushed,
    ) -> Result<Self, OpenError> {
        let shared =
            Arc::new(Shared { queue: Mutex::default(), wake: Condvar::new(), cancel: AtomicBool::new(false), jobs });
        let mut sources = first;
        for source in store.sources().iter().cloned().chain(pushed.sources()?) {
            if !sources.iter().any(|known| known.name == source.name) {
                sources.push(source);
            }
        }
        for source in sources {
            if store.last_run(&source.name)?.is_none() {
                shared.lock().awaited.insert(source.name.clone());
            }
            shared.queue_run(source, Task::Index);
        }
        let worker = thread::Worker::new(store, embedder, config, indexing, Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("writer".to_string()).spawn(move || worker.run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Brings a source up to date; the number of the job. A source that waits already is not queued twice.
    pub(crate) fn index(&self, source: Source) -> u64 {
        self.shared.queue_run(source, Task::Index)
    }

    /// Takes a source out of the index; the number of the job.
    pub(crate) fn remove(&self, source: Source) -> u64 {
        self.shared.queue_run(source, Task::Remove)
    }

    /// Commits files that were put or removed; the number of the job, and the answer once it is committed.
    ///
    /// # Errors
    /// [`Error::Busy`] if too many changes wait, [`Error::Stopping`].
    pub(crate) fn change(
        &self,
        source: Source,
        paths: Vec<String>,
    ) -> Result<(u64, oneshot::Receiver<Committed>), Error> {
        let mut queue = self.shared.lock();
        if queue.stopping {
            return Err(Error::Stopping);
        }
        if queue.changes.len() >= MAX_CHANGES {
            return Err(Error::Busy);
        }
        let (reply, answer) = oneshot::channel();
        let job = self.shared.jobs.add(JobKind::Documents, &source.name);
        queue.changes.push_back(Change { job, source, paths, reply });
        self.shared.wake.notify_one();
        Ok((job, answer))
    }

    /// Whether all sources named at start have been indexed at least once.
    pub(crate) fn is_ready(&self) -> bool {
        self.shared.lock().awaited.is_empty()
    }

    /// Commits the batch under way, closes the store and ends the thread.
    pub(crate) fn stop(&self) {
        self.shared.lock().stopping = true;
        self.shared.cancel.store(true, Ordering::Relaxed);
        self.shared.wake.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer panicked; what was committed is safe");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue_run(&self, source: Source, task: Task) -> u64 {
        let mut queue = self.lock();
        if let Some(run) = queue.runs.iter().find(|run| run.source == source && run.task == task) {
            return run.job;
        }
        let kind = match task {
            Task::Index => JobKind::Index,
            Task::Remove => JobKind::RemoveSource,
        };
        let job = self.jobs.add(kind, &source.name);
        queue.runs.push_back(Run { job, source, task });
        self.wake.notify_one();
        job
    }

    /// Waits for work; `idle` is how long it may take until the schedule is due.
    fn next(&self, idle: Option<Duration>) -> Next {
        let mut queue = self.lock();
        loop {
            if queue.stopping {
                return Next::Stop;
            }
            if !queue.changes.is_empty() {
                return Next::Changes(take_changes(&mut queue.changes));
            }
            if let Some(run) = queue.runs.pop_front() {
                // A run that is about to start is not told to stop for what came before it.
                self.cancel.store(false, Ordering::Relaxed);
                return Next::Run(run);
            }
            let Some(idle) = idle else {
                queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (woken, waited) = self.wake.wait_timeout(queue, idle).unwrap_or_else(PoisonError::into_inner);
            if waited.timed_out() {
                return Next::Schedule;
            }
            queue = woken;
        }
    }

    fn has_changes(&self) -> bool {
        !self.lock().changes.is_empty()
    }

    /// A run made room: it goes on before the others.
    fn postpone(&self, run: Run) {
        self.jobs.postpone(run.job);
        self.lock().runs.push_front(run);
    }

    fn arrived(&self, source: &str) {
        self.lock().awaited.remove(source);
    }
}

/// The first change and those behind it that one commit can take: of the same source, not too many.
fn take_changes(changes: &mut VecDeque<Change>) -> Vec<Change> {
    const MAX_PATHS: usize = 1_000;
    let mut taken: Vec<Change> = Vec::new();
    let mut paths = 0;
    while let Some(change) = changes.front() {
        let fits = paths + change.paths.len() <= MAX_PATHS;
        if taken.first().is_some_and(|first| first.source != change.source || !fits) {
            break;
        }
        paths += change.paths.len();
        taken.extend(changes.pop_front());
    }
    taken
}
