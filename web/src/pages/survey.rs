//! A survey of the index, source by source: for the first page, the status page and the hint that files could not be
//! read. Looking for starters and measuring the disk take a while, so the result is kept for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use storage::{Source, SourceTotals, Statistics, View, ViewKey};

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
    /// The generation of the view it is of.
    generation: u64,
    pub(super) sources: Vec<SourceState>,
    pub(super) documents: u64,
    pub(super) passages: u64,
    /// Passages whose vectors are still to come.
    pub(super) waiting: u64,
    /// Of the whole index, for those who see it.
    pub(super) statistics: Option<Statistics>,
    pub(super) starters: Vec<Starter>,
}

impl Survey {
    fn make(engine: &Engine, view: &View) -> Result<Self, Error> {
        let state = |source: &Source| SourceState::of(source.name.clone(), view.totals().source(&source.name));
        Ok(Self {
            generation: Self::generation_of(view)?,
            sources: view.sources().into_iter().map(state).collect(),
            documents: view.totals().documents,
            passages: view.totals().chunks,
            waiting: view.totals().waiting.passages,
            statistics: view.is_whole().then(|| engine.truth.statistics()).transpose()?,
            starters: starters::of(view)?,
        })
    }

    /// Changes with whatever is surveyed: of the whole, also with commits that touch no document.
    fn generation_of(view: &View) -> Result<u64, Error> {
        if view.is_whole() { Ok(view.totals().sequence) } else { Ok(view.generation()?) }
    }

    /// Unread files of these sources; of all where none is named.
    pub(super) fn unread(&self, sources: &[String]) -> u64 {
        let named = |state: &&SourceState| sources.is_empty() || sources.contains(&state.name);
        self.sources.iter().filter(named).map(SourceState::unread).sum()
    }
}

/// Views whose last surveys are kept.
const MAX_KEPT: usize = 64;

/// The last surveys, by the views that they are of.
#[derive(Default)]
pub(super) struct Surveys(Mutex<HashMap<ViewKey, Kept>>);

struct Kept {
    survey: Arc<Survey>,
    made: Instant,
    cost: Duration,
}

/// Whether a survey is good enough for a while: not for those from whom something may have been hidden meanwhile.
fn is_fresh(kept: &Kept) -> bool {
    kept.made.elapsed() < HOLDS.max(kept.cost * SHARE)
}

impl Surveys {
    /// The survey of now, or of a moment ago.
    pub(super) fn get(&self, engine: &Engine, view: &View) -> Result<Arc<Survey>, Error> {
        let mut surveys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = Survey::generation_of(view)?;
        if let Some(kept) = surveys.get(&view.key())
            && (kept.survey.generation == generation || view.is_whole() && is_fresh(kept))
        {
            return Ok(Arc::clone(&kept.survey));
        }
        let started = Instant::now();
        let survey = Arc::new(Survey::make(engine, view)?);
        if surveys.len() >= MAX_KEPT {
            let oldest = surveys.iter().min_by_key(|(_, kept)| kept.made).map(|(key, _)| *key);
            oldest.and_then(|oldest| surveys.remove(&oldest));
        }
        let (made, cost) = (Instant::now(), started.elapsed());
        surveys.insert(view.key(), Kept { survey: Arc::clone(&survey), made, cost });
        Ok(survey)
    }
}
