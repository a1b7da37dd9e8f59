//! The first page: a field, and what was found.

use actix_web::{HttpResponse, web};
use searcher::{Answer, SearchRequest};
use serde::Deserialize;

use crate::app::App;
use crate::error::Error;
use crate::json::Params;

/// The parameters of the page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
}

/// `GET /`.
pub(super) async fn home(app: web::Data<App>, asked: Params<Asked>) -> Result<HttpResponse, Error> {
    let query = asked.q.clone();
    let answer = match query.trim() {
        "" => None,
        _ => {
            let request = SearchRequest { query: query.clone(), top: 10, ..SearchRequest::default() };
            let search = move |_: &App, engine: &crate::engine::Engine| {
                Ok(engine.searcher.search(&engine.snapshot(), &request)?)
            };
            Some(app.into_inner().compute(search).await?)
        }
    };
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page(&query, answer.as_ref())))
}

fn page(query: &str, answer: Option<&Answer>) -> String {
    let results: String = answer
        .into_iter()
        .flat_map(|answer| &answer.results)
        .map(|hit| {
            let passage = hit.passages.first().map(|passage| escape(&passage.snippet)).unwrap_or_default();
            format!(
                "<li><b>{}</b> {}/{}<p>{passage}</p></li>",
                escape(&hit.title),
                escape(&hit.source),
                escape(&hit.path)
            )
        })
        .collect();
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>quarry</title><form><input name=q type=search \
         aria-label=Search value=\"{}\"><button>Search</button></form><ol>{results}</ol></html>",
        escape(query)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
