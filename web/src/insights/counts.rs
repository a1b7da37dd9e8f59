//! What is counted of one query: of a day, or of several together. A line of a day's file.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::people::{Mark, people};

/// What is counted of one query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryCounts {
    /// The query, in the form in which it is compared.
    pub(crate) query: String,
    /// Who asked it, as far as that matters.
    pub(super) people: BTreeSet<Mark>,
    /// How often it was asked: a person who asks it again within ten minutes asks it once.
    pub(crate) searches: u64,
    /// Of these, without a result, and without filters.
    pub(crate) nothing: u64,
    /// Of these, judged not to be answered by anything.
    pub(crate) not_here: u64,
    /// Of these, with results that the page showed.
    pub(crate) shown: u64,
    /// Of those, with a result that was opened.
    pub(crate) clicked: u64,
    /// Of all, slow.
    pub(crate) slow: u64,
    /// Milliseconds of all searches together.
    pub(crate) ms: u64,
    /// Milliseconds of the slowest.
    pub(crate) slowest_ms: u64,
    /// What became of results, by the id of their document.
    pub(crate) documents: BTreeMap<String, DocumentCounts>,
}

/// What is counted of one document as a result of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DocumentCounts {
    /// How often the page showed it, by its place: the first place first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) shown: Vec<u64>,
    /// How often it was opened at which of those places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) opened_at: Vec<u64>,
    /// How often it was opened, wherever it stood: once for a person and a day.
    pub(crate) opened: u64,
    /// Thumbs up: of a person and a day, the last word counts.
    pub(crate) up: u64,
    /// Thumbs down.
    pub(crate) down: u64,
}

impl QueryCounts {
    pub(super) fn of(query: &str) -> Self {
        Self { query: query.to_string(), ..Self::default() }
    }

    /// How many different people have asked it at least.
    pub(super) fn people(&self) -> usize {
        people(&self.people)
    }

    /// Searches whose results the page showed, and of which none was opened.
    pub(crate) fn without_click(&self) -> u64 {
        self.shown.saturating_sub(self.clicked)
    }

    /// Mean time of a search.
    pub(crate) fn mean_ms(&self) -> u64 {
        self.ms.checked_div(self.searches).unwrap_or(0)
    }

    /// Sums over its documents.
    pub(crate) fn sum(&self, of: impl Fn(&DocumentCounts) -> u64) -> u64 {
        self.documents.values().map(of).sum()
    }

    /// Adds what was counted of the same query at another time.
    pub(super) fn add(&mut self, other: Self) {
        self.people.extend(other.people);
        self.searches += other.searches;
        self.nothing += other.nothing;
        self.not_here += other.not_here;
        self.shown += other.shown;
        self.clicked += other.clicked;
        self.slow += other.slow;
        self.ms += other.ms;
        self.slowest_ms = self.slowest_ms.max(other.slowest_ms);
        for (document, counts) in other.documents {
            self.documents.entry(document).or_default().add(&counts);
        }
    }
}

impl DocumentCounts {
    fn add(&mut self, other: &Self) {
        add_by_place(&mut self.shown, &other.shown);
        add_by_place(&mut self.opened_at, &other.opened_at);
        self.opened += other.opened;
        self.up += other.up;
        self.down += other.down;
    }
}

fn add_by_place(counts: &mut Vec<u64>, other: &[u64]) {
    other.iter().enumerate().for_each(|(place, count)| count_at(counts, place, *count));
}

/// Adds to the count of a place, from 0.
pub(super) fn count_at(counts: &mut Vec<u64>, place: usize, more: u64) {
    if counts.len() <= place {
        counts.resize(place + 1, 0);
    }
    counts[place] += more;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_days_are_added_up() {
        let day = |hash: u32, ms: u64| {
            let document = DocumentCounts { shown: vec![0, ms], opened_at: vec![0, 1], opened: 1, up: 1, down: 0 };
            QueryCounts {
                people: BTreeSet::from([Mark::from_parts(1, hash)]),
                searches: 2,
                shown: 2,
                clicked: 1,
                ms,
                slowest_ms: ms,
                documents: BTreeMap::from([("0f".to_string(), document)]),
                ..QueryCounts::of("travel")
            }
        };
        let mut sum = day(1, 10);
        sum.add(day(2, 30));
        assert_eq!((sum.people(), sum.searches, sum.mean_ms(), sum.slowest_ms), (2, 4, 10, 30));
        assert_eq!((sum.without_click(), sum.sum(|document| document.up)), (2, 2));
        assert_eq!(sum.documents["0f"].shown, [0, 40]);
        assert_eq!(QueryCounts::of("x").mean_ms(), 0);
    }
}
