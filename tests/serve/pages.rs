//! The pages that people see: failures, weight, marked sentences, near-duplicates.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{PATIENCE, Server};
use crate::support::{Bench, fixture};

#[test]
fn failures_are_pages_for_people_in_their_language() {
    let bench = Bench::with_documents(1);
    let config = "[limits]\nrate_per_second = 1\nrate_burst = 12\n";
    let server = Server::configured(&bench, config, &[]).ready();
    let browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8"), ("accept-language", "zh-CN")];
    let ask =
        |method: &str, path: &str, more: &[(&str, &str)]| server.request(method, path, &[&browser, more].concat(), &[]);
    let refused = [
        (ask("GET", "/nowhere", &[]), 404, "这里什么也没有"),
        (ask("POST", "/search", &[]), 405, "此地址只能读取"),
        (ask("GET", "/search?q=x&after=yesterday", &[]), 400, "无法理解此地址"),
        (ask("GET", "/search?q=x&offset=x", &[]), 400, "无法理解此地址"),
        (ask("GET", "/", &[("host", "evil.example")]), 421, "服务器没有这个名称"),
        (ask("POST", "/", &[("origin", "http://evil.example")]), 403, "请求来自其他网站"),
        ((0..60).map(|_| ask("GET", "/status", &[])).find(|reply| reply.status == 429).unwrap(), 429, "请求过于频繁"),
    ];
    for (reply, status, title) in refused {
        assert_eq!(reply.status, status, "{}", reply.text);
        assert!(reply.header("content-type").starts_with("text/html"), "{}", reply.text);
        assert!(reply.text.contains("lang=\"zh-Hans\"") && reply.text.contains(title), "{}", reply.text);
        for english in ["expected", "That did not", "request", "not valid", "Try again"] {
            let text: String = reply.text.split('<').filter_map(|part| Some(part.split_once('>')?.1)).collect();
            assert!(!text.contains(english), "{english}: {text}");
        }
        assert!(status != 429 || !reply.header("retry-after").is_empty());
    }
    // Programs, and whoever looks at the API, get problem documents.
    assert_eq!(
        server.request("GET", "/api/v1/nothing", &browser, &[]).header("content-type"),
        "application/problem+json"
    );
    assert_eq!(server.request("GET", "/nowhere", &[], &[]).header("content-type"), "application/problem+json");
}

#[test]
fn a_page_of_results_is_light() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[&fixture("handbook").display().to_string()]).ready();
    let page = server.get("/search?q=how+do+I+get+my+travel+money+back");
    assert_eq!(page.text.matches("<li class=\"hit\"").count(), 10);
    assert!(page.text.len() < 32_000, "the page has {} bytes", page.text.len());
    // Everything that its first visit fetches: styles, and scripts with what they import.
    let mut fetched: Vec<String> = Vec::new();
    let mut waiting: Vec<String> = ["page.css", "page.js"].map(str::to_string).into();
    let at = page.text.find("/assets/").unwrap();
    let folder = page.text[at..].split('/').take(3).collect::<Vec<_>>().join("/");
    let mut bytes = page.text.len();
    while let Some(name) = waiting.pop() {
        let asset = server.get(&format!("{folder}/{name}"));
        assert_eq!(asset.status, 200, "{name}");
        bytes += asset.text.len();
        fetched.push(name);
        let imports =
            asset.text.lines().filter(|line| line.starts_with("import ")).filter_map(|line| line.split("\"./").nth(1));
        let new = imports.filter_map(|rest| rest.split('"').next()).map(str::to_string);
        waiting.extend(new.filter(|name| !fetched.contains(name)).collect::<Vec<_>>());
        waiting.sort();
        waiting.dedup();
    }
    assert!(fetched.len() > 4, "{fetched:?}");
    assert!(bytes < 65_000, "a first visit takes {bytes} bytes: {fetched:?}");
    println!("a first visit: {bytes} bytes, {} of them the page", page.text.len());
}

#[test]
fn the_sentence_that_answers_is_marked_where_no_word_is() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[&fixture("handbook").display().to_string()]).ready();
    let ask = |mark: &str| {
        // A Chinese question, of an English page.
        let body = json!({ "query": "生孩子可以在家休息多少周", "mark": mark });
        let answer = server.send("POST", "/api/v1/search", &body).expect(200);
        let passages = answer["results"].as_array().unwrap().iter().flat_map(|hit| hit["passages"].as_array().unwrap());
        let took = answer["timings"]["highlight_ms"].as_f64().unwrap();
        (passages.cloned().collect::<Vec<Value>>(), took)
    };
    assert!(ask("words").0.iter().all(|passage| passage["marked"] != "sentence"));
    // A model that is kept from computing marks nothing; it is not always kept from it.
    let started = Instant::now();
    let (passages, took) = loop {
        let (passages, took) = ask("sentences");
        if passages[0]["marked"] == "sentence" || started.elapsed() > PATIENCE {
            break (passages, took);
        }
    };
    assert_eq!(passages[0]["marked"], "sentence", "{}", passages[0]);
    let mark = &passages[0]["highlights"][0];
    let range = mark["start"].as_u64().unwrap() as usize..mark["end"].as_u64().unwrap() as usize;
    let sentence = &passages[0]["snippet"].as_str().unwrap()[range];
    assert_eq!(sentence, "| The parent who gives birth | 20 weeks | 10 weeks |");
    assert!(took > 0.0);
    assert!(passages[1..].iter().all(|passage| passage["marked"] != "sentence"), "no other one answers");
    server.get("/api/v1/search?q=x&mark=all").problem(400, "bad-request");
}

#[test]
fn near_duplicates_are_one_result() {
    let bench = Bench::new();
    let rule =
        |n: usize| format!("Rule {n}: the claim number {n} needs form F-{n} and the signature of a manager.\n\n");
    let policy = (0..30).map(rule).collect::<String>();
    bench.write("2025/policy.md", &format!("# Claims\n\n{policy}"));
    bench.write("2026/policy.md", &format!("# Claims\n\n{}", policy.replace("Rule 7:", "Rule 7 (changed):")));
    bench
        .write("other.md", "# Gateway\n\nA claim about sensors: they send readings and need no form and no signature.");
    let old = std::fs::File::options().write(true).open(bench.docs().join("2025/policy.md")).unwrap();
    old.set_modified(std::time::SystemTime::now() - Duration::from_secs(86_400)).unwrap();
    let server = Server::start(&bench, &[bench.docs().to_str().unwrap()]).ready();
    let answer = server.get("/api/v1/search?q=claim+form+signature").expect(200);
    assert_eq!(answer["total"], 2, "{answer}");
    let policy = answer["results"].as_array().unwrap().iter().find(|hit| hit["title"] == "Claims").unwrap();
    assert_eq!((&policy["path"], &policy["copies"][0]["path"]), (&"2026/policy.md".into(), &"2025/policy.md".into()));
    assert!(server.get("/search?q=claim+form+signature").text.contains("Also in 1 place"));
    assert!(server.get("/search?q=claim+form+signature&lang=zh").status == 200);
    let apart = server.get("/api/v1/search?q=claim+form+signature&copies=apart").expect(200);
    assert_eq!(apart["total"], 3, "{apart}");
}

#[test]
fn formats_go_by_every_word_for_them_and_are_sent_as_what_they_are() {
    let bench = Bench::new();
    bench.write("manual.rst", "Turbine\n=======\n\nThe granite turbine hums.\n");
    bench.write("guide.adoc", "= Guide\n:toc:\n\nThe granite turbine sings.\n");
    bench.write("letter.eml", "From: a@x\nTo: b@x\nSubject: Turbine\n\nThe granite turbine is late.\n");
    // Text under the name of a Word file: what a browser would hand to Word.
    bench.write("old.doc", "The granite turbine of old.\n");
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    for (query, path) in [("type=rst", "manual.rst"), ("type=.ADOC", "guide.adoc"), ("type=eml", "letter.eml")] {
        assert_eq!(server.paths(&format!("q=granite&{query}")), [path], "{query}");
        assert_eq!(server.paths(&format!("q=granite+{}", query.replace('=', "%3A"))), [path], "{query}");
    }
    let refused = server.get("/api/v1/search?q=granite&type=klingon");
    assert!(
        refused.status == 400 && refused.text.contains("expected a type of documents: text, markdown"),
        "{}",
        refused.text
    );
    let noted = server.get("/api/v1/search?q=granite+type%3Aklingon").expect(200);
    assert!(noted["notes"][0].as_str().unwrap().contains("asciidoc"), "{noted}");
    let sent = |path: &str| {
        let found = server.get(&format!("/api/v1/documents?path={path}")).expect(200);
        let reply = server.get(&format!("/document/{}/file", found["documents"][0]["id"].as_str().unwrap()));
        let shown = reply.header("content-disposition").split(';').next().unwrap_or_default().to_string();
        (reply.header("content-type").to_string(), shown)
    };
    assert_eq!(sent("manual.rst"), ("text/plain; charset=utf-8".into(), "inline".into()));
    assert_eq!(sent("letter.eml"), ("message/rfc822".into(), "attachment".into()));
    assert_eq!(sent("old.doc"), ("application/msword".into(), "attachment".into()));
    let page = server.get("/search?q=granite").text;
    assert!(page.contains("reStructuredText") && page.contains("AsciiDoc"), "facets are called what people call them");
}
