//! The wire to a mail server: encrypted, to a checked address, line by line and literal by literal within bounds.
//!
//! Implicit TLS (`imaps`), or TLS that is begun by a command (`imap`, STARTTLS) before anything else is said; unencrypted to this
//! machine alone. What a stranger sent ahead of the encryption is refused.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use url::Url;

use crate::error::ConnectError;
use crate::http::certificates;
use crate::places::Places;
use crate::settings::Settings;

/// Time for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Time until something comes.
const ANSWER: Duration = Duration::from_secs(60);
/// How long nobody looks at the stop flag.
const NAP: Duration = Duration::from_millis(200);
/// Bytes of a line.
const MOST_OF_LINE: usize = 1 << 20;
/// Bytes that are read at once.
const BLOCK: usize = 16 << 10;

/// How a server is reached.
pub(super) struct Way {
    pub(super) host: String,
    port: u16,
    /// Whether it is encrypted from the beginning.
    is_implicit: bool,
    is_here: bool,
    places: Places,
    tls: Arc<ClientConfig>,
}

/// A connection.
pub(super) struct Wire {
    stream: Stream,
    host: String,
    read: Vec<u8>,
    at: usize,
    stop: Arc<AtomicBool>,
}

enum Stream {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Way {
    /// The way to the server of an address.
    ///
    /// # Errors
    /// The certificates that are named cannot be read.
    pub(super) fn new(settings: &Settings, url: &Url) -> Result<Self, ConnectError> {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let is_implicit = url.scheme() == "imaps";
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(file) = &settings.ca_file {
            roots = RootCertStore::empty();
            roots.add_parsable_certificates(
                certificates(file)?.iter().map(|found| CertificateDer::from(found.der().to_vec())),
            );
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ConnectError::Nonsense { host: host.clone(), reason: format!("no TLS: {error}") })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let places = Places { host: host.clone(), allow_private: settings.allow_private };
        Ok(Self {
            port: url.port().unwrap_or(if is_implicit { 993 } else { 143 }),
            is_here: is_here(&host),
            host,
            is_implicit,
            places,
            tls: Arc::new(tls),
        })
    }

    /// Connects; whether it is still to be encrypted.
    ///
    /// # Errors
    /// Nobody answers there, or not as who it should be.
    pub(super) fn connect(&self, stop: &Arc<AtomicBool>) -> Result<Wire, ConnectError> {
        let addresses = self.places.resolve(&self.host, self.port)?;
        let stream = self.connected(&addresses)?;
        let setting = stream
            .set_read_timeout(Some(NAP))
            .and_then(|()| stream.set_write_timeout(Some(ANSWER)))
            .and_then(|()| stream.set_nodelay(true));
        setting.map_err(|error| self.failed(&error.to_string()))?;
        let stream = Stream::Plain(stream);
        let wire = Wire { stream, host: self.host.clone(), read: Vec::new(), at: 0, stop: Arc::clone(stop) };
        if self.is_implicit { self.encrypt(wire) } else { Ok(wire) }
    }

    /// Whether it has to be encrypted by a command before anything else is said.
    pub(super) fn wants_command(&self) -> bool {
        !self.is_implicit && !self.is_here
    }

    /// Encrypts a connection.
    ///
    /// # Errors
    /// Something came ahead of the encryption, or the name makes no sense.
    pub(super) fn encrypt(&self, wire: Wire) -> Result<Wire, ConnectError> {
        let Stream::Plain(stream) = wire.stream else { return Ok(wire) };
        if wire.at < wire.read.len() {
            let reason =
                "something was said between STARTTLS and the encryption, which the server cannot have said".to_owned();
            return Err(ConnectError::Nonsense { host: self.host.clone(), reason });
        }
        let bare = self.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|error| self.failed(&error.to_string()))?;
        let connection =
            ClientConnection::new(Arc::clone(&self.tls), name).map_err(|error| self.failed(&error.to_string()))?;
        let stream = Stream::Encrypted(Box::new(StreamOwned::new(connection, stream)));
        Ok(Wire { stream, read: Vec::new(), at: 0, ..wire })
    }

    fn connected(&self, addresses: &[SocketAddr]) -> Result<TcpStream, ConnectError> {
        let mut last = "its name has no address".to_owned();
        for address in addresses {
            match TcpStream::connect_timeout(address, CONNECT) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = format!("nobody answers at port {} ({error})", self.port),
            }
        }
        Err(self.failed(&last))
    }

    fn failed(&self, reason: &str) -> ConnectError {
        ConnectError::Failed { host: self.host.clone(), reason: reason.to_owned(), after: None }
    }
}

impl Wire {
    /// Sends a line.
    ///
    /// # Errors
    /// The connection broke.
    pub(super) fn send(&mut self, line: &str) -> Result<(), ConnectError> {
        let host = self.host.clone();
        let text = format!("{line}\r\n");
        let sent = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(text.as_bytes()),
            Stream::Encrypted(stream) => stream.write_all(text.as_bytes()).and_then(|()| stream.flush()),
        };
        // Not the error of the system alone: it does not say what was sent.
        sent.map_err(|error| broke(&host, &error))
    }

    /// The next answer: a line with the literals in it, of at most `most` bytes each.
    ///
    /// # Errors
    /// The connection broke, it is too large, or somebody asked to stop.
    pub(super) fn answer(&mut self, most: u64) -> Result<Vec<u8>, ConnectError> {
        let mut answer = Vec::new();
        let mut literals = 0u64;
        loop {
            let line = self.line()?;
            answer.extend_from_slice(&line);
            let Some(length) = literal(&line) else { return Ok(answer) };
            literals = literals.saturating_add(length);
            // Lines between literals are bounded one by one, and have to be together.
            let lines = (answer.len() as u64).saturating_sub(literals.saturating_sub(length));
            if literals > most || lines > most.max(MOST_OF_LINE as u64) {
                return Err(ConnectError::TooLarge { most });
            }
            self.exactly(usize::try_from(length).unwrap_or(usize::MAX), &mut answer)?;
        }
    }

    pub(super) fn nonsense(&self, reason: String) -> ConnectError {
        ConnectError::Nonsense { host: self.host.clone(), reason }
    }

    /// A line with its end.
    fn line(&mut self) -> Result<Vec<u8>, ConnectError> {
        let mut searched = self.at;
        loop {
            if let Some(end) = self.read[searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.read[self.at..=searched + end].to_vec();
                self.at = searched + end + 1;
                return Ok(line);
            }
            searched = self.read.len();
            if self.read.len() - self.at > MOST_OF_LINE {
                return Err(self.nonsense(format!("it sends a line of more than {MOST_OF_LINE} bytes")));
            }
            searched -= self.fill()?;
        }
    }

    fn exactly(&mut self, length: usize, into: &mut Vec<u8>) -> Result<(), ConnectError> {
        let mut left = length;
        while left > 0 {
            if self.at == self.read.len() {
                self.fill()?;
            }
            let take = left.min(self.read.len() - self.at);
            into.extend_from_slice(&self.read[self.at..self.at + take]);
            self.at += take;
            left -= take;
        }
        Ok(())
    }

    /// Reads more; how many bytes were forgotten before it.
    fn fill(&mut self) -> Result<usize, ConnectError> {
        let forgotten = self.at;
        self.read.drain(..self.at);
        self.at = 0;
        let started = Instant::now();
        let mut block = [0; BLOCK];
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(ConnectError::Stopped);
            }
            let read = match &mut self.stream {
                Stream::Plain(stream) => stream.read(&mut block),
                Stream::Encrypted(stream) => stream.read(&mut block),
            };
            match read {
                Ok(0) => return Err(broke(&self.host, &io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => {
                    self.read.extend_from_slice(&block[..read]);
                    return Ok(forgotten);
                }
                Err(error) if is_pause(&error) && started.elapsed() < ANSWER => {}
                Err(error) => return Err(broke(&self.host, &error)),
            }
        }
    }
}

/// Whether nothing has come yet.
fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// What a broken connection means.
fn broke(host: &str, error: &io::Error) -> ConnectError {
    let host = host.to_owned();
    // Who it is does not become another by asking again.
    if error.kind() == io::ErrorKind::InvalidData {
        let reason =
            format!("it cannot be talked to encrypted ({error}); look at its certificate (ca_file), and at the port");
        return ConnectError::Nonsense { host, reason };
    }
    ConnectError::Failed { host, reason: format!("the connection broke ({error})"), after: None }
}

/// The length of the literal that a line announces at its end: `{123}`.
fn literal(line: &[u8]) -> Option<u64> {
    let text = line.strip_suffix(b"\r\n").or_else(|| line.strip_suffix(b"\n"))?.strip_suffix(b"}")?;
    let start = text.iter().rposition(|byte| *byte == b'{')? + 1;
    std::str::from_utf8(&text[start..]).ok()?.trim_end_matches('+').parse().ok()
}

/// Whether a host is this machine by its name.
pub(crate) fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("host", &self.host).finish_non_exhaustive()
    }
}
