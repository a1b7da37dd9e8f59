//! The page for people. This is the place of whoever builds it; until then, a form and a list that work.

mod home;

use actix_web::web;

/// The routes of the page.
pub(crate) fn configure(services: &mut web::ServiceConfig) {
    services.service(web::resource("/").route(web::get().to(home::home)));
}
