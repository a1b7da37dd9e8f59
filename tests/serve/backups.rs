//! Backups that a server makes of itself, when asked and by the timetable, beside its work.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::server::{PATIENCE, Server, eventually};
use crate::support::{Bench, Run, fixture};

fn settings(place: &Path, more: &str) -> String {
    format!("[backup]\ndestination = {:?}\nevery_hours = 0\n{more}", place.display().to_string())
}

/// Asks for a backup, and waits for it; what came of it.
fn back_up(server: &Server, body: &Value) -> Value {
    let job = server.send("POST", "/api/v1/backups", body).expect(202)["job"].to_string();
    eventually("the backup is made", || {
        let job = server.get(&format!("/api/v1/jobs/{job}")).expect(200);
        (job["state"] != "queued" && job["state"] != "running").then_some(job)
    })
}

/// Restores the newest backup into a new folder, and answers a question there.
fn restored(bench: &Bench, place: &Path, name: &str, query: &str) -> Vec<String> {
    let there = bench.root.path().join(name);
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quarry"));
        command.env_clear().arg("--data-dir").arg(&there).args(args);
        Run(command.output().unwrap()).succeeded()
    };
    run(&["restore", place.to_str().unwrap()]);
    let found = run(&["search", "--json", "--lexical", query]).json();
    found["results"].as_array().unwrap().iter().map(|hit| hit["path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_server_backs_itself_up_while_it_works() {
    let bench = Bench::new();
    let handbook = fixture("handbook").display().to_string();
    let place = bench.root.path().join("backups");
    let mut server = Server::configured(&bench, &settings(&place, "keep = \"7d\"\n"), &[&handbook]).ready();
    server.put("lunch.md", "# Lunch\n\nThe refectory opens at noon.\n").expect(200);
    let first = back_up(&server, &json!({}));
    assert_eq!(first["state"], "done", "{first}");
    assert!(first["outcome"].as_str().unwrap().contains("new objects"), "{first}");
    assert_eq!(restored(&bench, &place, "first", "refectory"), ["lunch.md"]);

    // What is put later is in the next, which copies little more.
    server.put("tea.md", "# Tea\n\nThe samovar is in the kitchen.\n").expect(200);
    let outcome = stdout(&bench, &["backup", &place.display().to_string()]);
    assert!(outcome.contains("new objects"), "{outcome}");
    assert_eq!(restored(&bench, &place, "second", "samovar"), ["tea.md"]);
    let numbers = server.get("/metrics").text;
    let last = numbers.lines().find_map(|line| line.strip_prefix("quarry_last_backup_timestamp_seconds "));
    assert!(last.unwrap().parse::<i64>().unwrap() > 1_700_000_000, "{last:?}");
    let page = server.get("/admin").text;
    assert!(page.contains("Back up now") && page.contains("The last one was made"), "{page}");

    // Over the network nobody says where.
    let elsewhere = json!({ "destination": bench.root.path().join("theirs").display().to_string() });
    server.send("POST", "/api/v1/backups", &elsewhere).problem(400, "bad-request");
    assert!(!bench.root.path().join("theirs").exists());
    assert_eq!(server.signal("-TERM"), Some(0));
    bench.verify();
}

fn stdout(bench: &Bench, args: &[&str]) -> String {
    bench.run(args).succeeded().stdout()
}

#[test]
fn what_cannot_be_backed_up_is_told_and_harms_nothing() {
    let bench = Bench::with_documents(3);
    let place = bench.data().join("inside");
    let docs = bench.docs().display().to_string();
    let server = Server::configured(&bench, &settings(&place, ""), &[&docs]).ready();
    let failed = back_up(&server, &json!({}));
    assert!(failed["state"] == "failed" && failed["error"].as_str().unwrap().contains("data folder"), "{failed}");
    bench.run(&["backup", "/proc/nowhere"]).refused(&["/proc/nowhere"]);
    assert_eq!(server.paths("q=marker001&mode=lexical"), ["note-001.md"]);
    drop(server);
    let none = Server::start(&bench, &[]).ready();
    none.send("POST", "/api/v1/backups", &json!({})).problem(501, "no-backups");
}

#[test]
fn a_backup_that_was_accepted_is_made_after_a_kill() {
    let bench = Bench::with_documents(40);
    let place = bench.root.path().join("backups");
    let docs = bench.docs().display().to_string();
    let config = settings(&place, "");
    for _ in 0..4 {
        let mut server = Server::configured(&bench, &config, &[&docs]).ready();
        server.send("POST", "/api/v1/backups", &json!({})).expect(202);
        assert_eq!(server.signal("-KILL"), None);
    }
    let server = Server::configured(&bench, &config, &[]).ready();
    eventually("what was accepted is made", || {
        let jobs = server.get("/api/v1/jobs").expect(200);
        let of_backups = |job: &&Value| job["kind"] == "backup";
        let jobs: Vec<Value> = jobs["jobs"].as_array().unwrap().iter().filter(of_backups).cloned().collect();
        assert!(jobs.iter().all(|job| job["state"] != "failed"), "{jobs:?}");
        jobs.iter().all(|job| job["state"] == "done").then_some(())
    });
    assert!(!fs::exists(bench.data().join("accepted-backups.json")).unwrap(), "nothing is left to be done");
    assert_eq!(restored(&bench, &place, "after", "marker007"), ["note-007.md"]);
    assert!(!fs::exists(bench.root.path().join("after/accepted-backups.json")).unwrap(), "it is not made again");
    drop(server);
    bench.verify();
}

#[test]
fn the_timetable_makes_the_first_backup_at_once() {
    let bench = Bench::with_documents(2);
    let place = bench.root.path().join("backups");
    let config = format!("[backup]\ndestination = {:?}\n", place.display().to_string());
    let docs = bench.docs().display().to_string();
    let server = Server::configured(&bench, &config, &[&docs]).ready();
    eventually("a backup is there", || {
        let jobs = server.get("/api/v1/jobs").expect(200);
        let is_made = |job: &Value| job["kind"] == "backup" && job["state"] == "done";
        jobs["jobs"].as_array().unwrap().iter().any(is_made).then_some(())
    });
    drop(server);
    // The next server does not make one again before its time.
    let again = Server::configured(&bench, &config, &[]).ready();
    std::thread::sleep(PATIENCE / 60);
    let jobs = again.get("/api/v1/jobs").expect(200);
    assert!(jobs["jobs"].as_array().unwrap().iter().all(|job| job["kind"] != "backup"), "{jobs}");
}

#[test]
fn space_is_given_back_beside_searches() {
    let bench = Bench::with_documents(60);
    let handbook = fixture("handbook").display().to_string();
    let docs = bench.docs().display().to_string();
    let mut server = Server::start(&bench, &[&docs, &handbook]).ready();
    let before = server.get("/api/v1/status").expect(200);
    bench.run(&["remove", "docs"]).succeeded();
    let said = stdout(&bench, &["compact"]);
    assert!(said.contains("60 vectors of removed texts are gone"), "{said}");
    let after = server.get("/api/v1/status").expect(200);
    assert!(after["vectors"].as_u64() < before["vectors"].as_u64(), "{before} {after}");
    assert!(after["bytes"].as_array().unwrap().iter().any(|part| part["bytes"].as_u64() > Some(0)), "{after}");
    assert!(server.paths("q=how+do+I+get+my+travel+money+back&top=10").contains(&"travel/expenses.md".to_string()));
    // What comes later is as well kept as before.
    server.put("tea.md", "# Tea\n\nThe samovar is in the kitchen.\n").expect(200);
    assert_eq!(server.paths("q=samovar&mode=lexical"), ["tea.md"]);
    assert_eq!(server.signal("-TERM"), Some(0));
    bench.verify();
    assert_eq!(bench.paths(&["samovar", "--lexical"]), ["tea.md"]);
}
