//! What somebody may not see is in nothing that an assistant is told for them.

use serde_json::{Value, json};

use super::UNHURRIED;
use super::speech::{Agent, Manner, Speaker, Stdio, Web, called, failed};
use crate::server::Server;
use crate::support::Bench;

const OPEN: &str = "# Printers\n\nPrinters on each floor take paper from the store room.\n";
const HIDDEN: &str =
    "# Zanzibar merger\n\nThe merger with Zanzibar Ltd. is planned for 17 May. Its price is 40 million euros.\n";
const QUESTION: &str = "When is the merger with Zanzibar Ltd. planned for?";

/// A server with an open document, one that is for a group, and a source of which all is.
struct Scene {
    bench: Bench,
    server: Server,
    admin: String,
    anna: String,
    hidden: String,
}

impl Scene {
    fn new() -> Self {
        let bench = Bench::new();
        bench.write("open.md", OPEN);
        let made = |args: &[&str]| {
            let run = bench.run(&[&["keys", "create", "test"], args].concat()).succeeded();
            run.stdout().trim().to_string()
        };
        let (admin, anna) = (made(&["--scope", "admin"]), made(&["--as", "user:anna", "--groups", "staff"]));
        let server = Server::configured(&bench, UNHURRIED, &[&bench.docs().display().to_string()]).ready();
        let bearer = format!("Bearer {admin}");
        let put = |body: Value| {
            let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
            server.request("PUT", "/api/v1/documents", &headers, body.to_string().as_bytes()).expect(200)
        };
        let hidden = put(json!({ "path": "merger.md", "text": HIDDEN, "access": ["group:board"] }));
        let hidden = hidden["id"].as_str().unwrap().to_owned();
        Self { bench, server, admin, anna, hidden }
    }
}

/// All that an assistant is told, by every tool and resource.
fn told(agent: &mut Agent<'_>, hidden: &str) -> Vec<(String, Value)> {
    let mut told = Vec::new();
    for (tool, arguments) in [
        ("search", json!({ "query": "Zanzibar merger price" })),
        ("search", json!({ "query": "source:api" })),
        ("search_passages", json!({ "query": "When is the merger with Zanzibar?", "top": 50 })),
        ("search_passages", json!({ "query": "zanzibra" })),
        ("search_passages", json!({ "query": "\"17 May\"" })),
        ("search_passages", json!({ "query": "merger", "filters": { "source": ["api"] } })),
        ("fetch", json!({ "id": hidden })),
        ("similar", json!({ "id": hidden })),
        ("answer", json!({ "question": QUESTION })),
        ("list_sources", json!({})),
    ] {
        told.push((format!("{tool} {arguments}"), agent.tool(tool, arguments)));
    }
    for (method, params) in
        [("resources/list", json!({})), ("resources/read", json!({ "uri": format!("quarry://doc/{hidden}") }))]
    {
        told.push((format!("{method} {params}"), agent.send(method, params)));
    }
    told
}

/// Nothing of the hidden document: no word, no id (but where it is asked for), no source.
fn is_silent(told: &[(String, Value)], hidden: &str) {
    for (asked, answer) in told {
        let mut text = answer.to_string().to_lowercase();
        // What was asked is repeated.
        for word in ["zanzibar merger price", "when is the merger with zanzibar?", &QUESTION.to_lowercase()] {
            text = text.replace(word, "");
        }
        text = text.replace(&format!("quarry://doc/{hidden}"), "").replace("no source \\\"api\\\"", "");
        for word in ["zanzibar", "40 million", "board", "merger.md", hidden, "\\\"api\\\""] {
            assert!(!text.contains(word), "{asked} tells {word:?}: {answer}");
        }
    }
}

/// A hidden document and its source answer like ones that there never were.
fn is_alike(agent: &mut Agent<'_>, hidden: &str) {
    let nothing = "f".repeat(32);
    for tool in ["fetch", "similar"] {
        let of = |agent: &mut Agent<'_>, id: &str| failed(&agent.tool(tool, json!({ "id": id }))).to_owned();
        assert_eq!(of(agent, hidden), of(agent, &nothing));
    }
    let read = |agent: &mut Agent<'_>, id: &str| {
        agent.refused("resources/read", json!({ "uri": format!("quarry://doc/{id}") })).to_string().replace(id, "")
    };
    assert_eq!(read(agent, hidden), read(agent, &nothing));
    let within = |agent: &mut Agent<'_>, source: &str| {
        let asked = json!({ "query": "a", "filters": { "source": [source] } });
        failed(&agent.tool("search_passages", asked)).replace(source, "")
    };
    assert_eq!(within(agent, "api"), within(agent, "nowhere"));
}

/// Whoever may see it is told.
fn is_told(told: &[(String, Value)]) {
    for (asked, answer) in told {
        let text = answer.to_string();
        let is_about_words =
            !asked.starts_with("list_sources") && !asked.contains("resources/list") && !asked.contains("\"id\"");
        if asked.starts_with("fetch") || asked.starts_with("resources/read") || asked.starts_with("answer") {
            assert!(text.contains("17 May"), "{asked}: {answer}");
        } else if is_about_words {
            assert!(text.contains("Zanzibar merger"), "{asked}: {answer}");
        } else if asked.starts_with("list_sources") {
            assert!(text.contains("api"), "{answer}");
        }
    }
}

#[test]
fn what_anna_may_not_see_is_in_no_answer() {
    let scene = Scene::new();
    let anna = "user:anna,group:staff";
    for manner in Manner::ALL {
        let mut by_key = Web::by_key(&scene.server, &scene.anna);
        let mut by_name = Stdio::start(&scene.bench, &["--as", anna]);
        let closed: [&mut dyn Speaker; 2] = [&mut by_key, &mut by_name];
        for speaker in closed {
            let mut agent = Agent::new(speaker, manner);
            is_silent(&told(&mut agent, &scene.hidden), &scene.hidden);
            is_alike(&mut agent, &scene.hidden);
            let open = called(&agent.tool("search", json!({ "query": "printers" })));
            assert_eq!(open["results"][0]["title"], "Printers");
        }
        let mut by_key = Web::by_key(&scene.server, &scene.admin);
        let mut owner = Stdio::start(&scene.bench, &[]);
        let mut board = Stdio::start(&scene.bench, &["--as", "user:bert,group:board"]);
        let open: [&mut dyn Speaker; 3] = [&mut by_key, &mut owner, &mut board];
        for speaker in open {
            is_told(&told(&mut Agent::new(speaker, manner), &scene.hidden));
        }
    }
}

#[test]
fn what_becomes_hidden_is_hidden_at_once() {
    let scene = Scene::new();
    let mut by_key = Web::by_key(&scene.server, &scene.anna);
    let mut by_name = Stdio::start(&scene.bench, &["--as", "user:anna,group:staff"]);
    let bearer = format!("Bearer {}", scene.admin);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for (access, is_open) in [(json!(["group:staff"]), true), (json!(["group:board"]), false)] {
        let put = json!({ "path": "merger.md", "text": HIDDEN, "access": access });
        scene.server.request("PUT", "/api/v1/documents", &headers, put.to_string().as_bytes()).expect(200);
        let speakers: [&mut dyn Speaker; 2] = [&mut by_key, &mut by_name];
        for speaker in speakers {
            let mut agent = Agent::new(speaker, Manner::Alone);
            let fetched = agent.tool("fetch", json!({ "id": scene.hidden }));
            assert_eq!(fetched["isError"] != true, is_open, "{fetched}");
        }
    }
}
