//! The day that is going on: its counts, and what has to be remembered until its end so that nothing counts twice.
//!
//! It follows from its events alone, in their order: a server that was killed reads them again and goes on.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::civil::Date;

use super::InsightsConfig;
use super::counts::{DocumentCounts, DocumentKey, MOST_DOCUMENTS, PLACES, QueryCounts};
use super::event::{Did, Line, Outcome, Searched};
use super::people::Mark;

/// Seconds in which the same person who asks the same asks it once: pages are loaded again, filters are tried, people come
/// back from a document.
const SITTING: i64 = 600;
/// Different queries of a day. Beyond, those that are new are left out.
const MOST_QUERIES: usize = 10_000;

/// The day that is going on.
pub(super) struct Day {
    date: Date,
    people: usize,
    slow_ms: u64,
    queries: BTreeMap<String, Query>,
}

/// A query of the day.
struct Query {
    counts: QueryCounts,
    sittings: HashMap<Mark, Sitting>,
    opened: HashSet<(Mark, DocumentKey)>,
    votes: HashMap<(Mark, DocumentKey), bool>,
}

/// A person with the results of a query before them.
struct Sitting {
    since: i64,
    /// Whether the page showed results.
    is_shown: bool,
    is_clicked: bool,
}

/// Whether an event counts, or is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// It changes a count, and has to be remembered.
    Yes,
    /// It says what was known before.
    Known,
    /// There is no room for it.
    NoRoom,
}

impl Day {
    pub(super) fn new(date: Date, config: &InsightsConfig) -> Self {
        Self { date, people: config.people as usize, slow_ms: config.slow_ms, queries: BTreeMap::new() }
    }

    /// Which day it is.
    pub(super) fn date(&self) -> Date {
        self.date
    }

    /// The counts, in the order of the queries.
    pub(super) fn counts(&self) -> impl Iterator<Item = QueryCounts> {
        self.queries.values().map(|query| query.counts.clone())
    }

    /// Takes an event into account.
    pub(super) fn take(&mut self, line: &Line) -> Counted {
        if !self.queries.contains_key(&line.query) {
            if self.queries.len() >= MOST_QUERIES {
                return Counted::NoRoom;
            }
            self.queries.insert(line.query.clone(), Query::of(&line.query));
        }
        let (people, slow_ms) = (self.people, self.slow_ms);
        let Some(query) = self.queries.get_mut(&line.query) else { return Counted::NoRoom };
        match &line.did {
            Did::Search(searched) => query.search(line, searched, people, slow_ms),
            Did::Open { document, rank } => query.open(line, *document, *rank),
            Did::Vote { document, up } => query.vote(line, *document, *up),
        }
    }
}

impl Query {
    fn of(query: &str) -> Self {
        Self { counts: QueryCounts::of(query), sittings: HashMap::new(), opened: HashSet::new(), votes: HashMap::new() }
    }

    fn search(&mut self, line: &Line, searched: &Searched, people: usize, slow_ms: u64) -> Counted {
        let before = self.sittings.get(&line.who);
        if before.is_some_and(|sitting| (0..SITTING).contains(&(line.at - sitting.since))) {
            return Counted::Known;
        }
        let is_shown = !searched.shown.is_empty();
        self.sittings.insert(line.who, Sitting { since: line.at, is_shown, is_clicked: false });
        let counts = &mut self.counts;
        // More than have to be told apart say nothing more.
        if counts.people.len() < people {
            counts.people.insert(line.who);
        }
        counts.searches += 1;
        counts.nothing += u64::from(searched.outcome == Outcome::Nothing);
        counts.not_here += u64::from(searched.outcome == Outcome::NotHere);
        counts.shown += u64::from(is_shown);
        counts.slow += u64::from(searched.ms >= slow_ms);
        counts.ms += searched.ms;
        counts.slowest_ms = counts.slowest_ms.max(searched.ms);
        for (place, document) in searched.shown.iter().take(PLACES).enumerate() {
            if let Some(document) = self.document(*document) {
                document.shown.count(place);
            }
        }
        Counted::Yes
    }

    fn open(&mut self, line: &Line, document: DocumentKey, rank: Option<usize>) -> Counted {
        let sitting = self.sittings.get_mut(&line.who);
        let sitting = sitting.filter(|sitting| (0..SITTING).contains(&(line.at - sitting.since)));
        let is_first_of_sitting = sitting.is_some_and(|sitting| {
            let is_first = sitting.is_shown && !sitting.is_clicked;
            sitting.is_clicked = true;
            is_first
        });
        self.counts.clicked += u64::from(is_first_of_sitting);
        let known = if is_first_of_sitting { Counted::Yes } else { Counted::Known };
        let key = (line.who, document);
        if self.opened.contains(&key) {
            return known;
        }
        let Some(counts) = self.document(document) else {
            return if is_first_of_sitting { Counted::Yes } else { Counted::NoRoom };
        };
        counts.opened += 1;
        if let Some(place) = rank.and_then(|rank| rank.checked_sub(1)) {
            counts.opened_at.count(place);
        }
        self.opened.insert(key);
        Counted::Yes
    }

    fn vote(&mut self, line: &Line, document: DocumentKey, up: bool) -> Counted {
        let key = (line.who, document);
        let before = self.votes.get(&key).copied();
        if before == Some(up) {
            return Counted::Known;
        }
        let Some(counts) = self.document(document) else { return Counted::NoRoom };
        match before {
            Some(true) => counts.up = counts.up.saturating_sub(1),
            Some(false) => counts.down = counts.down.saturating_sub(1),
            None => {}
        }
        if up {
            counts.up += 1;
        } else {
            counts.down += 1;
        }
        self.votes.insert(key, up);
        Counted::Yes
    }

    fn document(&mut self, key: DocumentKey) -> Option<&mut DocumentCounts> {
        let documents = &mut self.counts.documents;
        let has_room = documents.contains_key(&key) || documents.len() < MOST_DOCUMENTS;
        has_room.then(|| documents.entry(key).or_default())
    }
}

#[cfg(test)]
mod tests {
    use storage::DocumentId;

    use super::super::counts::ByPlace;
    use super::*;

    fn key(name: &str) -> DocumentKey {
        DocumentKey(DocumentId::of("wiki", name))
    }

    fn line(at: i64, who: u32, did: Did) -> Line {
        Line { at, who: Mark::from_parts(1, who), query: "travel".to_string(), did }
    }

    fn search(at: i64, who: u32) -> Line {
        found(at, who, Outcome::Found, &["a", "b"])
    }

    fn found(at: i64, who: u32, outcome: Outcome, shown: &[&str]) -> Line {
        let shown = shown.iter().map(|name| key(name)).collect();
        line(at, who, Did::Search(Searched { outcome, ms: 1_500, shown }))
    }

    fn open(at: i64, who: u32, document: &str, rank: usize) -> Line {
        line(at, who, Did::Open { document: key(document), rank: Some(rank) })
    }

    fn vote(who: u32, document: &str, up: bool) -> Line {
        line(5, who, Did::Vote { document: key(document), up })
    }

    fn after(lines: &[Line]) -> (QueryCounts, Vec<Counted>) {
        let mut day = Day::new(Date::ZERO, &InsightsConfig::default());
        let counted = lines.iter().map(|line| day.take(line)).collect();
        (day.counts().next().unwrap(), counted)
    }

    #[test]
    fn a_person_who_asks_again_within_ten_minutes_asks_once() {
        let (counts, counted) = after(&[search(0, 1), search(30, 1), search(40, 2), search(700, 1)]);
        assert_eq!((counts.searches, counts.people(), counts.slow, counts.mean_ms()), (3, 2, 3, 1_500));
        assert_eq!(counted, [Counted::Yes, Counted::Known, Counted::Yes, Counted::Yes]);
        assert_eq!(counts.documents[&key("b")].shown, ByPlace::of(1, 3));
        // A clock that is set back ends a sitting.
        assert_eq!(after(&[search(5_000, 1), search(100, 1)]).0.searches, 2);
    }

    #[test]
    fn a_search_is_clicked_once_and_a_result_opened_once_by_each() {
        let events = [search(0, 1), open(5, 1, "a", 1), open(9, 1, "a", 1), open(11, 1, "b", 2), search(20, 2)];
        let (counts, counted) = after(&events);
        assert_eq!((counts.shown, counts.clicked, counts.without_click()), (2, 1, 1));
        assert_eq!((counts.documents[&key("a")].opened, counts.documents[&key("b")].opened_at), (1, ByPlace::of(1, 1)));
        assert_eq!(counted[2], Counted::Known);
        // After the sitting, the document is counted and the search is not.
        let (late, _) = after(&[search(0, 1), open(601, 1, "a", 1)]);
        assert_eq!((late.clicked, late.documents[&key("a")].opened), (0, 1));
        let (unasked, _) = after(&[open(3, 9, "a", 400)]);
        assert_eq!(
            (unasked.people(), unasked.clicked, unasked.documents[&key("a")].opened_at),
            (0, 0, ByPlace::default())
        );
    }

    #[test]
    fn the_last_word_of_a_person_counts() {
        let (counts, counted) =
            after(&[vote(1, "a", true), vote(1, "a", true), vote(2, "a", true), vote(1, "a", false)]);
        assert_eq!((counts.documents[&key("a")].up, counts.documents[&key("a")].down), (1, 1));
        assert_eq!(counted[1], Counted::Known);
    }

    #[test]
    fn what_is_not_found_is_told_apart() {
        let events = [
            found(0, 1, Outcome::Nothing, &[]),
            found(0, 2, Outcome::NotHere, &["a"]),
            found(0, 3, Outcome::NothingWithin, &[]),
            found(0, 4, Outcome::Found, &[]),
        ];
        let (counts, _) = after(&events);
        assert_eq!((counts.searches, counts.nothing, counts.not_here), (4, 1, 1));
        assert_eq!(counts.without_click(), 1, "what the page showed nothing of has no click to miss");
        assert_eq!(counts.people.len(), 3, "no more people are told apart than is needed");
    }

    #[test]
    fn a_day_is_bounded() {
        let mut day = Day::new(Date::ZERO, &InsightsConfig::default());
        for number in 0..MOST_QUERIES {
            assert_eq!(day.take(&Line { query: number.to_string(), ..search(0, 1) }), Counted::Yes);
        }
        assert_eq!(day.take(&Line { query: "one more".to_string(), ..search(0, 1) }), Counted::NoRoom);
        assert_eq!(day.take(&Line { query: "7".to_string(), ..search(0, 2) }), Counted::Yes);
        let votes = (0..=MOST_DOCUMENTS).map(|number| vote(1, &number.to_string(), true));
        assert_eq!(after(&votes.collect::<Vec<_>>()).1.last(), Some(&Counted::NoRoom));
    }
}
