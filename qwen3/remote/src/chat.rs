//! A conversation with a model elsewhere: messages in, its answer out, whole or as it comes.

use std::io::Read;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::Agent;
use ureq::http::{HeaderMap, Response};

use crate::endpoint::Endpoint;
use crate::events::Events;
use crate::fault::{Fault, shown};
use crate::key::Key;
use crate::rest::Rest;

/// Most bytes of an answer.
const MAX_ANSWER: u64 = 1 << 20;
/// Attempts at a request whose failure may pass.
const ATTEMPTS: u32 = 4;
/// Pause after the first failure; doubled each time.
const PAUSE: Duration = Duration::from_millis(500);
/// Longer than this is not waited for an endpoint that says when it wants to be asked again.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Time for a connection.
const CONNECT: Duration = Duration::from_secs(5);

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
#[derive(Debug)]
pub struct Chat {
    agent: Agent,
    endpoint: Endpoint,
    options: ChatOptions,
    rest: Rest,
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
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(options.timeout))
            .user_agent(concat!("quarry/", env!("CARGO_PKG_VERSION")));
        if endpoint.is_here {
            config = config.proxy(None);
        }
        Self { agent: config.build().new_agent(), endpoint, options, rest: Rest::default() }
    }

    /// Its name at the endpoint.
    pub fn model(&self) -> &str {
        &self.options.model
    }

    /// Host and port of the endpoint.
    pub fn host(&self) -> &str {
        &self.endpoint.host
    }

    /// The model's answer to messages. Failures that may pass are lived through a few times; `tokens` grows by what the
    /// endpoint says it cost. For work that nobody waits for.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn complete(&self, messages: &[Message], tokens: &mut Tokens) -> Result<String, Fault> {
        self.patiently(|| self.request(messages, tokens))
    }

    /// The model's answer to messages, given to `take` as it comes, until that has enough. What fails before its first word
    /// is tried again; an endpoint that keeps failing is left alone for a while.
    ///
    /// # Errors
    /// [`Fault`]; what was given before it stays given.
    pub fn stream(&self, messages: &[Message], take: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<Finish, Fault> {
        if let Some(after) = self.rest.left(Instant::now()) {
            return Err(Fault::Resting { host: self.endpoint.host.clone(), after });
        }
        let outcome = self.patiently(|| self.open(messages)).and_then(|body| self.read(body, take));
        match &outcome {
            Err(Fault::Failed { after, .. }) => self.rest.failed(Instant::now(), *after),
            _ => self.rest.worked(),
        }
        outcome
    }

    /// Tries again what may work a moment later, within the time for an answer.
    fn patiently<T>(&self, mut attempt: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
        let started = Instant::now();
        let mut tried = 1;
        loop {
            let fault = match attempt() {
                Err(fault @ Fault::Failed { .. }) if tried < ATTEMPTS => fault,
                outcome => return outcome,
            };
            let Fault::Failed { after, .. } = &fault else { return Err(fault) };
            let pause = after.unwrap_or(PAUSE * 2u32.pow(tried - 1));
            if pause > LONGEST_PAUSE || started.elapsed() + pause >= self.options.timeout {
                return Err(fault);
            }
            std::thread::sleep(pause);
            tried += 1;
        }
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
        let response = self.send(messages, true)?;
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("text/html") {
            return Err(Fault::Refused {
                host: self.endpoint.host.clone(),
                status: response.status().as_u16(),
                reason: "a page for people, not the answer of a model".to_owned(),
            });
        }
        Ok(response)
    }

    fn read(
        &self,
        response: Response<ureq::Body>,
        take: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Finish, Fault> {
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_whole = kind.starts_with("application/json");
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
        let url = self.endpoint.url("chat/completions");
        let mut request = self.agent.post(&url).header("Content-Type", "application/json");
        if let Some(key) = &self.options.key {
            request = request.header("Authorization", key.header());
        }
        let response = request.send(body.to_string()).map_err(|error| self.failed(error.to_string()))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, after) = (response.status().as_u16(), retry_after(response.headers()));
        let text = response.into_body().into_with_config().limit(MAX_ANSWER).read_to_string().unwrap_or_default();
        let reason = shown(&text);
        Err(match status {
            408 | 425 | 429 | 500.. => {
                Fault::Failed { host: self.endpoint.host.clone(), reason: format!("status {status}: {reason}"), after }
            }
            300..400 => Fault::Refused {
                host: self.endpoint.host.clone(),
                status,
                reason: "it sends elsewhere, and passages are not sent after it".to_owned(),
            },
            status => Fault::Refused { host: self.endpoint.host.clone(), status, reason },
        })
    }

    fn failed(&self, reason: String) -> Fault {
        Fault::Failed { host: self.endpoint.host.clone(), reason, after: None }
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

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
