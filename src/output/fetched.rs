//! What is said of fetching from elsewhere, while it goes on and afterwards.

use connect::{SyncCounters, SyncObserver, SyncReport};

use super::StageProgress;
use crate::plain::shown;

/// Progress of fetching.
pub(crate) struct FetchProgress(StageProgress);

impl FetchProgress {
    pub(crate) fn new(source: &str) -> Self {
        Self(StageProgress::new(&format!("{}: fetching", shown(source)), "files"))
    }

    pub(crate) fn finish(&self) {
        self.0.finish();
    }
}

impl SyncObserver for FetchProgress {
    fn progressed(&self, counters: &SyncCounters) {
        self.0.show(counters.fetched, counters.named, None);
    }
}

/// What was fetched, and what could not be.
pub(crate) fn print_fetched(source: &str, report: &SyncReport) {
    let source = shown(source);
    let SyncReport { fetched, unchanged, removed, unwanted, failed, problems, left_out, notes, .. } = report;
    problems.iter().for_each(|problem| eprintln!("{source}: not fetched: {}", shown(problem)));
    if *failed > problems.len() as u64 {
        eprintln!("{source}: and {} more that were not fetched", failed - problems.len() as u64);
    }
    if let Some(why) = left_out {
        eprintln!("{source}: nothing else was taken for gone: {}", shown(why));
    }
    notes.iter().for_each(|note| eprintln!("{source}: {}", shown(note)));
    eprintln!("{source}: {fetched} fetched, {unchanged} as they were, {removed} gone, {unwanted} left out");
}
