//! The loop of the writer: changes first, then runs, then the schedule.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indexer::{Counters, IndexError, IndexOptions, Indexer, Observer, RunReport, Silent, Vanished};
use qwen3::EmbedHandle;
use storage::{LedgerEntry, Source, Store};

use super::folders::Folders;
use super::{Change, Committed, Deletions, Next, Origin, Run, Shared, Task};
use crate::jobs::{JobState, Progress};

/// How long a run works before it makes room for changes: so that it gets on under a stream of them.
const SLICE: Duration = Duration::from_secs(2);
/// Time between two looks at how far a run is.
const REPORT_EVERY: Duration = Duration::from_millis(200);

/// The thread's own.
pub(super) struct Worker {
    store: Store,
    embedder: EmbedHandle,
    options: IndexOptions,
    folders: Folders,
    /// What a run by the timetable failed with last, by source: told once.
    failures: HashMap<String, String>,
    shared: Arc<Shared>,
}

impl Worker {
    pub(super) fn new(
        store: Store,
        embedder: EmbedHandle,
        options: IndexOptions,
        folders: Folders,
        shared: Arc<Shared>,
    ) -> Self {
        Self { store, embedder, options, folders, failures: HashMap::new(), shared }
    }

    pub(super) fn run(mut self) {
        loop {
            match self.shared.next() {
                Next::Changes(changes) => self.changes(changes),
                Next::Run(run) => self.whole(run),
                Next::Stop => break,
            }
        }
        if let Err(error) = self.store.close() {
            tracing::error!("the index could not be closed in good order; the next start repairs it: {error}");
        }
    }

    /// Commits changes of one source together and answers each.
    fn changes(&mut self, changes: Vec<Change>) {
        let Some(source) = changes.first().map(|change| change.source.clone()) else { return };
        changes.iter().for_each(|change| self.shared.jobs.start(change.job));
        let paths: BTreeSet<&String> = changes.iter().flat_map(|change| &change.paths).collect();
        let paths: Vec<String> = paths.into_iter().cloned().collect();
        let outcome = self.index_paths(&source, &paths).map_err(|error| told(&error));
        for change in changes {
            let answer = outcome.clone().and_then(|()| self.committed(&change));
            let (state, words) = match &answer {
                Ok(entries) => (JobState::Done, Ok(format!("{} documents", entries.len()))),
                Err(error) => (JobState::Failed, Err(error.clone())),
            };
            self.shared.jobs.finish(change.job, state, words);
            // Nobody may be waiting any more.
            let _ = change.reply.send(answer);
        }
    }

    fn index_paths(&mut self, source: &Source, paths: &[String]) -> Result<(), IndexError> {
        let never = AtomicBool::new(false);
        let mut indexer = Indexer::new(&mut self.store, &self.embedder, self.options.clone(), &Silent, &never);
        indexer.index_paths(source, paths).map(drop)
    }

    fn committed(&self, change: &Change) -> Committed {
        let lines = change.paths.iter().map(|path| self.store.ledger_entry(&change.source.name, path));
        let lines: Result<Vec<Option<LedgerEntry>>, _> = lines.collect();
        lines.map(|lines| lines.into_iter().flatten().collect()).map_err(|error| told(&error.into()))
    }

    fn whole(&mut self, run: Run) {
        self.shared.jobs.start(run.job);
        let outcome = match run.task {
            Task::Index(deletions) => self.index(&run, deletions),
            Task::Remove => self.remove(&run.source),
        };
        let by_clock = run.origin == Origin::Timetable;
        match outcome {
            Ok(Some(done)) => {
                self.failures.remove(&run.source.name);
                if done.is_idle && by_clock {
                    self.shared.jobs.forget(run.job);
                } else {
                    self.shared.jobs.finish(run.job, JobState::Done, Ok(done.words));
                }
            }
            Ok(None) if self.shared.lock().stopping => {
                let words = "stopped with the server; goes on at its next start".to_string();
                return self.shared.jobs.finish(run.job, JobState::Interrupted, Ok(words));
            }
            Ok(None) => return self.shared.postpone(run),
            Err(error) => {
                let told_before = self.failures.insert(run.source.name.clone(), error.to_string());
                if by_clock && told_before.is_some_and(|before| before == error.to_string()) {
                    return self.shared.jobs.forget(run.job);
                }
                tracing::error!(source = run.source.name, "indexing failed: {error}");
                self.shared.jobs.explain(run.job, placeless(&error, &run.source.name));
                self.shared.jobs.finish(run.job, JobState::Failed, Err(told(&error)));
            }
        }
        self.shared.arrived(&run.source.name);
    }

    /// What was done; `None` if the run was stopped before its end.
    fn index(&mut self, run: &Run, deletions: Deletions) -> Result<Option<Done>, IndexError> {
        let shared = Arc::clone(&self.shared);
        // Watched before it is read: nothing that changes meanwhile is missed.
        let habit = self.folders.tend(&run.source, &Arc::downgrade(&shared));
        shared.begin(&run.source, habit);
        let watch = Watch::new(&shared, run.job);
        let mut options = self.options.clone();
        if deletions == Deletions::Confirmed {
            options.vanished = Vanished::Remove;
        }
        let mut indexer = Indexer::new(&mut self.store, &self.embedder, options, &watch, &shared.cancel);
        let started = Instant::now();
        let outcome = indexer.index_source(&run.source);
        let planning = outcome.as_ref().map_or_else(|_| started.elapsed(), |report| report.planning);
        shared.end(&run.source, planning);
        let report = outcome?;
        Ok((!report.interrupted).then(|| Done { words: words(&report), is_idle: report.is_idle() }))
    }

    fn remove(&mut self, source: &Source) -> Result<Option<Done>, IndexError> {
        self.folders.forget(&source.name);
        self.shared.forget(&source.name);
        let documents = self.store.remove_source(&source.name)?;
        Ok(Some(Done { words: format!("{documents} documents removed"), is_idle: false }))
    }
}

/// What a run did.
struct Done {
    words: String,
    /// Whether it found nothing to do.
    is_idle: bool,
}

/// An error in words that name no place on the server.
fn placeless(error: &IndexError, source: &str) -> String {
    match error {
        IndexError::Root(_) => format!("the folder of {source} cannot be read: is a disk not mounted?"),
        IndexError::RootChanged { .. } => format!(
            "the folder of {source} was moved, unmounted or replaced while it was indexed; nothing was removed"
        ),
        IndexError::SuddenlyEmpty { documents, .. } => {
            format!("the folder of {source} is empty, but {documents} of its files are indexed: is a disk not mounted?")
        }
        IndexError::ManyGone { gone, known, .. } => format!(
            "{gone} of {known} indexed files of {source} are gone: is part of its folder not mounted? New and changed \
             files were indexed, nothing was removed"
        ),
        IndexError::Storage(_) | IndexError::Model(_) => "the index or the model failed".to_string(),
    }
}

/// An error in the words of administrators; what is too long for them is in the log.
fn told(error: &IndexError) -> String {
    match error {
        IndexError::Root(_)
        | IndexError::RootChanged { .. }
        | IndexError::SuddenlyEmpty { .. }
        | IndexError::ManyGone { .. } => error.to_string(),
        IndexError::Storage(_) | IndexError::Model(_) => {
            tracing::error!("a commit failed: {error}");
            "the index or the model failed; the server's log says why".to_string()
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

/// Tells how far a run is, and stops it when somebody waits.
struct Watch<'a> {
    shared: &'a Shared,
    job: u64,
    started: Instant,
    told: Cell<Option<Instant>>,
    progress: Cell<Progress>,
}

impl<'a> Watch<'a> {
    fn new(shared: &'a Shared, job: u64) -> Self {
        Self { shared, job, started: Instant::now(), told: Cell::default(), progress: Cell::default() }
    }

    fn tell(&self, progress: Progress) {
        self.progress.set(progress);
        self.told.set(Some(Instant::now()));
        self.shared.jobs.progress(self.job, progress);
    }
}

impl Observer for Watch<'_> {
    fn planned(&self, files: u64, unchanged: u64) {
        self.tell(Progress { planned: files, unchanged, ..Progress::default() });
    }

    fn progressed(&self, counters: &Counters) {
        if self.started.elapsed() >= SLICE && self.shared.has_changes() {
            self.shared.cancel.store(true, Ordering::Relaxed);
        }
        if self.told.get().is_some_and(|told| told.elapsed() < REPORT_EVERY) {
            return;
        }
        let seconds = self.started.elapsed().as_secs_f64().max(1e-3);
        let planned = self.progress.get().planned;
        let left = planned.saturating_sub(counters.files) as f64;
        self.tell(Progress {
            files: counters.files,
            passages: counters.chunks,
            tokens: counters.tokens,
            tokens_per_second: counters.tokens as f64 / seconds,
            seconds_left: (counters.files > 0).then(|| left * seconds / counters.files as f64),
            ..self.progress.get()
        });
    }
}
