//! A stand-in for the hub: one thread on a port of this machine that speaks as much HTTP/1.1 as a model's download
//! needs, and misbehaves on demand.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The commit that the hub says its files are of.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How the hub behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Like Hugging Face: a list with checksums, redirects, ranges.
    Good,
    /// A folder of files behind a web server: no list, no checksums.
    Plain,
    /// Like `Plain`, and no answer has a length, nor can it be continued.
    NoLength,
    /// Like `NoLength`, and every file ends in its middle.
    CutsUnseen,
    /// Sends the weights up to the middle, then hangs up, once.
    CutsOnce,
    /// Sends half of what remains of the weights each time, then hangs up.
    CutsAlways,
    /// One byte of the weights is not the one that the list's checksum is of.
    Corrupts,
    /// Ignores ranges, and cuts the first answer.
    IgnoresRanges,
    /// Answers everything with this status.
    Answers(u16),
}

/// A running stand-in; it ends with the test's process.
pub(crate) struct StandIn {
    pub(crate) endpoint: String,
    state: Arc<State>,
}

struct State {
    port: u16,
    repository: String,
    files: Vec<(String, Vec<u8>)>,
    manner: Mutex<Manner>,
    cuts: AtomicUsize,
    /// Every request: method, target, range.
    log: Mutex<Vec<Request>>,
}

/// What was asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) target: String,
    pub(crate) from: Option<usize>,
    to: Option<usize>,
    pub(crate) token: Option<String>,
}

impl StandIn {
    pub(crate) fn start(repository: &str, files: Vec<(String, Vec<u8>)>, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            port: listener.local_addr().unwrap().port(),
            repository: repository.to_string(),
            files,
            manner: Mutex::new(manner),
            cuts: AtomicUsize::new(0),
            log: Mutex::default(),
        });
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = shared.clone();
                // A client that hangs up is no reason to stop.
                std::thread::spawn(move || stream.and_then(|stream| state.answer(stream)));
            }
        });
        Self { endpoint, state }
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.log.lock().unwrap().clone()
    }

    /// The requests for a file's bytes.
    pub(crate) fn requests_of(&self, file: &str) -> Vec<Request> {
        let of_file = |request: &Request| request.target.ends_with(&format!("/{file}"));
        self.requests().into_iter().filter(of_file).collect()
    }
}

impl State {
    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let Some(request) = read(&stream)? else { return Ok(()) };
        self.log.lock().unwrap().push(request.clone());
        let manner = *self.manner.lock().unwrap();
        let mut stream = &stream;
        if let Manner::Answers(status) = manner {
            return write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        let has_list = !matches!(manner, Manner::Plain | Manner::NoLength | Manner::CutsUnseen);
        let target = request.target.split('?').next().unwrap_or_default();
        if has_list && target.starts_with(&format!("/api/models/{}/revision/", self.repository)) {
            let list = self.list().to_string();
            return write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{list}",
                list.len()
            );
        }
        let name = target.rsplit('/').next().unwrap_or_default();
        let known = target.starts_with(&format!("/{}/resolve/", self.repository)) || target.starts_with("/cdn/");
        let Some((_, bytes)) = self.files.iter().find(|(file, _)| known && file == name) else {
            return write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        };
        // Large files are on another host, as on the hub: the token must not follow.
        if has_list && is_large(name) && !target.starts_with("/cdn/") {
            return write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: http://localhost:{}/cdn/{name}\r\nX-Repo-Commit: {COMMIT}\r\nX-Linked-Etag: \"{}\"\r\n\
                 X-Linked-Size: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                self.port,
                sha256(bytes),
                bytes.len()
            );
        }
        self.send(stream, manner, name, bytes, &request)
    }

    fn send(
        &self,
        mut stream: &TcpStream,
        manner: Manner,
        name: &str,
        bytes: &[u8],
        request: &Request,
    ) -> std::io::Result<()> {
        let ranged = !matches!(manner, Manner::NoLength | Manner::CutsUnseen | Manner::IgnoresRanges);
        let from = request.from.filter(|_| ranged);
        if from.is_some_and(|from| from >= bytes.len()) {
            return write!(stream, "HTTP/1.1 416 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        let end = request.to.filter(|_| ranged).map_or(bytes.len(), |to| bytes.len().min(to + 1));
        let mut body = bytes[from.unwrap_or(0)..end].to_vec();
        match from {
            Some(from) => write!(
                stream,
                "HTTP/1.1 206 Partial\r\nContent-Range: bytes {from}-{}/{}\r\n",
                end.saturating_sub(1),
                bytes.len()
            )?,
            None => write!(stream, "HTTP/1.1 200 OK\r\n")?,
        }
        if !matches!(manner, Manner::NoLength | Manner::CutsUnseen) {
            write!(stream, "Content-Length: {}\r\n", body.len())?;
        }
        write!(stream, "ETag: \"{}\"\r\nConnection: close\r\n\r\n", &sha256(bytes)[..12])?;
        let half = body.len() / 2;
        if manner == Manner::CutsUnseen {
            body.truncate(half);
        }
        if is_large(name) {
            let first = || self.cuts.fetch_add(1, Ordering::SeqCst) == 0;
            match manner {
                Manner::CutsAlways => body.truncate(half),
                Manner::CutsOnce | Manner::IgnoresRanges if first() => body.truncate(half),
                Manner::Corrupts => body[half] ^= 1,
                _ => {}
            }
        }
        stream.write_all(&body)
    }

    fn list(&self) -> serde_json::Value {
        let sibling = |(name, bytes): &(String, Vec<u8>)| {
            let mut entry = json!({"rfilename": name, "size": bytes.len(), "blobId": git_sha1(bytes)});
            if is_large(name) {
                entry["lfs"] = json!({"sha256": sha256(bytes), "size": bytes.len(), "pointerSize": 134});
            }
            entry
        };
        json!({"id": self.repository, "sha": COMMIT, "siblings": self.files.iter().map(sibling).collect::<Vec<_>>()})
    }
}

/// Kept in large file storage, where SHA-256 is known.
fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".gguf")
}

fn read(stream: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let mut request = Request { target: first.split(' ').nth(1).unwrap_or_default().to_string(), ..Request::default() };
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "range" => {
                let (from, to) = value.trim_start_matches("bytes=").split_once('-').unwrap();
                (request.from, request.to) = (from.parse().ok(), to.parse().ok());
            }
            "authorization" => request.token = Some(value.to_string()),
            _ => {}
        }
    }
    Ok(Some(request))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn git_sha1(bytes: &[u8]) -> String {
    hex(&Sha1::new().chain_update(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize())
}
