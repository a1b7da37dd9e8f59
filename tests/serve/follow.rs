//! Servers that follow another one's backups: what they show, what they take, and what is there after kills.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use storage::Step;

use crate::server::{Server, eventually};
use crate::support::{Bench, Run, note};

/// An index and its backups, and the folder of one that follows them.
struct Pair {
    bench: Bench,
}

impl Pair {
    fn new(documents: usize) -> Self {
        let bench = Bench::with_documents(documents);
        bench.index();
        Self { bench }
    }

    fn place(&self) -> String {
        self.bench.root.path().join("backups").display().to_string()
    }

    fn there(&self) -> PathBuf {
        self.bench.root.path().join("follower")
    }

    fn back_up(&self) {
        self.bench.run(&["backup", &self.place(), "--keep", "1d"]).succeeded();
    }

    /// Another document, indexed and backed up.
    fn write(&self, number: usize) {
        self.bench.write(&format!("note-{number:03}.md"), &note(number));
        self.bench.index();
        self.back_up();
    }

    fn elsewhere(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quarry"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.arg("--data-dir").arg(self.there()).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        Run(self.elsewhere(args).output().unwrap())
    }

    fn serve(&self) -> Command {
        let config = self.bench.root.path().join("follower.toml");
        fs::write(&config, "[follow]\npoll_seconds = 1\n").unwrap();
        let config = config.display().to_string();
        self.elsewhere(&["--config", &config, "serve", "--listen", "127.0.0.1:0", "--follow", &self.place()])
    }

    fn follow(&self) -> Server {
        Server::spawn(self.serve()).ready()
    }
}

fn found(server: &Server, number: usize) -> bool {
    server.paths(&format!("q=marker{number:03}&mode=lexical")) == [format!("note-{number:03}.md")]
}

#[test]
fn a_server_that_follows_has_what_the_newest_backup_has_and_takes_no_changes() {
    let pair = Pair::new(20);
    pair.run(&["serve", "--listen", "127.0.0.1:0", "--follow", &pair.place()]).refused(&["no backup", "quarry backup"]);
    pair.back_up();
    let mut server = pair.follow();
    assert!(found(&server, 7) && !found(&server, 20));
    let first = server.get("/api/v1/status").expect(200)["follows"].clone();
    assert_eq!(first["from"], pair.place());
    // The answers of the other one, with all that they are made of.
    let asked = |path: &str| {
        let mut answer = server.get(path).expect(200);
        ["timings", "took_ms", "request_id"].iter().for_each(|key| drop(answer.as_object_mut().unwrap().remove(*key)));
        answer
    };
    let leader = Server::start(&pair.bench, &[]).ready();
    let searched = "/api/v1/search?q=marker007+holidays&top=10";
    let mut theirs = leader.get(searched).expect(200);
    ["timings", "took_ms", "request_id"].iter().for_each(|key| drop(theirs.as_object_mut().unwrap().remove(*key)));
    let ranked = |answer: &Value| -> Vec<Value> {
        let results = answer["results"].as_array().unwrap().iter();
        results.map(|hit| json!([hit["path"], hit["score"], hit["snippet"]])).collect()
    };
    assert_eq!(ranked(&asked(searched)), ranked(&theirs));
    assert!(!ranked(&theirs).is_empty());
    drop(leader);

    // Whatever would change it is refused, in the same words everywhere.
    for (method, path, body) in [
        ("PUT", "/api/v1/documents", json!({ "path": "a.md", "text": "a" })),
        ("POST", "/api/v1/sources", json!({ "name": "a", "folder": "/" })),
        ("DELETE", "/api/v1/sources/docs", json!({})),
        ("POST", "/api/v1/sources/docs/index", json!({})),
        ("PUT", "/api/v1/sources/docs/access", json!([])),
        ("POST", "/api/v1/verify", json!({})),
        ("POST", "/api/v1/compact", json!({})),
        ("POST", "/api/v1/backups", json!({})),
    ] {
        server.send(method, path, &body).problem(403, "read-only");
    }
    let docs = pair.bench.docs().display().to_string();
    pair.run(&["index", &docs]).refused(&["follows the backups of another one"]);
    pair.run(&["keys", "create", "bot"]).refused(&["follows the backups in", &pair.place(), "follows.json"]);
    let page = server.get("/status").text;
    assert!(page.contains("This server only searches"), "{page}");
    let page = server.get("/admin").text;
    assert!(page.contains("changed there") && !page.contains("<form class=\"filter\""), "{page}");

    let origin = format!("http://{}", server.address);
    let form = [("content-type", "application/x-www-form-urlencoded"), ("origin", origin.as_str())];
    let entered = server.unfollowed("POST", "/admin/guidance/rules", &form, b"before=&text=");
    assert!(entered.status == 403 && entered.text.contains("This server only searches"), "{}", entered.text);

    // What is new there comes by itself, and searches never stop.
    let synonyms = "[both]\nholidays = [\"marker006\"]\n";
    fs::write(pair.bench.data().join("synonyms.toml"), synonyms).unwrap();
    pair.write(20);
    let began = Instant::now();
    while !found(&server, 20) {
        assert!(found(&server, 7), "there is something to be found all the while");
        assert!(began.elapsed() < Duration::from_secs(120), "the newer backup does not come");
    }
    eventually("what administrators write there is in force here", || {
        server.paths("q=holidays&mode=lexical&top=50").contains(&"note-006.md".to_string()).then_some(())
    });
    let second = server.get("/api/v1/status").expect(200)["follows"].clone();
    assert!(second["backup"] != first["backup"] && second["problem"].is_null(), "{second}");
    let jobs = server.get("/api/v1/jobs").expect(200);
    assert!(jobs["jobs"].as_array().unwrap().iter().all(|job| job["kind"] == "follow" && job["state"] == "done"));
    let made = format!("quarry_followed_backup_timestamp_seconds {}", second["made"]);
    assert!(server.get("/metrics").text.contains(&made));
    assert_eq!(server.signal("-TERM"), Some(0));

    // Without a server: what reads goes on, what writes is refused; and it begins again with what it has.
    assert_eq!(pair.run(&["search", "--json", "marker020"]).succeeded().json()["results"][0]["path"], "note-020.md");
    pair.run(&["verify"]).succeeded();
    assert_eq!(pair.run(&["status", "--json", "--files"]).succeeded().json()["follows"]["place"], pair.place());
    pair.run(&["index", &docs]).refused(&["follows the backups in", "follows.json"]);
    pair.run(&["serve", "--listen", "127.0.0.1:0"]).refused(&["follows the backups in", "--follow"]);
    fs::rename(pair.place(), pair.bench.root.path().join("away")).unwrap();
    let server = pair.follow();
    assert!(found(&server, 20), "the backups are away, and what is here is searched");
    let told = eventually("that is told", || {
        server.get("/api/v1/status").expect(200)["follows"]["problem"].as_str().map(str::to_owned)
    });
    assert!(told.contains(&pair.place()), "{told}");
    assert!(server.get("/metrics").text.contains("quarry_follow_failing 1"));
    fs::rename(pair.bench.root.path().join("away"), pair.place()).unwrap();
    pair.write(21);
    eventually("it goes on by itself", || found(&server, 21).then_some(()));
    drop(server);

    // On the day that the other one is lost.
    fs::remove_file(pair.there().join("follows.json")).unwrap();
    pair.run(&["index", &docs]).succeeded();
    pair.run(&["verify"]).succeeded();
}

#[test]
fn who_is_let_in_comes_with_the_backups() {
    let pair = Pair::new(3);
    pair.back_up();
    let config = pair.bench.root.path().join("open.toml");
    fs::write(&config, "").unwrap();
    // Nobody could be told from anybody else: there is no link to make a first administrator either.
    let place = pair.place();
    let args = ["--config", config.to_str().unwrap(), "serve", "--listen", "0.0.0.0:0", "--follow", &place];
    pair.run(&args).refused(&["refusing to listen"]);
    let key = pair.bench.run(&["keys", "create", "bot"]).succeeded().stdout().trim().to_owned();
    pair.write(3);
    let server = Server::spawn(pair.serve());
    let with = |key: &str| {
        let bearer = format!("Bearer {key}");
        server.request("GET", "/api/v1/search?q=marker001", &[("authorization", &bearer)], &[])
    };
    let without = || server.get("/api/v1/search?q=marker001");
    eventually("nobody is let in without a key", || (without().status == 401).then_some(()));
    assert_eq!(with(&key).status, 200);
    pair.bench.run(&["keys", "revoke", key.split('_').nth(1).unwrap()]).succeeded();
    pair.back_up();
    eventually("the key is revoked here, too", || (with(&key).status == 401).then_some(()));
}

#[test]
fn a_follower_that_is_killed_at_any_step_has_one_of_the_two_whole() {
    let pair = Pair::new(30);
    pair.back_up();
    // The first time, and each time after it.
    for step in [Step::RestoreFilled, Step::RestorePlaced] {
        let ended = pair.serve().env("QUARRY_KILL_AT", format!("{step:?}:1")).output().unwrap();
        assert!(!ended.status.success(), "{step:?} was never passed");
        let server = pair.follow();
        assert!(found(&server, 7), "killed at {step:?}");
        drop(server);
        pair.run(&["verify"]).succeeded();
        fs::remove_dir_all(pair.there()).unwrap();
    }
    drop(pair.follow());
    let mut number = 30;
    for step in [Step::RestoreFilled, Step::RestorePlaced] {
        pair.write(number);
        let ended = pair.serve().env("QUARRY_KILL_AT", format!("{step:?}:1")).output().unwrap();
        assert!(!ended.status.success(), "{step:?} was never passed");
        pair.run(&["verify"]).succeeded();
        assert!(pair.run(&["search", "--json", "--lexical", "marker007"]).succeeded().stdout().contains("note-007"));
        let server = pair.follow();
        eventually("it goes on", || found(&server, number).then_some(()));
        drop(server);
        pair.run(&["verify"]).succeeded();
        number += 1;
    }
    // By the clock.
    for round in 0..12 {
        pair.write(number);
        let mut child = pair.serve().stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(60 + 150 * round));
        let _ = child.kill();
        let _ = child.wait();
        pair.run(&["verify"]).succeeded();
        number += 1;
    }
    let server = pair.follow();
    eventually("it has all of it in the end", || found(&server, number - 1).then_some(()));
}

#[test]
fn a_follower_whose_index_is_damaged_takes_the_newest_backup_anew() {
    let pair = Pair::new(10);
    pair.back_up();
    drop(pair.follow());
    let vectors = pair.there().join("index-1/vectors.bin");
    let whole = fs::read(&vectors).unwrap();
    fs::write(&vectors, &whole[..whole.len() / 2]).unwrap();
    let server = pair.follow();
    assert!(found(&server, 7));
    drop(server);
    pair.run(&["verify"]).succeeded();
}
