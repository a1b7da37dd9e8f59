//! `/set-up`: the first administrator of a server, made by whoever has the link that it said at its start.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use maud::html;
use serde::Deserialize;
use storage::chain;

use super::address::SearchAddress;
use super::layout::Page;
use super::problem;
use super::strings::{Failure, Strings};
use super::visit::Visit;
use crate::app::App;
use crate::error::Error;
use crate::identity::{self, NotMade, UserFileError};
use crate::jobs::now;
use crate::json::{Form, Params};

/// The token of the link.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    token: String,
}

/// What somebody has filled in.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Entered {
    token: String,
    name: String,
    password: String,
    again: String,
}

fn nothing(visit: &Visit) -> HttpResponse {
    let Failure { title, cure } = visit.words().set_up_gone;
    let main = html! { main #main.problem { h1 { (title) } p { (cure) } } };
    let page = Page { visit, title: title.to_string(), class: "home", address: SearchAddress::default(), main };
    HttpResponse::Gone().content_type("text/html; charset=utf-8").body(page.render())
}

/// Whether this is the token, and nobody has made keys or users meanwhile in another way.
fn is_good(app: &App, token: &str) -> bool {
    app.set_up.is_good(token, now()) && !app.people.are_required() && !app.keys.are_required()
}

/// `GET /set-up`.
pub(super) async fn page(app: web::Data<App>, visit: Visit, asked: Params<Asked>) -> HttpResponse {
    if !is_good(&app, &asked.token) {
        return nothing(&visit);
    }
    form(&visit, &asked.token, "", None).respond()
}

/// `POST /set-up`.
pub(super) async fn set_up(
    app: web::Data<App>,
    visit: Visit,
    request: HttpRequest,
    entered: Form<Entered>,
) -> HttpResponse {
    let Entered { token, name, password, again } = entered.0;
    let words = visit.words();
    if !is_good(&app, &token) {
        return nothing(&visit);
    }
    if password != again {
        return again_with(&visit, &token, &name, words.set_up_differ);
    }
    let Some(taken) = app.set_up.take(&token, now()) else { return nothing(&visit) };
    match identity::first_administrator(&app, &request, name.clone(), password).await {
        Ok(cookie) => {
            let mut response = super::see_other("/");
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
        }
        Err(error) => {
            app.set_up.give_back(taken);
            match error {
                NotMade::Users(error) => match told(words, &error) {
                    Some(wrong) => again_with(&visit, &token, &name, wrong),
                    None => failed(&visit, Error::internal(chain(&error))),
                },
                NotMade::Because(error) => failed(&visit, error),
            }
        }
    }
}

fn failed(visit: &Visit, error: Error) -> HttpResponse {
    problem::or(visit, &SearchAddress::default(), Err(error))
}

fn again_with(visit: &Visit, token: &str, name: &str, wrong: &str) -> HttpResponse {
    let page = form(visit, token, name, Some(wrong)).render();
    HttpResponse::build(StatusCode::UNPROCESSABLE_ENTITY).content_type("text/html; charset=utf-8").body(page)
}

/// What is wrong with a name or a password, for the one who has entered it.
fn told(words: &'static Strings, error: &UserFileError) -> Option<&'static str> {
    match error {
        UserFileError::Name { .. } | UserFileError::Taken { .. } => Some(words.set_up_name),
        UserFileError::Length { .. } | UserFileError::PasswordIsName => Some(words.set_up_password),
        _ => None,
    }
}

fn form<'a>(visit: &'a Visit, token: &str, name: &str, wrong: Option<&str>) -> Page<'a> {
    let words = visit.words();
    let password = |label: &str, name: &str| {
        html! { label { (label) input type="password" name=(name) required autocomplete="new-password" maxlength="200"; } }
    };
    let main = html! {
        main #main.problem {
            h1 { (words.set_up) }
            p { (words.set_up_intro) }
            form.filter action="/set-up" method="post" {
                @if let Some(wrong) = wrong { p.warn role="alert" { (wrong) } }
                input type="hidden" name="token" value=(token);
                label { (words.sign_in_name)
                    input name="name" value=(name) required autocomplete="username" autocapitalize="none" spellcheck="false"
                        maxlength="100" autofocus;
                }
                (password(words.sign_in_password, "password"))
                (password(words.set_up_again, "again"))
                button type="submit" { (words.set_up_do) }
            }
        }
    };
    Page { visit, title: words.set_up.to_string(), class: "home", address: SearchAddress::default(), main }
}
