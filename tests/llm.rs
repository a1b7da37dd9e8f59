//! A stand-in for a language model's endpoint: answers both steps of making a query in a fixed way, or what a test wants it to
//! say, and misbehaves on demand.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::loopback::{Sent, listen, read};

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Answers as asked.
    Good,
    /// Answers as asked after thinking aloud, in a fenced block.
    Chatty,
    /// The first answer to every step is no JSON.
    RubbishFirst,
    /// No answer is JSON.
    Rubbish,
    /// Answers everything with this status.
    Answers(u16),
    /// Every second request is answered 503.
    Stumbles,
    /// Answers as asked, this many milliseconds later.
    Slow(u64),
    /// Sends another host's address.
    Redirects,
    /// Queries that have nothing to do with the passage.
    OffTopic,
    /// Sends more than anyone wants to read.
    Endless,
}

/// A running stand-in; it ends with the test's process.
pub(crate) struct StandIn {
    pub(crate) endpoint: String,
    state: Arc<State>,
}

/// What a test wants it to say to messages.
type Saying = dyn Fn(&Asked) -> String + Send + Sync;

struct State {
    manner: Mutex<Manner>,
    saying: Option<Box<Saying>>,
    log: Mutex<Vec<Asked>>,
}

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The last message.
    pub(crate) prompt: String,
    /// The first one.
    pub(crate) instruction: String,
    stream: bool,
    pub(crate) model: String,
    pub(crate) key: Option<String>,
}

impl StandIn {
    pub(crate) fn start(manner: Manner) -> Self {
        Self::of(manner, None)
    }

    /// One that says what a test wants it to.
    pub(crate) fn saying(saying: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Self {
        Self::of(Manner::Good, Some(Box::new(saying)))
    }

    fn of(manner: Manner, saying: Option<Box<Saying>>) -> Self {
        let state = Arc::new(State { manner: Mutex::new(manner), saying, log: Mutex::default() });
        let shared = state.clone();
        let endpoint = listen(move |stream| shared.serve(stream));
        Self { endpoint, state }
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.log.lock().unwrap().clone()
    }
}

impl State {
    /// Requests of one connection, one after the other.
    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        while let Some(asked) = read(&mut reader)?.map(Asked::of) {
            let number = {
                let mut log = self.log.lock().unwrap();
                log.push(asked.clone());
                log.len()
            };
            let manner = *self.manner.lock().unwrap();
            self.answer(stream, &asked, manner, number)?;
        }
        Ok(())
    }

    fn answer(&self, mut stream: &TcpStream, asked: &Asked, manner: Manner, number: usize) -> std::io::Result<()> {
        let status = match manner {
            Manner::Answers(status) => Some(status),
            Manner::Stumbles if number % 2 == 1 => Some(503),
            _ => None,
        };
        if let Some(status) = status {
            let body = "{\"error\": {\"message\": \"staged\"}}";
            return write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
        if manner == Manner::Redirects {
            return write!(stream, "HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:9/v1\r\nContent-Length: 0\r\n\r\n");
        }
        if let Manner::Slow(milliseconds) = manner {
            std::thread::sleep(Duration::from_millis(milliseconds));
        }
        let again = asked.prompt.contains("Your last answer could not be used");
        let content = match manner {
            Manner::Rubbish => "Sure! Here is your query.".to_owned(),
            Manner::RubbishFirst if !again => "{\"persona\": \"the boss\"}".to_owned(),
            Manner::Chatty => format!("<think>Hm.</think>\n```json\n{}\n```", reply(&asked.prompt, manner)),
            Manner::Endless => "x".repeat(3 << 20),
            _ => self.saying.as_ref().map_or_else(|| reply(&asked.prompt, manner), |saying| saying(asked)),
        };
        if asked.stream {
            return streamed(stream, &content);
        }
        let body = json!({
            "choices": [{"index": 0, "message": {"role": "assistant", "content": content}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10},
        })
        .to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes())
    }
}

/// An answer as it is written, a few characters at a time.
fn streamed(mut stream: &TcpStream, content: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
    let characters: Vec<char> = content.chars().collect();
    for piece in characters.chunks(7) {
        let piece: String = piece.iter().collect();
        write!(stream, "data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": piece}}]}))?;
    }
    write!(stream, "data: [DONE]\n\n")?;
    // Without a length, the end of the connection is the end of the answer.
    stream.shutdown(std::net::Shutdown::Both)
}

/// The answer to either step.
fn reply(prompt: &str, manner: Manner) -> String {
    if prompt.contains("Kinds of question:") {
        return json!({"persona": 2, "question_type": "fact", "difficulty": "expert", "language": "en"}).to_string();
    }
    let marker =
        prompt.split(|c: char| !c.is_alphanumeric()).find(|word| word.starts_with("marker")).unwrap_or("nothing");
    let query = if manner == Manner::OffTopic {
        "recipes for apple pie with cinnamon".to_owned()
    } else {
        format!("which station has {marker}")
    };
    json!({"query": query}).to_string()
}

impl Asked {
    fn of(Sent { path, key, body }: Sent) -> Self {
        assert_eq!(path, "/v1/chat/completions");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let messages = body["messages"].as_array().unwrap();
        let message = |at: usize| text(&messages[at]["content"]);
        Self {
            prompt: message(messages.len() - 1),
            instruction: message(0),
            stream: body["stream"] == true,
            model: text(&body["model"]),
            key,
        }
    }
}
