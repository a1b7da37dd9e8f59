//! Health checks: whether the server lives, whether it can search, and its numbers.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{Error, Problem};

/// The state of the server.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    status: &'static str,
    /// Sources that were never looked through as a whole: until it is 0, a search may miss some of their files. Left out
    /// where not everybody may know: `/api/v1/status` tells administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    awaited: Option<usize>,
}

impl Health {
    fn of(app: &App, status: &'static str) -> Self {
        Self { status, awaited: app.is_open().then(|| app.awaited()) }
    }
}

/// Answers as soon as the server listens; 503 with the reason while the index cannot be written. Searches are answered
/// then too, and it is tried again by itself.
#[utoipa::path(get, path = "/health/live", tag = "server",
    responses((status = 200, body = Health), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn live(app: web::Data<App>) -> Result<HttpResponse, Error> {
    match app.failure() {
        Some(failure) => Err(Error::NotAlive(failure)),
        None => Ok(HttpResponse::Ok().json(Health::of(&app, "live"))),
    }
}

/// Answers 200 once searches can be answered: from what the index holds, or once the sources named at start were looked
/// through.
#[utoipa::path(get, path = "/health/ready", tag = "server",
    responses((status = 200, body = Health), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn ready(app: web::Data<App>) -> Result<HttpResponse, Error> {
    match (app.is_ready(), app.is_stopping()) {
        (true, _) => Ok(HttpResponse::Ok().json(Health::of(&app, "ready"))),
        (false, true) => Err(Error::Stopping),
        (false, false) => Err(app.not_ready()),
    }
}

/// Numbers for Prometheus, in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", tag = "server",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub(crate) async fn metrics(app: web::Data<App>) -> Result<HttpResponse, Error> {
    let text = app.metrics.render(&app)?;
    Ok(HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(text))
}
