//! The quiet line below the field: chips that open lists of values with counts. Plain links, so they work without
//! scripts; values of one field are alternatives.

use jiff::ToSpan as _;
use maud::{Markup, html};
use searcher::{FacetCount, FacetCounts, Sort};

use super::address::{Field, SearchAddress};
use super::icons::{self, icon};
use super::language::number;
use super::text::clean;
use super::visit::Visit;

/// Values of one list; the rest is reached by narrowing the others.
const MAX_VALUES: usize = 30;

/// The line of chips.
pub(super) fn chips(visit: &Visit, address: &SearchAddress, counts: &FacetCounts) -> Markup {
    let words = visit.words();
    html! {
        nav.facets aria-label=(words.filters) {
            @for field in Field::ALL { (chip(visit, address, field, counts_of(counts, field))) }
            (dates(visit, address, counts))
            (order(visit, address))
            @if address.is_filtered() {
                a.clear href=(SearchAddress::of_query(&address.q).link()) { (words.clear_filters) }
            }
        }
    }
}

fn counts_of(counts: &FacetCounts, field: Field) -> &[FacetCount] {
    match field {
        Field::Source => &counts.source,
        Field::Kind => &counts.kind,
        Field::Language => &counts.language,
    }
}

fn chip(visit: &Visit, address: &SearchAddress, field: Field, counts: &[FacetCount]) -> Markup {
    let words = visit.words();
    let title = match field {
        Field::Source => words.source,
        Field::Kind => words.kind,
        Field::Language => words.language,
    };
    let name = |value: &str| match field {
        Field::Source => clean(value).into_owned(),
        Field::Kind => visit.language.kind(value),
        Field::Language => visit.language.name_of(value),
    };
    let chosen = address.values(field);
    let shown: Vec<String> = chosen.iter().map(|value| name(value)).collect();
    // What was chosen stays in the list, even where it finds nothing.
    let missing = chosen.iter().filter(|value| counts.iter().all(|count| count.value != **value));
    let values = counts.iter().map(|count| (count.value.as_str(), Some(count.count)));
    let values = values.chain(missing.map(|value| (value.as_str(), None))).take(MAX_VALUES);
    let options = values.map(|(value, count)| Choice {
        name: name(value),
        count,
        chosen: chosen.iter().any(|known| known == value),
        link: address.toggled(field, value).link(),
        value: Some((value.to_string(), (field == Field::Kind).then(|| icons::name_of_kind(value)))),
    });
    let any = Choice {
        name: words.any.to_string(),
        count: None,
        chosen: chosen.is_empty(),
        link: address.without(field).link(),
        value: None,
    };
    menu(visit, field.parameter(), title, &shown.join(", "), std::iter::once(any).chain(options).collect())
}

fn dates(visit: &Visit, address: &SearchAddress, counts: &FacetCounts) -> Markup {
    let words = visit.words();
    let since = |span: jiff::Span| {
        let day = jiff::Zoned::now().checked_sub(span).ok()?;
        Some(day.strftime("%Y-%m-%d").to_string())
    };
    let mut choices = vec![Choice {
        name: words.any.to_string(),
        count: None,
        chosen: !address.is_dated(),
        link: address.dated(None, None).link(),
        value: None,
    }];
    let mut shown = String::new();
    for (name, span) in [(words.past_week, 7.days()), (words.past_month, 1.month()), (words.past_year, 1.year())] {
        let Some(after) = since(span) else { continue };
        let chosen = address.after.as_ref() == Some(&after) && address.before.is_none();
        if chosen {
            shown = name.to_string();
        }
        choices.push(Choice {
            name: name.to_string(),
            count: None,
            chosen,
            link: address.dated(Some(after), None).link(),
            value: None,
        });
    }
    // The months of a year stand below it once it, or one of them, is chosen.
    let open = address.before.as_ref().and(address.after.as_ref()).and_then(|after| after.get(..4));
    for year in counts.year.iter().take(MAX_VALUES) {
        let months =
            counts.month.iter().filter(|month| Some(year.value.as_str()) == open && month.value.get(..4) == open);
        for FacetCount { value, count } in std::iter::once(year).chain(months) {
            let next = after_period(value);
            let chosen = address.after.as_ref() == Some(value) && address.before == next;
            if chosen {
                shown.clone_from(value);
            }
            let link = address.dated(Some(value.clone()), next).link();
            choices.push(Choice { name: value.clone(), count: Some(*count), chosen, link, value: None });
        }
    }
    if shown.is_empty() && address.is_dated() {
        let side = |date: &Option<String>| date.clone().unwrap_or_default();
        shown = clean(&format!("{} – {}", side(&address.after), side(&address.before))).into_owned();
    }
    menu(visit, "date", words.date, &shown, choices)
}

/// The year or month behind this one.
fn after_period(period: &str) -> Option<String> {
    match period.split_once('-') {
        None => Some((period.parse::<i32>().ok()? + 1).to_string()),
        Some((year, "12")) => Some(format!("{:04}-01", year.parse::<i32>().ok()? + 1)),
        Some((year, month)) => Some(format!("{year}-{:02}", month.parse::<u8>().ok()? + 1)),
    }
}

fn order(visit: &Visit, address: &SearchAddress) -> Markup {
    let words = visit.words();
    let names =
        [(Sort::Relevance, words.by_relevance), (Sort::Date, words.newest_first), (Sort::Oldest, words.oldest_first)];
    let chosen = address.order();
    let shown =
        names.iter().find(|(sort, _)| *sort == chosen && chosen != Sort::Relevance).map_or("", |(_, name)| name);
    let choices = names.iter().map(|(sort, name)| Choice {
        name: (*name).to_string(),
        count: None,
        chosen: *sort == chosen,
        link: address.sorted(*sort).link(),
        value: None,
    });
    menu(visit, "sort", words.sort, shown, choices.collect())
}

struct Choice {
    name: String,
    count: Option<usize>,
    chosen: bool,
    link: String,
    /// The value itself and, for types, its icon: for scripts that make rows of their own.
    value: Option<(String, Option<&'static str>)>,
}

fn menu(visit: &Visit, id: &str, title: &str, shown: &str, choices: Vec<Choice>) -> Markup {
    let words = visit.words();
    html! {
        details.facet.active[!shown.is_empty()] data-facet=(id) {
            summary { (title) @if !shown.is_empty() { ": " b { (shown) } } (icon("down")) }
            ul { @for choice in choices { li {
                @let (value, kind) = choice.value.map_or((None, None), |(value, kind)| (Some(value), kind));
                a href=(choice.link) data-value=[value] data-icon=[kind] aria-current=[choice.chosen.then_some("true")] title=[(choice.chosen && choice.count.is_some()).then_some(words.remove_filter)] {
                    span { (choice.name) }
                    @if let Some(count) = choice.count { small { (number(count as u64)) } }
                }
            } } }
        }
    }
}
