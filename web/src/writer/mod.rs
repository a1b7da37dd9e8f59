//! The one writer: a thread that owns the store. Searches never wait for it; they read the snapshot of the last commit.
//!
//! Promises: a change is answered after its commit, not before. What was accepted for a source is done in that order
//! (`order`), and what was acknowledged for a whole source is done after a restart too (`journal`). Changes, removals and
//! passes over sources share the time, so that none starves (`turns`); a pass makes room for the others where it stands.
//! After a failure the store is opened again in place and what was not acknowledged is done again (`thread`); while that
//! does not work, the reason is told and nothing is accepted. At a stop, the commit under way is finished and the store
//! closed.

mod backlog;
mod backup;
mod compaction;
mod condition;
mod desk;
mod folders;
mod follower;
mod halting;
mod journal;
mod order;
mod places;
mod queue;
mod shared;
mod syncs;
mod thread;
mod timetable;
mod turns;
mod watch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use connect::{BucketConfig, Mirrors};
use indexer::IndexOptions;
use qwen3::EmbedHandle;
use storage::{Keep, Source, Store};
use tokio::sync::oneshot;

use self::backup::Backups;
pub(crate) use self::condition::{Cause, Failure};
use self::desk::Desk;
use self::folders::Folders;
use self::follower::Follower;
pub(crate) use self::follower::Following;
use self::journal::Journal;
use self::order::Stage;
pub(crate) use self::places::{Placed, Reservation, Turn};
pub(crate) use self::queue::{AccessNews, Committed};
use self::queue::{AccessOrder, Origin, Planned, Task};
use self::shared::Shared;
use self::syncs::SyncThreads;
use self::turns::Kind;
use crate::config::{BackupConfig, FollowConfig, IndexConfig};
use crate::engine::OpenError;
use crate::error::Error;
use crate::jobs::Jobs;
use crate::pushed::Pushed;

/// The writer's side for requests.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    backups: Option<Arc<Backups>>,
    backup_thread: Mutex<Option<JoinHandle<()>>>,
    sync_threads: Mutex<Option<SyncThreads>>,
    /// In a server that follows backups, and writes nothing.
    follower: Option<Arc<Follower>>,
}

/// What a writer works with.
pub(crate) struct WriterParts<'a> {
    pub(crate) store: Store,
    pub(crate) embedder: EmbedHandle,
    pub(crate) config: &'a IndexConfig,
    pub(crate) backup: &'a BackupConfig,
    pub(crate) follow: &'a FollowConfig,
    pub(crate) s3: &'a BucketConfig,
    pub(crate) indexing: IndexOptions,
    pub(crate) jobs: Arc<Jobs>,
    /// The sources to begin with.
    pub(crate) first: Vec<Source>,
    pub(crate) pushed: Arc<Pushed>,
    pub(crate) mirrors: Arc<Mirrors>,
    pub(crate) data_dir: &'a Path,
}

/// What happens if a large share of a source's files is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Deletions {
    /// Nothing is removed; the job fails and says so.
    #[default]
    Guarded,
    /// Somebody confirmed that they were deleted.
    Confirmed,
}

/// How a source is looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Look {
    pub(crate) deletions: Deletions,
    /// Whether every file is read, to compare its content: else size, time and inode tell that one has not changed.
    pub(crate) by_content: bool,
}

impl Writer {
    /// Starts the thread; it begins with what an earlier process had accepted, then `first`, then the other sources. Where
    /// backups are followed, it writes nothing but what they have.
    pub(crate) fn start(parts: WriterParts) -> Result<Self, OpenError> {
        if parts.follow.place().is_some() {
            return Self::follow(parts);
        }
        let WriterParts {
            store, embedder, config, backup, s3, indexing, jobs, first, pushed, mirrors, data_dir, ..
        } = parts;
        let journal = Journal::open(data_dir)?;
        let stop = indexing.stop.clone();
        let shared = Arc::new(Shared::new(jobs, journal, store.snapshots(), stop, Arc::clone(&mirrors)));
        let mut left_alone = BTreeSet::new();
        for (id, entry) in shared.journal.entries() {
            if entry.holds_vectors() {
                match store.waiting().is_over() {
                    true => shared.let_vectors_go(id),
                    false => shared.lock().backlog_paused = Some(id),
                }
            }
            let Some(task) = entry.task() else { continue };
            match task {
                Task::Remove => left_alone.insert(entry.source.name.clone()),
                // Nobody looks through a source whose pass was paused.
                Task::Index(_) if entry.is_paused => left_alone.insert(entry.source.name.clone()),
                Task::Index(_) => left_alone.remove(&entry.source.name),
                Task::Verify | Task::Compact => false,
            };
            shared.queue_noted(id, task, entry);
        }
        let mirrored = mirrors.all().into_iter().map(|(name, _)| mirrors.source(&name));
        let known = store.sources().iter().cloned().chain(pushed.sources()?).chain(mirrored);
        let mut sources = first;
        for source in known.filter(|source| !left_alone.contains(&source.name)) {
            if !sources.iter().any(|known| known.name == source.name) {
                sources.push(source);
            }
        }
        for source in sources {
            if mirrors.owns(&source) {
                mirrors.prepare(&source.name)?;
            }
            if store.last_run(&source.name)?.is_none() {
                shared.lock().awaited.insert(source.name.clone());
            }
            shared.queue_run(source, Task::Index(Look::default()));
        }
        if !store.waiting().is_over() {
            shared.expect_vectors();
        }
        let folders = Folders::new(config, pushed.root().to_path_buf());
        let desk = Desk::new(embedder, indexing, folders, pushed, Arc::clone(&shared));
        let worker = thread::Worker::new(store, desk, Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("writer".to_string()).spawn(move || worker.run())?;
        let (backups, backup_thread) = Backups::start(backup.clone(), s3.clone(), data_dir, Arc::clone(&shared))?;
        let sync_threads = Mutex::new(Some(SyncThreads::start(&shared)?));
        let (thread, backup_thread) = (Mutex::new(Some(thread)), Mutex::new(Some(backup_thread)));
        Ok(Self { shared, thread, backups: Some(backups), backup_thread, sync_threads, follower: None })
    }

    fn follow(parts: WriterParts) -> Result<Self, OpenError> {
        let WriterParts { store, config, follow, s3, indexing, jobs, pushed, mirrors, data_dir, .. } = parts;
        let journal = Journal::open(data_dir)?;
        let shared = Shared::new(jobs, journal, store.snapshots(), indexing.stop, Arc::clone(&mirrors));
        let (shared, in_force) = (Arc::new(shared), storage::followed_backup(data_dir)?);
        let follower = Arc::new(Follower::new((follow, config, s3), in_force, Arc::clone(&shared), pushed, mirrors)?);
        let following = Arc::clone(&follower);
        let thread = std::thread::Builder::new().name("follower".to_string()).spawn(move || following.run(store))?;
        let (thread, follower) = (Mutex::new(Some(thread)), Some(follower));
        let (backup_thread, sync_threads) = (Mutex::default(), Mutex::default());
        Ok(Self { shared, thread, backups: None, backup_thread, sync_threads, follower })
    }

    /// The backup that is followed, and how that goes; `None` in a server that writes.
    pub(crate) fn following(&self) -> Option<Following> {
        self.follower.as_ref().map(|follower| follower.following())
    }

    /// Refuses changes in a server that follows.
    fn check_writes(&self) -> Result<(), Error> {
        if self.follower.is_some() { Err(Error::Follows) } else { Ok(()) }
    }

    /// Adds a source, or brings it up to date; the number of the job. Blocks for a write to the disk.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the name is going to be that of another source; [`Error::Unwritable`], [`Error::Stopping`].
    pub(crate) fn add(&self, source: Source) -> Result<u64, Error> {
        self.accept(source, Task::Index(Look::default()), |planned, source| match planned {
            Planned::Is(other) if other != *source => {
                Err(Error::Conflict { detail: format!("there is another source {:?}", source.name) })
            }
            _ => Ok(()),
        })
    }

    /// Whether a source is being removed.
    pub(crate) fn is_leaving(&self, source: &str) -> bool {
        self.shared.is_leaving(source)
    }

    /// Brings a source up to date; the number of the job. One that waits already is not queued twice, and one that is paused
    /// goes on.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is being removed; otherwise as [`Writer::add`].
    pub(crate) fn index(&self, source: Source, look: Look) -> Result<u64, Error> {
        self.accept(source, Task::Index(look), |planned, _| match planned {
            Planned::Gone => Err(Error::NotFound { what: "the source" }),
            _ => Ok(()),
        })
    }

    /// Takes a source out of the index, and its documents out of the folder of pushed ones; the number of the job. What
    /// is accepted later for that source comes after it. Blocks for a write to the disk.
    ///
    /// # Errors
    /// As [`Writer::add`].
    pub(crate) fn remove(&self, source: Source) -> Result<u64, Error> {
        self.accept(source, Task::Remove, |_, _| Ok(()))
    }

    /// Checks every checksum and cross-reference of the index; the number of the job, whose outcome says what was found.
    ///
    /// # Errors
    /// As [`Writer::add`].
    pub(crate) fn verify(&self) -> Result<u64, Error> {
        self.accept(no_source(), Task::Verify, |_, _| Ok(()))
    }

    /// Gives back the space of what was removed; the number of the job.
    ///
    /// # Errors
    /// As [`Writer::add`].
    pub(crate) fn compact(&self) -> Result<u64, Error> {
        self.accept(no_source(), Task::Compact, |_, _| Ok(()))
    }

    /// Makes a backup, where it is said or as configured; the number of the job. Blocks for a write to the disk.
    ///
    /// # Errors
    /// [`Error::NoBackups`] where no place is given and none configured; [`Error::Unwritable`], [`Error::Stopping`].
    pub(crate) fn back_up(&self, destination: Option<PathBuf>, keep: Option<Keep>) -> Result<u64, Error> {
        self.check_writes()?;
        self.backups.as_ref().ok_or(Error::NoBackups)?.accept(destination, keep)
    }

    /// When the last backup was made, in seconds of Unix time, if that is known.
    pub(crate) fn last_backup(&self) -> Option<i64> {
        self.backups.as_ref().and_then(|backups| backups.last())
    }

    /// Says who may see a source; committed when the answer comes, which is an error where it could not be.
    ///
    /// # Errors
    /// [`Error::Unwritable`], [`Error::Stopping`].
    pub(crate) async fn set_access(&self, source: &str, news: AccessNews) -> Result<(), Error> {
        self.check_writes()?;
        let (reply, answer) = oneshot::channel();
        {
            let mut queue = self.shared.lock();
            if queue.stopping {
                return Err(Error::Stopping);
            }
            if let Some(failure) = queue.condition.failure() {
                return Err(Error::Unwritable(failure.clone()));
            }
            queue.accesses.push(AccessOrder { source: source.to_owned(), news, reply });
            self.shared.ring();
        }
        answer.await.map_err(|_| self.shared.refusal())
    }

    /// Gives work on a source its place, notes it durably, and has it done.
    fn accept(
        &self,
        source: Source,
        task: Task,
        fits: impl FnOnce(Planned, &Source) -> Result<(), Error>,
    ) -> Result<u64, Error> {
        self.check_writes()?;
        let place = {
            let mut queue = self.shared.lock();
            if queue.stopping {
                return Err(Error::Stopping);
            }
            fits(queue.planned(&source.name), &source)?;
            if let Some(job) = Shared::waits_already(&queue, &source, task) {
                drop(queue);
                self.shared.resume(job)?;
                return Ok(job);
            }
            self.shared.place_run(&mut queue, source.clone(), task, Origin::Asked, Stage::Prepares)
        };
        match self.shared.journal.add(task, &source) {
            Ok(entry) => Ok(self.shared.noted(place, entry)),
            Err(error) => {
                tracing::error!("cannot note what was asked for: {error}");
                self.shared.give_up_run(place);
                Err(Error::Unwritable(Failure::disk(&error)))
            }
        }
    }

    /// Reserves a place for changes of files: `paths` of each source. Only once it is [cleared](Reservation::cleared) may
    /// the files be put in place.
    ///
    /// # Errors
    /// [`Error::Busy`] if too many changes wait, [`Error::Conflict`] if a source's name is going to be that of another,
    /// [`Error::Unwritable`], [`Error::Stopping`].
    pub(crate) fn reserve(&self, wanted: Vec<(Source, Vec<String>)>) -> Result<Reservation, Error> {
        self.check_writes()?;
        self.shared.reserve(wanted)
    }

    /// How many of the sources named at start were never indexed and are not yet.
    pub(crate) fn awaited(&self) -> usize {
        self.shared.lock().awaited.len()
    }

    /// About how long it takes until all vectors are there that are still to come, while that is known.
    pub(crate) fn seconds_left(&self) -> Option<f64> {
        self.shared.seconds_left()
    }

    /// Why nothing can be committed at the moment, if so.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let queue = self.shared.lock();
        if let Some(failure) = queue.condition.failure() {
            return Some(failure.clone());
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let has_ended = !queue.stopping && thread.as_ref().is_some_and(JoinHandle::is_finished);
        has_ended.then(|| Failure::other("the writer has ended; restart the server, its log says why it ended"))
    }

    /// Finishes the commit under way, closes the store and ends the thread.
    pub(crate) fn stop(&self) {
        self.shared.stop();
        self.follower.iter().for_each(|follower| follower.stop());
        // What it has pinned is of the store that is closed then.
        self.backups.iter().for_each(|backups| backups.stop());
        let backups = self.backup_thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if backups.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a backup panicked; earlier ones are whole");
        }
        if let Some(threads) = self.sync_threads.lock().unwrap_or_else(PoisonError::into_inner).take() {
            threads.join();
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer panicked; what was committed is safe");
        }
    }
}

/// The kind of work that a task is.
fn kind_of(task: Task) -> Kind {
    match task {
        Task::Index(_) | Task::Verify | Task::Compact => Kind::Pass,
        Task::Remove => Kind::Removal,
    }
}

/// What stands in the place of a source where work is on none: no source has an empty name.
fn no_source() -> Source {
    Source { name: String::new(), root: PathBuf::new() }
}
