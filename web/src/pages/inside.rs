//! `/admin/server`: what the server says of itself, for administrators: the last lines of its log, and the settings in force.

use actix_web::{HttpResponse, web};
use maud::html;

use super::address::SearchAddress;
use super::layout::Page;
use super::problem;
use super::visit::Visit;
use crate::app::App;

/// `GET /admin/server`.
pub(super) async fn page(app: web::Data<App>, visit: Visit) -> HttpResponse {
    let (words, none) = (visit.words(), SearchAddress::default());
    problem::or(
        &visit,
        &none,
        app.engine().map(|engine| {
            let lines = engine.log.lines();
            let main = html! {
                main #main.status {
                    h1 { (words.inside) }
                    p { a href="/admin" { (words.manage) } }
                    section aria-labelledby="log" {
                        h2 #log { (words.inside_log) }
                        p { (words.inside_log_intro) }
                        @if lines.is_empty() { p.quiet { (words.inside_log_none) } } @else {
                            div.scroll tabindex="0" { pre { @for line in lines.iter().rev() { (line) "\n" } } }
                        }
                    }
                    section aria-labelledby="settings" {
                        h2 #settings { (words.inside_settings) }
                        p { (words.inside_settings_intro) }
                        div.scroll tabindex="0" { pre { (engine.settings) } }
                    }
                }
            };
            let address = SearchAddress::default();
            Page { visit: &visit, title: words.inside.to_string(), class: "state", address, main }.respond()
        }),
    )
}
