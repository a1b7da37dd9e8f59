//! `/status`: what is in the index, what is being done, what went wrong and what helps.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use storage::Statistics;

use super::Shared;
use super::address::{Field, SearchAddress, query_string};
use super::hit::iso;
use super::icons::icon;
use super::language::{Noun, number, size};
use super::layout::Page;
use super::ledger::{self, Asked, Lines};
use super::strings::fill;
use super::survey::{SourceState, Survey};
use super::text::clean;
use super::visit::Visit;
use super::{job, problem};
use crate::app::App;
use crate::error::Error;
use crate::guard::Caller;
use crate::jobs::{Job, JobKind, JobState};
use crate::json::Params;
use crate::models::{ElsewhereState, ElsewhereView, ModelView};
use crate::writer::Following;

/// Failed jobs that are shown.
const ERRORS: usize = 5;

/// Everything on the page.
struct State {
    survey: Arc<Survey>,
    jobs: Vec<Job>,
    /// The ledger, for those who see all of it.
    lines: Option<Lines>,
    embedding: ModelView,
    reranker: Option<ModelView>,
    writer: Option<ModelView>,
    seconds_left: Option<f64>,
    uptime: Duration,
    /// The backup that is searched, where some are followed; why there is no newer one for administrators.
    following: Option<Following>,
    /// Whether the audit log cannot be written.
    audit_failing: bool,
}

/// `GET /status`.
pub(super) async fn status(
    app: web::Data<App>,
    shared: web::Data<Shared>,
    visit: Visit,
    caller: Caller,
    asked: Params<Asked>,
) -> HttpResponse {
    let asked = asked.0;
    let state = read(app, shared, caller, asked.clone()).await;
    problem::or(&visit, &SearchAddress::default(), state.map(|state| page(&visit, &asked, &state)))
}

async fn read(app: web::Data<App>, shared: web::Data<Shared>, caller: Caller, asked: Asked) -> Result<State, Error> {
    let read = move |app: &App, engine: &crate::engine::Engine| {
        Ok(State {
            survey: shared.surveys.get(engine, &*engine.view(&caller)?)?,
            jobs: app.jobs.seen_by(&caller),
            lines: caller.sees_everything().then(|| ledger::lines(engine, &asked)).transpose()?,
            embedding: ModelView::embedding(engine, &caller),
            reranker: ModelView::reranker(engine, &caller),
            writer: ModelView::writer(engine, &caller),
            seconds_left: app.seconds_left().filter(|_| caller.sees_everything()),
            uptime: app.started.elapsed(),
            following: engine.writer.following().map(|following| following.seen_by(&caller)),
            audit_failing: app.audit.is_failing(),
        })
    };
    app.into_inner().compute(read).await
}

fn page(visit: &Visit, asked: &Asked, state: &State) -> HttpResponse {
    let words = visit.words();
    let busy = state.survey.waiting > 0 || state.jobs.iter().any(is_active);
    let main = html! {
        main #main.status {
            h1 { (words.status) }
            div #live data-busy[busy] {
                (summary(visit, state))
                (activity(visit, state))
                (sources(visit, state))
                (errors(visit, state))
                (models(visit, state))
            }
            @if let Some(lines) = &state.lines { (ledger::section(visit, asked, &state.survey, lines)) }
        }
    };
    Page { visit, title: words.status.to_string(), class: "state", address: SearchAddress::default(), main }.respond()
}

fn is_active(job: &Job) -> bool {
    matches!(job.state, JobState::Queued | JobState::Running)
}

fn summary(visit: &Visit, state: &State) -> Markup {
    let words = visit.words();
    let Survey { documents, passages, waiting, statistics, .. } = &*state.survey;
    html! {
        dl.figures {
            div { dt { (words.documents) } dd { (number(*documents)) } }
            div { dt { (words.passages) } dd { (number(*passages)) } }
            @if let Some(statistics) = statistics { (on_disk(visit, statistics)) }
        }
        @if *waiting > 0 {
            p {
                (fill(words.to_embed, &[&number(*waiting)]))
                @if let Some(seconds) = state.seconds_left {
                    " " (fill(words.embedding_left, &[&visit.language.duration(seconds * 1e3)]))
                }
            }
        }
        @if let Some(following) = &state.following { (followed(visit, following)) }
        p.quiet { (fill(words.uptime, &[&visit.language.duration(state.uptime.as_secs_f64() * 1e3)])) }
    }
}

/// How old it is what is searched, in a server that follows another one.
pub(super) fn followed(visit: &Visit, following: &Following) -> Markup {
    let words = visit.words();
    html! {
        p { (fill(words.follows, &[&visit.language.ago(following.made, visit.now)])) }
        @if let Some(problem) = &following.problem { p.warn { (words.follow_problem) ": " (clean(problem)) } }
    }
}

fn on_disk(visit: &Visit, statistics: &Statistics) -> Markup {
    let words = visit.words();
    let bytes: u64 = statistics.bytes.iter().map(|(_, bytes)| bytes).sum();
    let parts: Vec<String> = statistics.bytes.iter().map(|(part, bytes)| format!("{part} {}", size(*bytes))).collect();
    html! {
        div { dt { (words.generation) } dd { (number(statistics.sequence)) } }
        div { dt { (words.on_disk) } dd title=(parts.join(", ")) { (size(bytes)) } }
    }
}

fn activity(visit: &Visit, state: &State) -> Markup {
    let words = visit.words();
    let is_shown = |job: &&Job| is_active(job) || job.state == JobState::Paused;
    let active: Vec<&Job> = state.jobs.iter().rev().filter(is_shown).collect();
    html! {
        section aria-labelledby="activity" {
            h2 #activity { (words.activity) }
            @if active.is_empty() { p.quiet { (words.idle) } }
            @for job in active { (running(visit, job)) }
        }
    }
}

fn running(visit: &Visit, job: &Job) -> Markup {
    let words = visit.words();
    let progress = &job.progress;
    let kind = job::kind(words, job);
    let share = job::share(job);
    let in_words = share.map(|(done, all)| fill("{} / {}", &[&number(done), &number(all)])).unwrap_or_default();
    html! {
        div.job {
            p {
                // What is about the whole index has no source.
                b { @if job.source.is_empty() { (kind) } @else { bdi { (clean(&job.source)) } } } " "
                @match job.state {
                    JobState::Running if job.kind == JobKind::Index => (fill(words.indexing, &[&in_words])),
                    JobState::Queued if job.kind == JobKind::Index => (words.waiting),
                    _ => { @if !job.source.is_empty() { (kind) ", " } (job::state(words, job)) " " (in_words) },
                }
            }
            @if job.state == JobState::Running {
                @if let Some((done, all)) = share {
                    progress value=(done) max=(all) aria-label={ (words.progress) ": " (kind) " " (job.source) } { (in_words) }
                }
                p.meta {
                    span { (visit.language.count(progress.passages, Noun::Passage)) }
                    span { (visit.language.count(progress.tokens, Noun::Token)) }
                    span { (fill(words.tokens_second, &[&number(progress.tokens_per_second as u64)])) }
                    @if let Some(reason) = &job.waiting_for { span { (words.embedding) ": " (clean(reason)) } }
                    @if let Some(left) = progress.seconds_left { span { (words.time_left) ": " (visit.language.duration(left * 1e3)) } }
                }
            }
        }
    }
}

fn sources(visit: &Visit, state: &State) -> Markup {
    let words = visit.words();
    html! {
        section aria-labelledby="sources" {
            h2 #sources { (words.sources) }
            @if state.survey.sources.is_empty() { p { (words.no_sources) } } @else {
                div.scroll tabindex="0" { table {
                    thead { tr {
                        th scope="col" { (words.source) }
                        @for column in [words.documents, words.passages, words.indexed, words.partly, words.skipped, words.unreadable, words.failed] {
                            th.number scope="col" { (column) }
                        }
                        th scope="col" { (words.last_run) }
                    } }
                    tbody { @for source in &state.survey.sources { (source_row(visit, source)) } }
                } }
            }
        }
    }
}

fn source_row(visit: &Visit, source: &SourceState) -> Markup {
    let words = visit.words();
    let files = |state: &str, count: u64| {
        let link =
            format!("/status?{}#files", query_string(&[("state", state), (Field::Source.parameter(), &source.name)]));
        html! { td.number { @if count > 0 && visit.administers { a href=(link) { (number(count)) } } @else { (number(count)) } } }
    };
    html! {
        tr {
            th scope="row" { bdi { (clean(&source.name)) } }
            td.number { (number(source.documents)) }
            td.number { (number(source.passages)) }
            (files("indexed", source.indexed))
            (files("partly", source.partly))
            (files("skipped", source.skipped))
            (files("unreadable", source.unreadable))
            (files("failed", source.failed))
            td { @match source.last_run {
                Some(second) => time datetime=(iso(second)) { (visit.language.ago(second, visit.now)) },
                None => @if visit.administers { (words.never_run) },
            } }
        }
    }
}

fn errors(visit: &Visit, state: &State) -> Markup {
    let words = visit.words();
    let failed = state.jobs.iter().filter(|job| job.state == JobState::Failed).take(ERRORS);
    let failed: Vec<&Job> = failed.collect();
    // What to do about them is an administrator's task.
    let unread = if visit.administers { state.survey.unread(&[]) } else { 0 };
    let audit_failing = visit.administers && state.audit_failing;
    html! {
        section aria-labelledby="errors" {
            h2 #errors { (words.errors) }
            @if failed.is_empty() && unread == 0 && !audit_failing { p.quiet { (words.no_errors) } }
            ul.errors {
                @if audit_failing { li { (icon("warn")) p { b { (words.audit_failing) } } p.quiet { (words.cure_audit) } } }
                @for job in failed { li {
                    (icon("warn"))
                    p { b { bdi { (clean(&job.source)) } } " " (clean(job.error.as_deref().unwrap_or_default())) }
                    p.quiet { @if let Some(second) = job.finished { (visit.language.ago(second, visit.now)) ". " } (words.cure_failed) }
                } }
                @if unread > 0 { li {
                    (icon("warn"))
                    p { a href="/status?state=unread#files" { (fill(words.unread_files, &[&visit.language.count(unread, Noun::File)])) } }
                    p.quiet { (words.cure_unreadable) }
                } }
            }
        }
    }
}

fn models(visit: &Visit, state: &State) -> Markup {
    let words = visit.words();
    html! {
        section aria-labelledby="models" {
            h2 #models { (words.models) }
            dl.facts {
                dt { (words.embedding) }
                dd { (model(visit, &state.embedding)) }
                dt { (words.reranker) }
                dd { @match &state.reranker { Some(reranker) => (model(visit, reranker)), None => (words.no_reranker) } }
                @if let Some(writer) = &state.writer { dt { (words.writer) } dd { (model(visit, writer)) } }
            }
        }
    }
}

/// Where a model is that is not here, and how it fares.
fn fares(visit: &Visit, elsewhere: &ElsewhereView) -> Markup {
    let words = visit.words();
    let state = match elsewhere.state {
        ElsewhereState::Unasked => words.unasked,
        ElsewhereState::Answering => words.answering,
        ElsewhereState::Away => words.away,
        ElsewhereState::Unusable => words.unusable,
    };
    html! {
        @if let Some(host) = &elsewhere.host { span { (fill(words.elsewhere, &[host])) } }
        span { (state) @if let Some(reason) = &elsewhere.reason { ": " (clean(reason)) } }
    }
}

/// A model in one line: its name, its shape, where it computes, how fast, and who waits.
fn model(visit: &Visit, model: &ModelView) -> Markup {
    let words = visit.words();
    let speed = model.tokens_per_second.map(|rate| match rate {
        rate if rate > 0.0 => fill(words.tokens_second, &[&number(rate as u64)]),
        _ => words.not_used.to_string(),
    });
    html! {
        b { bdi { (clean(&model.name)) } }
        p.meta {
            @if let Some(dimension) = model.dimension { span { (fill(words.dimensions, &[&dimension.to_string()])) } }
            @if let Some((precision, device)) = model.precision.zip(model.device.as_deref()) { span { (fill(words.computes, &[precision, device])) } }
            @if let Some(elsewhere) = &model.elsewhere { (fares(visit, elsewhere)) }
            @if let Some(speed) = speed { span { (speed) } }
            @if let Some(waiting) = model.waiting { span { (fill(words.queue, &[&number(waiting as u64)])) } }
            @if let Some(hash) = model.fingerprint.as_deref().and_then(|hash| hash.get(..8)) { code { (hash) } }
        }
    }
}
