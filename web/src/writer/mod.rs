//! The one writer: a thread that owns the store. Searches never wait for it; they read the snapshot of the last commit.
//!
//! Changes that somebody waits for (pushed documents) go before runs over whole sources: a run that is under way commits
//! what it has, makes room, and goes on afterwards. Promises: a change is answered after its commit, not before; at a
//! stop, the batch under way is committed and the store closed.

mod folders;
mod thread;
mod timetable;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indexer::{IndexOptions, Stop};
use qwen3::EmbedHandle;
use storage::{LedgerEntry, Source, Store};
use tokio::sync::oneshot;

use self::folders::Folders;
use self::timetable::{Habit, Timetable};
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
    /// Tells it not to finish even what it has begun, because the process is going to end.
    stop: Stop,
    pub(crate) jobs: Arc<Jobs>,
}

#[derive(Default)]
struct Queue {
    changes: VecDeque<Change>,
    runs: VecDeque<Run>,
    timetable: Timetable,
    /// Where each source was found, for runs that nobody asked for.
    known: BTreeMap<String, Source>,
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
    origin: Origin,
}

/// Why a run takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Somebody asked for it, or the server started.
    Asked,
    /// The folder changed, or it is time.
    Timetable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Index(Deletions),
    Remove,
}

/// What happens if a large share of a source's files is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletions {
    /// Nothing is removed; the job fails and says so.
    Guarded,
    /// Somebody confirmed that they were deleted.
    Confirmed,
}

/// What the thread does next.
enum Next {
    Changes(Vec<Change>),
    Run(Run),
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
        let stop = indexing.stop.clone();
        let cancel = AtomicBool::new(false);
        let shared = Arc::new(Shared { queue: Mutex::default(), wake: Condvar::new(), cancel, stop, jobs });
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
            shared.queue_run(source, Task::Index(Deletions::Guarded), Origin::Asked);
        }
        let folders = Folders::new(config, pushed.root().to_path_buf());
        let worker = thread::Worker::new(store, embedder, indexing, folders, Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("writer".to_string()).spawn(move || worker.run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Brings a source up to date; the number of the job. A source that waits already is not queued twice.
    pub(crate) fn index(&self, source: Source, deletions: Deletions) -> u64 {
        self.shared.queue_run(source, Task::Index(deletions), Origin::Asked)
    }

    /// Takes a source out of the index; the number of the job.
    pub(crate) fn remove(&self, source: Source) -> u64 {
        self.shared.queue_run(source, Task::Remove, Origin::Asked)
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
        self.shared.stop.ask();
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

    fn queue_run(&self, source: Source, task: Task, origin: Origin) -> u64 {
        let mut queue = self.lock();
        let job = self.queue_run_in(&mut queue, source, task, origin);
        self.wake.notify_one();
        job
    }

    fn queue_run_in(&self, queue: &mut Queue, source: Source, task: Task, origin: Origin) -> u64 {
        if let Some(run) = queue.runs.iter().find(|run| run.source == source && run.task == task) {
            return run.job;
        }
        let kind = match task {
            Task::Index(_) => JobKind::Index,
            Task::Remove => JobKind::RemoveSource,
        };
        let job = self.jobs.add(kind, &source.name);
        queue.runs.push_back(Run { job, source, task, origin });
        job
    }

    /// A file below a source's folder changed.
    fn touched(&self, source: &str, now: Instant) {
        self.lock().timetable.touched(source, now);
        self.wake.notify_one();
    }

    /// Waits for work: changes first, then runs that were asked for, then what the timetable says.
    fn next(&self) -> Next {
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
            let due = queue.timetable.next().map(|(source, due)| (source.to_string(), due));
            let Some((source, due)) = due else {
                queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let wait = due.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                queue.timetable.begin(&source);
                match queue.known.get(&source).cloned() {
                    Some(source) => {
                        self.queue_run_in(&mut queue, source, Task::Index(Deletions::Guarded), Origin::Timetable);
                    }
                    None => queue.timetable.remove(&source),
                }
                continue;
            }
            queue = self.wake.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A run over a source begins.
    fn begin(&self, source: &Source, habit: Habit) {
        let mut queue = self.lock();
        queue.known.insert(source.name.clone(), source.clone());
        queue.timetable.set(&source.name, habit, Instant::now());
        queue.timetable.begin(&source.name);
    }

    /// A run over a source ended.
    fn end(&self, source: &Source, planning: Duration) {
        self.lock().timetable.end(&source.name, Instant::now(), planning);
    }

    /// A source is removed.
    fn forget(&self, source: &str) {
        let mut queue = self.lock();
        queue.timetable.remove(source);
        queue.known.remove(source);
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
