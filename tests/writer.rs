//! The writer of `quarry serve` under pressure: what was acknowledged stays, nothing starves, and a disk that fails for a
//! while is got over.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{PATIENCE, Server, over_documents};
use crate::support::Bench;

/// Does something while others push without end to a source of their own.
fn under_pushes<T>(server: &Server, pushers: usize, work: impl FnOnce() -> T) -> T {
    let (stop, pushed) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for pusher in 0..pushers {
            let (stop, pushed) = (&stop, &pushed);
            scope.spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let path = format!("p{pusher}/n{}.md", number % 50);
                    let body = json!({ "source": "noise", "path": path, "text": format!("noise {pusher} {number}") });
                    if server.send("PUT", "/api/v1/documents", &body).status == 200 {
                        pushed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let stop_at_end = StopAtEnd(&stop);
        wait_until("pushes are acknowledged", || pushed.load(Ordering::Relaxed) > 2 * pushers);
        let done = work();
        drop(stop_at_end);
        done
    })
}

/// Also when the work panics: the pushers would never end.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn put_into(server: &Server, source: &str, path: &str, text: &str) -> crate::server::Reply {
    server.send("PUT", "/api/v1/documents", &json!({ "source": source, "path": path, "text": text }))
}

fn jobs_of(server: &Server, kind: &str) -> Vec<Value> {
    let jobs = server.get("/api/v1/jobs").expect(200)["jobs"].clone();
    jobs.as_array().unwrap().iter().filter(|job| job["kind"] == kind).cloned().collect()
}

fn is_over(job: &Value) -> bool {
    !matches!(job["state"].as_str(), Some("queued" | "running"))
}

#[test]
fn what_is_put_behind_a_removal_is_not_removed_by_it() {
    let (_bench, server) = over_documents(2);
    under_pushes(&server, 3, || {
        for round in 0..4 {
            put_into(&server, "racer", "old.md", &format!("oldword{round}")).expect(200);
            server.request("DELETE", "/api/v1/sources/racer", &[], &[]).expect(202);
            put_into(&server, "racer", "new.md", &format!("tapir{round}")).expect(200);
            wait_until("the removal is over", || jobs_of(&server, "remove_source").iter().all(is_over));
            let found = |word: &str| server.paths(&format!("q={word}{round}&mode=lexical&source=racer"));
            assert_eq!(found("tapir"), ["new.md"], "acknowledged after the removal was accepted");
            assert!(found("oldword").is_empty(), "acknowledged before it");
        }
    });
}

#[test]
fn a_put_and_a_delete_of_the_same_document_end_as_they_were_accepted() {
    let (_bench, server) = over_documents(1);
    let id = put_into(&server, "api", "x.md", "first0").expect(200)["id"].as_str().unwrap().to_string();
    under_pushes(&server, 2, || {
        for round in 1..5 {
            server.send("DELETE", &format!("/api/v1/documents/{id}"), &json!({})).expect(200);
            put_into(&server, "api", "x.md", &format!("word{round}")).expect(200);
            assert_eq!(server.paths(&format!("q=word{round}&mode=lexical")), ["x.md"]);
        }
    });
}

#[test]
fn pushes_without_end_starve_neither_folders_nor_readiness() {
    let (bench, server) = over_documents(3);
    under_pushes(&server, 4, || {
        bench.write("late.md", "# Late\n\nunicornword");
        wait_until("the new file is searchable", || server.paths("q=unicornword&mode=lexical") == ["late.md"]);
    });
    drop(server);
    let docs = bench.docs().display().to_string();
    let server = Server::start(&bench, &[&docs]);
    under_pushes(&server, 4, || {
        // The source of the pushes has never been looked through as a whole: it has to come to its turn.
        wait_until("it is ready", || server.get("/health/ready").status == 200);
        wait_until("nothing is awaited", || server.get("/health/ready").json()["awaited"] == 0);
    });
}

#[test]
fn a_removal_that_was_acknowledged_survives_a_kill() {
    let (bench, mut server) = over_documents(2);
    put_into(&server, "racer", "old.md", "quaggaword").expect(200);
    // The writer is busy: the removal is acknowledged and has to wait.
    let long: String = (0..60_000).map(|number| format!("Line {number} tells of pump {}.\n\n", number % 97)).collect();
    bench.write("long.txt", &long);
    wait_until("the pass has begun", || jobs_of(&server, "index").iter().any(|job| job["state"] == "running"));
    server.request("DELETE", "/api/v1/sources/racer", &[], &[]).expect(202);
    assert_eq!(server.signal("-KILL"), None);
    let server = Server::start(&bench, &[]).ready();
    wait_until("the removal is over", || jobs_of(&server, "remove_source").iter().all(is_over));
    assert!(server.paths("q=quaggaword&mode=lexical").is_empty());
    assert!(!bench.data().join("pushed/racer").exists() && !bench.data().join("accepted.json").exists());
    put_into(&server, "racer", "new.md", "tapirword").expect(200);
    drop(server);
    let server = Server::start(&bench, &[]).ready();
    assert_eq!(server.paths("q=tapirword&mode=lexical"), ["new.md"], "it is not removed a second time");
}

#[test]
fn one_large_file_holds_up_no_push_and_shows_its_progress() {
    let (bench, server) = over_documents(2);
    let long: String =
        (0..60_000).map(|number| format!("Item {number}: pump {} is well.\n\n", number % 9973)).collect();
    bench.write("long.txt", &long);
    let running = || jobs_of(&server, "index").into_iter().find(|job| job["state"] == "running");
    wait_until("the pass has begun", || running().is_some());
    let (mut during, mut tokens) = (0, 0);
    while let Some(job) = running() {
        put_into(&server, "api", &format!("quick{during}.md"), &format!("okapi{during}")).expect(200);
        assert_eq!(server.paths(&format!("q=okapi{during}&mode=lexical")), [format!("quick{during}.md")]);
        tokens = tokens.max(job["progress"]["tokens"].as_u64().unwrap());
        during += 1;
    }
    assert!(during > 1, "the pass was over before a second push");
    wait_until("the long file is searchable", || !server.paths("q=59999&mode=lexical").is_empty());
    assert!(tokens > 0, "progress within the file");
    assert_eq!(server.paths("q=okapi0&mode=lexical"), ["quick0.md"], "the pass undid nothing");
}

/// A server whose files may be limited later: a write beyond the limit fails as on a full disk.
fn limitable(bench: &Bench, args: &[&str]) -> Server {
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "bash", env!("CARGO_BIN_EXE_quarry"), "--data-dir"]);
    command.arg(bench.data()).args(["serve", "--listen", "127.0.0.1:0"]).args(args);
    Server::spawn(command)
}

/// No file of the process may be written beyond this size from now on.
fn limit_files(server: &Server, bytes: &str) {
    let mut command = Command::new("prlimit");
    command.args(["--pid", &server.process.id().to_string(), &format!("--fsize={bytes}:unlimited")]);
    assert!(command.stdout(Stdio::null()).status().unwrap().success(), "prlimit of util-linux");
}

#[test]
fn a_disk_that_was_full_is_got_over_without_a_restart() {
    let bench = Bench::with_documents(5);
    let docs = bench.docs().display().to_string();
    let mut server = limitable(&bench, &[&docs]).ready();
    put_into(&server, "api", "before.md", "okapibefore").expect(200);
    let metric = |server: &Server| {
        let text = server.get("/metrics").text;
        text.lines().find_map(|line| line.strip_prefix("quarry_writer_failing ")?.parse::<f64>().ok()).unwrap()
    };
    assert_eq!((server.get("/health/live").status, metric(&server)), (200, 0.0));

    // Drafts of pushed documents fit, the logs of the index do not.
    limit_files(&server, "2048");
    let problem = put_into(&server, "api", "during.md", "okapiduring").problem(507, "disk-full");
    assert!(problem["detail"].as_str().unwrap().contains("File too large"), "the disk's own words: {problem}");
    let dead = server.get("/health/live").problem(503, "index-unwritable");
    assert!(dead["detail"].as_str().unwrap().contains("File too large"), "{dead}");
    assert_eq!(metric(&server), 1.0);
    put_into(&server, "api", "refused.md", "okapirefused").problem(507, "disk-full");
    assert_eq!(server.get("/health/ready").status, 200, "searches go on");
    assert_eq!(server.paths("q=okapibefore&mode=lexical"), ["before.md"]);
    let job = jobs_of(&server, "documents").into_iter().find(|job| !is_over(job)).unwrap();
    assert!(job["error"].as_str().unwrap().contains("File too large"), "{job}");

    limit_files(&server, "unlimited");
    wait_until("it lives again", || server.get("/health/live").status == 200);
    put_into(&server, "api", "after.md", "okapiafter").expect(200);
    assert_eq!(metric(&server), 0.0);
    for name in ["before", "during", "after"] {
        let found = || server.paths(&format!("q=okapi{name}&mode=lexical")) == [format!("{name}.md")];
        wait_until(&format!("{name} is found"), found);
    }
    assert!(server.paths("q=okapirefused&mode=lexical").is_empty(), "it was refused, and left no trace");
    assert!(server.get("/api/v1/sources/api/ledger").expect(200)["files"].as_array().unwrap().len() >= 3);
    fs::write(bench.docs().join("later.md"), "# Later\n\nokapilater").unwrap();
    wait_until("folders are followed again", || !server.paths("q=okapilater&mode=lexical").is_empty());
    assert_eq!(server.signal("-TERM"), Some(0));
    bench.verify();
}
