//! `/insights`: what is asked, what was not found, what was opened and liked, for administrators.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::address::SearchAddress;
use super::hit::document_link;
use super::language::number;
use super::layout::Page;
use super::problem;
use super::strings::fill;
use super::text::clean;
use super::visit::Visit;
use crate::api::insights::{QueryView, Report, ThumbsView, csv as table, csv_answer, report};
use crate::app::App;
use crate::error::Error;
use crate::json::Params;

/// Lines of each list.
const LINES: usize = 50;
/// Periods that can be chosen, in days.
const PERIODS: [u32; 3] = [7, 30, 90];

/// Which days are looked at.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    days: Option<u32>,
}

/// A column of numbers: its head, and what stands in it.
type Column = (&'static str, fn(&Visit, &QueryView) -> String);

/// `GET /insights`.
pub(super) async fn insights(app: web::Data<App>, visit: Visit, asked: Params<Asked>) -> HttpResponse {
    let (app, days) = (app.into_inner(), asked.days);
    let kept = app.config.insights.keep_days;
    let report = app.compute(move |_, engine| report(engine, days, LINES)).await;
    problem::or(&visit, &SearchAddress::default(), report.map(|report| page(&visit, days, kept, &report)))
}

/// `GET /insights/queries.csv`.
pub(super) async fn csv(app: web::Data<App>, visit: Visit, asked: Params<Asked>) -> HttpResponse {
    let days = asked.days;
    let answer: Result<HttpResponse, Error> =
        app.into_inner().compute(move |_, engine| table(engine, days)).await.map(csv_answer);
    problem::or(&visit, &SearchAddress::default(), answer)
}

fn page(visit: &Visit, days: Option<u32>, kept: u32, report: &Report) -> HttpResponse {
    let words = visit.words();
    let totals = &report.totals;
    let thumbs_of = |which: &str| format!("{} · {which}", words.thumbs);
    let (yes, no) = (thumbs_of(words.yes), thumbs_of(words.no));
    let figures = [
        (words.searches, totals.searches),
        (words.without_results, totals.without_results),
        (words.not_here, totals.not_here),
        (words.without_click, totals.without_click),
        (words.slow, totals.slow),
        (yes.as_str(), totals.up),
        (no.as_str(), totals.down),
    ];
    let chosen = days.unwrap_or(PERIODS[1].min(kept));
    let slow_from = fill(words.slow_from, &[&visit.language.duration(report.slow_ms as f64)]);
    let main = html! {
        main #main.status {
            h1 { (words.insights) }
            p.quiet { (fill(words.insights_bound, &[&report.first, &report.last, &report.people.to_string()])) }
            nav.pages aria-label=(words.period) {
                @for period in periods(kept) {
                    a href=(format!("/insights?days={period}")) aria-current=[(period == chosen).then_some("page")] { (fill(words.days, &[&period.to_string()])) }
                }
            }
            dl.figures { @for (name, figure) in figures { div { dt { (name) } dd { (number(figure)) } } } }
            p.quiet { (fill(words.insights_hidden, &[&number(totals.hidden), &number(totals.queries)])) }
            p { a href=(format!("/insights/queries.csv?days={chosen}")) download="insights.csv" { (words.insights_csv) } }
            p.quiet { (words.insights_export) }
            (queries(visit, "popular", words.popular, None, &report.popular, &[
                (words.searches, |_, query| number(query.searches)),
                (words.without_click, |_, query| number(query.without_click)),
                (words.opened, |_, query| number(query.opened)),
            ]))
            (queries(visit, "nothing", words.without_results, None, &report.without_results, &[
                (words.without_results, |_, query| number(query.without_results)),
                (words.searches, |_, query| number(query.searches)),
            ]))
            (queries(visit, "not-here", words.not_here, None, &report.not_here, &[
                (words.not_here, |_, query| number(query.not_here)),
                (words.searches, |_, query| number(query.searches)),
            ]))
            (queries(visit, "unclicked", words.without_click, Some(words.unclicked_are), &report.without_click, &[
                (words.without_click, |_, query| number(query.without_click)),
                (words.searches, |_, query| number(query.searches)),
            ]))
            (queries(visit, "slow", words.slow, Some(&slow_from), &report.slow, &[
                (words.slow, |_, query| number(query.slow)),
                (words.mean, |visit, query| visit.language.duration(query.mean_ms as f64)),
                (words.slowest, |visit, query| visit.language.duration(query.slowest_ms as f64)),
            ]))
            (thumbs(visit, &report.thumbs))
        }
    };
    Page { visit, title: words.insights.to_string(), class: "state", address: SearchAddress::default(), main }.respond()
}

/// The periods that can be chosen: no longer than counts are kept.
fn periods(kept: u32) -> Vec<u32> {
    let longest = kept.min(PERIODS[2]);
    PERIODS.into_iter().filter(|period| *period < longest).chain([longest]).collect()
}

fn queries(
    visit: &Visit,
    id: &'static str,
    title: &str,
    note: Option<&str>,
    queries: &[QueryView],
    columns: &[Column],
) -> Markup {
    let words = visit.words();
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            @if let Some(note) = note { p.quiet { (note) } }
            @if queries.is_empty() { p.quiet { (words.insights_none) } } @else {
                div.scroll tabindex="0" { table {
                    thead { tr {
                        th scope="col" { (words.question) }
                        @for (head, _) in columns { th.number scope="col" { (head) } }
                    } }
                    tbody { @for query in queries { tr {
                        th scope="row" { (question(&query.query)) }
                        @for (_, cell) in columns { td.number { (cell(visit, query)) } }
                    } } }
                } }
            }
        }
    }
}

fn thumbs(visit: &Visit, thumbs: &[ThumbsView]) -> Markup {
    let words = visit.words();
    html! {
        section aria-labelledby="thumbs" {
            h2 #thumbs { (words.thumbs) }
            p.quiet { (words.was_it) }
            @if thumbs.is_empty() { p.quiet { (words.insights_none) } } @else {
                div.scroll tabindex="0" { table {
                    thead { tr {
                        th scope="col" { (words.question) }
                        th scope="col" { (words.document) }
                        th.number scope="col" { (words.no) }
                        th.number scope="col" { (words.yes) }
                        th.number scope="col" { (words.opened) }
                    } }
                    tbody { @for thumb in thumbs { tr {
                        th scope="row" { (question(&thumb.query)) }
                        td {
                            a href=(document_link(&thumb.document.document, 0, &thumb.query)) { bdi { (clean(&thumb.document.title)) } }
                            " " span.quiet { bdi { (clean(&thumb.document.source)) "/" (clean(&thumb.document.path)) } }
                        }
                        td.number { (number(thumb.down)) }
                        td.number { (number(thumb.up)) }
                        td.number { (number(thumb.opened)) }
                    } } }
                } }
            }
        }
    }
}

/// A query as the link to its results.
fn question(query: &str) -> Markup {
    html! { a href=(SearchAddress::of_query(query).link()) { bdi { (clean(query)) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_longer_period_is_offered_than_is_kept() {
        assert_eq!((periods(90), periods(365)), (vec![7, 30, 90], vec![7, 30, 90]));
        assert_eq!((periods(7), periods(5), periods(45)), (vec![7], vec![5], vec![7, 30, 45]));
    }

    #[test]
    fn a_query_is_never_markup() {
        let shown = question("<script>alert(1)</script>\u{202e}").0;
        assert!(!shown.contains("<script>") && !shown.contains('\u{202e}') && shown.contains("q=%3Cscript"), "{shown}");
    }
}
