//! Crash tests: the indexing process is killed between any two effects of a commit, and at random moments, and they
//! look at what is left.
//!
//! The build under test has debug assertions, so `QUARRY_KILL_AT=Step:n` makes it send itself SIGKILL at the n-th passage
//! of a step (see `storage/src/crash.rs`).

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use storage::Step;

use crate::support::Bench;

const DOCUMENTS: usize = 40;
/// Documents of one commit.
const EVERY: usize = 5;
const SIGKILL: i32 = 9;

#[test]
fn a_kill_at_any_step_loses_nothing_acknowledged() {
    let mut points: Vec<(Step, usize)> = Vec::new();
    for passage in 1..=8 {
        points.extend(Step::ALL.map(|step| (step, passage)));
    }
    // Two at a time: each spends much of its time in fsync.
    let killed: usize = std::thread::scope(|scope| {
        let halves = points.chunks(points.len().div_ceil(2));
        let threads: Vec<_> =
            halves.map(|half| scope.spawn(|| half.iter().filter(|point| survives(point.0, point.1)).count())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(killed >= 50, "only {killed} of {} points were reached", points.len());
}

#[test]
fn every_step_is_reached_at_least_once() {
    for step in Step::ALL {
        assert!(survives(step, 1), "{step:?} was never passed");
    }
}

#[test]
fn verify_notes_what_the_next_start_finishes_and_cries_about_nothing() {
    let mut noted = 0;
    for step in Step::ALL {
        for passage in [1, 2, 3, 4] {
            let bench = Bench::with_documents(DOCUMENTS);
            if !index_killed_at(&bench, step, passage) || !bench.data().join("index.json").exists() {
                continue;
            }
            let told = bench.run(&["verify"]).succeeded().stdout();
            noted += usize::from(told.contains("by itself"));
            bench.index();
            let told = bench.run(&["verify"]).succeeded().stdout();
            assert!(told.contains("as it was written"), "{step:?}:{passage}: {told}");
        }
    }
    assert!(noted >= 5, "only {noted} of the kills left something undone");
}

#[test]
fn a_kill_while_a_source_is_closed_leaves_it_open_or_closed_and_the_next_start_closes_it() {
    for step in [
        Step::TruthWritten,
        Step::TruthFlushed,
        Step::AccessWritten,
        Step::LexicalPrepared,
        Step::LexicalCommitted,
        Step::TotalsWritten,
    ] {
        let bench = Bench::with_documents(DOCUMENTS);
        bench.index();
        let seen = || {
            let found =
                bench.run(&["search", "marker007", "--lexical", "--json", "--as", "user:anna"]).succeeded().json();
            found["total"].as_u64().unwrap()
        };
        assert_eq!(seen(), 1);
        let mut command = bench.command(&["access", "set", "docs", "group:hr"]);
        let killed = command.env("QUARRY_KILL_AT", format!("{step:?}:1")).output().unwrap().status.signal();
        if step == Step::TotalsWritten {
            assert_eq!(killed, None, "no point of this commit");
            assert_eq!(seen(), 0);
            continue;
        }
        assert_eq!(killed, Some(SIGKILL), "{step:?} was never passed");
        let before = seen();
        assert!(before <= 1);
        let closed = bench.run(&["search", "marker007", "--lexical", "--json", "--as", "group:hr"]).succeeded().json();
        assert_eq!(closed["total"], 1, "{step:?}: whom it is open to");
        // Whatever was flushed is in force once a writer has started.
        bench.index();
        bench.verify();
        let flushed = !matches!(step, Step::TruthWritten);
        assert!(!flushed || seen() == 0, "{step:?}");
        assert!(step != Step::LexicalCommitted || before == 0, "the reader goes by the commit that it sees");
    }
}

/// Runs an indexing process that is killed at a point, then checks what the next start finds. Whether it was killed.
fn survives(step: Step, passage: usize) -> bool {
    let bench = Bench::with_documents(DOCUMENTS);
    let killed = index_killed_at(&bench, step, passage);
    if killed {
        let acknowledged = acknowledged_before(step, passage);
        let found = documents(&bench);
        assert!(found >= acknowledged, "{step:?}:{passage}: {found} documents, {acknowledged} were acknowledged");
        if found > 0 {
            bench.verify();
        }
    }
    bench.index();
    assert_eq!(documents(&bench), DOCUMENTS, "{step:?}:{passage}");
    bench.verify();
    assert_eq!(bench.paths(&["marker007", "--lexical"]), ["note-007.md"], "{step:?}:{passage}");
    killed
}

fn index_killed_at(bench: &Bench, step: Step, passage: usize) -> bool {
    let every = EVERY.to_string();
    let docs = bench.docs().display().to_string();
    let mut command = bench.command(&["index", "--commit-every", &every, &docs]);
    // A seal in every second commit.
    command.env("QUARRY_KILL_AT", format!("{step:?}:{passage}")).env("QUARRY_SEAL_AT", "10");
    command.output().unwrap().status.signal() == Some(SIGKILL)
}

/// The least number of documents whose commit was flushed before this point. Two commits of settings come first.
fn acknowledged_before(step: Step, passage: usize) -> usize {
    let commits = match step {
        Step::VectorsAppended | Step::VectorsSynced => passage - 1,
        Step::TruthWritten => passage.saturating_sub(3),
        Step::TruthFlushed => passage.saturating_sub(2),
        Step::LexicalPrepared | Step::LexicalCommitted => passage,
        Step::TotalsWritten | Step::Published => passage,
        // A seal follows the commit that filled the tail.
        Step::SegmentWritten | Step::SegmentRenamed | Step::ManifestWritten => passage,
        // Not of a commit.
        Step::AccessWritten
        | Step::RebuildFinished
        | Step::RebuildInForce
        | Step::RollbackFinished
        | Step::RollbackInForce
        | Step::UpgradeConverted
        | Step::UpgradeFinished
        | Step::UpgradeInForce
        | Step::BackupPinned
        | Step::BackupCopied
        | Step::BackupWritten
        | Step::BackupPruned
        | Step::RestoreFilled
        | Step::RestorePlaced
        | Step::CompactConverted
        | Step::CompactFinished
        | Step::CompactInForce => 0,
    };
    (commits * EVERY).min(DOCUMENTS)
}

fn documents(bench: &Bench) -> usize {
    if !bench.data().join("index.json").exists() {
        return 0;
    }
    usize::try_from(bench.status()["documents"].as_u64().unwrap()).unwrap()
}

#[test]
fn a_kill_at_any_moment_loses_nothing_acknowledged() {
    for delay in [20, 60, 120, 200, 300, 450, 700] {
        let bench = Bench::with_documents(DOCUMENTS);
        let docs = bench.docs().display().to_string();
        let mut command = bench.command(&["index", "--commit-every", "4", &docs]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        let _ = child.kill();
        child.wait().unwrap();
        bench.index();
        assert_eq!(documents(&bench), DOCUMENTS, "killed after {delay} ms");
        bench.verify();
    }
}

#[test]
fn an_interrupt_commits_what_is_done_and_says_how_to_go_on() {
    let bench = Bench::with_documents(3000);
    let docs = bench.docs().display().to_string();
    let mut command = bench.command(&["index", "--commit-every", "20", &docs]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // The first commit is on disk once the lexical index has a payload of its own; then there is something to keep.
    let started = std::time::Instant::now();
    while !bench.data().join("lexical/meta.json").exists() && started.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(200));
    let interrupt = format!("kill -INT {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{message}");
    assert!(message.contains("Run the same command again"), "{message}");
    let kept = documents(&bench);
    assert!(kept > 0 && kept < 3000, "{kept} documents");
    bench.verify();
    bench.index();
    assert_eq!(documents(&bench), 3000);
}
