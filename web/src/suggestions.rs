//! Suggestions of a running server: titles and headings of the newest snapshot, and what was asked with success.
//!
//! A thread makes them anew behind the commits, never more than a tenth of its time. Queries are kept in memory alone and
//! suggested once several requests have asked them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use searcher::{Suggester, Suggestion, SuggestionKind};

use crate::app::App;
use crate::config::SuggestConfig;

/// Characters of a query worth remembering.
const QUERY_CHARS: std::ops::RangeInclusive<usize> = 3..=100;
/// Time between two looks for something new.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What can be suggested now.
pub(crate) struct Suggestions {
    from: u32,
    size: usize,
    texts: RwLock<Arc<Suggester>>,
    asked: Mutex<HashMap<String, u32>>,
    past: RwLock<Arc<Suggester>>,
}

impl Suggestions {
    pub(crate) fn new(config: &SuggestConfig) -> Self {
        Self {
            from: config.history_from,
            size: config.history_size,
            texts: RwLock::default(),
            asked: Mutex::default(),
            past: RwLock::default(),
        }
    }

    /// The best suggestions, earlier queries first.
    pub(crate) fn suggest(&self, typed: &str, limit: usize) -> Vec<Suggestion> {
        let (past, texts) = (get(&self.past), get(&self.texts));
        // Half of the room is for what the documents say, as far as they have something to say.
        let mut found: Vec<Suggestion> = past.suggest(typed, limit.div_ceil(2)).into_iter().cloned().collect();
        for suggestion in texts.suggest(typed, limit) {
            let known = found.iter().any(|other| other.text.eq_ignore_ascii_case(&suggestion.text));
            if !known && found.len() < limit {
                found.push(suggestion.clone());
            }
        }
        found
    }

    /// Notes a query that found something.
    pub(crate) fn asked(&self, query: &str) {
        let query = query.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.from == 0 || !QUERY_CHARS.contains(&query.chars().count()) {
            return;
        }
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= self.size && !asked.contains_key(&query) {
            // What was asked once makes room first.
            asked.values_mut().for_each(|count| *count -= 1);
            asked.retain(|_, count| *count > 0);
        }
        if asked.len() < self.size {
            *asked.entry(query).or_default() += 1;
        }
    }

    fn refresh_past(&self) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let often = asked.iter().filter(|(_, count)| **count >= self.from);
        let often =
            often.map(|(text, count)| Suggestion { text: text.clone(), kind: SuggestionKind::Query, count: *count });
        let often: Vec<Suggestion> = often.collect();
        drop(asked);
        set(&self.past, Suggester::new(often));
    }
}

fn get(place: &RwLock<Arc<Suggester>>) -> Arc<Suggester> {
    Arc::clone(&place.read().unwrap_or_else(PoisonError::into_inner))
}

fn set(place: &RwLock<Arc<Suggester>>, suggester: Suggester) {
    *place.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(suggester);
}

/// Keeps the suggestions up to date until the server stops.
pub(crate) fn keep_up(app: &App) {
    let mut generation = None;
    let mut pause = Duration::ZERO;
    let mut made = Instant::now();
    while !app.is_stopping() {
        std::thread::sleep(LOOK_EVERY);
        app.suggestions.refresh_past();
        let Ok(engine) = app.engine() else { continue };
        let snapshot = engine.snapshot();
        if generation == Some(snapshot.sequence()) || made.elapsed() < pause {
            continue;
        }
        let started = Instant::now();
        match Suggester::texts_of(&snapshot) {
            Ok(texts) => set(&app.suggestions.texts, Suggester::new(texts)),
            Err(error) => tracing::error!("suggestions stay as they were: {error}"),
        }
        generation = Some(snapshot.sequence());
        pause = started.elapsed() * 9;
        made = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_suggested_once_several_have_asked_it() {
        let suggestions = Suggestions::new(&SuggestConfig { history_from: 2, history_size: 2 });
        suggestions.asked("travel  costs");
        suggestions.refresh_past();
        assert!(suggestions.suggest("tra", 5).is_empty());
        suggestions.asked("travel costs");
        suggestions.refresh_past();
        assert_eq!(suggestions.suggest("tra", 5)[0].text, "travel costs");
        for other in ["one two", "three four", "five six", "seven eight"] {
            suggestions.asked(other);
        }
        assert!(suggestions.asked.lock().unwrap().len() <= 2);
    }
}
