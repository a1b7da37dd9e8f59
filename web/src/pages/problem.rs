//! When a page cannot be made: what happened and what helps, as a page, with the same status and headers as the API.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use maud::html;

use super::address::SearchAddress;
use super::layout::Page;
use super::visit::Visit;
use crate::error::Error;

/// The page, or the page that says why there is none.
pub(super) fn or(visit: &Visit, address: &SearchAddress, page: Result<HttpResponse, Error>) -> HttpResponse {
    page.unwrap_or_else(|error| of(visit, address.clone(), &error))
}

/// Whatever has no route: a page for people, a problem document for programs.
pub(crate) async fn not_found(request: HttpRequest) -> Result<HttpResponse, Error> {
    let accepts = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accepts.is_some_and(|accept| accept.contains("text/html")) {
        let error = Error::NotFound { what: "this address" };
        return Ok(of(&Visit::of(&request), SearchAddress::default(), &error));
    }
    crate::api::not_found().await
}

fn of(visit: &Visit, address: SearchAddress, error: &Error) -> HttpResponse {
    let words = visit.words();
    let problem = error.problem();
    let (title, cure) = match error {
        Error::NotFound { .. } => (words.not_found, words.not_found_cure),
        Error::Starting => (words.starting, words.starting_cure),
        Error::Busy | Error::Timeout { .. } => (words.busy, words.busy_cure),
        _ => (words.error, problem.cure),
    };
    // What the page says in its own words needs no second wording.
    let detail = (title == words.error).then_some(problem.detail.as_str());
    let waits = matches!(error, Error::Starting | Error::Busy);
    let main = html! {
        main #main.problem data-retry=[waits.then_some("2")] {
            h1 { (title) }
            @if let Some(detail) = detail { p { (detail) } }
            p { (cure) }
            p.choices { @if waits { a href=(visit.here) { (words.try_again) } } a href="/" { (words.go_home) } }
        }
    };
    let page = Page { visit, title: title.to_string(), class: "problem", address, main }.render();
    // Status, waiting time and challenge are those of the API.
    let mut response = error.error_response();
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html; charset=utf-8"));
    response.set_body(actix_web::body::BoxBody::new(page))
}
