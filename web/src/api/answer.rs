//! `/api/v1/answer`: a question in, an answer with its sources out, in one piece or as server-sent events.

use std::ops::ControlFlow;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use searcher::{AskRequest, Citation, CitedSentence, Reply, Said};
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc::{Sender, channel};
use utoipa::ToSchema;

use super::answering::{Drafted, EVENTS, draft, streamed};
use crate::app::App;
use crate::error::{Error, Problem};
use crate::guard::Caller;
use crate::insights::Via;
use crate::json::Json;
use crate::traffic::client_of;
use crate::wanted::Waiting;

/// An event of the stream.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnswerEvent {
    /// `question`, `sentence`, `struck`, `done` or `error`.
    event: String,
    /// JSON: the question as it is searched for; a sentence with the passages that it is the first to cite; a sentence of a
    /// writer that was not proved; the whole reply, which may leave off what came before it; a problem document.
    data: String,
}

/// Answers a question with sentences of the documents, or of a writer whose sentences are proved by them, each with its source,
/// or says that they do not answer it. With `Accept: text/event-stream` as events: `question`, a `sentence` or `struck` for each,
/// and `done` with all of it.
#[utoipa::path(post, path = "/api/v1/answer", tag = "search", request_body = AskRequest,
    responses((status = 200, content((Reply = "application/json"), (AnswerEvent = "text/event-stream"))), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn answer(
    app: web::Data<App>,
    body: Json<AskRequest>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let app = app.into_inner();
    if !wants_events(&request) {
        return Ok(HttpResponse::Ok().json(ask(&app, &body.0, caller, Via::Program).await?));
    }
    let room = app.traffic.transfer(&client_of(&request))?;
    let drafted = draft(&app, &body.0, caller, Some(Via::Program)).await?;
    let (events, taken) = channel(EVENTS);
    actix_web::rt::spawn(tell(app, drafted, events));
    Ok(streamed(taken, room))
}

/// What the documents that somebody sees say to a question, in one piece.
///
/// # Errors
/// Those of a search.
pub(crate) async fn ask(app: &Arc<App>, asked: &AskRequest, caller: Caller, via: Via) -> Result<Reply, Error> {
    let drafted = draft(app, asked, caller, Some(via)).await?;
    let (_waiting, wanted) = Waiting::new();
    let go_on = move |_: Said<'_>| if wanted.holds() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    drafted.write(app, go_on).await
}

fn wants_events(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|one| one.split(';').next().is_some_and(|one| one.trim() == "text/event-stream"))
}

/// Sends an answer as events, sentence by sentence as each is proved, until it is whole or nobody takes them any more.
async fn tell(app: Arc<App>, drafted: Drafted, events: Sender<web::Bytes>) {
    let asked = drafted.reply();
    let first = event("question", &json!({ "question": asked.question, "is_rewritten": asked.is_rewritten }));
    if events.send(first).await.is_err() {
        return;
    }
    let each = events.clone();
    let hear = move |said: Said<'_>| {
        let event = match said {
            Said::Sentence(sentence, citations) => event("sentence", &Heard { sentence, citations }),
            Said::Struck(struck) => event("struck", struck),
            Said::Part if each.is_closed() => return ControlFlow::Break(()),
            Said::Part => return ControlFlow::Continue(()),
        };
        if each.blocking_send(event).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let last = match drafted.write(&app, hear).await {
        Ok(reply) => event("done", &reply),
        Err(error) => {
            error.log();
            event("error", &error.problem())
        }
    };
    // Who is gone needs no end.
    let _ = events.send(last).await;
}

/// A sentence with the passages that it is the first to cite.
#[derive(Serialize)]
struct Heard<'r> {
    #[serde(flatten)]
    sentence: &'r CitedSentence,
    #[serde(rename = "new_citations")]
    citations: &'r [Citation],
}

fn event(name: &str, data: &impl Serialize) -> web::Bytes {
    // JSON has no line breaks outside of strings, and none inside.
    let data = serde_json::to_string(data).unwrap_or_default();
    web::Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}
