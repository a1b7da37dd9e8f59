//! Which address goes where.

use actix_web::{HttpResponse, Resource, web};

use super::{health, search};
use crate::error::Error;

/// An address; methods that it does not take are refused in the house's form.
pub(crate) fn resource(path: &str) -> Resource {
    web::resource(path).default_service(web::to(method_not_allowed))
}

/// The routes of the API.
pub(crate) fn configure(services: &mut web::ServiceConfig) {
    services
        .service(resource("/health/live").route(web::get().to(health::live)))
        .service(resource("/health/ready").route(web::get().to(health::ready)))
        .service(resource("/metrics").route(web::get().to(health::metrics)))
        .service(resource("/api/v1/search").route(web::get().to(search::get)).route(web::post().to(search::post)));
}

/// Whatever has no route.
pub(crate) async fn not_found() -> Result<HttpResponse, Error> {
    Err(Error::NotFound { what: "this address" })
}

async fn method_not_allowed() -> Result<HttpResponse, Error> {
    Err(Error::Method)
}
