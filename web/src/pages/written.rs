//! `/search/answer`: the answer of a writer to the question of a page of results, as server-sent events whose data is HTML: a
//! `sentence` for each as it is proved, and `done` with all of the answer, or nothing where there is none.

use std::ops::ControlFlow;

use actix_web::{HttpRequest, HttpResponse, web};
use maud::Markup;
use searcher::{AskRequest, Outcome, Said};
use tokio::sync::mpsc::channel;

use super::address::SearchAddress;
use super::reply::{replied, sentence_of};
use super::visit::Visit;
use crate::api::answering::{self, EVENTS};
use crate::app::App;
use crate::error::Error;
use crate::guard::Caller;
use crate::json::Params;
use crate::traffic::client_of;

/// `GET /search/answer`.
pub(super) async fn written(
    app: web::Data<App>,
    visit: Visit,
    caller: Caller,
    asked: Params<SearchAddress>,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let app = app.into_inner();
    let address = asked.0;
    let searched = address.request(visit.language.short());
    let question = AskRequest {
        question: searched.query.clone(),
        filters: searched.filters.clone(),
        prefer_lang: searched.prefer_lang.clone(),
        ..AskRequest::default()
    };
    let room = app.traffic.transfer(&client_of(&request))?;
    // The search of the page was counted already.
    let drafted = answering::draft(&app, &question, caller, None).await?;
    let (events, taken) = channel(EVENTS);
    actix_web::rt::spawn(async move {
        let (each, shown) = (events.clone(), address.clone());
        let mut known = Vec::new();
        let hear = move |said: Said<'_>| {
            if each.is_closed() {
                return ControlFlow::Break(());
            }
            let Said::Sentence(sentence, citations) = said else { return ControlFlow::Continue(()) };
            known.extend_from_slice(citations);
            let html = event("sentence", &sentence_of(&shown, sentence, &known, false));
            if each.blocking_send(html).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let last = match drafted.write(&app, hear).await {
            Ok(reply) if reply.outcome == Outcome::Answered => event("done", &replied(&visit, &address, &reply)),
            Ok(_) => event("done", &Markup::default()),
            Err(error) => {
                error.log();
                event("done", &Markup::default())
            }
        };
        // Who is gone needs no end.
        let _ = events.send(last).await;
    });
    Ok(answering::streamed(taken, room))
}

/// HTML as an event: line ends within it stay what they are.
fn event(name: &str, html: &Markup) -> web::Bytes {
    let lines: Vec<String> = html.0.lines().map(|line| format!("data: {line}\n")).collect();
    let data = if lines.is_empty() { "data: \n".to_owned() } else { lines.concat() };
    web::Bytes::from(format!("event: {name}\n{data}\n"))
}
