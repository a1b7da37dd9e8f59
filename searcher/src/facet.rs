//! Facets: counts of what a search finds by source, type, language, year and month.
//!
//! Everything that was found is counted, not only what is ranked, and by results: a number is that of the results with the
//! value as a further filter.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use jiff::tz::TimeZone;
use serde::Serialize;
use storage::{DocumentSet, Filter, View};

use crate::collapse::Collapse;
use crate::error::SearchError;

const DAY: i64 = 24 * 60 * 60;
/// Months that are counted.
const MAX_MONTHS: usize = 120;

/// How many documents of a result are filed under each value, the most frequent first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FacetCounts {
    /// By name of the source.
    pub source: Vec<FacetCount>,
    /// By type.
    pub kind: Vec<FacetCount>,
    /// By language; documents without one are left out.
    pub language: Vec<FacetCount>,
    /// By year of the last change, the latest first.
    pub year: Vec<FacetCount>,
    /// By its month (`2026-05`), the latest first: the last 120 with documents.
    pub month: Vec<FacetCount>,
}

/// One value of a facet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FacetCount {
    /// The value.
    pub value: String,
    /// Documents with it.
    pub count: usize,
}

/// Counts of results under each value of a field.
struct Tally<V> {
    counts: HashMap<V, usize>,
    /// Classes of near-duplicates that were counted under a value.
    classes: HashSet<(u32, V)>,
}

impl<V: Copy + Eq + Hash> Tally<V> {
    fn new() -> Self {
        Self { counts: HashMap::new(), classes: HashSet::new() }
    }

    /// Counts a document; `class` is that of its copies, if it has any.
    fn add(&mut self, value: V, class: Option<u32>) {
        if class.is_none_or(|class| self.classes.insert((class, value))) {
            *self.counts.entry(value).or_default() += 1;
        }
    }
}

/// Counts the results that these documents are.
pub(crate) fn count(view: &View, documents: &DocumentSet, collapse: &Collapse) -> Result<FacetCounts, SearchError> {
    let facets = view.facets()?;
    let (mut sources, mut kinds, mut languages) = (Tally::new(), Tally::new(), Tally::new());
    let (mut years, mut months): (Tally<i16>, Tally<(i16, i8)>) = (Tally::new(), Tally::new());
    let mut month_of_day: HashMap<i64, Option<(i16, i8)>> = HashMap::new();
    for document in documents.iter() {
        let Some(filed) = view.passage_of(document)?.and_then(|passage| facets.of(passage)) else { continue };
        let class = (!collapse.members(document).is_empty()).then(|| collapse.key(document));
        sources.add(filed.source, class);
        kinds.add(filed.kind, class);
        if let Some(language) = filed.language {
            languages.add(language, class);
        }
        let month = *month_of_day.entry(filed.modified.div_euclid(DAY)).or_insert_with(|| month(filed.modified));
        if let Some((year, month)) = month {
            years.add(year, class);
            months.add((year, month), class);
        }
    }
    Ok(FacetCounts {
        source: by_count(sources.counts),
        kind: by_count(kinds.counts),
        language: by_count(languages.counts),
        year: latest_first(years.counts, i16::to_string).collect(),
        month: latest_first(months.counts, |(year, month)| format!("{year:04}-{month:02}")).take(MAX_MONTHS).collect(),
    })
}

fn month(second: i64) -> Option<(i16, i8)> {
    let time = jiff::Timestamp::from_second(second).ok()?.to_zoned(TimeZone::UTC);
    Some((time.year(), time.month()))
}

fn latest_first<V: Ord>(counts: HashMap<V, usize>, name: impl Fn(&V) -> String) -> impl Iterator<Item = FacetCount> {
    let mut counts: Vec<(V, usize)> = counts.into_iter().collect();
    counts.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
    counts.into_iter().map(move |(value, count)| FacetCount { value: name(&value), count })
}

/// Counts in which each field that `filter` restricts is counted as `recount` says without that restriction.
pub(crate) fn with_alternatives(
    mut counts: FacetCounts,
    filter: &Filter,
    recount: impl Fn(Filter) -> Result<FacetCounts, SearchError>,
) -> Result<FacetCounts, SearchError> {
    if !filter.sources.is_empty() {
        counts.source = recount(Filter { sources: Vec::new(), ..filter.clone() })?.source;
    }
    if !filter.kinds.is_empty() {
        counts.kind = recount(Filter { kinds: Vec::new(), ..filter.clone() })?.kind;
    }
    if !filter.languages.is_empty() {
        counts.language = recount(Filter { languages: Vec::new(), ..filter.clone() })?.language;
    }
    if filter.after.is_some() || filter.before.is_some() {
        let undated = recount(Filter { after: None, before: None, ..filter.clone() })?;
        counts.year = undated.year;
        counts.month = undated.month;
    }
    Ok(counts)
}

fn by_count(counts: HashMap<&str, usize>) -> Vec<FacetCount> {
    let mut counts: Vec<FacetCount> =
        counts.into_iter().map(|(value, count)| FacetCount { value: value.to_string(), count }).collect();
    counts.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_comes_first_and_ties_go_by_name() {
        let counts = by_count(HashMap::from([("b", 2), ("a", 2), ("c", 5)]));
        let values: Vec<&str> = counts.iter().map(|count| count.value.as_str()).collect();
        assert_eq!(values, ["c", "a", "b"]);
    }
}
