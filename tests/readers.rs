//! Readers: searching and the state of the index take no lock and write nothing, also as another user on a folder that
//! can only be read, and beside a writer.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::server::Server;
use crate::support::{Bench, Run};

/// Nobody, on every system that these tests run on.
const OTHER: u32 = 65534;

/// Mode, length and time of change of everything at and below `path`.
fn listing(path: &Path) -> BTreeMap<PathBuf, (u32, u64, i64, i64)> {
    let metadata = fs::symlink_metadata(path).unwrap();
    let seen = (metadata.mode(), metadata.len(), metadata.mtime(), metadata.mtime_nsec());
    let mut all = BTreeMap::from([(path.to_path_buf(), seen)]);
    if metadata.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| all.extend(listing(&entry.unwrap().path())));
    }
    all
}

fn set_modes(path: &Path, folder: u32, file: u32) {
    let is_folder = path.is_dir();
    fs::set_permissions(path, Permissions::from_mode(if is_folder { folder } else { file })).unwrap();
    if is_folder {
        fs::read_dir(path).unwrap().for_each(|entry| set_modes(&entry.unwrap().path(), folder, file));
    }
}

/// An index that somebody else than its owner reads: another user where these tests may become one, and the owner without
/// the right to write where they may not.
struct Shared {
    bench: Bench,
    is_root: bool,
}

impl Shared {
    fn new() -> Self {
        let bench = Bench::with_documents(6);
        bench.write("broken.pdf", "%PDF-1.4 nothing of a PDF");
        bench.index();
        let is_root = fs::metadata(bench.root.path()).unwrap().uid() == 0;
        if is_root {
            fs::set_permissions(bench.root.path(), Permissions::from_mode(0o755)).unwrap();
            std::os::unix::fs::chown(bench.data(), None, Some(OTHER)).unwrap();
            let chgrp = Command::new("chgrp").arg("-R").arg(OTHER.to_string()).arg(bench.data()).status().unwrap();
            assert!(chgrp.success());
            fs::set_permissions(bench.data(), Permissions::from_mode(0o2750)).unwrap();
            // The next writer gives the index to the group.
            bench.index();
        } else {
            set_modes(&bench.data(), 0o500, 0o400);
        }
        Self { bench, is_root }
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut command = self.bench.command(args);
        if self.is_root {
            command.uid(OTHER).gid(OTHER).current_dir("/");
        }
        Run(command.output().unwrap())
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.run(args).succeeded().stdout()).unwrap()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        set_modes(&self.bench.data(), 0o700, 0o600);
    }
}

#[test]
fn another_user_searches_a_folder_that_can_only_be_read_and_nothing_in_it_changes() {
    let shared = Shared::new();
    let before = listing(&shared.bench.data());
    let answer = shared.json(&["search", "--json", "marker003"]);
    assert_eq!(answer["results"][0]["path"], "note-003.md");
    // An answer without results says how many files could not be read; that needs no writer either.
    assert_eq!(shared.json(&["search", "--json", "--lexical", "nosuchwordatall"])["unread_files"], 1);
    let status = shared.json(&["status", "--json"]);
    assert_eq!((&status["documents"], &status["sources"][0]["unreadable"]), (&6.into(), &1.into()), "{status}");
    assert!(status["sources"][0]["last_run"].is_i64());
    assert_eq!(listing(&shared.bench.data()), before);
}

#[test]
fn a_group_reads_the_index_but_not_what_is_the_servers() {
    let shared = Shared::new();
    if !shared.is_root {
        // Only root can give files to another group; the rule itself has a unit test in `storage`.
        return;
    }
    let bench = &shared.bench;
    bench.run(&["keys", "create", "reader"]).succeeded();
    drop(Server::start(bench, &[]).ready());
    let others = |path: &str| fs::metadata(bench.data().join(path)).unwrap().mode() & 0o077;
    assert_eq!((others("keys.json"), others("pushed")), (0, 0));
    assert_eq!((others("index.json"), others("totals.json"), others("lexical")), (0o040, 0o040, 0o050));
    let refused = shared.run(&["index"]).refused(&["ermission denied"]).stderr();
    assert_eq!(refused.matches("ermission denied").count(), 1, "{refused}");
}

#[test]
fn a_folder_that_is_not_shared_is_closed_to_others_with_a_reason() {
    let shared = Shared::new();
    if !shared.is_root {
        return;
    }
    fs::set_permissions(shared.bench.data(), Permissions::from_mode(0o700)).unwrap();
    shared.run(&["search", "marker003"]).refused(&["ermission denied"]);
}

#[test]
fn readers_work_beside_a_writer_that_holds_the_lock() {
    let bench = Bench::with_documents(6);
    bench.index();
    let server = Server::start(&bench, &[]).ready();
    assert_eq!(bench.paths(&["--lexical", "marker004"]), ["note-004.md"]);
    assert_eq!(bench.search(&["--lexical", "nosuchwordatall"])["unread_files"], 0);
    let status = bench.run(&["status", "--json"]).succeeded().stdout();
    assert_eq!(serde_json::from_str::<Value>(&status).unwrap()["documents"], 6);
    let told = bench.run(&["status", "--files"]).succeeded().stdout();
    assert!(told.contains("note-004.md") && told.contains("6 documents"), "the server has them: {told}");
    assert!(bench.run(&["status", "--files", "--csv"]).succeeded().stdout().contains("note-005.md"));
    drop(server);
}

#[test]
fn counts_that_are_not_those_of_the_documents_are_found_and_made_anew() {
    let bench = Bench::with_documents(3);
    bench.index();
    let totals = bench.data().join("totals.json");
    fs::remove_file(&totals).unwrap();
    bench.run(&["search", "marker001"]).refused(&["was not counted yet", "run `quarry index`"]);
    assert!(bench.run(&["verify"]).succeeded().stdout().contains("totals.json"));
    bench.index();
    bench.verify();
    let whole = fs::read_to_string(&totals).unwrap();
    let changed = whole.replace("\"documents\": 3", "\"documents\": 4");
    assert_ne!(changed, whole);
    fs::write(&totals, changed).unwrap();
    assert_eq!(bench.run(&["verify"]).0.status.code(), Some(1));
    bench.index();
    bench.verify();
}
