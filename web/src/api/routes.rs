//! Which address goes where.

use actix_web::web::{delete, get, post, put};
use actix_web::{HttpResponse, Resource, web};

use super::{documents, health, openapi, push, search, similar, sources, status, stream, suggest};
use crate::error::Error;

/// An address; methods that it does not take are refused in the house's form.
pub(crate) fn resource(path: &str) -> Resource {
    web::resource(path).default_service(web::to(method_not_allowed))
}

/// The routes of the API.
#[rustfmt::skip]
pub(crate) fn configure(services: &mut web::ServiceConfig) {
    services
        .service(resource("/health/live").route(get().to(health::live)))
        .service(resource("/health/ready").route(get().to(health::ready)))
        .service(resource("/metrics").route(get().to(health::metrics)))
        .service(resource("/api/openapi.json").route(get().to(openapi::json)))
        .service(resource("/api/docs").route(get().to(openapi::page)))
        .service(resource("/api/docs/{file}").route(get().to(openapi::asset)))
        .service(resource("/api/v1/search").route(get().to(search::get)).route(post().to(search::post)))
        .service(resource("/api/v1/search/stream").route(get().to(stream::stream)))
        .service(resource("/api/v1/suggest").route(get().to(suggest::suggest)))
        .service(resource("/api/v1/similar").route(get().to(similar::similar)))
        .service(resource("/api/v1/documents").route(get().to(documents::list)).route(put().to(push::put)).route(post().to(push::upload)))
        .service(resource("/api/v1/documents/bulk").route(post().to(push::bulk)))
        .service(resource("/api/v1/documents/{id}").route(get().to(documents::get)).route(delete().to(push::delete)))
        .service(resource("/api/v1/documents/{id}/passages").route(get().to(documents::passages)))
        .service(resource("/api/v1/sources").route(get().to(sources::list)).route(post().to(sources::add)))
        .service(resource("/api/v1/sources/{name}").route(delete().to(sources::remove)))
        .service(resource("/api/v1/sources/{name}/index").route(post().to(sources::reindex)))
        .service(resource("/api/v1/sources/{name}/ledger").route(get().to(sources::ledger)))
        .service(resource("/api/v1/jobs").route(get().to(status::jobs)))
        .service(resource("/api/v1/jobs/{id}").route(get().to(status::job)))
        .service(resource("/api/v1/status").route(get().to(status::status)));
}

/// Whatever has no route.
pub(crate) async fn not_found() -> Result<HttpResponse, Error> {
    Err(Error::NotFound { what: "this address" })
}

async fn method_not_allowed() -> Result<HttpResponse, Error> {
    Err(Error::Method)
}
