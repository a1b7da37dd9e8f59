//! `/document/{id}/similar`: documents like this one.

use actix_web::{HttpResponse, web};
use maud::html;
use searcher::{Answer, SimilarRequest};
use serde::Deserialize;
use storage::{DocumentId, Filter};

use super::address::{PAGE, SearchAddress};
use super::language::Noun;
use super::layout::Page;
use super::strings::fill;
use super::text::clean;
use super::visit::Visit;
use super::why::Judges;
use super::{hit, problem, results};
use crate::app::App;
use crate::error::Error;
use crate::guard::Caller;
use crate::json::Params;

/// Which passage is resembled; the whole document otherwise.
#[derive(Deserialize)]
pub(super) struct Asked {
    passage: Option<u32>,
}

/// `GET /document/{id}/similar`.
pub(super) async fn similar(
    app: web::Data<App>,
    visit: Visit,
    id: web::Path<String>,
    caller: Caller,
    asked: Params<Asked>,
) -> HttpResponse {
    let found = find(app, caller, &id, asked.passage).await;
    problem::or(&visit, &SearchAddress::default(), found.map(|(title, answer)| page(&visit, &title, &answer)))
}

async fn find(app: web::Data<App>, caller: Caller, id: &str, passage: Option<u32>) -> Result<(String, Answer), Error> {
    let missing = || Error::NotFound { what: "this document" };
    let document = DocumentId::parse(id).ok_or_else(missing)?;
    let find = move |_: &App, engine: &crate::engine::Engine| {
        let view = engine.view(&caller)?;
        let title = view.document(document)?.first().map(|passage| passage.document.title.clone());
        let request = SimilarRequest { document, passage, top: PAGE, filter: Filter::default() };
        let mut answer = engine.searcher.similar(&view, &request)?;
        answer.iter_mut().for_each(|answer| engine.links.put_on(answer));
        Ok(title.zip(answer))
    };
    app.into_inner().compute(find).await?.ok_or_else(missing)
}

fn page(visit: &Visit, title: &str, answer: &Answer) -> HttpResponse {
    let words = visit.words();
    let heading = fill(words.similar_to, &[&clean(title)]);
    let count = visit.language.count(answer.results.len() as u64, Noun::Result);
    let address = SearchAddress::default();
    let main = html! {
        main #main.results {
            div.column #results data-copied=(words.copied) {
                h1 { (heading) }
                p.truth #truth role="status" { (fill(words.found_in, &[&count, &visit.language.duration(answer.timings.total_ms)])) }
                (hit::hits(visit, &address, &answer.results, Judges::Recall, &[]))
            }
            (results::pane(visit))
        }
    };
    Page { visit, title: heading.clone(), class: "search", address, main }.respond()
}
