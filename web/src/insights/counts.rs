//! What is counted of one query: of a day, or of several together. A line of a day's file.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use storage::DocumentId;

use super::people::{Mark, people};

/// First places of a list that are told apart.
pub(super) const PLACES: usize = 10;
/// Documents of a query. Beyond, only those that somebody opened or judged are added.
pub(super) const MOST_DOCUMENTS: usize = 100;

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
    pub(crate) documents: BTreeMap<DocumentKey, DocumentCounts>,
}

/// What is counted of one document as a result of a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DocumentCounts {
    /// How often the page showed it at which place.
    #[serde(skip_serializing_if = "ByPlace::is_empty")]
    pub(super) shown: ByPlace,
    /// How often it was opened at which of those places.
    #[serde(skip_serializing_if = "ByPlace::is_empty")]
    pub(super) opened_at: ByPlace,
    /// How often it was opened, wherever it stood: once for a person and a day.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) opened: u32,
    /// Thumbs up: of a person and a day, the last word counts.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) up: u32,
    /// Thumbs down.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) down: u32,
}

/// A document, by its id: 32 hexadecimal digits on disk, half of that in memory, of which there may be many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DocumentKey(pub(crate) DocumentId);

impl Serialize for DocumentKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DocumentKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let id = DocumentId::parse(<&str>::deserialize(from)?);
        id.map(Self).ok_or_else(|| D::Error::custom("expected 32 hexadecimal digits"))
    }
}

/// Counts by the place in a list, the first place first; on disk as far as there are any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ByPlace([u32; PLACES]);

impl ByPlace {
    /// Counts one more at a place, from 0; what stands further behind is not told apart.
    pub(super) fn count(&mut self, place: usize) {
        if let Some(count) = self.0.get_mut(place) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn at(&self, place: usize) -> u32 {
        self.0.get(place).copied().unwrap_or(0)
    }

    fn add(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(count, more)| *count = count.saturating_add(more));
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    #[cfg(test)]
    pub(super) fn of(place: usize, count: u32) -> Self {
        let mut counts = Self::default();
        counts.0[place] = count;
        counts
    }
}

impl Serialize for ByPlace {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let used = self.0.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        to.collect_seq(&self.0[..used])
    }
}

impl<'de> Deserialize<'de> for ByPlace {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = Vec::<u32>::deserialize(from)?;
        let mut counts = Self::default();
        counts.0.iter_mut().zip(read).for_each(|(count, read)| *count = read);
        Ok(counts)
    }
}

fn is_zero(count: &u32) -> bool {
    *count == 0
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
    pub(crate) fn sum(&self, of: impl Fn(&DocumentCounts) -> u32) -> u64 {
        self.documents.values().map(|counts| u64::from(of(counts))).sum()
    }

    /// Adds what was counted of the same query at another time.
    pub(super) fn add(&mut self, other: Self) {
        self.people.extend(other.people);
        let counts = [
            (&mut self.searches, other.searches),
            (&mut self.nothing, other.nothing),
            (&mut self.not_here, other.not_here),
            (&mut self.shown, other.shown),
            (&mut self.clicked, other.clicked),
            (&mut self.slow, other.slow),
            (&mut self.ms, other.ms),
        ];
        counts.into_iter().for_each(|(count, more)| *count = count.saturating_add(more));
        self.slowest_ms = self.slowest_ms.max(other.slowest_ms);
        for (document, counts) in other.documents {
            if let Some(known) = self.documents.get_mut(&document) {
                known.add(&counts);
            } else if self.documents.len() < MOST_DOCUMENTS || counts.is_telling() {
                self.documents.insert(document, counts);
            }
        }
    }
}

impl DocumentCounts {
    fn add(&mut self, other: &Self) {
        self.shown.add(other.shown);
        self.opened_at.add(other.opened_at);
        self.opened = self.opened.saturating_add(other.opened);
        self.up = self.up.saturating_add(other.up);
        self.down = self.down.saturating_add(other.down);
    }

    /// Whether somebody opened or judged it.
    fn is_telling(&self) -> bool {
        self.opened > 0 || self.up > 0 || self.down > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> DocumentKey {
        DocumentKey(DocumentId::of("wiki", name))
    }

    #[test]
    fn two_days_are_added_up() {
        let day = |hash: u32, ms: u64| {
            let document = DocumentCounts {
                shown: ByPlace::of(1, ms as u32),
                opened_at: ByPlace::of(1, 1),
                opened: 1,
                up: 1,
                down: 0,
            };
            QueryCounts {
                people: BTreeSet::from([Mark::from_parts(1, hash)]),
                searches: 2,
                shown: 2,
                clicked: 1,
                ms,
                slowest_ms: ms,
                documents: BTreeMap::from([(key("a"), document)]),
                ..QueryCounts::of("travel")
            }
        };
        let mut sum = day(1, 10);
        sum.add(day(2, 30));
        assert_eq!((sum.people(), sum.searches, sum.mean_ms(), sum.slowest_ms), (2, 4, 10, 30));
        assert_eq!((sum.without_click(), sum.sum(|document| document.up)), (2, 2));
        assert_eq!(sum.documents[&key("a")].shown.at(1), 40);
        assert_eq!(QueryCounts::of("x").mean_ms(), 0);
        sum.add(QueryCounts { searches: u64::MAX, ..QueryCounts::of("travel") });
        assert_eq!(sum.searches, u64::MAX, "a damaged file is no reason to end");
    }

    #[test]
    fn counts_are_read_as_they_were_written_and_take_little_room() {
        let document = DocumentCounts { shown: ByPlace::of(2, 7), ..DocumentCounts::default() };
        let counts = QueryCounts { documents: BTreeMap::from([(key("a"), document)]), ..QueryCounts::of("a \"b\"") };
        let text = serde_json::to_string(&counts).unwrap();
        assert!(text.ends_with(&format!("{{\"{}\":{{\"shown\":[0,0,7]}}}}}}", key("a").0)), "{text}");
        assert_eq!(serde_json::from_str::<QueryCounts>(&text).unwrap(), counts);
        assert!(serde_json::from_str::<QueryCounts>(&text.replace("\":{\"shown", "0\":{\"shown")).is_err());
        let mut document = document;
        document.shown.count(PLACES);
        assert_eq!(document.shown, ByPlace::of(2, 7), "further behind, places are not told apart");
    }

    #[test]
    fn of_many_documents_those_that_say_something_are_kept() {
        let of = |name: String, opened: u32| {
            let document = DocumentCounts { shown: ByPlace::of(0, 1), opened, ..DocumentCounts::default() };
            QueryCounts { documents: BTreeMap::from([(key(&name), document)]), ..QueryCounts::of("x") }
        };
        let mut sum = QueryCounts::of("x");
        (0..=MOST_DOCUMENTS).for_each(|number| sum.add(of(number.to_string(), 0)));
        assert_eq!(sum.documents.len(), MOST_DOCUMENTS);
        sum.add(of("opened".to_string(), 1));
        assert!(sum.documents.contains_key(&key("opened")));
    }
}
