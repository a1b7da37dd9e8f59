//! `index --rebuild`: beside the index in force, and nothing is lost whatever ends it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use storage::Step;

use crate::support::{Bench, note};

const DOCUMENTS: usize = 12;

/// Three sources, one of them with the numbered notes.
fn bench() -> Bench {
    let bench = Bench::with_documents(DOCUMENTS);
    for other in ["alpha", "beta"] {
        fs::create_dir(folder(&bench, other)).unwrap();
        fs::write(folder(&bench, other).join("page.md"), format!("# Page\n\nOf {other}, with {other}word.\n")).unwrap();
    }
    let folders = [bench.docs(), folder(&bench, "alpha"), folder(&bench, "beta")];
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    bench.run(&["index", &folders[0], &folders[1], &folders[2]]).succeeded();
    bench
}

fn folder(bench: &Bench, name: &str) -> PathBuf {
    bench.root.path().join(name)
}

fn sources(bench: &Bench) -> Vec<String> {
    let status = bench.status();
    let sources = status["sources"].as_array().unwrap();
    sources.iter().map(|source| source["name"].as_str().unwrap().to_string()).collect()
}

/// Everything is there, and sound.
fn check_whole(bench: &Bench, when: &str) {
    assert_eq!(sources(bench), ["docs", "alpha", "beta"], "{when}");
    assert_eq!(bench.status()["documents"], DOCUMENTS + 2, "{when}");
    assert_eq!(bench.paths(&["marker007", "--lexical"]), ["note-007.md"], "{when}");
    assert_eq!(bench.paths(&["betaword", "--lexical"]), ["page.md"], "{when}");
    bench.verify();
}

#[test]
fn a_kill_at_any_step_leaves_the_old_index_or_the_new_one() {
    let steps = [
        (Step::VectorsSynced, 1),
        (Step::TruthFlushed, 2),
        (Step::Published, 1),
        (Step::Published, 3),
        (Step::RebuildFinished, 1),
        (Step::RebuildInForce, 1),
    ];
    for (step, passage) in steps {
        let bench = bench();
        let mut command = bench.command(&["index", "--rebuild", "--commit-every", "4"]);
        let ended = command.env("QUARRY_KILL_AT", format!("{step:?}:{passage}")).output().unwrap();
        assert!(!ended.status.success(), "{step:?}:{passage} was never passed");
        let when = format!("killed at {step:?}:{passage}");
        // Before any writer has repaired anything.
        assert_eq!(bench.paths(&["marker003", "--lexical"]), ["note-003.md"], "{when}");
        check_whole(&bench, &when);
        bench.run(&["index"]).succeeded();
        check_whole(&bench, &when);
        let again = bench.run(&["index", "--rebuild"]).succeeded();
        let begun = matches!(step, Step::Published | Step::RebuildFinished | Step::TruthFlushed | Step::VectorsSynced);
        assert_eq!(again.stderr().contains("going on with the rebuild"), begun, "{when}: {}", again.stderr());
        check_whole(&bench, &when);
        let left: Vec<_> = fs::read_dir(bench.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let editions = left.iter().filter(|name| name.to_string_lossy().starts_with("index-")).count();
        assert!(editions == 1 && !left.iter().any(|name| name == "documents" || name == "rebuild"), "{left:?}");
    }
}

#[test]
fn a_rebuild_that_is_killed_by_the_clock_forgets_no_source() {
    for delay in [30, 80, 150, 300, 600] {
        let bench = bench();
        let mut command = bench.command(&["index", "--rebuild", "--commit-every", "2"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        let _ = child.kill();
        child.wait().unwrap();
        check_whole(&bench, &format!("killed after {delay} ms"));
    }
}

/// Opening a database repairs it, which writes: a kill in the middle of that must not be able to harm what is in force.
#[test]
fn the_index_in_force_is_not_touched_before_the_new_one_is_whole() {
    let bench = bench();
    let in_force = || {
        let entries = fs::read_dir(bench.data()).unwrap().map(|entry| entry.unwrap().path());
        let mut editions = entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("index-"));
        editions.next().unwrap_or_else(|| bench.data())
    };
    let bytes = || -> BTreeMap<PathBuf, Vec<u8>> {
        let mut folders = vec![in_force().join("documents")];
        let mut found = BTreeMap::new();
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path.clone(), fs::read(path).unwrap());
                }
            }
        }
        found
    };
    let before = bytes();
    assert!(!before.is_empty());
    let mut command = bench.command(&["index", "--rebuild", "--commit-every", "4"]);
    let ended = command.env("QUARRY_KILL_AT", format!("{:?}:1", Step::TruthFlushed)).output().unwrap();
    assert!(!ended.status.success(), "the rebuild was to be killed");
    let after = bytes();
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    assert!(before == after, "the database of the index in force was written to");
    check_whole(&bench, "afterwards");
}

#[test]
fn searches_find_the_old_index_until_the_new_one_is_whole() {
    let bench = bench();
    // What has changed since is found with the new index only.
    bench.write("note-000.md", &note(999));
    let mut command = bench.command(&["index", "--rebuild", "--commit-every", "1"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut searches = 0;
    loop {
        let is_over = child.try_wait().unwrap().is_some();
        assert_eq!(bench.paths(&["marker007", "--lexical"]), ["note-007.md"]);
        let (old, new) = (bench.paths(&["marker000", "--lexical"]), bench.paths(&["marker999", "--lexical"]));
        assert!(!old.is_empty() || !new.is_empty());
        searches += 1;
        if is_over {
            assert!(old.is_empty() && new == ["note-000.md"]);
            break;
        }
    }
    assert!(searches > 1, "no search ran beside the rebuild");
}

#[test]
fn a_named_folder_joins_the_others_and_does_not_replace_them() {
    let bench = bench();
    fs::create_dir(folder(&bench, "gamma")).unwrap();
    fs::write(folder(&bench, "gamma").join("new.md"), "# New\n\ngammaword\n").unwrap();
    bench.run(&["index", "--rebuild", &folder(&bench, "gamma").display().to_string()]).succeeded();
    assert_eq!(sources(&bench), ["docs", "alpha", "beta", "gamma"]);
    assert_eq!(bench.paths(&["gammaword", "--lexical"]), ["new.md"]);
    assert_eq!(bench.paths(&["alphaword", "--lexical"]), ["page.md"]);
}

#[test]
fn a_source_that_is_not_there_stops_the_rebuild_and_loses_nothing() {
    let bench = bench();
    let (beta, away) = (folder(&bench, "beta"), folder(&bench, "away"));
    fs::rename(&beta, &away).unwrap();
    bench.run(&["index", "--rebuild"]).refused(&["\"beta\"", "is as it was", "quarry remove beta"]);
    assert_eq!(bench.paths(&["betaword", "--lexical"]), ["page.md"]);
    // As an unmounted disk looks.
    fs::create_dir(&beta).unwrap();
    bench.run(&["index", "--rebuild"]).refused(&["0 documents", "not mounted", "--accept-deletions"]);
    assert_eq!(bench.paths(&["betaword", "--lexical"]), ["page.md"]);
    fs::remove_dir(&beta).unwrap();
    fs::rename(&away, &beta).unwrap();
    let status = bench.run(&["status"]).succeeded().stdout();
    assert!(status.contains("unfinished"), "{status}");
    bench.run(&["index", "--rebuild"]).succeeded();
    check_whole(&bench, "with the folder back");
    bench.run(&["remove", "alpha"]).succeeded();
    fs::remove_file(beta.join("page.md")).unwrap();
    bench.run(&["index", "--rebuild", "--accept-deletions"]).succeeded();
    assert_eq!(sources(&bench), ["docs", "beta"]);
    assert!(bench.paths(&["betaword", "--lexical"]).is_empty());
}

#[test]
fn a_source_removed_meanwhile_does_not_come_back() {
    let bench = bench();
    let mut command = bench.command(&["index", "--rebuild"]);
    let killed = command.env("QUARRY_KILL_AT", "RebuildFinished:1").output().unwrap();
    assert!(!killed.status.success());
    bench.run(&["remove", "alpha"]).succeeded();
    bench.run(&["index", "--rebuild"]).succeeded();
    assert_eq!(sources(&bench), ["docs", "beta"]);
    assert!(bench.paths(&["alphaword", "--lexical"]).is_empty());
    bench.verify();
}

#[test]
fn an_index_too_damaged_to_open_is_made_anew_with_its_sources() {
    let bench = bench();
    // The checksum is wrong, the sources can still be read.
    let described = bench.data().join("index.json");
    let mut settings: Value = serde_json::from_slice(&fs::read(&described).unwrap()).unwrap();
    settings["format"] = json!(settings["format"].as_u64().unwrap() - 1);
    fs::write(&described, settings.to_string()).unwrap();
    fs::remove_dir_all(bench.data().join("documents")).unwrap();
    bench.run(&["search", "marker007"]).refused(&["--repair"]);
    bench.run(&["index", "--rebuild"]).succeeded();
    check_whole(&bench, "rebuilt from a damaged index");
}

/// What a rebuild replaced, and who may see and find what in it.
#[test]
fn a_rebuild_is_taken_back_and_nothing_hidden_comes_to_light() {
    let bench = bench();
    bench.run(&["rollback"]).refused(&["nothing is kept", "index --rebuild"]);
    let small = ["--dimension", "64"];
    let with_small = |args: &[&str]| bench.run(&[&small, args].concat());
    let told = with_small(&["index", "--rebuild"]).succeeded();
    assert!(told.stderr().contains("quarry rollback"), "{}", told.stderr());
    // Since then: a file is gone, one is new, one source may be seen by few, another is removed.
    fs::remove_file(bench.docs().join("note-003.md")).unwrap();
    bench.write("late.md", "# Late\n\nA lateword.\n");
    with_small(&["index"]).succeeded();
    with_small(&["access", "set", "alpha", "group:hr"]).succeeded();
    with_small(&["remove", "beta"]).succeeded();
    let kept = bench.status()["replaced"].as_u64().unwrap();
    assert!(kept > 0);

    let told = bench.run(&["rollback", "--json"]).succeeded().stdout();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["removed"], &told["documents"]), (&json!(2), &json!(DOCUMENTS)), "{told}");
    with_small(&["search", "marker007"]).refused(&["was built with", "--rebuild"]);
    assert_eq!(sources(&bench), ["docs", "alpha"]);
    assert_eq!(bench.paths(&["marker007", "--lexical"]), ["note-007.md"]);
    for gone in ["marker003", "betaword", "lateword"] {
        assert!(bench.paths(&[gone, "--lexical"]).is_empty(), "{gone}");
    }
    assert!(bench.paths(&["alphaword", "--lexical", "--as", "user:anna"]).is_empty());
    assert_eq!(bench.paths(&["alphaword", "--lexical", "--as", "group:hr"]), ["page.md"]);
    bench.verify();
    bench.run(&["index"]).succeeded();
    assert_eq!(bench.paths(&["lateword", "--lexical"]), ["late.md"], "what is new is read by the next pass");

    // And back.
    bench.run(&["rollback"]).succeeded();
    assert_eq!(with_small(&["search", "lateword", "--json"]).succeeded().json()["results"][0]["path"], "late.md");
    with_small(&["rollback", "--forget"]).succeeded();
    with_small(&["rollback"]).refused(&["nothing is kept"]);
    assert!(bench.status()["replaced"].is_null());
}

#[test]
fn a_rollback_that_is_killed_leaves_one_index_or_the_other() {
    for step in [Step::TruthFlushed, Step::AccessWritten, Step::RollbackFinished, Step::RollbackInForce] {
        let bench = bench();
        bench.run(&["index", "--rebuild"]).succeeded();
        fs::remove_file(bench.docs().join("note-003.md")).unwrap();
        bench.run(&["index"]).succeeded();
        bench.run(&["access", "set", "alpha", "group:hr"]).succeeded();
        let mut command = bench.command(&["rollback"]);
        let ended = command.env("QUARRY_KILL_AT", format!("{step:?}:1")).output().unwrap();
        assert!(!ended.status.success(), "{step:?} was never passed");
        for _ in 0..2 {
            assert!(bench.paths(&["marker003", "--lexical"]).is_empty(), "{step:?}");
            assert!(bench.paths(&["alphaword", "--lexical", "--as", "user:anna"]).is_empty(), "{step:?}");
            assert_eq!(bench.status()["documents"], DOCUMENTS + 1, "{step:?}");
            // A writer repairs what there is to be repaired.
            bench.run(&["index"]).succeeded();
            bench.verify();
        }
    }
}
