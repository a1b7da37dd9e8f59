//! What stand-ins for other servers have in common: a port on this machine, and requests of JSON.

use std::io::{BufRead, Result};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::Value;

/// What a stand-in was sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) path: String,
    /// `Authorization`.
    pub(crate) key: Option<String>,
    pub(crate) body: Value,
}

/// Serves each connection in a thread of its own, until the test's process ends; the address with `/v1` behind it.
pub(crate) fn listen(serve: impl Fn(&TcpStream) -> Result<()> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1", listener.local_addr().unwrap());
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = Arc::clone(&serve);
            // A client that hangs up is no reason to stop.
            std::thread::spawn(move || stream.and_then(|stream| serve(&stream)));
        }
    });
    endpoint
}

/// The next request of a connection; `None` at its end.
pub(crate) fn read(reader: &mut impl BufRead) -> Result<Option<Sent>> {
    let (mut line, mut length, mut key) = (String::new(), 0, None);
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.strip_prefix("POST ").and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => key = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Sent { path, key, body: serde_json::from_slice(&body).unwrap() }))
}
