//! Queries from a language model: what is sent where, what becomes of bad answers, and runs that are killed.

use std::collections::HashSet;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::field;
use crate::llm::{Manner, StandIn};
use crate::support::{Bench, Run};

const PLACES: [&str; 6] = ["Oslo", "Leeds", "Utrecht", "Halifax", "Turin", "Ghent"];

/// Documents of one passage each.
fn stations() -> Bench {
    let bench = Bench::new();
    for (number, place) in PLACES.iter().enumerate() {
        let text = format!(
            "# Station {place}\n\nThe station in {place} carries marker{number:03} and measures rain, wind and the height of the \
             river every ten minutes, also at night and in winter.\n"
        );
        bench.write(&format!("{place}.md"), &text);
    }
    bench
}

impl Bench {
    fn ask(&self, server: &StandIn, args: &[&str]) -> Run {
        self.ask_at(&server.endpoint, args)
    }

    fn ask_at(&self, endpoint: &str, args: &[&str]) -> Run {
        let (docs, out) = (self.docs().display().to_string(), self.file("asked.jsonl").display().to_string());
        let fixed = ["train", "synthesize", &docs, "--out", &out, "--endpoint", endpoint, "--llm", "stand-in"];
        let mut command = self.command(&[&fixed, args].concat());
        Run(command.env("QUARRY_LLM_KEY", "sk-very-secret").output().unwrap())
    }
}

#[test]
fn a_model_writes_queries_and_a_second_run_asks_nothing() {
    let bench = stations();
    let server = StandIn::start(Manner::Good);
    let run = bench.ask(&server, &["--min-cosine", "-1"]).succeeded();
    assert!(run.stderr().contains(&format!("passages are sent to {}", &server.endpoint[7..server.endpoint.len() - 3])));
    assert!(
        run.stdout().contains("6 pairs of 6 passages") && run.stdout().contains("1200 read, 120 written"),
        "{}",
        run.stdout()
    );
    let rows = bench.rows("asked.jsonl");
    assert_eq!(rows.len(), 6);
    for row in &rows {
        let number = field(row, "query").rsplit("marker").next().unwrap().to_owned();
        assert!(field(row, "response").contains(&format!("marker{number}")), "{row}");
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 12);
    assert!(
        asked.iter().all(|asked| asked.model == "stand-in" && asked.key.as_deref() == Some("Bearer sk-very-secret"))
    );
    assert!(asked.iter().any(|asked| asked.prompt.contains("Length: ") && asked.prompt.contains("Person: ")));
    let said = format!("{}{}", run.stdout(), run.stderr());
    assert!(!said.contains("sk-very-secret"));

    let again = bench.ask(&server, &["--min-cosine", "-1"]).succeeded();
    assert!(again.stderr().contains("6 of 6 were asked about before"), "{}", again.stderr());
    assert_eq!((server.asked().len(), bench.rows("asked.jsonl").len()), (12, 6));
    bench.write("new.md", "# Station Porto\n\nThe station in Porto carries marker777 and measures rain, wind and the height of the river every ten minutes, by day and by night.\n");
    bench.ask(&server, &["--min-cosine", "-1", "--parallel", "1"]).succeeded();
    assert_eq!((server.asked().len(), bench.rows("asked.jsonl").len()), (14, 7));
}

#[test]
fn answers_are_read_with_one_more_try() {
    for (manner, pairs, requests) in
        [(Manner::Chatty, 6, 12), (Manner::RubbishFirst, 6, 24), (Manner::Rubbish, 0, 12), (Manner::Stumbles, 6, 24)]
    {
        let bench = stations();
        let server = StandIn::start(manner);
        let run = bench.ask(&server, &["--no-filter", "--parallel", "1"]).succeeded();
        assert_eq!(bench.rows("asked.jsonl").len(), pairs, "{manner:?}: {}", run.stderr());
        assert_eq!(server.asked().len(), requests, "{manner:?}");
        if manner == Manner::Rubbish {
            assert!(run.stdout().contains("answers that could not be read: 6"), "{}", run.stdout());
            // What cannot be read costs tokens once.
            bench.ask(&server, &["--no-filter"]).succeeded();
            assert_eq!(server.asked().len(), requests);
        }
    }
}

#[test]
fn queries_that_miss_their_passage_are_dropped() {
    let bench = stations();
    let server = StandIn::start(Manner::OffTopic);
    let run = bench.ask(&server, &["--min-cosine", "0.6"]).succeeded();
    assert!(bench.rows("asked.jsonl").is_empty() && run.stdout().contains("cosine too low: 6"), "{}", run.stdout());
}

#[test]
fn a_broken_endpoint_ends_the_run_and_nothing_is_lost() {
    let bench = stations();
    let server = StandIn::start(Manner::Answers(401));
    bench.ask(&server, &["--no-filter"]).refused(&["401", "QUARRY_LLM_KEY", "staged"]);
    server.behave(Manner::Redirects);
    bench.ask(&server, &["--no-filter"]).refused(&["307", "check the address"]);
    server.behave(Manner::Answers(500));
    bench.ask(&server, &["--no-filter", "--parallel", "6"]).refused(&["same command continues", "500"]);
    server.behave(Manner::Endless);
    bench.ask(&server, &["--no-filter", "--parallel", "6"]).refused(&["same command continues"]);
    bench.ask_at("http://127.0.0.1:9/v1", &["--no-filter", "--parallel", "6"]).refused(&["127.0.0.1:9"]);
    server.behave(Manner::Slow(5000));
    bench.ask(&server, &["--no-filter", "--parallel", "6", "--timeout", "1"]).refused(&["same command continues"]);
    server.behave(Manner::Good);
    bench.ask(&server, &["--no-filter"]).succeeded();
    assert_eq!(bench.rows("asked.jsonl").len(), 6);
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let bench = stations();
    let server = StandIn::start(Manner::Slow(150));
    let (docs, out) = (bench.docs().display().to_string(), bench.file("asked.jsonl"));
    let args = [
        "train",
        "synthesize",
        &docs,
        "--out",
        &out.display().to_string(),
        "--endpoint",
        &server.endpoint,
        "--llm",
        "m",
        "--no-filter",
        "--parallel",
        "1",
    ];
    let mut run = bench.command(&args).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while fs::read_to_string(&out).unwrap_or_default().lines().count() < 2 {
        assert!(started.elapsed() < Duration::from_secs(60), "nothing is written");
        std::thread::sleep(Duration::from_millis(20));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    let (kept, before) = (fs::read_to_string(&out).unwrap(), server.asked().len());
    server.behave(Manner::Good);
    bench.ask(&server, &["--no-filter"]).succeeded();
    let rows = bench.rows("asked.jsonl");
    let passages: HashSet<&str> = rows.iter().map(|row| field(row, "passage")).collect();
    assert_eq!((rows.len(), passages.len()), (6, 6));
    assert!(fs::read_to_string(&out).unwrap().starts_with(kept.lines().next().unwrap()));
    let done = kept.lines().filter(|line| line.ends_with('}')).count();
    assert!(server.asked().len() - before <= 2 * (6 - done), "passages were asked about twice");
}

#[test]
fn passages_leave_the_machine_only_where_the_user_says() {
    let bench = stations();
    bench.ask_at("http://llm.example/v1", &[]).refused(&["llm.example is another machine", "--allow-remote-http"]);
    bench.ask_at("llm.example", &[]).refused(&["expected an address"]);
    let docs = bench.docs().display().to_string();
    let out = bench.file("asked.jsonl").display().to_string();
    let run = bench.run(&["train", "synthesize", &docs, "--out", &out, "--endpoint", "http://127.0.0.1:9/v1"]);
    assert!(!run.0.status.success() && run.stderr().contains("--llm"), "{}", run.stderr());
    assert!(!bench.file("asked.jsonl").exists());
}
