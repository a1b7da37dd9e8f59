//! `/`: a field, what can be found with it, and a few questions to begin with.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::Shared;
use super::address::{Field, SearchAddress};
use super::icons::icon;
use super::language::Noun;
use super::layout::{self, Page};
use super::problem;
use super::strings::fill;
use super::survey::{SourceState, Survey};
use super::text::clean;
use super::visit::Visit;
use crate::app::App;
use crate::guard::Caller;
use crate::jobs::{Job, JobState};
use crate::json::Params;

/// Questions that are shown.
const STARTERS: usize = 6;

/// Addresses of older pages had the query here.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
}

/// `GET /`.
pub(super) async fn home(
    app: web::Data<App>,
    shared: web::Data<Shared>,
    visit: Visit,
    caller: Caller,
    asked: Params<Asked>,
) -> HttpResponse {
    if !asked.q.trim().is_empty() {
        return super::see_other(&SearchAddress::of_query(&asked.q).link());
    }
    let app = app.into_inner();
    let jobs = app.jobs.seen_by(&caller);
    let survey = app.compute(move |_, engine| shared.surveys.get(engine, &*engine.view(&caller)?)).await;
    problem::or(&visit, &SearchAddress::default(), survey.map(|survey| page(&visit, &survey, &jobs)))
}

fn page(visit: &Visit, survey: &Arc<Survey>, jobs: &[Job]) -> HttpResponse {
    let words = visit.words();
    let address = SearchAddress::default();
    let busy = jobs.iter().any(|job| matches!(job.state, JobState::Queued | JobState::Running));
    let main = html! {
        main #main.home {
            h1 { (words.tagline) }
            (layout::field(visit, &address))
            (starters(visit, survey))
            div #live data-busy[busy] {
                section.sources aria-labelledby="sources" {
                    h2 #sources { (words.sources) }
                    @if survey.sources.is_empty() { p { (words.no_sources) } }
                    ul { @for source in &survey.sources { (source_line(visit, source, jobs)) } }
                }
            }
        }
    };
    Page { visit, title: String::new(), class: "home", address, main }.respond()
}

fn starters(visit: &Visit, survey: &Survey) -> Markup {
    let words = visit.words();
    if !visit.brand.questions.is_empty() {
        return html! {
            section.starters aria-labelledby="starters" {
                h2 #starters { (words.try_one) }
                ul { @for question in &visit.brand.questions { li {
                    a href=(SearchAddress::of_query(question).link()) { bdi { (clean(question)) } }
                } } }
            }
        };
    }
    let own = |language: &Option<String>| language.as_deref() == Some(visit.language.short());
    let (mut chosen, others): (Vec<_>, Vec<_>) = survey.starters.iter().partition(|starter| own(&starter.language));
    // Somebody who reads one language may well search in another: the last places are for those.
    chosen.truncate(STARTERS - others.len().min(1));
    chosen.extend(others.into_iter().take(STARTERS - chosen.len()));
    html! {
        @if !chosen.is_empty() {
            section.starters aria-labelledby="starters" {
                h2 #starters { (words.try_one) }
                ul { @for starter in chosen { li lang=[starter.language.as_deref()] {
                    a href=(SearchAddress::of_query(&starter.text).link()) { bdi { (clean(&starter.text)) } }
                } } }
            }
        }
    }
}

fn source_line(visit: &Visit, source: &SourceState, jobs: &[Job]) -> Markup {
    let words = visit.words();
    let job =
        jobs.iter().find(|job| job.source == source.name && matches!(job.state, JobState::Queued | JobState::Running));
    let inside = SearchAddress::default().toggled(Field::Source, &source.name);
    html! {
        li {
            (icon("folder"))
            b { bdi { (clean(&source.name)) } }
            span { (visit.language.count(source.documents, Noun::Document)) }
            span.fresh { @match (job.map(|job| (job.state, job.progress)), source.last_run) {
                (Some((JobState::Running, progress)), _) if progress.planned > 0 => {
                    (fill(words.indexing, &[&format!("{} / {}", progress.files, progress.planned)]))
                }
                (Some(_), None) => (words.waiting),
                (_, Some(second)) => time datetime=(super::hit::iso(second)) { (fill(words.fresh, &[&visit.language.ago(second, visit.now)])) },
                (None, None) => @if visit.administers { (words.never_run) },
            } }
            @if source.unread() > 0 && visit.administers {
                a.warn href=(format!("/status?state=unread&{}#files", inside.query_string())) {
                    (icon("warn")) (fill(words.unread_files, &[&visit.language.count(source.unread(), Noun::File)]))
                }
            }
        }
    }
}
