//! Rules of the ranking: what comes first, what counts more or less, and what no prose is.

use std::fs;

use serde_json::{Value, json};

use crate::server::Server;
use crate::support::Bench;

/// Documents, and a configuration file that names a file of rules beside it.
fn bench(rules: &str) -> (Bench, String) {
    let bench = Bench::new();
    bench.write("it/vpn.md", "# Tunnel\n\nThe tunnel client is on the software page.\n");
    bench.write("travel/hotel.md", "# Hotels\n\nHotel bookings are approved by the team lead before the trip.\n");
    bench.write(
        "archive/hotel-2019.md",
        "# Hotels then\n\nHotel bookings were approved by the travel desk. Hotel bookings took days.\n",
    );
    bench.write("travel/trains.md", "# Trains\n\nTrain tickets are bought in second class.\n");
    for number in 0..8 {
        bench.write(&format!("log-{number}.md"), &format!("# Log {number}\n\nNothing happened on day {number}.\n"));
    }
    bench.index().succeeded();
    let config = bench.root.path().join("quarry.toml");
    fs::write(&config, "[search]\nrules = \"rules.toml\"\n").unwrap();
    fs::write(bench.root.path().join("rules.toml"), rules).unwrap();
    (bench, config.to_str().unwrap().to_owned())
}

fn paths(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().unwrap().iter().map(|hit| hit["path"].as_str().unwrap()).collect()
}

#[test]
fn what_is_pinned_comes_first_and_says_why_within_the_filters() {
    let (bench, config) = bench(
        "[[pin]]\nqueries = [\"hotel bookings\"]\ndocuments = [\"docs/it/vpn.md\", \"docs/no/such.md\", \"docs/travel/hotel.md\"]\n\
         because = \"asked every Monday\"\n",
    );
    let ask = |args: &[&str]| bench.search(&[&["--config", config.as_str(), "--top", "20"], args].concat());
    let answer = ask(&["Hotel  bookings"]);
    assert_eq!(paths(&answer)[..2], ["it/vpn.md", "travel/hotel.md"], "{answer}");
    assert_eq!(answer["results"][0]["effects"], json!([{"rule": "pin", "because": "asked every Monday"}]));
    assert_eq!(answer["total"], answer["results"].as_array().unwrap().len());
    let scores: Vec<f64> =
        answer["results"].as_array().unwrap().iter().map(|hit| hit["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let all = paths(&answer).len();
    assert_eq!(paths(&answer).iter().collect::<std::collections::HashSet<_>>().len(), all, "none stands there twice");
    let narrowed = ask(&["path:travel hotel bookings"]);
    assert_eq!(paths(&narrowed)[0], "travel/hotel.md");
    assert!(!paths(&narrowed).contains(&"it/vpn.md"), "{narrowed}");
    assert_ne!(paths(&ask(&["hotel bookings trains"]))[0], "it/vpn.md", "it is pinned for another query");
    assert!(!paths(&ask(&["hotel bookings -tunnel"])).contains(&"it/vpn.md"), "what is excluded stays excluded");
}

#[test]
fn pins_hold_on_the_page_with_pages_and_facets() {
    let (bench, config) = bench("[[pin]]\nwords = [\"hotel\"]\ndocuments = [\"docs/it/vpn.md\"]\n");
    let server = Server::start(&bench, &["--config", &config]).ready();
    let search = |query: &str| server.get(&format!("/api/v1/search?{query}")).expect(200);
    let whole = search("q=hotel+approved&facets=true&unlikely=all");
    assert_eq!(paths(&whole)[0], "it/vpn.md");
    assert_eq!(whole["facets"]["source"][0]["count"], whole["total"]);
    let first = search("q=hotel+approved&top=1&unlikely=all");
    let next = search(&format!("q=hotel+approved&top=1&unlikely=all&cursor={}", first["next"].as_str().unwrap()));
    assert_eq!((paths(&first), paths(&next)), (paths(&whole)[..1].to_vec(), paths(&whole)[1..2].to_vec()));
    let page = server.get("/search?q=hotel+approved").text;
    assert!(page.contains("put first for this question"), "{page}");
}

#[test]
fn a_boost_turns_the_order_and_is_said() {
    let order = |rules: &str| {
        let (bench, config) = bench(rules);
        bench.search(&["--config", &config, "hotel bookings approved"])
    };
    let plain = order("");
    assert_eq!(paths(&plain)[0], "archive/hotel-2019.md", "{plain}");
    assert!(plain["results"][0]["effects"].is_null());
    let lowered = order("[[boost]]\npaths = [\"docs/archive/\"]\nfactor = 0.4\nbecause = \"archive\"\n");
    assert_eq!(paths(&lowered)[0], "travel/hotel.md", "{lowered}");
    let archived = lowered["results"].as_array().unwrap().iter().find(|hit| hit["path"] == "archive/hotel-2019.md");
    assert_eq!(archived.unwrap()["effects"], json!([{"rule": "boost", "factor": 0.4, "because": "archive"}]));
    let elsewhere = order("[[boost]]\nqueries = [\"trains\"]\npaths = [\"docs/archive/\"]\nfactor = 0.4\n");
    assert_eq!(paths(&elsewhere), paths(&plain), "a rule for another query");
    let young = order("[[boost]]\nolder_than_days = 2\nfactor = 0.1\n[age]\nhalf_life_days = 10\nweight = 0.5\n");
    assert_eq!(paths(&young), paths(&plain), "all are new");
    assert_eq!(young["results"][0]["effects"][0]["rule"], "age");
}

#[test]
fn a_file_of_rules_that_cannot_be_used_is_refused_at_the_start_with_its_line() {
    let (bench, config) = bench("[age]\nhalf_life_days = 0\nweight = 0.5\n");
    for command in [&["search", "hotel"][..], &["serve"], &["config", "check"]] {
        let args = [&["--config", config.as_str()], command].concat();
        bench.run(&args).refused(&["rules.toml, line 1: half_life_days: expected a number from 1, got 0"]);
    }
    fs::remove_file(bench.root.path().join("rules.toml")).unwrap();
    bench.run(&["--config", &config, "search", "hotel"]).refused(&["cannot read the rules in", "rules.toml"]);
}

#[test]
fn pages_that_are_no_prose_stand_below_it_and_are_found_when_asked_for() {
    let bench = Bench::new();
    bench.write(
        "handbook/releases.md",
        "# Publishing a version\n\nThe faster parser is published every second Tuesday.\n",
    );
    let lines: String =
        (1..9).map(|n| format!("## 1.{n}.0\n\n- The faster parser was fixed. Parser faster.\n\n")).collect();
    bench.write("pkg/CHANGELOG.md", &format!("# Changelog\n\n{lines}"));
    bench.write("pkg/reader.md", "# Quick reader\n");
    for number in 0..8 {
        bench.write(&format!("log-{number}.md"), &format!("# Log {number}\n\nNothing happened on day {number}.\n"));
    }
    bench.index().succeeded();
    let answer = bench.search(&["faster parser published"]);
    assert_eq!(paths(&answer)[0], "handbook/releases.md", "{answer}");
    let of = |answer: &Value, path: &str| {
        answer["results"].as_array().unwrap().iter().find(|hit| hit["path"] == path).unwrap()["effects"].clone()
    };
    assert_eq!(of(&answer, "pkg/CHANGELOG.md"), json!([{"rule": "page", "page": "changelog", "factor": 0.7}]));
    let asked = bench.search(&["changelog of the faster parser"]);
    assert_eq!(paths(&asked)[0], "pkg/CHANGELOG.md", "asked for by what it is: {asked}");
    assert!(of(&asked, "pkg/CHANGELOG.md").is_null());
    let quoted = bench.search(&["\"parser was fixed\""]);
    assert_eq!(paths(&quoted), ["pkg/CHANGELOG.md"]);
    let named = bench.search(&["the quick reader"]);
    assert!(of(&named, "pkg/reader.md").is_null(), "asked for by its title: {named}");
}
