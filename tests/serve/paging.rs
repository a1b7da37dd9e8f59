//! The list of results: one order for all pages, totals and facets that hold, cursors, filters that say what they do.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::{Value, json};

use crate::server::{PATIENCE, Server};
use crate::support::{Bench, fixture};

fn ids(answer: &Value) -> Vec<String> {
    let results = answer["results"].as_array().unwrap();
    results.iter().map(|hit| hit["id"].as_str().unwrap().to_string()).collect()
}

/// All that is found, whether or not it is judged to answer.
fn search(server: &Server, query: &str) -> Value {
    server.get(&format!("/api/v1/search?{query}&unlikely=all")).expect(200)
}

/// A bench with two folders that share a few words, one of them much larger than what is ranked.
fn two_sources() -> (Bench, Server) {
    let bench = Bench::new();
    for number in 0..260 {
        let topic = ["travel", "leave", "printer", "salary"][number % 4];
        let text =
            format!("# Note {number}\n\nThis memo {number} is about {topic} and the office, item {}.\n", number * 7919);
        bench.write(&format!("memos/{}/{number}.md", number % 3), &text);
    }
    let server =
        Server::start(&bench, &[&bench.docs().display().to_string(), &fixture("handbook").display().to_string()]);
    (bench, server.ready())
}

#[test]
fn every_page_continues_the_one_before_and_the_total_is_what_paging_gives() {
    let (_bench, server) = two_sources();
    for query in [
        "q=travel+office",
        "q=memo&mode=lexical",
        "q=how+do+I+ask+for+leave&mode=semantic",
        "q=office&source=handbook",
        "q=office&copies=apart",
        "q=travel+memo&sort=date",
    ] {
        let whole = search(&server, &format!("{query}&top=1000"));
        let all = ids(&whole);
        assert_eq!(all.len() as u64, whole["total"], "{query}");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{query}: a document stands twice");
        assert_eq!(ids(&search(&server, &format!("{query}&top=10"))), all[..10.min(all.len())], "{query}");
        let mut walk = Vec::new();
        while walk.len() < all.len() {
            let page = search(&server, &format!("{query}&top=10&offset={}", walk.len()));
            assert_eq!(page["total"], whole["total"], "{query}");
            assert!(!ids(&page).is_empty(), "{query}: {} of {}", walk.len(), all.len());
            walk.extend(ids(&page));
        }
        assert_eq!(walk, all, "{query}");
        let scores: Vec<f64> =
            whole["results"].as_array().unwrap().iter().map(|hit| hit["score"].as_f64().unwrap()).collect();
        assert!(query.contains("sort=date") || scores.is_sorted_by(|a, b| a >= b), "{query}: {scores:?}");
    }
    let memos = search(&server, "q=memo&mode=lexical");
    assert_eq!(memos["total"], 260, "more than what is ranked");
}

#[test]
fn the_number_of_a_facet_is_the_number_of_results_behind_it() {
    let (_bench, server) = two_sources();
    // As everybody asks: what hardly answers is counted like the rest.
    let search = |query: &str| server.get(&format!("/api/v1/search?{query}")).expect(200);
    let mut verdicts = Vec::new();
    for query in ["travel", "how do I request vacation", "office memo", "printer", "4711"] {
        let query = query.replace(' ', "+");
        let found = search(&format!("q={query}&facets=true&top=1"));
        let all = search(&format!("q={query}&top=1&unlikely=all"));
        verdicts.push(found["answerable"]["verdict"].clone());
        for (facet, parameter) in [("source", "source"), ("kind", "type"), ("language", "lang"), ("year", "")] {
            for value in found["facets"][facet].as_array().unwrap() {
                let name = value["value"].as_str().unwrap();
                let narrowed = match parameter {
                    "" => format!("after={name}&before={}", name.parse::<i32>().unwrap() + 1),
                    parameter => format!("{parameter}={name}"),
                };
                let behind = search(&format!("q={query}&top=1&{narrowed}"));
                assert_eq!(behind["total"], value["count"], "{query} {facet} {name}");
            }
        }
        let sum = |facet: &str| -> u64 {
            found["facets"][facet].as_array().unwrap().iter().map(|value| value["count"].as_u64().unwrap()).sum()
        };
        assert_eq!(
            (all["total"].as_u64().unwrap(), all["total"].as_u64().unwrap()),
            (sum("source"), sum("kind")),
            "{query}"
        );
    }
    assert!(verdicts.iter().any(|verdict| verdict != "likely"), "{verdicts:?}");
}

#[test]
fn a_cursor_goes_on_where_the_last_page_ended_though_the_index_has_changed() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[]).ready();
    let put = |number: usize, text: &str| drop(server.put(&format!("{number}.md"), text).expect(200));
    for number in 0..40 {
        put(
            number,
            &format!("# Note {number}\n\nThe pump of line {} was greased {} times.\n", number % 7, number * 31),
        );
    }
    let first = search(&server, "q=pump+line&copies=apart&top=10");
    let mut seen = ids(&first);
    let mut cursor = first["next"].as_str().unwrap().to_string();
    let mut pages = 1;
    loop {
        // Everything moves: words become rarer or more frequent, segments are merged, one that was shown is written again.
        put(100 + pages, "# Other\n\nThe line of the pump, the pump of the line: pump, line.\n");
        put(pages, &format!("# Note {pages}\n\nThe pump of line {} was greased {} times.\n", pages % 7, pages * 31));
        let page = search(&server, &format!("q=pump+line&copies=apart&top=7&cursor={cursor}"));
        seen.extend(ids(&page));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        cursor = next.to_string();
    }
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "a document stands twice");
    let all = ids(&search(&server, "q=pump+line&copies=apart&top=1000"));
    let lost: Vec<&String> = all.iter().filter(|id| !seen.contains(id)).collect();
    // What came after the last page was asked for may be missing, and nothing else.
    assert!(lost.is_empty(), "{lost:?} of {} after {pages} pages", all.len());
    let refused = |query: &str| {
        server.get(&format!("/api/v1/search?{query}&unlikely=all")).expect(400)["errors"][0]["code"].clone()
    };
    assert_eq!(refused(&format!("q=pump&cursor={cursor}")), "cursor-of-another-question");
    assert_eq!(refused("q=pump+line&copies=apart&cursor=abc"), "cursor-unreadable");
    assert_eq!(refused(&format!("q=pump+line&copies=apart&offset=10&cursor={cursor}")), "cursor-with-offset");
    let beyond = server.send("POST", "/api/v1/search", &json!({"query": "pump line", "top": 10, "offset": 995}));
    assert_eq!(beyond.expect(400)["errors"][0]["code"], "top-too-large");
}

#[test]
fn equal_documents_keep_their_order_from_commit_to_commit() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[]).ready();
    for number in 0..30 {
        server.put(&format!("{number}.md"), "The same line about pumps.\n").expect(200);
    }
    let ask = || ids(&search(&server, "q=pumps&copies=apart&top=30&mode=lexical"));
    let before = ask();
    let started = Instant::now();
    for number in 0..12 {
        server.put(&format!("other/{number}.md"), &format!("Something else, {number}.\n")).expect(200);
        server.put(&format!("{number}.md"), "The same line about pumps.\n").expect(200);
        assert_eq!(ask(), before);
    }
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn reranked_pages_continue_one_another() {
    let bench = Bench::new();
    let reranker = fixture("models/tiny-reranker").display().to_string();
    let handbook = fixture("handbook").display().to_string();
    let server = Server::start(&bench, &["--reranker", &reranker, &handbook]).ready();
    let query = "q=how+do+I+get+my+travel+money+back&rerank_ms=60000";
    let whole = search(&server, &format!("{query}&top=50"));
    assert!(whole["reranked"].as_u64().unwrap() > 0, "{whole}");
    let all = ids(&whole);
    let walk: Vec<String> =
        (0..5).flat_map(|page| ids(&search(&server, &format!("{query}&top=10&offset={}", page * 10)))).collect();
    assert_eq!(walk, all);
}

#[test]
fn filters_alone_list_the_newest_first() {
    let (bench, server) = two_sources();
    for (mode, place) in
        [("hybrid", "q=source:handbook"), ("lexical", "q=source:handbook"), ("semantic", "q=&source=HANDBOOK")]
    {
        let listed = search(&server, &format!("{place}&mode={mode}&top=100"));
        assert!(listed["total"].as_u64().unwrap() > 10, "{mode}: {listed}");
        let results = listed["results"].as_array().unwrap();
        assert!(results.iter().all(|hit| hit["source"] == "handbook"));
        let dates: Vec<i64> = results.iter().map(|hit| hit["modified"].as_i64().unwrap()).collect();
        assert!(dates.is_sorted_by(|a, b| a >= b), "{dates:?}");
    }
    let page = server.get("/search?q=&source=handbook").text;
    assert!(page.matches("<li class=\"hit\"").count() == 10, "{page}");
    drop(server);
    let found = bench.search(&["source:handbook", "--top", "10"]);
    assert_eq!(found["results"].as_array().unwrap().len(), 10);
    assert!(found["total"].as_u64().unwrap() > 10);
}

#[test]
fn a_filter_that_matches_nothing_is_named() {
    let (bench, server) = two_sources();
    let notes = |query: &str| search(&server, query)["notes"].to_string();
    assert!(
        notes("q=office+source:handbok").contains("no document matches source:handbok"),
        "{}",
        notes("q=office+source:handbok")
    );
    assert!(notes("q=office&path=nowhere/at+all").contains("no document matches path:\\\"nowhere/at all\\\""));
    assert!(notes("q=office&lang=sw").contains("no document matches lang:sw"));
    assert!(notes("q=office&after=2090").contains("no document matches after:2090-01-01"));
    assert!(notes("q=office&source=handbook&path=memos/").contains("no document matches all of them"));
    assert_eq!(notes("q=office&source=Handbook"), "[]");
    let page = server.request("GET", "/search?q=office&source=handbok", &[("accept-language", "zh")], &[]).text;
    assert!(page.contains("没有文档符合 source:handbok"), "{page}");
    drop(server);
    let run = bench.run(&["search", "office", "source:handbok"]).succeeded();
    assert!(run.stderr().contains("no document matches source:handbok"), "{}", run.stderr());
}

#[test]
fn a_path_is_accepted_as_it_is_shown_and_as_it_is_typed() {
    let bench = Bench::new();
    // As a Mac writes it: the mark is a character of its own.
    bench.write("U\u{308}bersicht/Plan.md", "# Plan\n\nThe pump is greased on Mondays.\n");
    bench.write("other/place.md", "# Place\n\nThe pump stands in the hall.\n");
    bench.index();
    let found = |path: &str| bench.paths(&["pump", &format!("path:{path}")]);
    let one = ["U\u{308}bersicht/Plan.md"];
    for path in ["\u{dc}bersicht", "u\u{308}bersicht/plan", "docs/\u{dc}bersicht", "DOCS/\u{fc}bersicht/Plan.md"] {
        assert_eq!(found(path), one, "{path}");
    }
    assert_eq!(found("docs/other"), ["other/place.md"]);
    assert_eq!(found("docs").len(), 2);
    assert!(found("docs/bersicht").is_empty());
}
