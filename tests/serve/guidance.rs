//! Synonyms and rules in a running server: written on the page or into their files, and in force at once; and what the server
//! says of itself to administrators.

use std::fs;

use crate::server::{Reply, Server, eventually};
use crate::support::Bench;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A server over two documents that do not know each other's words, and its bench.
fn server(config: &str) -> (Bench, Server) {
    let bench = Bench::new();
    bench.write("machines.md", "# Machines\n\nEvery worker gets a notebook with a charger.\n");
    bench.write("tunnel.md", "# Tunnel\n\nThe tunnel client is on the software page, beside the notebook drivers.\n");
    let server = Server::configured(&bench, config, &[&bench.docs().display().to_string()]).ready();
    eventually("both are found", || (server.paths("q=notebook").len() == 2).then_some(()));
    (bench, server)
}

/// What a page holds between the field's tags, and what tells it from others.
fn written(server: &Server, subject: &str) -> (String, String) {
    let page = server.get("/admin/guidance").text;
    let form = page.split(&format!("/admin/guidance/{subject}\"")).nth(1).unwrap();
    let before = form.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let text = form.split("<textarea").nth(1).unwrap().split('>').nth(1).unwrap().split('<').next().unwrap();
    (text.trim_start_matches('\n').replace("&quot;", "\""), before)
}

fn save(server: &Server, subject: &str, before: &str, text: &str) -> Reply {
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let origin = format!("http://{}", server.address);
    let body = format!("before={before}&text={encoded}");
    let address = format!("/admin/guidance/{subject}");
    server.unfollowed("POST", &address, &[FORM, ("origin", &origin)], body.as_bytes())
}

#[test]
fn synonyms_and_rules_are_written_on_the_page_and_in_force_at_once() {
    let (bench, server) = server("[audit]\nenabled = true\n");
    assert!(server.paths("q=laptop&mode=lexical&correct=false").is_empty());
    let (text, before) = written(&server, "synonyms");
    assert_eq!(text, "");
    let saved = save(&server, "synonyms", &before, "[both]\r\nlaptop = [\"notebook\"]\r\n");
    assert_eq!((saved.status, saved.header("location")), (303, "/admin/guidance?saved=synonyms"), "{}", saved.text);
    assert!(server.get(saved.header("location")).text.contains("Saved, and in force."));
    assert_eq!(server.paths("q=laptop&mode=lexical&correct=false").len(), 2);
    let file = bench.data().join("synonyms.toml");
    assert_eq!(fs::read_to_string(&file).unwrap(), "[both]\nlaptop = [\"notebook\"]\n");

    // What cannot be used is said with its line, nothing is lost, and what held holds.
    let (text, before) = written(&server, "synonyms");
    assert_eq!(text, "[both]\nlaptop = [\"notebook\"]\n");
    let refused = save(&server, "synonyms", &before, "[both]\nlaptop = [\"notebook\"]\nof = [\"\"]\n");
    assert!(refused.text.contains("Nothing was saved") && refused.text.contains("line 3"), "{}", refused.text);
    assert!(refused.text.contains("of = ["), "what was entered is still there");
    assert_eq!(server.paths("q=laptop&mode=lexical&correct=false").len(), 2);
    assert_eq!(fs::read_to_string(&file).unwrap(), "[both]\nlaptop = [\"notebook\"]\n");

    // Somebody else was quicker.
    fs::write(&file, "[both]\ncomputer = [\"notebook\"]\n").unwrap();
    let late = save(&server, "synonyms", &before, "[both]\nscreen = [\"notebook\"]\n");
    assert!(late.text.contains("somebody else has changed it"), "{}", late.text);
    assert_eq!(fs::read_to_string(&file).unwrap(), "[both]\ncomputer = [\"notebook\"]\n");

    let (_, before) = written(&server, "rules");
    let rule = "[[pin]]\nqueries = [\"notebook\"]\ndocuments = [\"docs/tunnel.md\"]\n";
    assert_eq!(save(&server, "rules", &before, rule).status, 303);
    assert_eq!(server.paths("q=notebook")[0], "tunnel.md");
    // A command on the same data folder goes by them, too.
    assert_eq!(bench.paths(&["notebook"])[0], "tunnel.md");
    let logs = fs::read_dir(bench.data().join("audit")).unwrap();
    let log: String = logs.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    assert!(log.contains("synonyms-changed") && log.contains("rules-changed"), "{log}");
}

#[test]
fn a_file_that_is_written_by_hand_comes_in_force_by_itself() {
    let (bench, server) = server("");
    let file = bench.data().join("synonyms.toml");
    fs::write(&file, "[both]\nlaptop = [\"notebook\"]\n").unwrap();
    let found = || server.paths("q=laptop&mode=lexical&correct=false").len();
    eventually("it is in force", || (found() == 2).then_some(()));
    fs::write(&file, "[both]\nlaptop = 3\n").unwrap();
    eventually("what is wrong is said", || {
        let page = server.get("/admin/server").text;
        (page.contains("what was in force stays") && page.contains("synonyms.toml")).then_some(())
    });
    assert_eq!(found(), 2, "what held holds");
    fs::remove_file(&file).unwrap();
    eventually("nothing is written any more", || (found() == 0).then_some(()));
}

#[test]
fn administrators_read_the_log_and_the_settings_without_secrets() {
    let (bench, server) = server("[index]\nevery_minutes = 777\n");
    let page = server.get("/admin/server").text;
    assert!(page.contains("every_minutes = 777"), "{page}");
    let key = bench.run(&["keys", "create", "reader", "--scope", "search,index"]).succeeded().stdout();
    let as_reader = [("x-api-key", key.trim())];
    for address in ["/admin/server", "/admin/guidance"] {
        assert_eq!(server.request("GET", address, &as_reader, &[]).status, 403, "{address}");
    }
}
