//! Tests against a stand-in of a wiki: lists in parts, revisions, what is gone, who may ask, and what is no wiki.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::mirror::{Limits, Mirror, SyncReport};
use crate::testing::{Asked, Reply, Site};

const LIMITS: Limits = Limits { files: 100, file_bytes: 1 << 20, bytes: 1 << 24, time: Duration::from_secs(60) };

/// What stands in the wiki.
#[derive(Default)]
struct Wiki {
    /// Title, revision and text, by the page's id.
    pages: BTreeMap<u64, (String, u64, String)>,
    /// Name and content of uploaded files.
    files: Vec<(String, String)>,
    /// The name and password that may read it.
    account: Option<(&'static str, &'static str)>,
    /// Answers that come before any other, first the last.
    faults: Vec<Reply>,
    /// Pages that are gone once they were listed.
    vanished: Vec<u64>,
    /// Sessions that were begun.
    sessions: usize,
    /// Whether the session is over with the next page.
    forgets: bool,
}

fn api_error(code: &str) -> Reply {
    json_reply(&json!({ "error": { "code": code, "info": format!("info of {code}") } }))
}

fn json_reply(value: &Value) -> Reply {
    Reply::of(200).with("content-type", "application/json; charset=utf-8").body(value.to_string())
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

impl Wiki {
    fn of(pages: &[(u64, &str, u64, &str)]) -> Self {
        let pages = pages.iter().map(|(id, title, rev, text)| (*id, ((*title).to_owned(), *rev, (*text).to_owned())));
        Self { pages: pages.collect(), ..Self::default() }
    }

    fn answer(&mut self, asked: &Asked, at: &str) -> Reply {
        if let Some(fault) = self.faults.pop() {
            return fault;
        }
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let query = pairs(query);
        let said = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        if let Some(name) = path.strip_prefix("/w/images/") {
            let content = self.files.iter().find(|(file, _)| file == name);
            return content.map_or(Reply::of(404), |(_, content)| Reply::of(200).body(content));
        }
        match path {
            "/" => return Reply::of(301).with("location", "/wiki/Main_Page"),
            "/wiki/Main_Page" => {
                return Reply::html(
                    "<link rel=\"EditURI\" type=\"application/rsd+xml\" href=\"/w/api.php?action=rsd\">",
                );
            }
            "/w/api.php" => {}
            _ => return Reply::of(404),
        }
        if said("action") == "login" {
            return self.login(&pairs(&asked.body));
        }
        if said("meta") == "tokens" {
            let told = json!({ "batchcomplete": true, "query": { "tokens": { "logintoken": "abc+\\" } } });
            return json_reply(&told).with("set-cookie", "wiki_session=anonymous; path=/; HttpOnly");
        }
        let session = format!("wiki_session=s{}", self.sessions);
        let is_known = asked.headers.get("cookie").is_some_and(|cookie| *cookie == session);
        if self.account.is_some() && !is_known {
            return api_error(if said("assert") == "user" { "assertuserfailed" } else { "readapidenied" });
        }
        match (said("action"), said("meta"), said("generator")) {
            ("query", "siteinfo", _) => json_reply(&json!({ "batchcomplete": true, "query": { "namespaces": {
                "0": { "id": 0, "content": true }, "1": { "id": 1, "content": false }, "100": { "id": 100, "content": true },
                "-1": { "id": -1, "content": false },
            } } })),
            ("query", _, "allpages") => self.list(&query, at),
            ("query", _, "allimages") => self.uploads(at),
            ("parse", ..) => self.parse(said("pageid").parse().unwrap()),
            _ => api_error("unknown_action"),
        }
    }

    fn login(&mut self, form: &BTreeMap<String, String>) -> Reply {
        let (name, password) = self.account.unwrap();
        if form["lgname"] == name && form["lgpassword"] == password && form["lgtoken"] == "abc+\\" {
            self.sessions += 1;
            let cookie = format!("wiki_session=s{}; path=/", self.sessions);
            return json_reply(&json!({ "login": { "result": "Success", "lgusername": name } }))
                .with("set-cookie", &cookie);
        }
        json_reply(&json!({ "login": { "result": "Failed", "reason": format!("Wrong: {}", form["lgpassword"]) } }))
    }

    /// Two pages at a time; the date of the first one comes with an answer of its own.
    fn list(&self, query: &BTreeMap<String, String>, at: &str) -> Reply {
        let space = &query["gapnamespace"];
        let of_space = |title: &str| title.starts_with("Guide:") == (space == "100");
        let from: u64 = query.get("gapcontinue").and_then(|from| from.parse().ok()).unwrap_or_default();
        let mut listed = self.pages.iter().filter(|(id, (title, ..))| **id >= from && of_space(title));
        let batch: Vec<_> = listed.by_ref().take(2).collect();
        let has_dates = query.contains_key("rvcontinue");
        let pages: Vec<Value> = batch
            .iter()
            .map(|(id, (title, rev, _))| {
                let mut page = json!({ "pageid": id, "title": title, "lastrevid": rev,
                    "fullurl": format!("{at}/wiki/{}", title.replace(' ', "_")) });
                if has_dates {
                    page["revisions"] = json!([{ "revid": rev, "timestamp": "2021-03-04T05:06:07Z" }]);
                }
                page
            })
            .collect();
        let mut told = json!({ "query": { "pages": pages } });
        if !has_dates && !batch.is_empty() {
            told["continue"] = json!({ "rvcontinue": "more", "gapcontinue": from.to_string(), "continue": "||info" });
        } else {
            told["batchcomplete"] = json!(true);
            if let Some((id, _)) = listed.next() {
                told["continue"] = json!({ "gapcontinue": id.to_string(), "continue": "gapcontinue||" });
            }
        }
        json_reply(&told)
    }

    fn uploads(&self, at: &str) -> Reply {
        let pages: Vec<Value> = self
            .files
            .iter()
            .map(|(name, content)| {
                let lies = if name == "Far.pdf" {
                    "https://elsewhere.example/Far.pdf".to_owned()
                } else {
                    format!("{at}/w/images/{name}")
                };
                json!({ "title": format!("File:{name}"), "missing": true, "imageinfo": [{ "url": lies, "sha1": content,
                    "timestamp": "2021-03-04T05:06:07Z", "descriptionurl": format!("{at}/wiki/File:{name}") }] })
            })
            .collect();
        json_reply(&json!({ "batchcomplete": true, "query": { "pages": pages } }))
    }

    fn parse(&mut self, id: u64) -> Reply {
        if self.vanished.contains(&id) {
            return api_error("nosuchpageid");
        }
        self.sessions += usize::from(std::mem::take(&mut self.forgets));
        let (title, revision, text) = &self.pages[&id];
        json_reply(&json!({ "parse": { "title": title, "pageid": id, "revid": revision, "text": text } }))
    }
}

/// A wiki that is served, and may be changed meanwhile.
struct Served {
    site: Site,
    wiki: Arc<Mutex<Wiki>>,
}

impl Served {
    fn new(wiki: Wiki) -> Self {
        let wiki = Arc::new(Mutex::new(wiki));
        let (shared, address) = (Arc::clone(&wiki), Arc::new(Mutex::new(String::new())));
        let at = Arc::clone(&address);
        let site = Site::serve(move |asked| {
            let at = at.lock().unwrap().clone();
            shared.lock().unwrap().answer(asked, &at)
        });
        address.lock().unwrap().clone_from(&site.address);
        Self { site, wiki }
    }

    fn sync(&self, folder: &Path, path: &str) -> Result<SyncReport, ConnectError> {
        sync(folder, &Settings::at(format!("mediawiki+{}{path}", self.site.address)))
    }

    fn parsed(&self) -> usize {
        self.site.targets().iter().filter(|target| target.contains("action=parse")).count()
    }
}

fn sync(folder: &Path, settings: &Settings) -> Result<SyncReport, ConnectError> {
    let settings = Settings { allow_private: true, pause_ms: 0, ..settings.clone() };
    settings.check()?;
    let (_, url) = settings.parsed()?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut wiki = MediaWiki::new(&settings, url, Arc::clone(&stop))?;
    Mirror::open(folder, LIMITS)?.sync(&mut wiki, &(), &stop)
}

fn handbook() -> Wiki {
    Wiki::of(&[
        (1, "Main Page", 11, "<p>Welcome"),
        (2, "Leave", 12, "<p>Thirty days"),
        (3, "LEAVE", 13, "<p>Shouted"),
        (4, ".NET", 14, "<p>Of code"),
        (5, "Travel/Costs", 15, "<p>By train"),
        (6, "Guide:Start", 16, "<p>Begin here"),
    ])
}

fn files(folder: &Path) -> Vec<String> {
    let manifest = std::fs::read_to_string(folder.join("manifest.jsonl")).unwrap();
    let mut entries = BTreeMap::new();
    for line in manifest.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        match line.get("gone").and_then(Value::as_str) {
            Some(gone) => drop(entries.remove(gone)),
            None => drop(
                entries.insert(text(&line, &["id"]).unwrap().to_owned(), line["path"].as_str().unwrap().to_owned()),
            ),
        }
    }
    let mut paths: Vec<String> = entries.into_values().collect();
    paths.sort();
    paths
}

#[test]
fn all_pages_come_once_and_then_what_has_changed() {
    let (served, folder) = (Served::new(handbook()), tempfile::tempdir().unwrap());
    // From any page of it the way to its interface is found.
    let report = served.sync(folder.path(), "/").unwrap();
    assert_eq!((report.fetched, report.failed, report.left_out), (6, 0, None));
    let found = files(folder.path());
    for path in ["Main Page.html", "Travel/Costs.html", "_.NET.html", "Guide_Start.html"] {
        assert!(found.iter().any(|found| found == path), "{path}: {found:?}");
    }
    // Titles that differ in capitals only are two files.
    assert_eq!(found.iter().filter(|path| path.to_lowercase().ends_with("leave.html")).count(), 2, "{found:?}");
    let file = folder.path().join("files/Main Page.html");
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.contains("<title>Main Page</title>") && page.contains("<p>Welcome"), "{page}");
    let modified = std::fs::metadata(file).unwrap().modified().unwrap();
    assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 1_614_834_367);
    let manifest = std::fs::read_to_string(folder.path().join("manifest.jsonl")).unwrap();
    assert!(manifest.contains("/wiki/Travel/Costs"), "people are led to the page");
    served.parsed();

    let mut wiki = served.wiki.lock().unwrap();
    wiki.pages.insert(2, ("Leave".to_owned(), 20, "<p>Forty days".to_owned()));
    // It is called otherwise, and says the same.
    wiki.pages.get_mut(&6).unwrap().0 = "Guide:First steps".to_owned();
    wiki.pages.remove(&4);
    drop(wiki);
    let report = served.sync(folder.path(), "/w/api.php").unwrap();
    assert_eq!((report.fetched, report.unchanged, report.removed, served.parsed()), (1, 4, 1, 1));
    assert!(files(folder.path()).contains(&"Guide_First steps.html".to_owned()));

    // Listed, and gone when it is asked for: that page alone.
    let mut wiki = served.wiki.lock().unwrap();
    wiki.pages.insert(7, ("Fleeting".to_owned(), 30, String::new()));
    wiki.vanished.push(7);
    drop(wiki);
    let report = served.sync(folder.path(), "/w/api.php").unwrap();
    assert_eq!((report.fetched, report.failed, report.unchanged), (0, 0, 5));
}

#[test]
fn uploaded_documents_come_with_the_pages() {
    let names = ["Plan.pdf", "Far.pdf", "Photo.png", "Missing.docx", "Notes.txt"];
    let files_of =
        |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), format!("content of {name}"))).collect();
    let served = Served::new(Wiki { files: files_of(&names), ..handbook() });
    let folder = tempfile::tempdir().unwrap();
    served.wiki.lock().unwrap().files.retain(|(name, _)| name != "Missing.docx");
    let report = served.sync(folder.path(), "/w/api.php").unwrap();
    // What lies at another host is not asked for, pictures are not named.
    assert_eq!((report.fetched, report.unwanted, report.failed), (8, 1, 0), "{report:?}");
    assert_eq!(std::fs::read(folder.path().join("files/Files/Plan.pdf")).unwrap(), b"content of Plan.pdf");
    assert_eq!(served.sync(folder.path(), "/w/api.php").unwrap().fetched, 0);
}

#[test]
fn a_private_wiki_is_read_by_whom_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    let served = Served::new(Wiki { account: Some(("Anna@quarry", "hunter2")), ..handbook() });
    let error = served.sync(folder.path(), "/w/api.php").unwrap_err().to_string();
    assert!(error.contains("readapidenied") && error.contains("Special:BotPasswords"), "{error}");
    let settings = |user: &str| Settings {
        user: Some(user.to_owned()),
        password_file: Some(secret.clone()),
        ..Settings::at(format!("mediawiki+{}/w/api.php", served.site.address))
    };
    let report = sync(folder.path(), &settings("Anna@quarry")).unwrap();
    assert_eq!((report.fetched, report.failed), (6, 0));
    let asked = std::mem::take(&mut *served.site.asked.lock().unwrap());
    assert!(asked.iter().all(|asked| !asked.target.contains("hunter2")), "a password stands in no address");
    assert!(asked.iter().all(|asked| !asked.headers.contains_key("authorization")));
    let error = sync(folder.path(), &settings("Ben@quarry")).unwrap_err().to_string();
    assert!(error.contains("does not let \"Ben@quarry\" in") && !error.contains("hunter2"), "{error}");
    // A session that ends in the middle is begun anew: a shorter list is never taken for all.
    let mut wiki = served.wiki.lock().unwrap();
    wiki.pages.values_mut().for_each(|(_, revision, _)| *revision += 100);
    wiki.forgets = true;
    drop(wiki);
    let report = sync(folder.path(), &settings("Anna@quarry")).unwrap();
    assert_eq!((report.fetched + report.unchanged, report.failed, report.removed), (6, 0, 0));
    served.wiki.lock().unwrap().faults = vec![api_error("assertuserfailed")];
    let error = sync(folder.path(), &settings("Anna@quarry")).unwrap_err().to_string();
    assert!(error.contains("password or token still holds"), "{error}");
    assert_eq!(files(folder.path()).len(), 6);
}

#[test]
fn a_busy_wiki_is_waited_for() {
    let (served, folder) = (Served::new(handbook()), tempfile::tempdir().unwrap());
    let busy = |code: &str| api_error(code).with("retry-after", "0");
    served.wiki.lock().unwrap().faults =
        vec![busy("maxlag"), busy("ratelimited"), Reply::of(429).with("retry-after", "0")];
    assert_eq!(served.sync(folder.path(), "/w/api.php").unwrap().fetched, 6);
    assert!(served.site.targets().iter().all(|target| target.contains("maxlag=5")));
    served.wiki.lock().unwrap().faults = vec![busy("maxlag"); 9];
    let error = served.sync(folder.path(), "/w/api.php").unwrap_err();
    assert!(error.is_passing() && error.to_string().contains("4 attempts"), "{error}");
    assert_eq!(files(folder.path()).len(), 6, "nothing is taken for gone");
}

#[test]
fn what_is_no_wiki_is_told_and_takes_nothing_for_gone() {
    let (served, folder) = (Served::new(handbook()), tempfile::tempdir().unwrap());
    served.sync(folder.path(), "/w/api.php").unwrap();
    let round = json!({ "continue": { "gapcontinue": "x", "continue": "-" }, "query": { "pages": [] } });
    let spaces = json!({ "batchcomplete": true, "query": { "namespaces": { "0": { "id": 0, "content": true } } } });
    for (reply, words) in [
        (Reply::html("<title>Sign in</title>"), "a page for people"),
        (Reply::of(200).body("MediaWiki API is not enabled"), "switched on"),
        (Reply::of(404), "check the address"),
        (Reply::of(302).with("location", "https://elsewhere.example/w/api.php"), "sends elsewhere"),
        (api_error("apidisabled"), "switched off"),
        (json_reply(&json!({ "query": {} })), "which namespaces"),
    ] {
        let other = Site::serve(move |_| reply.clone());
        let error = sync(folder.path(), &Settings::at(format!("mediawiki+{}/w/api.php", other.address))).unwrap_err();
        assert!(error.to_string().contains(words), "{words}: {error}");
        assert_eq!(files(folder.path()).len(), 6);
    }
    let endless =
        Site::serve(move |asked| json_reply(if asked.target.contains("siteinfo") { &spaces } else { &round }));
    let error = sync(folder.path(), &Settings::at(format!("mediawiki+{}/w/api.php", endless.address))).unwrap_err();
    assert!(error.to_string().contains("goes round"), "{error}");
    for (reply, words) in [
        (Reply::html("<p>A page"), "give the address of its api.php"),
        (Reply::html("<link rel=EditURI href=https://elsewhere.example/w/api.php>"), "give the address of its api.php"),
        (Reply::of(302).with("location", "https://elsewhere.example/"), "sends elsewhere"),
    ] {
        let other = Site::serve(move |_| reply.clone());
        let error = sync(folder.path(), &Settings::at(format!("mediawiki+{}/", other.address))).unwrap_err();
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    // A page that cannot be had costs itself.
    let mut wiki = served.wiki.lock().unwrap();
    wiki.pages.get_mut(&2).unwrap().1 = 50;
    wiki.pages.get_mut(&2).unwrap().2 = "x".repeat(2 << 20);
    drop(wiki);
    let report = served.sync(folder.path(), "/w/api.php").unwrap();
    assert_eq!((report.failed, report.unchanged, files(folder.path()).len()), (1, 5, 6), "{report:?}");
}
