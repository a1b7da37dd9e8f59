//! A stand-in for a server of embedding models and rerankers: answers in the shapes of OpenAI, text-embeddings-inference and Cohere,
//! and misbehaves on demand. Its vectors are bags of words, so that what shares words lies near.

use std::io::{BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::loopback::{Sent, listen, read};

/// Length of its vectors.
pub(crate) const WIDTH: usize = 64;

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// Answers as asked.
    Good,
    /// Hangs up before it has answered.
    Gone,
    /// Answers everything with this status.
    Answers(u16),
    /// Too busy; asks for a second.
    Busy,
    /// Sends a page for people.
    Page,
    /// Ends in the middle of an answer.
    CutOff,
    /// Vectors of half the length.
    Narrow,
    /// Fewer answers than texts.
    Fewer,
    /// No numbers for texts with the word `poison`.
    Poisoned,
    /// As asked, after so many milliseconds.
    Slow(u64),
    /// Another model under the same name.
    Another,
    /// Takes no more than so many texts at once.
    AtMost(usize),
    /// Knows no base64.
    Plain,
}

/// A running stand-in; it ends with the test's process.
pub(crate) struct ModelServer {
    /// With the version, as OpenAI's addresses have it.
    pub(crate) endpoint: String,
    state: Arc<State>,
}

struct State {
    conduct: Mutex<Conduct>,
    log: Mutex<Vec<Sent>>,
}

impl ModelServer {
    pub(crate) fn start(conduct: Conduct) -> Self {
        let state = Arc::new(State { conduct: Mutex::new(conduct), log: Mutex::default() });
        let shared = state.clone();
        let endpoint = listen(move |stream| shared.serve(stream));
        Self { endpoint, state }
    }

    pub(crate) fn behave(&self, conduct: Conduct) {
        *self.state.conduct.lock().unwrap() = conduct;
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.state.log.lock().unwrap().clone()
    }

    /// All texts that it was to embed.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = |sent: Sent| sent.body["input"].as_array().cloned().unwrap_or_default();
        let texts = self.sent().into_iter().flat_map(texts);
        texts.map(|text| text.as_str().unwrap().to_owned()).collect()
    }
}

impl State {
    /// Requests of one connection, one after the other.
    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        while let Some(sent) = read(&mut reader)? {
            self.log.lock().unwrap().push(sent.clone());
            let conduct = *self.conduct.lock().unwrap();
            if conduct == Conduct::Gone {
                return stream.shutdown(Shutdown::Both);
            }
            answer(stream, &sent, conduct)?;
            if conduct == Conduct::CutOff {
                return stream.shutdown(Shutdown::Both);
            }
        }
        Ok(())
    }
}

fn answer(stream: &TcpStream, sent: &Sent, conduct: Conduct) -> std::io::Result<()> {
    let list = ["input", "inputs", "documents", "texts"].iter().find_map(|key| sent.body[*key].as_array());
    let texts: Vec<&str> = list.unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let error = json!({ "error": { "message": "staged" } }).to_string();
    match conduct {
        Conduct::Answers(status) => return whole(stream, status, "application/json", "", &error),
        Conduct::Busy => return whole(stream, 429, "application/json", "retry-after: 1\r\n", &error),
        Conduct::Page => {
            return whole(stream, 200, "text/html; charset=utf-8", "", "<!doctype html><title>Sign in</title>");
        }
        Conduct::AtMost(most) if texts.len() > most => return whole(stream, 413, "application/json", "", &error),
        Conduct::Plain if sent.body.get("encoding_format").is_some() => {
            return whole(stream, 400, "application/json", "", &error);
        }
        Conduct::Slow(milliseconds) => std::thread::sleep(Duration::from_millis(milliseconds)),
        _ => {}
    }
    let body = match sent.path.as_str() {
        "/v1/embeddings" | "/embed" => {
            let mut vectors: Vec<Vec<Option<f32>>> = texts.iter().map(|text| given(text, conduct)).collect();
            if conduct == Conduct::Fewer {
                vectors.pop();
            }
            let data = || vectors.iter().enumerate().map(|(index, it)| json!({ "index": index, "embedding": it }));
            if sent.path == "/embed" { json!(vectors) } else { json!({ "data": data().collect::<Vec<_>>() }) }
        }
        "/v1/rerank" | "/rerank" => {
            let query = sent.body["query"].as_str().unwrap();
            let score = |text: &&str| dot(&vector(query, 0), &vector(text, 0)).clamp(0.0, 1.0);
            let scores: Vec<f32> = texts.iter().map(score).collect();
            let is_tei = sent.path == "/rerank";
            let name = if is_tei { "score" } else { "relevance_score" };
            let mut results: Vec<Value> =
                scores.iter().enumerate().map(|(index, score)| json!({ "index": index, name: score })).collect();
            if conduct == Conduct::Fewer {
                results.pop();
            }
            if is_tei { json!(results) } else { json!({ "results": results }) }
        }
        other => panic!("nobody asks for {other}"),
    };
    let body = body.to_string();
    if conduct == Conduct::CutOff {
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        return (&*stream).write_all(format!("{head}{}", &body[..body.len() / 2]).as_bytes());
    }
    whole(stream, 200, "application/json", "", &body)
}

fn whole(mut stream: &TcpStream, status: u16, kind: &str, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Staged\r\ncontent-type: {kind}\r\n{headers}content-length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes())
}

/// The vector that it gives out; numbers that are none become null.
fn given(text: &str, conduct: Conduct) -> Vec<Option<f32>> {
    let mut vector = vector(text, u32::from(conduct == Conduct::Another));
    if conduct == Conduct::Narrow {
        vector.truncate(WIDTH / 2);
    }
    let is_poison = conduct == Conduct::Poisoned && text.contains("poison");
    vector.into_iter().map(|value| (!is_poison).then_some(value)).collect()
}

/// A bag of words, each with a direction of its own; not of length one.
fn vector(text: &str, seed: u32) -> Vec<f32> {
    let mut vector = vec![0.001; WIDTH];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let mut state = word
            .to_lowercase()
            .bytes()
            .fold(seed ^ 0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
        for value in &mut vector {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *value += (f64::from(state >> 8) / 8_388_608.0 - 1.0) as f32;
        }
    }
    vector
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}
