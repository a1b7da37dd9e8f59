//! Assistants: the Model Context Protocol over HTTP and over standard input and output, in both its manners (with a handshake, and
//! with requests that say all themselves), by messages as they are written. What others made to speak it is run by `.ci/mcp`.

mod doors;
mod faults;
mod speech;
mod views;

use serde_json::{Value, json};

use crate::server::Server;
use crate::support::{Bench, fixture};
use speech::{Agent, Manner, Speaker, Stdio, Web, called, failed};

/// What is given up for lack of time differs from run to run: here there is time.
const UNHURRIED: &str = "[search]\nsentence_ms = 20000\nanswer_ms = 20000\n[limits]\nrequest_seconds = 300\n";

const LEAVE: &str = "How many working days of holiday a year do full-time staff have?";

/// The handbook, served and read, by both ways in both manners.
fn each_way(bench: &Bench, server: &Server, mut does: impl FnMut(&mut Agent<'_>)) {
    for manner in Manner::ALL {
        let mut web = Web::new(server, &[]);
        does(&mut Agent::new(&mut web, manner));
        let mut stdio = Stdio::start(bench, &[]);
        does(&mut Agent::new(&mut stdio, manner));
        stdio.ends_well();
    }
}

fn over_handbook(bench: &Bench) -> Server {
    Server::configured(bench, UNHURRIED, &[&fixture("handbook").display().to_string()]).ready()
}

#[test]
fn tools_are_told_alike_by_each_way() {
    let bench = Bench::new();
    let server = over_handbook(&bench);
    let mut told: Vec<Value> = Vec::new();
    each_way(&bench, &server, |agent| {
        let listed = agent.ask("tools/list", json!({}));
        assert_eq!(listed, agent.ask("tools/list", json!({})), "the same each time");
        if agent.manner == Manner::Alone {
            assert_eq!((&listed["cacheScope"], &listed["resultType"]), (&json!("private"), &json!("complete")));
            assert!(listed["ttlMs"].as_u64().unwrap() > 0);
        } else {
            assert!(listed["resultType"].is_null(), "{listed}");
        }
        told.push(listed["tools"].clone());
    });
    assert!(told.len() == 4 && told.iter().all(|tools| *tools == told[0]));
    let names: Vec<&str> = told[0].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["search", "fetch", "search_passages", "list_sources", "similar", "answer"]);
    for tool in told[0].as_array().unwrap() {
        let hints = &tool["annotations"];
        assert_eq!(
            (&hints["readOnlyHint"], &hints["destructiveHint"], &hints["openWorldHint"]),
            (&json!(true), &json!(false), &json!(false)),
            "{tool}"
        );
        assert!(tool["inputSchema"]["type"] == "object" && tool["outputSchema"]["type"] == "object", "{tool}");
        assert!(tool["description"].is_string() && tool["title"].is_string(), "{tool}");
    }
}

#[test]
fn search_and_fetch_have_the_shape_of_connectors() {
    let bench = Bench::new();
    let server = over_handbook(&bench);
    each_way(&bench, &server, |agent| {
        let found = called(&agent.tool("search", json!({ "query": "how do I get my travel money back" })));
        assert_eq!(found.as_object().unwrap().keys().collect::<Vec<_>>(), ["results"]);
        let results = found["results"].as_array().unwrap();
        assert!((1..=10).contains(&results.len()));
        for result in results {
            assert_eq!(result.as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "title", "url"]);
            assert!(result.as_object().unwrap().values().all(|value| !value.as_str().unwrap().is_empty()), "{result}");
            assert!(result["url"].as_str().unwrap().starts_with("http://"), "{result}");
        }
        let id = &results[0]["id"];
        let fetched = called(&agent.tool("fetch", json!({ "id": id })));
        assert_eq!(fetched.as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "metadata", "text", "title", "url"]);
        for field in ["id", "title", "url"] {
            assert_eq!(fetched[field], results[0][field], "{field}");
        }
        let passages = server.get(&format!("/api/v1/documents/{}/passages", id.as_str().unwrap())).expect(200);
        for passage in passages["passages"].as_array().unwrap() {
            assert!(fetched["text"].as_str().unwrap().contains(passage["text"].as_str().unwrap().trim()), "{fetched}");
        }
        assert_eq!(fetched["metadata"]["source"], "handbook");
        assert!(fetched["metadata"].as_object().unwrap().values().all(Value::is_string), "{fetched}");
    });
}

#[test]
fn the_other_tools_answer_like_the_rest_api() {
    let bench = Bench::new();
    let server = over_handbook(&bench);
    let body = json!({ "query": "travel claims", "top": 3, "filters": { "type": ["markdown"] } });
    let rest = server.send("POST", "/api/v1/search", &body).expect(200);
    let ids = |answer: &Value| -> Vec<String> {
        let results = answer["results"].as_array().unwrap();
        results.iter().map(|hit| hit["id"].as_str().unwrap().to_owned()).collect()
    };
    let similar = server.get(&format!("/api/v1/similar?id={}&top=4", ids(&rest)[0])).expect(200);
    let reply = server.send("POST", "/api/v1/answer", &json!({ "question": LEAVE })).expect(200);
    each_way(&bench, &server, |agent| {
        let asked = json!({ "query": "travel claims", "top": 3, "filters": { "type": ["markdown"] } });
        let found = called(&agent.tool("search_passages", asked.clone()));
        assert_eq!((ids(&found), &found["total"]), (ids(&rest), &rest["total"]));
        let (passage, same) = (&found["results"][0]["passages"][0], &rest["results"][0]["passages"][0]);
        for field in ["number", "text", "headings", "lines", "score"] {
            assert_eq!(passage[field], same[field], "{field}");
        }
        assert!(passage["url"].as_str().unwrap().ends_with(&format!("#passage-{}", passage["number"])), "{passage}");
        let mut on = asked;
        on["cursor"] = found["next"].clone();
        let next = called(&agent.tool("search_passages", on));
        assert!(!ids(&next).is_empty() && ids(&next).iter().all(|id| !ids(&found).contains(id)), "{next}");

        let alike = called(&agent.tool("similar", json!({ "id": ids(&rest)[0], "top": 4 })));
        assert_eq!(ids(&alike), ids(&similar));

        let sources = called(&agent.tool("list_sources", json!({})));
        assert_eq!(
            (&sources["sources"][0]["name"], sources["sources"].as_array().unwrap().len()),
            (&json!("handbook"), 1)
        );

        let answered = called(&agent.tool("answer", json!({ "question": LEAVE })));
        assert_eq!((&answered["outcome"], &answered["sentences"]), (&json!("answered"), &reply["sentences"]));
        assert_eq!(answered["citations"][0]["text"], reply["citations"][0]["text"]);
        assert!(!answered["citations"][0]["url"].as_str().unwrap().is_empty());
        let none = called(&agent.tool("answer", json!({ "question": "how much is the dividend this year" })));
        assert_eq!((&none["outcome"], &none["sentences"]), (&json!("unanswered"), &json!([])));
    });
}

#[test]
fn documents_are_resources() {
    let bench = Bench::with_documents(130);
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    each_way(&bench, &server, |agent| {
        let templates = agent.ask("resources/templates/list", json!({}));
        assert_eq!(templates["resourceTemplates"][0]["uriTemplate"], "quarry://doc/{id}");
        let first = agent.ask("resources/list", json!({}));
        let second = agent.ask("resources/list", json!({ "cursor": first["nextCursor"] }));
        assert!(second["nextCursor"].is_null(), "{second}");
        let of = |page: &Value| page["resources"].as_array().unwrap().clone();
        let mut uris: Vec<String> =
            [of(&first), of(&second)].concat().iter().map(|row| row["uri"].as_str().unwrap().to_owned()).collect();
        assert_eq!((of(&first).len(), uris.len()), (100, 130));
        let read = agent.ask("resources/read", json!({ "uri": uris[0] }));
        let content = &read["contents"][0];
        assert_eq!((&content["uri"], &content["mimeType"]), (&json!(uris[0]), &json!("text/plain")));
        assert!(content["text"].as_str().unwrap().contains("This note is about"), "{read}");
        uris.sort();
        uris.dedup();
        assert_eq!(uris.len(), 130, "no document twice");
        let code = if agent.manner == Manner::Alone { -32602 } else { -32002 };
        for missing in ["quarry://doc/00000000000000000000000000000000", "quarry://doc/x", "file:///etc/passwd"] {
            let refused = agent.refused("resources/read", json!({ "uri": missing }));
            assert_eq!(refused["code"], code, "{missing}: {refused}");
        }
        for cursor in ["x", "99999-00000000000000000000000000000000"] {
            assert_eq!(agent.refused("resources/list", json!({ "cursor": cursor }))["code"], -32602);
        }
    });
}

#[test]
fn links_lead_to_where_people_reach_the_server() {
    let bench = Bench::with_documents(2);
    let docs = bench.docs().display().to_string();
    let config = "[server]\npublic_url = \"https://search.example/quarry/\"\n";
    let server = Server::configured(&bench, config, &[&docs]).ready();
    let path = bench.root.path().join("quarry.toml");
    let mut web = Web::new(&server, &[]);
    let mut stdio = Stdio::start(&bench, &["--config", path.to_str().unwrap()]);
    let speakers: [&mut dyn Speaker; 2] = [&mut web, &mut stdio];
    for speaker in speakers {
        let mut agent = Agent::new(speaker, Manner::Alone);
        let found = called(&agent.tool("search", json!({ "query": "marker001" })));
        let (id, url) = (found["results"][0]["id"].as_str().unwrap(), &found["results"][0]["url"]);
        assert_eq!(*url, format!("https://search.example/quarry/document/{id}"));
    }
    // Without it: the address that a document came with, or where the request came to.
    let server = {
        drop(server);
        Server::start(&bench, &[&docs]).ready()
    };
    let put = json!({ "path": "a.md", "text": "The plover lays eggs.", "url": "https://wiki.example/plover" });
    server.send("PUT", "/api/v1/documents", &put).expect(200);
    let mut web = Web::new(&server, &[]);
    let mut agent = Agent::new(&mut web, Manner::Handshake);
    let found = called(&agent.tool("search", json!({ "query": "plover" })));
    assert_eq!(found["results"][0]["url"], "https://wiki.example/plover");
    let found = called(&agent.tool("search", json!({ "query": "marker001" })));
    let start = format!("http://{}/document/", server.address);
    assert!(found["results"][0]["url"].as_str().unwrap().starts_with(&start), "{found}");
}

#[test]
fn what_is_committed_meanwhile_is_found() {
    let bench = Bench::with_documents(3);
    bench.index();
    let mut stdio = Stdio::start(&bench, &[]);
    let mut agent = Agent::new(&mut stdio, Manner::Handshake);
    let passages = |agent: &mut Agent<'_>, word: &str| {
        called(&agent.tool("search_passages", json!({ "query": format!("\"{word}\"") })))["total"].clone()
    };
    assert_eq!((passages(&mut agent, "marker001"), passages(&mut agent, "plover")), (json!(1), json!(0)));
    bench.write("plover.md", "# Plover\n\nThe plover lays eggs.\n");
    bench.index();
    assert_eq!(passages(&mut agent, "plover"), json!(1));
    // Another edition of the index.
    std::fs::remove_file(bench.docs().join("note-001.md")).unwrap();
    bench.run(&["index", "--rebuild"]).succeeded();
    assert_eq!((passages(&mut agent, "marker001"), passages(&mut agent, "plover")), (json!(0), json!(1)));
    assert_eq!(failed(&agent.tool("fetch", json!({ "id": "0".repeat(32) }))), "the document does not exist");
    stdio.ends_well();
}

#[test]
fn each_revision_with_a_handshake_is_spoken() {
    let bench = Bench::with_documents(1);
    bench.index();
    for (asked, told) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        // That one has none, and this one is none: the newest that has one.
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let client = json!({ "name": "test", "version": "1" });
        let hello = json!({ "protocolVersion": asked, "capabilities": {}, "clientInfo": client });
        let lines = [
            Manner::Handshake.request(1, "initialize", hello),
            json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
            Manner::Handshake.call(2, "list_sources", json!({})),
        ];
        let run = bench.run_with(&["mcp"], &lines.map(|line| line.to_string()).join("\n")).succeeded();
        let told_lines: Vec<Value> = run.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(told_lines[0]["result"]["protocolVersion"], told, "{asked}");
        assert_eq!(called(&told_lines[1]["result"])["sources"][0]["name"], "docs");
    }
}

#[test]
fn what_was_asked_before_the_end_is_answered() {
    let bench = Bench::with_documents(3);
    bench.index();
    let asked: Vec<String> =
        (1..=20).map(|id| Manner::Alone.call(id, "search", json!({ "query": "note" })).to_string()).collect();
    let run = bench.run_with(&["mcp"], &asked.join("\n")).succeeded();
    let mut ids: Vec<i64> = run
        .stdout()
        .lines()
        .map(|line| {
            let told: Value = serde_json::from_str(line).unwrap();
            assert!(told["result"]["structuredContent"]["results"].is_array(), "{line}");
            told["id"].as_i64().unwrap()
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=20).collect::<Vec<_>>());
    // Nothing at all, and no index.
    assert_eq!(bench.run_with(&["mcp"], "").succeeded().stdout(), "");
    Bench::new().run_with(&["mcp"], "").refused(&["there is no index", "quarry index"]);
}
