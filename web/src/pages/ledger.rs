//! The ledger on the status page: every file and what became of it, page by page, with filters.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use storage::{FileState, LedgerEntry};

use super::address::SearchAddress;
use super::address::query_string;
use super::language::{number, size};
use super::problem;
use super::strings::Strings;
use super::survey::Survey;
use super::text::clean;
use super::visit::Visit;
use crate::api::{self, ListForm};
use crate::app::App;
use crate::engine::Engine;
use crate::error::Error;
use crate::guard::Caller;
use crate::json::Params;
use crate::traffic::client_of;

/// Lines of one page.
const LINES: usize = 50;
/// Lines that are looked at for one page: a rare state in a long ledger is reached over several pages.
const LOOKED_AT: usize = 200_000;

/// Which lines are wanted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    source: String,
    state: String,
    path: String,
    /// Source and path of the last line before this page.
    behind: String,
    after: String,
}

/// A page of the ledger.
pub(super) struct Lines {
    entries: Vec<LedgerEntry>,
    /// Source and path of the last line that was looked at, where more follow.
    next: Option<(String, String)>,
}

impl Asked {
    fn admits(&self, entry: &LedgerEntry) -> bool {
        let unread = entry.state.is_unread();
        let state = match self.state.as_str() {
            "" => true,
            "unread" => unread,
            state => state == entry.state.label(),
        };
        state && entry.path.to_lowercase().contains(&self.path.to_lowercase())
    }
}

/// Reads a page, for somebody who sees everything.
pub(super) fn lines(engine: &Engine, asked: &Asked) -> Result<Lines, Error> {
    let mut lines = Lines { entries: Vec::new(), next: None };
    let whole = engine.whole()?;
    let names = whole.sources().into_iter().map(|source| &source.name);
    let wanted = names.filter(|name| asked.source.is_empty() || **name == asked.source);
    let mut wanted = wanted.skip_while(|name| !asked.behind.is_empty() && **name != asked.behind).peekable();
    let mut looked_at = 0;
    while let Some(name) = wanted.next() {
        let after = if *name == asked.behind { asked.after.as_str() } else { "" };
        for entry in engine.truth.ledger(name, after) {
            let entry = entry?;
            looked_at += 1;
            if lines.entries.len() == LINES || looked_at > LOOKED_AT {
                // This line opens the next page: the one before it is where that page begins.
                lines.next =
                    lines.next.or_else(|| lines.entries.last().map(|last| (last.source.clone(), last.path.clone())));
                return Ok(lines);
            }
            if asked.admits(&entry) {
                lines.entries.push(engine.truth.with_duplicate(entry)?);
            } else if looked_at == LOOKED_AT {
                lines.next = Some((entry.source.clone(), entry.path.clone()));
            }
        }
        if lines.entries.len() == LINES && wanted.peek().is_some() {
            lines.next = lines.entries.last().map(|last| (last.source.clone(), last.path.clone()));
            return Ok(lines);
        }
    }
    Ok(lines)
}

/// `GET /status/files.csv`: all lines that the filters admit.
pub(super) async fn csv(
    app: web::Data<App>,
    visit: Visit,
    caller: Caller,
    asked: Params<Asked>,
    request: HttpRequest,
) -> HttpResponse {
    let answer = all_lines(app.into_inner(), &caller, asked.0, &client_of(&request)).await;
    problem::or(&visit, &SearchAddress::default(), answer)
}

async fn all_lines(app: Arc<App>, caller: &Caller, asked: Asked, client: &str) -> Result<HttpResponse, Error> {
    let lines = api::LedgerView::of(app.engine()?.view(caller)?);
    let names = lines.view().sources().into_iter().map(|source| source.name.clone());
    let sources = names.filter(|name| asked.source.is_empty() || *name == asked.source).collect();
    api::ledger_list(app, client, ListForm::Csv, lines, sources, move |entry| asked.admits(entry)).await
}

/// The section of the page.
pub(super) fn section(visit: &Visit, asked: &Asked, survey: &Survey, lines: &Lines) -> Markup {
    let words = visit.words();
    html! {
        section #files aria-labelledby="ledger" {
            h2 #ledger { (words.ledger) }
            p.quiet { (words.ledger_intro) }
            (form(visit, asked, survey))
            p { a href=(csv_link(asked)) download="files.csv" { (words.as_csv) } }
            @if lines.entries.is_empty() { p { (words.no_files) } } @else {
                div.scroll tabindex="0" { table.ledger {
                    thead { tr {
                        th scope="col" { (words.file) }
                        th scope="col" { (words.state) }
                        th scope="col" { (words.kind) }
                        th.number scope="col" { (words.size) }
                        th.number scope="col" { (words.seconds) }
                        th.number scope="col" { (words.characters) }
                        th.number scope="col" { (words.passages) }
                        th.number scope="col" { (words.text_pages) }
                        th scope="col" { (words.reason) }
                    } }
                    tbody { @for entry in &lines.entries { (row(words, entry)) } }
                } }
            }
            @if let Some((source, path)) = &lines.next { p.pages { a rel="next" href=(link(asked, source, path)) { (words.next) } } }
            @if !asked.behind.is_empty() { p.pages { a href=(link(asked, "", "")) { (words.first_page) } } }
        }
    }
}

fn row(words: &Strings, entry: &LedgerEntry) -> Markup {
    let state = match entry.state {
        FileState::Indexed { .. } => words.indexed,
        FileState::Partly { .. } => words.partly,
        FileState::Skipped { .. } => words.skipped,
        FileState::Unreadable { .. } => words.unreadable,
        FileState::Failed { .. } => words.failed,
    };
    html! {
        tr {
            th scope="row" { bdi.quiet { (clean(&entry.source)) "/" } bdi { (clean(&entry.path)) } }
            td { span class={ "mark " (entry.state.label()) } { (state) } }
            td { (clean(&entry.kind)) }
            td.number { (size(entry.bytes)) }
            td.number { (format!("{:.2}", entry.micros as f64 / 1e6)) }
            td.number { (number(entry.characters)) }
            td.number { (entry.chunks) }
            td.number { @if let Some(pages) = entry.coverage { (pages.with_text) " / " (pages.pages) } }
            td { (clean(&entry.state.reason())) }
        }
    }
}

fn form(visit: &Visit, asked: &Asked, survey: &Survey) -> Markup {
    let words = visit.words();
    let states = [
        ("", words.all),
        ("indexed", words.indexed),
        ("partly", words.partly),
        ("skipped", words.skipped),
        ("unread", words.unread),
        ("unreadable", words.unreadable),
        ("failed", words.failed),
    ];
    html! {
        form.filter action="/status#files" {
            label { (words.source) select name="source" {
                option value="" { (words.all) }
                @for source in &survey.sources { option value=(source.name) selected[source.name == asked.source] { (clean(&source.name)) } }
            } }
            label { (words.state) select name="state" {
                @for (value, name) in states { option value=(value) selected[value == asked.state] { (name) } }
            } }
            label { (words.path_contains) input type="text" name="path" value=(asked.path) maxlength="200"; }
            button type="submit" { (words.show) }
        }
    }
}

fn csv_link(asked: &Asked) -> String {
    let pairs = [("source", asked.source.as_str()), ("state", &asked.state), ("path", &asked.path)];
    let pairs: Vec<(&str, &str)> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    format!("/status/files.csv?{}", query_string(&pairs))
}

fn link(asked: &Asked, behind: &str, after: &str) -> String {
    let pairs = [
        ("source", asked.source.as_str()),
        ("state", &asked.state),
        ("path", &asked.path),
        ("behind", behind),
        ("after", after),
    ];
    let pairs: Vec<(&str, &str)> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    format!("/status?{}#files", query_string(&pairs))
}
