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

use crate::api::resource;

pub(crate) use problem::for_people;

/// What all pages of one server share.
#[derive(Default)]
pub(crate) struct Shared {
    surveys: survey::Surveys,
}

/// The routes of the page.
pub(crate) fn configure(services: &mut web::ServiceConfig) {
    services
        .app_data(web::Data::new(Shared::default()))
        .service(resource("/").route(web::get().to(home::home)))
        .service(resource("/search").route(web::get().to(results::results)))
        .service(resource("/document/{id}").route(web::get().to(document::document)))
        .service(resource("/document/{id}/file").route(web::get().to(file::file)))
        .service(resource("/document/{id}/similar").route(web::get().to(similar::similar)))
        .service(resource("/status").route(web::get().to(status::status)))
        .service(resource("/status/files.csv").route(web::get().to(ledger::csv)))
        .service(resource("/preferences").route(web::get().to(preferences::preferences)))
        .service(resource("/opensearch.xml").route(web::get().to(opensearch::opensearch)))
        .service(resource("/favicon.ico").route(web::get().to(assets::favicon)))
        .service(resource("/assets/{version}/{name}").route(web::get().to(assets::asset)));
}

/// Sends the visitor on.
fn see_other(place: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, place)).finish()
}
