//! `/api/v1/jobs`: what the server was asked to do and did, and having it stop.

use std::time::Instant;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::sources::{Accepted, on_disk};
use super::timing::{Timed, timed};
use crate::app::App;
use crate::audit;
use crate::error::{Error, Problem};
use crate::guard::Caller;
use crate::jobs::Job;
use crate::writer::Writer;

/// Jobs, the newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobList {
    jobs: Vec<Job>,
}

/// The jobs of the writer, the newest first: all of them for administrators, their own for others.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "server",
    responses((status = 200, body = Timed<JobList>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(app: web::Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let generation = app.engine()?.generation(&caller)?;
    let jobs = app.jobs.seen_by(&caller);
    Ok(HttpResponse::Ok().json(timed(started, generation, JobList { jobs })))
}

/// One job.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "server", params(("id" = u64, Path, description = "Number of the job")),
    responses((status = 200, body = Timed<Job>), (status = 404, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(app: web::Data<App>, id: web::Path<String>, caller: Caller) -> Result<HttpResponse, Error> {
    answer(Instant::now(), &app, &id, &caller)
}

/// Calls off a pass over a source. What it has committed stays, and the source is looked through again at its time, when
/// somebody asks, or at the next start. Removals and accepted documents are not called off.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/cancel", tag = "server", params(("id" = u64, Path, description = "Number of the job")),
    responses((status = 200, body = Timed<Job>), (status = 409, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn cancel(app: web::Data<App>, id: web::Path<String>, caller: Caller) -> Result<HttpResponse, Error> {
    stop(app, id, caller, Writer::cancel).await
}

/// Has a pass over a source, or the making of vectors, wait until it is resumed. A pass waits after a restart too.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/pause", tag = "server", params(("id" = u64, Path, description = "Number of the job")),
    responses((status = 200, body = Timed<Job>), (status = 409, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn pause(app: web::Data<App>, id: web::Path<String>, caller: Caller) -> Result<HttpResponse, Error> {
    stop(app, id, caller, Writer::pause).await
}

/// Lets a job go on that was paused.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/resume", tag = "server", params(("id" = u64, Path, description = "Number of the job")),
    responses((status = 200, body = Timed<Job>), (status = 409, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn resume(app: web::Data<App>, id: web::Path<String>, caller: Caller) -> Result<HttpResponse, Error> {
    stop(app, id, caller, Writer::resume).await
}

/// Checks every checksum and cross-reference of the index, while nothing is written; the outcome of the job says what was
/// found.
#[utoipa::path(post, path = "/api/v1/verify", tag = "server",
    responses((status = 202, body = Timed<Accepted>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn verify(app: web::Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let job = on_disk(&app, &caller, Writer::verify).await?;
    let content = Accepted::of_the_index(job);
    Ok(HttpResponse::Accepted().json(timed(started, app.engine()?.generation(&caller)?, content)))
}

/// Gives back the space of what was removed. Searches go on, and nothing is written meanwhile; it needs room for a second copy
/// of what is left.
#[utoipa::path(post, path = "/api/v1/compact", tag = "server",
    responses((status = 202, body = Timed<Accepted>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn compact(app: web::Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let job = on_disk(&app, &caller, Writer::compact).await?;
    let content = Accepted::of_the_index(job);
    Ok(HttpResponse::Accepted().json(timed(started, app.engine()?.generation(&caller)?, content)))
}

/// Asks the writer to stop a job that the caller may see, or to let it go on.
async fn stop(
    app: web::Data<App>,
    id: web::Path<String>,
    caller: Caller,
    ask: impl FnOnce(&Writer, u64) -> Result<(), Error> + Send + 'static,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    app.engine()?;
    let job = found(&app, &id, &caller)?;
    if !job.may_be_stopped_by(&caller) {
        return Err(Error::JobFixed { why: "others wait for it, too; an administrator may stop it" });
    }
    audit::about("source", job.source.as_str());
    let asking = web::Data::clone(&app);
    let asked = tokio::task::spawn_blocking(move || ask(&asking.engine()?.writer, job.id));
    asked.await.map_err(Error::internal)??;
    answer(started, &app, &id, &caller)
}

fn found(app: &App, id: &str, caller: &Caller) -> Result<Job, Error> {
    id.parse().ok().and_then(|id| app.jobs.get_as(id, caller)).ok_or(Error::NotFound { what: "the job" })
}

fn answer(started: Instant, app: &App, id: &str, caller: &Caller) -> Result<HttpResponse, Error> {
    let generation = app.engine()?.generation(caller)?;
    Ok(HttpResponse::Ok().json(timed(started, generation, found(app, id, caller)?)))
}
