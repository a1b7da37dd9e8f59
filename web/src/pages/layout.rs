//! The layout that all pages share: head, search field, tools, foot.

use actix_web::HttpResponse;
use maud::{DOCTYPE, Markup, html};

use super::address::{SearchAddress, query_string};
use super::assets;
use super::icons::{Needs, icon, sprite};
use super::strings::fill;
use super::text::clean;
use super::visit::{Theme, Visit};

/// One page.
pub(super) struct Page<'a> {
    pub(super) visit: &'a Visit,
    /// What the window is called, before the name of the program.
    pub(super) title: String,
    /// Class of the page, for the styles.
    pub(super) class: &'static str,
    /// What stands in the search field, with the filters that a new search keeps.
    pub(super) address: SearchAddress,
    pub(super) main: Markup,
}

impl Page<'_> {
    /// The response with this page.
    pub(super) fn respond(self) -> HttpResponse {
        HttpResponse::Ok().content_type("text/html; charset=utf-8").body(self.render())
    }

    pub(super) fn render(&self) -> String {
        let visit = self.visit;
        let brand = &*visit.brand;
        let name = clean(&brand.name);
        let title = if self.title.is_empty() { name.to_string() } else { format!("{} · {name}", clean(&self.title)) };
        let logo = brand.logo_address();
        let body = self.body();
        // What is on other pages is put anew by scripts while something is going on.
        let needs = if self.class == "search" { Needs::Of(&body.0) } else { Needs::All };
        let page = html! {
            (DOCTYPE)
            html lang=(visit.language.tag()) data-theme=(visit.theme.name()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content=(scheme(visit.theme));
                    title { (title) }
                    @if self.class != "search" { link rel="stylesheet" href=(assets::address("rest.css")); }
                    link rel="stylesheet" href=(assets::address("page.css"));
                    @if let Some(style) = brand.style_address() { link rel="stylesheet" href=(style); }
                    @match &logo {
                        Some((address, media_type)) => { link rel="icon" type=(media_type) href=(address); }
                        None => { link rel="icon" type="image/svg+xml" href=(assets::address("favicon.svg")); }
                    }
                    link rel="search" type="application/opensearchdescription+xml" title=(name) href="/opensearch.xml";
                    script type="module" src=(assets::address("page.js")) {}
                    @if visit.insights && ["search", "reading"].contains(&self.class) { (feedback(visit)) }
                }
                body class=(self.class) { (sprite(&needs)) (body) }
            }
        };
        placed(page.into_string(), &visit.base)
    }

    fn body(&self) -> Markup {
        let visit = self.visit;
        let words = visit.words();
        let name = clean(&visit.brand.name);
        html! {
            a.skip href="#main" { (words.skip) }
            header.top {
                a.brand href="/" aria-label=(fill(words.home, &[&name])) {
                    @match visit.brand.logo_address() {
                        Some((logo, _)) => { img src=(logo) alt=""; }
                        None => { (icon("mark")) }
                    }
                    span { (name) }
                }
                @if self.class != "home" { (field(visit, &self.address)) }
                (tools(visit))
            }
            (self.main)
            footer { p { (if visit.sends_texts { words.sends_texts } else { words.local_only }) } nav aria-label=(name) {
                @for link in &visit.brand.links { a href=(leading(visit, &link.url)) rel="noreferrer" { (clean(&link.text)) } " " }
                a href="/status" { (words.status) } " "
                @if visit.administers { a href="/admin" { (words.manage) } " " }
                @if visit.insights && visit.administers { a href="/insights" { (words.insights) } " " } a href="/api/docs" { (words.api) }
            } }
            (help(visit))
            p.offline #offline role="alert" hidden { (words.offline) }
        }
    }
}

/// What tells which results are opened and liked, and the words that it needs.
fn feedback(visit: &Visit) -> Markup {
    let words = visit.words();
    html! {
        link rel="stylesheet" href=(assets::address("feedback.css"));
        script #feedback type="module" src=(assets::address("feedback.js")) data-asked=(words.was_it) data-up=(words.yes) data-down=(words.no) data-thanks=(words.thanks) {}
    }
}

/// Where a link of the company leads. A path is one of the host, not one below which the server lies.
fn leading(visit: &Visit, url: &str) -> String {
    if url.starts_with('/') { format!("{}{url}", visit.origin) } else { url.to_string() }
}

/// A page with its addresses, which all begin at the root of the server, below where that lies. In what comes from others
/// quotes are escaped, so that only attributes of our own can look like this.
pub(super) fn placed(page: String, base: &str) -> String {
    if base.is_empty() {
        return page;
    }
    ["href", "src", "action", "data-link"]
        .iter()
        .fold(page, |page, attribute| page.replace(&format!(" {attribute}=\"/"), &format!(" {attribute}=\"{base}/")))
}

fn scheme(theme: Theme) -> &'static str {
    match theme {
        Theme::Auto => "light dark",
        Theme::Light => "light",
        Theme::Dark => "dark",
    }
}

/// The search field, a form by itself.
pub(super) fn field(visit: &Visit, address: &SearchAddress) -> Markup {
    let words = visit.words();
    html! {
        form.field #search role="search" action="/search" data-one=(words.one_suggestion) data-many=(words.suggestions)
            data-query=(words.from_query) data-title=(words.from_title) data-heading=(words.from_heading)
            data-phrase=(words.from_phrase) data-document=(words.from_document) data-recent=(words.from_recent) data-clear=(words.clear_recent) {
            label.hidden for="q" { (words.search) }
            (icon("search"))
            input #q type="search" name="q" value=(address.q) placeholder=(words.placeholder) autocomplete="off"
                autocapitalize="none" spellcheck="false" enterkeyhint="search" maxlength="2000" autofocus[visit.here == "/"];
            kbd.slash aria-hidden="true" { "/" }
            button type="submit" { (words.search) }
            @for (name, value) in address.filter_pairs() { input type="hidden" name=(name) value=(value); }
            ul.suggestions #suggestions role="listbox" aria-label=(words.search) hidden {}
            span.hidden #suggested role="status" {}
        }
    }
}

fn tools(visit: &Visit) -> Markup {
    let words = visit.words();
    let other = visit.language.other();
    let theme = visit.theme;
    let label = match theme {
        Theme::Auto => words.theme_auto,
        Theme::Light => words.theme_light,
        Theme::Dark => words.theme_dark,
    };
    let change = |name, value| format!("/preferences?{}", query_string(&[(name, value), ("back", &visit.here)]));
    html! {
        nav.tools aria-label=(words.preferences) {
            a href="/status" title=(words.status) { (icon("status")) span.hidden { (words.status) } }
            button.js #keys type="button" title={ (words.keys) " (?)" } { (icon("keys")) span.hidden { (words.keys) } }
            a href=(change("language", other.short())) lang=(other.tag()) hreflang=(other.tag()) title=(other.words().language_switch) {
                (match other { super::language::Language::English => "EN", super::language::Language::Chinese => "中" })
                span.hidden { " " (other.words().language_switch) }
            }
            a #theme href=(change("theme", theme.next().name())) title=(label)
                data-auto=(words.theme_auto) data-light=(words.theme_light) data-dark=(words.theme_dark) {
                (icon(theme.name())) span.hidden { (label) }
            }
            @if let Some(visitor) = &visit.visitor {
                @let name = html! { b title=(clean(&visitor.known_as)) { bdi { (clean(&visitor.name)) } } };
                @if visitor.has_session {
                    form.who action="/sign-out" method="post" { (name) button type="submit" { (words.sign_out) } }
                } @else { span.who { (name) } }
            }
        }
    }
}

fn help(visit: &Visit) -> Markup {
    let words = visit.words();
    let keys: [(&[&str], &str); 9] = [
        (&["/", "Ctrl+K"], words.key_focus),
        (&["↓", "↑", "j", "k"], words.key_move),
        (&["Enter"], words.key_open),
        (&["Shift+Enter"], words.key_file),
        (&["p"], words.key_preview),
        (&["c"], words.key_copy),
        (&["w"], words.key_why),
        (&["?"], words.key_help),
        (&["Esc"], words.key_back),
    ];
    html! {
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { (words.keys) }
            dl { @for (keys, meaning) in keys {
                dt { @for key in keys { kbd { (key) } " " } }
                dd { (meaning) }
            } }
            form method="dialog" { button { (words.close) } }
        }
    }
}
