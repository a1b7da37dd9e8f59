//! The state that requests and the writer's thread share: the queue, and the bell that wakes the thread.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use connect::Mirrors;
use indexer::Stop;
use storage::{SnapshotHandle, Source};
use tokio::sync::oneshot;

use super::condition::Failure;
use super::journal::{Entry, EntryId, Journal};
use super::order::{PlaceId, Stage};
use super::places::{Place, Placed, Reservation};
use super::queue::{Change, Committed, Origin, Planned, Queue, Run, Step, Task};
use super::timetable::Habit;
use super::turns::Kind;
use super::{Look, kind_of};
use crate::error::Error;
use crate::jobs::{JobKind, JobState, Jobs};

/// Changes that may wait.
const MAX_CHANGES: usize = 256;
/// Times something is done again after a failure before it is given up.
const MAX_TRIES: u32 = 3;
/// Time until a source is compared again of which something was given up.
const SECOND_LOOK: Duration = Duration::from_secs(60);

/// The queue with all that goes with it.
pub(crate) struct Shared {
    queue: Mutex<Queue>,
    bell: Condvar,
    /// Tells a pass to keep what it has and return.
    pub(super) cancel: AtomicBool,
    /// Tells it not to finish even the file it has begun with: the process is going to end.
    stop: Stop,
    pub(super) jobs: Arc<Jobs>,
    pub(super) journal: Journal,
    pub(super) mirrors: Arc<Mirrors>,
    /// Wakes those who fetch, and those who wait for their end.
    pub(super) sync_bell: Condvar,
    snapshots: SnapshotHandle,
}

/// What the thread does next.
pub(super) enum Next {
    Step(Step),
    /// Opens the store again.
    Reopen,
    Stop,
}

impl Shared {
    pub(super) fn new(
        jobs: Arc<Jobs>,
        journal: Journal,
        snapshots: SnapshotHandle,
        stop: Stop,
        mirrors: Arc<Mirrors>,
    ) -> Self {
        let cancel = AtomicBool::new(false);
        let (queue, bell, sync_bell) = (Mutex::default(), Condvar::new(), Condvar::new());
        Self { queue, bell, cancel, stop, jobs, journal, mirrors, sync_bell, snapshots }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the thread.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Lets everybody look again who waits for a change of the queue.
    pub(super) fn changed(&self, queue: &mut Queue) {
        queue.clear();
        self.bell.notify_one();
    }

    /// See [`Writer::reserve`](super::Writer::reserve).
    pub(super) fn reserve(self: &Arc<Self>, wanted: Vec<(Source, Vec<String>)>) -> Result<Reservation, Error> {
        let mut queue = self.lock();
        if queue.stopping {
            return Err(Error::Stopping);
        }
        if let Some(failure) = queue.condition.failure() {
            return Err(Error::Unwritable(failure.clone()));
        }
        if queue.changes.len() >= MAX_CHANGES {
            return Err(Error::Busy);
        }
        for (source, _) in &wanted {
            if matches!(self.planned(&queue, &source.name), Some(other) if other != *source) {
                let detail = format!("the source {:?} is a folder: change its files instead", source.name);
                return Err(Error::Conflict { detail });
            }
        }
        let place = |(source, paths): (Source, Vec<String>)| {
            let claimed: BTreeSet<String> = paths.iter().cloned().collect();
            let id = queue.order.accept(&source.name, Kind::Change, claimed, Stage::Waits);
            let job = self.jobs.add(JobKind::Documents, &source.name);
            let ((clear, is_clear), (reply, answer)) = (oneshot::channel(), oneshot::channel());
            let (clear, reply) = (Some(clear), Some(reply));
            let change = Change { job, source: source.clone(), paths, clear, reply, tries: 0, is_interim: false };
            queue.changes.insert(id, change);
            Place { id, clear: is_clear, placed: Placed { source, job, answer } }
        };
        let places: Vec<Place> = wanted.into_iter().map(place).collect();
        queue.clear();
        drop(queue);
        Ok(Reservation::new(Arc::clone(self), places))
    }

    /// The source that a name is going to be; `None` where there is none.
    fn planned(&self, queue: &Queue, name: &str) -> Option<Source> {
        match queue.planned(name) {
            Planned::Is(source) => Some(source),
            Planned::Gone => None,
            Planned::Unchanged => self.snapshots.get().whole().ok()?.source(name).cloned(),
        }
    }

    /// Why somebody does not get a place any more.
    pub(super) fn refusal(&self) -> Error {
        let queue = self.lock();
        queue.condition.failure().map_or(Error::Stopping, |failure| Error::Unwritable(failure.clone()))
    }

    /// The files of a change are in place.
    pub(super) fn ready(&self, id: PlaceId) {
        let mut queue = self.lock();
        queue.order.set(id, Stage::Ready);
        let failure = queue.condition.failure().cloned();
        if let (Some(failure), Some(change)) = (failure, queue.changes.get_mut(&id)) {
            answer(change, Err(failure));
        }
        self.changed(&mut queue);
    }

    /// A change does not take place.
    pub(super) fn give_away(&self, id: PlaceId, job: u64) {
        let mut queue = self.lock();
        queue.changes.remove(&id);
        queue.order.done(id);
        self.jobs.forget(job);
        self.changed(&mut queue);
    }

    /// The job of the same work on a source, if it waits already, or is paused, with nothing behind it that would come in
    /// between.
    pub(super) fn waits_already(queue: &Queue, source: &Source, task: Task) -> Option<u64> {
        let counts = |kind: Kind| kind != Kind::Change || task == Task::Remove;
        let (id, _, stage) = queue.order.of(&source.name).rfind(|(_, kind, _)| counts(*kind))?;
        let run = queue.runs.get(&id).filter(|run| run.task == task && run.source == *source)?;
        (matches!(stage, Stage::Ready | Stage::Paused) || queue.syncs.waits(id)).then_some(run.job)
    }

    pub(super) fn queue_run(&self, source: Source, task: Task) {
        let mut queue = self.lock();
        self.queue_run_in(&mut queue, source, task, Origin::Asked);
        self.bell.notify_one();
    }

    /// Queues what an earlier process had accepted.
    pub(super) fn queue_noted(&self, id: EntryId, task: Task, entry: Entry) {
        let stage = if entry.is_paused { Stage::Paused } else { Stage::Ready };
        let mut queue = self.lock();
        let place = self.place_run(&mut queue, entry.source, task, Origin::Asked, stage);
        if let Some(run) = queue.runs.get_mut(&place) {
            run.entry = Some(id);
            if entry.is_paused {
                self.jobs.pause(run.job);
            } else {
                self.release(&mut queue, place);
            }
        }
        self.bell.notify_one();
    }

    pub(super) fn queue_run_in(&self, queue: &mut Queue, source: Source, task: Task, origin: Origin) {
        if Self::waits_already(queue, &source, task).is_none() {
            let place = self.place_run(queue, source, task, origin, Stage::Prepares);
            self.release(queue, place);
        }
    }

    pub(super) fn place_run(
        &self,
        queue: &mut Queue,
        source: Source,
        task: Task,
        origin: Origin,
        stage: Stage,
    ) -> PlaceId {
        let kind = match task {
            Task::Index(_) => JobKind::Index,
            Task::Remove => JobKind::RemoveSource,
            Task::Verify => JobKind::Verify,
            Task::Compact => JobKind::Compact,
        };
        let job = self.jobs.add(kind, &source.name);
        let id = queue.order.accept(&source.name, kind_of(task), BTreeSet::new(), stage);
        queue.runs.insert(id, Run { job, source, task, origin, entry: None, tries: 0, halt: None, synced: None });
        id
    }

    /// Work on a source is noted on disk; its job. A removal makes earlier passes over its source needless.
    pub(super) fn noted(&self, id: PlaceId, entry: EntryId) -> u64 {
        let mut queue = self.lock();
        self.release(&mut queue, id);
        let Some(run) = queue.runs.get_mut(&id) else { return 0 };
        run.entry = Some(entry);
        let run = run.clone();
        let mut needless = Vec::new();
        if run.task == Task::Remove {
            let name = &run.source.name;
            queue.timetable.remove(name);
            queue.known.remove(name);
            queue.awaited.remove(name);
            let earlier = queue.order.of(name).filter(|(other, kind, _)| *other < id && *kind == Kind::Pass);
            let earlier: Vec<(PlaceId, Stage)> = earlier.map(|(other, _, stage)| (other, stage)).collect();
            for (other, stage) in earlier {
                queue.syncs.stop(other);
                match stage {
                    Stage::Runs => self.cancel.store(true, Ordering::Relaxed),
                    _ => needless.extend(queue.runs.remove(&other).inspect(|_| queue.order.done(other))),
                }
            }
        }
        self.changed(&mut queue);
        drop(queue);
        needless.iter().for_each(|run| self.finish_needless(run));
        run.job
    }

    /// A pass over a source that is being removed.
    pub(super) fn finish_needless(&self, run: &Run) {
        if let Err(error) = run.entry.map_or(Ok(()), |entry| self.journal.done(entry)) {
            // It stands before the removal: done again at the next start, it changes nothing.
            tracing::warn!("a pass that is not needed stays noted: {error}");
        }
        let words = "not needed: the source is being removed".to_string();
        self.jobs.finish(run.job, JobState::Done, words);
    }

    /// Work on a source does not take place.
    pub(super) fn give_up_run(&self, id: PlaceId) {
        let mut queue = self.lock();
        if let Some(run) = queue.runs.remove(&id) {
            self.jobs.forget(run.job);
        }
        queue.order.done(id);
        self.changed(&mut queue);
    }

    /// Waits for work, and says what is to be done.
    pub(super) fn next(&self) -> Next {
        let mut queue = self.lock();
        loop {
            if queue.stopping {
                return Next::Stop;
            }
            let now = Instant::now();
            match queue.condition.retry() {
                Some(retry) if retry <= now => return Next::Reopen,
                Some(_) => {}
                None => {
                    // Before the step: what is due has a right to its turn as soon as it is.
                    while self.queue_due(&mut queue, now) {}
                    if let Some(step) = queue.next() {
                        // A pass that is about to start is not told to stop for what came before it.
                        self.cancel.store(false, Ordering::Relaxed);
                        return Next::Step(step);
                    }
                    if queue.backlog().is_some_and(|from| from <= now) {
                        return Next::Step(Step::Backlog);
                    }
                }
            }
            queue = match queue.due() {
                None => self.bell.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let wait = due.saturating_duration_since(now);
                    self.bell.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Queues the pass that is due by the timetable, if one is.
    fn queue_due(&self, queue: &mut Queue, now: Instant) -> bool {
        let due = queue.timetable.next().filter(|(_, due)| *due <= now).map(|(source, _)| source.to_string());
        let Some(source) = due else { return false };
        queue.timetable.begin(&source, now);
        match queue.known.get(&source).cloned() {
            Some(source) => {
                self.queue_run_in(queue, source, Task::Index(Look::default()), Origin::Timetable);
            }
            None => queue.timetable.remove(&source),
        }
        true
    }

    /// What is to be done beside a pass that is under way. What is due by the timetable is queued meanwhile.
    pub(super) fn next_beside_pass(&self, spent: Duration) -> Option<Step> {
        let mut queue = self.lock();
        queue.turns.spent(Kind::Pass, spent);
        if queue.stopping { None } else { queue.next_beside_pass() }
    }

    pub(super) fn spent(&self, kind: Kind, time: Duration) {
        self.lock().turns.spent(kind, time);
    }

    /// A file below a source's folder changed.
    pub(super) fn touched(&self, source: &str, now: Instant) {
        self.lock().timetable.touched(source, now);
        self.bell.notify_one();
    }

    /// A pass over a source begins.
    pub(super) fn begin(&self, source: &Source, habit: Habit) {
        let mut queue = self.lock();
        queue.known.insert(source.name.clone(), source.clone());
        queue.timetable.set(&source.name, habit, Instant::now());
        queue.timetable.begin(&source.name, Instant::now());
    }

    /// A pass over a source ended.
    pub(super) fn end(&self, source: &Source, planning: Duration) {
        self.lock().timetable.end(&source.name, Instant::now(), planning);
    }

    /// Something makes room for others; it goes on later, or once it is let go on.
    pub(super) fn make_room(&self, ids: &[PlaceId]) {
        let mut queue = self.lock();
        for id in ids {
            queue.order.make_room(*id);
            let is_halted = queue.runs.get_mut(id).is_some_and(|run| run.halt.take().is_some());
            if is_halted {
                queue.order.set(*id, Stage::Paused);
            }
            match (queue.job(*id), is_halted) {
                (Some(job), true) => self.jobs.pause(job),
                (Some(job), false) => self.jobs.postpone(job),
                (None, _) => {}
            }
        }
        self.changed(&mut queue);
    }

    /// Changes are done: what is told to each, and its job.
    pub(super) fn changes_done(&self, outcomes: Vec<(PlaceId, Committed)>) {
        let mut queue = self.lock();
        for (id, outcome) in outcomes {
            queue.order.done(id);
            let Some(mut change) = queue.changes.remove(&id) else { continue };
            match &outcome {
                Ok(_) if change.is_interim => self.jobs.forget(change.job),
                Ok(entries) => self.jobs.finish(change.job, JobState::Done, format!("{} documents", entries.len())),
                Err(failure) => self.jobs.fail(change.job, failure),
            }
            answer(&mut change, outcome);
        }
        self.changed(&mut queue);
    }

    /// Work on a source is done.
    pub(super) fn run_done(&self, id: PlaceId) {
        let mut queue = self.lock();
        queue.order.done(id);
        if let Some(run) = queue.runs.remove(&id) {
            queue.awaited.remove(&run.source.name);
        }
        self.changed(&mut queue);
    }

    /// Whether a source is to be removed.
    pub(super) fn is_leaving(&self, source: &str) -> bool {
        self.lock().order.of(source).any(|(_, kind, _)| kind == Kind::Removal)
    }

    /// Puts work back that was under way when the store failed; it is done again, but not for ever. The files of a change
    /// that is given up are looked for again later; a removal that was acknowledged is never given up.
    pub(super) fn put_back(&self, ids: &[PlaceId], failure: &Failure) {
        let mut queue = self.lock();
        let mut given_up = Vec::new();
        for id in ids {
            queue.order.set(*id, Stage::Ready);
            let Some((tries, source, is_removal)) = queue.failed(*id) else { continue };
            if tries < MAX_TRIES || is_removal {
                if let Some(job) = queue.job(*id) {
                    self.jobs.retry(job, failure);
                }
                if tries >= MAX_TRIES {
                    queue.condition.failed(failure.clone(), Instant::now());
                }
                continue;
            }
            queue.order.done(*id);
            queue.timetable.retry(&source.name, Instant::now() + SECOND_LOOK);
            queue.known.insert(source.name.clone(), source);
            if let Some(mut change) = queue.changes.remove(id) {
                self.jobs.fail(change.job, failure);
                answer(&mut change, Err(failure.clone()));
            }
            if let Some(run) = queue.runs.remove(id) {
                queue.awaited.remove(&run.source.name);
                self.jobs.fail(run.job, failure);
                given_up.extend(run.entry);
            }
        }
        self.changed(&mut queue);
        drop(queue);
        for entry in given_up {
            if let Err(error) = self.journal.done(entry) {
                tracing::warn!("a pass that failed stays noted, and is made at the next start: {error}");
            }
        }
    }

    /// The store could not be opened again: nobody is kept waiting, and what waits is done once it works.
    pub(super) fn failing(&self, failure: &Failure) {
        let mut queue = self.lock();
        queue.condition.failed(failure.clone(), Instant::now());
        queue.pins.drain(..).for_each(|pins| pins.refuse(failure));
        let ready: Vec<PlaceId> = queue.changes.keys().copied().collect();
        for id in ready {
            let stage = queue.order.stage(id);
            let Some(change) = queue.changes.get_mut(&id) else { continue };
            // Whoever waits for a place is refused; whoever has put files in place is told, and its files are kept.
            change.clear = None;
            if stage >= Some(Stage::Ready) {
                answer(change, Err(failure.clone()));
            }
        }
    }

    pub(super) fn recovered(&self) {
        let mut queue = self.lock();
        queue.condition.recovered();
        self.changed(&mut queue);
    }

    pub(super) fn stop(&self) {
        let mut queue = self.lock();
        queue.stopping = true;
        queue.accesses.clear();
        queue.pins.clear();
        queue.changes.values_mut().for_each(|change| change.clear = None);
        queue.syncs.stop_all();
        self.sync_bell.notify_all();
        self.cancel.store(true, Ordering::Relaxed);
        self.stop.ask();
        self.bell.notify_one();
    }
}

fn answer(change: &mut Change, outcome: Committed) {
    if let Some(reply) = change.reply.take() {
        // Nobody may be waiting any more.
        let _ = reply.send(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(data: &std::path::Path) -> Arc<Shared> {
        let model = storage::IndexModel { name: "m".to_string(), fingerprint: "f".to_string(), dimension: 4 };
        let store = storage::Store::open(data, &model).unwrap();
        let (journal, mirrors) = (Journal::open(data).unwrap(), Arc::new(Mirrors::open(data, []).unwrap()));
        Arc::new(Shared::new(Arc::default(), journal, store.snapshots(), Stop::default(), mirrors))
    }

    fn source(data: &std::path::Path, name: &str) -> Source {
        Source { name: name.to_string(), root: data.join(name) }
    }

    /// Accepts a change, and says that its files are in place.
    fn push(shared: &Arc<Shared>, source: &Source, path: &str) {
        let reservation = shared.reserve(vec![(source.clone(), vec![path.to_string()])]).unwrap();
        let until = tokio::time::Instant::now() + Duration::from_secs(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(reservation.cleared(until)).unwrap_or_else(|error| panic!("{error}")).commit();
    }

    #[test]
    fn what_is_due_comes_to_its_turn_though_changes_never_end() {
        let data = tempfile::tempdir().unwrap();
        let (shared, folder, api) = (shared(data.path()), source(data.path(), "docs"), source(data.path(), "api"));
        shared.begin(&folder, Habit::default());
        shared.lock().timetable.retry("docs", Instant::now());
        for number in 0..10 {
            push(&shared, &api, &format!("{number}.md"));
            match shared.next() {
                Next::Step(Step::Changes(ids)) => {
                    shared.spent(Kind::Change, Duration::from_millis(10));
                    push(&shared, &api, "another.md");
                    shared.changes_done(ids.into_iter().map(|id| (id, Ok(Vec::new()))).collect());
                }
                Next::Step(Step::Pass(_)) => return,
                _ => panic!("neither a change nor a pass"),
            }
        }
        panic!("the pass never came");
    }

    #[test]
    fn what_is_due_by_the_clock_is_queued_once() {
        let data = tempfile::tempdir().unwrap();
        let (shared, folder) = (shared(data.path()), source(data.path(), "docs"));
        let every = Some(Duration::from_millis(20));
        shared.begin(&folder, Habit { poll: None, every });
        std::thread::sleep(Duration::from_millis(30));
        let Next::Step(Step::Pass(first)) = shared.next() else { panic!("expected the pass that is due") };
        shared.begin(&folder, Habit { poll: None, every });
        shared.end(&folder, Duration::ZERO);
        shared.run_done(first);
        let started = Instant::now();
        assert!(matches!(shared.next(), Next::Step(Step::Pass(_))) && started.elapsed() >= Duration::from_millis(10));
    }

    #[test]
    fn a_pass_over_a_mirror_waits_for_its_sync_and_others_do_not() {
        let data = tempfile::tempdir().unwrap();
        let shared = shared(data.path());
        let (mirrored, docs) = (shared.mirrors.source("site"), source(data.path(), "docs"));
        let index = Task::Index(Look::default());
        shared.queue_run(mirrored.clone(), index);
        shared.queue_run(docs, index);
        let job = Shared::waits_already(&shared.lock(), &mirrored, index).unwrap();
        let place = shared.lock().place_of(job).unwrap();
        assert!(shared.lock().syncs.holds(place));
        let Next::Step(Step::Pass(other)) = shared.next() else { panic!("expected the other pass") };
        assert_ne!(other, place);
        // A removal makes it needless.
        let gone = shared.place_run(&mut shared.lock(), mirrored.clone(), Task::Remove, Origin::Asked, Stage::Prepares);
        let entry = shared.journal.add(Task::Remove, &mirrored).unwrap();
        shared.noted(gone, entry);
        assert_eq!(shared.jobs.get(job).unwrap().state, JobState::Done, "not needed");
        assert!(!shared.lock().syncs.holds(place) && shared.syncs_have_ended("site"));
    }

    #[test]
    fn a_failing_store_keeps_nobody_waiting_and_forgets_nothing() {
        let data = tempfile::tempdir().unwrap();
        let (shared, api) = (shared(data.path()), source(data.path(), "api"));
        push(&shared, &api, "kept.md");
        let Next::Step(Step::Changes(ids)) = shared.next() else { panic!("expected changes") };
        let full = Failure::disk(&std::io::Error::from_raw_os_error(28));
        shared.failing(&full);
        shared.put_back(&ids, &full);
        assert!(matches!(shared.reserve(vec![(api.clone(), vec!["no.md".to_string()])]), Err(Error::Unwritable(_))));
        assert!(matches!(shared.next(), Next::Reopen), "it is tried again by itself");
        shared.recovered();
        let Next::Step(Step::Changes(again)) = shared.next() else { panic!("expected changes") };
        assert_eq!(again, ids);
        for _ in 1..MAX_TRIES {
            shared.put_back(&ids, &full);
        }
        assert!(shared.lock().changes.is_empty(), "given up in the end");
        assert_eq!(shared.jobs.all()[0].state, JobState::Failed);
        assert!(
            shared.lock().timetable.next().is_some_and(|(source, _)| source == "api"),
            "and looked for again later"
        );
    }

    #[test]
    fn a_pass_asked_for_behind_a_removal_is_another_one_and_earlier_ones_are_not_needed() {
        let data = tempfile::tempdir().unwrap();
        let (shared, docs) = (shared(data.path()), source(data.path(), "docs"));
        let index = Task::Index(Look::default());
        shared.queue_run(docs.clone(), index);
        let first = Shared::waits_already(&shared.lock(), &docs, index).unwrap();
        let place = shared.place_run(&mut shared.lock(), docs.clone(), Task::Remove, Origin::Asked, Stage::Prepares);
        let entry = shared.journal.add(Task::Remove, &docs).unwrap();
        shared.noted(place, entry);
        assert_eq!(shared.jobs.get(first).unwrap().state, JobState::Done, "not needed");
        assert_eq!(Shared::waits_already(&shared.lock(), &docs, index), None);
        shared.queue_run(docs.clone(), index);
        let Next::Step(Step::Removal(id)) = shared.next() else { panic!("expected the removal") };
        assert_eq!(id, place);
        assert!(shared.next_beside_pass(Duration::ZERO).is_none(), "the pass waits for the removal");
        shared.run_done(id);
        assert!(matches!(shared.next(), Next::Step(Step::Pass(_))));
    }
}
