//! The page for people: rendered here, complete without scripts, made lively by the modules in `assets/`.
//!
//! Promises: nothing of a document, a file name or a query reaches a page unescaped (maud escapes every string; the two
//! places that do not are constants); no page holds inline scripts or styles; every page says what to do next.

mod address;
mod assets;
mod blocks;
mod document;
mod facets;
mod file;
mod hit;
mod home;
mod icons;
mod language;
mod layout;
mod ledger;
mod opensearch;
mod preferences;
mod problem;
mod results;
mod similar;
mod starters;
mod status;
mod strings;
mod survey;
mod text;
mod visit;
mod why;

use actix_web::http::header;
use actix_web::{HttpResponse, web};

pub(crate) use problem::not_found;

/// What all pages of one server share.
#[derive(Default)]
pub(crate) struct Shared {
    surveys: survey::Surveys,
}

/// The routes of the page.
pub(crate) fn configure(services: &mut web::ServiceConfig) {
    services
        .app_data(web::Data::new(Shared::default()))
        .route("/", web::get().to(home::home))
        .route("/search", web::get().to(results::results))
        .route("/document/{id}", web::get().to(document::document))
        .route("/document/{id}/file", web::get().to(file::file))
        .route("/document/{id}/similar", web::get().to(similar::similar))
        .route("/status", web::get().to(status::status))
        .route("/status/files.csv", web::get().to(ledger::csv))
        .route("/preferences", web::get().to(preferences::preferences))
        .route("/opensearch.xml", web::get().to(opensearch::opensearch))
        .route("/favicon.ico", web::get().to(assets::favicon))
        .route("/assets/{version}/{name}", web::get().to(assets::asset));
}

/// Sends the visitor on.
fn see_other(place: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, place)).finish()
}
