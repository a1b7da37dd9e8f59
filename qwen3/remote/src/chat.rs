//! A conversation with a model elsewhere: messages in, its answer out, whole or as it comes.

use std::fmt;
use std::io::Read;
use std::ops::ControlFlow;
use std::time::Duration;

use qwen3::{Elsewhere, WorkerStats};
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::http::Response;

use crate::endpoint::Endpoint;
use crate::events::Events;
use crate::fault::{Fault, shown};
use crate::key::Key;
use crate::line::Line;
use crate::patience::Patience;
use crate::wire::{Wire, content_type};

/// Most bytes of an answer.
const MAX_ANSWER: u64 = 1 << 20;
/// Attempts at a request whose failure may pass.
const ATTEMPTS: u32 = 4;
/// Longer than this is not waited for an endpoint that says when it wants to be asked again.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Whoever runs the model.
    System,
    /// Whoever asks.
    User,
}

/// A message to the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What.
    pub content: String,
}

/// Tokens that were read and written, as the endpoint counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// In prompts.
    pub read: u64,
    /// In answers.
    pub written: u64,
}

/// How a model is asked.
#[derive(Debug, Clone)]
pub struct ChatOptions {
    /// Its name at the endpoint.
    pub model: String,
    /// What the endpoint knows us by.
    pub key: Option<Key>,
    /// Time for a whole answer.
    pub timeout: Duration,
    /// Most tokens of an answer, thoughts included.
    pub max_tokens: u32,
    /// 0 is the likeliest answer.
    pub temperature: f64,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model was done.
    Stop,
    /// It was cut at the most tokens or bytes.
    Length,
    /// Whoever read it had enough.
    Left,
}

/// A model to talk to. Answers may be asked for from several threads at once.
pub struct Chat {
    line: Line,
    options: ChatOptions,
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chat").field("options", &self.options).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(alias = "delta")]
    message: Said,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

impl Chat {
    /// A model at the endpoint.
    pub fn new(endpoint: Endpoint, options: ChatOptions) -> Self {
        let line = Line::new(Wire::new(endpoint, options.key.clone()));
        Self { line, options }
    }

    /// Its name at the endpoint.
    pub fn model(&self) -> &str {
        &self.options.model
    }

    /// Host and port of the endpoint.
    pub fn host(&self) -> &str {
        self.line.host()
    }

    /// How it fares.
    pub fn elsewhere(&self) -> Elsewhere {
        self.line.elsewhere()
    }

    /// What was asked of it since the start.
    pub fn stats(&self) -> WorkerStats {
        self.line.meter.read()
    }

    /// The model's answer to messages. Failures that may pass are lived through a few times; `tokens` grows by what the
    /// endpoint says it cost. For work that nobody waits for.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn complete(&self, messages: &[Message], tokens: &mut Tokens) -> Result<String, Fault> {
        self.patience().live_through(|| self.request(messages, tokens))
    }

    /// The model's answer to messages, given to `take` as it comes, until that has enough. What fails before its first word
    /// is tried again; an endpoint that keeps failing is left alone for a while.
    ///
    /// # Errors
    /// [`Fault`]; what was given before it stays given.
    pub fn stream(&self, messages: &[Message], take: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<Finish, Fault> {
        self.line.rested()?;
        self.line.meter.request();
        let outcome = self.patience().live_through(|| self.open(messages)).and_then(|body| self.read(body, take));
        self.line.note(&outcome);
        outcome
    }

    fn patience(&self) -> Patience {
        Patience { attempts: ATTEMPTS, longest_pause: LONGEST_PAUSE, time: self.options.timeout }
    }

    fn request(&self, messages: &[Message], tokens: &mut Tokens) -> Result<String, Fault> {
        let body = self.send(messages, false)?.into_body();
        let text = body.into_with_config().limit(MAX_ANSWER).read_to_string();
        let text = text.map_err(|error| self.failed(error.to_string()))?;
        let completion = self.completion(&text)?;
        if let Some(usage) = completion.usage {
            tokens.read += usage.prompt_tokens;
            tokens.written += usage.completion_tokens;
        }
        let content = completion.choices.into_iter().next().and_then(|choice| choice.message.content);
        content.ok_or_else(|| self.failed("an answer without a message".to_owned()))
    }

    /// The body of an answer that has begun.
    fn open(&self, messages: &[Message]) -> Result<Response<ureq::Body>, Fault> {
        self.line.wire().no_page(self.send(messages, true)?)
    }

    fn read(
        &self,
        response: Response<ureq::Body>,
        take: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Finish, Fault> {
        let is_whole = content_type(response.headers()).starts_with("application/json");
        let mut body = response.into_body().into_with_config().limit(MAX_ANSWER).reader();
        if is_whole {
            // It does not stream.
            let mut text = String::new();
            body.read_to_string(&mut text).map_err(|error| self.failed(error.to_string()))?;
            let completion = self.completion(&text)?;
            let choice = completion.choices.into_iter().next();
            let choice = choice.ok_or_else(|| self.failed("an answer without a message".to_owned()))?;
            return Ok(given(&choice, take).unwrap_or(Finish::Stop));
        }
        for data in Events::of(body) {
            let data = data.map_err(|error| self.failed(error.to_string()))?;
            if data.trim() == "[DONE]" {
                return Ok(Finish::Stop);
            }
            let choice = self.completion(&data)?.choices.into_iter().next();
            if let Some(finish) = choice.and_then(|choice| given(&choice, take)) {
                return Ok(finish);
            }
        }
        Err(self.failed("the answer broke off".to_owned()))
    }

    fn completion(&self, text: &str) -> Result<Completion, Fault> {
        serde_json::from_str(text)
            .map_err(|error| self.failed(format!("not an answer of a chat ({error}): {}", shown(text))))
    }

    /// Sends messages; an answer that is none is a fault.
    fn send(&self, messages: &[Message], stream: bool) -> Result<Response<ureq::Body>, Fault> {
        let body = json!({
            "model": self.options.model,
            "messages": messages,
            "max_tokens": self.options.max_tokens,
            "temperature": self.options.temperature,
            "stream": stream,
        });
        self.line.wire().post("chat/completions", &body, self.options.timeout)
    }

    fn failed(&self, reason: String) -> Fault {
        self.line.wire().failed(reason)
    }
}

/// Gives on what a part of an answer says; `Some` where that ends it.
fn given(choice: &Choice, take: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Option<Finish> {
    let text = choice.message.content.as_deref().unwrap_or_default();
    if !text.is_empty() && take(text).is_break() {
        return Some(Finish::Left);
    }
    match choice.finish_reason.as_deref() {
        None => None,
        Some("length") => Some(Finish::Length),
        Some(_) => Some(Finish::Stop),
    }
}

#[cfg(test)]
mod tests;
