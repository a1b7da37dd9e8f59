//! A period of days: the counts of all of them together, and what of it may be shown.

use std::collections::BTreeMap;
use std::io;

use jiff::civil::Date;

use super::counts::QueryCounts;
use super::folder::Folder;
use super::{InsightsConfig, first_of};

/// The counts of a period.
pub(crate) struct Period {
    pub(crate) first: Date,
    pub(crate) last: Date,
    people: usize,
    queries: BTreeMap<String, QueryCounts>,
}

/// Sums over all queries, those that are not shown as well: they are numbers alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) searches: u64,
    pub(crate) nothing: u64,
    pub(crate) not_here: u64,
    pub(crate) shown: u64,
    pub(crate) clicked: u64,
    pub(crate) slow: u64,
    pub(crate) up: u64,
    pub(crate) down: u64,
    /// Different queries.
    pub(crate) queries: u64,
    /// Of these, queries that too few people have asked to be shown.
    pub(crate) hidden: u64,
}

impl Period {
    /// Reads `days` days that end with `last`, but for `without`.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn read(
        folder: &Folder,
        last: Date,
        days: u32,
        config: &InsightsConfig,
        without: Option<Date>,
    ) -> io::Result<Self> {
        let first = first_of(last, days.min(config.keep_days));
        let mut period = Self { first, last, people: config.people as usize, queries: BTreeMap::new() };
        for day in folder.days()?.range(first..=last).filter(|day| Some(**day) != without) {
            period.add(folder.counts(*day, config)?);
        }
        Ok(period)
    }

    pub(super) fn add(&mut self, counts: impl IntoIterator<Item = QueryCounts>) {
        for counts in counts {
            match self.queries.get_mut(&counts.query) {
                Some(known) => known.add(counts),
                None => drop(self.queries.insert(counts.query.clone(), counts)),
            }
        }
    }

    /// The queries that enough people have asked in this period. Nothing else leaves this room but [sums](Period::totals).
    pub(crate) fn shown(&self) -> impl Iterator<Item = &QueryCounts> {
        self.queries.values().filter(|query| query.people() >= self.people)
    }

    /// The `most` of them that have most of something, the others not at all.
    pub(crate) fn most(&self, most: usize, of: impl Fn(&QueryCounts) -> u64) -> Vec<&QueryCounts> {
        let mut with: Vec<(u64, &QueryCounts)> =
            self.shown().map(|query| (of(query), query)).filter(|(count, _)| *count > 0).collect();
        // What is asked as often comes in the order of its letters.
        with.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        with.into_iter().take(most).map(|(_, query)| query).collect()
    }

    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for query in self.queries.values() {
            totals.searches += query.searches;
            totals.nothing += query.nothing;
            totals.not_here += query.not_here;
            totals.shown += query.shown;
            totals.clicked += query.clicked;
            totals.slow += query.slow;
            totals.up += query.sum(|document| document.up);
            totals.down += query.sum(|document| document.down);
            totals.queries += 1;
        }
        totals.hidden = totals.queries - self.shown().count() as u64;
        totals
    }

    /// All queries, for what is learnt of all and shown of none.
    pub(super) fn all(&self) -> impl Iterator<Item = &QueryCounts> {
        self.queries.values()
    }

    #[cfg(test)]
    pub(super) fn of(people: usize, counts: Vec<QueryCounts>) -> Self {
        let mut period = Self { first: Date::ZERO, last: Date::ZERO, people, queries: BTreeMap::new() };
        period.add(counts);
        period
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::people::Mark;
    use super::*;

    fn asked(query: &str, people: u32, searches: u64) -> QueryCounts {
        let people = (0..people).map(|person| Mark::from_parts(1, person)).collect::<BTreeSet<_>>();
        QueryCounts { people, searches, ..QueryCounts::of(query) }
    }

    #[test]
    fn what_few_have_asked_is_in_the_sums_alone() {
        let period = Period::of(3, vec![asked("often", 2, 90), asked("rare", 3, 3), asked("more", 3, 5)]);
        let shown: Vec<&str> = period.shown().map(|query| query.query.as_str()).collect();
        assert_eq!(shown, ["more", "rare"]);
        let most: Vec<&str> = period.most(1, |query| query.searches).iter().map(|it| it.query.as_str()).collect();
        assert_eq!(most, ["more"]);
        assert!(period.most(9, |query| query.slow).is_empty());
        let totals = period.totals();
        assert_eq!((totals.searches, totals.queries, totals.hidden), (98, 3, 1));
    }

    #[test]
    fn people_of_several_days_are_put_together() {
        let other = QueryCounts { people: BTreeSet::from([Mark::from_parts(1, 7)]), ..asked("often", 0, 1) };
        let period = Period::of(3, vec![asked("often", 2, 90), other]);
        assert_eq!(period.shown().next().map(|query| query.searches), Some(91));
    }
}
