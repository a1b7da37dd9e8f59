//! A language model behind an OpenAI-compatible endpoint: `POST {endpoint}/chat/completions`.
//!
//! A company's passages leave the machine through here and nowhere else. Hence: other hosts only over https unless the
//! user says otherwise, no redirects (they would carry passages and key to somebody else), no proxy for this machine
//! itself, and the key comes from the environment and is never printed.

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use ureq::Agent;
use ureq::http::Uri;

/// Variable that holds the key.
const KEY: &str = "QUARRY_LLM_KEY";

/// Most bytes of an answer.
const MAX_ANSWER: u64 = 1 << 20;

/// Attempts at a request whose failure may pass.
const ATTEMPTS: u32 = 4;

/// Pause after the first failure; doubled each time.
const PAUSE: Duration = Duration::from_millis(500);

/// Bytes of a refusal that are shown.
const SHOWN: usize = 200;

/// Where passages are sent, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    /// Host and port, for people.
    pub host: String,
    is_here: bool,
}

/// Tokens that were read and written, as the endpoint counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// In prompts.
    pub read: u64,
    /// In answers.
    pub written: u64,
}

/// A model to talk to.
pub struct Chat {
    agent: Agent,
    endpoint: Endpoint,
    model: String,
    key: Option<String>,
    max_tokens: u32,
}

/// Why a model cannot be asked, or gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// That is no address.
    #[error("expected an address such as http://127.0.0.1:8000/v1, got {0:?}")]
    Address(String),
    /// The address would be printed with its password.
    #[error("an address must not hold a password; put the key into {KEY}")]
    Password,
    /// Passages would leave the machine unencrypted.
    #[error("{0} is another machine, and http would send the passages there unencrypted; use https")]
    Unencrypted(String),
    /// It would not help to go on: the key, the address or the model's name is wrong.
    #[error("{host} answers {status}: {reason}; check the address, the name of the model and {KEY}")]
    Refused {
        /// The endpoint.
        host: String,
        /// HTTP status.
        status: u16,
        /// What it says.
        reason: String,
    },
    /// It may work later.
    #[error("{host}: {reason}")]
    Failed {
        /// The endpoint.
        host: String,
        /// What went wrong.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

impl Endpoint {
    /// An endpoint by its address, such as `http://127.0.0.1:8000/v1`.
    ///
    /// # Errors
    /// [`ChatError::Address`], [`ChatError::Password`]; [`ChatError::Unencrypted`] if that was not allowed.
    pub fn parse(text: &str, remote_http: RemoteHttp) -> Result<Self, ChatError> {
        let no_address = || ChatError::Address(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| no_address())?;
        let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or_else(no_address)?;
        if authority.as_str().contains('@') {
            return Err(ChatError::Password);
        }
        let is_here = is_loopback(authority.host());
        match scheme {
            "https" => {}
            "http" if is_here || remote_http == RemoteHttp::Allowed => {}
            "http" => return Err(ChatError::Unencrypted(authority.to_string())),
            _ => return Err(no_address()),
        }
        let url = format!("{}/chat/completions", text.trim_end_matches('/'));
        Ok(Self { url, host: authority.to_string(), is_here })
    }
}

/// Whether passages may go to another machine unencrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteHttp {
    /// Where the network is trusted.
    Allowed,
    /// Nowhere.
    Refused,
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Chat {
    /// A model by its name at the endpoint; `max_tokens` are for an answer, thoughts included.
    pub fn new(endpoint: Endpoint, model: String, timeout: Duration, max_tokens: u32) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(timeout))
            .user_agent(concat!("quarry/", env!("CARGO_PKG_VERSION")));
        if endpoint.is_here {
            config = config.proxy(None);
        }
        let key = std::env::var(KEY).ok().map(|key| key.trim().to_owned()).filter(|key| !key.is_empty());
        Self { agent: config.build().new_agent(), endpoint, model, key, max_tokens }
    }

    /// The model's answer to a prompt. Failures that may pass are lived through a few times; `tokens` grows by what the
    /// endpoint says it cost.
    ///
    /// # Errors
    /// [`ChatError`].
    pub fn complete(&self, prompt: &str, tokens: &mut Tokens) -> Result<String, ChatError> {
        let mut attempt = 1;
        loop {
            match self.request(prompt, tokens) {
                Err(ChatError::Failed { .. }) if attempt < ATTEMPTS => {
                    std::thread::sleep(PAUSE * 2u32.pow(attempt - 1));
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn request(&self, prompt: &str, tokens: &mut Tokens) -> Result<String, ChatError> {
        let body = json!({
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": self.max_tokens,
            "temperature": 0.8,
            "stream": false,
        });
        let mut request = self.agent.post(&self.endpoint.url).header("Content-Type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let response = request.send(body.to_string()).map_err(|error| self.failed(error.to_string()))?;
        let status = response.status();
        let mut body = response.into_body();
        let text = body.with_config().limit(MAX_ANSWER).read_to_string();
        let text = text.map_err(|error| self.failed(error.to_string()))?;
        if !status.is_success() {
            let reason = shown(&text);
            return Err(match status.as_u16() {
                408 | 425 | 429 | 500.. => self.failed(format!("status {status}: {reason}")),
                status => ChatError::Refused { host: self.endpoint.host.clone(), status, reason },
            });
        }
        let completion: Completion = serde_json::from_str(&text)
            .map_err(|error| self.failed(format!("not an answer of a chat ({error}): {}", shown(&text))))?;
        if let Some(usage) = completion.usage {
            tokens.read += usage.prompt_tokens;
            tokens.written += usage.completion_tokens;
        }
        let content = completion.choices.into_iter().next().and_then(|choice| choice.message.content);
        content.ok_or_else(|| self.failed("an answer without a message".to_owned()))
    }

    fn failed(&self, reason: String) -> ChatError {
        ChatError::Failed { host: self.endpoint.host.clone(), reason }
    }
}

/// The beginning of what a server says, on one line.
fn shown(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.char_indices().nth(SHOWN).map_or(line.len(), |(at, _)| at);
    line[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Endpoint::parse(text, RemoteHttp::Refused).unwrap_err().to_string()
    }

    #[test]
    fn passages_go_to_other_machines_only_encrypted() {
        for here in
            ["http://127.0.0.1:8000/v1", "http://localhost:1/v1/", "http://[::1]:8000/v1", "https://llm.example/v1"]
        {
            assert!(Endpoint::parse(here, RemoteHttp::Refused).is_ok(), "{here}");
        }
        for there in ["http://llm.example/v1", "http://10.0.0.5:8000/v1", "http://127.0.0.1.example/v1"] {
            assert!(refused(there).contains("unencrypted; use https"), "{there}");
            assert!(Endpoint::parse(there, RemoteHttp::Allowed).is_ok(), "{there}");
        }
        assert!(refused("https://me:secret@llm.example/v1").contains("QUARRY_LLM_KEY"));
        assert!(
            refused("ftp://127.0.0.1/v1").contains("expected an address")
                && refused("127.0.0.1:8000").contains("expected")
        );
    }

    #[test]
    fn the_path_is_completed() {
        let endpoint = Endpoint::parse("http://127.0.0.1:8000/v1/", RemoteHttp::Refused).unwrap();
        assert_eq!(endpoint.url, "http://127.0.0.1:8000/v1/chat/completions");
        assert_eq!(endpoint.host, "127.0.0.1:8000");
    }
}
