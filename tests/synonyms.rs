//! Words that stand for each other: from a file of the administrator, and from the documents themselves.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::{PATIENCE, Server};
use crate::support::Bench;

/// Documents, and a configuration file that names a file of synonyms beside it.
fn bench(synonyms: &str) -> (Bench, String) {
    let bench = Bench::new();
    bench.write("leave.md", "# Time away\n\nPaid time off is asked for two weeks ahead.\n");
    bench.write("machines.md", "# Machines\n\nEvery worker gets a notebook with a charger.\n");
    bench.write("urlaub.md", "# Ferien\n\nDie Ferien werden immer zwei Wochen vorher mit den Kollegen abgesprochen.\n");
    bench.write("deal.md", "# Contracts\n\nThe service level agreement (SLA) names the hours of the help desk.\n");
    for number in 0..8 {
        bench.write(&format!("log-{number}.md"), &format!("# Log {number}\n\nNothing happened on day {number}.\n"));
    }
    bench.index().succeeded();
    let config = bench.root.path().join("quarry.toml");
    fs::write(&config, "[search]\nsynonyms = \"words.toml\"\n").unwrap();
    fs::write(bench.root.path().join("words.toml"), synonyms).unwrap();
    (bench, config.to_str().unwrap().to_owned())
}

#[test]
fn a_synonym_finds_what_its_word_finds_and_the_answer_says_so() {
    let (bench, config) = bench(
        "[both]\nPTO = [\"paid time off\"]\n[one_way]\nlaptop = [\"notebook\"]\n[language.de.both]\nUrlaub = [\"Ferien\"]\n",
    );
    for (query, path) in [("PTO", "leave.md"), ("laptop", "machines.md"), ("urlaub", "urlaub.md")] {
        assert!(bench.paths(&["--lexical", "--no-correct", query]).is_empty(), "{query} stands nowhere");
        let answer = bench.search(&["--config", &config, "--lexical", query]);
        assert_eq!(answer["results"][0]["path"], path, "{query}: {answer}");
        assert_eq!(answer["expanded"][0]["typed"], query);
        assert!(!answer["results"][0]["passages"][0]["highlights"].as_array().unwrap().is_empty(), "{answer}");
    }
    assert!(bench.search(&["--config", &config, "--lexical", "\"PTO\""])["expanded"].is_null(), "quoted is meant so");
    let shown = bench.run(&["--config", &config, "search", "PTO"]).succeeded();
    assert!(shown.stderr().contains("for \"PTO\", also looked for: paid time off"), "{}", shown.stderr());
    let server = Server::start(&bench, &["--config", &config]).ready();
    let page = server.get("/search?q=PTO").text;
    assert!(page.contains("for “PTO”, also looked for: paid time off"), "{page}");
}

#[test]
fn a_file_of_synonyms_that_cannot_be_used_is_refused_at_the_start_with_its_line() {
    let (bench, config) = bench("[both]\nPTO = [\"paid time off\"]\nlaptop = []\n");
    for command in [&["search", "PTO"][..], &["serve"], &["config", "check"]] {
        let args = [&["--config", config.as_str()], command].concat();
        bench.run(&args).refused(&["words.toml, line 3: expected 1 to 16 synonyms of \"laptop\""]);
    }
    fs::remove_file(bench.root.path().join("words.toml")).unwrap();
    bench.run(&["--config", &config, "search", "PTO"]).refused(&["cannot read the synonyms in", "words.toml"]);
}

#[test]
fn a_server_learns_abbreviations_from_the_documents() {
    let (bench, _) = bench("");
    bench.write("desk.md", "# Help desk\n\nHours follow from every service level agreement that was signed.\n");
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = server.get("/api/v1/search?q=SLA&mode=lexical").expect(200);
        if answer["expanded"] == json!([{"typed": "SLA", "also": ["service level agreement"]}]) {
            let paths: Vec<&str> =
                answer["results"].as_array().unwrap().iter().filter_map(|hit| hit["path"].as_str()).collect();
            if paths == ["deal.md", "desk.md"] {
                break;
            }
        }
        assert!(Instant::now() < until, "{answer}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
