//! Documents that lie elsewhere: websites, repositories, wikis and more, fetched into the data folder and indexed.

mod site;
mod wikis;

use std::fs;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::server::{Server, eventually};
use crate::support::Bench;
use site::Site;

const LEAVE: &str =
    "<html lang=en><title>Leave</title><h1>Leave</h1><p>Everybody has thirty days of ombrotrophic leave a year.</p>";
const BADGES: &str =
    "<html lang=en><title>Badges</title><h1>Badges</h1><p>Lost badges are replaced by the sphagnum desk.</p>";

fn handbook() -> Site {
    let site = Site::start();
    site.put("/", "<a href=leave.html>Leave</a> <a href=badges.html>Badges</a>");
    site.put("/leave.html", LEAVE);
    site.put("/badges.html", BADGES);
    site
}

/// The addresses of what a search finds.
fn found(answer: &Value) -> Vec<String> {
    let results = answer["results"].as_array().unwrap();
    results.iter().filter_map(|hit| Some(hit["url"].as_str()?.to_owned())).collect()
}

#[test]
fn a_website_is_added_followed_and_removed_without_a_server() {
    let (bench, site) = (Bench::new(), handbook());
    let address = format!("{}/", site.address);
    bench.run(&["source", "test", &address]).refused(&["no public address", "allow_private"]);
    let tried = bench.run(&["source", "test", &address, "--allow-private", "--pause-ms", "0"]).succeeded().stdout();
    assert!(tried.contains("answers") && tried.contains("/leave.html"), "{tried}");
    assert!(!bench.data().join("mirrors").exists(), "nothing is kept of a test");

    let add = ["source", "add", "handbook", &address, "--allow-private", "--pause-ms", "0"];
    let told = bench.run(&add).succeeded().stderr();
    assert!(told.contains("handbook: 3 fetched") && told.contains("3 indexed"), "{told}");
    let leave = format!("{}/leave.html", site.address);
    assert_eq!(found(&bench.search(&["--lexical", "ombrotrophic"])), [leave.as_str()], "it leads to the original");

    site.put("/leave.html", &LEAVE.replace("ombrotrophic", "minerotrophic"));
    site.put("/", "<a href=leave.html>Leave</a>");
    let told = bench.run(&["source", "sync", "handbook"]).succeeded().stderr();
    assert!(told.contains("2 fetched, 0 as they were, 1 gone"), "{told}");
    assert_eq!(found(&bench.search(&["--lexical", "minerotrophic"])), [leave.as_str()]);
    assert!(found(&bench.search(&["--lexical", "ombrotrophic"])).is_empty());
    assert!(found(&bench.search(&["--lexical", "sphagnum"])).is_empty());

    let listed = bench.run(&["source", "list", "--json"]).succeeded().json();
    assert_eq!((&listed[0]["name"], &listed[0]["from"]), (&json!("handbook"), &json!(address)));
    assert_eq!(listed[0]["state"]["error"], Value::Null);
    bench.run(&["source", "sync", "nonesuch"]).refused(&["no source \"nonesuch\"", "handbook"]);
    bench.run(&["source", "add", "handbook", "https://other.example/"]).refused(&["another source"]);

    // What cannot be reached keeps what was there, and says why.
    site.fail_with(503);
    bench.run(&["source", "sync", "handbook"]).refused(&["status 503"]);
    assert_eq!(found(&bench.search(&["--lexical", "minerotrophic"])), [leave.as_str()]);
    let listed = bench.run(&["source", "list"]).succeeded().stdout();
    assert!(listed.contains("503"), "{listed}");
    bench.verify();
    bench.run(&["remove", "handbook"]).succeeded();
    assert!(!bench.data().join("mirrors/handbook").exists());
    assert!(bench.run(&["source", "list", "--json"]).succeeded().json().as_array().unwrap().is_empty());

    // What was added and could never be fetched can be taken out again.
    site.fail_with(404);
    bench.run(&add).refused(&["404"]);
    assert!(bench.data().join("mirrors/handbook").exists());
    bench.run(&["source", "test", "handbook", "--allow-private"]).refused(&["give its address"]);
    bench.run(&["remove", "handbook"]).succeeded();
    assert!(!bench.data().join("mirrors/handbook").exists());
    bench.run(&["remove", "handbook"]).refused(&["there is no source"]);
}

#[test]
fn a_server_fetches_what_is_configured_and_what_is_added() {
    let (bench, site) = (Bench::with_documents(2), handbook());
    let from = format!("{{ url = \"{}/\", allow_private = true, pause_ms = 0 }}", site.address);
    let config = format!("[index]\nsources = [{{ name = \"handbook\", from = {from} }}]\n");
    let (leave, badges) = (format!("{}/leave.html", site.address), format!("{}/badges.html", site.address));
    let server = Server::configured(&bench, &config, &[&bench.docs().display().to_string()]).ready();
    eventually("the configured site is found", || {
        (found(&server.get("/api/v1/search?q=ombrotrophic&mode=lexical").expect(200)) == [leave.as_str()]).then_some(())
    });
    let page = server.get("/search?q=ombrotrophic").text;
    assert!(page.contains(&format!("href=\"{leave}\"")), "the page leads to the original: {page}");

    let wiki = Site::start();
    wiki.put("/", "<p>The wiki of the hygrophilous department.");
    let address = format!("{}/", wiki.address);
    let add = ["source", "add", "wiki", &address, "--allow-private", "--pause-ms", "0"];
    let told = bench.run(&add).succeeded().stderr();
    assert!(told.contains("wiki: 1 fetched") && told.contains("1 indexed"), "{told}");
    assert_eq!(found(&bench.search(&["--lexical", "hygrophilous"])), [address.as_str()]);

    site.put("/badges.html", &BADGES.replace("sphagnum", "oligotrophic"));
    bench.run(&["source", "sync", "handbook"]).succeeded();
    assert_eq!(found(&server.get("/api/v1/search?q=oligotrophic&mode=lexical").expect(200)), [badges.as_str()]);
    let job = server.send("POST", "/api/v1/sources/handbook/index", &json!({})).expect(202)["job"].clone();
    assert_eq!(server.job(&job)["state"], "done");

    // Trouble is told where administrators look, and costs nothing that was there.
    site.fail_with(404);
    bench.run(&["source", "sync", "handbook"]).refused(&["not fetched", "what was fetched before is kept"]);
    let sources = server.get("/api/v1/sources").expect(200)["sources"].clone();
    let told = sources.as_array().unwrap().iter().find(|source| source["name"] == "handbook").unwrap();
    assert!(
        told["trouble"].as_str().unwrap().contains("404") && told["address"] == format!("{}/", site.address),
        "{told}"
    );
    assert!(server.get("/admin").text.contains("404"));
    assert_eq!(found(&server.get("/api/v1/search?q=oligotrophic&mode=lexical").expect(200)), [badges.as_str()]);

    // What was added is there after a restart.
    drop(server);
    let mut server = Server::configured(&bench, &config, &[]).ready();
    wiki.put("/", "<p>The wiki of the xerophilous department.");
    bench.run(&["source", "sync", "wiki"]).succeeded();
    assert_eq!(found(&bench.search(&["--lexical", "xerophilous"])), [address.as_str()]);
    bench.run(&["remove", "wiki"]).succeeded();
    assert!(!bench.data().join("mirrors/wiki").exists());
    assert!(found(&bench.search(&["--lexical", "xerophilous"])).is_empty());
    assert_eq!(server.signal("-TERM"), Some(0));
    bench.verify();
}

/// A site that takes its time is found page by page, not when its last page has come.
#[test]
fn what_has_come_is_found_while_the_rest_is_fetched() {
    let (bench, site) = (Bench::with_documents(1), bogs(14));
    site.hold(Some("/p13.html"));
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    let mut adding = adding(&bench, &site, "250");
    let count =
        || found(&server.get("/api/v1/search?q=ombrotrophic&mode=lexical&top=50&copies=apart").expect(200)).len();
    eventually("some pages are found, the last one is not there", || (count() > 0).then_some(()));
    assert!(count() < 14);
    let jobs = server.get("/api/v1/jobs").expect(200)["jobs"].clone();
    let of_site = jobs.as_array().unwrap().iter().filter(|job| job["source"] == "bogs");
    assert_eq!(of_site.filter(|job| job["state"] == "running").count(), 1, "{jobs}");
    site.hold(None);
    eventually("all pages are found", || (count() == 14).then_some(()));
    let job = || {
        let jobs = server.get("/api/v1/jobs").expect(200)["jobs"].clone();
        let of_site: Vec<Value> =
            jobs.as_array().unwrap().iter().filter(|job| job["source"] == "bogs").cloned().collect();
        (of_site.len() == 1 && of_site[0]["state"] == "done").then(|| of_site[0].clone())
    };
    let job = eventually("the sync and its pass are done, and no other job is told of", job);
    let outcome = job["outcome"].as_str().unwrap();
    assert!(outcome.contains("15 fetched") && outcome.contains("were taken in meanwhile"), "{outcome}");
    assert!(adding.wait().unwrap().success());
}

/// A site of so many pages about the same.
fn bogs(count: usize) -> Site {
    let site = Site::start();
    let links: String = (0..count).map(|number| format!("<a href=p{number:02}.html>{number}</a> ")).collect();
    site.put("/", &links);
    for number in 0..count {
        let page = format!("<title>P{number}</title><p>Of the ombrotrophic bog {number}.");
        site.put(&format!("/p{number:02}.html"), &page);
    }
    site
}

/// A command that adds a site, which takes its time.
fn adding(bench: &Bench, site: &Site, pause: &str) -> Child {
    let address = format!("{}/", site.address);
    let add = ["source", "add", "bogs", &address, "--allow-private", "--pause-ms", pause];
    bench.command(&add).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Nothing of a source comes back that was removed while it was being fetched.
#[test]
fn a_source_that_is_removed_while_it_is_fetched_stays_gone() {
    let (bench, site) = (Bench::with_documents(1), bogs(40));
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    let mut adding = adding(&bench, &site, "150");
    let count =
        || found(&server.get("/api/v1/search?q=ombrotrophic&mode=lexical&top=50&copies=apart").expect(200)).len();
    eventually("some pages are found", || (count() > 0).then_some(()));
    let job = server.send("DELETE", "/api/v1/sources/bogs", &json!({})).expect(202)["job"].clone();
    assert_eq!(server.job(&job)["state"], "done");
    assert_eq!(count(), 0);
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(count(), 0);
    assert!(!bench.data().join("mirrors/bogs").exists());
    adding.wait().unwrap();
}

#[test]
fn over_the_network_only_what_is_allowed_is_added() {
    let (bench, site) = (Bench::with_documents(1), handbook());
    let config = format!("[index]\nallow_addresses = [\"{}/docs/\", \"https://public.example/\"]\n", site.address);
    let server = Server::configured(&bench, &config, &[&bench.docs().display().to_string()]).ready();
    let add = |from: Value| server.send("POST", "/api/v1/sources", &json!({ "name": "site", "from": from }));
    let within = format!("{}/docs/", site.address);
    add(json!({ "url": "https://other.example/" })).problem(403, "address-not-allowed");
    add(json!({ "url": format!("{}/", site.address) })).problem(403, "address-not-allowed");
    for trusting in [
        json!({ "url": within, "allow_private": true }),
        json!({ "url": "https://public.example/", "token_file": "/etc/hostname" }),
        json!({ "url": "https://public.example/", "user": "me", "password_env": "PATH" }),
        json!({ "url": "git+file:///etc" }),
    ] {
        add(trusting).problem(403, "address-not-allowed");
    }
    add(json!({ "url": "https://me:hunter2@public.example/" })).problem(400, "bad-request");
    add(json!({ "url": "nowhere" })).problem(400, "bad-request");
    let name = json!({ "name": "../up", "from": { "url": within } });
    server.send("POST", "/api/v1/sources", &name).problem(400, "bad-request");
    // It is allowed, and yet leads to this machine: it is fetched from nowhere.
    let job = add(json!({ "url": within })).expect(202)["job"].clone();
    let job = server.job(&job);
    assert!(job["state"] == "failed" && job["error"].as_str().unwrap().contains("no public address"), "{job}");
    assert!(site.asked().is_empty(), "nobody was asked");
    server.send("DELETE", "/api/v1/sources/site", &json!({})).expect(202);
    eventually("it is gone", || (!bench.data().join("mirrors/site").exists()).then_some(()));
}

#[test]
fn secrets_are_told_to_their_host_and_to_nobody_else() {
    let (bench, site) = (Bench::new(), handbook());
    site.wants("Bearer hunter2secret");
    let secret = bench.root.path().join("token");
    fs::write(&secret, "hunter2secret\n").unwrap();
    let from =
        format!("{{ url = \"{}/\", allow_private = true, pause_ms = 0, token_file = {secret:?} }}", site.address);
    let config = format!("[index]\nsources = [{{ name = \"handbook\", from = {from} }}]\n[log]\nlevel = \"debug\"\n");
    let file = bench.root.path().join("quarry.toml");
    fs::write(&file, &config).unwrap();
    let shown = bench.run(&["--config", file.to_str().unwrap(), "config", "show"]).succeeded().stdout();
    assert!(shown.contains("token_file") && !shown.contains("hunter2secret"), "{shown}");
    let indexed = bench.run(&["--config", file.to_str().unwrap(), "-vv", "index"]).succeeded();
    let mut told = format!("{}{}", indexed.stdout(), indexed.stderr());
    assert!(told.contains("3 fetched"), "{told}");
    site.wants("Bearer another");
    let refused = bench.run(&["--config", file.to_str().unwrap(), "-vv", "index"]);
    told.push_str(&refused.stderr());
    assert!(told.contains("token_file"), "{told}");
    told.push_str(&bench.run(&["source", "list", "--json"]).stdout());
    told.push_str(&bench.run(&["status", "--json", "--files"]).stdout());
    assert!(!told.contains("hunter2secret"), "{told}");
    let mut folders = vec![bench.data()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let bytes = fs::read(&path).unwrap_or_default();
                    let holds = bytes.windows(13).any(|window| window == b"hunter2secret");
                    assert!(!holds, "{}", path.display());
                }
            }
        }
    }
    let bad = "[index]\nsources = [{ name = \"a\", from = { url = \"https://me:hunter2@a.example/\" } }]\n";
    fs::write(&file, bad).unwrap();
    let run = bench.run(&["--config", file.to_str().unwrap(), "config", "check"]).refused(&["password_file"]);
    assert!(!run.stderr().contains("hunter2"), "{}", run.stderr());
}

#[test]
fn a_repository_is_fetched_with_the_dates_of_its_commits() {
    let bench = Bench::new();
    let origin = bench.root.path().join("origin");
    fs::create_dir_all(origin.join("docs")).unwrap();
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(&origin).args(["-c", "user.name=Ann", "-c", "user.email=ann@a.example"]).args(words);
        command.env("GIT_AUTHOR_DATE", "2021-03-04T05:06:07Z").env("GIT_COMMITTER_DATE", "2021-03-04T05:06:07Z");
        assert!(command.status().unwrap().success(), "{words:?}");
    };
    fs::write(origin.join("docs/leave.md"), "# Leave\n\nThirty ombrotrophic days.\n").unwrap();
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "leave"]);
    let address = format!("git+file://{}", origin.display());
    let link = "https://git.example/wiki/blob/main/{path}";
    bench.run(&["source", "add", "wiki", &address, "--folder", "docs", "--link", link]).succeeded();
    let answer = bench.search(&["--lexical", "ombrotrophic"]);
    assert_eq!(found(&answer), ["https://git.example/wiki/blob/main/docs/leave.md"]);
    let hit = &answer["results"][0];
    assert_eq!((&hit["path"], &hit["modified"]), (&json!("docs/leave.md"), &json!(1_614_834_367)), "{hit}");
    fs::write(origin.join("docs/badges.md"), "# Badges\n\nThe sphagnum desk.\n").unwrap();
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "badges"]);
    let told = bench.run(&["index"]).succeeded().stderr();
    assert!(told.contains("wiki: 1 fetched, 1 as they were"), "{told}");
    assert_eq!(bench.paths(&["--lexical", "sphagnum"]), ["docs/badges.md"]);
}
