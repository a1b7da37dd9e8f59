//! A running `quarry serve`, and what it answers.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Bench;

/// Longest a server may take to start, index a few files, or stop.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; killed at the end if it has not ended by itself.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: String,
    /// What it said before it served.
    pub(crate) said: Vec<String>,
    /// What it has said since.
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    asked: Asked,
}

/// Which folders a server was asked to serve, and where it keeps their index.
#[derive(Default)]
pub(crate) struct Asked {
    data: PathBuf,
    folders: usize,
}

impl Asked {
    pub(crate) fn of(command: &Command) -> Self {
        let args: Vec<&OsStr> = command.get_args().collect();
        let behind = |flag: &str| args.iter().position(|arg| *arg == flag).and_then(|at| args.get(at + 1));
        let is_flag = |arg: &OsStr| arg.as_encoded_bytes().starts_with(b"--");
        let serve = args.iter().position(|arg| *arg == "serve").unwrap_or(args.len());
        let pairs = args.iter().skip(serve).zip(args.iter().skip(serve + 1));
        let named = pairs.filter(|(before, arg)| !is_flag(before) && Path::new(arg).is_dir()).count();
        let config = behind("--config").and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let data = behind("--data-dir").map(PathBuf::from).unwrap_or_default();
        Self { data, folders: named.max(config.matches("folder = ").count()) }
    }
}

/// Whether all sources that a server was asked for were looked through as a whole: as it says itself, or its index.
pub(crate) fn is_whole(awaited: &Value, asked: &Asked) -> bool {
    if let Some(awaited) = awaited.as_u64() {
        return awaited == 0;
    }
    let mut status = Command::new(env!("CARGO_BIN_EXE_quarry"));
    let told = status.arg("--data-dir").arg(&asked.data).args(["status", "--json"]).output().unwrap();
    let Ok(status) = serde_json::from_slice::<Value>(&told.stdout) else { return false };
    let sources = status["sources"].as_array().unwrap();
    sources.len() >= asked.folders && sources.iter().all(|source| !source["last_run"].is_null())
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text))
    }

    /// Expects that status, and gives the JSON.
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// Expects a problem document with that status and code.
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{} {}", self.status, self.text);
        let problem = self.expect(status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        for field in ["type", "title", "detail", "cure"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {problem}");
        }
        problem
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Server {
    /// Starts `quarry serve` on a free port and waits until its index is open.
    pub(crate) fn start(bench: &Bench, args: &[&str]) -> Self {
        Self::spawn(bench.command(&[&["serve", "--listen", "127.0.0.1:0"], args].concat()))
    }

    /// With a configuration file.
    pub(crate) fn configured(bench: &Bench, config: &str, args: &[&str]) -> Self {
        let path = bench.root.path().join("quarry.toml");
        fs::write(&path, config).unwrap();
        Self::start(bench, &[&["--config", path.to_str().unwrap()], args].concat())
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let asked = Asked::of(&command);
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let address = line.strip_prefix("quarry: serving ").and_then(|place| place.split_once("://"));
            let address = address.map(|(_, rest)| rest.trim_end_matches('/').to_string());
            said.push(line);
            address
        });
        // What it says later is read at once, so that it never waits for a reader.
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines_in = Arc::clone(&log);
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| lines_in.lock().unwrap().push(line)));
        let address = address.unwrap_or_else(|| panic!("the server did not start: {:?} {said:?}", process.wait()));
        Self { process, address, said, log, asked }
    }

    /// Waits until all sources named at start are searchable whole.
    pub(crate) fn ready(self) -> Self {
        let started = Instant::now();
        // Where not everybody may know what is awaited, the data folder tells.
        let is_whole = |reply: Reply| reply.status == 200 && is_whole(&reply.json()["awaited"], &self.asked);
        while !is_whole(self.get("/health/ready")) {
            assert!(started.elapsed() < PATIENCE, "not ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        self
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.ask(method, path, headers, body, 10)
    }

    /// As [`Server::request`], but what leads on to another address is what is answered.
    pub(crate) fn unfollowed(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.ask(method, path, headers, body, 0)
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8], redirects: u32) -> Reply {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        let config = config.max_redirects(redirects).max_redirects_will_error(false);
        let agent: ureq::Agent = config.build().into();
        let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = agent.run(request.body(body).unwrap()).unwrap();
        let headers = response.headers().clone();
        Reply { status: response.status().as_u16(), headers, text: response.body_mut().read_to_string().unwrap() }
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], &[])
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.request(method, path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    pub(crate) fn put(&self, path: &str, text: &str) -> Reply {
        self.send("PUT", "/api/v1/documents", &json!({ "path": path, "text": text }))
    }

    pub(crate) fn paths(&self, query: &str) -> Vec<String> {
        let answer = self.get(&format!("/api/v1/search?{query}")).expect(200);
        let results = answer["results"].as_array().unwrap();
        results.iter().map(|hit| hit["path"].as_str().unwrap().to_string()).collect()
    }

    /// A number of a model's thread.
    pub(crate) fn metric(&self, name: &str, model: &str) -> f64 {
        let metrics = self.get("/metrics").text;
        let start = format!("quarry_{name}{{model=\"{model}\"}} ");
        let value = metrics.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok());
        value.unwrap_or_else(|| panic!("{name} of {model}: {metrics}"))
    }

    /// Waits until a job is over.
    pub(crate) fn job(&self, id: &Value) -> Value {
        let started = Instant::now();
        loop {
            let job = self.get(&format!("/api/v1/jobs/{id}")).expect(200);
            if !matches!(job["state"].as_str(), Some("queued" | "running")) {
                return job;
            }
            assert!(started.elapsed() < PATIENCE, "{job}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal and waits for the end; the exit status.
    pub(crate) fn signal(&mut self, signal: &str) -> Option<i32> {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let started = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < PATIENCE, "does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Looks again until there is something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A server over a few documents, ready.
pub(crate) fn over_documents(count: usize) -> (Bench, Server) {
    let bench = Bench::with_documents(count);
    let docs = bench.docs().display().to_string();
    let server = Server::start(&bench, &[&docs]).ready();
    (bench, server)
}
