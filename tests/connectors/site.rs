//! A small website for tests, whose pages can be changed while it runs.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A website on this machine.
pub(super) struct Site {
    pub(super) address: String,
    state: Arc<Mutex<State>>,
}

/// What is answered to a path and query, where that is no page.
type Answers = Box<dyn Fn(&str) -> Option<String> + Send>;

#[derive(Default)]
struct State {
    pages: BTreeMap<String, String>,
    answers: Option<Answers>,
    asked: Vec<String>,
    failure: Option<u16>,
    login: Option<String>,
    /// A page that gives no answer yet.
    held: Option<String>,
}

impl Site {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || while answer(&stream, &shared).is_some() {});
            }
        });
        Self { address, state }
    }

    pub(super) fn put(&self, path: &str, html: &str) {
        self.state.lock().unwrap().pages.insert(path.to_owned(), html.to_owned());
    }

    /// Answers in JSON what this says.
    pub(super) fn answer(&self, answers: impl Fn(&str) -> Option<String> + Send + 'static) {
        self.state.lock().unwrap().answers = Some(Box::new(answers));
    }

    /// Answers everything with that status from now on.
    pub(super) fn fail_with(&self, status: u16) {
        self.state.lock().unwrap().failure = Some(status);
    }

    /// Answers only who sends this as `Authorization`.
    pub(super) fn wants(&self, login: &str) {
        self.state.lock().unwrap().login = Some(login.to_owned());
    }

    /// Gives no answer for a page until it is let go.
    pub(super) fn hold(&self, path: Option<&str>) {
        self.state.lock().unwrap().held = path.map(str::to_owned);
    }

    /// What was asked for.
    pub(super) fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }
}

fn answer(stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split_whitespace().nth(1)?.to_owned();
    let mut login = None;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        if name.eq_ignore_ascii_case("authorization") {
            login = Some(value.trim().to_owned());
        }
    }
    while state.lock().unwrap().held.as_ref() == Some(&path) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let (status, body) = {
        let mut state = state.lock().unwrap();
        state.asked.push(path.clone());
        let page = state.pages.get(&path).cloned().or_else(|| state.answers.as_ref()?(&path));
        match (state.failure, page) {
            (Some(status), _) => (status, String::new()),
            _ if state.login.is_some() && state.login != login => (401, String::new()),
            (None, Some(page)) => (200, page),
            (None, None) => (404, String::new()),
        }
    };
    let kind = if body.starts_with('{') { "application/json" } else { "text/html" };
    let head = format!("HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut stream = stream;
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()
}
