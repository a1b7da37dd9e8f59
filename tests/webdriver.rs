//! A real browser for the tests: chromium by chromedriver, over the WebDriver protocol, and a server for it to look at.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{Asked, is_whole};
use crate::support::Bench;

/// How long the page may take for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// `quarry serve` on a free port; killed at the end.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    asked: Asked,
}

impl Server {
    /// Serves a folder and waits until it is searchable.
    pub(crate) fn start(bench: &Bench, folder: &Path, more: &[&str]) -> Self {
        let folder = folder.display().to_string();
        Self::spawn(bench.command(&[more, &["serve", &folder, "--listen", "127.0.0.1:0"]].concat()))
    }

    /// Serves what is configured at a port.
    pub(crate) fn at(bench: &Bench, port: u16, more: &[&str]) -> Self {
        Self::spawn(bench.command(&[more, &["serve", "--listen", &format!("127.0.0.1:{port}")]].concat()))
    }

    fn spawn(mut command: Command) -> Self {
        let asked = Asked::of(&command);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let at = line.find("http://")?;
            Some(line[at..].trim_end_matches('/').to_string())
        });
        // What the server says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let server = Self { child, address: address.expect("the server says where it listens"), asked };
        let started = Instant::now();
        while !server.is_ready() {
            assert!(started.elapsed() < 6 * PATIENCE, "the server does not get ready");
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    fn is_ready(&self) -> bool {
        let reply = ureq::get(format!("{}/health/ready", self.address)).call();
        let told = reply.ok().and_then(|mut reply| reply.body_mut().read_json::<Value>().ok());
        told.is_some_and(|told| is_whole(&told["awaited"], &self.asked))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// Host and port.
    pub(crate) fn host(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// An answer of the API.
    pub(crate) fn api(&self, path: &str) -> Value {
        ureq::get(self.url(path)).call().unwrap().body_mut().read_json().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the browser is set up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scripts {
    On,
    Off,
}

/// One browser with one window.
pub(crate) struct Browser {
    driver: Child,
    session: String,
}

pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const ESCAPE: &str = "\u{e00c}";
pub(crate) const SHIFT: &str = "\u{e008}";
pub(crate) const UP: &str = "\u{e013}";
pub(crate) const DOWN: &str = "\u{e015}";

impl Browser {
    pub(crate) fn start() -> Self {
        Self::with(Scripts::On, "en")
    }

    /// A browser whose visitor prefers a language.
    pub(crate) fn with(scripts: Scripts, language: &str) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts: run .ci/browser");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        std::thread::spawn(move || lines.for_each(drop));
        let root = format!("http://127.0.0.1:{}", port.expect("chromedriver says where it listens"));
        let mut prefs = json!({ "intl.accept_languages": language });
        if scripts == Scripts::Off {
            prefs["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            // A mouse, which a browser without a screen would not have.
            "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
        ];
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": arguments, "prefs": prefs },
        } } });
        let answer = send(&format!("{root}/session"), &capabilities);
        let session = format!("{root}/session/{}", answer["sessionId"].as_str().unwrap());
        let browser = Self { driver, session };
        browser.resize(1280, 800, 1.0);
        browser
    }

    fn post(&self, path: &str, body: Value) -> Value {
        send(&format!("{}/{path}", self.session), &body)
    }

    /// A command of the browser's own protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
    }

    pub(crate) fn resize(&self, width: u32, height: u32, scale: f64) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    /// What the system prefers: `prefers-color-scheme`, `prefers-reduced-motion`.
    pub(crate) fn prefers(&self, feature: &str, value: &str) {
        let features = json!({ "features": [{ "name": feature, "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features);
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("url", json!({ "url": url }));
    }

    /// Runs the body of a function in the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": [] }))
    }

    /// The value of an expression in the page.
    pub(crate) fn eval(&self, expression: &str) -> Value {
        self.run(&format!("return ({expression})"))
    }

    pub(crate) fn text(&self, selector: &str) -> String {
        let selector = serde_json::to_string(selector).unwrap();
        self.eval(&format!("document.querySelector({selector})?.textContent ?? ''")).as_str().unwrap().to_string()
    }

    pub(crate) fn count(&self, selector: &str) -> u64 {
        let selector = serde_json::to_string(selector).unwrap();
        self.eval(&format!("document.querySelectorAll({selector}).length")).as_u64().unwrap()
    }

    /// Runs a script that ends by calling its last argument.
    pub(crate) fn run_async(&self, script: &str) -> Value {
        self.post("execute/async", json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true.
    pub(crate) fn wait(&self, expression: &str) {
        let started = Instant::now();
        while self.eval(&format!("Boolean({expression})")) != json!(true) {
            let page = || self.eval("location.href + '\\n' + document.body.innerText.slice(0, 1500)");
            assert!(started.elapsed() < PATIENCE, "never true: {expression}\n{}", page().as_str().unwrap_or_default());
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("element", json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().unwrap().values().next().unwrap();
        id.as_str().unwrap().to_string()
    }

    /// A real click in the middle of an element.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.post(&format!("element/{element}/click"), json!({}));
    }

    /// Types into an element.
    pub(crate) fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(&format!("element/{element}/value"), json!({ "text": text }));
    }

    /// Presses keys, wherever the focus is, one after the other.
    pub(crate) fn press(&self, keys: &[&str]) {
        let mut actions = Vec::new();
        for key in keys {
            actions.push(json!({ "type": "keyDown", "value": key }));
            actions.push(json!({ "type": "keyUp", "value": key }));
        }
        self.post("actions", json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }));
    }

    /// Presses a key while another is held.
    pub(crate) fn press_with(&self, held: &str, key: &str) {
        let actions = [("keyDown", held), ("keyDown", key), ("keyUp", key), ("keyUp", held)];
        let actions: Vec<Value> = actions.iter().map(|(kind, key)| json!({ "type": kind, "value": key })).collect();
        self.post("actions", json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }));
    }

    /// How many windows are open.
    pub(crate) fn windows(&self) -> usize {
        let answer: Value =
            ureq::get(format!("{}/window/handles", self.session)).call().unwrap().body_mut().read_json().unwrap();
        answer["value"].as_array().unwrap().len()
    }

    /// Moves the pointer to a place of the window.
    pub(crate) fn point(&self, x: i32, y: i32) {
        let step = json!({ "type": "pointerMove", "duration": 0, "x": x, "y": y });
        self.post("actions", json!({ "actions": [{ "type": "pointer", "id": "mouse", "actions": [step] }] }));
    }

    /// The window as a PNG, base64.
    pub(crate) fn screenshot(&self) -> String {
        let answer = self.devtools("Page.captureScreenshot", json!({ "format": "png" }));
        answer["data"].as_str().unwrap().to_string()
    }

    /// Errors that the browser noticed: failed scripts, broken policies, missing files.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", json!({ "type": "browser" }));
        let severe = log.as_array().unwrap().iter().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_string()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = ureq::delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn send(url: &str, body: &Value) -> Value {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut answer = agent.post(url).send_json(body).unwrap();
    let ok = answer.status().is_success();
    let answer: Value = answer.body_mut().with_config().limit(64 << 20).read_json().unwrap();
    assert!(ok, "{url}: {}", answer["value"]);
    answer["value"].clone()
}
