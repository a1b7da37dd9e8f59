//! The desk at which the writer's work is done: changes, removals and passes, one step at a time, on an open store.
//!
//! An error of a step means that the store is in doubt and has to be opened again; what was under way then is in
//! [`Desk::under_way`] and is done again. Everything else that goes wrong is reported to whoever asked.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use indexer::{Comparison, DateOrigin, FileAccess, IndexError, IndexOptions, Indexer, RunReport, Vanished};
use qwen3::EmbedHandle;
use storage::{Batch, LedgerEntry, Source, Store, chain};

use super::condition::Failure;
use super::folders::Folders;
use super::order::PlaceId;
use super::queue::{AccessNews, AccessOrder, Change, Origin, Run, Step, Task};
use super::shared::Shared;
use super::turns::Kind;
use super::watch::{Room, SLICE, Slice, Watch};
use super::{Deletions, Look};
use crate::jobs::{JobState, Progress};
use crate::mirror_access::MirrorAccess;
use crate::pushed::Pushed;

/// Documents of a source that are removed in one commit.
const REMOVED_AT_ONCE: usize = 10_000;

/// Everything but the store.
pub(super) struct Desk {
    pub(super) embedder: EmbedHandle,
    pub(super) options: IndexOptions,
    folders: Folders,
    pushed: Arc<Pushed>,
    /// What a run by the timetable failed with last, by source: told once.
    failures: HashMap<String, String>,
    pub(super) shared: Arc<Shared>,
    /// What is being done at this moment.
    pub(super) under_way: Vec<PlaceId>,
}

/// What a pass did.
struct Done {
    words: String,
    /// Whether it found nothing to do.
    is_idle: bool,
}

impl Desk {
    pub(super) fn new(
        embedder: EmbedHandle,
        options: IndexOptions,
        folders: Folders,
        pushed: Arc<Pushed>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { embedder, options, folders, pushed, failures: HashMap::new(), shared, under_way: Vec::new() }
    }

    /// Does a part of the work.
    ///
    /// # Errors
    /// The store is in doubt.
    pub(super) fn step(&mut self, store: &mut Store, step: Step) -> Result<(), IndexError> {
        let ids = match &step {
            Step::Changes(ids) => ids.clone(),
            Step::Removal(id) | Step::Pass(id) | Step::Compaction(id) => vec![*id],
            Step::Accesses | Step::Pins | Step::Backlog => Vec::new(),
        };
        self.under_way.extend(&ids);
        match step {
            Step::Changes(ids) => self.changes(store, &ids)?,
            Step::Removal(id) => self.removal(store, id)?,
            Step::Pass(id) => self.pass(store, id)?,
            // That is done with the store closed: see `Worker`.
            Step::Compaction(_) => {}
            Step::Accesses => self.accesses(store)?,
            Step::Pins => self.pins(store),
            Step::Backlog => return self.backlog(store),
        }
        if !store.waiting().is_over() {
            self.shared.expect_vectors();
        }
        self.under_way.retain(|id| !ids.contains(id));
        Ok(())
    }

    /// Says who may see sources from now on.
    fn accesses(&self, store: &mut Store) -> Result<(), IndexError> {
        let orders = std::mem::take(&mut self.shared.lock().accesses);
        for AccessOrder { source, news, reply } in orders {
            match news {
                AccessNews::Rules(rules) => store.set_source_access(&source, rules)?,
                AccessNews::Files(permissions) => store.set_file_permissions(&source, permissions)?,
            }
            // Whoever asked may have gone.
            let _ = reply.send(());
        }
        Ok(())
    }

    /// The paths of changes, if they are of that source.
    pub(super) fn paths(&self, ids: &[PlaceId], source: &str) -> Vec<String> {
        let queue = self.shared.lock();
        let changes = ids.iter().filter_map(|id| queue.changes.get(id));
        changes.filter(|change| change.source.name == source).flat_map(|change| change.paths.clone()).collect()
    }

    /// Commits changes of one source together and answers each.
    fn changes(&mut self, store: &mut Store, ids: &[PlaceId]) -> Result<(), IndexError> {
        let (source, job, paths) = {
            let queue = self.shared.lock();
            let changes: Vec<&Change> = ids.iter().filter_map(|id| queue.changes.get(id)).collect();
            changes.iter().for_each(|change| self.shared.jobs.start(change.job));
            let Some(first) = changes.first() else { return Ok(()) };
            let paths: BTreeSet<&String> = changes.iter().flat_map(|change| &change.paths).collect();
            (first.source.clone(), first.job, paths.into_iter().cloned().collect::<Vec<String>>())
        };
        let cancel = AtomicBool::new(false);
        let shared = Arc::clone(&self.shared);
        let slice = Slice::new(&shared, job, &cancel);
        let options = self.options_for(&source);
        let mut indexer = Indexer::new(store, &self.embedder, options, &slice, &cancel).soon();
        let outcome = match indexer.index_paths(&source, &paths) {
            Ok(report) if report.interrupted => {
                self.shared.make_room(ids);
                return Ok(());
            }
            Ok(_) => Ok(()),
            Err(error) => Err(refusal(error)?),
        };
        let mut outcomes = Vec::new();
        for id in ids {
            let committed = match &outcome {
                Ok(()) => Ok(self.committed(store, *id)?),
                Err(failure) => Err(failure.clone()),
            };
            outcomes.push((*id, committed));
        }
        self.shared.changes_done(outcomes);
        Ok(())
    }

    fn committed(&self, store: &Store, id: PlaceId) -> Result<Vec<LedgerEntry>, IndexError> {
        let (source, paths) = {
            let queue = self.shared.lock();
            let Some(change) = queue.changes.get(&id) else { return Ok(Vec::new()) };
            (change.source.name.clone(), change.paths.clone())
        };
        let mut lines = Vec::new();
        for path in &paths {
            lines.extend(store.ledger_entry(&source, path)?);
        }
        Ok(lines)
    }

    pub(super) fn begin(&self, id: PlaceId) -> Option<Run> {
        let run = self.shared.lock().runs.get(&id).cloned()?;
        self.shared.jobs.start(run.job);
        Some(run)
    }

    fn pass(&mut self, store: &mut Store, id: PlaceId) -> Result<(), IndexError> {
        let Some(run) = self.begin(id) else { return Ok(()) };
        let look = match run.task {
            Task::Index(look) => look,
            Task::Verify => return self.verify(store, id, &run),
            // These have steps of their own.
            Task::Compact | Task::Remove => return Ok(()),
        };
        let name = run.source.name.clone();
        let by_clock = run.origin == Origin::Timetable;
        let outcome = self.index(store, &run, look);
        // Somebody may have noted it meanwhile.
        let run = self.shared.lock().runs.get(&id).cloned().unwrap_or(run);
        match outcome {
            Ok(Some(done)) => {
                self.close(&run)?;
                self.end_well(&run, done);
            }
            Ok(None) if self.shared.lock().stopping => {
                let words = "stopped with the server; goes on at its next start".to_string();
                self.shared.jobs.finish(run.job, JobState::Interrupted, words);
            }
            Ok(None) if self.shared.is_leaving(&name) => self.shared.finish_needless(&run),
            Ok(None) if self.shared.is_cancelled(id) => {
                self.close(&run)?;
                let words = "cancelled; what was committed before stays".to_string();
                self.shared.jobs.finish(run.job, JobState::Cancelled, words);
            }
            Ok(None) => {
                self.shared.make_room(&[id]);
                return Ok(());
            }
            Err(error) => {
                let words = chain(&error);
                let failure = refusal(error)?;
                self.close(&run)?;
                let told_before = self.failures.insert(name.clone(), words.clone());
                if by_clock && told_before.is_some_and(|before| before == words) {
                    self.shared.jobs.forget(run.job);
                } else {
                    tracing::error!(source = name, "indexing failed: {words}");
                    self.shared.jobs.fail(run.job, &failure);
                }
            }
        }
        self.shared.run_done(id);
        Ok(())
    }

    /// Tells what a pass did, and what was fetched for it before.
    fn end_well(&mut self, run: &Run, done: Done) {
        let (name, by_clock) = (&run.source.name, run.origin == Origin::Timetable);
        let fetched = run.synced.clone();
        if let Some(error) = fetched.as_ref().and_then(|fetched| fetched.error.clone()) {
            // What is there was gone over; it is not what there is to be had.
            let told_before = self.failures.insert(name.clone(), error.clone());
            return match by_clock && told_before.is_some_and(|before| before == error) {
                true => self.shared.jobs.forget(run.job),
                false => self.shared.jobs.fail(run.job, &Failure::elsewhere(&error)),
            };
        }
        self.failures.remove(name);
        if done.is_idle && by_clock && fetched.as_ref().is_none_or(|fetched| fetched.is_idle) {
            self.shared.jobs.forget(run.job);
            return;
        }
        let words = fetched.map_or(String::new(), |fetched| format!("{}; ", fetched.words)) + &done.words;
        self.shared.jobs.finish(run.job, JobState::Done, words);
    }

    /// How a source is read: the files of a pushed one have the times that they were pushed with.
    fn options_for(&self, source: &Source) -> IndexOptions {
        let is_pushed = self.pushed.owns(source);
        let dated = if is_pushed { DateOrigin::Pushed } else { DateOrigin::File };
        let access: Option<Arc<dyn FileAccess>> = match is_pushed {
            true => Some(Arc::clone(&self.pushed) as Arc<dyn FileAccess>),
            false => MirrorAccess::of(&self.shared.mirrors, source),
        };
        IndexOptions { dated, access, ..self.options.clone() }
    }

    /// What was done; `None` if the pass was stopped before its end.
    fn index(&mut self, store: &mut Store, run: &Run, look: Look) -> Result<Option<Done>, IndexError> {
        let shared = Arc::clone(&self.shared);
        // Watched before it is read: nothing that changes meanwhile is missed.
        let habit = self.folders.tend(&run.source, &Arc::downgrade(&shared));
        shared.begin(&run.source, habit);
        let watch = Watch::new(&shared, run.job);
        let (mut options, embedder) = (self.options_for(&run.source), self.embedder.clone());
        if look.deletions == Deletions::Confirmed {
            options.vanished = Vanished::Remove;
        }
        if look.by_content {
            options.comparison = Comparison::Content;
        }
        let started = Instant::now();
        let mut room = Room { desk: self, source: run.source.name.clone(), since: started };
        let indexer = Indexer::new(store, &embedder, options, &watch, &shared.cancel);
        let outcome = indexer.with_interlude(&mut room).index_source(&run.source);
        shared.spent(Kind::Pass, room.since.elapsed());
        let planning = outcome.as_ref().map_or_else(|_| started.elapsed(), |report| report.planning);
        shared.end(&run.source, planning);
        let report = outcome?;
        // Before it is told as done: whoever waits for all sees that more is to come.
        if !store.waiting().is_over() {
            shared.expect_vectors();
        }
        Ok((!report.interrupted).then(|| Done { words: words(&report), is_idle: report.is_idle() }))
    }

    /// Checks the index while nothing is written. What is wrong with it is the outcome.
    fn verify(&self, store: &Store, id: PlaceId, run: &Run) -> Result<(), IndexError> {
        let report = store.verify()?;
        self.close(run)?;
        let counted =
            format!("checked {} documents, {} passages, {} vectors", report.documents, report.chunks, report.vectors);
        let found = report.findings.iter().map(|finding| format!("{}: {}", finding.part, finding.detail));
        match found.collect::<Vec<_>>() {
            found if found.is_empty() => {
                self.shared.jobs.finish(run.job, JobState::Done, format!("{counted}; everything is as it was written"));
            }
            found => {
                found.iter().for_each(|finding| tracing::error!("the index is damaged: {finding}"));
                let cure = "stop the server and have it repaired";
                let words = format!("{counted}; {} findings, {cure}: {}", found.len(), found.join("; "));
                self.shared.jobs.fail(run.job, &Failure::other(&words));
            }
        }
        self.shared.run_done(id);
        Ok(())
    }

    /// Takes a source out. Goes on where it was if it had to make room, or the process ended.
    fn removal(&mut self, store: &mut Store, id: PlaceId) -> Result<(), IndexError> {
        let Some(run) = self.begin(id) else { return Ok(()) };
        let name = &run.source.name;
        self.folders.forget(name);
        if !self.shared.syncs_have_ended(name) {
            self.shared.make_room(&[id]);
            return Ok(());
        }
        // The files go first: what cannot be removed would come back at the next start.
        if let Err(failure) = self.remove_files(&run.source) {
            self.close(&run)?;
            self.shared.jobs.fail(run.job, &failure);
            self.shared.run_done(id);
            return Ok(());
        }
        let started = Instant::now();
        let mut removed = self.shared.jobs.get(run.job).map_or(0, |job| job.progress.files);
        loop {
            let mut batch = Batch::default();
            for entry in store.ledger(name).take(REMOVED_AT_ONCE) {
                let entry = entry?;
                batch.remove(&entry.source, &entry.path);
                batch.forget(&entry.source, &entry.path);
            }
            if batch.is_empty() {
                break;
            }
            removed += batch.documents() as u64;
            store.commit(batch)?;
            self.shared.jobs.progress(run.job, Progress { files: removed, ..Progress::default() });
            let has_to_yield = {
                let queue = self.shared.lock();
                queue.stopping || (started.elapsed() >= SLICE && queue.others_wait())
            };
            if has_to_yield {
                self.shared.make_room(&[id]);
                return Ok(());
            }
        }
        store.remove_source(name)?;
        self.close(&run)?;
        self.failures.remove(name);
        self.shared.jobs.finish(run.job, JobState::Done, format!("{removed} documents removed"));
        self.shared.run_done(id);
        self.shared.compact_if_wasteful(&store.snapshot());
        Ok(())
    }

    /// Removes the files of a source that lie in the data folder.
    fn remove_files(&self, source: &Source) -> Result<(), Failure> {
        if let Err(error) = self.pushed.remove_source(source) {
            tracing::error!(source = source.name, "the pushed documents cannot be removed: {error}");
            return Err(Failure::disk(&error));
        }
        if self.shared.mirrors.owns(source) {
            self.shared.mirrors.remove(&source.name).map_err(|error| {
                let words = chain(&error);
                tracing::error!(source = source.name, "the mirror cannot be removed: {words}");
                Failure::other(words)
            })?;
        }
        Ok(())
    }

    /// Takes what is done out of the journal: until then it would be done again at the next start, behind what is
    /// accepted from now on. So nothing is let past before it has worked.
    pub(super) fn close(&self, run: &Run) -> Result<(), IndexError> {
        let closed = run.entry.map_or(Ok(()), |entry| self.shared.journal.done(entry));
        let failed = |source: io::Error| storage::Error::Io { action: "write", path: "accepted.json".into(), source };
        closed.map_err(|error| IndexError::Storage(failed(error)))
    }
}

/// What to tell of an error that leaves the store as it was; any other is passed on.
pub(super) fn refusal(error: IndexError) -> Result<Failure, IndexError> {
    match &error {
        IndexError::Storage(storage) if !storage.is_refusal() => Err(error),
        _ => {
            tracing::error!("not committed: {}", chain(&error));
            Ok(Failure::of(&error))
        }
    }
}

fn words(report: &RunReport) -> String {
    let RunReport { indexed, partly, unchanged, skipped, unreadable, failed, removed, .. } = report;
    let unread = unreadable + failed;
    let listed = report.problems.len();
    format!(
        "{indexed} indexed, {partly} partly, {unchanged} unchanged, {skipped} skipped, {removed} removed, {unread} not readable, \
         {listed} not listed; {} passages, {} tokens in {:.1} s",
        report.chunks,
        report.tokens,
        report.elapsed.as_secs_f64()
    )
}
