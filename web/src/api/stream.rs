//! `/api/v1/search/stream`: a search as server-sent events. The fused order comes at once; better ones follow.
//!
//! Events: `results` with an answer of `/api/v1/search`, as often as the order gets better, the last one being the best;
//! then `done`, or `error` with a problem document. When the client goes away or the server stops, so does the work.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use futures_util::stream;
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use utoipa::ToSchema;

use super::ordering::{self, Going};
use super::search::{Checked, SearchAnswer, SearchParams};
use crate::app::App;
use crate::engine::Engine;
use crate::error::{Error, Problem};
use crate::json::Params;

/// Orders that may wait for a slow client; the work waits with them.
const WAITING: usize = 4;

/// One event of the stream.
#[derive(Serialize, ToSchema)]
pub(crate) struct StreamEvent {
    /// `results`, `done` or `error`.
    event: String,
    /// JSON: a whole answer of `/api/v1/search`, the number of orders, or a problem document.
    data: String,
}

/// Answers a question at once and then better, as server-sent events: `results` (a whole answer, each better ordered
/// than the one before), then `done`.
#[utoipa::path(get, path = "/api/v1/search/stream", tag = "search", params(SearchParams),
    responses((status = 200, body = StreamEvent, content_type = "text/event-stream"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn stream(app: web::Data<App>, params: Params<SearchParams>) -> Result<HttpResponse, Error> {
    let app = app.into_inner();
    app.engine()?;
    let checked = super::search::SearchBody::from(params.0).check(&app.config.limits)?;
    let permit = app.admission.enter().await?;
    let (sender, receiver) = channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        if let Err(error) = send_all(&app, &checked, &sender) {
            // A failure is told in the stream: the status has been sent long ago.
            tracing::error!("a stream failed: {error}");
            send(&sender, "error", &error.problem());
        }
    });
    let events = stream::unfold(receiver, |mut receiver: Receiver<web::Bytes>| async move {
        receiver.recv().await.map(|event| (Ok::<_, Error>(event), receiver))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-store"))
        // Proxies and compression hold back what should go out at once.
        .insert_header(("x-accel-buffering", "no"))
        .insert_header(("content-encoding", "identity"))
        .streaming(events))
}

fn send_all(app: &Arc<App>, checked: &Checked, sender: &Sender<web::Bytes>) -> Result<(), Error> {
    let engine: &Engine = app.engine()?;
    let mut orders = 0;
    let going = || if sender.is_closed() || app.is_stopping() { Going::Away } else { Going::On };
    let snapshot = engine.snapshot();
    ordering::steps(engine, &snapshot, &checked.request, checked.budget, &going, &mut |answer| {
        orders += 1;
        app.metrics.searched(&answer.timings);
        send(sender, "results", &SearchAnswer { answer, understood: None, unread_files: None });
    })?;
    send(sender, "done", &json!({ "orders": orders, "generation": snapshot.sequence() }));
    Ok(())
}

/// Sends an event; if the client is gone, nobody misses it.
fn send(sender: &Sender<web::Bytes>, name: &str, data: &impl Serialize) {
    // JSON has no line breaks outside of strings, and none inside.
    let data = serde_json::to_string(data).unwrap_or_default();
    let _ = sender.blocking_send(web::Bytes::from(format!("event: {name}\ndata: {data}\n\n")));
}
