//! What is wrong is told, whatever it is, and the next message is answered as if nothing had been.

use serde_json::json;

use super::speech::{Agent, Manner, Stdio, Web, called, failed};
use super::{each_way, over_handbook};
use crate::server::over_documents;
use crate::support::Bench;

#[test]
fn wrong_arguments_are_named() {
    let bench = Bench::new();
    let server = over_handbook(&bench);
    each_way(&bench, &server, |agent| {
        for (tool, arguments, part) in [
            ("search", json!({}), "missing field `query`"),
            ("search", json!({ "query": ["a"] }), "query"),
            ("search", json!({ "query": "a", "top": 3 }), "unknown field `top`"),
            ("search", json!({ "query": "a ".repeat(9_000) }), "query is 18000, more than the limit of 2000"),
            ("fetch", json!({ "id": 7 }), "id: invalid type"),
            ("fetch", json!({ "id": "../../etc/passwd" }), "the document does not exist"),
            ("fetch", json!({ "id": "0".repeat(32) }), "the document does not exist"),
            ("search_passages", json!({ "query": "a", "top": 0 }), "top: expected at least 1"),
            ("search_passages", json!({ "query": "a", "top": 51 }), "top is 51, more than the limit of 50"),
            ("search_passages", json!({ "query": "a", "filters": { "typ": ["md"] } }), "unknown field `typ`"),
            (
                "search_passages",
                json!({ "query": "a", "filters": { "type": ["klingon"] } }),
                "type: expected a type of documents",
            ),
            ("search_passages", json!({ "query": "a", "filters": { "after": "soon" } }), "after"),
            ("search_passages", json!({ "query": "a", "filters": { "source": ["nowhere"] } }), "no source \"nowhere\""),
            ("search_passages", json!({ "query": "a", "cursor": "x" }), "cursor"),
            ("list_sources", json!({ "all": true }), "unknown field `all`"),
            ("similar", json!({ "id": "0".repeat(32) }), "the document or passage does not exist"),
            ("similar", json!({ "id": "0".repeat(32), "source": ["nowhere"] }), "no source \"nowhere\""),
            ("answer", json!({ "query": "a" }), "unknown field `query`"),
            ("answer", json!({ "question": "a ".repeat(9_000) }), "question is 18000"),
        ] {
            let result = agent.tool(tool, arguments);
            assert!(failed(&result).contains(part), "{tool}: expected {part:?} in {result}");
        }
        let unknown = agent.refused("tools/call", json!({ "name": "delete_everything", "arguments": {} }));
        assert_eq!(unknown["code"], -32602);
        assert!(unknown["message"].as_str().unwrap().contains("delete_everything"), "{unknown}");
        for params in [json!({ "name": 7 }), json!({}), json!({ "name": "search", "arguments": "a" })] {
            assert_eq!(agent.refused("tools/call", params.clone())["code"], -32602, "{params}");
        }
        assert_eq!(agent.refused("tools/list", json!({ "cursor": "x" }))["code"], -32602);
        for method in ["nothing", "prompts/list", "completion/complete", "logging/setLevel", "sampling/createMessage"] {
            assert_eq!(agent.refused(method, json!({}))["code"], -32601, "{method}");
        }
        called(&agent.tool("list_sources", json!({})));
    });
}

/// What is no message, with the code that it is told.
fn broken() -> Vec<(Vec<u8>, i64)> {
    vec![
        (b"hello".to_vec(), -32700),
        (b"{\"jsonrpc\":".to_vec(), -32700),
        (b"\xff\xfe\x00".to_vec(), -32700),
        ("[".repeat(100_000).into_bytes(), -32700),
        (b"[]".to_vec(), -32600),
        (b"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]".to_vec(), -32600),
        (b"null".to_vec(), -32600),
        (b"{}".to_vec(), -32600),
        (b"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}".to_vec(), -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}".to_vec(), -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":[]}".to_vec(), -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":[1]}".to_vec(), -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1}".to_vec(), -32600),
    ]
}

#[test]
fn a_broken_message_is_answered_and_ends_nothing() {
    let bench = Bench::with_documents(2);
    bench.index();
    // Before it has begun, and after.
    for begins in [false, true] {
        let mut stdio = Stdio::start(&bench, &[]);
        if begins {
            Agent::new(&mut stdio, Manner::Handshake);
        }
        for (line, code) in broken() {
            stdio.write(&line);
            let told = stdio.read();
            assert_eq!((&told["error"]["code"], &told["jsonrpc"]), (&json!(code), &json!("2.0")), "{told}");
        }
        let long = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{}\"}}", "x".repeat(5 << 20));
        stdio.write(long.as_bytes());
        let told = stdio.read();
        assert!(told["error"]["message"].as_str().unwrap().contains("longer than"), "{told}");
        // What asks for nothing is answered by nothing.
        for quiet in [
            json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 99 } }),
            json!({ "jsonrpc": "2.0", "method": "notifications/of/others", "params": {} }),
            json!({ "jsonrpc": "2.0", "id": 5, "result": {} }),
            json!({ "jsonrpc": "2.0", "id": 5, "error": { "code": 1, "message": "x" } }),
        ] {
            stdio.write(quiet.to_string().as_bytes());
        }
        stdio.write(b"");
        stdio.write(b"  \r");
        called(&Agent::new(&mut stdio, Manner::Alone).tool("search", json!({ "query": "marker001" })));
        stdio.ends_well();
    }
}

#[test]
fn a_broken_body_is_answered_in_the_form_of_the_protocol() {
    let (_bench, server) = over_documents(2);
    let accept = ("accept", "application/json, text/event-stream");
    let post = |headers: &[(&str, &str)], body: &[u8]| server.request("POST", "/mcp", headers, body);
    let json_body = ("content-type", "application/json");
    for (body, code) in broken() {
        let told = post(&[json_body, accept], &body).expect(400);
        assert_eq!(told["error"]["code"], code, "{told}");
    }
    post(&[accept], b"{}").problem(415, "media-type");
    post(&[json_body, accept], &vec![b' '; 2 << 20]).problem(413, "too-large");
    let ping = Manner::Handshake.request(1, "ping", json!({})).to_string();
    // Programs that say nothing of what they take are answered, those that take something else are not.
    assert_eq!(post(&[json_body], ping.as_bytes()).expect(200)["result"], json!({}));
    assert_eq!(post(&[json_body, ("accept", "*/*")], ping.as_bytes()).expect(200)["id"], 1);
    assert_eq!(post(&[json_body, ("accept", "text/html")], ping.as_bytes()).expect(406)["error"]["code"], -32600);
    let other = ("mcp-protocol-version", "1999-01-01");
    assert_eq!(post(&[json_body, accept, other], ping.as_bytes()).expect(400)["error"]["code"], -32600);
}

#[test]
fn headers_and_body_have_to_agree() {
    let (_bench, server) = over_documents(2);
    let call = Manner::Alone.call(1, "list_sources", json!({})).to_string();
    let post = |more: &[(&str, &str)]| {
        let own = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        server.request("POST", "/mcp", &[&own, more].concat(), call.as_bytes())
    };
    let (version, method, name) =
        (("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "list_sources"));
    assert!(post(&[version, method, name]).expect(200)["result"].is_object());
    for wrong in [
        &[][..],
        &[version],
        &[version, method],
        &[version, ("mcp-method", "tools/list"), name],
        &[version, method, ("mcp-name", "search")],
        &[("mcp-protocol-version", "2025-06-18"), method, name],
    ] {
        let told = post(wrong).expect(400);
        assert_eq!(told["error"]["code"], -32020, "{wrong:?}: {told}");
    }
    let mut future = Manner::Alone.call(1, "list_sources", json!({}));
    future["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2999-01-01");
    let told = Web::new(&server, &[]).post(&future).expect(400);
    assert_eq!(told["error"]["code"], -32022, "{told}");
    assert!(told["error"]["data"]["supported"].as_array().unwrap().contains(&json!("2026-07-28")), "{told}");
    let unknown = Web::new(&server, &[]).post(&Manner::Alone.request(1, "nothing", json!({}))).expect(404);
    assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
}

#[test]
fn a_request_that_is_called_off_holds_nothing_up() {
    let bench = Bench::with_documents(2);
    bench.index();
    for manner in Manner::ALL {
        let mut stdio = Stdio::start(&bench, &[]);
        Agent::new(&mut stdio, manner);
        for id in 100..120 {
            stdio.write(manner.call(id, "search", json!({ "query": "note" })).to_string().as_bytes());
            let off = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
            stdio.write(off.to_string().as_bytes());
        }
        stdio.write(manner.request(200, "tools/list", json!({})).to_string().as_bytes());
        // Those that were answered before they were called off may have come through.
        while stdio.read()["id"] != 200 {}
        drop(stdio);
        let lines: Vec<String> = (1..=5)
            .flat_map(|id| {
                let off =
                    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
                [Manner::Alone.call(id, "search", json!({ "query": "note" })).to_string(), off.to_string()]
            })
            .collect();
        // Nor does the end wait for them.
        bench.run_with(&["mcp"], &lines.join("\n")).succeeded();
    }
}
