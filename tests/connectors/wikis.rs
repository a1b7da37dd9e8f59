//! Wikis and Confluence: added, followed and found, and what is restricted there not by others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::found;
use super::site::Site;
use crate::support::Bench;

/// A page: its title, version, text, and the group that alone may read it.
#[derive(Clone)]
struct Page {
    title: &'static str,
    version: u64,
    text: &'static str,
    readers: Option<&'static str>,
}

type Pages = Arc<Mutex<BTreeMap<u64, Page>>>;

fn page(title: &'static str, text: &'static str) -> Page {
    Page { title, version: 1, text, readers: None }
}

fn handbook() -> Pages {
    let badges =
        Page { readers: Some("hr"), ..page("Badges", "<p>Lost badges are replaced by the sphagnum desk.</p>") };
    let leave = page("Leave", "<p>Everybody has thirty days of ombrotrophic leave a year.</p>");
    Arc::new(Mutex::new(BTreeMap::from([(1, leave), (2, badges)])))
}

/// A wiki that runs MediaWiki, as far as it is asked.
fn mediawiki(pages: &Pages) -> Site {
    let (site, pages) = (Site::start(), Arc::clone(pages));
    let at = site.address.clone();
    site.answer(move |asked| {
        let pages = pages.lock().unwrap();
        let id = asked.split_once("pageid=").and_then(|(_, rest)| rest.split('&').next()?.parse::<u64>().ok());
        let told = if asked.contains("siteinfo") {
            json!({ "query": { "namespaces": { "0": { "id": 0, "content": true } } } })
        } else if asked.contains("allpages") {
            let listed: Vec<Value> = pages
                .iter()
                .map(|(id, page)| {
                    json!({ "pageid": id, "title": page.title, "lastrevid": page.version, "fullurl": format!("{at}/wiki/{}", page.title) })
                })
                .collect();
            json!({ "batchcomplete": true, "query": { "pages": listed } })
        } else if let Some(page) = id.and_then(|id| pages.get(&id)) {
            json!({ "parse": { "title": page.title, "revid": page.version, "text": page.text } })
        } else {
            json!({ "batchcomplete": true })
        };
        Some(told.to_string())
    });
    site
}

/// Confluence at Data Center, as far as it is asked.
fn confluence(pages: &Pages) -> Site {
    let (site, pages) = (Site::start(), Arc::clone(pages));
    let at = site.address.clone();
    site.answer(move |asked| {
        let pages = pages.lock().unwrap();
        let told = |id: u64, page: &Page| {
            let groups: Vec<Value> = page.readers.iter().map(|name| json!({ "name": name })).collect();
            json!({ "id": id.to_string(), "title": page.title, "version": { "number": page.version }, "space": { "key": "TEAM" },
                "ancestors": [], "_links": { "webui": format!("/pages/{id}") },
                "restrictions": { "read": { "restrictions": { "user": { "results": [] }, "group": { "results": groups } } } },
                "body": { "storage": { "value": page.text } } })
        };
        let below = asked.strip_prefix("/rest/api/content")?;
        if let Some(id) = below.strip_prefix('/').and_then(|rest| rest.split('?').next()?.parse::<u64>().ok()) {
            return Some(told(id, pages.get(&id)?).to_string());
        }
        let is_pages = below.contains("type=page");
        let listed: Vec<Value> = pages.iter().filter(|_| is_pages).map(|(id, page)| told(*id, page)).collect();
        Some(json!({ "results": listed, "_links": { "base": at } }).to_string())
    });
    site
}

fn change(pages: &Pages, id: u64, change: impl FnOnce(&mut Page)) {
    change(pages.lock().unwrap().get_mut(&id).unwrap());
}

#[test]
fn a_wiki_is_added_and_followed() {
    let (bench, pages) = (Bench::new(), handbook());
    let wiki = mediawiki(&pages);
    let address = format!("mediawiki+{}/w/api.php", wiki.address);
    bench.run(&["source", "test", &address]).refused(&["no public address", "allow_private"]);
    let tried = bench.run(&["source", "test", &address, "--allow-private"]).succeeded().stdout();
    assert!(tried.contains("/wiki/Leave"), "{tried}");
    let told =
        bench.run(&["source", "add", "wiki", &address, "--allow-private", "--pause-ms", "0"]).succeeded().stderr();
    assert!(told.contains("wiki: 2 fetched") && told.contains("2 indexed"), "{told}");
    let answer = bench.search(&["--lexical", "ombrotrophic"]);
    assert_eq!(found(&answer), [format!("{}/wiki/Leave", wiki.address)], "it leads to the page");
    assert_eq!(
        (&answer["results"][0]["title"], &answer["results"][0]["path"]),
        (&json!("Leave"), &json!("Leave.html"))
    );

    change(&pages, 1, |page| {
        (page.version, page.text) = (2, "<p>Everybody has forty days of minerotrophic leave.</p>")
    });
    pages.lock().unwrap().remove(&2);
    let told = bench.run(&["source", "sync", "wiki"]).succeeded().stderr();
    assert!(told.contains("1 fetched, 0 as they were, 1 gone"), "{told}");
    assert_eq!(found(&bench.search(&["--lexical", "minerotrophic"])).len(), 1);
    assert!(found(&bench.search(&["--lexical", "sphagnum"])).is_empty());
    // A page that asks people to sign in is no answer, and takes nothing for gone.
    wiki.answer(|_| Some("<title>Sign in</title>".to_owned()));
    bench.run(&["source", "sync", "wiki"]).refused(&["a page for people", "api.php"]);
    assert_eq!(found(&bench.search(&["--lexical", "minerotrophic"])).len(), 1);
    bench.verify();
}

#[test]
fn what_is_restricted_in_confluence_is_not_found_by_others() {
    let (bench, pages) = (Bench::new(), handbook());
    let site = confluence(&pages);
    let address = format!("confluence+{}", site.address);
    let add = |name: &str, how: &[&str]| {
        let words = ["source", "add", name, &address, "--allow-private", "--pause-ms", "0"];
        bench.run(&[&words, how].concat()).succeeded().stderr()
    };
    let finds = |words: &str, who: &[&str]| found(&bench.search(&[&["--lexical", words], who].concat()));
    let told = add("open", &[]);
    assert!(
        told.contains("open: 1 fetched") && told.contains("1 pages and files that only some people may read"),
        "{told}"
    );
    let leave = format!("{}/pages/1", site.address);
    assert_eq!(finds("ombrotrophic", &["--as", "user:anna"]), [leave.as_str()]);
    // Not even whoever sees everything finds what was never fetched.
    assert!(finds("sphagnum", &[]).is_empty());
    let listed = bench.run(&["source", "list"]).succeeded().stdout();
    assert!(listed.contains("only some people"), "{listed}");

    // What becomes restricted is closed with the next sync.
    change(&pages, 1, |page| page.readers = Some("board"));
    bench.run(&["source", "sync", "open"]).succeeded();
    assert!(finds("ombrotrophic", &["--as", "user:anna"]).is_empty());
    assert!(finds("ombrotrophic", &["--as", "group:board"]).is_empty());
    change(&pages, 1, |page| page.readers = None);
    bench.run(&["source", "sync", "open"]).succeeded();
    assert_eq!(finds("ombrotrophic", &["--as", "user:anna"]), [leave.as_str()]);
    bench.run(&["remove", "open"]).succeeded();

    add("team", &["--restrictions", "same-names"]);
    let badges = format!("{}/pages/2", site.address);
    assert_eq!(finds("sphagnum", &["--as", "group:hr"]), [badges.as_str()]);
    assert!(finds("sphagnum", &["--as", "user:anna"]).is_empty());
    // Others may read it now, though it says the same.
    change(&pages, 2, |page| page.readers = Some("desk"));
    bench.run(&["source", "sync", "team"]).succeeded();
    assert!(finds("sphagnum", &["--as", "group:hr"]).is_empty());
    assert_eq!(finds("sphagnum", &["--as", "group:desk"]), [badges.as_str()]);
    bench
        .run(&["source", "add", "none", &format!("{address}/spaces/a%20b"), "--allow-private"])
        .refused(&["expected an address"]);
    bench.verify();
}
