//! `quarry backup`, `restore` and `compact`: what comes back is what was there, whatever ends them.

mod bucket;

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use storage::Step;

use crate::private::open_to_others;
use crate::server::Server;
use crate::support::{Bench, Run, note};

const DOCUMENTS: usize = 40;
const SIGKILL: i32 = 9;
const QUESTIONS: [&[&str]; 4] = [
    &["marker003 details of the set", "--top", "40"],
    &["marker007", "--semantic", "--top", "20"],
    &["keys and badges", "--top", "15", "--as", "group:hr"],
    &["invoices", "--lexical", "--top", "10", "--as", "user:anna"],
];

/// How long something takes.
fn timed(act: impl FnOnce()) -> Duration {
    let started = Instant::now();
    act();
    started.elapsed()
}

fn destination(bench: &Bench) -> String {
    bench.root.path().join("backups").display().to_string()
}

fn back_up(bench: &Bench) -> Value {
    bench.run(&["backup", &destination(bench), "--json"]).succeeded().json()
}

fn check(bench: &Bench) {
    let said = bench.run(&["backup", &destination(bench), "--verify"]).succeeded().stdout();
    assert!(said.contains("everything is as it was written"), "{said}");
}

/// A command over another data folder.
fn elsewhere(bench: &Bench, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quarry"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.arg("--data-dir").arg(restored(bench)).args(args);
    command
}

fn restored(bench: &Bench) -> PathBuf {
    bench.root.path().join("restored")
}

fn run_elsewhere(bench: &Bench, args: &[&str]) -> Run {
    Run(elsewhere(bench, args).output().unwrap())
}

/// What searches answer, byte for byte but for how long they took.
fn answers(mut run: impl FnMut(&[&str]) -> Run) -> Vec<String> {
    let answer = |question: &&[&str]| {
        let mut answer = run(&[&["search", "--json"], *question].concat()).succeeded().json();
        answer["timings"] = Value::Null;
        answer.to_string()
    };
    QUESTIONS.iter().map(answer).collect()
}

/// Counts as `quarry status` shows them, with every line of the ledger.
fn counts(mut run: impl FnMut(&[&str]) -> Run) -> Value {
    let status = run(&["status", "--json", "--files"]).succeeded().json();
    let fields = ["generation", "documents", "chunks", "vectors", "waiting", "refused", "model", "files"];
    fields.iter().map(|field| status[field].clone()).collect()
}

fn assert_same(bench: &Bench, when: &str) {
    assert_eq!(answers(|args| run_elsewhere(bench, args)), answers(|args| bench.run(args)), "{when}");
    assert_eq!(counts(|args| run_elsewhere(bench, args)), counts(|args| bench.run(args)), "{when}");
    run_elsewhere(bench, &["verify"]).succeeded();
}

fn restore(bench: &Bench) -> Run {
    run_elsewhere(bench, &["restore", &destination(bench)])
}

#[test]
fn what_is_restored_elsewhere_answers_byte_for_byte_and_knows_everybody() {
    let bench = Bench::with_documents(DOCUMENTS);
    bench.index();
    bench.run(&["access", "set", "docs", "group:hr"]).succeeded();
    let key = bench.run(&["keys", "create", "bot", "--scope", "admin"]).succeeded().stdout().trim().to_string();
    bench.run_with(&["users", "add", "anna", "--groups", "hr", "--password-stdin"], "correct horse\n").succeeded();
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    {
        let mut server = Server::start(&bench, &[]).ready();
        for number in 0..5 {
            let body = json!({ "path": format!("pushed-{number}.md"), "text": format!("okapi{number} was pushed") });
            let put = server.request("PUT", "/api/v1/documents", &headers, body.to_string().as_bytes());
            assert_eq!(put.status, 200, "{}", put.text);
        }
        // While a server writes there, it makes the backup.
        let said = bench.run(&["backup", &destination(&bench)]).succeeded().stdout();
        assert!(said.contains("45 documents"), "{said}");
        assert_eq!(server.signal("-TERM"), Some(0));
    }
    let made = back_up(&bench);
    assert_eq!(made["documents"], DOCUMENTS as u64 + 5);
    check(&bench);
    let listed = bench.run(&["backup", &destination(&bench), "--list", "--json"]).succeeded().json();
    assert_eq!(listed[0]["name"], made["name"]);
    assert!(bench.run(&["backup", &destination(&bench), "--list"]).succeeded().stdout().contains("20"));
    let said = restore(&bench).succeeded().stdout();
    assert!(
        said.contains("as it was written") && said.contains("pushed documents are in the new folder: api"),
        "{said}"
    );
    assert_same(&bench, "restored");
    for folder in [restored(&bench), PathBuf::from(destination(&bench))] {
        assert_eq!(open_to_others(&folder), Vec::<PathBuf>::new());
    }
    for file in ["keys.json", "keys.required", "users.json", "users.required", "pushed/api/pushed-3.md"] {
        let read = |folder: PathBuf| fs::read(folder.join(file)).unwrap();
        assert!(read(restored(&bench)) == read(bench.data()), "{file}");
    }
    assert!(!restored(&bench).join("sessions.json").exists());
    let users = |run: Run| run.succeeded().stdout();
    assert_eq!(users(run_elsewhere(&bench, &["users", "list"])), users(bench.run(&["users", "list"])));
    let rules = |run: Run| run.succeeded().stdout();
    assert_eq!(rules(run_elsewhere(&bench, &["access", "list"])), rules(bench.run(&["access", "list"])));
    // A server on it takes the old key, and goes on with what was pushed.
    fs::rename(bench.data(), bench.root.path().join("gone")).unwrap();
    let server = Server::spawn(elsewhere(&bench, &["serve", "--listen", "127.0.0.1:0"]));
    let body = json!({ "path": "pushed-9.md", "text": "okapi9 was pushed" }).to_string();
    let started = std::time::Instant::now();
    loop {
        let put = server.request("PUT", "/api/v1/documents", &headers, body.as_bytes());
        if put.status == 200 {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{} {}", put.status, put.text);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(server.request("GET", "/api/v1/search?q=okapi1", &[], &[]).status, 401);
    for (word, path) in [("okapi1", "pushed-1.md"), ("okapi9", "pushed-9.md")] {
        let found = server.request("GET", &format!("/api/v1/search?q={word}&mode=lexical"), &headers, &[]).expect(200);
        assert_eq!(found["results"][0]["path"], path, "{found}");
    }
}

#[test]
fn a_second_backup_writes_nothing_but_its_list_and_a_small_change_little() {
    let bench = Bench::with_documents(1500);
    bench.index();
    let first = back_up(&bench);
    let added = |backup: &Value| backup["added"].as_u64().unwrap();
    assert!(added(&first) > 0 && first["objects"].as_u64().unwrap() > 5, "{first}");
    let files = || {
        let mut files = Vec::new();
        files_below(Path::new(&destination(&bench)), &mut files);
        files
    };
    let before = files();
    let second = back_up(&bench);
    assert_eq!((added(&second), &second["objects"]), (0, &json!(0)), "{second}");
    let new: Vec<PathBuf> = files().into_iter().filter(|file| !before.contains(file)).collect();
    assert!(new.len() == 1 && new[0].parent().unwrap().ends_with("backups"), "{new:?}");
    bench.write("note-007.md", &note(7777));
    bench.index();
    let third = back_up(&bench);
    assert!(added(&third) > 0 && added(&third) * 2 < added(&first), "{first} {third}");
    let kept = bench.run(&["backup", &destination(&bench), "--keep", "1d", "--json"]).succeeded().json();
    assert_eq!(kept["removed"]["backups"].as_array().unwrap().len(), 3, "{kept}");
    check(&bench);
    restore(&bench).succeeded();
    assert_same(&bench, "after pruning");
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

/// Runs a command that is killed at a step; expects that it was.
fn killed_at(mut command: Command, step: Step) {
    let ended = command.env("QUARRY_KILL_AT", format!("{step:?}:1")).output().unwrap();
    assert_eq!(ended.status.signal(), Some(SIGKILL), "{step:?} was never passed: {}", Run(ended).stderr());
}

#[test]
fn a_backup_that_is_killed_at_any_step_leaves_the_old_ones_and_the_next_goes_on() {
    for step in [Step::BackupPinned, Step::BackupCopied, Step::BackupWritten, Step::BackupPruned] {
        let bench = Bench::with_documents(DOCUMENTS);
        bench.index();
        let first = back_up(&bench);
        bench.write("note-003.md", &note(333));
        bench.index();
        let args = ["backup", &destination(&bench), "--keep", "1d"];
        killed_at(bench.command(&args), step);
        check(&bench);
        let listed = bench.run(&["backup", &destination(&bench), "--list", "--json"]).succeeded().json();
        let is_listed = |name: &Value| listed.as_array().unwrap().iter().any(|backup| backup["name"] == *name);
        assert_eq!(is_listed(&first["name"]), step != Step::BackupPruned, "{step:?}: {listed}");
        let next = back_up(&bench);
        let is_copied = step != Step::BackupPinned;
        assert_eq!(next["objects"] == 0, is_copied, "{step:?}: what was copied is used: {next}");
        bench.verify();
        assert!(!bench.data().join("backing-up").exists(), "{step:?}");
        restore(&bench).succeeded();
        assert_same(&bench, &format!("killed at {step:?}"));
    }
}

#[test]
fn a_backup_that_is_killed_by_the_clock_harms_nothing() {
    let bench = Bench::with_documents(300);
    bench.index();
    back_up(&bench);
    let mut killed = 0;
    // From before it does anything to after its end, as fast as this machine is.
    bench.write("note-001.md", &note(1000));
    bench.index();
    let whole = timed(|| drop(back_up(&bench)));
    for (step, delay) in (1..=24).map(|step| (step, whole * step / 20)) {
        let args = ["backup", &destination(&bench), "--keep", "2d"];
        let mut child = bench.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(delay);
        let _ = child.kill();
        killed += usize::from(child.wait().unwrap().signal() == Some(SIGKILL));
        if Path::new(&destination(&bench)).join("quarry-backup.json").exists() {
            check(&bench);
        }
        bench.write("note-001.md", &note(1000 + usize::try_from(step).unwrap()));
        bench.index();
    }
    assert!(killed > 5, "only {killed} of the backups were killed");
    bench.verify();
    back_up(&bench);
    check(&bench);
    restore(&bench).succeeded();
    assert_same(&bench, "after many kills");
}

#[test]
fn a_restore_that_is_killed_leaves_no_index_and_the_next_one_succeeds() {
    let bench = Bench::with_documents(300);
    bench.index();
    bench.run(&["keys", "create", "bot"]).succeeded();
    back_up(&bench);
    let again = |when: &str| {
        run_elsewhere(&bench, &["search", "marker003"]).refused(&["there is no index"]);
        restore(&bench).succeeded();
        assert_same(&bench, when);
        fs::remove_dir_all(restored(&bench)).unwrap();
    };
    for step in [Step::RestoreFilled, Step::RestorePlaced] {
        killed_at(elsewhere(&bench, &["restore", &destination(&bench)]), step);
        again(&format!("killed at {step:?}"));
    }
    let mut killed = 0;
    let whole = timed(|| drop(restore(&bench).succeeded()));
    fs::remove_dir_all(restored(&bench)).unwrap();
    for delay in (1..=20).map(|step| whole * step / 17) {
        let args = ["restore", &destination(&bench)];
        let mut child = elsewhere(&bench, &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(delay);
        let _ = child.kill();
        match child.wait().unwrap().signal() {
            Some(SIGKILL) if !restored(&bench).join("index-1").exists() => {
                killed += 1;
                again(&format!("killed after {delay:?}"));
            }
            // It was done: then all of it.
            _ => {
                assert_same(&bench, "restored before the kill");
                fs::remove_dir_all(restored(&bench)).unwrap();
            }
        }
    }
    assert!(killed > 5, "only {killed} of the restores were killed");
}

#[test]
fn damage_is_named_and_nothing_damaged_is_restored() {
    let bench = Bench::with_documents(DOCUMENTS);
    bench.index();
    back_up(&bench);
    let mut objects = Vec::new();
    files_below(&Path::new(&destination(&bench)).join("objects"), &mut objects);
    let largest = objects.iter().max_by_key(|object| fs::metadata(object).unwrap().len()).unwrap();
    let whole = fs::read(largest).unwrap();
    let mut other = whole.clone();
    other[whole.len() / 2] ^= 1;
    fs::write(largest, other).unwrap();
    let name = largest.file_name().unwrap().to_str().unwrap();
    let checked = bench.run(&["backup", &destination(&bench), "--verify", "--json"]);
    assert_eq!(checked.0.status.code(), Some(1));
    assert!(checked.json()["findings"][0]["detail"].as_str().unwrap().contains(name));
    restore(&bench).refused(&[name, "is damaged", "--verify", "--at TIME"]);
    run_elsewhere(&bench, &["search", "marker003"]).refused(&["there is no index"]);
    fs::write(largest, whole).unwrap();
    restore(&bench).succeeded();
    assert_same(&bench, "mended");
    restore(&bench).refused(&["is not empty", "--data-dir"]);
    run_elsewhere(&bench, &["restore", &destination(&bench), "--at", "2001-01-01"])
        .refused(&["no backup of", "--list"]);
}

#[test]
fn a_full_disk_and_a_destination_that_is_away_are_told_with_their_cure() {
    let bench = Bench::with_documents(200);
    bench.index();
    let limited = |kilobytes: u32, args: &[&str]| {
        let script = format!("ulimit -f {kilobytes}; trap '' XFSZ; exec \"$@\"");
        let mut command = Command::new("bash");
        command.args(["-c", &script, "bash", env!("CARGO_BIN_EXE_quarry"), "--data-dir"]).arg(bench.data()).args(args);
        Run(command.output().unwrap())
    };
    // Room for the mark of the folder, not for all that comes after it.
    let full = limited(16, &["backup", &destination(&bench)]);
    assert!(full.ended_well(), "{}", full.stderr());
    full.refused(&["File too large", "free some space"]);
    bench.verify();
    assert_eq!(bench.paths(&["marker005", "--lexical"]), ["note-005.md"]);
    let away = bench.root.path().join("mnt/nas/backups").display().to_string();
    bench.run(&["backup", &away]).refused(&["cannot make", "No such file", "mounted"]);
    bench.run(&["backup", &bench.data().join("backups").display().to_string()]).refused(&["lies in the data folder"]);
    bench.run(&["backup", &bench.docs().display().to_string()]).refused(&["holds other things", "name another folder"]);
    bench.run(&["backup", &destination(&bench), "--keep", "7x"]).0.status.code().filter(|code| *code == 2).unwrap();
    back_up(&bench);
    check(&bench);
    restore(&bench).succeeded();
    assert_same(&bench, "once there was room");
}

/// Paths and passages that searches find, in order. Scores move a little, as rarity counts what is deleted until it is gone.
fn found(bench: &Bench) -> Vec<Vec<String>> {
    let questions: [&[&str]; 3] = [
        &["marker013", "--lexical"],
        &["marker007 rivers and their sensors", "--semantic", "--top", "10"],
        &["marker021", "--lexical", "--as", "group:hr"],
    ];
    questions.map(|question| bench.paths(question)).to_vec()
}

/// Runs a command that seals vectors into segments as soon as there are some.
fn sealing(bench: &Bench, args: &[&str]) -> Run {
    Run(bench.command(args).env("QUARRY_SEAL_AT", "30").output().unwrap())
}

/// An index most of which was removed.
fn hollow() -> Bench {
    let bench = Bench::with_documents(DOCUMENTS);
    bench.index();
    let large = bench.root.path().join("large");
    fs::create_dir(&large).unwrap();
    for number in 0..400 {
        let text = note(5000 + number).repeat(4);
        fs::write(large.join(format!("large-{number}.md")), format!("{text}\n\nlargeword{number}\n")).unwrap();
    }
    sealing(&bench, &["index", &large.display().to_string()]).succeeded();
    bench.run(&["access", "set", "docs", "group:hr", "user:anna"]).succeeded();
    bench.run(&["remove", "large"]).succeeded();
    bench
}

fn bytes(bench: &Bench) -> u64 {
    let status = bench.run(&["status", "--json"]).succeeded().json();
    status["bytes"].as_array().unwrap().iter().map(|part| part[1].as_u64().unwrap()).sum()
}

#[test]
fn compacting_gives_space_back_and_answers_stay() {
    let bench = hollow();
    let (answers, before) = (found(&bench), bytes(&bench));
    assert!(answers.iter().all(|paths| !paths.is_empty()));
    let files = bench.status()["files"].clone();
    let done = sealing(&bench, &["compact", "--json"]).succeeded().json();
    let segments = fs::read_dir(bench.data().join("index-1/segments")).unwrap();
    assert!(segments.count() > 1, "they are made with it");
    assert!(done["dropped_vectors"].as_u64().unwrap() > 300, "{done}");
    let after = bytes(&bench);
    // Whoever opens it to write makes the log of the document store a little longer or shorter.
    let told = |when: &str| done[when].as_u64().unwrap();
    assert!(told("before").abs_diff(before) < before / 5, "{before} {done}");
    assert!(told("after").abs_diff(after) < after / 2, "{after} {done}");
    assert!(told("after") * 3 < told("before"), "{done}");
    assert!(after * 2 < before, "{before} bytes before, {after} after");
    let status = bench.status();
    assert_eq!(status["documents"], DOCUMENTS as u64);
    assert!(status["files"] == files && status["vectors"] == status["chunks"]);
    assert_eq!(found(&bench), answers);
    bench.verify();
    let said = bench.run(&["compact"]).succeeded().stdout();
    assert!(said.contains("before") && said.contains("0 vectors of removed texts"), "{said}");
    // Nothing has to be embedded again, and what was removed can come back.
    assert!(!bench.index().stderr().contains("indexed"));
    bench.run(&["index", &bench.root.path().join("large").display().to_string()]).succeeded();
    assert_eq!(bench.paths(&["largeword77", "--lexical"]), ["large-77.md"]);
    bench.verify();
}

#[test]
fn a_compaction_that_is_killed_leaves_the_old_index_or_the_new_one() {
    let whole = hollow();
    let answers = found(&whole);
    let steps = [
        (Step::TruthFlushed, false),
        (Step::CompactConverted, false),
        (Step::LexicalPrepared, false),
        (Step::LexicalCommitted, false),
        (Step::CompactFinished, false),
        (Step::CompactInForce, true),
    ];
    for (step, is_new) in steps {
        let bench = hollow();
        killed_at(bench.command(&["compact"]), step);
        // Before any writer has repaired anything.
        assert_eq!(bench.data().join("index-1").exists(), is_new, "{step:?}");
        assert_eq!(found(&bench), answers, "{step:?}");
        bench.verify();
        let run = bench.run(&["compact", "--json"]).succeeded().json();
        assert_eq!(run["dropped_vectors"] == 0, is_new, "{step:?}: {run}");
        assert_eq!(found(&bench), answers, "{step:?}");
        bench.verify();
        let left: Vec<_> = fs::read_dir(bench.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let editions = left.iter().filter(|name| name.to_string_lossy().starts_with("index-")).count();
        assert!(editions == 1 && !left.iter().any(|name| name == "documents" || name == "compact"), "{left:?}");
    }
    for delay in [10, 40, 80, 120, 160, 220, 300] {
        let bench = hollow();
        let mut child = bench.command(&["compact"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        let _ = child.kill();
        child.wait().unwrap();
        assert_eq!(found(&bench), answers, "killed after {delay} ms");
        bench.verify();
    }
}
