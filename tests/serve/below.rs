//! The server below a path of another site: every address that a page or an answer names leads there.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::server::{Reply, Server};
use crate::support::{Bench, fixture};

/// The addresses in a page that are not within it.
fn addresses(page: &str) -> BTreeSet<String> {
    let attributes = [" href=\"", " src=\"", " action=\"", " data-link=\""];
    let values =
        attributes.iter().flat_map(|attribute| page.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()));
    values.filter(|value| !value.starts_with('#')).map(|value| value.replace("&amp;", "&")).collect()
}

/// The head of an answer, from which nobody is led on.
fn unfollowed(server: &Server, path: &str) -> String {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.to_lowercase()
}

/// Asks for all that can be reached from the first page, and for what it names, as `ask` sees the server.
fn walk(ask: &dyn Fn(&str) -> Reply) -> usize {
    let mut seen = BTreeSet::new();
    let mut waiting = ["/quarry/nowhere", "/quarry/search?q=leave", "/quarry/"].map(str::to_string).to_vec();
    while let Some(address) = waiting.pop() {
        // Some of each kind are enough: results and facets lead to ever more searches.
        let kind = |address: &str| {
            address.split(['?', '#']).next().and_then(|path| path.split('/').nth(2).map(str::to_string))
        };
        let of_kind = seen.iter().filter(|seen: &&String| kind(seen) == kind(&address)).count();
        if of_kind > 12 || !seen.insert(address.clone()) {
            continue;
        }
        let reply = ask(&address);
        let expected = if address == "/quarry/nowhere" { 404 } else { 200 };
        assert_eq!(reply.status, expected, "{address}: {}", reply.text);
        if !reply.header("content-type").starts_with("text/html") {
            continue;
        }
        for found in addresses(&reply.text) {
            if address.starts_with("/quarry/api/docs") {
                assert!(!found.starts_with('/'), "{address}: {found}");
                waiting.push(format!("/quarry/api/{found}"));
                continue;
            }
            assert!(found.starts_with("/quarry/"), "{address} leads to {found}");
            // Buttons: they are pressed, not looked at.
            if found.starts_with("/quarry/admin/") {
                continue;
            }
            waiting.push(found.split('#').next().unwrap().to_string());
        }
    }
    seen.len()
}

#[test]
fn every_address_of_a_page_leads_below_the_base() {
    let bench = Bench::new();
    let config = "[server]\nbase_path = \"/quarry\"\n";
    let server = Server::configured(&bench, config, &[&fixture("handbook").display().to_string()]).ready();
    let browser = [("accept", "text/html")];
    // A proxy that leaves the path as it is, and one that takes it off.
    let kept = walk(&|address| server.request("GET", address, &browser, &[]));
    let taken = walk(&|address| server.request("GET", address.strip_prefix("/quarry").unwrap(), &browser, &[]));
    assert!(kept > 20 && taken > 20, "{kept} {taken}");
    let part = server.get("/quarry/api/v1/search?q=leave&top=1").expect(200);
    let id = part["results"][0]["id"].as_str().unwrap();
    let preview = server.request("GET", &format!("/quarry/document/{id}"), &[("x-quarry-part", "1")], &[]);
    assert!(addresses(&preview.text).iter().all(|address| address.starts_with("/quarry/")), "{}", preview.text);
    let chosen = unfollowed(&server, "/quarry/preferences?theme=dark&back=%2Fstatus");
    for line in ["location: /quarry/status\r\n", "set-cookie: quarry-theme=dark; path=/quarry/;"] {
        assert!(chosen.contains(line), "{line}: {chosen}");
    }
    let opensearch = server.get("/quarry/opensearch.xml").text;
    assert!(opensearch.contains("/quarry/search?q={searchTerms}"), "{opensearch}");
    let described = server.get("/quarry/api/openapi.json").expect(200);
    assert_eq!(described["servers"], json!([{ "url": "/quarry" }]));
    let problem = server.get("/quarry/api/v1/nothing").problem(404, "not-found");
    assert_eq!(problem["type"], "/quarry/api/docs#not-found");
    // Where a page begins that has the base in its text, nothing is put before it.
    server.put("x.md", "A page says href=\"/search\" and gecko.").expect(200);
    assert!(server.get("/quarry/search?q=gecko").text.contains("href=&quot;/search&quot;"));
}

#[test]
fn a_trusted_proxy_names_the_base() {
    let bench = Bench::with_documents(1);
    let docs = bench.docs().display().to_string();
    let config = "[auth]\nproxy_from = [\"127.0.0.1\"]\nproxy_header = \"X-User\"\nproxy_scopes = [\"search\"]\n";
    let server = Server::configured(&bench, config, &[&docs]).ready();
    let asked = |prefix: &str| {
        server.request("GET", "/search?q=holidays", &[("x-user", "ann"), ("x-forwarded-prefix", prefix)], &[]).text
    };
    assert!(addresses(&asked("/team/quarry/")).iter().all(|address| address.starts_with("/team/quarry/")));
    // What is no plain path is none.
    for odd in ["//evil.example", "/a/../b", "https://evil.example", "/\"onload="] {
        assert!(
            addresses(&asked(odd)).iter().all(|address| address.starts_with('/') && !address.contains("evil")),
            "{odd}"
        );
    }
    let alone = Bench::with_documents(1);
    let server = Server::start(&alone, &[&alone.docs().display().to_string()]).ready();
    let page = server.request("GET", "/search?q=holidays", &[("x-forwarded-prefix", "/evil")], &[]).text;
    assert!(!page.contains("/evil"), "from others the header means nothing");
}
