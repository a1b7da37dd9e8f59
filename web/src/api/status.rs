//! `/api/v1/status`: what the server holds and does.

use std::time::Instant;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::sources::{SourceView, views};
use super::timing::{Timed, timed};
use crate::app::App;
use crate::engine::Engine;
use crate::error::{Error, Problem};
use crate::guard::Caller;
use crate::jobs::{Job, JobState};
use crate::models::ModelView;
use crate::writer::Following;

/// The state of the server.
#[derive(Serialize, ToSchema)]
pub(crate) struct Status {
    /// Version of quarry.
    pub(crate) version: &'static str,
    /// Whether searches can be answered.
    pub(crate) ready: bool,
    /// Sources that were never looked through as a whole; told to administrators.
    pub(crate) awaited: usize,
    /// Why nothing can be committed at the moment; null if all is well. Told to administrators.
    pub(crate) failure: Option<String>,
    /// The backup that is searched, in a server that follows those of another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) follows: Option<Following>,
    /// Of the audit log, where there is one; for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audit: Option<AuditState>,
    /// Seconds since the start.
    pub(crate) uptime_seconds: u64,
    /// The embedding model.
    pub(crate) model: ModelView,
    /// The reranker, if there is one.
    pub(crate) reranker: Option<ModelView>,
    /// The model that writes, if there is one.
    pub(crate) writer: Option<ModelView>,
    /// Documents that the caller may see.
    pub(crate) documents: u64,
    /// Their passages.
    pub(crate) passages: u64,
    /// Passages whose vectors are still to come; null where all are there.
    pub(crate) embedding: Option<Embedding>,
    /// Distinct vectors ever stored; told to administrators.
    pub(crate) vectors: Option<u64>,
    /// Bytes on disk by part; told to administrators.
    pub(crate) bytes: Vec<Part>,
    /// The sources.
    pub(crate) sources: Vec<SourceView>,
    /// Jobs that wait or are being done: all of them for administrators, their own for others.
    pub(crate) jobs: Vec<Job>,
}

/// Vectors that are still to come.
#[derive(Serialize, ToSchema)]
pub(crate) struct Embedding {
    /// Passages that the caller may see and that are found by their words alone so far.
    pub(crate) passages: u64,
    /// About how many seconds it takes until all are there, by the bytes that are left; while they are made, told to
    /// administrators.
    pub(crate) seconds_left: Option<f64>,
}

/// How the audit log is.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditState {
    /// Whether it cannot be written at the moment.
    pub(crate) failing: bool,
    /// Lines that were lost since the start.
    pub(crate) lost: u64,
}

/// A part of the index and its size.
#[derive(Serialize, ToSchema)]
pub(crate) struct Part {
    pub(crate) part: &'static str,
    pub(crate) bytes: u64,
}

/// The state of the server.
pub(crate) fn status_of(app: &App, engine: &Engine, caller: &Caller) -> Result<Status, Error> {
    let seen = engine.view(caller)?;
    let is_whole = seen.is_whole();
    // What goes on with documents that are hidden is hidden, too.
    let statistics = is_whole.then(|| engine.truth.statistics()).transpose()?;
    let totals = seen.totals();
    let active = |job: &Job| matches!(job.state, JobState::Queued | JobState::Running | JobState::Paused);
    Ok(Status {
        version: env!("CARGO_PKG_VERSION"),
        ready: app.is_ready(),
        awaited: if is_whole { app.awaited() } else { 0 },
        failure: app.failure().filter(|_| is_whole).map(|failure| failure.words),
        follows: engine.writer.following().map(|following| following.seen_by(caller)),
        audit: (app.audit.is_on() && caller.sees_places())
            .then(|| AuditState { failing: app.audit.is_failing(), lost: app.audit.lost() }),
        uptime_seconds: app.started.elapsed().as_secs(),
        model: ModelView::embedding(engine, caller),
        reranker: ModelView::reranker(engine, caller),
        writer: ModelView::writer(engine, caller),
        documents: totals.documents,
        passages: totals.chunks,
        embedding: (!totals.waiting.is_over()).then(|| Embedding {
            passages: totals.waiting.passages,
            seconds_left: app.seconds_left().filter(|_| is_whole),
        }),
        vectors: statistics.as_ref().map(|statistics| statistics.vectors),
        bytes: statistics.into_iter().flat_map(|it| it.bytes).map(|(part, bytes)| Part { part, bytes }).collect(),
        sources: views(engine, &seen, caller.sees_places()),
        jobs: app.jobs.seen_by(caller).into_iter().filter(active).collect(),
    })
}

/// What the server holds and does.
#[utoipa::path(get, path = "/api/v1/status", tag = "server",
    responses((status = 200, body = Timed<Status>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn status(app: web::Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let status = app.into_inner().compute(move |app, engine| {
        let generation = engine.generation(&caller)?;
        Ok(timed(started, generation, status_of(app, engine, &caller)?))
    });
    Ok(HttpResponse::Ok().json(status.await?))
}
