//! Insights: what is counted of what people ask, who sees it, how long it is kept, and what can be made of it.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::private::open_to_others;
use crate::server::{PATIENCE, Reply, Server};
use crate::support::Bench;

const ON: &str = "[insights]\nenabled = true\n";
const PAGE: (&str, &str) = ("accept", "text/html");

fn key(bench: &Bench, name: &str, scope: &str) -> String {
    bench.run(&["keys", "create", name, "--scope", scope]).succeeded().stdout().trim().to_string()
}

/// A server with insights, three people who may search, and an administrator.
struct House {
    bench: Bench,
    server: Server,
    people: Vec<String>,
    admin: String,
}

impl House {
    fn new(config: &str) -> Self {
        let bench = Bench::with_documents(8);
        let people = ["ann", "bob", "cem"].map(|name| key(&bench, name, "search")).to_vec();
        let admin = key(&bench, "admin", "admin");
        let server = Server::configured(&bench, config, &[&bench.docs().display().to_string()]).ready();
        Self { bench, server, people, admin }
    }

    fn get(&self, key: &str, path: &str) -> Reply {
        self.server.request("GET", path, &[("x-api-key", key)], &[])
    }

    /// Somebody asks on the page; ids of what it shows.
    fn ask(&self, person: usize, query: &str) -> Vec<String> {
        let page = self.get(&self.people[person], &format!("/search?q={}", query.replace(' ', "+")));
        assert_eq!(page.status, 200, "{}", page.text);
        let rows = page.text.split("<li class=\"hit\" data-id=\"").skip(1);
        rows.filter_map(|row| row.split('"').next()).map(str::to_string).collect()
    }

    fn tell(&self, person: usize, body: &Value) -> Reply {
        let headers = [("x-api-key", self.people[person].as_str()), ("content-type", "application/json")];
        self.server.request("POST", "/api/v1/feedback", &headers, body.to_string().as_bytes())
    }

    fn told(&self, person: usize, query: &str, document: &str, kind: &str, rank: usize) {
        let body = json!({ "query": query, "document": document, "kind": kind, "rank": rank });
        assert_eq!(self.tell(person, &body).expect(200), json!({ "counted": true }));
    }

    /// The report, once `is_there` holds of it: counts are kept beside the answers.
    fn report(&self, is_there: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let report = self.get(&self.admin, "/api/v1/insights").expect(200);
            if is_there(&report) {
                return report;
            }
            assert!(started.elapsed() < PATIENCE, "{report:#}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn searches(&self, count: u64) -> Value {
        self.report(|report| report["totals"]["searches"] == count)
    }
}

fn queries(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|line| line["query"].as_str().unwrap()).collect()
}

#[test]
fn switched_off_nothing_is_kept_and_nothing_is_on_the_page() {
    let house = House::new("");
    let found = house.ask(0, "note marker001");
    let told = house.tell(0, &json!({ "query": "note marker001", "document": found[0], "kind": "click" }));
    told.problem(501, "no-insights");
    for path in ["/api/v1/insights", "/api/v1/insights?format=csv", "/api/v1/insights/judgements"] {
        house.get(&house.admin, path).problem(501, "no-insights");
    }
    let headers = [("x-api-key", house.admin.as_str()), PAGE];
    let page = house.server.request("GET", "/insights", &headers, &[]);
    assert!(page.status == 501 && page.text.contains("Insights are switched off"), "{}", page.text);
    for path in ["/", "/search?q=note", &format!("/document/{}?q=note", found[0]), "/status"] {
        let page = house.get(&house.admin, path).text;
        assert!(!page.contains("feedback") && !page.contains("/insights"), "{path}: {page}");
    }
    assert!(!house.bench.data().join("insights").exists());
}

#[test]
fn a_query_is_shown_once_three_people_have_asked_it() {
    let house = House::new(ON);
    for _ in 0..3 {
        house.ask(0, "note marker001");
    }
    house.ask(1, "Note  MARKER001");
    house.ask(1, "only bob asks this");
    let report = house.searches(3);
    assert_eq!((&report["popular"], &report["totals"]["hidden"]), (&json!([]), &json!(2)), "{report:#}");
    let csv = |house: &House| house.get(&house.admin, "/api/v1/insights?format=csv").text;
    assert_eq!(csv(&house).lines().count(), 1, "only the head");
    // A third one, by the API and on a later page as well; what is typed and pages behind the first count nothing.
    house.get(&house.people[2], "/api/v1/suggest?q=note+marker001&documents=3").expect(200);
    house.get(&house.people[2], "/api/v1/search?q=note+marker001&offset=3").expect(200);
    house.get(&house.people[2], "/api/v1/search?q=note+marker001&top=3").expect(200);
    let report = house.searches(4);
    assert_eq!(queries(&report["popular"]), ["note marker001"], "{report:#}");
    assert_eq!(report["popular"][0]["searches"], 3);
    assert!(csv(&house).lines().nth(1).unwrap().starts_with("note marker001,3,0,0,2,"), "{}", csv(&house));
    let text = report.to_string() + &csv(&house);
    assert!(!text.contains("only bob"), "{text}");
    // For administrators alone.
    for path in ["/api/v1/insights", "/api/v1/insights/judgements", "/insights", "/insights/queries.csv"] {
        house.get(&house.people[0], path).problem(403, "scope-missing");
    }
    let page = |key: &str, path: &str| house.server.request("GET", path, &[("x-api-key", key), PAGE], &[]).text;
    assert!(
        page(&house.admin, "/").contains("href=\"/insights\"") && !page(&house.people[0], "/").contains("/insights")
    );
    let shown = page(&house.admin, "/insights?days=7");
    assert!(shown.contains("<bdi>note marker001</bdi>") && !shown.contains("only bob"), "{shown}");
    assert_eq!(house.get(&house.admin, "/insights/queries.csv?days=7").text, csv(&house));
    house.get(&house.admin, "/api/v1/insights?days=91").problem(400, "over-limit");
    house.get(&house.admin, "/api/v1/insights?weeks=1").problem(400, "bad-request");
}

#[test]
fn what_is_not_found_not_opened_and_liked_is_counted() {
    let house = House::new(&format!("{ON}slow_ms = 600000\n"));
    for person in 0..3 {
        let found = house.ask(person, "note about holidays");
        assert!(found.len() > 3, "{found:?}");
        house.ask(person, "qqxzv wwkjh");
        house.get(&house.people[person], "/search?q=note+about+nothing&source=nowhere");
        if person < 2 {
            house.told(person, "note about holidays", &found[1], "click", 2);
            house.told(person, "note about holidays", &found[1], "click", 2);
        }
        house.told(person, "note about holidays", &found[0], "down", 1);
    }
    let found = house.ask(0, "note about holidays");
    house.told(0, "note about holidays", &found[0], "up", 1);
    let report = house.report(|report| report["totals"]["searches"] == 9 && report["totals"]["up"] == 1);
    assert_eq!(queries(&report["without_results"]), ["qqxzv wwkjh"], "{report:#}");
    assert_eq!(report["without_results"][0]["without_results"], 3);
    assert_eq!(report["totals"]["without_click"], 1, "one of three who had results before them opened none");
    assert_eq!(report["without_click"], json!([]), "most did");
    assert_eq!((&report["slow"], &report["totals"]["slow"]), (&json!([]), &json!(0)));
    let thumbs = &report["thumbs"][0];
    assert_eq!(
        (&thumbs["document"], &thumbs["down"], &thumbs["up"], &thumbs["source"]),
        (&json!(found[0]), &json!(2), &json!(1), &json!("docs")),
        "the last word counts: {thumbs}"
    );
    let popular = report["popular"].as_array().unwrap();
    let asked = popular.iter().find(|line| line["query"] == "note about holidays").unwrap();
    assert_eq!((&asked["opened"], &asked["searches"]), (&json!(2), &json!(3)), "each once: {asked}");
    let metrics = house.get(&house.admin, "/metrics").text;
    assert!(metrics.contains("quarry_insights_left_out_total 0"), "{metrics}");
}

#[test]
fn what_is_told_of_results_is_checked() {
    let house = House::new(ON);
    let document = house.ask(0, "note")[0].clone();
    let good = json!({ "query": "note", "document": document, "kind": "click" });
    let refused = |change: Value, status: u16, code: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let problem = house.tell(0, &body).problem(status, code);
        problem["detail"].as_str().unwrap().to_string()
    };
    assert!(refused(json!({ "user": "ann" }), 400, "bad-request").contains("unknown field `user`"));
    assert!(refused(json!({ "kind": "love" }), 400, "bad-request").contains("expected one of `click`, `up`, `down`"));
    assert!(refused(json!({ "rank": 0 }), 400, "bad-request").contains("rank: expected"));
    refused(json!({ "rank": 1_001 }), 400, "over-limit");
    refused(json!({ "query": "x".repeat(2_001) }), 400, "over-limit");
    refused(json!({ "document": "0".repeat(32) }), 404, "not-found");
    refused(json!({ "document": "../../etc/passwd" }), 404, "not-found");
    let counted = |query: &str| {
        let mut body = good.clone();
        body["query"] = json!(query);
        house.tell(0, &body).expect(200)["counted"].clone()
    };
    assert_eq!((counted("note"), counted(" "), counted(&"x".repeat(201))), (json!(true), json!(false), json!(false)));
    let foreign = [
        ("x-api-key", house.people[0].as_str()),
        ("content-type", "application/json"),
        ("origin", "http://evil.example"),
    ];
    let body = good.to_string();
    house.server.request("POST", "/api/v1/feedback", &foreign, body.as_bytes()).problem(403, "origin-not-allowed");
    let form = [("x-api-key", house.people[0].as_str()), ("content-type", "text/plain")];
    house.server.request("POST", "/api/v1/feedback", &form, body.as_bytes()).problem(415, "media-type");
    let page = house.get(&house.people[0], "/search?q=note").text;
    assert!(
        page.contains("id=\"feedback\"") && page.contains("data-asked=\"Was this what you looked for?\""),
        "{page}"
    );
    assert!(!house.get(&house.people[0], "/status").text.contains("id=\"feedback\""));
    assert!(house.get(&house.people[0], &format!("/document/{document}?q=note")).text.contains("id=\"feedback\""));
}

#[test]
fn nothing_on_disk_names_anybody_and_all_of_it_is_the_owners() {
    let house = House::new(ON);
    let ids: Vec<&str> = house.people.iter().map(|key| key.split('_').nth(1).unwrap()).collect();
    (0..3).for_each(|person| drop(house.ask(person, "note marker001")));
    house.searches(3);
    let folder = house.bench.data().join("insights");
    let mut text = String::new();
    for entry in fs::read_dir(&folder).unwrap() {
        text += &fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    assert!(text.contains("note marker001"), "counting needs the text: {text}");
    for secret in ids.iter().chain(&["ann", "bob", "cem", "127.0.0.1"]) {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert_eq!(open_to_others(&house.bench.data()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_kill_loses_nothing_that_was_counted_and_old_days_are_removed() {
    let mut house = House::new(&format!("{ON}keep_days = 30\n"));
    (0..2).for_each(|person| drop(house.ask(person, "note marker001")));
    house.searches(2);
    house.server.signal("-KILL");
    let folder = house.bench.data().join("insights");
    let log = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().unwrap() == "log");
    let log = log.unwrap();
    // What a failure of the machine leaves: half a line.
    let mut torn = fs::read(&log).unwrap();
    torn.extend_from_slice(b"{\"at\":17,\"who\":\"0");
    fs::write(&log, torn).unwrap();
    let old = folder.join("2020-01-31.counts");
    fs::write(&old, "{}\n").unwrap();
    house.server = Server::configured(&house.bench, &format!("{ON}keep_days = 30\n"), &[]).ready();
    let report = house.searches(2);
    assert_eq!(report["popular"], json!([]));
    house.ask(0, "note marker001");
    house.ask(2, "note marker001");
    let report = house.searches(3);
    assert_eq!(queries(&report["popular"]), ["note marker001"], "the two before are remembered: {report:#}");
    assert!(!old.exists(), "older than it may be");
    assert_eq!(house.server.signal("-TERM"), Some(0));
    // Switched off, what was kept is neither shown nor lost, and that is said.
    house.server = Server::configured(&house.bench, "", &[]).ready();
    house.get(&house.admin, "/api/v1/insights").problem(501, "no-insights");
    let said = house.server.said.join("\n") + &house.server.log.lock().unwrap().join("\n");
    assert!(said.contains("insights are switched off"), "{said}");
    assert!(log.exists());
}

#[test]
fn clicks_and_thumbs_become_an_evaluation_set() {
    let house = House::new(ON);
    let bench = &house.bench;
    let config = bench.root.path().join("quarry.toml").display().to_string();
    let set = bench.root.path().join("set").display().to_string();
    let export = |more: &[&str]| bench.run(&[&["--config", &config, "insights", "export", &set], more].concat());
    export(&[]).refused(&["nothing to export: of 0 queries", "3 people"]);
    assert!(!bench.root.path().join("set").exists());
    let path_of = |id: &str| {
        let document = house.get(&house.admin, &format!("/api/v1/documents/{id}")).expect(200);
        document["path"].as_str().unwrap().to_string()
    };
    let mut right = String::new();
    for person in 0..3 {
        let found = house.ask(person, "note marker003");
        right.clone_from(&found[0]);
        assert_eq!(path_of(&right), "note-003.md");
        house.told(person, "note marker003", &right, "click", 1);
        house.told(person, "note marker003", &found[1], "down", 2);
    }
    house.told(0, "note marker003", &right, "up", 1);
    house.ask(0, "a secret of ann");
    house.report(|report| report["totals"]["up"] == 1 && report["totals"]["searches"] == 4);

    let judged = house.get(&house.admin, "/api/v1/insights/judgements").expect(200);
    let judgements = judged["queries"][0]["judgements"].as_array().unwrap();
    let grade = |id: &str| judgements.iter().find(|it| it["document"] == id).map(|it| it["grade"].clone());
    assert_eq!((judged["queries"].as_array().unwrap().len(), grade(&right)), (1, Some(json!(3))), "{judged:#}");
    export(&["--days", "91"]).refused(&["--days: expected 1 to 90"]);
    let said = export(&[]).succeeded().stdout();
    assert!(said.contains("1 queries with 2 judgements over 8 documents"), "{said}");
    export(&[]).refused(&["is not empty"]);
    let text = |file: &str| fs::read_to_string(bench.root.path().join("set").join(file)).unwrap();
    assert!(!text("queries.jsonl").contains("secret") && text("queries.jsonl").contains("note marker003"));
    assert_eq!(text("corpus.jsonl").lines().count(), 8);
    assert!(text("qrels/test.tsv").contains(&format!("\t{right}\t3\n")), "{}", text("qrels/test.tsv"));

    let report = Bench::new().run(&["eval", &set, "--json"]).succeeded().stdout();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["queries"], 1, "{report}");
    assert!(report["legs"]["bm25"]["ndcg@10"].as_f64().unwrap() > 0.9, "{report}");
}
