//! Facets: counts of what a search found by source, type, language and year of change.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use serde::Serialize;
use storage::{Filter, PassageRef, Snapshot};

use crate::error::SearchError;

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

/// Counts documents, each given by one of its passages.
pub(crate) fn count(
    snapshot: &Snapshot,
    documents: impl Iterator<Item = PassageRef>,
) -> Result<FacetCounts, SearchError> {
    let facets = snapshot.facets()?;
    let (mut sources, mut kinds, mut languages) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut years: HashMap<i16, usize> = HashMap::new();
    for filed in documents.filter_map(|passage| facets.of(passage)) {
        *sources.entry(filed.source).or_default() += 1;
        *kinds.entry(filed.kind).or_default() += 1;
        if let Some(language) = filed.language {
            *languages.entry(language).or_default() += 1;
        }
        if let Ok(time) = jiff::Timestamp::from_second(filed.modified) {
            *years.entry(time.to_zoned(TimeZone::UTC).year()).or_default() += 1;
        }
    }
    let mut year: Vec<(i16, usize)> = years.into_iter().collect();
    year.sort_unstable_by_key(|(year, _)| std::cmp::Reverse(*year));
    Ok(FacetCounts {
        source: by_count(sources),
        kind: by_count(kinds),
        language: by_count(languages),
        year: year.into_iter().map(|(year, count)| FacetCount { value: year.to_string(), count }).collect(),
    })
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
        counts.year = recount(Filter { after: None, before: None, ..filter.clone() })?.year;
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
