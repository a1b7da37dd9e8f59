//! Mistakes of users and disks: a clear error or a recorded skip, and nothing lost.

use std::fs;
use std::process::Command;

use crate::support::{Bench, fixture};

#[test]
fn odd_files_are_recorded_and_the_rest_is_indexed() {
    let bench = Bench::with_documents(3);
    bench.write("empty.md", "");
    fs::write(bench.docs().join("binary.dat"), [0u8, 1, 2, 3, 0, 255]).unwrap();
    fs::write(
        bench.docs().join("latin1.txt"),
        b"Das gr\xf6\xdfte Me\xdfger\xe4t der Firma steht in M\xfcnchen, markerlatin.",
    )
    .unwrap();
    fs::write(bench.docs().join("broken.txt"), b"valid words markerbroken \xff\xfe\xfa and more words after them")
        .unwrap();
    let huge = fs::File::create(bench.docs().join("huge.txt")).unwrap();
    huge.set_len(200 << 20).unwrap();
    bench.index();
    assert_eq!(bench.paths(&["marker001", "--lexical"]), ["note-001.md"]);
    assert_eq!(bench.paths(&["markerlatin", "--lexical"]), ["latin1.txt"]);
    assert_eq!(bench.paths(&["größte Meßgerät", "--lexical"]), ["latin1.txt"]);
    assert_eq!(bench.paths(&["markerbroken", "--lexical"]), ["broken.txt"]);
    assert!(bench.state("empty.md")["skipped"]["rule"].as_str().unwrap().contains("no text"));
    assert!(bench.state("binary.dat")["skipped"].is_object());
    let reason = bench.state("huge.txt")["unreadable"]["reason"].to_string();
    assert!(reason.contains("limit"), "{reason}");
    let listed = bench.run(&["status", "--files", "unreadable"]).succeeded().stdout();
    assert!(listed.contains("huge.txt") && !listed.contains("note-001.md"), "{listed}");
    bench.verify();
}

#[test]
fn a_large_text_file_is_indexed_whole_when_the_limit_allows() {
    let bench = Bench::new();
    let mut text = String::new();
    for number in 0..20_000 {
        text.push_str(&format!("Line {number} of a long log tells that pump {} is well.\n", number % 97));
    }
    text.push_str("The very last line has markerlast.\n");
    bench.write("long.txt", &text);
    bench.index();
    assert_eq!(bench.paths(&["markerlast", "--lexical"]), ["long.txt"]);
    bench.verify();
}

#[test]
fn folders_that_are_not_there_are_named() {
    let bench = Bench::new();
    bench.run(&["index", "/no/such/folder"]).refused(&["/no/such/folder", "expected a folder"]);
    bench.run(&["search", "anything"]).refused(&["no index", "quarry index FOLDER"]);
    bench.run(&["status"]).refused(&["no index"]);
    bench.run(&["verify"]).refused(&["no index"]);
    bench.run(&["index"]).refused(&["name a folder"]);
}

#[test]
fn a_folder_that_is_suddenly_empty_is_not_a_mass_delete() {
    let bench = Bench::with_documents(5);
    bench.index();
    for entry in fs::read_dir(bench.docs()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let docs = bench.docs().display().to_string();
    bench.run(&["index", &docs]).refused(&["empty", "not mounted", "--accept-deletions"]);
    assert_eq!(bench.paths(&["marker001", "--lexical"]), ["note-001.md"]);
    bench.run(&["index", "--accept-deletions", &docs]).succeeded();
    assert!(bench.paths(&["marker001", "--lexical"]).is_empty());
    bench.verify();
}

#[test]
fn a_model_folder_says_what_is_missing_or_wrong() {
    let bench = Bench::with_documents(1);
    let model = bench.root.path().join("model");
    let with_model = |args: &[&str]| bench.run(&[&["--model", &model.display().to_string()], args].concat());
    let docs = bench.docs().display().to_string();
    with_model(&["index", &docs]).refused(&["model"]);
    fs::create_dir(&model).unwrap();
    with_model(&["index", &docs]).refused(&["config.json"]);
    for file in ["config.json", "tokenizer.json"] {
        fs::copy(fixture("models/nano").join(file), model.join(file)).unwrap();
    }
    with_model(&["index", &docs]).refused(&["model.safetensors"]);
    let weights = fs::read(fixture("models/nano/model.safetensors")).unwrap();
    fs::write(model.join("model.safetensors"), &weights[..weights.len() / 2]).unwrap();
    with_model(&["index", &docs]).refused(&["model.safetensors"]);
    fs::copy(fixture("models/tiny-reranker/model.safetensors"), model.join("model.safetensors")).unwrap();
    with_model(&["index", &docs]).refused(&["tensor", "expected"]);
    fs::write(model.join("model.safetensors"), &weights).unwrap();
    fs::write(model.join("config.json"), "{ not json").unwrap();
    with_model(&["index", &docs]).refused(&["config.json"]);
}

#[test]
fn a_full_disk_stops_the_run_and_loses_nothing() {
    let bench = Bench::with_documents(10);
    bench.index();
    for number in 10..1500 {
        bench.write(&format!("note-{number:04}.md"), &crate::support::note(number));
    }
    // No file may grow beyond 1 MiB: a write then fails as it does on a full disk (EFBIG instead of ENOSPC).
    let script = "ulimit -f 1024; trap '' XFSZ; exec \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash", env!("CARGO_BIN_EXE_quarry"), "--data-dir"]).arg(bench.data());
    let run = crate::support::Run(command.arg("index").arg(bench.docs()).output().unwrap());
    assert!(run.ended_well() && !run.0.status.success(), "{}: {}", run.0.status, run.stderr());
    assert!(run.stderr().contains("quarry: "), "{}", run.stderr());
    assert_eq!(bench.paths(&["marker005", "--lexical"]), ["note-005.md"]);
    bench.index();
    assert_eq!(bench.paths(&["marker1400", "--lexical"]), ["note-1400.md"]);
    bench.verify();
}

#[test]
fn a_source_that_is_gone_keeps_no_other_from_being_brought_up_to_date() {
    let bench = Bench::new();
    let folder = |name: &str| {
        let folder = bench.root.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("note.md"), format!("# {name}\n\nThe {name} is painted green.\n")).unwrap();
        folder
    };
    let folders = ["bridge", "tower", "weir"].map(folder);
    let named: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    bench.run(&["index", &named[0], &named[1], &named[2]]).succeeded();
    for gone in &folders[..2] {
        fs::remove_dir_all(gone).unwrap();
    }
    fs::write(folders[2].join("new.md"), "# Ferry\n\nThe ferry leaves at noon.\n").unwrap();
    bench.run(&["index"]).refused(&[
        "bridge: cannot index",
        "1 of 3 sources were brought up to date, 2 could not be",
        "tower",
    ]);
    assert_eq!(bench.paths(&["--lexical", "ferry"]), ["new.md"], "the last one was refreshed all the same");
    assert_eq!(bench.paths(&["--lexical", "bridge"]), ["note.md"], "and nothing was removed");
}
