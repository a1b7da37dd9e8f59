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
mod guidance;
mod hit;
mod home;
mod icons;
mod inside;
mod insights;
mod job;
mod keys;
mod language;
mod layout;
mod ledger;
mod manage;
mod opensearch;
mod preferences;
mod problem;
mod reply;
mod results;
mod set_up;
mod sign_in;
mod similar;
mod starters;
mod status;
mod strings;
mod survey;
mod text;
mod users;
mod visibility;
mod visit;
mod why;
mod written;

use actix_web::HttpResponse;
use actix_web::http::header;

use crate::guard::{Endpoint, Need, Scope};

pub(crate) use problem::for_people;
pub(crate) use sign_in::sign_in_address;

const SEARCH: Need = Need::Scope(Scope::Search);
const ADMIN: Need = Need::Scope(Scope::Admin);

/// What all pages of one server share.
#[derive(Default)]
pub(crate) struct Shared {
    surveys: survey::Surveys,
}

/// The addresses of the page.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::page("/").get(SEARCH, home::home),
        Endpoint::page("/search").get(SEARCH, results::results),
        Endpoint::page("/search/answer").get(SEARCH, written::written),
        Endpoint::page("/document/{id}").get(SEARCH, document::document),
        Endpoint::page("/document/{id}/file").get(SEARCH, file::file),
        Endpoint::page("/document/{id}/similar").get(SEARCH, similar::similar),
        Endpoint::page("/status").get(SEARCH, status::status),
        Endpoint::page("/status/files.csv").get(SEARCH, ledger::csv),
        Endpoint::page("/admin").get(ADMIN, manage::page),
        Endpoint::page("/admin/sources").post(ADMIN, manage::add),
        Endpoint::page("/admin/sources/{name}/index").post(ADMIN, manage::index),
        Endpoint::page("/admin/sources/{name}/accept-deletions").post(ADMIN, manage::accept_deletions),
        Endpoint::page("/admin/sources/{name}/remove").post(ADMIN, manage::remove),
        Endpoint::page("/admin/jobs/{id}/cancel").post(ADMIN, manage::cancel),
        Endpoint::page("/admin/jobs/{id}/pause").post(ADMIN, manage::pause),
        Endpoint::page("/admin/jobs/{id}/resume").post(ADMIN, manage::resume),
        Endpoint::page("/admin/keys").get(ADMIN, keys::page).post(ADMIN, keys::make),
        Endpoint::page("/admin/keys/{id}/revoke").post(ADMIN, keys::revoke),
        Endpoint::page("/admin/users").get(ADMIN, users::page).post(ADMIN, users::add),
        Endpoint::page("/admin/users/{name}").post(ADMIN, users::set),
        Endpoint::page("/admin/users/{name}/password").post(ADMIN, users::password),
        Endpoint::page("/admin/users/{name}/disable").post(ADMIN, users::disable),
        Endpoint::page("/admin/users/{name}/enable").post(ADMIN, users::enable),
        Endpoint::page("/admin/users/{name}/remove").post(ADMIN, users::remove),
        Endpoint::page("/admin/guidance").get(ADMIN, guidance::page),
        Endpoint::page("/admin/guidance/synonyms").post(ADMIN, guidance::synonyms),
        Endpoint::page("/admin/guidance/rules").post(ADMIN, guidance::rules),
        Endpoint::page("/admin/server").get(ADMIN, inside::page),
        Endpoint::page("/admin/backup").post(ADMIN, manage::back_up),
        Endpoint::page("/admin/compact").post(ADMIN, manage::compact),
        Endpoint::page("/admin/verify").post(ADMIN, manage::verify),
        Endpoint::page("/insights").get(ADMIN, insights::insights),
        Endpoint::page("/insights/queries.csv").get(ADMIN, insights::csv),
        Endpoint::page("/preferences").get(Need::Host, preferences::preferences),
        Endpoint::page("/sign-in").get(Need::Host, sign_in::page).post(Need::Host, sign_in::sign_in),
        Endpoint::page("/sign-in/provider").get(Need::Host, sign_in::depart),
        Endpoint::page("/sign-in/callback").get(Need::Host, sign_in::arrive),
        Endpoint::page("/set-up").get(Need::Host, set_up::page).post(Need::Host, set_up::set_up),
        Endpoint::page("/sign-out").post(Need::Host, sign_in::sign_out),
        Endpoint::page("/opensearch.xml").get(Need::Host, opensearch::opensearch),
        Endpoint::page("/favicon.ico").get(Need::Host, assets::favicon),
        Endpoint::page("/assets/{version}/{name}").get(Need::Host, assets::asset),
    ]
}

/// Sends the visitor on.
fn see_other(place: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, place)).finish()
}
