//! The page in place of one that cannot be made: what happened and what helps, as a page in the visitor's language,
//! with the same status and headers as the API.

use actix_web::HttpResponse;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use maud::html;

use super::address::SearchAddress;
use super::language::Language;
use super::layout::Page;
use super::strings::{Failure, Strings, fill};
use super::visit::Visit;
use crate::error::Error;
use crate::guard::wants_page;
use crate::identity::ProviderError;

/// The page, or the page that says why there is none.
pub(super) fn or(visit: &Visit, address: &SearchAddress, page: Result<HttpResponse, Error>) -> HttpResponse {
    page.unwrap_or_else(|error| {
        error.log();
        of(visit, address.clone(), &error)
    })
}

/// The middleware that turns failures into pages for those who look at pages: whatever was refused before a page could be
/// made, by whichever layer. Programs get problem documents.
pub(crate) async fn for_people<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let response = next.call(request).await?;
    let error = response.response().error().and_then(|error| error.as_error::<Error>());
    let page = error.filter(|_| wants_page(response.request()));
    let page = page.map(|error| of(&Visit::of(response.request()), SearchAddress::default(), error));
    Ok(match page {
        Some(page) => response.into_response(page).map_into_right_body(),
        None => response.map_into_left_body(),
    })
}

fn of(visit: &Visit, address: SearchAddress, error: &Error) -> HttpResponse {
    let words = visit.words();
    let Failure { title, cure } = failure(words, error);
    let cure = match error {
        Error::OverShare { .. } => fill(cure, &[&visit.language.duration(1e3)]),
        Error::Rate { retry_after } => fill(cure, &[&visit.language.duration(*retry_after as f64 * 1e3)]),
        Error::Timeout { seconds } => fill(cure, &[&visit.language.duration(*seconds as f64 * 1e3)]),
        _ => cure.to_string(),
    };
    // What exactly was wrong with a request is known in English alone, and only there it says more than the title.
    let is_of_request = matches!(error, Error::BadRequest { .. } | Error::OverLimit { .. } | Error::Request(_));
    let is_told = visit.language == Language::English && is_of_request;
    let waits = matches!(error, Error::Starting | Error::Upgrading(_) | Error::Busy | Error::Crowded { .. });
    let again = waits || matches!(error, Error::Rate { .. } | Error::Timeout { .. } | Error::Stopping);
    let main = html! {
        main #main.problem data-retry=[waits.then_some("2")] {
            h1 { (title) }
            @if is_told { p { (error.to_string()) } }
            p { (cure) }
            p.choices { @if again { a href=(visit.here) { (words.try_again) } } a href="/" { (words.go_home) } }
        }
    };
    let page = Page { visit, title: title.to_string(), class: "problem", address, main }.render();
    error.response().content_type("text/html; charset=utf-8").body(page)
}

/// A failure in a language of the page: one line for each kind.
fn failure(words: &Strings, error: &Error) -> Failure {
    match error {
        Error::NotFound { .. } => words.not_found,
        Error::Starting | Error::Upgrading(_) | Error::Storage(storage::Error::Reopening) => words.starting,
        Error::Stopping => words.stopping,
        Error::Busy | Error::Crowded { .. } | Error::Unwanted | Error::SourceBusy { .. } => words.busy,
        Error::Timeout { .. } => words.too_slow,
        Error::Rate { .. } | Error::OverShare { .. } => words.too_often,
        Error::NoKey { .. } => words.key_needed,
        Error::SignIn { .. } => words.sign_in_needed,
        Error::Identity => words.who_unknown,
        Error::Provider(ProviderError::Away(_)) => words.provider_away,
        Error::Provider(ProviderError::Stale) => words.sign_in_stale,
        Error::Provider(ProviderError::NotLetIn) => words.not_let_in,
        Error::Provider(ProviderError::TooManyGroups | ProviderError::NoGroups { .. }) => words.groups_unknown,
        Error::Directory(error) if error.is_away() => words.provider_away,
        Error::Directory(_) => words.groups_unknown,
        Error::Provider(_) => words.sign_in_refused,
        Error::BadKey { .. } => words.key_bad,
        Error::Scope { .. } => words.key_scope,
        Error::Follows => Failure { title: words.read_only, cure: words.follows_manage },
        Error::Host => words.unknown_host,
        Error::Origin => words.other_site,
        Error::Method { .. } => words.no_method,
        Error::OverLimit { .. } | Error::TooLarge { .. } | Error::Request(searcher::RequestError::OverLimit { .. }) => {
            words.too_much
        }
        Error::NoInsights => words.no_insights,
        Error::BadRequest { .. }
        | Error::Request(_)
        | Error::MediaType { .. }
        | Error::Packed { .. }
        | Error::TextTooLong { .. }
        | Error::TextWithoutMeaning { .. }
        | Error::Conflict { .. }
        | Error::JobFixed { .. }
        | Error::NotWhole { .. }
        | Error::FolderNotAllowed
        | Error::AddressNotAllowed
        | Error::Unreadable { .. } => words.bad_request,
        Error::Audit
        | Error::Unwritable(_)
        | Error::NotAlive(_)
        | Error::NoBackups
        | Error::NoReranker
        | Error::NoWriter
        | Error::Writing { .. }
        | Error::Search(_)
        | Error::Storage(_)
        | Error::Model(_)
        | Error::Index(_)
        | Error::Internal { .. } => words.error,
    }
}
