//! Files that were made to do harm: to the process that indexes them, to what is beside them, to the terminal they are
//! shown on.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Bench, Run};

const SIGKILL: i32 = 9;
const SIGABRT: i32 = 6;

/// A run in which whatever holds `POISONMARK` takes the process with it.
fn index_with_poison(bench: &Bench, more: &[&str]) -> Run {
    let docs = bench.docs().display().to_string();
    let mut command = bench.command(&[&["index", docs.as_str()], more].concat());
    Run(command.env("QUARRY_DIE_ON", "POISONMARK").output().unwrap())
}

fn was_killed(run: &Run) -> bool {
    run.0.status.signal() == Some(SIGABRT)
}

#[test]
fn a_file_that_kills_the_run_twice_is_set_aside_and_the_others_get_on() {
    let bench = Bench::with_documents(20);
    bench.write("poison.md", &format!("# Poison\n\nPOISONMARK in the text\n\n{}", "It is the largest. ".repeat(50)));
    assert!(was_killed(&index_with_poison(&bench, &[])), "the first time");
    assert!(was_killed(&index_with_poison(&bench, &[])), "the second time");
    // It went last and alone, so the second death cost the others nothing.
    assert_eq!(bench.status()["documents"], 20);
    index_with_poison(&bench, &[]).succeeded();
    let failed = bench.state("poison.md")["failed"]["error"].as_str().unwrap().to_string();
    assert!(failed.contains("stopped the indexer twice"), "{failed}");
    let told = bench.run(&["status", "--files", "failed"]).succeeded().stdout();
    assert!(told.contains("quarry index --checksum"), "{told}");
    assert_eq!(bench.status()["documents"], 20);
    bench.verify();
    // And so it stays.
    bench.write("later.md", "# Later\n\nmarkerlater\n");
    index_with_poison(&bench, &[]).succeeded();
    assert_eq!(bench.paths(&["markerlater", "--lexical"]), ["later.md"]);
    assert!(bench.state("poison.md")["failed"].is_object());
    // Whoever asks for it takes the risk again.
    assert!(was_killed(&index_with_poison(&bench, &["--checksum"])));
    index_with_poison(&bench, &[]).succeeded();
    // A file that changes is another one.
    bench.write("poison.md", "# Cured\n\nmarkercured, nothing else\n");
    index_with_poison(&bench, &[]).succeeded();
    assert_eq!(bench.paths(&["markercured", "--lexical"]), ["poison.md"]);
    assert!(!bench.data().join("attempts.log").exists(), "nothing is left to remember");
}

#[test]
fn kills_from_outside_make_no_innocent_pay_for_long() {
    let bench = Bench::with_documents(60);
    let docs = bench.docs().display().to_string();
    // In the middle of one commit that holds all of them, then of one that holds a single suspect.
    for step in ["VectorsAppended:1", "TruthWritten:5"] {
        let mut command = bench.command(&["index", &docs]);
        let killed = command.env("QUARRY_KILL_AT", step).output().unwrap();
        assert_eq!(killed.status.signal(), Some(SIGKILL), "{step}");
    }
    bench.index();
    // It was alone at the second death, but nothing says that it brought it about.
    assert_eq!(bench.status()["documents"], 60);
    bench.verify();
}

#[test]
fn a_run_ends_soon_when_it_is_told_to_in_the_middle_of_a_slow_file() {
    let bench = Bench::with_documents(3);
    bench.write("slow.md", "QUARRY-FAULT sleep\nand more");
    let config = bench.root.path().join("quarry.toml");
    fs::write(&config, "[extract]\nseconds = 1000\n").unwrap();
    let docs = bench.docs().display().to_string();
    let mut command = bench.command(&["--config", &config.display().to_string(), "index", &docs]);
    let child = command.env("QUARRY_FAULTS", "1").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    let is_reading = || fs::read_to_string(bench.data().join("attempts.log")).is_ok_and(|log| log.contains("slow.md"));
    while !is_reading() && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(is_reading());
    let told = Instant::now();
    let stop = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &stop]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    // The file may take 3,000 s; seconds on an idle machine.
    assert!(told.elapsed() < Duration::from_secs(90), "{:?}", told.elapsed());
    // Nobody is to blame, and the next run reads it.
    bench.write("slow.md", "# Fast\n\nmarkerfast\n");
    bench.index();
    assert_eq!(bench.status()["documents"], 4);
    assert!(!bench.data().join("attempts.log").exists());
}

#[test]
fn titles_without_end_cost_nothing_and_are_noted() {
    let bench = Bench::new();
    let title = "vicuna travel money ".repeat(1 << 14);
    let body: String =
        (0..400).map(|n| format!("{} claim {n}\n\n", "travel money office report ".repeat(25))).collect();
    bench.write("a.md", &format!("# {title}\n\nvicuna body\n\n{body}"));
    bench.write("b.html", &format!("<title>{title}</title><p>vicuna {}", body.replace("\n\n", "<p>")));
    bench.write(
        "c.eml",
        &format!("Subject: {title}\nFrom: a@b.c\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n\nvicuna {body}"),
    );
    bench.write("good.md", "# Good\n\nvicuna good\n");
    bench.index();
    assert_eq!(bench.status()["documents"], 4);
    for path in ["a.md", "b.html", "c.eml"] {
        let state = bench.state(path);
        assert!(state.to_string().contains("its title"), "{path}: {state}");
    }
    let answer = bench.search(&["--lexical", "vicuna"]);
    for hit in answer["results"].as_array().unwrap() {
        assert!(hit["title"].as_str().unwrap().len() <= 400);
    }
    bench.verify();
}

#[test]
fn nothing_that_a_terminal_obeys_is_printed() {
    let bench = Bench::new();
    let mail = "Subject: =?utf-8?q?giraffe_=1b[31mred=1b]0;x=07=c2=9b2J?=\nFrom: a@b.c\n\
        Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n\
        giraffe body =1b[2J=1b]52;c;ZXZpbA=3D=3D=07 =7f =e2=80=aetxt.exe";
    bench.write("c.eml", mail);
    for name in [&b"giraffe\nquarry: all is well.md"[..], b"giraffe \x1b]52;c;ZXZpbA==\x07.md", b"giraffe \xff\xfe.md"]
    {
        fs::write(bench.docs().join(OsStr::from_bytes(name)), "# giraffe\n\nthe giraffe in a file of an odd name\n")
            .unwrap();
    }
    symlink("/", bench.docs().join(OsStr::from_bytes(b"link \x1b[31m\nnext"))).unwrap();
    let docs = bench.docs().display().to_string();
    let mail = bench.docs().join("c.eml").display().to_string();
    let hostile = bench.docs().join(OsStr::from_bytes(b"no such \x1b[31m\nquarry: fine")).display().to_string();
    let runs: [(&str, &[&str]); 7] = [
        ("index", &["index", &docs]),
        ("search", &["search", "giraffe", "-n", "10"]),
        ("lexical", &["search", "--lexical", "giraffe", "-n", "10", "--json"]),
        ("extract", &["extract", &mail]),
        ("json", &["extract", "--json", &mail]),
        ("status", &["status", "--files"]),
        ("error", &["index", &hostile]),
    ];
    for (what, arguments) in runs {
        let run = bench.run(arguments);
        let printed = format!("{}{}", run.stdout(), run.stderr());
        assert!(!printed.is_empty(), "{what}");
        let order = printed.chars().find(|c| (c.is_control() && !"\n\t".contains(*c)) || *c == '\u{202e}');
        assert_eq!(order, None, "{what}: {printed:?}");
        assert!(
            !printed.lines().any(|line| line == "quarry: all is well.md" || line == "quarry: fine"),
            "{what}: {printed}"
        );
    }
    // JSON means the same as ever.
    let answer = bench.search(&["--lexical", "giraffe", "-n", "10"]);
    let titles: Vec<&str> =
        answer["results"].as_array().unwrap().iter().map(|hit| hit["title"].as_str().unwrap()).collect();
    assert!(titles.iter().any(|title| title.contains("\u{1b}[31mred")), "{titles:?}");
    assert_eq!(bench.status()["documents"], 4);
}

#[test]
fn a_folder_that_cannot_be_listed_is_in_the_ledger_and_loses_nothing() {
    let bench = Bench::with_documents(2);
    bench.write("sub/inner.md", "# Inner\n\nmarkerinner\n");
    bench.index();
    // The walk would wait for the writer of this pipe for ever; and unlike permissions, it holds for root too.
    let rules = bench.docs().join("sub/.gitignore");
    assert!(Command::new("mkfifo").arg(&rules).status().unwrap().success());
    let said = bench.index().stderr();
    assert!(said.contains("could not be listed"), "{said}");
    let state = bench.state("sub/");
    assert!(state["unreadable"]["reason"].as_str().unwrap().contains("is a pipe"), "{state}");
    assert_eq!(bench.paths(&["markerinner", "--lexical"]), ["sub/inner.md"]);
    assert!(bench.state("sub/inner.md")["indexed"].is_object());
    bench.index();
    bench.verify();
    fs::remove_file(&rules).unwrap();
    bench.index();
    let status = bench.status();
    assert!(status["files"].as_array().unwrap().iter().all(|file| file["path"] != "sub/"), "{status}");
    assert_eq!(status["documents"], 3);
}

#[test]
fn links_to_the_outside_are_not_followed_by_anybody() {
    let bench = Bench::with_documents(2);
    let outside = bench.root.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret.md"), "# Payroll\n\nsecretword of the board\n").unwrap();
    bench.write("sub/secret.md", "# Harmless\n\nnothing here\n");
    bench.index();
    fs::rename(bench.docs().join("sub"), bench.docs().join(".was")).unwrap();
    symlink(&outside, bench.docs().join("sub")).unwrap();
    bench.index();
    bench.run(&["index", "--checksum", &bench.docs().display().to_string()]).succeeded();
    assert!(bench.paths(&["secretword", "--lexical"]).is_empty());
    assert_eq!(bench.status()["documents"], 2);
}
