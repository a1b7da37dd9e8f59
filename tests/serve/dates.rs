//! The dates of documents: as they state them, and of their files only without that.

use serde_json::{Value, json};

use crate::server::Server;
use crate::support::Bench;

const DAY: i64 = 24 * 60 * 60;

fn found(answer: &Value) -> Vec<(&str, i64, &str)> {
    let results = answer["results"].as_array().unwrap();
    results
        .iter()
        .map(|hit| {
            let (path, from) = (hit["path"].as_str().unwrap(), hit["date_from"].as_str().unwrap());
            (path, hit["modified"].as_i64().unwrap().div_euclid(DAY), from)
        })
        .collect()
}

#[test]
fn a_document_is_dated_by_what_it_says_of_itself() {
    let bench = Bench::new();
    bench.write("front.md", "---\ndate: 2021-03-04\nupdated: May 6, 2022\n---\n# Pump\n\nThe pump is greased.\n");
    bench.write(
        "page.html",
        "<html><head><meta property='article:published_time' content='2019-01-02T03:04:05Z'></head>\
         <body><h1>Pump</h1><p>The pump is painted green.</p></body></html>",
    );
    bench.write(
        "letter.eml",
        "From: Ana <ana@x.example>\nTo: Bo <bo@x.example>\nSubject: Pump\nDate: Fri, 3 Nov 2023 10:20:30 +0100\n\nThe pump is loud.\n",
    );
    bench.write("plain.txt", "The pump has a valve.\n");
    bench.write("unclear.md", "---\ndate: 03/04/2024\n---\n# Pump\n\nThe pump is old.\n");
    bench.index();
    let server = Server::start(&bench, &[]).ready();
    let ask = |query: &str| server.get(&format!("/api/v1/search?q=pump&{query}")).expect(200);
    let newest = ask("sort=date");
    let today = jiff::Timestamp::now().as_second() / DAY;
    let rows = found(&newest);
    let of = |path: &str| rows.iter().find(|(known, ..)| *known == path).map(|(_, day, from)| (*day, *from));
    let day = |text: &str| {
        text.parse::<jiff::civil::Date>().unwrap().to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second()
            / DAY
    };
    assert_eq!(of("front.md"), Some((day("2022-05-06"), "front-matter")));
    assert_eq!(of("page.html"), Some((day("2019-01-02"), "document")));
    assert_eq!(of("letter.eml"), Some((day("2023-11-03"), "mail")));
    for path in ["plain.txt", "unclear.md"] {
        let (date, from) = of(path).unwrap();
        assert!(from == "file" && (today - 1..=today + 1).contains(&date), "{path}: {date} {from}");
    }
    let order: Vec<&str> = rows.iter().map(|(path, ..)| *path).collect();
    assert_eq!(order[2..], ["letter.eml", "front.md", "page.html"]);
    let oldest = ask("sort=oldest");
    assert_eq!(found(&oldest)[0].0, "page.html");
    let early = ask("before=2023&facets=true");
    assert_eq!(early["total"], 2);
    let months = early["facets"]["month"].as_array().unwrap();
    assert_eq!(months[..], [json!({"value": "2022-05", "count": 1}), json!({"value": "2019-01", "count": 1})]);
    for month in months {
        let (year, number) = month["value"].as_str().unwrap().split_once('-').unwrap();
        let next = format!("{year}-{:02}", number.parse::<u8>().unwrap() + 1);
        assert_eq!(ask(&format!("after={year}-{number}&before={next}"))["total"], month["count"]);
    }
    // The page says which date it is.
    let page = server.get("/search?q=pump&sort=date").text;
    assert!(page.contains("title=\"The date of the mail\"") && page.contains("Newest first"), "{page}");
    drop(server);
    // The time of the file stays what changes are told by: nothing is read again, and a change is.
    let again = bench.index();
    assert_eq!(again.stderr(), "", "nothing was to be done");
    bench.write("front.md", "---\ndate: 2021-03-04\n---\n# Pump\n\nThe pump is greased.\n");
    bench.index();
    let changed = bench.search(&["pump", "before:2022"]);
    let paths: Vec<&str> = found(&changed).iter().map(|(path, ..)| *path).collect();
    assert!(paths.contains(&"front.md") && paths.contains(&"page.html") && paths.len() == 2, "{paths:?}");
    let printed = bench.run(&["search", "pump", "type:eml"]).succeeded().stdout();
    assert!(printed.contains("2023-11-03 (mail)"), "{printed}");
}

#[test]
fn a_pushed_document_has_the_date_it_came_with() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[]).ready();
    let put = |path: &str, text: &str| {
        server
            .send("PUT", "/api/v1/documents", &json!({"path": path, "text": text, "modified": 1_000_000_000}))
            .expect(200)
    };
    put("plain.md", "# Pump\n\nThe pump has a valve.\n");
    put("dated.md", "---\ndate: 2020-02-03\n---\n# Pump\n\nThe pump is green.\n");
    let answer = server.get("/api/v1/search?q=pump&sort=date").expect(200);
    assert_eq!(found(&answer), [("dated.md", 18295, "front-matter"), ("plain.md", 1_000_000_000 / DAY, "pushed")]);
    let id = answer["results"][1]["id"].as_str().unwrap();
    let document = server.get(&format!("/api/v1/documents/{id}")).expect(200);
    assert_eq!((&document["date_from"], &document["metadata"]["date_from"]), (&json!("pushed"), &Value::Null));
}
