//! The server that runs on a data folder, as commands of the same user reach it: by the socket in that folder.
//!
//! What a command asks is what programs ask over the network, in the same JSON; only the way there is another.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;
use ureq::config::Config;
use ureq::http::{Response, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};
use ureq::{Agent, Body};

use crate::socket;

/// What stands for itself in an address (RFC 3986, 2.3), and all else that has to be encoded.
pub(crate) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// Bytes of an answer that are read.
const MAX_ANSWER: u64 = 1 << 30;

/// A server that has opened the data folder.
pub struct RunningServer {
    agent: Agent,
}

/// Why a server on this machine did not do what it was asked.
#[derive(Debug, Error)]
pub enum RunningServerError {
    /// The socket is there and cannot be used.
    #[error("cannot reach the server that has opened {}", path.display())]
    Unreachable {
        /// The data folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It refused, and says why.
    #[error("the server says: {detail}")]
    Refused {
        /// Its stable code.
        code: String,
        /// Why, with the cure.
        detail: String,
    },
    /// It went away meanwhile, or answers something else.
    #[error("the server gave no answer")]
    NoAnswer(#[source] Box<ureq::Error>),
    /// What it answers cannot be read.
    #[error("the answer of the server cannot be read: it is of another version")]
    Unreadable(#[source] serde_json::Error),
}

impl RunningServer {
    /// The server that has opened a data folder, if one has.
    ///
    /// # Errors
    /// [`RunningServerError::Unreachable`] where there is one that belongs to somebody else.
    pub fn of(data_dir: &Path) -> Result<Option<Self>, RunningServerError> {
        let unreachable = |source| RunningServerError::Unreachable { path: data_dir.to_path_buf(), source };
        if socket::connect_to_owner(data_dir).map_err(unreachable)?.is_none() {
            return Ok(None);
        }
        let config = Agent::config_builder().http_status_as_error(false).proxy(None).max_redirects(0).build();
        let door = Door { data_dir: data_dir.to_path_buf() };
        Ok(Some(Self { agent: Agent::with_parts(config, door, Here) }))
    }

    /// What is at an address below `/`, such as `/api/v1/sources`.
    ///
    /// # Errors
    /// It refused, or gave no answer.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, RunningServerError> {
        read(self.agent.get(address(path)).call())
    }

    /// The same as text, as it is.
    ///
    /// # Errors
    /// As [`RunningServer::get`].
    pub fn get_text(&self, path: &str) -> Result<String, RunningServerError> {
        text(self.agent.get(address(path)).call())
    }

    /// Has something done, without more words than the address has.
    ///
    /// # Errors
    /// As [`RunningServer::get`].
    pub fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, RunningServerError> {
        read(self.agent.post(address(path)).send_empty())
    }

    /// Has something done, with what `body` says.
    ///
    /// # Errors
    /// As [`RunningServer::get`].
    pub fn post_json<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, RunningServerError> {
        read(self.agent.post(address(path)).header("content-type", "application/json").send(body.to_string()))
    }

    /// The same with many objects, one a line.
    ///
    /// # Errors
    /// As [`RunningServer::get`].
    pub fn post_lines<T: DeserializeOwned>(&self, path: &str, lines: &str) -> Result<T, RunningServerError> {
        read(self.agent.post(address(path)).header("content-type", "application/x-ndjson").send(lines))
    }

    /// Puts `body` there.
    ///
    /// # Errors
    /// As [`RunningServer::get`].
    pub fn put_json<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, RunningServerError> {
        read(self.agent.put(address(path)).header("content-type", "application/json").send(body.to_string()))
    }

    /// Removes what is there.
    ///
    /// # Errors
    /// As [`RunningServer::get`].
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, RunningServerError> {
        read(self.agent.delete(address(path)).call())
    }
}

/// A text as one segment of an address, or one value of a query.
pub fn address_segment(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

fn address(path: &str) -> String {
    format!("http://localhost{path}")
}

fn text(answer: Result<Response<Body>, ureq::Error>) -> Result<String, RunningServerError> {
    let no_answer = |error| RunningServerError::NoAnswer(Box::new(error));
    let mut answer = answer.map_err(no_answer)?;
    let text = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_string().map_err(no_answer)?;
    if answer.status().is_success() { Ok(text) } else { Err(refusal(&text)) }
}

fn read<T: DeserializeOwned>(answer: Result<Response<Body>, ureq::Error>) -> Result<T, RunningServerError> {
    serde_json::from_str(&text(answer)?).map_err(RunningServerError::Unreadable)
}

/// What a problem document says.
fn refusal(text: &str) -> RunningServerError {
    let problem: Value = serde_json::from_str(text).unwrap_or_default();
    let said = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
    let detail = match (said("detail"), said("cure")) {
        (detail, cure) if cure.is_empty() => detail,
        (detail, cure) => format!("{detail}; {cure}"),
    };
    RunningServerError::Refused { code: said("code"), detail }
}

/// Opens the socket for each connection.
#[derive(Debug)]
struct Door {
    data_dir: PathBuf,
}

impl Connector for Door {
    type Out = Line;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Line>, ureq::Error> {
        let stream = socket::connect_to_owner(&self.data_dir)?.ok_or(ureq::Error::ConnectionFailed)?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Line { stream, buffers }))
    }
}

/// Names lead nowhere but to the socket.
#[derive(Debug)]
struct Here;

impl Resolver for Here {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from(([127, 0, 0, 1], 0)));
        Ok(addresses)
    }
}

/// A connection by the socket. It waits as long as the server works.
struct Line {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

impl Transport for Line {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let input = self.buffers.input_append_buf();
        let amount = loop {
            match self.stream.read(input) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // One request, one connection: the server may have been started anew in between.
        false
    }
}
