//! The protocol over standard input and output: a message a line, each answered by a line. Nothing else is written there.
//!
//! Promises: what is no message is answered as such and changes nothing; a line is at most so long, and so many requests are
//! under way at once; when the input ends, what was asked before is still answered, and then it is over.

use std::collections::HashSet;
use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, GetMeta as _, ProtocolVersion, RequestId,
    ServerJsonRpcMessage,
};
use rmcp::service::{RxJsonRpcMessage, ServerInitializeError, TxJsonRpcMessage};
use rmcp::transport::{Transport, TransportAdapterIdentity};
use rmcp::{RoleServer, serve_server};
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use super::desk::Desk;
use super::handler::Handler;
use super::local::{AgentParts, Local};
use super::message;
use super::work::Hatch;
use crate::error::{Error, ServeError};

/// Bytes of a line: as many as of a request's body, with room for what surrounds it.
const MAX_LINE: usize = 4 << 20;
/// Requests that are under way at once; more wait in the pipe.
const MAX_UNDER_WAY: usize = 64;

/// Serves an assistant over standard input and output until the input ends.
///
/// # Errors
/// There is no index, or it cannot be opened; standard output is closed.
pub fn serve_agent(parts: AgentParts) -> Result<(), ServeError> {
    let patience = Duration::from_secs(parts.config.limits.request_seconds);
    let local = Arc::new(Local::new(parts));
    // What is wrong with the index is said at once, and not by the first tool.
    local.view().map_err(|error| match error {
        Error::Storage(error) => ServeError::Open(Box::new(error)),
        error => ServeError::Open(Box::new(error)),
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let served = runtime.block_on(serve(local, Lines::start(patience)?));
    runtime.shutdown_background();
    served
}

async fn serve(local: Arc<Local>, lines: Lines) -> Result<(), ServeError> {
    let (hatch, mut jobs) = Hatch::new();
    let desk = Arc::new(Desk::Local(local));
    let work = async move {
        while let Some(job) = jobs.recv().await {
            tokio::spawn(job(Arc::clone(&desk)));
        }
    };
    tokio::spawn(work);
    match serve_server::<_, _, _, TransportAdapterIdentity>(Handler::new(hatch), lines).await {
        Ok(running) => running.waiting().await.map(drop).map_err(|error| ServeError::Io(io::Error::other(error))),
        // It ended before it began.
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(ServeError::Io(io::Error::other(error))),
    }
}

/// What was read from the input.
enum Line {
    Whole(Vec<u8>),
    TooLong,
}

/// Reads lines until the input ends or nobody takes them.
fn read_lines(mut input: impl BufRead, lines: &mpsc::Sender<Line>) {
    loop {
        let line = match read_line(&mut input) {
            Ok(Some(line)) => line,
            Ok(None) => return,
            Err(error) => {
                tracing::error!("standard input cannot be read: {error}");
                return;
            }
        };
        if lines.blocking_send(line).is_err() {
            return;
        }
    }
}

/// The next line; never more of it than may be is held.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let (mut line, mut is_too_long, mut is_over) = (Vec::new(), false, true);
    loop {
        let part = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            part => part?,
        };
        if part.is_empty() {
            break;
        }
        is_over = false;
        let end = part.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(part.len());
        is_too_long |= line.len() + taken > MAX_LINE;
        if is_too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(&part[..taken]);
        }
        input.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            break;
        }
    }
    Ok(match (is_over, is_too_long) {
        (true, _) => None,
        (false, true) => Some(Line::TooLong),
        (false, false) => Some(Line::Whole(line)),
    })
}

/// Requests that wait for their answer.
#[derive(Clone)]
struct UnderWay {
    ids: Arc<Mutex<HashSet<RequestId>>>,
    count: watch::Sender<usize>,
}

impl UnderWay {
    fn new() -> Self {
        Self { ids: Arc::default(), count: watch::Sender::new(0) }
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashSet<RequestId>) -> T) -> T {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut ids);
        self.count.send_replace(ids.len());
        changed
    }

    /// Waits until fewer than so many are under way.
    async fn fewer_than(&self, most: usize) {
        // The sender is ours, so that it never ends.
        let _ = self.count.subscribe().wait_for(|count| *count < most).await;
    }
}

/// The transport.
struct Lines {
    lines: mpsc::Receiver<Line>,
    under_way: UnderWay,
    /// How long what is under way may take once the input has ended.
    patience: Duration,
    /// Whether the SDK has been told how the client speaks. Before that it takes requests alone.
    is_begun: bool,
    is_output_closed: AtomicBool,
}

impl Lines {
    fn start(patience: Duration) -> io::Result<Self> {
        let (sender, lines) = mpsc::channel(1);
        let read = move || read_lines(io::stdin().lock(), &sender);
        std::thread::Builder::new().name("input".to_owned()).spawn(read)?;
        Ok(Self {
            lines,
            under_way: UnderWay::new(),
            patience,
            is_begun: false,
            is_output_closed: AtomicBool::new(false),
        })
    }

    /// Writes a message, whole.
    fn write(&self, message: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        let mut output = io::stdout().lock();
        let written = output.write_all(&line).and_then(|()| output.flush());
        if written.is_err() {
            self.is_output_closed.store(true, Ordering::Relaxed);
        }
        written
    }

    /// What is passed on of what was read; what is none of it is answered here.
    fn message(&mut self, line: Line) -> Option<ClientJsonRpcMessage> {
        let line = match line {
            Line::Whole(line) => line,
            Line::TooLong => {
                self.answer(&message::invalid(None, format!("the message is longer than {MAX_LINE} bytes")));
                return None;
            }
        };
        if line.trim_ascii().is_empty() {
            return None;
        }
        match message::read(&line) {
            Ok(message) => self.admitted(message),
            Err(wrong) => {
                self.answer(&wrong);
                None
            }
        }
    }

    fn answer(&self, message: &impl Serialize) {
        // That the output is closed is noticed when the next message is to be read.
        let _ = self.write(message);
    }

    fn admitted(&mut self, message: ClientJsonRpcMessage) -> Option<ClientJsonRpcMessage> {
        match &message {
            ClientJsonRpcMessage::Request(request) => {
                if !self.under_way.change(|ids| ids.insert(request.id.clone())) {
                    let why = "id: expected another one than that of a request under way";
                    self.answer(&message::invalid(None, why));
                    return None;
                }
                self.is_begun |= begins(&request.request);
            }
            ClientJsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.under_way.change(|ids| ids.remove(id));
                }
                return self.is_begun.then_some(message);
            }
            // Nothing was asked of the client.
            ClientJsonRpcMessage::Response(_) | ClientJsonRpcMessage::Error(_) => return None,
        }
        Some(message)
    }
}

/// Whether a request says how its client speaks: by a handshake, or by itself.
fn begins(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        request => {
            let meta = request.get_meta();
            let is_known = |version: ProtocolVersion| ProtocolVersion::KNOWN_VERSIONS.contains(&version);
            meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
                && meta.protocol_version().is_some_and(is_known)
        }
    }
}

impl Transport<RoleServer> for Lines {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let answered = match &message {
            ServerJsonRpcMessage::Response(response) => Some(&response.id),
            ServerJsonRpcMessage::Error(error) => error.id.as_ref(),
            _ => None,
        };
        let written = self.write(&message);
        if let Some(id) = answered {
            self.under_way.change(|ids| ids.remove(id));
        }
        std::future::ready(written)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            self.under_way.fewer_than(MAX_UNDER_WAY).await;
            let is_closed = self.is_output_closed.load(Ordering::Relaxed);
            let line = if is_closed { None } else { self.lines.recv().await };
            let Some(line) = line else {
                // What was asked before the end is answered before the end.
                let _ = tokio::time::timeout(self.patience, self.under_way.fewer_than(1)).await;
                return None;
            };
            if let Some(message) = self.message(line) {
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(text: &[u8], buffer: usize) -> Vec<Option<usize>> {
        let mut input = BufReader::with_capacity(buffer, text);
        std::iter::from_fn(|| read_line(&mut input).unwrap())
            .map(|line| match line {
                Line::Whole(line) => Some(line.len()),
                Line::TooLong => None,
            })
            .collect()
    }

    #[test]
    fn lines_are_read_whole_and_long_ones_passed_over() {
        assert_eq!(lines(b"", 8), []);
        assert_eq!(lines(b"a\n\nbc", 2), [Some(1), Some(0), Some(2)]);
        let long = [vec![b'x'; MAX_LINE + 1], b"\nab\n".to_vec()].concat();
        assert_eq!(lines(&long, 1 << 16), [None, Some(2)]);
        assert_eq!(lines(&long[1..], 1 << 16), [Some(MAX_LINE), Some(2)]);
        assert_eq!(lines(&vec![b'x'; 3 * MAX_LINE], 1 << 16), [None]);
    }
}
