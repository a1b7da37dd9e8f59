//! The number of files that could not be read, for answers without results: the text that was looked for may stand in
//! one of them. Counting reads the whole ledger, so a count is kept for a while.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::error::Error;

/// How long a count holds, and how many times longer than it took to make.
const HOLDS: Duration = Duration::from_secs(5);
const SHARE: u32 = 20;

/// The last count.
#[derive(Default)]
pub(crate) struct UnreadFiles(Mutex<Option<Kept>>);

struct Kept {
    /// Files of each source.
    counts: BTreeMap<String, u64>,
    made: Instant,
    cost: Duration,
}

impl UnreadFiles {
    /// Unreadable and failed files of these sources; of all where none is named.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) fn of(&self, engine: &Engine, sources: &[String]) -> Result<u64, Error> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|kept| kept.made.elapsed() > HOLDS.max(kept.cost * SHARE)) {
            let made = Instant::now();
            let counts = count(engine)?;
            *kept = Some(Kept { counts, made, cost: made.elapsed() });
        }
        let counts = kept.iter().flat_map(|kept| &kept.counts);
        let named = counts.filter(|(source, _)| sources.is_empty() || sources.contains(source));
        Ok(named.map(|(_, count)| count).sum())
    }
}

fn count(engine: &Engine) -> Result<BTreeMap<String, u64>, Error> {
    let mut counts = BTreeMap::new();
    for source in engine.snapshot().sources() {
        let mut unread = 0;
        for entry in engine.truth.ledger(&source.name, "") {
            unread += u64::from(entry?.state.is_unread());
        }
        counts.insert(source.name.clone(), unread);
    }
    Ok(counts)
}
