//! Suggestions of a running server: titles, headings and phrases of what somebody sees, what they asked themselves before
//! where the configuration wants it, and the abbreviations that the documents explain.
//!
//! A thread makes them anew behind the commits, for each view that somebody has searched lately, never more than a tenth of
//! its time. Queries are kept in memory alone.
//!
//! Promise: nobody is suggested what another person asked, nor a word of a document that is hidden from them: where the
//! texts were made of another state of what they see, there are none until they are made anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use searcher::{Suggester, Suggestion, SuggestionKind, abbreviations_of};
use storage::{View, ViewKey, Viewer};

use crate::app::App;
use crate::config::SuggestConfig;
use crate::engine::Engine;
use crate::error::Error;
use crate::guard::{Caller, Person};

/// Characters of a query worth remembering.
const QUERY_CHARS: std::ops::RangeInclusive<usize> = 3..=100;
/// Time between two looks for something new.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// People whose queries are kept: those who asked last.
const MAX_PEOPLE: usize = 10_000;
/// Views whose texts are kept: those that were searched last.
const MAX_VIEWS: usize = 32;
/// How long a view is kept up to date that nobody searches any more.
const WANTED_FOR: Duration = Duration::from_secs(3600);

/// What can be suggested now.
pub(crate) struct Suggestions {
    size: usize,
    known: Mutex<HashMap<ViewKey, Known>>,
    asked: Mutex<Asked>,
}

/// What is known of a view.
struct Known {
    viewer: Viewer,
    wanted: Instant,
    /// The texts, and the generation that they were made of.
    texts: Option<(u64, Arc<Suggester>)>,
}

/// Who asked what.
#[derive(Default)]
struct Asked {
    by: HashMap<Person, Past>,
    /// Counts what was noted, as a clock.
    clock: u64,
}

/// What one person asked, the last at the end.
#[derive(Default)]
struct Past {
    queries: VecDeque<(String, u32)>,
    last: u64,
}

impl Asked {
    fn note(&mut self, query: String, person: &Person, size: usize) {
        self.clock += 1;
        if !self.by.contains_key(person) && self.by.len() >= MAX_PEOPLE {
            let oldest = self.by.iter().min_by_key(|(_, past)| past.last).map(|(person, _)| person.clone());
            oldest.and_then(|oldest| self.by.remove(&oldest));
        }
        let past = self.by.entry(person.clone()).or_default();
        past.last = self.clock;
        let known = past.queries.iter().position(|(known, _)| *known == query);
        let before = known.and_then(|at| past.queries.remove(at)).map_or(0, |(_, times)| times);
        past.queries.push_back((query, before.saturating_add(1)));
        while past.queries.len() > size {
            past.queries.pop_front();
        }
    }
}

/// What can be suggested to somebody.
pub(crate) struct Suggested {
    past: Suggester,
    texts: Arc<Suggester>,
}

impl Suggested {
    /// The best suggestions, earlier queries first.
    pub(crate) fn suggest(&self, typed: &str, limit: usize) -> Vec<Suggestion> {
        // Half of the room is for what the documents say, as far as they have something to say.
        let mut found: Vec<Suggestion> = self.past.suggest(typed, limit.div_ceil(2)).into_iter().cloned().collect();
        for suggestion in self.texts.suggest(typed, limit) {
            let known = found.iter().any(|other| other.text.eq_ignore_ascii_case(&suggestion.text));
            if !known && found.len() < limit {
                found.push(suggestion.clone());
            }
        }
        let room = limit.saturating_sub(found.len());
        let is_new = |completed: &Suggestion| found.iter().all(|one| !one.text.eq_ignore_ascii_case(&completed.text));
        let completed: Vec<Suggestion> = self.texts.complete(typed, room).into_iter().filter(is_new).collect();
        found.extend(completed);
        found
    }

    /// What was typed as if its last word were whole.
    pub(crate) fn finished(&self, typed: &str) -> String {
        self.texts.finished(typed)
    }
}

impl Suggestions {
    pub(crate) fn new(config: &SuggestConfig) -> Self {
        Self { size: config.history, known: Mutex::default(), asked: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<ViewKey, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that somebody searches a view: its texts are kept up to date from now on.
    pub(crate) fn note(&self, view: &View, caller: &Caller) {
        self.want(view.key(), caller.viewer());
    }

    fn want(&self, key: ViewKey, viewer: Viewer) {
        let mut known = self.known();
        if !known.contains_key(&key) && known.len() >= MAX_VIEWS {
            let oldest = known.iter().min_by_key(|(_, known)| known.wanted).map(|(key, _)| *key);
            oldest.and_then(|oldest| known.remove(&oldest));
        }
        let wanted = Instant::now();
        known.entry(key).or_insert(Known { viewer, wanted, texts: None }).wanted = wanted;
    }

    /// What can be suggested to somebody of what they see.
    ///
    /// # Errors
    /// The index is damaged.
    pub(crate) fn of(&self, view: &View, caller: &Caller) -> Result<Suggested, Error> {
        self.note(view, caller);
        let texts = self.known().get(&view.key()).and_then(|known| known.texts.clone());
        // Of everything nothing is hidden: there, texts of a moment ago are good enough.
        let texts = match texts {
            Some((generation, texts)) if view.is_whole() || generation == view.generation()? => texts,
            _ => Arc::default(),
        };
        let past = caller.asker.as_ref().map(|person| self.past_of(person)).unwrap_or_default();
        Ok(Suggested { past: Suggester::new(past), texts })
    }

    fn past_of(&self, person: &Person) -> Vec<Suggestion> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let queries = asked.by.get(person).into_iter().flat_map(|past| &past.queries);
        let suggestion = |(text, count): &(String, u32)| Suggestion {
            text: text.clone(),
            kind: SuggestionKind::Query,
            count: *count,
            document: None,
        };
        queries.map(suggestion).collect()
    }

    /// Notes a query of somebody that found something.
    pub(crate) fn asked(&self, query: &str, person: &Person) {
        let query = query.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.size == 0 || !QUERY_CHARS.contains(&query.chars().count()) {
            return;
        }
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).note(query, person, self.size);
    }

    /// The viewers whose texts are wanted, those who searched last first.
    fn viewers(&self) -> Vec<(ViewKey, Viewer)> {
        let mut known = self.known();
        known.retain(|_, known| known.viewer.sees_everything() || known.wanted.elapsed() < WANTED_FOR);
        let mut wanted: Vec<(Instant, ViewKey, Viewer)> =
            known.iter().map(|(key, known)| (known.wanted, *key, known.viewer.clone())).collect();
        wanted.sort_by_key(|(wanted, ..)| std::cmp::Reverse(*wanted));
        wanted.into_iter().map(|(_, key, viewer)| (key, viewer)).collect()
    }

    /// Makes the texts of a viewer anew if they are of another state; whether there was anything to do.
    fn refresh(&self, engine: &Engine, key: ViewKey, viewer: &Viewer) -> Result<bool, Error> {
        let view = engine.snapshot().view(viewer)?;
        self.moved(key, view.key());
        let generation = view.generation()?;
        let is_made = |known: &Known| known.texts.as_ref().is_some_and(|(made, _)| *made == generation);
        if self.known().get(&view.key()).is_some_and(is_made) {
            return Ok(false);
        }
        let texts = Arc::new(Suggester::new(Suggester::texts_of(&view)?));
        engine.searcher.learn(&view, abbreviations_of(&view)?)?;
        let mut known = self.known();
        if let Some(known) = known.get_mut(&view.key()) {
            known.texts = Some((generation, texts));
        }
        Ok(true)
    }

    /// A viewer sees another set of documents than before: there is no more to keep for them than there was.
    fn moved(&self, from: ViewKey, to: ViewKey) {
        let mut known = self.known();
        if from != to
            && let Some(before) = known.remove(&from)
        {
            known.entry(to).or_insert(Known { texts: None, ..before });
        }
    }
}

/// Keeps the suggestions up to date until the server stops, and what administrators write in force.
pub(crate) fn keep_up(app: &App) {
    let mut pause = Duration::ZERO;
    let mut made = Instant::now();
    while !app.is_stopping() {
        std::thread::sleep(LOOK_EVERY);
        let Ok(engine) = app.engine() else { continue };
        engine.guidance.look();
        if made.elapsed() < pause {
            continue;
        }
        let started = Instant::now();
        if let Ok(whole) = engine.whole() {
            app.suggestions.want(whole.key(), Viewer::of_everything());
        }
        let mut is_anew = false;
        for (key, viewer) in app.suggestions.viewers() {
            match app.suggestions.refresh(engine, key, &viewer) {
                Ok(was_old) => is_anew |= was_old,
                Err(error) => tracing::error!("suggestions stay as they were: {}", storage::chain(&error)),
            }
        }
        pause = if is_anew { started.elapsed() * 9 } else { Duration::ZERO };
        made = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(history: usize, asked: &[(&str, Person)], person: &Person) -> Vec<String> {
        let suggestions = Suggestions::new(&SuggestConfig { history });
        asked.iter().for_each(|(query, person)| suggestions.asked(query, person));
        let suggested = Suggested { past: Suggester::new(suggestions.past_of(person)), texts: Arc::default() };
        suggested.suggest("tra", 5).into_iter().map(|suggestion| suggestion.text).collect()
    }

    fn key(id: &str) -> Person {
        Person::Key(id.to_string())
    }

    #[test]
    fn a_query_is_suggested_to_whoever_asked_it_and_to_nobody_else() {
        let asked = [("travel  costs", key("a")), (" travel costs", key("a")), ("trains", key("b"))];
        assert_eq!(after(10, &asked, &key("a")), ["travel costs"]);
        assert_eq!(after(10, &asked, &key("b")), ["trains"]);
        assert!(after(10, &asked, &Person::User("a".to_string())).is_empty());
        assert!(after(10, &asked, &Person::Anybody).is_empty());
    }

    #[test]
    fn by_default_no_query_is_kept() {
        assert_eq!(SuggestConfig::default().history, 0);
        assert!(after(0, &[("travel costs", key("a"))], &key("a")).is_empty());
    }

    #[test]
    fn what_was_asked_long_ago_makes_room() {
        let asked = [("travel costs", key("a")), ("trains", key("a")), ("trams", key("a")), ("trains", key("a"))];
        assert_eq!(after(2, &asked, &key("a")), ["trains", "trams"]);
        let suggestions = Suggestions::new(&SuggestConfig { history: 2 });
        for number in 0..=MAX_PEOPLE {
            suggestions.asked("travel costs", &key(&number.to_string()));
        }
        assert_eq!(suggestions.asked.lock().unwrap().by.len(), MAX_PEOPLE);
        assert!(suggestions.past_of(&key("0")).is_empty() && !suggestions.past_of(&key("1")).is_empty());
    }
}
