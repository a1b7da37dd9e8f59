//! Live folders: what changes on the disk is found, what is moved is not read twice, what vanishes in bulk is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::{PATIENCE, Server};
use crate::support::Bench;

/// Waits until something holds.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Paths of all documents.
fn listed(server: &Server) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut page = "/api/v1/documents?limit=100".to_string();
    loop {
        let answer = server.get(&page).expect(200);
        let documents = answer["documents"].as_array().unwrap();
        paths.extend(documents.iter().map(|document| document["path"].as_str().unwrap().to_string()));
        let Some(next) = answer["next"].as_str() else { return paths };
        page = format!("/api/v1/documents?limit=100&cursor={next}");
    }
}

#[test]
fn changes_are_found_without_being_asked_for() {
    let bench = Bench::with_documents(3);
    let server = Server::start(&bench, &[bench.docs().to_str().unwrap()]).ready();
    bench.write("deep/new.md", "# Kiwi\n\nThe word is zanzibar.");
    eventually("a new file", || server.paths("q=zanzibar&mode=lexical") == ["deep/new.md"]);
    bench.write("deep/new.md", "# Kiwi\n\nThe word is timbuktu.");
    eventually("a change", || server.paths("q=zanzibar&mode=lexical").is_empty());
    assert_eq!(server.paths("q=timbuktu&mode=lexical"), ["deep/new.md"]);
    fs::rename(bench.docs().join("deep"), bench.docs().join("moved")).unwrap();
    eventually("a move", || server.paths("q=timbuktu&mode=lexical") == ["moved/new.md"]);
    let jobs = server.get("/api/v1/jobs").expect(200);
    let newest = server.job(&jobs["jobs"][0]["id"]);
    assert_eq!((&newest["progress"]["tokens"], &newest["state"]), (&Value::from(0), &Value::from("done")), "{newest}");
    fs::remove_dir_all(bench.docs().join("moved")).unwrap();
    eventually("a deletion", || server.paths("q=timbuktu&mode=lexical").is_empty());
}

#[test]
fn a_bulk_deletion_waits_for_a_confirmation_and_a_bulk_move_does_not() {
    let bench = Bench::with_documents(60);
    let server = Server::start(&bench, &[bench.docs().to_str().unwrap()]).ready();
    let jobs = || server.get("/api/v1/jobs").expect(200)["jobs"].as_array().unwrap().clone();
    let files: Vec<PathBuf> = fs::read_dir(bench.docs()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let folder = bench.docs().join("moved");
    fs::create_dir(&folder).unwrap();
    for file in &files {
        fs::rename(file, folder.join(file.file_name().unwrap())).unwrap();
    }
    eventually("the move", || {
        let paths = listed(&server);
        paths.len() == 60 && paths.iter().all(|path| path.starts_with("moved/"))
    });
    assert!(jobs().iter().all(|job| job["state"] == "done"), "{:?}", jobs());
    for file in files.iter().take(45) {
        fs::remove_file(folder.join(file.file_name().unwrap())).unwrap();
    }
    eventually("the refusal", || jobs().iter().any(|job| job["state"] == "failed"));
    let failed = jobs().into_iter().find(|job| job["state"] == "failed").unwrap();
    assert!(failed["error"].as_str().unwrap().contains("45 of 60 indexed files are gone"), "{failed}");
    assert_eq!(listed(&server).len(), 60);
    let job = server.request("POST", "/api/v1/sources/docs/index?accept_deletions=true", &[], &[]).expect(202);
    assert_eq!(server.job(&job["job"])["state"], "done");
    assert_eq!(listed(&server).len(), 15);
}

/// Ends the searches, also when the test fails.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit
    }
}

#[test]
fn a_thousand_random_changes_under_load_end_in_the_index_of_a_fresh_run() {
    let bench = Bench::with_documents(200);
    // On a fast machine most of the first files are gone by the second comparison: here that is meant.
    let config = "[index]\nmax_deleted_percent = 100\n";
    let server = Server::configured(&bench, config, &[bench.docs().to_str().unwrap()]).ready();
    let over = AtomicBool::new(false);
    let files = std::thread::scope(|scope| {
        let searches = scope.spawn(|| {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                server.get("/api/v1/search?q=marker017+note&top=10").expect(200);
                count += 1;
            }
            count
        });
        let end = SetAtEnd(&over);
        let files = change_at_random(&bench, 1_000);
        let paths: BTreeSet<String> = files.keys().cloned().collect();
        eventually("the last change", || listed(&server) == paths);
        for (path, marker) in &files {
            eventually(marker, || server.paths(&format!("q={marker}&mode=lexical")) == [path.as_str()]);
        }
        drop(end);
        assert!(searches.join().unwrap() > 20, "searches must go on meanwhile");
        files
    });
    drop(server);
    bench.verify();
    let fresh = Bench::new();
    fresh.run(&["index", "--name", "docs", bench.docs().to_str().unwrap()]).succeeded();
    assert_eq!(ledger(&bench), ledger(&fresh));
    assert_eq!(ledger(&fresh).len(), files.len());
}

/// Creates, changes, moves and deletes files; what is there at the end, with the word only that file has.
fn change_at_random(bench: &Bench, changes: usize) -> BTreeMap<String, String> {
    let mut dice = Dice(7);
    let mut files: BTreeMap<String, String> =
        (0..200).map(|number| (format!("note-{number:03}.md"), format!("marker{number:03}"))).collect();
    for number in 0..changes {
        let picked = files.keys().nth(dice.below(files.len())).unwrap().clone();
        let path = format!("f{}/n{number}.md", dice.below(12));
        let marker = format!("change{number}x");
        let text = format!("# Note {number}\n\nThe word is {marker}.");
        match dice.below(5) {
            0 | 1 => {
                bench.write(&path, &text);
                files.insert(path, marker);
            }
            2 => {
                bench.write(&picked, &text);
                files.insert(picked, marker);
            }
            3 => {
                fs::create_dir_all(bench.docs().join(&path).parent().unwrap()).unwrap();
                fs::rename(bench.docs().join(&picked), bench.docs().join(&path)).unwrap();
                let kept = files.remove(&picked).unwrap();
                files.insert(path, kept);
            }
            _ => {
                fs::remove_file(bench.docs().join(&picked)).unwrap();
                files.remove(&picked);
            }
        }
        if dice.below(10) == 0 {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    files
}

/// What the ledger says of each file, apart from times.
fn ledger(bench: &Bench) -> Vec<(Value, Value, Value, Value)> {
    let status = bench.status();
    let lines = status["files"].as_array().unwrap().iter();
    lines
        .map(|line| (line["path"].clone(), line["state"].clone(), line["content"].clone(), line["chunks"].clone()))
        .collect()
}
