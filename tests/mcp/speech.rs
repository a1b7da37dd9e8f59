//! Those who speak the protocol, by the bytes of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};

use serde_json::{Value, json};

use crate::server::{Reply, Server};
use crate::support::Bench;

/// How a client says how it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// By `initialize`, once.
    Handshake,
    /// With each request.
    Alone,
}

const OLD: &str = "2025-06-18";
const NEW: &str = "2026-07-28";

impl Manner {
    pub(super) const ALL: [Self; 2] = [Self::Handshake, Self::Alone];

    pub(super) fn request(self, id: u64, method: &str, mut params: Value) -> Value {
        if self == Self::Alone {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": NEW,
                "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    }

    pub(super) fn call(self, id: u64, tool: &str, arguments: Value) -> Value {
        self.request(id, "tools/call", json!({ "name": tool, "arguments": arguments }))
    }
}

/// A way to the server.
pub(super) trait Speaker {
    /// Sends a message; what comes back, if it is a request.
    fn send(&mut self, message: &Value) -> Option<Value>;
}

/// Over HTTP.
pub(super) struct Web<'a> {
    server: &'a Server,
    headers: Vec<(String, String)>,
}

impl<'a> Web<'a> {
    pub(super) fn new(server: &'a Server, headers: &[(&str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { server, headers }
    }

    pub(super) fn by_key(server: &'a Server, key: &str) -> Self {
        Self::new(server, &[("authorization", &format!("Bearer {key}"))])
    }

    /// Sends a message with the headers that belong to it.
    pub(super) fn post(&self, message: &Value) -> Reply {
        let params = &message["params"];
        let version = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
        let mut headers: Vec<(&str, &str)> = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", version.unwrap_or(OLD)),
        ];
        if version.is_some() {
            headers.extend(message["method"].as_str().map(|method| ("mcp-method", method)));
            let name = params["name"].as_str().or(params["uri"].as_str());
            headers.extend(name.filter(|name| !name.is_empty()).map(|name| ("mcp-name", name)));
        }
        headers.extend(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.server.request("POST", "/mcp", &headers, message.to_string().as_bytes())
    }
}

impl Speaker for Web<'_> {
    fn send(&mut self, message: &Value) -> Option<Value> {
        let reply = self.post(message);
        if message["id"].is_null() {
            assert_eq!((reply.status, reply.text.as_str()), (202, ""));
            return None;
        }
        assert_eq!(reply.header("content-type"), "application/json", "{} {}", reply.status, reply.text);
        Some(reply.json())
    }
}

/// Over standard input and output.
pub(super) struct Stdio {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Stdio {
    pub(super) fn start(bench: &Bench, args: &[&str]) -> Self {
        let mut command = bench.command(&[&["mcp"], args].concat());
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut process = command.spawn().unwrap();
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output }
    }

    /// Writes what may be no message.
    pub(super) fn write(&mut self, line: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line).unwrap();
        input.write_all(b"\n").unwrap();
        input.flush().unwrap();
    }

    /// The next line that is written.
    pub(super) fn read(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Ends the input: the process ends by itself, and has nothing more to say.
    pub(super) fn ends_well(mut self) {
        drop(self.input.take());
        let mut rest = String::new();
        self.output.read_line(&mut rest).unwrap();
        assert_eq!(rest, "");
        assert!(self.process.wait().unwrap().success());
    }
}

impl Speaker for Stdio {
    fn send(&mut self, message: &Value) -> Option<Value> {
        self.write(message.to_string().as_bytes());
        (!message["id"].is_null()).then(|| self.read())
    }
}

impl Drop for Stdio {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A client.
pub(super) struct Agent<'a> {
    speaker: &'a mut dyn Speaker,
    pub(super) manner: Manner,
    last: u64,
}

impl<'a> Agent<'a> {
    pub(super) fn new(speaker: &'a mut dyn Speaker, manner: Manner) -> Self {
        let mut agent = Self { speaker, manner, last: 0 };
        match manner {
            Manner::Handshake => {
                let client = json!({ "name": "test", "version": "1" });
                let hello = json!({ "protocolVersion": OLD, "capabilities": {}, "clientInfo": client });
                let told = agent.ask("initialize", hello);
                assert_eq!((&told["protocolVersion"], &told["serverInfo"]["name"]), (&json!(OLD), &json!("quarry")));
                assert!(told["capabilities"]["tools"].is_object() && told["capabilities"]["resources"].is_object());
                assert!(told["instructions"].is_string(), "{told}");
                let begun = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
                assert_eq!(agent.speaker.send(&begun), None);
            }
            Manner::Alone => {
                let told = agent.ask("server/discover", json!({}));
                assert!(told["supportedVersions"].as_array().unwrap().contains(&json!(NEW)), "{told}");
                assert!(told["capabilities"]["tools"].is_object() && told["cacheScope"] == "private", "{told}");
            }
        }
        agent
    }

    /// Sends a request; the whole answer.
    pub(super) fn send(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let told = self.speaker.send(&self.manner.request(self.last, method, params)).unwrap();
        assert_eq!((&told["jsonrpc"], &told["id"]), (&json!("2.0"), &json!(self.last)), "{told}");
        told
    }

    /// The result of a request.
    pub(super) fn ask(&mut self, method: &str, params: Value) -> Value {
        let told = self.send(method, params);
        assert!(told["error"].is_null(), "{told}");
        told["result"].clone()
    }

    /// The error that a request is refused with.
    pub(super) fn refused(&mut self, method: &str, params: Value) -> Value {
        let told = self.send(method, params);
        assert!(told["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{told}");
        told["error"].clone()
    }

    pub(super) fn tool(&mut self, name: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({ "name": name, "arguments": arguments }))
    }
}

/// What a tool gave: the same in both forms.
pub(super) fn called(result: &Value) -> Value {
    assert_ne!(result["isError"], true, "{result}");
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, result["structuredContent"]);
    text
}

/// What a tool says that it cannot do.
pub(super) fn failed(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "{result}");
    assert!(result["structuredContent"].is_null(), "{result}");
    result["content"][0]["text"].as_str().unwrap()
}
