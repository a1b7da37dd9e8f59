//! Judgements from clicks and thumbs: a set of questions with known answers that people made by searching.
//!
//! A thumb is a judgement. A click is one only against what was to be expected at its place: the first result is opened
//! because it is the first. So the opens of a document for a query are compared with those that the places at which it was
//! shown get on the mean of all queries (clicks over expected clicks; Zhang and Jones, "Comparing Click Logs and Editorial
//! Labels for Training Query Rewriting", 2007), both with one more, so that little evidence stays near to 1.

use std::io;
use std::path::Path;

use storage::DocumentId;

use super::counts::{ByPlace, DocumentCounts, PLACES};
use super::folder::Folder;
use super::{InsightsConfig, Period, today};

/// Opens over expected ones from which a document is a good answer, where it was opened twice at least.
const GOOD: f64 = 1.5;
/// From which it is an answer at all.
const FAIR: f64 = 0.75;
/// Expected opens from which it says something that there was none.
const PASSED_OVER: f64 = 2.0;
/// What is expected of a place of which little is known: a tenth of its results opened, as if ten had been shown.
const PRIOR: (f64, f64) = (1.0, 10.0);

/// Digits of a query's id.
const ID_DIGITS: usize = 12;

/// How well a document answers a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Not at all.
    No = 0,
    /// Somewhat: it was opened as often as others at its place.
    Fair = 1,
    /// Well: it was opened far more often.
    Good = 2,
    /// It is what was looked for: somebody said so.
    Right = 3,
}

/// A query with what is known of its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedQuery {
    /// The query, in lower case.
    pub query: String,
    /// Documents, each with its grade; at least one is better than [`Grade::No`].
    pub grades: Vec<(DocumentId, Grade)>,
}

/// The judgements that follow from what was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgements {
    /// In the order of the queries.
    pub queries: Vec<JudgedQuery>,
    /// Queries that enough people have asked to be shown.
    pub asked: usize,
}

impl JudgedQuery {
    /// A name for it, the same in every export.
    pub fn id(&self) -> String {
        blake3::hash(self.query.as_bytes()).to_hex()[..ID_DIGITS].to_string()
    }
}

impl Judgements {
    /// Reads the last `days` days of a data folder; a server may be writing there.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(data_dir: &Path, config: &InsightsConfig, days: u32) -> io::Result<Self> {
        Ok(Self::of(&Period::read(&Folder::of(data_dir), today(), days, config, None)?))
    }

    pub(crate) fn of(period: &Period) -> Self {
        let expected = Expected::of(period);
        let mut queries = Vec::new();
        for query in period.shown() {
            let documents = query.documents.iter();
            let grades: Vec<_> = documents.filter_map(|(key, counts)| Some((key.0, expected.grade(counts)?))).collect();
            if grades.iter().any(|(_, grade)| *grade > Grade::No) {
                queries.push(JudgedQuery { query: query.query.clone(), grades });
            }
        }
        Self { queries, asked: period.shown().count() }
    }
}

/// The share of results that are opened, by their place.
struct Expected {
    at: [f64; PLACES],
}

impl Expected {
    fn of(period: &Period) -> Self {
        let mut at = [0.0; PLACES];
        for (place, share) in at.iter_mut().enumerate() {
            let sum = |of: fn(&DocumentCounts) -> &ByPlace| -> u64 {
                period.all().map(|query| query.sum(|counts| of(counts).at(place))).sum()
            };
            let (opened, shown) = (sum(|counts| &counts.opened_at), sum(|counts| &counts.shown));
            *share = ((opened as f64 + PRIOR.0) / (shown as f64 + PRIOR.1)).min(1.0);
        }
        Self { at }
    }

    /// What is known of a document; `None` where that is too little.
    fn grade(&self, counts: &DocumentCounts) -> Option<Grade> {
        match counts.up.cmp(&counts.down) {
            std::cmp::Ordering::Greater => return Some(Grade::Right),
            std::cmp::Ordering::Less => return Some(Grade::No),
            std::cmp::Ordering::Equal => {}
        }
        let places = self.at.iter().enumerate();
        let expected: f64 = places.map(|(place, share)| f64::from(counts.shown.at(place)) * share).sum();
        if counts.opened == 0 {
            return (expected >= PASSED_OVER).then_some(Grade::No);
        }
        if expected == 0.0 {
            // Nobody told at which place it stood: a program's own page, or behind the first.
            return Some(Grade::Fair);
        }
        let share = (f64::from(counts.opened) + 1.0) / (expected + 1.0);
        Some(match share {
            share if share >= GOOD && counts.opened >= 2 => Grade::Good,
            share if share >= FAIR => Grade::Fair,
            _ => Grade::No,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::civil::Date;

    use super::super::counts::{DocumentKey, QueryCounts};
    use super::super::people::Mark;
    use super::*;

    fn id(name: &str) -> DocumentId {
        DocumentId::of("wiki", name)
    }

    fn query(text: &str, people: u32, documents: &[(&str, DocumentCounts)]) -> QueryCounts {
        let documents: BTreeMap<_, _> =
            documents.iter().map(|(name, counts)| (DocumentKey(id(name)), *counts)).collect();
        let people = (0..people).map(|person| Mark::from_parts(1, person)).collect();
        QueryCounts { people, documents, ..QueryCounts::of(text) }
    }

    fn period(counts: Vec<QueryCounts>) -> Period {
        let mut period = Period::of(Date::ZERO, Date::ZERO, 3);
        period.add(counts);
        period
    }

    fn at(place: usize, shown: u32, opened: u32) -> DocumentCounts {
        let (shown, opened_at) = (ByPlace::of(place, shown), ByPlace::of(place, opened));
        DocumentCounts { shown, opened_at, opened, ..DocumentCounts::default() }
    }

    fn voted(up: u32, down: u32, counts: DocumentCounts) -> DocumentCounts {
        DocumentCounts { up, down, ..counts }
    }

    /// Many queries whose first result is opened by half, and whose fifth by one in twenty.
    fn usual() -> Vec<QueryCounts> {
        (0..50).map(|n| query(&format!("q{n}"), 1, &[("x", at(0, 20, 10)), ("y", at(4, 20, 1))])).collect()
    }

    fn grades(documents: &[(&str, DocumentCounts)]) -> BTreeMap<DocumentId, Grade> {
        let mut counts = usual();
        counts.push(query("travel", 3, documents));
        let judged = Judgements::of(&period(counts));
        assert_eq!((judged.queries.len(), judged.asked), (1, 1), "{judged:?}");
        judged.queries[0].grades.iter().copied().collect()
    }

    #[test]
    fn a_click_counts_against_what_its_place_gets_anyway() {
        let found = grades(&[
            ("first", at(0, 20, 10)),
            ("fifth", at(4, 20, 5)),
            ("passed over", at(0, 20, 0)),
            ("below its place", at(0, 20, 3)),
            ("hardly seen", at(4, 20, 0)),
        ]);
        assert_eq!(found[&id("first")], Grade::Fair, "as often as any first result");
        assert_eq!(found[&id("fifth")], Grade::Good, "five times as often as any fifth");
        assert_eq!((found[&id("passed over")], found[&id("below its place")]), (Grade::No, Grade::No));
        assert!(!found.contains_key(&id("hardly seen")), "nobody looks there: that says nothing");
    }

    #[test]
    fn a_thumb_says_more_than_clicks() {
        let found = grades(&[
            ("liked", voted(1, 0, at(0, 20, 0))),
            ("disliked", voted(0, 2, at(4, 20, 9))),
            ("disputed", voted(1, 1, at(4, 20, 9))),
            ("elsewhere", DocumentCounts { opened: 4, ..DocumentCounts::default() }),
        ]);
        assert_eq!((found[&id("liked")], found[&id("disliked")]), (Grade::Right, Grade::No));
        assert_eq!((found[&id("disputed")], found[&id("elsewhere")]), (Grade::Good, Grade::Fair));
    }

    #[test]
    fn what_few_have_asked_is_not_exported() {
        let counts = vec![query("secret", 2, &[("a", voted(2, 0, at(0, 2, 2)))]), query("passed", 3, &[])];
        let judged = Judgements::of(&period(counts));
        assert_eq!((judged.queries.len(), judged.asked), (0, 1));
    }
}
