//! Backups in a bucket: made by commands and by a server, checked, restored and followed.
//!
//! The store of objects here is a small one in memory. That requests are signed as stores want it is for the tests of `connect`,
//! and for `.ci/buckets`, which asks others' stores.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::{DOCUMENTS, assert_same, counts, elsewhere, run_elsewhere};
use crate::server::{Server, eventually};
use crate::support::{Bench, Run, note};

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

struct Bucket {
    address: String,
    objects: Objects,
}

impl Bucket {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let objects = Objects::default();
        let shared = Arc::clone(&objects);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || while answer(&stream, &shared).is_some() {});
            }
        });
        Self { address, objects }
    }

    /// How it is reached, as other tools are told, too.
    fn told<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let keys = [("AWS_ACCESS_KEY_ID", "me"), ("AWS_SECRET_ACCESS_KEY", "a secret of the test")];
        command.env("AWS_ENDPOINT_URL", &self.address).envs(keys)
    }

    fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

fn answer(stream: &TcpStream, objects: &Objects) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut content = vec![0; length];
    reader.read_exact(&mut content).ok()?;
    let (path, query) = target.split_once('?')?;
    let is_signed = query.contains("X-Amz-Signature=") && query.contains("X-Amz-Credential=me%2F");
    let key = path.strip_prefix("/company/").unwrap_or_default();
    let (status, body) = {
        let mut objects = objects.lock().unwrap();
        match (method.as_str(), key) {
            _ if !is_signed => (403, Vec::new()),
            ("GET", "") => (200, list(query, &objects).into_bytes()),
            ("GET", key) => objects.get(key).map_or((404, Vec::new()), |content| (200, content.clone())),
            ("PUT", key) => {
                objects.insert(key.to_owned(), content);
                (200, Vec::new())
            }
            (_, key) => {
                objects.remove(key);
                (204, Vec::new())
            }
        }
    };
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len()).ok()?;
    stream.write_all(&body).ok()
}

/// All that begins with the prefix, whether the next slash was to end it or not: whoever asks has to bear both.
fn list(query: &str, objects: &BTreeMap<String, Vec<u8>>) -> String {
    let prefix = query.split('&').find_map(|part| part.strip_prefix("prefix=")).unwrap_or_default().replace("%2F", "/");
    let found = objects.iter().filter(|(key, _)| key.starts_with(&prefix));
    let entries =
        found.map(|(key, content)| format!("<Contents><Key>{key}</Key><Size>{}</Size></Contents>", content.len()));
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{}</ListBucketResult>", entries.collect::<String>())
}

const PLACE: &str = "s3://company/quarry";

#[test]
fn a_bucket_holds_backups_as_a_folder_does() {
    let (bench, bucket) = (Bench::with_documents(DOCUMENTS), Bucket::start());
    bench.index();
    let run = |args: &[&str]| Run(bucket.told(&mut bench.command(args)).output().unwrap());
    bench.run(&["backup", PLACE]).refused(&["AWS_ACCESS_KEY_ID", "s3.access_key"]);
    run(&["backup", PLACE, "--list"]).refused(&["no backup", PLACE]);
    let made = run(&["backup", PLACE, "--json"]).succeeded().json();
    assert!(made["objects"].as_u64().unwrap() > 3, "{made}");
    assert_eq!(run(&["backup", PLACE, "--json"]).succeeded().json()["objects"], 0);
    run(&["backup", PLACE, "--verify"]).succeeded();
    assert_eq!(run(&["backup", PLACE, "--list", "--json"]).succeeded().json().as_array().unwrap().len(), 2);
    let keys = bucket.keys();
    assert!(keys.iter().all(|key| key.starts_with("quarry/") && !key.contains("/leases/")), "{keys:?}");

    Run(bucket.told(&mut elsewhere(&bench, &["restore", PLACE])).output().unwrap()).succeeded();
    assert_same(&bench, "restored from a bucket");

    // What is not to be kept goes, and damage is named.
    bench.write("note-000.md", &note(500));
    bench.index();
    run(&["backup", PLACE, "--keep", "1d"]).succeeded();
    assert_eq!(run(&["backup", PLACE, "--list", "--json"]).succeeded().json().as_array().unwrap().len(), 1);
    let object = bucket.keys().into_iter().find(|key| key.contains("/objects/")).unwrap();
    bucket.objects.lock().unwrap().remove(&object);
    let checked = run(&["backup", PLACE, "--verify"]);
    assert_eq!(checked.0.status.code(), Some(1));
    assert!(checked.stdout().contains("it is missing"), "{}", checked.stdout());
    run(&["backup", "s3://company/another place/../x"]).refused(&["expected s3://BUCKET"]);
    assert_eq!(counts(|args| run_elsewhere(&bench, args))[1], DOCUMENTS);
}

#[test]
fn a_server_backs_itself_up_into_a_bucket_and_another_follows_it_there() {
    let (bench, bucket) = (Bench::with_documents(5), Bucket::start());
    let secret = bench.root.path().join("secret");
    std::fs::write(&secret, "a secret of the test\n").unwrap();
    let s3 = format!("[s3]\nendpoint = {:?}\naccess_key = \"me\"\nsecret_key_file = \"secret\"\n", bucket.address);
    let docs = bench.docs().display().to_string();
    let config = format!("[backup]\ndestination = {PLACE:?}\nevery_hours = 0\nkeep = \"3d\"\n{s3}");
    let leader = Server::configured(&bench, &config, &[&docs]).ready();
    let back_up = || {
        let job = leader.send("POST", "/api/v1/backups", &json!({})).expect(202)["job"].clone();
        let job = leader.job(&job);
        assert_eq!(job["state"], "done", "{job}");
    };
    back_up();
    // A command on the same machine has the server do it, and names the place as it is.
    let said = bucket.told(&mut bench.command(&["backup", PLACE])).output().unwrap();
    assert!(Run(said).succeeded().stdout().contains("0 new objects"));

    let path = bench.root.path().join("follower.toml");
    std::fs::write(&path, format!("[follow]\nfrom = {PLACE:?}\npoll_seconds = 1\n{s3}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_quarry"));
    command.env_clear().args(["--config", path.to_str().unwrap(), "--data-dir"]);
    command.arg(bench.root.path().join("follower")).args(["serve", "--listen", "127.0.0.1:0"]);
    let follower = Server::spawn(command).ready();
    assert_eq!(follower.paths("q=marker003&mode=lexical"), ["note-003.md"]);
    leader.put("tea.md", "# Tea\n\nThe samovar is in the kitchen.\n").expect(200);
    back_up();
    eventually("the follower has it", || (follower.paths("q=samovar&mode=lexical") == ["tea.md"]).then_some(()));
    assert_eq!(follower.get("/api/v1/status").expect(200)["follows"]["from"], PLACE);
}
