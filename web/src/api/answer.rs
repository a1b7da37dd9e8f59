//! `/api/v1/answer`: a question in, sentences of the documents with their sources out, as one answer or as server-sent events.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use searcher::{AskRequest, Citation, CitedSentence, Reply};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::search::run_with;
use crate::app::App;
use crate::error::{Error, Problem};
use crate::guard::Caller;
use crate::insights::{Asked, Via};
use crate::json::Json;

/// An event of the stream.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnswerEvent {
    /// `question`, `sentence`, `done` or `error`.
    event: String,
    /// JSON: the question as it is searched for; a sentence with the passages that it is the first to cite; the whole reply; a
    /// problem document.
    data: String,
}

/// Answers a question with sentences of the documents, each with its source, or says that they do not answer it. With `Accept:
/// text/event-stream` as events: `question`, a `sentence` for each, and `done` with all of it.
#[utoipa::path(post, path = "/api/v1/answer", tag = "search", request_body = AskRequest,
    responses((status = 200, content((Reply = "application/json"), (AnswerEvent = "text/event-stream"))), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn answer(
    app: web::Data<App>,
    body: Json<AskRequest>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let reply = ask(&app.into_inner(), &body.0, caller, Via::Program).await?;
    Ok(if wants_events(&request) { events(&reply) } else { HttpResponse::Ok().json(reply) })
}

/// What the documents that somebody sees say to a question.
///
/// # Errors
/// Those of a search.
pub(crate) async fn ask(app: &Arc<App>, asked: &AskRequest, caller: Caller, via: Via) -> Result<Reply, Error> {
    let request = asked.search(&app.config.limits.requests())?;
    let is_rewritten = request.query != asked.question.trim();
    let counted = Asked::of(&request, &caller, via);
    run_with(app, request, caller, move |_, engine, search, answer| {
        let mut reply = search.reply(&answer.answer, engine.searcher.config().answer_time())?;
        engine.note_reply(counted, &answer.answer, &reply);
        engine.links.put_on_reply(&mut reply);
        Ok(Reply { is_rewritten, ..reply })
    })
    .await
}

fn wants_events(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|one| one.split(';').next().is_some_and(|one| one.trim() == "text/event-stream"))
}

/// The reply as events. Sentences are quotes that were judged together, so they all come at once.
fn events(reply: &Reply) -> HttpResponse {
    let mut text = event("question", &json!({ "question": reply.question, "is_rewritten": reply.is_rewritten }));
    let mut cited = 0;
    for sentence in &reply.sentences {
        let last = sentence.citations.iter().copied().max().unwrap_or(0).max(cited);
        text += &event("sentence", &Said { sentence, citations: &reply.citations[cited..last] });
        cited = last;
    }
    text += &event("done", reply);
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .body(text)
}

/// A sentence with the passages that it is the first to cite.
#[derive(Serialize)]
struct Said<'r> {
    #[serde(flatten)]
    sentence: &'r CitedSentence,
    #[serde(rename = "new_citations")]
    citations: &'r [Citation],
}

fn event(name: &str, data: &impl Serialize) -> String {
    // JSON has no line breaks outside of strings, and none inside.
    format!("event: {name}\ndata: {}\n\n", serde_json::to_string(data).unwrap_or_default())
}
