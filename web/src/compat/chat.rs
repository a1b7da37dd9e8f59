//! `POST /v1/chat/completions` as OpenAI defines it, with the fields that vLLM adds.
//!
//! A text is written in the writer's own thread: a request that waits for it holds no place to compute.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use qwen3::{End, Finish, GenerateHandle, GenerateRequest, Written};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::chat_body::{ChatBody, Wish};
use super::openai_error::OpenAiError;
use crate::app::App;
use crate::engine::Engine;
use crate::error::{Error, Problem};
use crate::guard::current_request;
use crate::json::Json;
use crate::manuscript::Manuscript;
use crate::traffic::{Ticket, client_of};

/// A text that was written, in OpenAI's shape.
#[derive(Serialize, ToSchema)]
pub(crate) struct Completion {
    id: String,
    object: &'static str,
    /// Seconds of Unix time.
    created: i64,
    model: String,
    choices: Vec<ChatChoice>,
    usage: ChatUsage,
}

/// The one text.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatChoice {
    index: usize,
    message: ChatSaid,
    finish_reason: &'static str,
}

/// What the model said.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatSaid {
    role: &'static str,
    content: String,
}

/// What the text cost.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub(crate) struct ChatUsage {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
    prompt_tokens_details: PromptTokens,
}

/// Of the prompt's tokens.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub(crate) struct PromptTokens {
    /// Those that were known from an earlier chat that began alike.
    cached_tokens: usize,
}

/// An event of the stream: a `chat.completion.chunk`, or `[DONE]`.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatEvent {
    /// JSON, or `[DONE]`.
    data: String,
}

/// What all parts of one answer begin with.
struct Heading {
    id: String,
    created: i64,
    model: String,
}

impl From<End> for ChatUsage {
    fn from(end: End) -> Self {
        Self {
            prompt_tokens: end.prompt_tokens,
            completion_tokens: end.written_tokens,
            total_tokens: end.prompt_tokens + end.written_tokens,
            prompt_tokens_details: PromptTokens { cached_tokens: end.known_tokens },
        }
    }
}

impl Heading {
    fn chunk(&self, choices: &Value, usage: Option<ChatUsage>) -> Result<web::Bytes, Error> {
        let Self { id, created, model } = self;
        let mut chunk = json!({
            "id": id, "object": "chat.completion.chunk", "created": created, "model": model, "choices": choices,
        });
        if let Some(usage) = usage {
            chunk["usage"] = serde_json::to_value(usage).map_err(Error::internal)?;
        }
        Ok(event(&chunk))
    }

    fn delta(&self, delta: &Value, finish: Option<&str>) -> Result<web::Bytes, Error> {
        self.chunk(&json!([{ "index": 0, "delta": delta, "finish_reason": finish }]), None)
    }
}

/// Writes the next message of a chat, in OpenAI's shape; with `stream`, as server-sent events.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "models", request_body = ChatBody,
    responses((status = 200, content((Completion = "application/json"), (ChatEvent = "text/event-stream"))), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn completions(
    app: web::Data<App>,
    body: Result<Json<ChatBody>, Error>,
    request: HttpRequest,
) -> Result<HttpResponse, OpenAiError> {
    let Wish { messages, model, streamed, told_usage, max_tokens, sampling, seed, stop, thinking } =
        body?.0.checked()?;
    let app = app.into_inner();
    let client = client_of(&request);
    let wish = GenerateRequest { messages, max_tokens, sampling, seed, stop, thinking, ..GenerateRequest::default() };
    // Before the work begins: it would be for nobody.
    let room = streamed.then(|| app.traffic.transfer(&client)).transpose()?;
    let begun = Arc::clone(&app).compute(move |_, engine| {
        let (name, writer) = writer(engine)?;
        let manuscript = Manuscript::begin(writer, wish).map_err(told)?;
        Ok((manuscript, model.unwrap_or_else(|| name.to_owned())))
    });
    let (manuscript, model) = begun.await?;
    let id = format!("chatcmpl-{}", current_request().unwrap_or_default());
    let heading = Heading { id, created: crate::jobs::now(), model };
    match room {
        Some(room) => Ok(streaming(Live { app, manuscript, heading, told_usage, state: State::Begin, _room: room })),
        None => Ok(HttpResponse::Ok().json(whole(&app, manuscript, heading).await?)),
    }
}

fn writer(engine: &Engine) -> Result<(&str, &GenerateHandle), Error> {
    let writer = engine.generator.as_ref().ok_or(Error::NoWriter)?;
    Ok((&engine.generator_name, writer))
}

/// An error of the writer as one of the request, where it is.
fn told(error: qwen3::Error) -> Error {
    match error {
        qwen3::Error::TooLong { tokens, limit, .. } => {
            Error::TextTooLong { place: "messages".to_owned(), tokens, limit, status: StatusCode::BAD_REQUEST }
        }
        qwen3::Error::Prompt(reason) => Error::bad(reason),
        other => other.into(),
    }
}

async fn whole(app: &App, mut manuscript: Manuscript, heading: Heading) -> Result<Completion, Error> {
    let mut content = String::new();
    loop {
        match manuscript.next(app).await? {
            Some(Written::Text(text)) => content.push_str(&text),
            Some(Written::End(end)) => {
                let message = ChatSaid { role: "assistant", content };
                let choice = ChatChoice { index: 0, message, finish_reason: reason(end.finish) };
                let Heading { id, created, model } = heading;
                let (object, choices) = ("chat.completion", vec![choice]);
                return Ok(Completion { id, object, created, model, choices, usage: end.into() });
            }
            None => return Err(Error::internal("a text had no end")),
        }
    }
}

fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Mask => "stop",
        Finish::Length => "length",
        Finish::Repetition => "repetition",
    }
}

/// A stream that is open.
struct Live {
    app: Arc<App>,
    manuscript: Manuscript,
    heading: Heading,
    told_usage: bool,
    state: State,
    _room: [Ticket; 2],
}

/// What comes next.
enum State {
    Begin,
    Text,
    Usage(End),
    Done,
    Over,
}

impl Live {
    async fn next(&mut self) -> Option<web::Bytes> {
        let said = self.say().await;
        said.unwrap_or_else(|error| {
            error.log();
            self.state = State::Over;
            Some(event(&OpenAiError::from(error).body()))
        })
    }

    async fn say(&mut self) -> Result<Option<web::Bytes>, Error> {
        let Self { app, manuscript, heading, .. } = self;
        match self.state {
            State::Begin => {
                self.state = State::Text;
                Ok(Some(heading.delta(&json!({ "role": "assistant", "content": "" }), None)?))
            }
            State::Text => match manuscript.next(app).await? {
                Some(Written::Text(text)) => Ok(Some(heading.delta(&json!({ "content": text }), None)?)),
                Some(Written::End(end)) => {
                    self.state = if self.told_usage { State::Usage(end) } else { State::Done };
                    Ok(Some(heading.delta(&json!({}), Some(reason(end.finish)))?))
                }
                None => Err(Error::internal("a text had no end")),
            },
            State::Usage(end) => {
                self.state = State::Done;
                Ok(Some(heading.chunk(&json!([]), Some(end.into()))?))
            }
            State::Done => {
                self.state = State::Over;
                Ok(Some(web::Bytes::from_static(b"data: [DONE]\n\n")))
            }
            State::Over => Ok(None),
        }
    }
}

fn streaming(live: Live) -> HttpResponse {
    let pieces = stream::unfold(live, |mut live| async move {
        let piece = live.next().await?;
        Some((Ok::<_, Error>(piece), live))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-store"))
        // Proxies and compression hold back what should go out at once.
        .insert_header(("x-accel-buffering", "no"))
        .insert_header(("content-encoding", "identity"))
        .streaming(pieces)
}

/// JSON has no line breaks outside of strings, and none inside.
fn event(data: &Value) -> web::Bytes {
    web::Bytes::from(format!("data: {data}\n\n"))
}
