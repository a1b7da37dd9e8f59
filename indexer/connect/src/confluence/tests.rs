//! Tests against a stand-in of Confluence: both of its ways to list, restrictions, attachments, and what is no Confluence.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::mirror::{Limits, Mirror, SyncReport};
use crate::testing::{Asked, Reply, Site};

const LIMITS: Limits = Limits { files: 100, file_bytes: 1 << 20, bytes: 1 << 24, time: Duration::from_secs(60) };

/// A page of the stand-in.
#[derive(Clone)]
struct Page {
    title: &'static str,
    version: u64,
    text: String,
    above: Vec<u64>,
    /// Groups that alone may read it.
    readers: Vec<&'static str>,
    attachments: Vec<&'static str>,
}

impl Page {
    fn of(title: &'static str, text: &str) -> Self {
        let (above, readers, attachments) = (Vec::new(), Vec::new(), Vec::new());
        Self { title, version: 1, text: text.to_owned(), above, readers, attachments }
    }

    fn below(self, above: &[u64]) -> Self {
        Self { above: above.to_vec(), ..self }
    }
}

#[derive(Default)]
struct State {
    pages: BTreeMap<u64, Page>,
    /// Whether it answers as the Cloud does: no plain list, and texts by the second version.
    is_cloud: bool,
    /// Whether lists tell who may read the pages above.
    tells_above: bool,
    /// What is listed and not to be had.
    vanished: Vec<u64>,
    faults: Vec<Reply>,
    is_stranger: bool,
    base: String,
}

fn json_reply(value: &Value) -> Reply {
    Reply::of(200).with("content-type", "application/json").body(value.to_string())
}

fn restricted(readers: &[&str]) -> Value {
    let groups: Vec<Value> = readers.iter().map(|name| json!({ "type": "group", "name": name })).collect();
    json!({ "operation": "read", "restrictions": {
        "user": { "results": [], "size": 0 }, "group": { "results": groups, "size": readers.len() } } })
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Reply {
        if let Some(fault) = self.faults.pop() {
            return fault;
        }
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let Some(path) = path.strip_prefix("/wiki") else { return Reply::of(404) };
        if let Some(id) = path.strip_prefix("/api/v2/pages/").filter(|_| self.is_cloud) {
            return self.page(id);
        }
        if let Some(name) = path.strip_prefix("/download/attachments/") {
            return match name {
                "moved.txt" => Reply::of(302).with("location", "https://elsewhere.example/moved.txt"),
                "login.txt" => Reply::html("<title>Log in</title>"),
                name => Reply::of(200).body(format!("content of {name}")),
            };
        }
        match path.strip_prefix("/rest/api/") {
            Some("user/current") if self.is_stranger => json_reply(&json!({ "type": "anonymous" })),
            Some("user/current") => json_reply(&json!({ "type": "known", "username": "bot" })),
            Some("content") if self.is_cloud => {
                Reply::of(410).body("{\"message\":\"This deprecated endpoint has been removed\"}")
            }
            Some("content") if query.get("spaceKey").is_some_and(|key| key != "HR") => {
                Reply::of(404).body("{\"message\":\"No space with key : X\"}")
            }
            Some("content") => self.list(query["type"] == "page", &query),
            Some("content/search") if query["cql"].contains("NOPE") => {
                Reply::of(400).body("{\"message\":\"no such value\"}")
            }
            Some("content/search") => self.list(query["cql"].starts_with("type = page"), &query),
            Some(below) => {
                match below.strip_prefix("content/").map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
                    Some((id, "restriction/byOperation/read")) => {
                        let readers = id
                            .parse()
                            .ok()
                            .and_then(|id: u64| self.pages.get(&id))
                            .map(|page| restricted(&page.readers));
                        readers.map_or(Reply::of(404), |told| json_reply(&told))
                    }
                    Some((id, "child/attachment")) => {
                        json_reply(&json!({ "results": [self.attachment(id, "third.txt")], "_links": {} }))
                    }
                    Some((id, "")) if !self.is_cloud => self.page(id),
                    _ => Reply::of(404),
                }
            }
            None => Reply::of(404),
        }
    }

    /// Two pages at a time.
    fn list(&self, is_pages: bool, query: &BTreeMap<String, String>) -> Reply {
        let start: usize = query.get("start").and_then(|start| start.parse().ok()).unwrap_or_default();
        let pages: Vec<_> = self.pages.iter().filter(|_| is_pages).collect();
        let results: Vec<Value> = pages.iter().skip(start).take(2).map(|(id, page)| self.told(**id, page)).collect();
        let mut links = json!({ "base": self.base, "context": "/wiki" });
        if pages.len() > start + 2 {
            let (way, kind) =
                if self.is_cloud { ("content/search", "cql=type+%3D+page") } else { ("content", "type=page") };
            links["next"] = json!(format!("/rest/api/{way}?{kind}&start={}", start + 2));
        }
        json_reply(&json!({ "results": results, "size": results.len(), "_links": links }))
    }

    fn told(&self, id: u64, page: &Page) -> Value {
        let above: Vec<Value> = page
            .above
            .iter()
            .map(|above| {
                let known = self.pages.get(above);
                let mut told = json!({ "id": above.to_string(), "title": known.map_or("Away", |page| page.title) });
                if self.tells_above {
                    told["restrictions"] = json!({ "read": restricted(&known.unwrap().readers) });
                }
                told
            })
            .collect();
        let files: Vec<Value> = page.attachments.iter().map(|name| self.attachment(&id.to_string(), name)).collect();
        let more =
            page.attachments.contains(&"first.txt").then(|| format!("/rest/api/content/{id}/child/attachment?start=2"));
        let links = more.map_or_else(|| json!({}), |next| json!({ "next": next }));
        json!({ "id": id.to_string(), "type": "page", "status": "current", "title": page.title, "ancestors": above,
            "space": { "key": "HR", "status": "current" }, "version": { "number": page.version, "when": "2021-03-04T06:06:07.000+01:00" },
            "restrictions": { "read": restricted(&page.readers) }, "_links": { "webui": format!("/spaces/HR/pages/{id}") },
            "children": { "attachment": { "results": files, "_links": links } } })
    }

    fn attachment(&self, page: &str, name: &str) -> Value {
        json!({ "id": format!("att{page}{}", name.replace('.', "")), "type": "attachment", "status": "current", "title": name,
            "version": { "number": 1 }, "_links": { "download": format!("/download/attachments/{name}"), "webui": "/x" } })
    }

    fn page(&self, id: &str) -> Reply {
        let id: u64 = id.parse().unwrap();
        if self.vanished.contains(&id) {
            return Reply::of(404).body("{}");
        }
        let page = &self.pages[&id];
        json_reply(&json!({ "id": id.to_string(), "title": page.title, "version": { "number": page.version },
            "body": { "storage": { "value": page.text, "representation": "storage" } } }))
    }
}

struct Served {
    site: Site,
    state: Arc<Mutex<State>>,
}

impl Served {
    fn new(mut state: State) -> Self {
        state.base = "https://confluence.example/wiki".to_owned();
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        Self { site: Site::serve(move |asked| shared.lock().unwrap().answer(asked)), state }
    }

    fn settings(&self, path: &str) -> Settings {
        Settings {
            allow_private: true,
            pause_ms: 0,
            ..Settings::at(format!("confluence+{}/wiki{path}", self.site.address))
        }
    }

    fn sync(&self, folder: &Path) -> SyncReport {
        sync(folder, &self.settings("")).unwrap()
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Page)) {
        change(self.state.lock().unwrap().pages.get_mut(&id).unwrap());
    }
}

fn sync(folder: &Path, settings: &Settings) -> Result<SyncReport, ConnectError> {
    settings.check()?;
    let (_, url) = settings.parsed()?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut confluence = Confluence::new(settings, &url, Arc::clone(&stop))?;
    Mirror::open(folder, LIMITS)?.sync(&mut confluence, &(), &stop)
}

/// What the manifest says of each path: who may see it, and where people find it.
fn entries(folder: &Path) -> BTreeMap<String, (Access, Option<String>)> {
    let manifest = std::fs::read_to_string(folder.join("manifest.jsonl")).unwrap();
    let mut entries = BTreeMap::new();
    for line in manifest.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        match line.get("gone").and_then(Value::as_str) {
            Some(gone) => drop(entries.remove(gone)),
            None => {
                let access: Access = serde_json::from_value(line["access"].clone()).unwrap();
                let said =
                    (line["path"].as_str().unwrap().to_owned(), (access, text(&line, &["url"]).map(str::to_owned)));
                entries.insert(line["id"].as_str().unwrap().to_owned(), said);
            }
        }
    }
    entries.into_values().collect()
}

fn handbook() -> State {
    let home = Page::of("Home", "<p>Welcome</p>");
    let pages = BTreeMap::from([
        (1, home),
        (
            2,
            Page {
                attachments: vec!["plan.txt", "photo.png"],
                ..Page::of("A/B: leave?", "<p>Thirty days</p>").below(&[1])
            },
        ),
        (
            3,
            Page {
                readers: vec!["hr"],
                attachments: vec!["pay.txt"],
                ..Page::of("Payroll", "<p>Secret pay</p>").below(&[1])
            },
        ),
        (4, Page::of("Bonus", "<p>Secret bonus</p>").below(&[1, 3])),
        (5, Page::of("..", "<p>Dots</p>").below(&[1])),
    ]);
    State { pages, ..State::default() }
}

#[test]
fn pages_come_with_what_is_attached_and_then_what_has_changed() {
    for is_cloud in [false, true] {
        let (served, folder) =
            (Served::new(State { is_cloud, tells_above: true, ..handbook() }), tempfile::tempdir().unwrap());
        let report = served.sync(folder.path());
        assert_eq!((report.fetched, report.failed, report.left_out.clone()), (4, 0, None), "{report:?}");
        let found = entries(folder.path());
        let paths: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            ["HR/Home.html", "HR/Home/A_B_ leave_.html", "HR/Home/A_B_ leave_/plan.txt", "HR/Home/_...html"]
        );
        assert_eq!(found["HR/Home.html"].1.as_deref(), Some("https://confluence.example/wiki/spaces/HR/pages/1"));
        let page = std::fs::read_to_string(folder.path().join("files/HR/Home/A_B_ leave_.html")).unwrap();
        assert!(page.contains("<title>A/B: leave?</title>") && page.contains("Thirty days"), "{page}");
        served.site.targets();
        served.change(2, |page| (page.version, page.text) = (2, "<p>Forty days</p>".to_owned()));
        served.state.lock().unwrap().pages.remove(&5);
        let report = served.sync(folder.path());
        assert_eq!((report.fetched, report.unchanged, report.removed), (1, 2, 1));
        let texts = served.site.targets().into_iter().filter(|target| target.contains("storage"));
        assert_eq!(texts.count(), 1, "only what has changed is asked for");
        // Gone between the list and the reading.
        served.change(2, |page| page.version = 3);
        served.state.lock().unwrap().vanished.push(2);
        let report = served.sync(folder.path());
        assert_eq!((report.removed, report.failed), (1, 0));
    }
}

#[test]
fn what_is_restricted_is_left_out_with_all_below_it() {
    for tells_above in [true, false] {
        let (served, folder) = (Served::new(State { tells_above, ..handbook() }), tempfile::tempdir().unwrap());
        let report = served.sync(folder.path());
        assert!(!entries(folder.path()).keys().any(|path| path.contains("Payroll")));
        assert_eq!(report.unwanted, 3, "{report:?}");
        assert!(report.notes[0].starts_with("3 pages and files"), "{:?}", report.notes);
        let asked = served.site.targets();
        assert!(!asked.iter().any(|target| target.contains("content/3?") || target.contains("pay.txt")), "{asked:?}");
        // What becomes restricted is closed at once, and what was written since is not fetched.
        served.change(1, |page| {
            page.readers = vec!["board"];
            (page.version, page.text) = (2, "<p>For the board</p>".to_owned());
        });
        let report = served.sync(folder.path());
        assert_eq!((report.fetched, report.removed), (0, 0));
        let found = entries(folder.path());
        assert!(found.len() == 4 && found.values().all(|(access, _)| access.is_closed()), "{found:?}");
        let page = std::fs::read_to_string(folder.path().join("files/HR/Home.html")).unwrap();
        assert!(!page.contains("board"), "{page}");
        // And open again, with the new text.
        served.change(1, |page| page.readers.clear());
        assert_eq!(served.sync(folder.path()).fetched, 1);
        assert!(entries(folder.path()).values().all(|(access, _)| access.is_open()));
    }
}

#[test]
fn names_that_are_the_same_here_say_who_may_see_it() {
    let (served, folder) = (Served::new(handbook()), tempfile::tempdir().unwrap());
    let settings = Settings { restrictions: Restrictions::SameNames, ..served.settings("/spaces/HR") };
    served.change(4, |page| page.readers = vec!["board"]);
    sync(folder.path(), &settings).unwrap();
    let found = entries(folder.path());
    let hr = Access::parse(&["group:hr"]).unwrap();
    assert_eq!(found["HR/Home/Payroll.html"].0, hr);
    assert_eq!(found["HR/Home/Payroll/pay.txt"].0, hr);
    assert_eq!(found["HR/Home/Payroll/Bonus.html"].0, hr.clone().and(Access::parse(&["group:board"]).unwrap()));
    assert!(found["HR/Home.html"].0.is_open());
    // It changes without a new version.
    served.change(3, |page| page.readers = vec!["payroll"]);
    let report = sync(folder.path(), &settings).unwrap();
    assert_eq!(report.fetched, 0);
    assert_eq!(entries(folder.path())["HR/Home/Payroll.html"].0, Access::parse(&["group:payroll"]).unwrap());
}

#[test]
fn whom_nobody_can_tell_of_nobody_sees() {
    let folder = tempfile::tempdir().unwrap();
    // Below something that is not told of, as what only a few may read, or a folder of the Cloud.
    let served = Served::new(State {
        pages: BTreeMap::from([(1, Page::of("Home", "<p>x</p>")), (2, Page::of("Plan", "<p>y</p>").below(&[1, 99]))]),
        ..State::default()
    });
    for restrictions in [Restrictions::LeaveOut, Restrictions::SameNames] {
        let report = sync(folder.path(), &Settings { restrictions, ..served.settings("") }).unwrap();
        assert_eq!((entries(folder.path()).len(), report.unwanted), (1, 1));
        assert!(report.notes[1].contains("cannot be told who may read 1 pages"), "{:?}", report.notes);
    }
    let deep: Vec<u64> = std::iter::repeat_n(1, 200).collect();
    served.change(2, |page| page.above = deep);
    assert_eq!(sync(folder.path(), &served.settings("")).unwrap().unwanted, 1);
}

#[test]
fn attachments_are_followed_to_their_end_and_nowhere_else() {
    let (served, folder) = (Served::new(handbook()), tempfile::tempdir().unwrap());
    served.change(1, |page| page.attachments = vec!["first.txt", "second1.txt", "moved.txt", "login.txt"]);
    let report = served.sync(folder.path());
    let found = entries(folder.path());
    for name in ["first.txt", "second1.txt", "third.txt"] {
        assert!(found.contains_key(&format!("HR/Home/{name}")), "{name}: {found:?}");
    }
    let problems = report.problems.join("\n");
    assert!(problems.contains("sends elsewhere") && problems.contains("page for people"), "{problems}");
    assert!(served.site.targets().iter().any(|target| target.contains("child/attachment?start=2")));
}

#[test]
fn what_is_no_confluence_is_told_and_takes_nothing_for_gone() {
    let (served, folder) = (Served::new(handbook()), tempfile::tempdir().unwrap());
    served.sync(folder.path());
    let count = entries(folder.path()).len();
    for (reply, words) in [
        (Reply::html("<title>Log in</title>"), "a page for people"),
        (Reply::of(401).body("{\"message\":\"Basic auth with password is not allowed\"}"), "API token"),
        (Reply::of(403), "may not do that"),
        (Reply::of(404), "which ends in /wiki"),
        (Reply::of(302).with("location", "https://elsewhere.example/login"), "sends elsewhere"),
        (json_reply(&json!({ "results": [], "_links": {} })), "it lists no page"),
        (json_reply(&json!({ "results": [], "_links": { "next": "/rest/api/content?start=1" } })), "goes round"),
        (
            json_reply(&json!({ "results": [], "_links": { "next": "https://elsewhere.example/x" } })),
            "not below its address",
        ),
        (json_reply(&json!({ "pages": [] })), "no results"),
    ] {
        let other = Site::serve(move |_| reply.clone());
        let settings = Settings { url: format!("confluence+{}/wiki", other.address), ..served.settings("") };
        let error = sync(folder.path(), &settings).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
        assert_eq!(entries(folder.path()).len(), count);
    }
    let error = sync(folder.path(), &served.settings("/spaces/NOPE")).unwrap_err().to_string();
    assert!(error.contains("there is no space \"NOPE\"") && !error.contains("cql"), "{error}");
}

#[test]
fn a_stranger_is_told_so_and_a_busy_server_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("token");
    std::fs::write(&secret, "hunter2\n").unwrap();
    let served = Served::new(handbook());
    let settings = Settings { token_file: Some(secret), ..served.settings("") };
    served.state.lock().unwrap().faults =
        vec![Reply::of(429).with("retry-after", "0"), Reply::of(503).with("retry-after", "0")];
    sync(folder.path(), &settings).unwrap();
    let asked = std::mem::take(&mut *served.site.asked.lock().unwrap());
    assert!(asked.iter().all(|asked| asked.headers["authorization"] == "Bearer hunter2"));
    served.state.lock().unwrap().is_stranger = true;
    let error = sync(folder.path(), &settings).unwrap_err().to_string();
    assert!(error.contains("stranger") && !error.contains("hunter2"), "{error}");
    assert!(entries(folder.path()).len() > 3);
}
