//! Documents are found by their words before their vectors are made, and by their meaning afterwards, whatever ends it in
//! between.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use serde_json::Value;
use storage::Step;

use crate::model_server::{Conduct, ModelServer};
use crate::server::{Server, eventually};
use crate::support::Bench;

const DOCUMENTS: usize = 40;
const LATER: &str = "[index]\nvectors = \"later\"\n";
const QUERIES: [&str; 4] = ["marker007", "what is a note about", "the number seven", "travel money"];

fn configured(bench: &Bench) -> String {
    let path = bench.root.path().join("later.toml");
    fs::write(&path, LATER).unwrap();
    path.display().to_string()
}

/// What is found, by rank, without what differs from one search to the next.
fn found(bench: &Bench, mode: &[&str]) -> Vec<Vec<String>> {
    QUERIES.iter().map(|query| bench.paths(&[&[*query, "--top", "20"], mode].concat())).collect()
}

fn notes(answer: &Value) -> Vec<String> {
    answer["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap().to_owned()).collect()
}

fn waiting(bench: &Bench) -> u64 {
    bench.status()["waiting"].as_u64().unwrap()
}

#[test]
fn what_waits_is_found_by_its_words_and_in_the_end_all_is_as_if_it_never_had() {
    let with_text = Bench::with_documents(DOCUMENTS);
    with_text.index();
    let bench = Bench::with_documents(DOCUMENTS);
    let (config, docs) = (configured(&bench), bench.docs().display().to_string());
    let said = bench.run(&["--config", &config, "index", "--no-wait", &docs]).succeeded().stderr();
    assert!(said.contains("by their words alone"), "{said}");
    let passages = bench.status()["chunks"].as_u64().unwrap();
    assert_eq!(waiting(&bench), passages);
    assert_eq!(bench.paths(&["marker007"]), ["note-007.md"]);
    let told = notes(&bench.search(&["marker007"]));
    assert!(told.iter().any(|note| note.contains("by meaning: 0 %")), "{told:?}");
    assert!(notes(&bench.search(&["marker007", "--lexical"])).is_empty(), "words are whole");
    assert!(bench.paths(&["a note", "--semantic"]).is_empty());
    bench.verify();

    // The next run goes on, though no file has changed.
    let said = bench.run(&["--config", &config, "index", &docs]).succeeded().stderr();
    assert!(said.contains("embedding:"), "{said}");
    assert_eq!(waiting(&bench), 0);
    assert!(notes(&bench.search(&["marker007"])).is_empty());
    for mode in [&[][..], &["--lexical"], &["--semantic"]] {
        assert_eq!(found(&bench, mode), found(&with_text, mode), "{mode:?}");
    }
    assert_eq!(bench.status()["vectors"], with_text.status()["vectors"]);
    bench.verify();
}

#[test]
fn what_waits_is_not_said_not_to_be_there() {
    let bench = Bench::with_documents(DOCUMENTS);
    let (config, docs) = (configured(&bench), bench.docs().display().to_string());
    let off_topic = "why do penguins hold parliament in antarctica";
    let verdict = || bench.search(&[off_topic])["answerable"]["verdict"].as_str().unwrap().to_owned();
    bench.run(&["--config", &config, "index", "--no-wait", &docs]).succeeded();
    assert_ne!(verdict(), "unlikely");
    let asked = bench.run(&["ask", off_topic]);
    assert!(asked.stderr().contains("may have been missed"), "{}", asked.stderr());
    bench.run(&["--config", &config, "index", &docs]).succeeded();
    assert_eq!(verdict(), "unlikely");
    assert!(!bench.run(&["ask", off_topic]).stderr().contains("missed"));
}

#[test]
fn a_kill_at_any_step_loses_no_vector_and_makes_none_twice() {
    let whole = Bench::with_documents(DOCUMENTS);
    whole.index();
    let (expected, vectors) = (found(&whole, &["--semantic"]), whole.status()["vectors"].clone());
    let steps = [
        Step::VectorsAppended,
        Step::VectorsSynced,
        Step::TruthWritten,
        Step::TruthFlushed,
        Step::LexicalPrepared,
        Step::LexicalCommitted,
        Step::TotalsWritten,
        Step::Published,
    ];
    let mut killed = 0;
    for step in steps {
        for passage in [1, 2, 3] {
            let bench = Bench::with_documents(DOCUMENTS);
            let (config, docs) = (configured(&bench), bench.docs().display().to_string());
            bench.run(&["--config", &config, "index", "--no-wait", &docs]).succeeded();
            let mut command = bench.command(&["--config", &config, "index", &docs]);
            command.env("QUARRY_KILL_AT", format!("{step:?}:{passage}")).env("QUARRY_SEAL_AT", "10");
            killed += usize::from(command.output().unwrap().status.signal() == Some(9));
            let when = format!("{step:?}:{passage}");
            assert_eq!(bench.paths(&["marker007", "--lexical"]), ["note-007.md"], "{when}");
            bench.run(&["--config", &config, "index", &docs]).succeeded();
            assert_eq!(waiting(&bench), 0, "{when}");
            assert_eq!(bench.status()["vectors"], vectors, "{when}: embedded twice");
            assert_eq!(found(&bench, &["--semantic"]), expected, "{when}");
            bench.verify();
        }
    }
    assert!(killed >= steps.len(), "only {killed} of the points were reached");
}

#[test]
fn a_file_that_changes_or_goes_while_it_waits_is_as_it_is_in_the_end() {
    let bench = Bench::with_documents(6);
    let (config, docs) = (configured(&bench), bench.docs().display().to_string());
    bench.run(&["--config", &config, "index", "--no-wait", &docs]).succeeded();
    bench.write("note-001.md", "# Changed\n\nThe walrus committee meets on Thursdays.\n");
    fs::remove_file(bench.docs().join("note-002.md")).unwrap();
    bench.run(&["--config", &config, "index", "--no-wait", &docs]).succeeded();
    assert_eq!(bench.status()["documents"], 5);
    // Whoever does not make vectors later makes those that are still to come, too.
    bench.run(&["index", &docs]).succeeded();
    assert_eq!(waiting(&bench), 0);
    assert_eq!(bench.paths(&["when does the walrus committee meet", "--semantic", "--top", "1"]), ["note-001.md"]);
    assert!(!bench.paths(&["marker002"]).contains(&"note-002.md".to_owned()));
    bench.verify();
}

#[test]
fn a_server_makes_the_vectors_while_nobody_waits_for_it() {
    let bench = Bench::with_documents(DOCUMENTS);
    let docs = bench.docs().display().to_string();
    let server = Server::configured(&bench, LATER, &[&docs]).ready();
    assert_eq!(server.paths("q=marker007"), ["note-007.md"]);
    let started = Instant::now();
    while !server.get("/api/v1/status").expect(200)["embedding"].is_null() {
        assert!(started.elapsed() < Duration::from_secs(120), "still to come");
        std::thread::sleep(Duration::from_millis(20));
    }
    let answer = server.get("/api/v1/search?q=marker007&mode=semantic").expect(200);
    assert!(notes(&answer).is_empty() && answer["total"].as_u64().unwrap() > 0, "{answer}");
    assert!(server.get("/metrics").text.contains("quarry_passages_to_embed 0"));
    // Pushed: found by its words when it is answered, by its meaning soon after.
    server.put("walrus.md", "# Walrus\n\nThe walrus committee meets on Thursdays.\n").expect(200);
    assert_eq!(server.paths("q=walrus&mode=lexical"), ["walrus.md"]);
    while server.paths("q=when+does+the+walrus+committee+meet&mode=semantic&top=1") != ["walrus.md"] {
        assert!(started.elapsed() < Duration::from_secs(240), "not found by its meaning");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_making_of_vectors_is_a_job_that_waits_while_it_is_paused() {
    let bench = Bench::with_documents(DOCUMENTS);
    let models = ModelServer::start(Conduct::Good);
    let config = format!("[embedding]\nendpoint = \"{}\"\nmodel = \"stand-in\"\n{LATER}", models.endpoint);
    let docs = bench.docs().display().to_string();
    let mut server = Server::configured(&bench, &config, &[&docs]).ready();
    let embed = |server: &Server| {
        let jobs = server.get("/api/v1/jobs").expect(200)["jobs"].clone();
        jobs.as_array().unwrap().iter().find(|job| job["kind"] == "embed").cloned()
    };
    eventually("the first are all there", || embed(&server).filter(|job| job["state"] == "done"));
    models.behave(Conduct::Slow(300));
    for number in 0..40 {
        bench.write(&format!("late-{number}.md"), &format!("# Late {number}\n\nThe belated addendum {number}.\n"));
    }
    server.send("POST", "/api/v1/sources/docs/index", &Value::Null).expect(202);
    let is_active = |job: &Value| job["state"] == "running" || job["state"] == "queued";
    let job = eventually("more are to come", || embed(&server).filter(is_active))["id"].to_string();
    assert!(server.get("/status").text.contains("Makes vectors"), "the page says so");
    bench.run(&["jobs", "pause", &job]).succeeded();
    eventually("it is paused", || embed(&server).filter(|job| job["state"] == "paused"));
    models.behave(Conduct::Good);
    std::thread::sleep(Duration::from_millis(500));
    let left = |server: &Server| server.get("/api/v1/status").expect(200)["embedding"]["passages"].as_u64();
    let before = left(&server);
    assert!(before > Some(0), "none is made, and they are found by their words meanwhile");
    assert_eq!(server.paths("q=addendum&mode=lexical&top=50").len(), 40);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(left(&server), before);
    bench.run(&["jobs", "cancel", &job]).refused(&["pause it instead"]);

    assert_eq!(server.signal("-KILL"), None);
    let mut server = Server::configured(&bench, &config, &[]).ready();
    let job = eventually("it is paused over a restart", || embed(&server).filter(|job| job["state"] == "paused"));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(left(&server), before, "nobody has let it go on");
    bench.run(&["jobs", "resume", &job["id"].to_string()]).succeeded();
    eventually("all are there", || left(&server).is_none().then_some(()));
    // Nor does it wait the next time, now that there was nothing left to wait for.
    let kept = fs::read_to_string(bench.data().join("accepted.json")).unwrap_or_default();
    assert!(!kept.contains("embed"), "{kept}");
    assert_eq!(server.signal("-TERM"), Some(0));
    bench.verify();
}
