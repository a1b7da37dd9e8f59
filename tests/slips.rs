//! Slips of the hand: corrected on the command line, in the API and on the page, with the way back to what was typed; and
//! measured.

use serde_json::{Value, json};

use crate::server::Server;
use crate::support::{Bench, fixture};

/// Documents in which the right word stands, and others in which words like the mistyped ones do not.
fn bench() -> Bench {
    let bench = Bench::new();
    for (path, text) in [
        (
            "badges.md",
            "# Accessibility of the building\n\nThe accessibility guide says which doors open by themselves.\n",
        ),
        ("home.md", "# Telework\n\nThe telework agreement is signed once a year by the worker and the manager.\n"),
        ("money.md", "# Reimbursement\n\nReimbursement of travel is paid within two weeks of the claim.\n"),
        ("night.md", "# On call\n\nWho is on call at night carries the telephone, and looks after the database.\n"),
        ("cafe.md", "# Résumé\n\nUn résumé de la réunion est envoyé à chaque salarié.\n"),
    ] {
        bench.write(path, text);
    }
    for number in 0..10 {
        bench.write(&format!("other-{number}.md"), &format!("# Log {number}\n\nNothing happened on day {number}.\n"));
    }
    bench.index().succeeded();
    bench
}

#[test]
fn a_slip_finds_what_the_right_word_finds() {
    let bench = bench();
    for (typed, meant, path) in [
        ("accesibility giude", "accessibility guide", "badges.md"),
        ("telewokr agreemnt", "telework agreement", "home.md"),
        ("eimbursement", "reimbursement", "money.md"),
        ("travel rembursement", "travel reimbursement", "money.md"),
        ("oncall telephone", "on call telephone", "night.md"),
        ("data base", "database", "night.md"),
        ("reuinon", "réunion", "cafe.md"),
    ] {
        let answer = bench.search(&["--lexical", typed]);
        assert_eq!(answer["spelling"]["corrected"], meant, "{typed}: {answer}");
        assert_eq!(answer["results"][0]["path"], path, "{typed}");
        let passage = &answer["results"][0]["passages"][0];
        assert!(!passage["highlights"].as_array().unwrap().is_empty(), "what was meant is marked: {passage}");
        assert!(bench.search(&["--lexical", "--no-correct", typed])["spelling"].is_null());
    }
    let shown = bench.run(&["search", "telewokr"]).succeeded();
    assert!(shown.stderr().contains("showing results for \"telework\"; --no-correct"), "{}", shown.stderr());
    for clean in ["telework agreement", "\"telewokr\"", "on call", "ERR_telewokr", "TELWK"] {
        assert!(bench.search(&["--lexical", clean])["spelling"].is_null(), "{clean}");
    }
}

#[test]
fn the_page_and_the_api_say_what_was_corrected_and_lead_back() {
    let bench = bench();
    let server = Server::start(&bench, &[]).ready();
    let answer = server.get("/api/v1/search?q=telewokr+agreement").expect(200);
    let words = json!([{"typed": "telewokr", "meant": "telework", "searched": true}]);
    assert_eq!((&answer["spelling"]["words"], &answer["query"]), (&words, &json!("telewokr agreement")));
    let body = json!({"query": "telewokr agreement", "correct": false}).to_string();
    let typed = server.request("POST", "/api/v1/search", &[("content-type", "application/json")], body.as_bytes());
    assert!(typed.expect(200)["spelling"].is_null());

    let page = server.get("/search?q=telewokr+%3Cb%3E&type=markdown").text;
    assert!(page.contains("Showing results for <a href=\"/search?q=telework+%3Cb%3E&amp;type=markdown\">"), "{page}");
    let back = "/search?q=telewokr+%3Cb%3E&amp;type=markdown&amp;correct=false";
    assert!(page.contains(&format!("<a href=\"{back}\">Search for “telewokr &lt;b&gt;” instead</a>")), "{page}");
    let typed = server.get(&back.replace("&amp;", "&")).text;
    assert!(!typed.contains("Showing results for <a"), "{typed}");
    let meant = server.get("/search?q=selework").text;
    assert!(meant.contains("Showing results for") || meant.contains("Did you mean"), "{meant}");
}

#[test]
fn slips_are_measured() {
    let bench = Bench::new();
    let (questions, handbook) = (fixture("questions").display().to_string(), fixture("handbook").display().to_string());
    let args = ["eval", &questions, "--docs", &handbook, "--lang", "en", "--slips", "50"];
    let run = bench.run(&[&args[..], &["--json"]].concat()).succeeded();
    let report: Value = serde_json::from_str(&run.stdout()).unwrap();
    let all = report[0]["slips"].as_array().unwrap().iter().find(|row| row["slip"] == "all").unwrap();
    let share = |name: &str| all[name].as_f64().unwrap();
    assert!(all["count"] == 50 && share("first_corrected") > share("first_as_typed") + 0.1, "{report}");
    assert!(share("top_3_corrected") >= 0.9, "{report}");
    let clean = &report[0]["clean"];
    let ndcg = |name: &str| clean[name].as_f64().unwrap();
    assert!((ndcg("ndcg@10_corrected") - ndcg("ndcg@10_as_typed")).abs() < 0.01, "{report}");
    let shown = bench.run(&args).succeeded().stdout();
    assert!(shown.contains("first letter") && shown.contains("questions as they are"), "{shown}");
}
