//! `/admin/users`: the people who sign in with a password, for administrators: added, changed, disabled and removed.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use storage::{Principal, PrincipalKind};

use super::address::SearchAddress;
use super::hit::iso;
use super::layout::Page;
use super::problem;
use super::text::clean;
use super::visit::Visit;
use crate::app::App;
use crate::audit;
use crate::error::Error;
use crate::guard::{Caller, Scope};
use crate::identity::{UserFile, UserFileError, UserRecord, user_name};
use crate::jobs::now;
use crate::json::Form;
use crate::running::address_segment;

/// Somebody, as they were filled in.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Entered {
    name: String,
    password: String,
    role: String,
    groups: String,
}

/// `GET /admin/users`.
pub(super) async fn page(app: web::Data<App>, visit: Visit) -> HttpResponse {
    shown(&app, &visit, None).await
}

/// `POST /admin/users`.
pub(super) async fn add(app: web::Data<App>, visit: Visit, entered: Form<Entered>) -> HttpResponse {
    let Entered { name, password, role, groups } = entered.0;
    let Some(scopes) = scopes_of(&role) else { return wrong(&app, &visit).await };
    // From the first one on, whoever is here now is let in as nobody any more.
    if app.is_open() && !scopes.contains(&Scope::Admin) {
        return oneself(&app, &visit).await;
    }
    change(&app, &visit, move |users| users.add(name.trim(), &password, scopes, &listed(&groups))).await
}

/// `POST /admin/users/{name}`: what they may do, and in which groups they are.
pub(super) async fn set(
    app: web::Data<App>,
    visit: Visit,
    caller: Caller,
    name: web::Path<String>,
    entered: Form<Entered>,
) -> HttpResponse {
    let (name, Entered { role, groups, .. }) = (name.into_inner(), entered.0);
    let Some(scopes) = scopes_of(&role) else { return wrong(&app, &visit).await };
    if !scopes.contains(&Scope::Admin) && is_oneself(&caller, &name) {
        return oneself(&app, &visit).await;
    }
    change(&app, &visit, move |users| users.set(&name, scopes, &listed(&groups))).await
}

/// `POST /admin/users/{name}/password`.
pub(super) async fn password(
    app: web::Data<App>,
    visit: Visit,
    name: web::Path<String>,
    entered: Form<Entered>,
) -> HttpResponse {
    change(&app, &visit, move |users| users.set_password(&name, &entered.0.password)).await
}

/// `POST /admin/users/{name}/disable`.
pub(super) async fn disable(
    app: web::Data<App>,
    visit: Visit,
    caller: Caller,
    name: web::Path<String>,
) -> HttpResponse {
    if is_oneself(&caller, &name) {
        return oneself(&app, &visit).await;
    }
    change(&app, &visit, move |users| users.set_disabled(&name, Some(now()))).await
}

/// `POST /admin/users/{name}/enable`.
pub(super) async fn enable(app: web::Data<App>, visit: Visit, name: web::Path<String>) -> HttpResponse {
    change(&app, &visit, move |users| users.set_disabled(&name, None)).await
}

/// `POST /admin/users/{name}/remove`.
pub(super) async fn remove(app: web::Data<App>, visit: Visit, caller: Caller, name: web::Path<String>) -> HttpResponse {
    if is_oneself(&caller, &name) {
        return oneself(&app, &visit).await;
    }
    change(&app, &visit, move |users| users.remove(&name)).await
}

/// Whether somebody would take from themselves what they need to give it back.
fn is_oneself(caller: &Caller, name: &str) -> bool {
    let named = user_name(name).ok().and_then(|name| Principal::named(PrincipalKind::User, &name).ok());
    named.is_some_and(|name| caller.principals.iter().any(|known| *known == name))
}

fn scopes_of(role: &str) -> Option<Vec<Scope>> {
    match role {
        "search" => Some(vec![Scope::Search]),
        "admin" => Some(vec![Scope::Admin]),
        _ => None,
    }
}

/// Groups between commas.
fn listed(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Changes somebody, and leads back to the page, or says there why not.
async fn change(
    app: &web::Data<App>,
    visit: &Visit,
    change: impl FnOnce(&UserFile) -> Result<UserRecord, UserFileError> + Send + 'static,
) -> HttpResponse {
    use UserFileError::{Group, Length, Name, PasswordIsName, Taken, Unknown};
    let changing = web::Data::clone(app);
    // Hashing takes its time, by design.
    let changed = tokio::task::spawn_blocking(move || change(changing.people.file())).await;
    match changed.map_err(Error::internal) {
        Ok(Ok(user)) => {
            note(&user);
            super::see_other("/admin/users")
        }
        // They are not there, as was wished, or as somebody else did.
        Ok(Err(Unknown { .. })) => {
            audit::refused();
            super::see_other("/admin/users")
        }
        Ok(Err(Taken { .. } | Name { .. } | Group { .. } | Length { .. } | PasswordIsName)) => wrong(app, visit).await,
        Ok(Err(error)) => failed(visit, Error::internal(error)),
        Err(error) => failed(visit, error),
    }
}

/// What the audit log says of somebody.
fn note(user: &UserRecord) {
    audit::about("user", user.name.as_str());
    audit::about("scopes", scopes(user));
    audit::about("groups", groups(user));
}

async fn wrong(app: &web::Data<App>, visit: &Visit) -> HttpResponse {
    shown(app, visit, Some(visit.words().user_wrong)).await
}

async fn oneself(app: &web::Data<App>, visit: &Visit) -> HttpResponse {
    shown(app, visit, Some(visit.words().user_self)).await
}

fn failed(visit: &Visit, error: Error) -> HttpResponse {
    problem::or(visit, &SearchAddress::default(), Err(error))
}

fn scopes(user: &UserRecord) -> String {
    user.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(", ")
}

fn groups(user: &UserRecord) -> String {
    user.groups.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

async fn shown(app: &web::Data<App>, visit: &Visit, wrong: Option<&'static str>) -> HttpResponse {
    let reading = web::Data::clone(app);
    let records = tokio::task::spawn_blocking(move || reading.people.file().records()).await;
    let records = match records.map_err(Error::internal).and_then(|records| records.map_err(Error::internal)) {
        Ok(records) => records,
        Err(error) => return failed(visit, error),
    };
    if wrong.is_some() {
        audit::refused();
    }
    let words = visit.words();
    // Where backups are followed, they say who there is.
    let is_ours = app.config.follow.place().is_none();
    let main = html! {
        main #main.status {
            h1 { (words.users) }
            p { a href="/admin" { (words.manage) } }
            @if let Some(wrong) = wrong { p.warn role="alert" { (wrong) } }
            @if records.is_empty() { p.quiet { (words.user_none) } } @else { (table(visit, &records, is_ours)) }
            @if is_ours { (form(visit, records.is_empty())) } @else { p { (words.follows_manage) } }
        }
    };
    Page { visit, title: words.users.to_string(), class: "state", address: SearchAddress::default(), main }.respond()
}

fn table(visit: &Visit, records: &[UserRecord], is_ours: bool) -> Markup {
    let words = visit.words();
    html! {
        div.scroll tabindex="0" { table {
            thead { tr {
                @for column in [words.key_name, words.key_scopes, words.user_groups, words.state, words.actions] {
                    th scope="col" { (column) }
                }
            } }
            tbody { @for user in records { (row(visit, user, is_ours)) } }
        } }
    }
}

fn row(visit: &Visit, user: &UserRecord, is_ours: bool) -> Markup {
    let words = visit.words();
    html! {
        tr {
            th scope="row" { bdi { (clean(&user.name)) } }
            td { (scopes(user)) }
            td { (clean(&groups(user))) }
            td {
                @match user.disabled {
                    None => (words.user_able),
                    Some(second) => { (words.user_disabled) " " time datetime=(iso(second)) { (visit.language.ago(second, visit.now)) } }
                }
            }
            td { @if is_ours { (actions(visit, user)) } }
        }
    }
}

fn actions(visit: &Visit, user: &UserRecord) -> Markup {
    let words = visit.words();
    let place = format!("/admin/users/{}", address_segment(&user.name));
    let about = |text: &str| format!("{text}: {}", clean(&user.name));
    let button = |what: &str, text: &str| {
        html! { form.filter action={ (place) "/" (what) } method="post" { button type="submit" aria-label=(about(text)) { (text) } } }
    };
    let is_admin = user.scopes.contains(&Scope::Admin);
    html! {
        details { summary { (words.more_actions) }
            form.filter action=(place) method="post" {
                (role(visit, is_admin))
                label { (words.key_groups) input name="groups" value=(clean(&groups(user))) maxlength="1000" autocapitalize="none" spellcheck="false"; }
                button type="submit" aria-label=(about(words.user_save)) { (words.user_save) }
            }
            form.filter action={ (place) "/password" } method="post" {
                label { (words.user_password) input type="password" name="password" required minlength="10" maxlength="200" autocomplete="new-password"; }
                button type="submit" aria-label=(about(words.user_new_password)) { (words.user_new_password) }
            }
            @match user.disabled {
                None => (button("disable", words.user_disable)),
                Some(_) => (button("enable", words.user_enable)),
            }
            (button("remove", words.remove))
        }
    }
}

fn role(visit: &Visit, is_admin: bool) -> Markup {
    let words = visit.words();
    html! {
        label { (words.key_scopes)
            select name="role" {
                option value="search" selected[!is_admin] { (words.user_search) }
                option value="admin" selected[is_admin] { (words.user_admin) }
            }
        }
    }
}

fn form(visit: &Visit, is_first: bool) -> Markup {
    let words = visit.words();
    html! {
        section aria-labelledby="add" {
            h2 #add { (words.user_add) }
            @if is_first { p { (words.user_first) } }
            form.filter action="/admin/users" method="post" {
                label { (words.key_name) input name="name" required maxlength="100" autocomplete="off" autocapitalize="none" spellcheck="false"; }
                label { (words.user_password) input type="password" name="password" required minlength="10" maxlength="200" autocomplete="new-password"; }
                (role(visit, is_first))
                label { (words.key_groups) input name="groups" maxlength="1000" autocapitalize="none" spellcheck="false"; }
                button type="submit" { (words.user_add) }
            }
        }
    }
}
