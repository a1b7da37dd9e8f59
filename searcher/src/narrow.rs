//! Narrowing: which of a search's filters leave nothing, so that an empty answer says why.

use storage::{AnalysedQuery, Filter, View};

use crate::error::SearchError;
use crate::query::Note;

/// Most values that are looked at, each of which takes a look into the index.
const MAX_VALUES: usize = 16;

/// A note for each value that no document has; if all have some, and together none, a note on that.
pub(crate) fn notes(view: &View, filters: &[Filter]) -> Result<Vec<Note>, SearchError> {
    let passes = |filters: &[Filter]| -> Result<bool, SearchError> {
        Ok(!view.passing(filters, &AnalysedQuery::default())?.is_empty())
    };
    let mut notes = Vec::new();
    for (shown, single) in filters.iter().flat_map(singles).take(MAX_VALUES) {
        if !passes(std::slice::from_ref(&single))? {
            let note = Note::NothingPasses { filter: shown };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    if notes.is_empty() && filters.iter().any(|filter| !filter.is_empty()) && !passes(filters)? {
        notes.push(Note::NothingPassesAll);
    }
    Ok(notes)
}

/// Each value of a filter alone, with how it is written in a query.
fn singles(filter: &Filter) -> Vec<(String, Filter)> {
    let mut singles = Vec::new();
    let one = |values: &[String], name: &str, single: fn(Vec<String>) -> Filter, singles: &mut Vec<_>| {
        for value in values {
            singles.push((written(name, value), single(vec![value.clone()])));
        }
    };
    one(&filter.sources, "source", |sources| Filter { sources, ..Filter::default() }, &mut singles);
    one(&filter.paths, "path", |paths| Filter { paths, ..Filter::default() }, &mut singles);
    one(&filter.kinds, "type", |kinds| Filter { kinds, ..Filter::default() }, &mut singles);
    one(&filter.languages, "lang", |languages| Filter { languages, ..Filter::default() }, &mut singles);
    if let Some(after) = filter.after {
        singles.push((written("after", &day(after)), Filter { after: Some(after), ..Filter::default() }));
    }
    if let Some(before) = filter.before {
        singles.push((written("before", &day(before)), Filter { before: Some(before), ..Filter::default() }));
    }
    singles
}

fn written(name: &str, value: &str) -> String {
    if value.contains(char::is_whitespace) { format!("{name}:\"{value}\"") } else { format!("{name}:{value}") }
}

fn day(second: i64) -> String {
    jiff::Timestamp::from_second(second).map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}
