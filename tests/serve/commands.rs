//! Commands beside a running server: they do what they do without one, by the socket in the data folder.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::model_server::{Conduct, ModelServer};
use crate::server::{Server, eventually, over_documents};
use crate::support::{Bench, Run, fixture};

fn stdout(run: Run) -> String {
    run.succeeded().stdout()
}

/// The jobs that a server tells, the newest first.
fn jobs(bench: &Bench) -> Vec<Value> {
    bench.run(&["jobs", "--json"]).succeeded().json().as_array().unwrap().clone()
}

/// Waits until the newest job of a source is in a state; its number.
fn job_in(bench: &Bench, source: &str, state: &str) -> String {
    eventually(&format!("{source} is {state}"), || {
        let job = jobs(bench).into_iter().find(|job| job["source"] == source && job["state"] == state)?;
        Some(job["id"].to_string())
    })
}

/// What the server answers by its socket, with the head.
fn by_socket(bench: &Bench, request: &str) -> String {
    let mut stream = UnixStream::connect(bench.data().join("server.sock")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn an_index_is_tended_while_a_server_has_it_open() {
    let (bench, mut server) = over_documents(6);
    let handbook = fixture("handbook").display().to_string();
    let indexed = bench.run(&["index", &handbook]).succeeded().stderr();
    assert!(indexed.contains("handbook: ") && indexed.contains(" indexed"), "{indexed}");
    assert_eq!(bench.paths(&["--lexical", "marker004"]), ["note-004.md"]);
    assert!(server.paths("q=how+do+I+get+my+travel+money+back&top=10").contains(&"travel/expenses.md".to_string()));

    let files = stdout(bench.run(&["status", "--files", "--csv"]));
    assert!(files.contains("note-003.md") && files.contains("travel/expenses.md"), "{files}");
    assert!(stdout(bench.run(&["verify"])).contains("everything is as it was written"));
    bench.run(&["verify", "--repair"]).refused(&["stop it"]);

    bench.run(&["access", "set", "handbook", "group:hr"]).succeeded();
    assert!(stdout(bench.run(&["access", "list"])).contains("group:hr"));
    bench.run(&["access", "set", "handbook", "group:it", "--paths", "it/**"]).succeeded();
    let listed = stdout(bench.run(&["access", "list"]));
    assert!(listed.contains("group:hr") && listed.contains("it/**"), "{listed}");
    bench.run(&["access", "open", "handbook"]).succeeded();
    assert!(!stdout(bench.run(&["access", "list"])).contains("group:hr"));

    for refused in [&["--exclude", "x"][..], &["--max-file-size", "1"], &["--commit-every", "7"], &["--rebuild"]] {
        bench.run(&[&["index", &handbook], refused].concat()).refused(&["a server runs on this index"]);
    }
    bench.run(&["index", "/nowhere/at/all"]).refused(&["cannot open"]);

    bench.run(&["remove", "nonesuch"]).refused(&["there is no source", "handbook"]);
    assert!(stdout(bench.run(&["remove", "handbook"])).contains("documents removed"));
    assert_eq!(bench.paths(&["--lexical", "expense"]), [""; 0]);
    let told = stdout(bench.run(&["jobs"]));
    assert!(told.contains("remove source") && told.contains("verify") && told.contains("done"), "{told}");
    assert_eq!(server.signal("-TERM"), Some(0));
    assert!(!bench.data().join("server.sock").exists());
    bench.run(&["jobs"]).refused(&["no server runs"]);
    bench.verify();
}

#[test]
fn a_folder_that_is_searched_is_brought_up_to_date_by_the_server() {
    let (bench, server) = over_documents(3);
    let new = bench.root.path().join("new");
    fs::create_dir(&new).unwrap();
    fs::write(new.join("moor.md"), "# Bogs\n\nThe ombrotrophic bog is fed by rain.\n").unwrap();
    let found = bench.paths(&["ombrotrophic", "--lexical", "--in", new.to_str().unwrap()]);
    assert_eq!(found, ["moor.md"]);
    fs::write(new.join("fen.md"), "# Fens\n\nA minerotrophic fen is fed by springs.\n").unwrap();
    assert_eq!(bench.paths(&["minerotrophic", "--lexical", "--in", new.to_str().unwrap()]), ["fen.md"]);
    drop(server);
}

#[test]
fn the_socket_is_for_the_owner_who_needs_no_key() {
    let (bench, mut server) = over_documents(2);
    let socket = bench.data().join("server.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    bench.run(&["keys", "create", "reader", "--scope", "search"]).succeeded();
    assert_eq!(server.get("/api/v1/jobs").status, 401, "whoever comes by the network needs a key now");
    let asked = "GET /api/v1/sources HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = by_socket(&bench, asked);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"folder\":\"/"), "{answer}");
    let numbers = by_socket(&bench, &asked.replace("/api/v1/sources", "/metrics"));
    assert!(numbers.contains("quarry_"), "{numbers}");
    let elsewhere = by_socket(&bench, &asked.replace("localhost", "evil.example"));
    assert!(elsewhere.starts_with("HTTP/1.1 421"), "{elsewhere}");
    // A server that is killed leaves its socket behind: nobody takes it for one that runs.
    assert_eq!(server.signal("-KILL"), None);
    assert!(socket.exists());
    bench.run(&["jobs"]).refused(&["no server runs"]);
    bench.run(&["index"]).succeeded();
    bench.verify();
}

#[test]
fn a_pass_is_paused_over_a_restart_goes_on_and_is_called_off() {
    let bench = Bench::with_documents(4);
    let models = ModelServer::start(Conduct::Good);
    let config = format!(
        "[embedding]\nendpoint = \"{}\"\nmodel = \"stand-in\"\n[index]\nvectors = \"with-text\"\n",
        models.endpoint
    );
    let docs = bench.docs().display().to_string();
    let mut server = Server::configured(&bench, &config, &[&docs]).ready();
    models.behave(Conduct::Gone);
    fs::write(bench.docs().join("late.md"), "# Late\n\nThe belated addendum.\n").unwrap();
    server.send("POST", "/api/v1/sources/docs/index", &Value::Null).expect(202);
    let job = job_in(&bench, "docs", "running");
    bench.run(&["jobs", "pause", &job]).succeeded();
    job_in(&bench, "docs", "paused");

    assert_eq!(server.signal("-KILL"), None);
    models.behave(Conduct::Good);
    let mut server = Server::configured(&bench, &config, &[]).ready();
    let job = job_in(&bench, "docs", "paused");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(job_in(&bench, "docs", "paused"), job, "nobody has let it go on");
    assert_eq!(server.paths("q=belated&mode=lexical"), [""; 0]);
    bench.run(&["jobs", "resume", &job]).succeeded();
    job_in(&bench, "docs", "done");
    assert_eq!(server.paths("q=belated&mode=lexical"), ["late.md"]);

    models.behave(Conduct::Gone);
    fs::write(bench.docs().join("later.md"), "# Later\n\nThe overdue appendix.\n").unwrap();
    server.send("POST", "/api/v1/sources/docs/index", &Value::Null).expect(202);
    let job = job_in(&bench, "docs", "running");
    bench.run(&["jobs", "cancel", &job]).succeeded();
    job_in(&bench, "docs", "cancelled");
    bench.run(&["jobs", "cancel", &job]).refused(&["it is over"]);
    bench.run(&["jobs", "cancel", "4711"]).refused(&["the job does not exist"]);
    models.behave(Conduct::Good);
    bench.run(&["index"]).succeeded();
    assert_eq!(server.paths("q=overdue&mode=lexical"), ["later.md"]);
    assert_eq!(server.signal("-TERM"), Some(0));
    bench.verify();
}
