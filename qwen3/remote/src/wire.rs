//! The wire to an endpoint: one request and its answer, with what may go wrong on the way told apart.

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Response};

use crate::endpoint::Endpoint;
use crate::fault::{Fault, shown};
use crate::key::Key;

/// Time for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Most bytes of a refusal that are read.
const MAX_REFUSAL: u64 = 1 << 20;

/// A wire to an endpoint. Requests may be made from several threads at once.
#[derive(Debug)]
pub(crate) struct Wire {
    agent: Agent,
    endpoint: Endpoint,
    key: Option<Key>,
}

impl Wire {
    pub(crate) fn new(endpoint: Endpoint, key: Option<Key>) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("quarry/", env!("CARGO_PKG_VERSION")));
        if endpoint.is_here {
            config = config.proxy(None);
        }
        Self { agent: config.build().new_agent(), endpoint, key }
    }

    /// Host and port of the endpoint.
    pub(crate) fn host(&self) -> &str {
        &self.endpoint.host
    }

    /// Whether what is sent leaves this machine.
    pub(crate) fn is_remote(&self) -> bool {
        !self.endpoint.is_here
    }

    /// The answer to a request, whose body is still to be read; one that is none is a fault.
    pub(crate) fn post(&self, path: &str, body: &Value, time: Duration) -> Result<Response<ureq::Body>, Fault> {
        let url = self.endpoint.url(path);
        let request = self.agent.post(&url).config().timeout_global(Some(time)).build();
        let mut request = request.header("Content-Type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("Authorization", key.header());
        }
        let response = request.send(body.to_string()).map_err(|error| self.failed(error.to_string()))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, after) = (response.status().as_u16(), retry_after(response.headers()));
        let text = response.into_body().into_with_config().limit(MAX_REFUSAL).read_to_string().unwrap_or_default();
        let (host, reason) = (self.endpoint.host.clone(), shown(&text));
        Err(match status {
            408 | 425 | 429 | 500.. => Fault::Failed { host, reason: format!("status {status}: {reason}"), after },
            300..400 => Fault::Refused {
                host,
                status,
                reason: "it sends elsewhere, and passages are not sent after it".to_owned(),
            },
            status => Fault::Refused { host, status, reason },
        })
    }

    /// [`Wire::post`], and the whole answer, of so many bytes at the most.
    pub(crate) fn ask(&self, path: &str, body: &Value, time: Duration, most: u64) -> Result<String, Fault> {
        let response = self.no_page(self.post(path, body, time)?)?;
        let body = response.into_body().into_with_config().limit(most);
        body.read_to_string().map_err(|error| self.failed(error.to_string()))
    }

    /// Refuses an answer that is made for people.
    pub(crate) fn no_page(&self, response: Response<ureq::Body>) -> Result<Response<ureq::Body>, Fault> {
        if !content_type(response.headers()).starts_with("text/html") {
            return Ok(response);
        }
        Err(Fault::Refused {
            host: self.endpoint.host.clone(),
            status: response.status().as_u16(),
            reason: "a page for people, not the answer of a model".to_owned(),
        })
    }

    /// A failure that may pass.
    pub(crate) fn failed(&self, reason: String) -> Fault {
        Fault::Failed { host: self.endpoint.host.clone(), reason, after: None }
    }
}

/// What an answer says that it is.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
