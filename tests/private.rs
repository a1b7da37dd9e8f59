//! The data folder is its owner's alone, whatever the umask, and an old one that was open is closed.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::server::Server;
use crate::support::Bench;

/// What group or others have rights to, at and below `path`.
pub(crate) fn open_to_others(path: &Path) -> Vec<PathBuf> {
    let metadata = fs::symlink_metadata(path).unwrap();
    let mut open = Vec::new();
    if metadata.mode() & 0o077 != 0 && !metadata.is_symlink() {
        open.push(path.to_path_buf());
    }
    if metadata.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        entries.for_each(|entry| open.extend(open_to_others(&entry.unwrap().path())));
    }
    open
}

fn open_up(path: &Path) {
    let metadata = fs::symlink_metadata(path).unwrap();
    if metadata.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| open_up(&entry.unwrap().path()));
    }
    let mode = if metadata.is_dir() { 0o755 } else { 0o644 };
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Runs quarry from a shell with an umask that hides nothing.
fn with_open_umask(bench: &Bench, args: &[&str]) -> String {
    let quarry = env!("CARGO_BIN_EXE_quarry");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 000; exec \"$@\"", "sh", quarry, "--data-dir"]).arg(bench.data()).args(args);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn every_file_is_private_whatever_the_umask() {
    let bench = Bench::with_documents(5);
    let docs = bench.docs().display().to_string();
    for args in [&["index", &docs] as &[&str], &["index", "--rebuild"], &["keys", "create", "reader"], &["status"]] {
        with_open_umask(&bench, args);
        assert_eq!(open_to_others(&bench.data()), Vec::<PathBuf>::new(), "after {args:?}");
    }
}

#[test]
fn an_old_folder_that_was_open_is_closed_and_that_is_said() {
    let bench = Bench::with_documents(5);
    bench.index();
    fs::create_dir_all(bench.data().join("pushed/api")).unwrap();
    fs::write(bench.data().join("pushed/api/a.md"), "# pushed\n").unwrap();
    open_up(&bench.data());
    let said = with_open_umask(&bench, &["index"]);
    assert!(said.contains("mode 755") && said.contains("only its owner"), "{said}");
    assert_eq!(open_to_others(&bench.data()), Vec::<PathBuf>::new());
    let said = with_open_umask(&bench, &["index"]);
    assert!(!said.contains("mode"), "it is said once: {said}");
}

#[test]
fn what_a_server_writes_is_private() {
    let bench = Bench::with_documents(3);
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    server.put("notes/a.md", "pushed").expect(200);
    assert!(bench.data().join("pushed/api/notes/a.md").exists());
    assert_eq!(open_to_others(&bench.data()), Vec::<PathBuf>::new());
}
