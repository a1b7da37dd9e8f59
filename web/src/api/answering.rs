//! The making of an answer, for programs and for the page: a draft within the limits of a search, then a writer in a place of its
//! own, and the stream on which sentences go out as they are proved.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use futures_util::stream;
use searcher::{Answer, AskRequest, Draft, Reply, Said, Wording};
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;
use tracing::Span;

use super::search::run_with;
use crate::app::App;
use crate::error::Error;
use crate::guard::Caller;
use crate::insights::{Asked, Via};
use crate::traffic::Ticket;

/// Events that wait for a client to take them.
pub(crate) const EVENTS: usize = 4;

/// What an answer is made from, and what is to be noted of it.
pub(crate) struct Drafted {
    draft: Draft,
    wording: Wording,
    answer: Answer,
    counted: Option<Asked>,
}

/// A draft of the answer to a question, from what somebody sees; counted in the insights if it is said how it came.
///
/// # Errors
/// Those of a search.
pub(crate) async fn draft(
    app: &Arc<App>,
    asked: &AskRequest,
    caller: Caller,
    via: Option<Via>,
) -> Result<Drafted, Error> {
    let request = asked.search(&app.config.limits.requests())?;
    let is_rewritten = request.query != asked.question.trim();
    let counted = via.and_then(|via| Asked::of(&request, &caller, via));
    let wording = asked.wording;
    run_with(app, request, caller, move |_, engine, search, answer| {
        let answer = answer.answer;
        let mut draft = search.draft(&answer, engine.searcher.config().answer_time())?;
        draft.reply.is_rewritten = is_rewritten;
        engine.links.put_on_draft(&mut draft);
        Ok(Drafted { draft, wording, answer, counted })
    })
    .await
}

impl Drafted {
    /// What is said without a writer.
    pub(crate) fn reply(&self) -> &Reply {
        &self.draft.reply
    }

    /// The answer in the writer's words, where there is one and it is wanted, until `hear` has enough, `limits.writing_seconds` are
    /// over, or the server stops. A place of its own is waited for: a writer takes seconds, in which searches are not to wait.
    ///
    /// # Errors
    /// [`Error::Stopping`].
    pub(crate) async fn write(
        self,
        app: &Arc<App>,
        mut hear: impl FnMut(Said<'_>) -> ControlFlow<()> + Send + 'static,
    ) -> Result<Reply, Error> {
        let Self { draft, wording, answer, counted } = self;
        let searcher = app.engine()?.searcher.clone();
        let is_written = wording == Wording::Written && searcher.writer().is_some();
        let place = Arc::clone(&app.writing);
        let place = if is_written { Some(place.acquire_owned().await.map_err(|_| Error::Stopping)?) } else { None };
        let (server, span) = (Arc::downgrade(app), Span::current());
        let until = Instant::now() + Duration::from_secs(app.config.limits.writing_seconds);
        let mut go_on = move |said: Said<'_>| {
            let is_over = Instant::now() >= until || server.upgrade().is_none_or(|app| app.is_stopping());
            if is_over { ControlFlow::Break(()) } else { hear(said) }
        };
        let write = move || match is_written {
            true => searcher.write(draft, &mut go_on),
            false => draft.quoted(&mut go_on),
        };
        let (tell, told) = oneshot::channel();
        // A thread that nobody waits for at the end: a writer elsewhere that does not answer must not hold up a server that stops.
        let begun = std::thread::Builder::new().name("answer".to_owned()).spawn(move || {
            let _place = place;
            // Who is gone needs no reply.
            let _ = tell.send(span.in_scope(write));
        });
        begun.map_err(|error| Error::internal(format!("no thread for an answer: {error}")))?;
        let reply = told.await.map_err(|_| Error::internal("the writing of an answer panicked"))?;
        app.engine()?.note_reply(counted, &answer, &reply);
        Ok(reply)
    }
}

/// Events as they come, until the last; the room for them is held until then.
pub(crate) fn streamed(mut events: Receiver<web::Bytes>, room: [Ticket; 2]) -> HttpResponse {
    let events = stream::poll_fn(move |context| {
        let _held = &room;
        events.poll_recv(context).map(|event| event.map(Ok::<_, Error>))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-store"))
        // Proxies and compression hold back what should go out at once.
        .insert_header(("x-accel-buffering", "no"))
        .insert_header(("content-encoding", "identity"))
        .streaming(events)
}
