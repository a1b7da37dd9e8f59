//! A survey of the index, source by source: for the first page, the status page and the hint that files could not be
//! read. Looking for starters and measuring the disk take a while, so the result is kept for one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use storage::{SourceTotals, Statistics};

use super::starters::{self, Starter};
use crate::engine::Engine;
use crate::error::Error;

/// How long a survey holds at least, even when the index changes.
const HOLDS: Duration = Duration::from_secs(1);
/// Share of the time that may go into surveys.
const SHARE: u32 = 20;

/// One source.
#[derive(Debug, Clone)]
pub(super) struct SourceState {
    pub(super) name: String,
    pub(super) documents: u64,
    pub(super) passages: u64,
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

    fn of(name: String, totals: SourceTotals) -> Self {
        let SourceTotals { documents, chunks, files: _, indexed, partly, skipped, unreadable, failed, last_run } =
            totals;
        Self { name, documents, passages: chunks, indexed, partly, skipped, unreadable, failed, last_run }
    }
}

/// The whole index.
pub(super) struct Survey {
    /// Number of the commit it is of.
    commit: u64,
    pub(super) sources: Vec<SourceState>,
    pub(super) statistics: Statistics,
    pub(super) starters: Vec<Starter>,
}

impl Survey {
    fn make(engine: &Engine) -> Result<Self, Error> {
        let snapshot = engine.snapshot();
        let mut sources = Vec::new();
        for source in snapshot.sources() {
            sources.push(SourceState::of(source.name.clone(), snapshot.totals().source(&source.name)));
        }
        let statistics = engine.truth.statistics()?;
        Ok(Self { commit: snapshot.totals().sequence, sources, statistics, starters: starters::of(&snapshot)? })
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
        let commit = engine.snapshot().totals().sequence;
        if let Some(kept) = &*kept
            && (kept.survey.commit == commit || kept.made.elapsed() < HOLDS.max(kept.cost * SHARE))
        {
            return Ok(Arc::clone(&kept.survey));
        }
        let started = Instant::now();
        let survey = Arc::new(Survey::make(engine)?);
        *kept = Some(Kept { survey: Arc::clone(&survey), made: Instant::now(), cost: started.elapsed() });
        Ok(survey)
    }
}
