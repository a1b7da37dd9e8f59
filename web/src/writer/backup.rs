//! Backups beside the writer: a thread of its own copies what the writer has pinned between two commits, when somebody asks
//! and by the timetable. What was accepted is made after a restart too.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use connect::{BucketConfig, ConnectError};
use storage::{BackupError, BackupObserver, BackupReport, BackupSource, BackupWriter, Keep, KnownObjects, chain};

use super::condition::Failure;
use super::desk::Desk;
use super::journal::{EntryId, Journal};
use super::shared::Shared;
use crate::config::BackupConfig;
use crate::error::Error;
use crate::jobs::{JobKind, JobState, Progress, now};

/// Time until a backup by the timetable that failed is tried again.
const RETRY: Duration = Duration::from_secs(60 * 60);

/// The backups of a server.
pub(super) struct Backups {
    config: BackupConfig,
    s3: BucketConfig,
    data_dir: PathBuf,
    shared: Arc<Shared>,
    journal: Journal,
    orders: Mutex<VecDeque<Order>>,
    bell: Condvar,
    stopping: AtomicBool,
    /// When the last one was made, in seconds of Unix time; 0: never, as far as is known.
    last: AtomicI64,
}

/// A backup that is to be made.
#[derive(Debug, Clone)]
struct Order {
    job: u64,
    /// Its line in the journal, if somebody asked for it.
    entry: Option<EntryId>,
    destination: PathBuf,
    keep: Option<Keep>,
}

/// Somebody who waits for the data folder to be pinned.
pub(super) struct PinOrder {
    known: KnownObjects,
    reply: mpsc::Sender<Result<BackupSource, Failure>>,
}

impl Backups {
    /// Starts the thread; it begins with what an earlier process had accepted.
    pub(super) fn start(
        config: BackupConfig,
        s3: BucketConfig,
        data_dir: &Path,
        shared: Arc<Shared>,
    ) -> std::io::Result<(Arc<Self>, JoinHandle<()>)> {
        let journal = Journal::of_backups(data_dir)?;
        let accepted = journal.backups().into_iter().map(|(entry, destination, keep)| {
            let job = shared.jobs.add(JobKind::Backup, "");
            Order { job, entry: Some(entry), destination, keep: keep.and_then(|keep| keep.parse().ok()) }
        });
        let orders = Mutex::new(accepted.collect());
        let (bell, stopping, last) = (Condvar::new(), AtomicBool::new(false), AtomicI64::new(0));
        let data_dir = data_dir.to_path_buf();
        let backups = Arc::new(Self { config, s3, data_dir, shared, journal, orders, bell, stopping, last });
        let working = Arc::clone(&backups);
        let thread = std::thread::Builder::new().name("backup".to_string()).spawn(move || working.run())?;
        Ok((backups, thread))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Order>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts a backup; the number of its job. Blocks for a write to the disk.
    ///
    /// # Errors
    /// [`Error::NoBackups`] where no place is given and none configured; [`Error::Unwritable`], [`Error::Stopping`].
    pub(super) fn accept(&self, destination: Option<PathBuf>, keep: Option<Keep>) -> Result<u64, Error> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err(Error::Stopping);
        }
        let keep = keep.or_else(|| self.config.keep().filter(|_| destination.is_none()));
        let destination = destination.or_else(|| self.config.destination()).ok_or(Error::NoBackups)?;
        let waits = |order: &&Order| order.destination == destination;
        if let Some(waiting) = self.lock().iter().skip(1).find(waits) {
            return Ok(waiting.job);
        }
        let noted = self.journal.add_backup(&destination, keep.map(|keep| keep.to_string()));
        let entry = Some(noted.map_err(|error| Error::Unwritable(Failure::disk(&error)))?);
        let job = self.shared.jobs.add(JobKind::Backup, "");
        self.lock().push_back(Order { job, entry, destination, keep });
        self.bell.notify_one();
        Ok(job)
    }

    /// When the last backup was made, in seconds of Unix time, if that is known.
    pub(super) fn last(&self) -> Option<i64> {
        Some(self.last.load(Ordering::Relaxed)).filter(|last| *last > 0)
    }

    /// Tells the thread to leave off.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Whoever is about to wait has seen the flag, or is waiting.
        drop(self.lock());
        self.bell.notify_one();
    }

    fn is_stopped(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn run(&self) {
        let mut due = self.first_due();
        while let Some(order) = self.next(&mut due) {
            let is_done = self.make(&order);
            // Others see it as under way until here.
            self.lock().pop_front();
            if order.entry.is_none() && !is_done {
                due = due.map(|due| after_failure(due, Instant::now()));
            }
        }
    }

    /// When the first backup by the timetable is due: as if the server had run all the time.
    fn first_due(&self) -> Option<Instant> {
        let destination = self.config.destination()?;
        let place = connect::destination(&destination, &self.s3);
        let made = place.ok().and_then(|place| storage::list_backups(&*place).ok()).unwrap_or_default();
        let last = made.into_iter().flatten().map(|summary| summary.created).max();
        self.last.store(last.unwrap_or(0), Ordering::Relaxed);
        let passed = last.map(|last| u64::try_from(now() - last).unwrap_or(0));
        let wait = passed.map_or(Duration::ZERO, |passed| self.every().saturating_sub(Duration::from_secs(passed)));
        (self.config.every_hours > 0).then(|| Instant::now() + wait)
    }

    fn every(&self) -> Duration {
        Duration::from_secs(u64::from(self.config.every_hours) * 60 * 60)
    }

    /// Waits for the next backup, which stays the first of the orders while it is made; `None` at the end.
    fn next(&self, due: &mut Option<Instant>) -> Option<Order> {
        let mut orders = self.lock();
        loop {
            if self.is_stopped() {
                return None;
            }
            if let Some(order) = orders.front() {
                return Some(order.clone());
            }
            let wait = due.map(|due| due.saturating_duration_since(Instant::now()));
            match (wait, self.config.destination()) {
                (Some(Duration::ZERO), Some(destination)) => {
                    let job = self.shared.jobs.add(JobKind::Backup, "");
                    *due = Some(Instant::now() + self.every());
                    orders.push_back(Order { job, entry: None, destination, keep: self.config.keep() });
                }
                (Some(wait), _) => {
                    orders = self.bell.wait_timeout(orders, wait).unwrap_or_else(PoisonError::into_inner).0;
                }
                (None, _) => orders = self.bell.wait(orders).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Makes a backup, and says what came of it; whether it was made.
    fn make(&self, order: &Order) -> bool {
        let jobs = &self.shared.jobs;
        jobs.start(order.job);
        let made = self.copied(order);
        if matches!(&made, Err(Fault::Backup(BackupError::Stopped) | Fault::Stopping)) {
            let words = match order.entry {
                Some(_) => "stopped with the server; made at its next start",
                None => "stopped with the server; made when it is due",
            };
            jobs.finish(order.job, JobState::Interrupted, words.to_string());
            return false;
        }
        let closed = order.entry.map_or(Ok(()), |entry| self.journal.done(entry));
        if let Err(error) = closed {
            tracing::warn!("a backup that was made stays noted, and is made at the next start: {error}");
        }
        match made {
            Ok((report, is_deferred)) => {
                let waits = "; somebody reads there: what is not to be kept is removed with the next backup";
                let waits = if is_deferred { waits } else { "" };
                jobs.finish(order.job, JobState::Done, format!("{}{waits}", words(&report)));
                true
            }
            Err(fault) => {
                let failure = fault.told();
                tracing::error!("a backup failed: {}", failure.for_admins());
                jobs.fail(order.job, &failure);
                false
            }
        }
    }

    /// The report, and whether what is not to be kept waits for the next one.
    fn copied(&self, order: &Order) -> Result<(BackupReport, bool), Fault> {
        let destination = connect::destination(&order.destination, &self.s3).map_err(Fault::Place)?;
        let writer = BackupWriter::begin(&*destination, &self.data_dir)?;
        let (reply, answer) = mpsc::channel();
        {
            let mut queue = self.shared.lock();
            if queue.stopping {
                return Err(Fault::Stopping);
            }
            if let Some(failure) = queue.condition.failure() {
                return Err(Fault::Writer(failure.clone()));
            }
            queue.pins.push(PinOrder { known: writer.known(), reply });
            self.shared.ring();
        }
        let source = answer.recv().map_err(|_| Fault::Stopping)?.map_err(Fault::Writer)?;
        let report = writer.write(&source, &Watch { backups: self, job: order.job })?;
        self.last.store(report.summary.created, Ordering::Relaxed);
        match &order.keep {
            None => Ok((report, false)),
            Some(keep) => match writer.prune(keep) {
                Ok(pruned) => Ok((report, pruned.is_deferred)),
                Err(error) => Err(Fault::Pruning(report.summary.name, error)),
            },
        }
    }
}

/// Why there is no backup, or not what was asked for.
enum Fault {
    Backup(BackupError),
    /// How the place is reached is not said.
    Place(ConnectError),
    /// There is one, of that name, and what is not to be kept could not be removed.
    Pruning(String, BackupError),
    /// The writer cannot commit, and has nothing to be pinned.
    Writer(Failure),
    /// The server is stopping.
    Stopping,
}

impl From<BackupError> for Fault {
    fn from(error: BackupError) -> Self {
        Self::Backup(error)
    }
}

impl Fault {
    /// What went wrong, in words. Who asks for backups may know places.
    fn told(self) -> Failure {
        match self {
            Self::Place(error) => Failure::other(format!("no backup was made: {}", chain(&error))),
            Self::Backup(error) => Failure::other(format!("no backup was made: {}", chain(&error))),
            Self::Pruning(name, error) => Failure::other(format!(
                "the backup {name} is made; what is not to be kept could not be removed: {}",
                chain(&error)
            )),
            Self::Writer(failure) => failure,
            Self::Stopping => Failure::other("the server is stopping"),
        }
    }
}

/// Tells how far a backup is, and ends it with the server.
struct Watch<'a> {
    backups: &'a Backups,
    job: u64,
}

impl BackupObserver for Watch<'_> {
    fn progressed(&self, done: u64, all: u64) {
        let progress = Progress { bytes: done, planned_bytes: all, ..Progress::default() };
        self.backups.shared.jobs.progress(self.job, progress);
    }

    fn is_stopped(&self) -> bool {
        self.backups.is_stopped()
    }
}

/// When a backup by the timetable is tried again that failed, and would be due again `due`.
fn after_failure(due: Instant, now: Instant) -> Instant {
    due.min(now + RETRY)
}

fn words(report: &BackupReport) -> String {
    let BackupReport { summary, objects, waited, took, .. } = report;
    format!(
        "{}: {} documents, {} passages; {objects} new objects, {:.1} MB, in {:.1} s, for {:.1} s of which nothing was written",
        summary.name,
        summary.documents,
        summary.passages,
        summary.added as f64 / 1e6,
        took.as_secs_f64(),
        waited.as_secs_f64()
    )
}

impl Desk {
    /// Pins the data folder for those who wait for it.
    pub(super) fn pins(&self, store: &storage::Store) {
        let orders = std::mem::take(&mut self.shared.lock().pins);
        for PinOrder { known, reply } in orders {
            let pinned = store.backup_source(&known).map_err(|error| Failure::of(&error.into()));
            // Whoever asked may have gone.
            let _ = reply.send(pinned);
        }
    }
}

impl PinOrder {
    /// There is nothing to be pinned.
    pub(super) fn refuse(self, failure: &Failure) {
        let _ = self.reply.send(Err(failure.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_tried_again_before_its_next_time() {
        let now = Instant::now();
        assert_eq!(after_failure(now + 24 * RETRY, now), now + RETRY);
        assert_eq!(after_failure(now + RETRY / 2, now), now + RETRY / 2, "or at its next time, if that comes first");
    }
}
