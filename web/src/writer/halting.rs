//! Stopping what was accepted: passes are paused, let go on and called off, those that wait and those under way.
//!
//! A pause holds over a restart: it is noted beside what was accepted. A removal is never called off: what it has taken
//! out is gone, and half of it would be neither one thing nor the other.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::order::{PlaceId, Stage};
use super::queue::{Halt, Queue, Run, Task};
use super::shared::Shared;
use super::{Failure, Writer};
use crate::error::Error;
use crate::jobs::JobState;

impl Writer {
    /// Calls a pass off. Its source is looked through again at its time, when somebody asks, or at the next start.
    /// Blocks for a write to the disk.
    ///
    /// # Errors
    /// [`Error::JobFixed`] where a job is over or cannot be stopped; [`Error::Unwritable`].
    pub(crate) fn cancel(&self, job: u64) -> Result<(), Error> {
        self.shared.cancel(job)
    }

    /// Has a pass, or the making of vectors, wait until it is [let go on](Writer::resume). Blocks for a write to the disk.
    ///
    /// # Errors
    /// As [`Writer::cancel`].
    pub(crate) fn pause(&self, job: u64) -> Result<(), Error> {
        self.shared.pause(job)
    }

    /// Lets a pass go on that was paused; nothing happens where it was not. Blocks for a write to the disk.
    ///
    /// # Errors
    /// As [`Writer::cancel`].
    pub(crate) fn resume(&self, job: u64) -> Result<(), Error> {
        self.shared.resume(job)
    }
}

impl Shared {
    fn cancel(&self, job: u64) -> Result<(), Error> {
        if self.lock().backlog_job == Some(job) {
            return Err(fixed("vectors that are to come are made in the end; pause it instead"));
        }
        let (id, run, _) = self.pass(job)?;
        self.noted_as(run.entry.map_or(Ok(()), |entry| self.journal.done(entry)))?;
        let mut queue = self.lock();
        match queue.order.stage(id) {
            None => return Err(over()),
            Some(Stage::Runs) => self.halt(&mut queue, id, Halt::Cancel),
            Some(_) => {
                let words = if queue.syncs.holds(id) && !queue.syncs.waits(id) {
                    "cancelled; what was fetched before stays, and is indexed with the next pass"
                } else {
                    "cancelled before it began"
                };
                queue.syncs.stop(id);
                queue.runs.remove(&id);
                queue.order.done(id);
                queue.awaited.remove(&run.source.name);
                self.jobs.finish(job, JobState::Cancelled, words.to_string());
                self.changed(&mut queue);
            }
        }
        Ok(())
    }

    fn pause(&self, job: u64) -> Result<(), Error> {
        if self.pause_backlog(job)? {
            return Ok(());
        }
        let (id, run, _) = self.pass(job)?;
        let noted = match run.entry {
            Some(entry) => Ok(entry),
            // Nobody asked for it: only now it is something that was accepted.
            None => self.journal.add(run.task, &run.source),
        };
        let entry = self.noted_as(noted)?;
        self.noted_as(self.journal.pause(entry, true))?;
        let mut queue = self.lock();
        let Some(run) = queue.runs.get_mut(&id) else {
            drop(queue);
            self.noted_as(self.journal.done(entry))?;
            return Err(over());
        };
        run.entry = Some(entry);
        if queue.order.stage(id) == Some(Stage::Runs) {
            self.halt(&mut queue, id, Halt::Pause);
        } else {
            queue.syncs.stop(id);
            queue.order.set(id, Stage::Paused);
            self.jobs.pause(job);
        }
        Ok(())
    }

    pub(super) fn resume(&self, job: u64) -> Result<(), Error> {
        if self.resume_backlog(job)? {
            return Ok(());
        }
        let (id, run, stage) = self.pass(job)?;
        let is_stopping = run.halt == Some(Halt::Pause);
        if stage != Stage::Paused && !is_stopping {
            return Ok(());
        }
        self.noted_as(run.entry.map_or(Ok(()), |entry| self.journal.pause(entry, false)))?;
        let mut queue = self.lock();
        if let Some(run) = queue.runs.get_mut(&id) {
            run.halt = None;
        }
        if queue.order.stage(id) == Some(Stage::Paused) {
            self.release(&mut queue, id);
            self.jobs.postpone(job);
        }
        self.changed(&mut queue);
        Ok(())
    }

    /// The pass of a job that is not over.
    fn pass(&self, job: u64) -> Result<(PlaceId, Run, Stage), Error> {
        let queue = self.lock();
        if queue.changes.values().any(|change| change.job == job) {
            return Err(fixed("its documents are accepted, and committed within moments"));
        }
        let found = queue.place_of(job).and_then(|id| Some((id, queue.runs.get(&id)?.clone(), queue.order.stage(id)?)));
        if let Some((id, ..)) = found
            && queue.syncs.holds(id)
        {
            return found.ok_or_else(over);
        }
        match found {
            None => Err(over()),
            Some((_, run, _)) if run.task == Task::Remove => {
                Err(fixed("a removal that was accepted is made; index the source again to have it back"))
            }
            Some((_, run, Stage::Runs)) if matches!(run.task, Task::Verify | Task::Compact) => {
                Err(fixed("it has begun, and is done to its end"))
            }
            Some((_, _, Stage::Prepares | Stage::Waits)) => Err(fixed("it is only just being accepted")),
            Some(found) => Ok(found),
        }
    }

    /// Tells a pass that is under way to stop where it is.
    fn halt(&self, queue: &mut Queue, id: PlaceId, halt: Halt) {
        if let Some(run) = queue.runs.get_mut(&id) {
            run.halt = Some(halt);
            self.cancel.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a pass that has stopped was called off.
    pub(super) fn is_cancelled(&self, id: PlaceId) -> bool {
        self.lock().runs.get(&id).is_some_and(|run| run.halt == Some(Halt::Cancel))
    }

    /// Whether the job is the making of vectors, which waits from now on.
    fn pause_backlog(&self, job: u64) -> Result<bool, Error> {
        let (own, held) = {
            let queue = self.lock();
            (queue.backlog_job, queue.backlog_paused)
        };
        if own != Some(job) || held.is_some() {
            return Ok(own == Some(job));
        }
        let entry = self.noted_as(self.journal.hold_vectors())?;
        let mut queue = self.lock();
        if queue.backlog_job != Some(job) || queue.backlog_paused.is_some() {
            // It was done meanwhile, or somebody else was faster.
            drop(queue);
            self.noted_as(self.journal.done(entry))?;
            return Ok(true);
        }
        queue.backlog_paused = Some(entry);
        self.jobs.pause(job);
        Ok(true)
    }

    /// Whether the job is the making of vectors, which goes on.
    fn resume_backlog(&self, job: u64) -> Result<bool, Error> {
        let held = {
            let queue = self.lock();
            if queue.backlog_job != Some(job) {
                return Ok(false);
            }
            queue.backlog_paused
        };
        let Some(held) = held else { return Ok(true) };
        self.noted_as(self.journal.done(held))?;
        let mut queue = self.lock();
        if queue.backlog_job == Some(job) && queue.backlog_paused.take().is_some() {
            self.jobs.postpone(job);
            queue.backlog = Some(Instant::now());
            self.ring();
        }
        Ok(true)
    }

    fn noted_as<T>(&self, written: std::io::Result<T>) -> Result<T, Error> {
        written.map_err(|error| {
            tracing::error!("cannot note what was asked for: {error}");
            Error::Unwritable(Failure::disk(&error))
        })
    }
}

fn over() -> Error {
    fixed("it is over")
}

fn fixed(why: &'static str) -> Error {
    Error::JobFixed { why }
}
