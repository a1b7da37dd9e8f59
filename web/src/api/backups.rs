//! `/api/v1/backups`: having the server back itself up.

use std::path::PathBuf;
use std::time::Instant;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use storage::Keep;
use utoipa::ToSchema;

use super::sources::{Accepted, on_disk};
use super::timing::{Timed, timed};
use crate::app::App;
use crate::audit;
use crate::error::{Error, Problem};
use crate::guard::Caller;
use crate::json::Json;

/// Where a backup goes, and what is kept.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BackupBody {
    /// A folder on the server; left out: `backup.destination` of the configuration. Only commands on the server name another.
    destination: Option<String>,
    /// Which backups are kept afterwards, such as `7d4w6m`; left out: as configured, or all.
    #[schema(
        pattern = "^([1-9][0-9]{0,8}d([1-9][0-9]{0,8}w)?([1-9][0-9]{0,8}m)?|[1-9][0-9]{0,8}w([1-9][0-9]{0,8}m)?|[1-9][0-9]{0,8}m)$"
    )]
    keep: Option<String>,
}

/// Backs the server up; the job's outcome says what was copied.
#[utoipa::path(post, path = "/api/v1/backups", tag = "server", request_body = BackupBody,
    responses((status = 202, body = Timed<Accepted>), (status = 501, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn make(app: web::Data<App>, body: Json<BackupBody>, caller: Caller) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let BackupBody { destination, keep } = body.0;
    let destination = destination.map(PathBuf::from);
    if destination.is_some() && !caller.is_owner {
        return Err(Error::bad("destination: only commands on the server name one; leave it out"));
    }
    if let Some(destination) = &destination {
        if !destination.is_absolute() && !connect::is_bucket(destination) {
            return Err(Error::bad("destination: expected the absolute path of a folder"));
        }
        audit::about("destination", destination.to_string_lossy().as_ref());
    }
    let keep = keep.map(|keep| keep.parse::<Keep>()).transpose();
    let keep = keep.map_err(|error| Error::bad(format!("keep: {error}")))?;
    let job = on_disk(&app, &caller, move |writer| writer.back_up(destination, keep)).await?;
    let content = Accepted::of_the_index(job);
    Ok(HttpResponse::Accepted().json(timed(started, app.engine()?.generation(&caller)?, content)))
}
