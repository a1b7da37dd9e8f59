//! Who may see what: what is hidden from somebody makes no difference to them, whatever they ask.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::server::{PATIENCE, Reply, Server};
use crate::support::Bench;

/// Rounds of hidden changes, each followed by some 25 requests that are compared byte for byte. More of them by
/// `QUARRY_ROUNDS=800 cargo test --test e2e -- serve::access`.
const ROUNDS: usize = 22;

const WORDS: [&str; 18] = [
    "pump",
    "pumps",
    "valve",
    "rotor",
    "pressure",
    "travel",
    "expenses",
    "manual",
    "leave",
    "holiday",
    "Größe",
    "报销流程",
    "BX-7700",
    "the",
    "reactor",
    "zebra",
    "salary",
    "merger",
];

/// What is given up for lack of time differs from run to run: here there is time.
const UNHURRIED: &str = "[search]\nsentence_ms = 20000\n";

/// A generator that gives the same numbers in each run (xorshift; Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    fn words(&mut self, most: usize) -> String {
        let count = 1 + self.next(most);
        (0..count).map(|_| WORDS[self.next(WORDS.len())]).collect::<Vec<_>>().join(" ")
    }
}

/// A server with two keys: an administrator's, and one that sees what is open.
struct Side {
    server: Server,
    admin: String,
    person: String,
    _bench: Bench,
}

impl Side {
    fn new(bench: Bench, config: &str) -> Self {
        let docs = bench.docs().display().to_string();
        let made = |scope: &str| {
            let run = bench.run(&["keys", "create", "test", "--scope", scope]).succeeded();
            run.stdout().trim().to_string()
        };
        let (admin, person) = (made("admin"), made("search"));
        let server = Server::configured(&bench, config, &[&docs]).ready();
        Self { server, admin, person, _bench: bench }
    }

    fn as_admin(&self, method: &str, path: &str, body: &Value) -> Reply {
        let bearer = format!("Bearer {}", self.admin);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.server.request(method, path, &headers, body.to_string().as_bytes())
    }

    fn as_person(&self, path: &str) -> Reply {
        let bearer = format!("Bearer {}", self.person);
        self.server.request("GET", path, &[("authorization", &bearer), ("accept-language", "en")], &[])
    }

    /// All that a person is told: status, headers and body, without times and the numbers of requests.
    fn told(&self, path: &str) -> String {
        let reply = self.as_person(path);
        let mut headers: Vec<String> = reply
            .headers
            .iter()
            .filter(|(name, _)| !["date", "x-request-id", "content-length"].contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .map(|header| if header.starts_with("etag") { without_start(&header) } else { header })
            .collect();
        headers.sort();
        let body = match serde_json::from_str::<Value>(&reply.text) {
            Ok(mut body) => {
                without_times(&mut body);
                body.to_string()
            }
            Err(_) if path.contains("/stream") => {
                reply.text.lines().map(line_without_times).collect::<Vec<_>>().join("\n")
            }
            Err(_) if path.ends_with(".csv") => reply.text.lines().map(without_seconds).collect::<Vec<_>>().join("\n"),
            Err(_) => durations_out(&reply.text),
        };
        format!("{} {headers:?}\n{body}", reply.status)
    }
}

/// A tag without the time at which the server was started.
fn without_start(header: &str) -> String {
    header.split_once('-').map_or_else(|| header.to_string(), |(_, rest)| format!("etag: {rest}"))
}

fn line_without_times(line: &str) -> String {
    let Some(data) = line.strip_prefix("data: ") else { return line.to_string() };
    let mut data: Value = serde_json::from_str(data).unwrap();
    without_times(&mut data);
    data.to_string()
}

/// Place of the column that says how long a file took to read.
const SECONDS: usize = 6;

/// A line of the ledger without that column.
fn without_seconds(line: &str) -> String {
    let fields: Vec<&str> = line.split(',').collect();
    fields.iter().enumerate().filter(|(at, _)| *at != SECONDS).map(|(_, field)| *field).collect::<Vec<_>>().join(",")
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_time = |name: &str| {
                name.ends_with("_ms")
                    || ["uptime_seconds", "seconds", "tokens_per_second", "request_id", "instance"].contains(&name)
            };
            fields.retain(|name, _| !is_time(name));
            fields.values_mut().for_each(without_times);
        }
        Value::Array(values) => values.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// A page without what is a number of milliseconds, seconds or minutes, or of tokens in one.
fn durations_out(text: &str) -> String {
    const UNITS: [&str; 9] = ["ms", "seconds", "second", "minutes", "minute", "tokens", "min", "s", "m"];
    let text = text.replace("&lt;", "");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        out.push_str(&rest[..at]);
        let end =
            rest[at..].find(|c: char| !c.is_ascii_digit() && !".,".contains(c)).map_or(rest.len(), |end| at + end);
        let behind = rest[end..].trim_start_matches([' ', '\u{a0}', '\u{202f}']);
        let ends = |rest: &str| rest.chars().next().is_none_or(|c| !c.is_alphanumeric());
        match UNITS.iter().find_map(|unit| behind.strip_prefix(unit).filter(|rest| ends(rest))) {
            Some(behind) => {
                out.push('N');
                rest = behind;
            }
            None => {
                out.push_str(&rest[at..end]);
                rest = &rest[end..];
            }
        }
    }
    out + rest
}

/// Where two answers part, with some of what stands around it.
fn first_difference(one: &str, other: &str) -> String {
    let at = one.bytes().zip(other.bytes()).position(|(a, b)| a != b).unwrap_or(one.len().min(other.len()));
    let around = |text: &str| {
        let from = (0..=at.saturating_sub(300)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text[from..].chars().take(600).collect::<String>()
    };
    format!("{}\n{}", around(one), around(other))
}

/// Writes the documents that everybody may see, the same in both folders to the second.
fn write_open(bench: &Bench) -> Vec<String> {
    let mut dice = Dice(7);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let mut paths = Vec::new();
    for number in 0..24 {
        let path = format!("{}/open-{number}.md", ["guides", "policies", "notes"][number % 3]);
        let paragraphs: Vec<String> = (0..1 + number % 4).map(|_| format!("{}.", dice.words(24))).collect();
        let text = format!("# {} ({number})\n\n{}\n", dice.words(3), paragraphs.join("\n\n## Part\n\n"));
        let place = bench.docs().join(&path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, text).unwrap();
        fs::File::options().write(true).open(&place).unwrap().set_modified(long_ago).unwrap();
        paths.push(path);
    }
    paths
}

/// The addresses that are compared: with the words of the hidden documents as well as with others.
fn addresses(dice: &mut Dice, ids: &[String]) -> Vec<String> {
    let word = |dice: &mut Dice, most| dice.words(most).replace(' ', "+");
    let mut all = Vec::new();
    for mode in ["hybrid", "lexical", "semantic"] {
        all.push(format!("/api/v1/search?q={}&mode={mode}&facets=true&explain=true&unlikely=all", word(dice, 4)));
    }
    all.push(format!("/api/v1/search?q=%22{}%22", word(dice, 2)));
    all.push(format!("/api/v1/search?q={}&offset=3&top=4&sort=date", word(dice, 3)));
    all.push(format!("/api/v1/search?q={}+source:secret", word(dice, 2)));
    // Slips of words that are hidden, and of words that are not.
    all.push(format!("/api/v1/search?q={}", ["salaryy", "mergr", "zebrra", "pmup", "expensess"][dice.next(5)]));
    all.push(format!("/api/v1/search/stream?q={}", word(dice, 3)));
    all.push(format!("/search?q={}", word(dice, 3)));
    for path in ["/api/v1/documents?limit=10", "/api/v1/sources", "/api/v1/status", "/api/v1/jobs", "/", "/status"] {
        all.push(path.to_string());
    }
    all.push("/api/v1/sources/docs/ledger".to_string());
    all.push("/api/v1/sources/secret/ledger".to_string());
    all.push("/api/v1/jobs/3".to_string());
    all.push("/status/files.csv".to_string());
    let id = &ids[dice.next(ids.len())];
    for what in ["", "/passages", "/file", "/similar"] {
        let base = if what.is_empty() || what == "/passages" { "/api/v1/documents" } else { "/document" };
        all.push(format!("{base}/{id}{what}"));
    }
    all.push(format!("/api/v1/similar?id={id}"));
    all.push(format!("/document/{id}?q={}", word(dice, 2)));
    all
}

fn push(side: &Side, path: &str, text: &str, access: &Value) {
    let body = json!({ "source": "secret", "path": path, "text": text, "access": access });
    let reply = side.as_admin("PUT", "/api/v1/documents", &body);
    assert!(matches!(reply.status, 200 | 202), "{}", reply.text);
}

/// Two servers over the same open documents, the second with hidden ones as well; and the ids of the open ones.
fn pair() -> (Side, Side, Vec<String>) {
    let (alone, beside) = (Bench::new(), Bench::new());
    let paths = write_open(&alone);
    assert_eq!(paths, write_open(&beside));
    // In the folder itself: a payroll that the rules hide by its path, and an archive that holds some of it.
    fs::create_dir_all(beside.docs().join("payroll")).unwrap();
    fs::write(beside.docs().join("payroll/may.md"), "# Salary merger\n\nThe zebra salary of the reactor.\n").unwrap();
    let hiding = format!(
        "[index]\nsources = [{{ name = \"docs\", folder = {:?}, access_rules = [{{ paths = \"payroll/**\", access = [\"group:hr\"] }}] }}]\n",
        beside.docs().display().to_string()
    );
    let (alone, beside) = (Side::new(alone, UNHURRIED), Side::new(beside, &format!("{hiding}{UNHURRIED}")));
    let rules = json!({ "rules": [{ "access": ["group:board"] }] });
    beside.as_admin("PUT", "/api/v1/sources/secret/access", &rules).expect(200);
    let listed = alone.as_person("/api/v1/documents?limit=100").expect(200);
    let ids: Vec<String> = listed["documents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|document| document["id"].as_str().unwrap().into())
        .collect();
    assert_eq!(ids.len(), paths.len());
    (alone, beside, ids)
}

#[test]
fn what_is_hidden_from_somebody_makes_no_difference_to_them_while_it_comes_and_goes() {
    let (alone, beside, ids) = pair();
    let rounds = std::env::var("QUARRY_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let (is_over, changes) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // Over whatever happens below: a test that fails must not wait for the other thread.
        let _over = Over(&is_over);
        scope.spawn(|| {
            let mut dice = Dice(23);
            while !is_over.load(Ordering::Relaxed) {
                let path = format!("board/{}.md", dice.next(8));
                let text = format!("# {}\n\n{}.\n", dice.words(3), dice.words(40));
                match dice.next(4) {
                    0 => {
                        let id = storage_id("secret", &path);
                        beside.as_admin("DELETE", &format!("/api/v1/documents/{id}"), &json!({}));
                    }
                    1 => push(&beside, &path, &text, &json!(["group:a", "!group:b"])),
                    _ => push(&beside, &path, &text, &json!([])),
                }
                let groups = [json!(["group:board"]), json!(["group:hr"]), json!([])][dice.next(3)].clone();
                let rules = json!({ "rules": [{ "access": groups }] });
                beside.as_admin("PUT", "/api/v1/sources/secret/access", &rules).expect(200);
                changes.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut dice = Dice(29);
        for round in 0..rounds {
            for address in addresses(&mut dice, &ids) {
                let (one, other) = (alone.told(&address), beside.told(&address));
                assert!(one == other, "round {round}: {address}\n{}", first_difference(&one, &other));
            }
        }
    });
    let changes = changes.into_inner();
    assert!(changes > rounds, "{changes} changes in {rounds} rounds");
}

/// Says that something is over when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn what_is_hidden_from_somebody_makes_no_difference_to_them() {
    let (alone, beside, ids) = pair();
    let rounds = std::env::var("QUARRY_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let (mut dice, mut hidden_ids, mut compared) = (Dice(11), Vec::new(), 0);
    for round in 0..rounds {
        let path = format!("board/{}.md", dice.next(12));
        match dice.next(5) {
            0 if round > 2 => {
                let id = storage_id("secret", &path);
                beside.as_admin("DELETE", &format!("/api/v1/documents/{id}"), &json!({}));
            }
            1 => push(
                &beside,
                &path,
                &format!("# {}\n\n{}.\n", dice.words(3), dice.words(30)),
                &json!(["group:a", "!group:b"]),
            ),
            _ => push(&beside, &path, &format!("# {}\n\n{}.\n", dice.words(3), dice.words(30)), &json!([])),
        }
        hidden_ids.push(storage_id("secret", &path));
        let mut asked = addresses(&mut dice, &ids);
        // A hidden document is like one that is not there.
        let hidden = &hidden_ids[dice.next(hidden_ids.len())];
        for what in ["", "/passages"] {
            asked.push(format!("/api/v1/documents/{hidden}{what}"));
        }
        asked.extend([
            format!("/document/{hidden}"),
            format!("/document/{hidden}/file"),
            format!("/api/v1/similar?id={hidden}"),
        ]);
        asked.push(format!("/api/v1/documents/{}", storage_id("docs", "payroll/may.md")));
        for address in asked {
            let (one, other) = (alone.told(&address), beside.told(&address));
            assert!(one == other, "round {round}: {address}\n{}", first_difference(&one, &other));
            compared += 1;
        }
    }
    assert!(compared >= 30 * rounds);
    // What the administrator sees is there, and every answer above was about something.
    let seen = beside.as_admin("GET", "/api/v1/documents?limit=500", &json!({})).expect(200);
    assert!(seen["total"].as_u64().unwrap() > ids.len() as u64);
    assert!(alone.as_person("/api/v1/search?q=pump").expect(200)["total"].as_u64().unwrap() > 0);
    suggestions_are_the_same(&alone, &beside);
}

fn suggestions_are_the_same(alone: &Side, beside: &Side) {
    let started = Instant::now();
    for typed in ["pum", "exp", "sal", "zeb", "merg", "lea"] {
        let address = format!("/api/v1/suggest?q={typed}&documents=3");
        // They are made behind the commits.
        loop {
            let (one, other) = (alone.told(&address), beside.told(&address));
            if one == other && (typed != "pum" || one.contains("pump")) {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "{address}\n{one}\n{other}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

#[test]
fn a_file_is_sent_whole_to_whom_all_of_it_is_open() {
    let bench = Bench::new();
    let letter = "From: a@x.example\r\nTo: b@x.example\r\nSubject: Pump\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nThe pump is here.\r\n\
        --b\r\nContent-Type: image/png; name=pump.png\r\nContent-Disposition: attachment; filename=pump.png\r\n\
        Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=\r\n\
        --b--\r\n";
    fs::write(bench.docs().join("a.eml"), letter).unwrap();
    let side = Side::new(bench, "");
    let lines = side.as_admin("GET", "/api/v1/sources/docs/ledger", &json!({})).expect(200);
    let picture = lines["files"].as_array().unwrap().iter().find(|line| line["path"] == "a.eml/pump.png").unwrap();
    assert_eq!(picture["passages"], 0, "the picture is no document: {picture}");
    let file = format!("/document/{}/file", storage_id("docs", "a.eml"));
    assert_eq!(side.as_person(&file).status, 200, "a picture that nobody hides hides nothing");
    let rules = json!({ "rules": [{ "paths": "**/*.png", "access": ["group:hr"] }] });
    side.as_admin("PUT", "/api/v1/sources/docs/access", &rules).expect(200);
    assert_eq!(side.as_person("/api/v1/search?q=pump").expect(200)["total"], 1);
    assert_eq!(side.as_person(&file).status, 404, "what is sent would hold what is hidden");
}

/// The id of a document, as everybody can compute it who knows its source and path.
fn storage_id(source: &str, path: &str) -> String {
    let hash = blake3::hash(&[source.as_bytes(), &[0], path.as_bytes()].concat());
    hash.to_hex()[..32].to_string()
}

#[test]
fn documents_are_open_to_whom_rules_and_pushes_say() {
    let bench = Bench::with_documents(2);
    let side = Side::new(bench, "");
    let total = |side: &Side| side.as_person("/api/v1/search?q=note").expect(200)["total"].as_u64().unwrap();
    assert_eq!(total(&side), 2);
    push(&side, "a.md", "A note for the board.", &json!(["group:board"]));
    assert_eq!(total(&side), 2, "what is pushed with an access is never seen without it");
    push(&side, "b.md", "A note for all.", &json!(["everyone"]));
    assert_eq!(total(&side), 3);
    // A change of the text keeps who may see it; a change of that alone is one, too.
    let body = json!({ "source": "secret", "path": "a.md", "text": "Another note for the board." });
    side.as_admin("PUT", "/api/v1/documents", &body).expect(200);
    assert_eq!(total(&side), 3);
    push(&side, "a.md", "Another note for the board.", &json!(["everyone"]));
    assert_eq!(total(&side), 4);
    push(&side, "b.md", "A note for all.", &json!([["everyone"], ["group:board"]]));
    assert_eq!(total(&side), 3);
    let id = storage_id("secret", "b.md");
    let explained =
        side.as_admin("GET", &format!("/api/v1/documents/{id}/access?as=group:board"), &json!({})).expect(200);
    assert_eq!((&explained["seen"], &explained["open"]), (&json!(true), &json!(false)), "{explained}");
    let rules = json!({ "rules": [{ "access": [] }, { "paths": "*001*", "access": ["everyone"] }] });
    side.as_admin("PUT", "/api/v1/sources/docs/access", &rules).expect(200);
    assert_eq!(total(&side), 2, "of the folder one is left, of what was pushed another");
    side.as_admin("PUT", "/api/v1/sources/docs/access", &json!({ "rules": [{ "access": ["staff"] }] }))
        .problem(400, "bad-request");
    side.as_admin("PUT", "/api/v1/sources/docs/access", &json!({ "rules": [] })).expect(200);
    assert_eq!(total(&side), 3);
    let bearer = format!("Bearer {}", side.person);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    side.server
        .request("PUT", "/api/v1/sources/docs/access", &headers, b"{\"rules\":[]}")
        .problem(403, "scope-missing");
}
