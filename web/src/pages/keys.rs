//! `/admin/keys`: the keys of programs, for administrators: made, shown once, and revoked.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::address::SearchAddress;
use super::hit::iso;
use super::layout::Page;
use super::problem;
use super::text::clean;
use super::visit::Visit;
use crate::app::App;
use crate::audit;
use crate::error::Error;
use crate::guard::{KeyFileError, KeyHolder, KeyRecord, NewKey, Scope};
use crate::jobs::now;
use crate::json::Form;

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;
/// Days that a key may be valid.
const MAX_DAYS: u32 = 3650;

/// A key, as it was filled in.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Entered {
    name: String,
    scope: String,
    days: String,
    user: String,
    groups: String,
    sources: String,
}

/// What the page says beside the keys.
enum Said {
    Nothing,
    /// A key was made: it is shown this once.
    Made(Box<NewKey>),
    /// It was not.
    Wrong(&'static str),
}

/// `GET /admin/keys`.
pub(super) async fn page(app: web::Data<App>, visit: Visit) -> HttpResponse {
    shown(&app, &visit, Said::Nothing).await
}

/// `POST /admin/keys`: the key is in the answer, and nowhere else.
pub(super) async fn make(app: web::Data<App>, visit: Visit, entered: Form<Entered>) -> HttpResponse {
    let words = visit.words();
    let Some((name, scopes, expires, holder)) = read(&entered.0) else {
        return shown(&app, &visit, Said::Wrong(words.key_wrong)).await;
    };
    let making = web::Data::clone(&app);
    // Hashing takes its time, by design.
    let made = tokio::task::spawn_blocking(move || making.keys.file().create(&name, scopes, expires, holder)).await;
    match made.map_err(Error::internal) {
        Ok(Ok(made)) => {
            note(&made.record);
            shown(&app, &visit, Said::Made(Box::new(made))).await
        }
        Ok(Err(KeyFileError::NoScope | KeyFileError::GroupsOfNobody | KeyFileError::LimitedAdmin)) => {
            shown(&app, &visit, Said::Wrong(words.key_wrong)).await
        }
        Ok(Err(error)) => failed(&visit, Error::internal(error)),
        Err(error) => failed(&visit, error),
    }
}

/// `POST /admin/keys/{id}/revoke`.
pub(super) async fn revoke(app: web::Data<App>, visit: Visit, id: web::Path<String>) -> HttpResponse {
    let (revoking, id) = (web::Data::clone(&app), id.into_inner());
    let revoked = tokio::task::spawn_blocking(move || revoking.keys.file().revoke(&id)).await;
    match revoked.map_err(Error::internal) {
        Ok(Ok(record)) => {
            note(&record);
            super::see_other("/admin/keys")
        }
        // It is not there, as was wished.
        Ok(Err(KeyFileError::Unknown { .. })) => {
            audit::refused();
            super::see_other("/admin/keys")
        }
        Ok(Err(error)) => failed(&visit, Error::internal(error)),
        Err(error) => failed(&visit, error),
    }
}

/// What the audit log says of a key.
fn note(record: &KeyRecord) {
    audit::about("key", record.id.as_str());
    audit::about("name", record.name.as_str());
    audit::about("scopes", scopes(record));
    let whom: Vec<&str> =
        record.holder.user.iter().chain(&record.holder.groups).map(storage::Principal::as_str).collect();
    audit::about("key_asks_as", whom.join(", "));
}

fn failed(visit: &Visit, error: Error) -> HttpResponse {
    problem::or(visit, &SearchAddress::default(), Err(error))
}

/// What was filled in, if it makes sense.
fn read(entered: &Entered) -> Option<(String, Vec<Scope>, Option<i64>, KeyHolder)> {
    let Entered { name, scope, days, user, groups, sources } = entered;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return None;
    }
    let scopes = match scope.as_str() {
        "search" => vec![Scope::Search],
        "index" => vec![Scope::Search, Scope::Index],
        "admin" => vec![Scope::Admin],
        _ => return None,
    };
    let expires = match days.trim() {
        "" => None,
        days => Some(now() + DAY * i64::from(days.parse::<u32>().ok().filter(|days| (1..=MAX_DAYS).contains(days))?)),
    };
    let listed = |text: &str| -> Vec<String> {
        text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    };
    let holder = KeyHolder::named(Some(user.trim()).filter(|user| !user.is_empty()), &listed(groups), &listed(sources));
    Some((name.to_owned(), scopes, expires, holder.ok()?))
}

async fn shown(app: &web::Data<App>, visit: &Visit, said: Said) -> HttpResponse {
    let reading = web::Data::clone(app);
    let records = tokio::task::spawn_blocking(move || reading.keys.file().records()).await;
    let records = match records.map_err(Error::internal).and_then(|records| records.map_err(Error::internal)) {
        Ok(records) => records,
        Err(error) => return failed(visit, error),
    };
    if matches!(said, Said::Wrong(_)) {
        audit::refused();
    }
    let words = visit.words();
    let main = html! {
        main #main.status {
            h1 { (words.api_keys) }
            p { a href="/admin" { (words.manage) } }
            @match &said {
                Said::Nothing => {}
                Said::Wrong(wrong) => { p.warn role="alert" { (wrong) } }
                Said::Made(made) => {
                    section aria-labelledby="made" {
                        h2 #made { (words.key_made) }
                        p role="status" { code { (made.key) } }
                        p { (words.key_once) }
                    }
                }
            }
            @if records.is_empty() { p.quiet { (words.key_none) } } @else { (table(visit, &records)) }
            (form(visit, records.is_empty()))
        }
    };
    Page { visit, title: words.api_keys.to_string(), class: "state", address: SearchAddress::default(), main }.respond()
}

fn scopes(record: &KeyRecord) -> String {
    record.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(", ")
}

fn table(visit: &Visit, records: &[KeyRecord]) -> Markup {
    let words = visit.words();
    html! {
        div.scroll tabindex="0" { table {
            thead { tr {
                @for column in [words.key_name, words.key_scopes, words.key_as, words.sources, words.state, words.actions] {
                    th scope="col" { (column) }
                }
            } }
            tbody { @for record in records.iter().rev() { (row(visit, record)) } }
        } }
    }
}

fn row(visit: &Visit, record: &KeyRecord) -> Markup {
    let words = visit.words();
    let holder = &record.holder;
    let whom: Vec<&str> = holder.user.iter().chain(&holder.groups).map(storage::Principal::as_str).collect();
    let is_valid = record.is_valid(visit.now);
    html! {
        tr {
            th scope="row" { bdi { (clean(&record.name)) } " " code { (record.id) } }
            td { (scopes(record)) }
            td { (clean(&whom.join(", "))) }
            td { @match &holder.sources { Some(sources) => (clean(&sources.join(", "))), None => (words.all) } }
            td {
                @if let Some(second) = record.revoked { (words.key_revoked) " " time datetime=(iso(second)) { (visit.language.ago(second, visit.now)) } }
                @else if is_valid { (words.key_valid) } @else { (words.key_expired) }
                @if let Some(second) = record.expires.filter(|_| is_valid) { " " time datetime=(iso(second)) { (words.key_until) " " (iso(second)) } }
            }
            td {
                @if is_valid {
                    form.filter action=(format!("/admin/keys/{}/revoke", record.id)) method="post" {
                        button type="submit" aria-label={ (words.key_revoke) ": " (clean(&record.name)) } { (words.key_revoke) }
                    }
                }
            }
        }
    }
}

fn form(visit: &Visit, is_first: bool) -> Markup {
    let words = visit.words();
    let text = |label: &str, name: &str| {
        html! { label { (label) input name=(name) maxlength="1000" autocapitalize="none" spellcheck="false"; } }
    };
    html! {
        section aria-labelledby="make" {
            h2 #make { (words.key_make) }
            @if is_first { p { (words.key_first) } }
            form.filter action="/admin/keys" method="post" {
                label { (words.key_name) input name="name" required maxlength="200" autocomplete="off"; }
                label { (words.key_scopes)
                    select name="scope" {
                        option value="search" { "search" } option value="index" { "search, index" } option value="admin" { "admin" }
                    }
                }
                label { (words.key_days) input name="days" inputmode="numeric" pattern="[0-9]*" maxlength="4"; }
                (text(words.key_user, "user"))
                (text(words.key_groups, "groups"))
                (text(words.key_sources, "sources"))
                button type="submit" { (words.key_make) }
            }
        }
    }
}
