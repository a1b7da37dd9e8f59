//! Suggestions of a running server: titles and headings of the newest snapshot, and, where the configuration wants it, what
//! several people asked with success; and the abbreviations that its documents explain.
//!
//! A thread makes them anew behind the commits, never more than a tenth of its time. Queries are kept in memory alone.
//!
//! Promise: a query is shown to others only once `suggest.history_from` different people have asked it, however often each
//! did; one that another site may have made a browser send is nobody's.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use searcher::{Suggester, Suggestion, SuggestionKind, abbreviations_of};

use crate::app::App;
use crate::config::SuggestConfig;
use crate::guard::Person;

/// Characters of a query worth remembering.
const QUERY_CHARS: std::ops::RangeInclusive<usize> = 3..=100;
/// Time between two looks for something new.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// People who are told apart for one query; more say nothing more.
pub(crate) const MAX_PEOPLE: usize = 100;

/// What can be suggested now.
pub(crate) struct Suggestions {
    from: usize,
    size: usize,
    texts: RwLock<Arc<Suggester>>,
    asked: Mutex<History>,
    past: RwLock<Arc<Suggester>>,
}

/// Who asked what.
#[derive(Default)]
struct History {
    queries: HashMap<String, Asked>,
    /// People by their number: a set of numbers is smaller than a set of names.
    people: HashMap<Person, u32>,
    /// Counts what was noted, as a clock.
    clock: u64,
}

/// One query.
#[derive(Default)]
struct Asked {
    people: BTreeSet<u32>,
    last: u64,
}

impl History {
    fn note(&mut self, query: String, person: &Person, size: usize) {
        self.clock += 1;
        let is_new = !self.queries.contains_key(&query);
        if is_new && self.queries.len() >= size {
            // What the fewest people asked makes room, and of that what was asked longest ago.
            let least = self.queries.iter().min_by_key(|(_, asked)| (asked.people.len(), asked.last));
            if let Some(least) = least.map(|(query, _)| query.clone()) {
                self.queries.remove(&least);
            }
        }
        if is_new && self.queries.len() >= size {
            return;
        }
        let next = u32::try_from(self.people.len()).unwrap_or(u32::MAX);
        let number = *self.people.entry(person.clone()).or_insert(next);
        let asked = self.queries.entry(query).or_default();
        asked.last = self.clock;
        if asked.people.len() < MAX_PEOPLE {
            asked.people.insert(number);
        }
    }
}

impl Suggestions {
    pub(crate) fn new(config: &SuggestConfig) -> Self {
        Self {
            from: config.history_from as usize,
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
        let room = limit.saturating_sub(found.len());
        let is_new = |completed: &Suggestion| found.iter().all(|one| !one.text.eq_ignore_ascii_case(&completed.text));
        let completed: Vec<Suggestion> = texts.complete(typed, room).into_iter().filter(is_new).collect();
        found.extend(completed);
        found
    }

    /// What was typed as if its last word were whole.
    pub(crate) fn finished(&self, typed: &str) -> String {
        get(&self.texts).finished(typed)
    }

    /// Notes a query of somebody that found something.
    pub(crate) fn asked(&self, query: &str, person: &Person) {
        let query = query.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.from == 0 || !QUERY_CHARS.contains(&query.chars().count()) {
            return;
        }
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).note(query, person, self.size);
    }

    fn refresh_past(&self) {
        if self.from == 0 {
            return;
        }
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let often = asked.queries.iter().filter(|(_, asked)| asked.people.len() >= self.from);
        let often = often.map(|(text, asked)| Suggestion {
            text: text.clone(),
            kind: SuggestionKind::Query,
            count: u32::try_from(asked.people.len()).unwrap_or(u32::MAX),
            document: None,
        });
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
            Err(error) => tracing::error!("suggestions stay as they were: {}", storage::chain(&error)),
        }
        match abbreviations_of(&snapshot) {
            Ok(abbreviations) => engine.searcher.learn(abbreviations),
            Err(error) => tracing::error!("abbreviations stay as they were: {}", storage::chain(&error)),
        }
        generation = Some(snapshot.sequence());
        pause = started.elapsed() * 9;
        made = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(config: &SuggestConfig, asked: &[(&str, Person)]) -> Vec<String> {
        let suggestions = Suggestions::new(config);
        asked.iter().for_each(|(query, person)| suggestions.asked(query, person));
        suggestions.refresh_past();
        suggestions.suggest("tra", 5).into_iter().map(|suggestion| suggestion.text).collect()
    }

    fn key(id: &str) -> Person {
        Person::Key(id.to_string())
    }

    #[test]
    fn a_query_is_suggested_once_several_people_have_asked_it() {
        let config = SuggestConfig { history_from: 2, history_size: 10 };
        let one = [("travel  costs", key("a")), ("travel costs", key("a")), (" travel costs", key("a"))];
        assert!(after(&config, &one).is_empty(), "one person who asks often is one person");
        assert_eq!(after(&config, &[one.as_slice(), &[("travel costs", key("b"))]].concat()), ["travel costs"]);
        let user = Person::User("a".to_string());
        assert_eq!(after(&config, &[("travel costs", key("a")), ("travel costs", user)]), ["travel costs"]);
        let nameless = vec![("travel costs", Person::Anybody); 5];
        assert!(after(&config, &nameless).is_empty(), "all without a key are one");
    }

    #[test]
    fn by_default_nobody_sees_the_queries_of_others() {
        let many: Vec<_> = (0..50).map(|number| ("travel costs", key(&number.to_string()))).collect();
        assert!(after(&SuggestConfig::default(), &many).is_empty());
        let suggestions = Suggestions::new(&SuggestConfig::default());
        many.iter().for_each(|(query, person)| suggestions.asked(query, person));
        assert!(suggestions.asked.lock().unwrap().queries.is_empty(), "nor are they kept");
    }

    #[test]
    fn what_few_have_asked_makes_room() {
        let suggestions = Suggestions::new(&SuggestConfig { history_from: 2, history_size: 2 });
        for person in ["a", "b"] {
            suggestions.asked("travel costs", &key(person));
        }
        for other in ["one two", "three four", "five six", "seven eight"] {
            suggestions.asked(other, &key("c"));
        }
        assert!(suggestions.asked.lock().unwrap().queries.len() <= 2);
        suggestions.refresh_past();
        assert_eq!(suggestions.suggest("tra", 5)[0].text, "travel costs");
        for number in 0..MAX_PEOPLE * 2 {
            suggestions.asked("travel costs", &key(&number.to_string()));
        }
        assert_eq!(suggestions.asked.lock().unwrap().queries["travel costs"].people.len(), MAX_PEOPLE);
        let none = Suggestions::new(&SuggestConfig { history_from: 2, history_size: 0 });
        none.asked("travel costs", &key("a"));
        assert!(none.asked.lock().unwrap().queries.is_empty());
    }
}
