//! A survey of the index, source by source: for the first page, the status page and the hint that files could not be
//! read. Counting reads the whole ledger, so the result is kept for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use storage::{FileState, Filter, Statistics};

use super::starters::{self, Starter};
use crate::engine::Engine;
use crate::error::Error;

/// How long a survey holds at least, even when the index changes.
const HOLDS: Duration = Duration::from_secs(1);
/// After which it is made anew, even when the index seems unchanged: files can be skipped without a commit.
const STALE: Duration = Duration::from_secs(5);
/// Share of the time that may go into surveys.
const SHARE: u32 = 20;

/// One source.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceState {
    pub(super) name: String,
    pub(super) documents: u64,
    pub(super) passages: u64,
    pub(super) files: u64,
    pub(super) indexed: u64,
    pub(super) partly: u64,
    pub(super) skipped: u64,
    pub(super) unreadable: u64,
    pub(super) failed: u64,
    /// End of the last run, seconds of Unix time.
    pub(super) last_run: Option<i64>,
}

impl SourceState {
    /// Files whose text is missing from the index though it should be there.
    pub(super) fn unread(&self) -> u64 {
        self.unreadable + self.failed
    }

    fn count(&mut self, state: &FileState, passages: u32) {
        self.files += 1;
        self.passages += u64::from(passages);
        let counter = match state {
            FileState::Indexed { .. } => &mut self.indexed,
            FileState::Partly { .. } => &mut self.partly,
            FileState::Skipped { .. } => &mut self.skipped,
            FileState::Unreadable { .. } => &mut self.unreadable,
            FileState::Failed { .. } => &mut self.failed,
        };
        *counter += 1;
    }
}

/// The whole index.
pub(super) struct Survey {
    pub(super) generation: u64,
    pub(super) sources: Vec<SourceState>,
    pub(super) statistics: Statistics,
    pub(super) starters: Vec<Starter>,
}

impl Survey {
    fn make(engine: &Engine) -> Result<Self, Error> {
        let snapshot = engine.snapshot();
        let mut sources = Vec::new();
        for source in snapshot.sources() {
            let filter = Filter { sources: vec![source.name.clone()], ..Filter::default() };
            let documents = snapshot.documents(&filter, None, 0)?.total as u64;
            let last_run = engine.truth.last_run(&source.name)?;
            let mut state = SourceState { name: source.name.clone(), documents, last_run, ..SourceState::default() };
            for entry in engine.truth.ledger(&source.name, "") {
                let entry = entry?;
                state.count(&entry.state, entry.chunks);
            }
            sources.push(state);
        }
        let statistics = engine.truth.statistics()?;
        Ok(Self { generation: snapshot.sequence(), sources, statistics, starters: starters::of(&snapshot)? })
    }

    /// Unread files of these sources; of all where none is named.
    pub(super) fn unread(&self, sources: &[String]) -> u64 {
        let named = |state: &&SourceState| sources.is_empty() || sources.contains(&state.name);
        self.sources.iter().filter(named).map(SourceState::unread).sum()
    }
}

/// The last survey.
#[derive(Default)]
pub(super) struct Surveys(Mutex<Option<Kept>>);

struct Kept {
    survey: Arc<Survey>,
    made: Instant,
    cost: Duration,
}

impl Surveys {
    /// The survey of now, or of a moment ago.
    pub(super) fn get(&self, engine: &Engine) -> Result<Arc<Survey>, Error> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = engine.snapshot().sequence();
        if let Some(kept) = &*kept {
            let age = kept.made.elapsed();
            let is_current = kept.survey.generation == generation && age < STALE.max(kept.cost * SHARE);
            if is_current || age < HOLDS.max(kept.cost * SHARE) {
                return Ok(Arc::clone(&kept.survey));
            }
        }
        let started = Instant::now();
        let survey = Arc::new(Survey::make(engine)?);
        *kept = Some(Kept { survey: Arc::clone(&survey), made: Instant::now(), cost: started.elapsed() });
        Ok(survey)
    }
}
