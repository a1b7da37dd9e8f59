//! `/api/v1/search/stream`: a search as server-sent events. The fused order comes at once; better ones follow.
//!
//! Events: `results` with an answer of `/api/v1/search`, as often as the order gets better, the last one being the best;
//! then `done`, or `error` with a problem document. The next order is computed when the client has taken the one before:
//! one that does not read costs the memory of one order and nothing else, until it is cut off (see
//! [`traffic`](crate::traffic)). When the client goes away or the server stops, so does the work.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::ordering::Search;
use super::parameters::SearchParams;
use super::search::SearchAnswer;
use crate::app::{App, Turn};
use crate::audit;
use crate::error::{Error, Problem};
use crate::guard::Caller;
use crate::traffic::{PIECE, Pieces, Ticket, client_of};

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
pub(crate) async fn stream(
    app: web::Data<App>,
    params: SearchParams,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let app = app.into_inner();
    app.engine()?;
    let client = client_of(&request);
    let asked = params.0;
    asked.check(&app.config.limits.requests())?;
    audit::about("query", asked.query.as_str());
    let room = app.traffic.transfer(&client)?;
    let begin = app.turn(Turn::Long, move |app, engine, _| {
        let mut search = Search::begin(app, engine, asked, &caller)?;
        let results = results(app, &mut search)?;
        Ok((search, results))
    });
    // What fails before the first order has a status of its own; afterwards it is told in the stream.
    let (search, results) = app.in_time(begin).await?;
    let mut live =
        Live { app, client, search: Some(search), orders: 1, generation: results.1, sending: None, _room: room };
    live.sending = Some(live.packed(results.0)?);
    let pieces = stream::unfold(live, |mut live| async move {
        let piece = live.next().await?;
        Some((Ok::<_, Error>(piece), live))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-store"))
        // Proxies and compression hold back what should go out at once.
        .insert_header(("x-accel-buffering", "no"))
        .insert_header(("content-encoding", "identity"))
        .streaming(pieces))
}

/// A stream that is open.
struct Live {
    app: Arc<App>,
    client: String,
    /// `None` once everything was said.
    search: Option<Search>,
    orders: u64,
    generation: u64,
    sending: Option<Pieces>,
    _room: [Ticket; 2],
}

impl Live {
    /// The next piece, as soon as there is one; asked for when the client has taken the last.
    async fn next(&mut self) -> Option<web::Bytes> {
        loop {
            if let Some(piece) = self.sending.as_mut().and_then(Pieces::next) {
                return Some(piece);
            }
            let search = self.search.take()?;
            let said = if search.is_running() && !self.app.is_stopping() {
                self.better(search).await
            } else {
                self.packed(event("done", &json!({ "orders": self.orders, "generation": self.generation })))
            };
            self.sending = Some(said.unwrap_or_else(|error| {
                error.log();
                self.search = None;
                Pieces::new(event("error", &error.problem()), None)
            }));
        }
    }

    /// A better order, in as many turns as it takes.
    async fn better(&mut self, mut search: Search) -> Result<Pieces, Error> {
        loop {
            let turn = self.app.turn(Turn::Next, move |app, _, wanted| {
                let is_better = search.read(wanted)?;
                let results = is_better.then(|| results(app, &mut search)).transpose()?;
                Ok((search, results))
            });
            let (read, results) = turn.await?;
            search = read;
            if let Some((results, _)) = results {
                self.orders += 1;
                self.search = Some(search);
                return self.packed(results);
            }
        }
    }

    /// An event on its way, with the room that it takes.
    fn packed(&self, event: web::Bytes) -> Result<Pieces, Error> {
        let is_large = event.len() > PIECE;
        let ticket = is_large.then(|| self.app.traffic.memory.take(&self.client, event.len())).transpose()?;
        Ok(Pieces::new(event, ticket))
    }
}

/// The best order known as an event, and the commit that it is of.
fn results(app: &App, search: &mut Search) -> Result<(web::Bytes, u64), Error> {
    let mut answer = search.answer()?;
    app.engine()?.links.put_on(&mut answer);
    app.metrics.searched(&answer.timings);
    let generation = answer.generation;
    Ok((event("results", &SearchAnswer { answer, unread_files: None }), generation))
}

fn event(name: &str, data: &impl Serialize) -> web::Bytes {
    // JSON has no line breaks outside of strings, and none inside.
    let data = serde_json::to_string(data).unwrap_or_default();
    web::Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}
