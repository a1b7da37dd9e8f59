//! Signing in against a real provider (npm's `oidc-provider`) in a real browser, and groups of a real directory. `.ci/identity`
//! installs what is needed and runs these.

mod directory;

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Bench, fixture};
use crate::webdriver::{Browser, Scripts, Server};

/// The provider, in a process of its own; killed at the end.
struct Provider {
    child: Child,
    address: String,
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Provider {
    /// Starts one that knows a server at a port.
    fn start(port: u16, server: u16) -> Self {
        assert!(
            std::env::var_os("QUARRY_IDENTITY").is_some(),
            "QUARRY_IDENTITY names a folder with oidc-provider: run .ci/identity"
        );
        let mut command = Command::new("node");
        command.arg(fixture("../tests/identity/provider.mjs")).args([port.to_string(), server.to_string()]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("node starts: run .ci/identity");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_up = lines.by_ref().map_while(Result::ok).any(|line| line.starts_with("listening"));
        assert!(is_up, "the provider did not start");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: format!("http://127.0.0.1:{port}") }
    }

    /// From now on these are its people.
    fn knows(&self, people: &Value) {
        let reply = ureq::put(format!("{}/people", self.address)).send(people.to_string()).unwrap();
        assert_eq!(reply.status(), 204);
    }

    /// The sign-outs that it has told others of.
    fn log(&self) -> Value {
        ureq::get(format!("{}/log", self.address)).call().unwrap().body_mut().read_json().unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server with the handbook, of which `travel` is for a group, that people sign in to by the provider.
struct Scene {
    bench: Bench,
    provider: Provider,
    server: Server,
}

impl Scene {
    fn new() -> Self {
        let (bench, provider_port, port) = (Bench::new(), free_port(), free_port());
        let provider = Provider::start(provider_port, port);
        provider.knows(&json!({"anna": {"name": "Anna A.", "groups": ["staff", "travellers"]}, "bert": {"name": "Bert B.", "groups": ["staff"]}}));
        let root = bench.root.path();
        std::fs::write(root.join("secret"), "a-secret-of-thirty-two-characters\n").unwrap();
        let (issuer, handbook) = (provider.address.clone(), fixture("handbook").display().to_string());
        let config = format!(
            "[auth.oidc]\nissuer = \"{issuer}\"\nclient_id = \"quarry\"\nclient_secret_file = \"{}\"\n\
             public_url = \"http://127.0.0.1:{port}\"\nscopes = [\"openid\", \"profile\", \"groups\"]\nrecheck_minutes = 1\n\
             button = \"the company's account\"\n[audit]\nenabled = true\n[index]\n\
             sources = [{{ name = \"handbook\", folder = \"{handbook}\", access_rules = [{{ paths = \"travel/**\", access = [\"group:{issuer}#travellers\"] }}] }}]\n",
            root.join("secret").display()
        );
        let path = root.join("quarry.toml");
        std::fs::write(&path, config).unwrap();
        let server = Server::at(&bench, port, &["--config", path.to_str().unwrap()]);
        Self { bench, provider, server }
    }

    fn signs_in(&self, browser: &Browser, name: &str, path: &str) {
        browser.open(&self.server.url(path));
        browser.wait("location.pathname === '/sign-in'");
        browser.click("#provider");
        browser.wait("document.querySelector('[name=login]')");
        browser.write("[name=login]", name);
        browser.write("[name=password]", "whatever");
        browser.click("button[type=submit]");
        // It asks whether quarry may know who they are.
        browser.wait("document.querySelector('[name=prompt][value=consent]')");
        browser.click("button[type=submit]");
        browser.wait(&format!("location.host === '{}' && location.pathname === '/search'", self.server.host()));
    }

    /// Whether a page of results shows documents of the group.
    fn sees_travel(browser: &Browser) -> bool {
        browser.eval(
            "[...document.querySelectorAll('.hit .crumbs *')].some((part) => part.textContent.trim() === 'travel')",
        ) == json!(true)
    }

    fn audit(&self) -> Vec<Value> {
        let files = std::fs::read_dir(self.bench.data().join("audit")).unwrap();
        let text: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "needs node, oidc-provider and chromium: run .ci/identity"]
fn people_sign_in_by_a_real_provider_see_what_is_theirs_and_sign_out_of_both() {
    let scene = Scene::new();
    for (name, shown, scripts, sees) in
        [("anna", "Anna A.", Scripts::On, true), ("bert", "Bert B.", Scripts::Off, false)]
    {
        let browser = Browser::with(scripts, "en");
        scene.signs_in(&browser, name, "/search?q=travel+expenses");
        browser.wait("document.querySelectorAll('.hit').length > 3");
        assert!(browser.text(".who").contains(shown), "{}", browser.text(".who"));
        assert_eq!(Scene::sees_travel(&browser), sees, "{name}: {}", browser.text("main"));
        let issuer = &scene.provider.address;
        let known_as = browser.eval("document.querySelector('.who [title]').title");
        let expected = format!("everyone, group:{issuer}#staff, ");
        assert!(known_as.as_str().unwrap().starts_with(&expected), "{known_as}");
        browser.click(".who button");
        browser.wait(&format!("location.origin === '{issuer}' && document.querySelector('form[action$=confirm]')"));
        browser.click("button[name=logout], button[autofocus], button");
        browser.wait(&format!("location.host === '{}' && location.pathname === '/sign-in'", scene.server.host()));
        browser.open(&scene.server.url("/status"));
        browser.wait("location.pathname === '/sign-in'");
        browser.click("#provider");
        browser.wait("document.querySelector('[name=login]')");
    }
    let events: Vec<String> = scene.audit().iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect();
    for event in ["signed-in", "signed-out"] {
        assert_eq!(events.iter().filter(|found| *found == event).count(), 2, "{events:?}");
    }
}

#[test]
#[ignore = "needs node, oidc-provider and chromium: run .ci/identity"]
fn what_becomes_of_somebody_at_the_provider_counts_while_their_session_lasts() {
    let scene = Scene::new();
    let browser = Browser::start();
    scene.signs_in(&browser, "anna", "/search?q=travel+expenses");
    browser.wait("document.querySelectorAll('.hit').length > 3");
    assert!(Scene::sees_travel(&browser));
    scene.provider.knows(&json!({"anna": {"name": "Anna A.", "groups": ["staff"]}}));
    std::thread::sleep(Duration::from_secs(61));
    browser.open(&scene.server.url("/search?q=travel+expenses"));
    browser.wait("document.querySelectorAll('.hit').length > 3");
    assert!(!Scene::sees_travel(&browser), "no longer in the group: {}", browser.text("main"));
    scene.provider.knows(&json!({}));
    std::thread::sleep(Duration::from_secs(61));
    browser.open(&scene.server.url("/search?q=travel+expenses"));
    browser.wait("location.pathname === '/sign-in'");
    let ended = scene.audit().into_iter().find(|line| line["event"] == "session-ended").expect("it is written down");
    assert_eq!(ended["reason"], "provider-refused");
}

#[test]
#[ignore = "needs node, oidc-provider and chromium: run .ci/identity"]
fn whoever_signs_out_at_the_provider_is_out_here_as_well() {
    let scene = Scene::new();
    let browser = Browser::start();
    scene.signs_in(&browser, "anna", "/search?q=travel+expenses");
    browser.wait("document.querySelector('.hit')");
    // Another application that uses the provider ends the session there: quarry is told behind the browser's back.
    browser.open(&format!("{}/session/end", scene.provider.address));
    browser.wait("document.querySelector('form[action$=confirm]')");
    browser.click("button[name=logout], button[autofocus], button");
    until("quarry was told", || scene.provider.log().as_array().is_some_and(|log| !log.is_empty()));
    assert_eq!(scene.provider.log(), json!(["success quarry anna"]));
    browser.open(&scene.server.url("/search?q=travel+expenses"));
    browser.wait("location.pathname === '/sign-in'");
    assert!(scene.audit().iter().any(|line| line["event"] == "signed-out" && line["by"] == "provider"));
}
