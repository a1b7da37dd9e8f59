//! `/admin/guidance`: the synonyms and the rules of the ranking, for administrators to write. What is saved is in force at once.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::address::SearchAddress;
use super::layout::Page;
use super::problem;
use super::strings::fill;
use super::text::clean;
use super::visit::Visit;
use crate::app::App;
use crate::audit;
use crate::error::Error;
use crate::guidance::{MAX_BYTES, Refusal, Subject, mark};
use crate::json::{Form, Params};

/// Bytes of a form with a whole file in it, each of which may take three there.
const FORM_BYTES: usize = 3 * MAX_BYTES + 1024;
/// Rows of the field.
const ROWS: usize = 12;
/// What an empty field shows.
const EXAMPLE_SYNONYMS: &str = "[both]\nPTO = [\"paid time off\", \"vacation\"]\n\n[one_way]\nlaptop = [\"notebook\"]";
const EXAMPLE_RULES: &str = "[[pin]]\nqueries = [\"vpn\"]\ndocuments = [\"handbook/it/vpn.md\"]\n\n[[boost]]\npaths = [\"archive/\"]\nfactor = 0.5";

/// What was just saved.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    saved: String,
}

/// A file, as it was filled in.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Entered {
    text: String,
    /// What tells the text that was changed.
    before: String,
}

/// A part of the page: a file with what is said of it.
struct Part {
    subject: Subject,
    path: String,
    text: String,
    before: String,
    said: Option<String>,
    /// Whether it can be changed here.
    is_open: bool,
}

/// What was entered and could not be saved.
struct Refused {
    subject: Subject,
    entered: Entered,
    refusal: Refusal,
}

/// `GET /admin/guidance`.
pub(super) async fn page(app: web::Data<App>, visit: Visit, asked: Params<Asked>) -> HttpResponse {
    let saved = [("synonyms", Subject::Synonyms), ("rules", Subject::Rules)];
    let saved = saved.into_iter().find(|(name, _)| *name == asked.saved).map(|(_, subject)| subject);
    shown(&app, &visit, saved, None).await
}

/// `POST /admin/guidance/synonyms`.
pub(super) async fn synonyms(app: web::Data<App>, visit: Visit, entered: Form<Entered, FORM_BYTES>) -> HttpResponse {
    save(&app, &visit, Subject::Synonyms, entered.0).await
}

/// `POST /admin/guidance/rules`.
pub(super) async fn rules(app: web::Data<App>, visit: Visit, entered: Form<Entered, FORM_BYTES>) -> HttpResponse {
    save(&app, &visit, Subject::Rules, entered.0).await
}

async fn save(app: &web::Data<App>, visit: &Visit, subject: Subject, entered: Entered) -> HttpResponse {
    if app.config.follow.place().is_some() {
        return problem::or(visit, &SearchAddress::default(), Err(Error::Follows));
    }
    // Forms end their lines as mail does.
    let text = entered.text.replace("\r\n", "\n");
    let (writing, before, written) = (web::Data::clone(app), entered.before.clone(), text.clone());
    let replaced = tokio::task::spawn_blocking(move || {
        Ok::<_, Error>(writing.engine()?.guidance.replace(subject, &before, written))
    });
    match replaced.await.map_err(Error::internal).and_then(|replaced| replaced) {
        Err(error) => problem::or(visit, &SearchAddress::default(), Err(error)),
        Ok(Ok(())) => super::see_other(match subject {
            Subject::Synonyms => "/admin/guidance?saved=synonyms",
            Subject::Rules => "/admin/guidance?saved=rules",
        }),
        Ok(Err(refusal)) => {
            audit::refused();
            let entered = Entered { text, ..entered };
            shown(app, visit, None, Some(Refused { subject, entered, refusal })).await
        }
    }
}

async fn shown(
    app: &web::Data<App>,
    visit: &Visit,
    saved: Option<Subject>,
    mut refused: Option<Refused>,
) -> HttpResponse {
    let reading = web::Data::clone(app);
    let read = tokio::task::spawn_blocking(move || {
        let desk = &reading.engine()?.guidance;
        let both = [Subject::Synonyms, Subject::Rules];
        Ok::<_, Error>(both.map(|subject| (subject, desk.path(subject).display().to_string(), desk.text(subject))))
    });
    let read = match read.await.map_err(Error::internal).and_then(|read| read) {
        Ok(read) => read,
        Err(error) => return problem::or(visit, &SearchAddress::default(), Err(error)),
    };
    let words = visit.words();
    let parts = read.map(|(subject, path, text)| {
        let refused = refused.take_if(|refused| refused.subject == subject);
        let said = saved.filter(|saved| *saved == subject).map(|_| words.guidance_saved.to_owned());
        match (text, refused) {
            (Err(refusal), _) => {
                let said = Some(why(visit, &refusal));
                Part { subject, path, text: String::new(), before: String::new(), said, is_open: false }
            }
            (Ok(_), Some(Refused { entered: Entered { text, before }, refusal, .. })) => {
                Part { subject, path, text, before, said: Some(why(visit, &refusal)), is_open: true }
            }
            (Ok(text), None) => Part { subject, path, before: mark(&text), text, said, is_open: true },
        }
    });
    // Where backups are followed, they bring it.
    let is_ours = app.config.follow.place().is_none();
    let main = html! {
        main #main.status {
            h1 { (words.guidance) }
            p { a href="/admin" { (words.manage) } }
            @if !is_ours { p { (words.follows_manage) } }
            @for part in &parts { (form(visit, part, is_ours)) }
        }
    };
    Page { visit, title: words.guidance.to_string(), class: "state", address: SearchAddress::default(), main }.respond()
}

fn why(visit: &Visit, refusal: &Refusal) -> String {
    let words = visit.words();
    match refusal {
        Refusal::Wrong(error) => fill(words.guidance_wrong, &[&storage::chain(error)]),
        Refusal::Changed => words.guidance_changed.to_owned(),
        Refusal::Large => words.guidance_large.to_owned(),
        Refusal::Disk(error) => fill(words.guidance_disk, &[&error.to_string()]),
    }
}

fn form(visit: &Visit, part: &Part, is_ours: bool) -> Markup {
    let words = visit.words();
    let (id, title, intro, example) = match part.subject {
        Subject::Synonyms => ("synonyms", words.guidance_synonyms, words.guidance_synonyms_intro, EXAMPLE_SYNONYMS),
        Subject::Rules => ("rules", words.guidance_rules, words.guidance_rules_intro, EXAMPLE_RULES),
    };
    html! {
        section aria-labelledby=(id) {
            h2 #(id) { (title) }
            p { (intro) }
            p.quiet { code { (clean(&part.path)) } }
            @if let Some(said) = &part.said { p.warn role="alert" { (clean(said)) } }
            @if part.is_open {
                form.filter action={ "/admin/guidance/" (id) } method="post" {
                    input type="hidden" name="before" value=(part.before);
                    textarea name="text" rows=(ROWS) placeholder=(example) aria-labelledby=(id) autocapitalize="none" autocomplete="off" spellcheck="false" readonly[!is_ours] {
                        // A browser leaves out the first line where it is empty.
                        "\n" (part.text)
                    }
                    @if is_ours { button type="submit" aria-label={ (words.user_save) ": " (title) } { (words.user_save) } }
                }
            }
        }
    }
}
