//! A period of days: the counts of all of them together, and what of it may be shown.

use std::collections::BTreeMap;
use std::io;

use jiff::civil::Date;

use super::counts::QueryCounts;
use super::folder::Folder;
use super::{InsightsConfig, first_of};

/// Different queries of a period that are told apart. Of those beyond, the sums are known.
const MOST_QUERIES: usize = 100_000;

/// The counts of a period.
pub(crate) struct Period {
    pub(crate) first: Date,
    pub(crate) last: Date,
    people: usize,
    queries: BTreeMap<String, QueryCounts>,
    beyond: Totals,
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
    /// Reads `days` days that end with `last`, the newest first. The counts of the last day may be known already.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn read(
        folder: &Folder,
        last: Date,
        days: u32,
        config: &InsightsConfig,
        of_last: Option<Vec<QueryCounts>>,
    ) -> io::Result<Self> {
        let mut period = Self::of(first_of(last, days.min(config.keep_days)), last, config.people as usize);
        let is_known = of_last.is_some();
        period.add(of_last.unwrap_or_default());
        let days = folder.days()?;
        for day in days.range(period.first..=last).rev().filter(|day| !is_known || **day != last) {
            period.add(folder.counts(*day, config)?);
        }
        Ok(period)
    }

    pub(super) fn of(first: Date, last: Date, people: usize) -> Self {
        Self { first, last, people, queries: BTreeMap::new(), beyond: Totals::default() }
    }

    pub(super) fn add(&mut self, counts: impl IntoIterator<Item = QueryCounts>) {
        for counts in counts {
            let has_room = self.queries.len() < MOST_QUERIES;
            match self.queries.get_mut(&counts.query) {
                Some(known) => known.add(counts),
                None if has_room => drop(self.queries.insert(counts.query.clone(), counts)),
                None => {
                    self.beyond.add(&counts);
                    self.beyond.hidden += 1;
                }
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
        let mut totals = self.beyond;
        self.queries.values().for_each(|query| totals.add(query));
        totals.hidden += (self.queries.len() - self.shown().count()) as u64;
        totals
    }

    /// All queries, for what is learnt of all and shown of none.
    pub(super) fn all(&self) -> impl Iterator<Item = &QueryCounts> {
        self.queries.values()
    }
}

impl Totals {
    fn add(&mut self, query: &QueryCounts) {
        let counts = [
            (&mut self.searches, query.searches),
            (&mut self.nothing, query.nothing),
            (&mut self.not_here, query.not_here),
            (&mut self.shown, query.shown),
            (&mut self.clicked, query.clicked),
            (&mut self.slow, query.slow),
            (&mut self.up, query.sum(|document| document.up)),
            (&mut self.down, query.sum(|document| document.down)),
            (&mut self.queries, 1),
        ];
        counts.into_iter().for_each(|(sum, count)| *sum = sum.saturating_add(count));
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

    fn period(counts: Vec<QueryCounts>) -> Period {
        let mut period = Period::of(Date::ZERO, Date::ZERO, 3);
        period.add(counts);
        period
    }

    #[test]
    fn a_period_is_bounded_and_its_sums_are_whole() {
        let mut period = period((0..MOST_QUERIES).map(|number| asked(&number.to_string(), 3, 1)).collect());
        period.add([asked("one more", 3, 5), asked("7", 3, 1)]);
        let totals = period.totals();
        assert_eq!((totals.searches, totals.hidden), (MOST_QUERIES as u64 + 6, 1));
        assert!(period.shown().all(|query| query.query != "one more"));
    }

    #[test]
    fn what_few_have_asked_is_in_the_sums_alone() {
        let period = period(vec![asked("often", 2, 90), asked("rare", 3, 3), asked("more", 3, 5)]);
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
        let period = period(vec![asked("often", 2, 90), other]);
        assert_eq!(period.shown().next().map(|query| query.searches), Some(91));
    }
}
