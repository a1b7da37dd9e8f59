//! `quarry extract`, and what becomes of files that break, hang or bloat their reader: `QUARRY_FAULTS` lets files of a
//! build under test misbehave on demand (see `indexer/src/sandbox/fault.rs`).

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::server::Server;
use crate::support::{Bench, Run};

impl Bench {
    fn faulty(&self, args: &[&str]) -> Run {
        Run(self.command(args).env("QUARRY_FAULTS", "1").output().unwrap())
    }

    fn fault(&self, name: &str, fault: &str) {
        self.write(name, &format!("QUARRY-FAULT {fault}\nSome text.\n"));
    }

    fn extract(&self, name: &str) -> Run {
        self.faulty(&["extract", &self.docs().join(name).display().to_string()])
    }

    /// A configuration file; its path.
    fn config(&self, text: &str) -> String {
        let path = self.root.path().join("quarry.toml");
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// A program that passes for tesseract.
    fn stand_in(&self, script: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.root.path().join("stand-in");
        let list = "if [ \"$1\" = --list-langs ]; then echo 'List:'; echo eng; exit; fi";
        fs::write(&path, format!("#!/bin/sh\n{list}\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

#[test]
fn the_exit_status_is_the_verdict_of_the_ledger() {
    let bench = Bench::new();
    bench.write("whole.md", "# Title\n\nSome text.\n");
    bench.fault("partly.txt", "partly");
    bench.write("empty.txt", "");
    bench.fault("damaged.txt", "no such fault");
    bench.fault("crash.txt", "panic");
    let expected = [
        ("whole.md", 0, "whole.md: indexed"),
        ("partly.txt", 3, "partly: page 2: staged"),
        ("empty.txt", 4, "skipped: the file holds no text"),
        ("damaged.txt", 4, "unreadable: not a sound staged file"),
        ("crash.txt", 5, "failed: the reader for this format crashed on it"),
    ];
    for (name, status, words) in expected {
        let run = bench.extract(name);
        assert_eq!(run.0.status.code(), Some(status), "{name}: {}", run.stderr());
        assert!(run.stderr().contains(words), "{name}: {}", run.stderr());
    }
    assert_eq!(bench.extract("whole.md").stdout(), "# Title\n\nSome text.\n");
    assert!(bench.extract("partly.txt").stdout().contains("Some text."));
    bench.run(&["extract", "/no/such/file"]).refused(&["/no/such/file"]);
}

#[test]
fn json_has_every_block_with_its_place() {
    let bench = Bench::new();
    bench.write("a.md", "# Größe\n\n- one\n- two\n\n```sh\nls\n```\n");
    let path = bench.docs().join("a.md").display().to_string();
    let run = bench.run(&["extract", "--json", &path]).succeeded();
    let json: Value = serde_json::from_str(&run.stdout()).unwrap();
    assert_eq!((&json["state"], &json["kind"]), (&"indexed".into(), &"markdown".into()));
    let blocks = json["document"]["blocks"].as_array().unwrap();
    let kinds: Vec<&str> = blocks.iter().map(|block| block["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["heading", "list_item", "list_item", "code"]);
    assert_eq!(blocks[0]["level"], 1);
    assert_eq!(blocks[0]["text"], "Größe");
    assert_eq!(blocks[0]["bytes"][1].as_u64().unwrap() - blocks[0]["bytes"][0].as_u64().unwrap(), 7);
}

#[test]
fn a_hostile_file_costs_itself_alone() {
    let bench = Bench::with_documents(6);
    let config = bench.config("[extract]\nseconds = 1\nmemory_mb = 256\nmax_unpacked_mb = 16\n");
    for fault in ["panic", "abort", "exit", "overflow", "hang", "sleep", "memory", "output"] {
        bench.fault(&format!("{fault}.txt"), fault);
    }
    bench.faulty(&["--config", &config, "index", &bench.docs().display().to_string()]).succeeded();
    let expected = [
        ("panic.txt", "failed", "staged"),
        ("abort.txt", "failed", "SIGABRT"),
        ("exit.txt", "failed", "exit status: 0"),
        ("overflow.txt", "failed", "stack overflow"),
        // By the processor's clock, or by the wall's on a busy machine.
        ("hang.txt", "failed", "given up after "),
        ("sleep.txt", "failed", "given up after 3 s"),
        ("memory.txt", "unreadable", "needs more than 256 MiB of memory"),
        ("output.txt", "unreadable", "gives more than 16 MiB"),
    ];
    for (path, state, words) in expected {
        let recorded = bench.state(path)[state].to_string();
        assert!(recorded.contains(words), "{path}: {}", bench.state(path));
    }
    for number in 0..6 {
        let path = format!("note-{number:03}.md");
        assert_eq!(bench.paths(&[&format!("marker{number:03}"), "--lexical"]), [path]);
    }
    let nothing = bench.run(&["search", "--lexical", "nosuchwordatall"]).succeeded().stdout();
    assert!(nothing.contains("8 files of the sources searched could not be read"), "{nothing}");
    assert_eq!(bench.search(&["--lexical", "nosuchwordatall"])["unread_files"], 8);
    bench.verify();
}

#[test]
fn a_reader_that_is_taken_over_finds_nothing_to_take() {
    let bench = Bench::with_documents(1);
    bench.index();
    let status = bench.status();
    if !status["reading"]["missing"].as_array().unwrap().is_empty() {
        // Only what a system offers can be asked of it; that it says what is missing is asked everywhere.
        return;
    }
    bench.fault("thief.txt", "rights");
    let run = bench.extract("thief.txt");
    assert_eq!(run.0.status.code(), Some(0), "{}", run.stderr());
    for attempt in ["read", "write", "list", "remove", "connect", "datagram", "program"] {
        assert!(run.stdout().contains(&format!("{attempt}: refused")), "{attempt}: {}", run.stdout());
    }
    assert!(run.stdout().contains("thread: it worked"), "{}", run.stdout());
}

#[test]
fn no_reader_outlives_quarry() {
    let bench = Bench::new();
    bench.fault("sleep.txt", "sleep");
    let path = bench.docs().join("sleep.txt").display().to_string();
    let mut quarry = bench.command(&["extract", &path]);
    let mut quarry = quarry.env("QUARRY_FAULTS", "1").stderr(Stdio::null()).spawn().unwrap();
    let reader = until("a reader starts", || children(quarry.id()).first().copied());
    // It has to be at work: an idle one would end with its input.
    std::thread::sleep(Duration::from_millis(500));
    quarry.kill().unwrap();
    quarry.wait().unwrap();
    until("the reader ends", || (!is_alive(reader)).then_some(()));
}

/// Processes that a process has started.
fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}

fn is_alive(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // A dead process that nobody has asked about yet is a zombie.
    !status.is_empty() && !status.contains(") Z ")
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_could_not_be_read_whole_is_tried_again_when_settings_change() {
    let bench = Bench::with_documents(2);
    bench.fault("half.txt", "partly");
    // A file that has just been written is read again in any case: its time says little.
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    for entry in fs::read_dir(bench.docs()).unwrap() {
        fs::File::open(entry.unwrap().path()).unwrap().set_modified(hour_ago).unwrap();
    }
    let index = |config: &str| {
        let config = bench.config(config);
        bench.faulty(&["--config", &config, "index", &bench.docs().display().to_string()]).succeeded().stderr()
    };
    assert!(index("").contains("1 partly"));
    assert_eq!(index(""), "", "nothing has changed");
    let again = index("[extract]\nmax_unpacked_mb = 128\n");
    assert!(again.contains("0 indexed, 1 partly, 2 unchanged"), "{again}");
}

#[test]
fn scans_are_read_where_ocr_is_switched_on() {
    let bench = Bench::new();
    bench.write("scan.txt", "QUARRY-FAULT scan\nFirst page.\n\nPage two has mark-\nerocr on it.");
    let docs = bench.docs().display().to_string();
    bench.faulty(&["index", &docs]).succeeded();
    assert_eq!(bench.state("scan.txt")["partly"]["missing"][0], "page 2: no text layer");

    let program = bench.stand_in("[ \"$*\" = 'stdin stdout -l eng' ] && [ \"$OMP_THREAD_LIMIT\" = 1 ] && cat");
    let config = bench.config(&format!("[extract]\nocr = {:?}\n", program.display().to_string()));
    bench.run(&["--config", &config, "config", "check"]).succeeded();
    bench.faulty(&["--config", &config, "index", &docs]).succeeded();
    assert_eq!(bench.paths(&["markerocr", "--lexical"]), ["scan.txt"]);
    let path = bench.docs().join("scan.txt").display().to_string();
    let text = bench.faulty(&["--config", &config, "extract", &path]).succeeded().stdout();
    assert!(text.contains("<!-- page 2 -->\n\nPage two has markerocr on it."), "{text}");
    assert_eq!(bench.state("scan.txt")["indexed"]["notes"][0], "text by OCR");
}

#[test]
fn ocr_that_fails_writes_or_hangs_costs_its_page() {
    let bench = Bench::new();
    bench.write("scan.txt", "QUARRY-FAULT scan\nFirst page.\n\nPicture");
    let path = bench.docs().join("scan.txt").display().to_string();
    let loot = bench.root.path().join("loot");
    let cases = [
        ("echo 'cannot read this' >&2; exit 1".to_string(), "OCR failed on it (exit status: 1: cannot read this)"),
        (format!("echo x > {} || exit 2; echo stolen", loot.display()), "OCR failed on it (exit status: 2"),
        ("while :; do :; done".to_string(), "OCR failed on it ("),
        ("cat >/dev/null".to_string(), "OCR found no text on it"),
    ];
    for (script, words) in cases {
        let program = bench.stand_in(&script);
        let config = bench.config(&format!("[extract]\nocr = {:?}\nocr_seconds = 1\n", program.display().to_string()));
        let run = bench.faulty(&["--config", &config, "extract", &path]);
        assert_eq!(run.0.status.code(), Some(3), "{script}: {}", run.stderr());
        assert!(run.stderr().contains(words), "{script}: {}", run.stderr());
    }
    assert!(!loot.exists());
}

#[test]
fn ocr_that_is_wanted_and_not_there_is_an_error_at_the_start() {
    let bench = Bench::with_documents(1);
    let docs = bench.docs().display().to_string();
    let config = bench.config("[extract]\nocr = \"no-such-tesseract\"\n");
    for command in [vec!["index", &docs], vec!["serve", &docs], vec!["config", "check"]] {
        let run = bench.run(&[&["--config", &config], command.as_slice()].concat());
        run.refused(&["no program \"no-such-tesseract\"", "ocr = false"]);
    }
    let program = bench.stand_in("cat").display().to_string();
    let config = bench.config(&format!("[extract]\nocr = {program:?}\nocr_languages = \"eng+chi_sim\"\n"));
    bench.run(&["--config", &config, "index", &docs]).refused(&["no \"chi_sim\"", "tesseract-ocr-chi-sim"]);
    let config = bench.config("[extract]\nseconds = 0\n");
    bench.run(&["--config", &config, "config", "check"]).refused(&["extract.seconds: expected at least 1"]);
}

#[test]
#[ignore = "needs tesseract: apt-get install tesseract-ocr tesseract-ocr-eng, then cargo test --test e2e tesseract -- --ignored"]
fn real_tesseract_reads_a_page_under_its_limits() {
    assert!(Command::new("tesseract").arg("--version").output().is_ok_and(|run| run.status.success()));
    let bench = Bench::new();
    let mut file = b"QUARRY-FAULT scan\nFirst page.\n\n".to_vec();
    file.extend(picture_of("HELLO"));
    fs::write(bench.docs().join("scan.txt"), file).unwrap();
    let config = bench.config("[extract]\nocr = true\n");
    let path = bench.docs().join("scan.txt").display().to_string();
    let run = bench.faulty(&["--config", &config, "extract", &path]);
    assert!(run.stdout().contains("HELLO"), "{}{}", run.stdout(), run.stderr());
    assert_eq!(run.0.status.code(), Some(0), "{}", run.stderr());
}

/// A word in large letters, as a portable graymap.
fn picture_of(word: &str) -> Vec<u8> {
    const SCALE: usize = 10;
    let glyph = |letter| match letter {
        'H' => [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        'E' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
        'L' => [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
        'O' => [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        _ => [0u8; 7],
    };
    let rows: Vec<String> = (0..7)
        .map(|row| {
            let dots = word.chars().map(|letter| format!("{:05b}00", glyph(letter)[row]));
            format!("0000{}0000", dots.collect::<String>())
        })
        .collect();
    let width = rows[0].len();
    let blank = "0".repeat(width);
    let lines = std::iter::repeat_n(&blank, 4).chain(&rows).chain(std::iter::repeat_n(&blank, 4));
    let mut picture = format!("P5\n{} {}\n255\n", width * SCALE, 15 * SCALE).into_bytes();
    for line in lines {
        let dots = line.bytes().map(|dot| if dot == b'1' { 0 } else { 255 });
        let wide: Vec<u8> = dots.flat_map(|dot| std::iter::repeat_n(dot, SCALE)).collect();
        picture.extend(wide.repeat(SCALE));
    }
    picture
}

#[test]
fn the_ledger_leaves_as_csv() {
    let bench = Bench::with_documents(2);
    bench.write("a, \"b\".md", "# Odd name\n\nText.\n");
    bench.write("empty.md", "");
    bench.fault("half.txt", "partly");
    fs::File::create(bench.docs().join("huge.txt")).unwrap().set_len(200 << 20).unwrap();
    bench.faulty(&["index", &bench.docs().display().to_string()]).succeeded();
    let head = "source,path,state,reason,type,bytes,seconds,characters,passages,pages_with_text,pages\r\n";
    let all = bench.run(&["status", "--files", "all", "--csv"]).succeeded().stdout();
    assert!(all.starts_with(head) && all.lines().count() == 7, "{all}");
    assert!(all.contains("docs,\"a, \"\"b\"\".md\",indexed,"), "{all}");
    let partly = bench.run(&["status", "--files", "partly", "--csv"]).succeeded().stdout();
    assert!(partly.contains("half.txt,partly,page 2: staged") && partly.lines().count() == 2, "{partly}");

    let server = Server::start(&bench, &[]).ready();
    let reply = server.get("/api/v1/sources/docs/ledger?format=csv");
    assert!(reply.header("content-type").starts_with("text/csv") && reply.text.starts_with(head), "{}", reply.text);
    assert_eq!(reply.text.lines().count(), 7);
    let accept = [("accept", "text/csv")];
    let reply = server.request("GET", "/api/v1/sources/docs/ledger?state=skipped", &accept, &[]);
    assert!(reply.text.contains("empty.md,skipped") && reply.text.lines().count() == 2, "{}", reply.text);
    let reply = server.get("/status/files.csv?state=unread&path=huge");
    assert!(reply.text.contains("huge.txt,unreadable,") && reply.text.lines().count() == 2, "{}", reply.text);
    let page = server.get("/status?state=partly").text;
    assert!(page.contains("/status/files.csv?state=partly") && page.contains("half.txt"), "{page}");
    let answer = server.get("/api/v1/search?q=nosuchwordatall&mode=lexical").expect(200);
    assert_eq!(answer["unread_files"], 1);
    assert!(server.get("/api/v1/search?q=marker001").expect(200)["unread_files"].is_null());
}
