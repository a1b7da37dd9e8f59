//! `/sign-in` and `/sign-out`: who somebody is, by the identity provider, or by name and password. It works without scripts.
//!
//! Promise: whoever signs in is led to a page of this server, whatever the address said.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::html;
use serde::Deserialize;

use super::address::{SearchAddress, query_string};
use super::layout::Page;
use super::preferences::local;
use super::problem;
use super::strings::fill;
use super::visit::Visit;
use crate::app::App;
use crate::error::Error;
use crate::identity::{self, Answer, Farewell, Refused, Way};
use crate::json::{Form, Params};

/// Where to go on.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    back: String,
}

/// What somebody has filled in.
#[derive(Deserialize)]
pub(super) struct Entered {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    back: String,
}

/// The page to sign in, from which is gone on to another one.
pub(crate) fn sign_in_address(back: &str) -> String {
    format!("/sign-in?{}", query_string(&[("back", local(back))]))
}

/// `GET /sign-in`.
pub(super) async fn page(
    app: web::Data<App>,
    visit: Visit,
    request: HttpRequest,
    asked: Params<Asked>,
) -> HttpResponse {
    if !app.has_sign_in() {
        return problem::or(&visit, &SearchAddress::default(), Err(Error::NotFound { what: "a page to sign in" }));
    }
    match identity::session_visitor(&app, &request).await {
        Ok(Some(_)) => super::see_other(local(&asked.back)),
        Ok(None) => form(&app, &visit, "", &asked.back, None).respond(),
        Err(error) => problem::or(&visit, &SearchAddress::default(), Err(error)),
    }
}

/// `GET /sign-in/provider`: the way to the provider.
pub(super) async fn depart(
    app: web::Data<App>,
    visit: Visit,
    request: HttpRequest,
    asked: Params<Asked>,
) -> HttpResponse {
    let way = identity::depart(&app, &request, local(&asked.back).to_owned()).await;
    problem::or(&visit, &SearchAddress::default(), way.map(onto))
}

/// `GET /sign-in/callback`: the way back.
pub(super) async fn arrive(
    app: web::Data<App>,
    visit: Visit,
    request: HttpRequest,
    answer: Params<Answer>,
) -> HttpResponse {
    let way = identity::arrive(&app, &request, answer.0).await;
    problem::or(&visit, &SearchAddress::default(), way.map(onto))
}

fn onto(way: Way) -> HttpResponse {
    let mut response = super::see_other(&way.place);
    for cookie in way.cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// `POST /sign-in`.
pub(super) async fn sign_in(
    app: web::Data<App>,
    visit: Visit,
    request: HttpRequest,
    entered: Form<Entered>,
) -> HttpResponse {
    let Entered { name, password, back } = entered.0;
    match identity::sign_in(&app, &request, name.clone(), password).await {
        Ok(cookie) => {
            let mut response = super::see_other(local(&back));
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
        }
        Err(Refused::Wrong) => {
            let page = form(&app, &visit, &name, &back, Some(visit.words().sign_in_wrong)).render();
            // No challenge: a browser would put a window of its own before the page.
            HttpResponse::build(StatusCode::UNPROCESSABLE_ENTITY).content_type("text/html; charset=utf-8").body(page)
        }
        Err(Refused::Because(error)) => problem::or(&visit, &SearchAddress::default(), Err(error)),
    }
}

/// `POST /sign-out`.
pub(super) async fn sign_out(app: web::Data<App>, visit: Visit, request: HttpRequest) -> HttpResponse {
    match identity::sign_out(&app, &request).await {
        Ok(Farewell { cookie, onward }) => {
            let mut response =
                onward.map_or_else(|| super::see_other("/sign-in"), |place| farewell(&app, &visit, &place));
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
        }
        Err(error) => problem::or(&visit, &SearchAddress::default(), Err(error)),
    }
}

/// Says that somebody is signed out here, and leads on to the provider. By a form nobody may be sent to another place
/// (`form-action`): the page does that.
fn farewell(app: &App, visit: &Visit, place: &str) -> HttpResponse {
    let words = visit.words();
    let onward = fill(words.signed_out_onward, &[&app.config.auth.oidc.label()]);
    let main = html! {
        main #main.problem { h1 { (words.signed_out) } p.choices { a href=(place) rel="noreferrer" { (onward) } } }
    };
    let title = words.signed_out.to_string();
    let page = Page { visit, title, class: "home", address: SearchAddress::default(), main };
    let mut response = HttpResponse::Ok();
    response.insert_header(("refresh", format!("0; url={place}")));
    response.content_type("text/html; charset=utf-8").body(page.render())
}

fn form<'a>(app: &App, visit: &'a Visit, name: &str, back: &str, wrong: Option<&str>) -> Page<'a> {
    let words = visit.words();
    let oidc = &app.config.auth.oidc;
    let has_passwords = app.config.auth.local_sign_in && app.people.are_required();
    let main = html! {
        main #main.problem {
            h1 { (words.sign_in) }
            @if oidc.is_on() {
                p.choices {
                    a #provider href={ "/sign-in/provider?" (query_string(&[("back", local(back))])) } {
                        (fill(words.sign_in_by, &[&oidc.label()]))
                    }
                }
            }
            @if has_passwords { form.filter action="/sign-in" method="post" {
                @if let Some(wrong) = wrong { p.warn #wrong role="alert" { (wrong) } }
                input type="hidden" name="back" value=(local(back));
                label { (words.sign_in_name)
                    input name="name" value=(name) required autocomplete="username" autocapitalize="none" spellcheck="false"
                        maxlength="100" autofocus[wrong.is_none()] aria-describedby=[wrong.map(|_| "wrong")];
                }
                label { (words.sign_in_password)
                    input type="password" name="password" required autocomplete="current-password" maxlength="200"
                        autofocus[wrong.is_some()] aria-describedby=[wrong.map(|_| "wrong")];
                }
                button type="submit" { (words.sign_in) }
            } }
        }
    };
    Page { visit, title: words.sign_in.to_string(), class: "home", address: SearchAddress::default(), main }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_a_path_of_ours() {
        assert_eq!(sign_in_address("/search?q=a b&x"), "/sign-in?back=%2F");
        assert_eq!(sign_in_address("/search?q=a%20b"), "/sign-in?back=%2Fsearch%3Fq%3Da%2520b");
        assert_eq!(sign_in_address("//evil.example"), "/sign-in?back=%2F");
    }
}
