//! `/admin`: what is indexed and what is being done, for administrators, with the buttons for both. Each button is a form,
//! and leads back to the page.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use storage::{AccessRule, Snapshot, SourceAccess};

use super::address::{SearchAddress, query_string};
use super::hit::iso;
use super::language::number;
use super::layout::Page;
use super::status::followed;
use super::strings::{Failure, fill};
use super::text::clean;
use super::visit::Visit;
use super::{job, problem};
use crate::api::sources::{self as api, SourceView};
use crate::app::App;
use crate::audit;
use crate::error::Error;
use crate::guard::Caller;
use crate::jobs::{Job, JobKind, JobState};
use crate::json::{Form, Params};
use crate::writer::{Deletions, Following, Look, Writer};

/// Jobs that are shown.
const JOBS: usize = 25;

/// What the last button led to.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// Code of what was wrong.
    told: String,
}

/// A folder or an address, as it was filled in.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Entered {
    name: String,
    folder: String,
}

/// Everything on the page.
struct State {
    sources: Vec<(SourceView, String)>,
    jobs: Vec<Job>,
    /// Folders in which sources may be added.
    allowed: Vec<String>,
    /// Addresses below which they may.
    addresses: Vec<String>,
    told: String,
    /// Where backups go, and when the last was made, in seconds of Unix time.
    backups: Option<(String, Option<i64>)>,
    /// The backup that is searched, in a server that takes no changes.
    following: Option<Following>,
}

/// `GET /admin`.
pub(super) async fn page(app: web::Data<App>, visit: Visit, caller: Caller, asked: Params<Asked>) -> HttpResponse {
    let told = asked.0.told;
    let allowed = app.config.index.allow_folders.iter().map(|folder| folder.display().to_string()).collect();
    let addresses = app.config.index.allow_addresses.clone();
    let jobs = app.jobs.seen_by(&caller);
    let last = app.engine().ok().and_then(|engine| engine.writer.last_backup());
    let following = app.engine().ok().and_then(|engine| engine.writer.following());
    let backups = app.config.backup.destination().map(|place| (place.display().to_string(), last));
    let read = app.into_inner().compute(move |_, engine| {
        let snapshot = engine.snapshot();
        let views = api::views(engine, &*engine.view(&caller)?, true).into_iter();
        Ok(views.map(|view| (who(&snapshot, &view.name), view)).map(|(who, view)| (view, who)).collect())
    });
    let state = read.await.map(|sources| State { sources, jobs, allowed, addresses, told, backups, following });
    problem::or(&visit, &SearchAddress::default(), state.map(|state| shown(&visit, &state)))
}

/// Who may see a source, by its rules.
fn who(snapshot: &Snapshot, source: &str) -> String {
    let rules = snapshot.source_access(source).map(SourceAccess::rules).unwrap_or_default().iter();
    let rule = |rule: &AccessRule| {
        let lists: Vec<String> = rule.access.lists().map(|list| list.entries().join(", ")).collect();
        let paths = rule.paths.as_ref().map(|paths| format!("{paths}: ")).unwrap_or_default();
        format!("{paths}{}", lists.join(" + "))
    };
    rules.map(rule).collect::<Vec<_>>().join("; ")
}

/// `POST /admin/sources`.
pub(super) async fn add(app: web::Data<App>, caller: Caller, entered: Form<Entered>) -> HttpResponse {
    let Entered { name, folder } = entered.0;
    let (name, folder) = (name.trim().to_owned(), folder.trim().to_owned());
    if connect::Settings::is_address(&folder) {
        let from = connect::Settings::at(folder);
        let name = if name.is_empty() { from.usual_name() } else { name };
        return back(api::accept_place(&app, &caller, name, from).await.map(drop));
    }
    let named = std::path::Path::new(&folder).file_name().map(|name| name.to_string_lossy().into_owned());
    let name = Some(name).filter(|name| !name.is_empty()).or(named).unwrap_or_default();
    back(api::accept(&app, &caller, name, &folder, None).await.map(drop))
}

/// `POST /admin/sources/{name}/index`.
pub(super) async fn index(app: web::Data<App>, caller: Caller, name: web::Path<String>) -> HttpResponse {
    look(&app, &caller, &name, Deletions::Guarded).await
}

/// `POST /admin/sources/{name}/accept-deletions`.
pub(super) async fn accept_deletions(app: web::Data<App>, caller: Caller, name: web::Path<String>) -> HttpResponse {
    look(&app, &caller, &name, Deletions::Confirmed).await
}

async fn look(app: &web::Data<App>, caller: &Caller, name: &str, deletions: Deletions) -> HttpResponse {
    let look = Look { deletions, by_content: false };
    let asked = async {
        let source = app.engine()?.source_for(caller, name)?;
        api::on_disk(app, caller, move |writer| writer.index(source, look)).await
    };
    back(asked.await.map(drop))
}

/// `POST /admin/sources/{name}/remove`.
pub(super) async fn remove(app: web::Data<App>, caller: Caller, name: web::Path<String>) -> HttpResponse {
    let asked = async {
        let source = app.engine()?.source_for(&caller, &name)?;
        api::on_disk(&app, &caller, move |writer| writer.remove(source)).await
    };
    back(asked.await.map(drop))
}

/// `POST /admin/verify`.
pub(super) async fn verify(app: web::Data<App>, caller: Caller) -> HttpResponse {
    back(api::on_disk(&app, &caller, Writer::verify).await.map(drop))
}

/// `POST /admin/compact`.
pub(super) async fn compact(app: web::Data<App>, caller: Caller) -> HttpResponse {
    back(api::on_disk(&app, &caller, Writer::compact).await.map(drop))
}

/// `POST /admin/backup`.
pub(super) async fn back_up(app: web::Data<App>, caller: Caller) -> HttpResponse {
    back(api::on_disk(&app, &caller, |writer| writer.back_up(None, None)).await.map(drop))
}

/// `POST /admin/jobs/{id}/cancel`.
pub(super) async fn cancel(app: web::Data<App>, id: web::Path<String>) -> HttpResponse {
    tell(&app, &id, Writer::cancel).await
}

/// `POST /admin/jobs/{id}/pause`.
pub(super) async fn pause(app: web::Data<App>, id: web::Path<String>) -> HttpResponse {
    tell(&app, &id, Writer::pause).await
}

/// `POST /admin/jobs/{id}/resume`.
pub(super) async fn resume(app: web::Data<App>, id: web::Path<String>) -> HttpResponse {
    tell(&app, &id, Writer::resume).await
}

async fn tell(
    app: &web::Data<App>,
    id: &str,
    ask: impl FnOnce(&Writer, u64) -> Result<(), Error> + Send + 'static,
) -> HttpResponse {
    let Ok(job) = id.parse() else { return back(Err(Error::NotFound { what: "the job" })) };
    let asking = web::Data::clone(app);
    let asked = tokio::task::spawn_blocking(move || ask(&asking.engine()?.writer, job));
    back(asked.await.map_err(Error::internal).and_then(|asked| asked))
}

/// Back to the page, which says what was wrong.
fn back(done: Result<(), Error>) -> HttpResponse {
    match done {
        Ok(()) => super::see_other("/admin"),
        Err(error) => {
            error.log();
            audit::refused();
            super::see_other(&format!("/admin?{}", query_string(&[("told", error.code())])))
        }
    }
}

fn shown(visit: &Visit, state: &State) -> HttpResponse {
    let words = visit.words();
    let is_busy = state.jobs.iter().any(|job| matches!(job.state, JobState::Queued | JobState::Running));
    let main = html! {
        main #main.status {
            h1 { (words.manage) }
            @match &state.following {
                Some(following) => { (followed(visit, following)) p { (words.follows_manage) } }
                None => p { a href="/admin/keys" { (words.api_keys) } " · " a href="/admin/users" { (words.users) } },
            }
            p { a href="/admin/guidance" { (words.guidance) } " · " a href="/admin/server" { (words.inside) } }
            @if !state.told.is_empty() { (told(visit, &state.told)) }
            div #live data-busy[is_busy] {
                section aria-labelledby="sources" {
                    h2 #sources { (words.sources) }
                    @if state.sources.is_empty() { p { (words.no_sources) } } @else { (sources(visit, state)) }
                }
                section aria-labelledby="jobs" {
                    h2 #jobs { (words.jobs) }
                    @if state.jobs.is_empty() { p.quiet { (words.idle) } } @else { (jobs(visit, state)) }
                }
            }
            @if state.following.is_none() { (adding(visit, state)) (upkeep(visit, state)) }
        }
    };
    Page { visit, title: words.manage.to_string(), class: "state", address: SearchAddress::default(), main }.respond()
}

/// Backups, and checks of the index.
fn upkeep(visit: &Visit, state: &State) -> Markup {
    let words = visit.words();
    html! {
        section aria-labelledby="backups" {
            h2 #backups { (words.backups) }
            @match &state.backups {
                None => p { (words.backups_none) },
                Some((place, last)) => {
                    p { (fill(words.backups_to, &[place])) " "
                        @match last {
                            Some(second) => (fill(words.backups_last, &[&visit.language.ago(*second, visit.now)])),
                            None => (words.backups_never),
                        }
                    }
                    form.filter action="/admin/backup" method="post" { button type="submit" { (words.back_up) } }
                }
            }
        }
        section aria-labelledby="check" {
            h2 #check { (words.check_index) }
            p { (words.check_intro) }
            form.filter action="/admin/verify" method="post" { button type="submit" { (words.check_index) } }
            p { (words.compact_intro) }
            form.filter action="/admin/compact" method="post" { button type="submit" { (words.compact) } }
        }
    }
}

/// What was wrong with what the last button asked for.
fn told(visit: &Visit, code: &str) -> Markup {
    let words = visit.words();
    let Failure { title, cure } = match code {
        "folder-not-allowed" => words.folder_not_allowed,
        "address-not-allowed" => words.address_not_allowed,
        "conflict" | "bad-request" => words.name_taken,
        "job-fixed" => words.job_fixed,
        "not-found" => words.not_found,
        "stopping" => words.stopping,
        _ => words.error,
    };
    html! { p.warn role="alert" { b { (title) } " " (cure) } }
}

fn sources(visit: &Visit, state: &State) -> Markup {
    let (words, is_ours) = (visit.words(), state.following.is_none());
    html! {
        div.scroll tabindex="0" { table {
            thead { tr {
                @for column in [words.source, words.folder, words.who_sees, words.last_run, words.actions] { th scope="col" { (column) } }
            } }
            tbody { @for (source, who) in &state.sources { (source_row(visit, source, who, is_ours)) } }
        } }
    }
}

fn source_row(visit: &Visit, source: &SourceView, who: &str, is_ours: bool) -> Markup {
    let words = visit.words();
    let sure = if source.pushed { words.remove_pushed } else { words.remove_sure };
    let address = |what: &str| format!("/admin/sources/{}/{what}", crate::running::address_segment(&source.name));
    html! {
        tr {
            th scope="row" { bdi { (clean(&source.name)) } }
            td {
                @if source.pushed { (words.pushed) } @else {
                    code { (clean(source.address.as_ref().or(source.folder.as_ref()).map(String::as_str).unwrap_or_default())) }
                }
                @if let Some(trouble) = &source.trouble { p.warn { (words.not_fetched) ": " (clean(trouble)) } }
            }
            td { @if who.is_empty() { (words.visible_to_all) } @else { (clean(who)) } }
            td { @match source.last_run {
                Some(second) => time datetime=(iso(second)) { (visit.language.ago(second, visit.now)) },
                None => (words.never_run),
            } }
            td { @if is_ours {
                (button(&address("index"), words.look_through, &source.name))
                details { summary { (words.more_actions) }
                    p { (words.deletions_intro) }
                    (button(&address("accept-deletions"), words.deletions_accept, &source.name))
                    p { (sure) }
                    (button(&address("remove"), words.remove, &source.name))
                }
            } }
        }
    }
}

/// A button that does something to what is named, which readers of the screen are told too.
fn button(address: &str, text: &str, about: &str) -> Markup {
    html! { form.filter action=(address) method="post" { button type="submit" aria-label={ (text) ": " (clean(about)) } { (text) } } }
}

fn jobs(visit: &Visit, state: &State) -> Markup {
    let words = visit.words();
    html! {
        div.scroll tabindex="0" { table {
            thead { tr {
                @for column in [words.job, words.source, words.state, words.progress, words.actions] { th scope="col" { (column) } }
            } }
            tbody { @for job in state.jobs.iter().take(JOBS) { (job_row(visit, job)) } }
        } }
    }
}

fn job_row(visit: &Visit, job: &Job) -> Markup {
    let words = visit.words();
    let kind = job::kind(words, job);
    let address = |what: &str| format!("/admin/jobs/{}/{what}", job.id);
    let about = format!("{kind} {}", job.source);
    let is_pass = matches!(job.kind, JobKind::Index | JobKind::Verify);
    let waits = matches!(job.state, JobState::Queued | JobState::Running);
    html! {
        tr {
            th scope="row" { (kind) " " span.quiet { (visit.language.ago(job.created, visit.now)) } }
            td { bdi { (clean(&job.source)) } }
            td { (job::state(words, job)) }
            td { (how_far(visit, job)) }
            td {
                @if waits && (is_pass || job.kind == JobKind::Embed) { (button(&address("pause"), words.pause, &about)) }
                @if job.state == JobState::Paused { (button(&address("resume"), words.resume, &about)) }
                @if is_pass && (waits || job.state == JobState::Paused) { (button(&address("cancel"), words.cancel, &about)) }
            }
        }
    }
}

/// What came of a job, or how far it is.
fn how_far(visit: &Visit, job: &Job) -> Markup {
    let words = visit.words();
    if let Some(said) = job.error.as_ref().or(job.outcome.as_ref()).or(job.waiting_for.as_ref()) {
        return html! { (clean(said)) };
    }
    let left = job.progress.seconds_left.map(|seconds| visit.language.duration(seconds * 1e3));
    html! {
        @if let Some((done, all)) = job::share(job) { (fill("{} / {}", &[&number(done), &number(all)])) }
        @if let Some(left) = left { ", " (words.time_left) ": " (left) }
    }
}

fn adding(visit: &Visit, state: &State) -> Markup {
    let (words, State { allowed, addresses, .. }) = (visit.words(), state);
    html! {
        section aria-labelledby="add" {
            h2 #add { (words.add_folder) }
            @if allowed.is_empty() && addresses.is_empty() { p { (words.add_none) } } @else {
                @if !allowed.is_empty() { p { (fill(words.add_allowed, &[&allowed.join(", ")])) } }
                @if !addresses.is_empty() { p { (fill(words.add_addresses, &[&addresses.join(", ")])) } }
                form.filter action="/admin/sources" method="post" {
                    label { (words.add_where) input name="folder" required maxlength="4000" autocapitalize="none" spellcheck="false"; }
                    label { (words.add_name) input name="name" maxlength="200" autocapitalize="none" spellcheck="false"; }
                    button type="submit" { (words.add_do) }
                }
            }
        }
    }
}
