//! `quarry push`: a program that prints documents is a connector.

use std::fs;

use crate::server::over_documents;

#[test]
fn what_a_script_prints_is_indexed_and_what_it_names_no_more_is_gone() {
    let (bench, server) = over_documents(2);
    let script = bench.root.path().join("export.sh");
    let print = |lines: &[&str]| {
        let lines: String = lines.iter().map(|line| format!("printf '%s\\n' '{line}'\n")).collect();
        fs::write(&script, lines).unwrap();
    };
    let run = |more: &[&str]| {
        let command = format!("sh {}", script.display());
        bench.run(&[&["push", "wiki", "--command", command.as_str()], more].concat())
    };
    let moor = r#"{"path": "bogs/moor.md", "title": "Moors", "text": "The ombrotrophic bog is fed by rain.", "url": "https://wiki.example/moor", "modified": 1700000000}"#;
    let fen = r#"{"path": "bogs/fen.md", "text": "A minerotrophic fen is fed by springs.", "access": ["group:staff"]}"#;
    print(&[moor, "", fen]);
    assert!(run(&["--sync"]).succeeded().stdout().contains("wiki: 2 documents taken in, 0 deleted"));
    let found = server.get("/api/v1/search?q=ombrotrophic&mode=lexical").expect(200);
    let hit = &found["results"][0];
    assert_eq!((&hit["url"], &hit["title"]), (&"https://wiki.example/moor".into(), &"Moors".into()), "{found}");
    assert_eq!(bench.paths(&["minerotrophic", "--lexical", "--as", "user:eve"]), [""; 0], "it is not for everybody");
    assert_eq!(bench.paths(&["minerotrophic", "--lexical", "--as", "group:staff"]), ["bogs/fen.md"]);

    // Without --sync only what is said to be gone goes.
    print(&[r#"{"delete": "bogs/fen.md"}"#]);
    assert!(run(&[]).succeeded().stdout().contains("0 documents taken in, 1 deleted"));
    assert_eq!(server.paths("q=ombrotrophic&mode=lexical"), ["bogs/moor.md"]);

    // An export that broke off takes nothing away.
    print(&[fen]);
    let mut broken = fs::read_to_string(&script).unwrap();
    broken.push_str("exit 3\n");
    fs::write(&script, broken).unwrap();
    run(&["--sync"]).refused(&["exit status: 3", "nothing was taken for gone"]);
    assert_eq!(server.paths("q=ombrotrophic&mode=lexical"), ["bogs/moor.md"]);
    print(&[fen]);
    run(&["--sync"]).succeeded();
    assert_eq!(server.paths("q=ombrotrophic&mode=lexical"), [""; 0]);

    // A name that is written in parts is the name that the server makes of it: it is not gone the moment it came.
    let decomposed = "{\"path\": \"u\u{308}ber.md\", \"text\": \"The okapi was pushed.\"}";
    for _ in 0..2 {
        bench.run_with(&["push", "wiki", "--sync"], decomposed).succeeded();
        assert_eq!(server.paths("q=okapi&mode=lexical"), ["\u{fc}ber.md"]);
    }
    // What lies inside of a file goes and stays with it.
    let mail = "From: a@example.org\\nSubject: Nest\\nMIME-Version: 1.0\\nContent-Type: multipart/mixed; boundary=x\\n\\n--x\\n\\nThe tapir.\\n--x\\nContent-Type: text/plain; name=inner.txt\\nContent-Disposition: attachment; filename=inner.txt\\n\\nThe bongo inside.\\n--x--\\n";
    let mail = format!("{{\"path\": \"nest.eml\", \"text\": \"{mail}\"}}");
    for _ in 0..2 {
        bench.run_with(&["push", "wiki", "--sync", "--accept-deletions"], &mail).succeeded();
        assert_eq!(server.paths("q=bongo&mode=lexical"), ["nest.eml/inner.txt"]);
    }
    let many: Vec<String> =
        (0..5).map(|number| format!(r#"{{"path": "{number}.md", "text": "word{number} here"}}"#)).collect();
    bench.run_with(&["push", "many"], &many.join("\n")).succeeded();
    bench.run_with(&["push", "many", "--sync"], &many[0]).refused(&["4 of the 5 documents", "--accept-deletions"]);
    bench.run_with(&["push", "many", "--sync", "--accept-deletions"], &many[0]).succeeded();
    assert_eq!(server.paths("q=word4&mode=lexical"), [""; 0]);
}

#[test]
fn a_line_that_is_none_says_which_and_what_was_expected() {
    let (bench, server) = over_documents(1);
    for (lines, told) in [
        ("{\"path\": \"a.md\", \"text\": \"good\"}\nno json", "line 2: expected an object"),
        ("{\"text\": \"no path\"}", "line 1: expected an object"),
        ("{\"delete\": \"a.md\", \"text\": \"both\"}", "line 1: expected an object"),
        ("{\"path\": \"a.md\", \"text\": \"x\", \"source\": \"other\"}", "leave it out"),
        ("{\"path\": \"../a.md\", \"text\": \"x\"}", "path"),
        ("{\"path\": \"a.md\", \"text\": \"x\", \"colour\": 1}", "colour"),
    ] {
        bench.run_with(&["push", "wiki"], lines).refused(&[told]);
    }
    bench.run(&["push", "docs", "--command", r#"echo '{"path": "a.md", "text": "x"}'"#]).refused(&["is a folder"]);
    drop(server);
    bench.run_with(&["push", "wiki"], "{}").refused(&["no server runs"]);
}
