//! The page for administrators: sources and jobs, with buttons that work without scripts.

use std::fs;

use serde_json::Value;

use crate::server::{Server, eventually};
use crate::support::Bench;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Presses a button; where it leads.
fn press(server: &Server, address: &str, fields: &str) -> String {
    let origin = format!("http://{}", server.address);
    let reply = server.unfollowed("POST", address, &[FORM, ("origin", &origin)], fields.as_bytes());
    assert_eq!(reply.status, 303, "{address}: {}", reply.text);
    reply.header("location").to_string()
}

fn is_there(server: &Server, source: &str) -> bool {
    let sources = server.get("/api/v1/sources").expect(200)["sources"].clone();
    sources.as_array().unwrap().iter().any(|known| known["name"] == source)
}

fn newest_job(server: &Server) -> Value {
    server.get("/api/v1/jobs").expect(200)["jobs"][0].clone()
}

#[test]
fn sources_come_and_go_by_buttons() {
    let bench = Bench::with_documents(3);
    let shelf = bench.root.path().join("shelf");
    fs::create_dir_all(shelf.join("books & more")).unwrap();
    fs::write(shelf.join("books & more/moor.md"), "# Bogs\n\nThe ombrotrophic bog is fed by rain.\n").unwrap();
    let config = format!("[index]\nallow_folders = [{:?}]\n", shelf.display().to_string());
    let server = Server::configured(&bench, &config, &[&bench.docs().display().to_string()]).ready();
    let page = server.get("/admin").text;
    assert!(page.contains("Administration") && page.contains(&bench.docs().display().to_string()), "{page}");
    assert!(page.contains(&shelf.display().to_string()), "where folders may be added: {page}");

    let folder = shelf.join("books & more").display().to_string().replace(' ', "+").replace('&', "%26");
    assert_eq!(press(&server, "/admin/sources", &format!("folder={folder}&name=")), "/admin");
    eventually("the source is there", || is_there(&server, "books & more").then_some(()));
    eventually("its document is found", || {
        server.paths("q=ombrotrophic").contains(&"moor.md".to_string()).then_some(())
    });
    assert!(server.get("/admin").text.contains("/admin/sources/books%20%26%20more/remove"));
    assert_eq!(press(&server, "/admin/sources/books%20%26%20more/index", ""), "/admin");
    assert_eq!(press(&server, "/admin/verify", ""), "/admin");
    eventually("it is checked", || {
        let job = newest_job(&server);
        (job["kind"] == "verify" && job["state"] == "done").then_some(())
    });
    assert!(server.get("/admin").text.contains("everything is as it was written"));
    assert_eq!(press(&server, "/admin/sources/books%20%26%20more/remove", ""), "/admin");
    eventually("the source is gone", || (!is_there(&server, "books & more")).then_some(()));

    // What is refused is said on the page, in the reader's language.
    let told = press(&server, "/admin/sources", "folder=/etc&name=etc");
    assert_eq!(told, "/admin?told=folder-not-allowed");
    assert!(server.get(&told).text.contains("This folder may not be added."));
    let chinese = server.request("GET", &told, &[("accept-language", "zh")], &[]);
    assert!(chinese.text.contains("不能添加这个文件夹"), "{}", chinese.text);
    let job = newest_job(&server)["id"].to_string();
    assert_eq!(press(&server, &format!("/admin/jobs/{job}/cancel"), ""), "/admin?told=job-fixed");
}

#[test]
fn the_page_is_for_administrators_and_for_its_own_buttons() {
    let bench = Bench::with_documents(2);
    let server = Server::start(&bench, &[&bench.docs().display().to_string()]).ready();
    let foreign = [FORM, ("origin", "http://evil.example")];
    let reply = server.request("POST", "/admin/sources/docs/remove", &foreign, &[]);
    assert_eq!(reply.status, 403, "{}", reply.text);
    assert!(is_there(&server, "docs"));
    let key = bench.run(&["keys", "create", "reader", "--scope", "search,index"]).succeeded().stdout();
    let as_reader = [("x-api-key", key.trim())];
    assert_eq!(server.request("GET", "/admin", &as_reader, &[]).status, 403);
    let home = server.request("GET", "/", &as_reader, &[]);
    assert!(home.status == 200 && !home.text.contains("href=\"/admin\""), "{}", home.text);
    assert_eq!(server.request("POST", "/admin/sources/docs/remove", &as_reader, &[]).status, 403);
}

#[test]
fn keys_are_made_shown_once_and_revoked() {
    let bench = Bench::with_documents(2);
    let log = "[audit]\nenabled = true\n";
    let server = Server::configured(&bench, log, &[&bench.docs().display().to_string()]).ready();
    let origin = format!("http://{}", server.address);
    let page = server.get("/admin/keys").text;
    assert!(page.contains("nobody gets in without a key"), "{page}");
    let made = server.request(
        "POST",
        "/admin/keys",
        &[FORM, ("origin", &origin)],
        b"name=intranet+%3Cb%3E&scope=search&days=30&user=user%3Abot&groups=staff,+hr&sources=docs",
    );
    let key = made.text.split("<code>").nth(1).and_then(|rest| rest.split('<').next()).unwrap().to_owned();
    assert!(key.starts_with("qk_") && made.text.contains("intranet &lt;b&gt;"), "{}", made.text);
    // From now on it is needed.
    assert_eq!(server.get("/api/v1/status").status, 401);
    let with_key = [("x-api-key", key.as_str())];
    server.request("GET", "/api/v1/search?q=note", &with_key, &[]).expect(200);
    assert_eq!(server.request("GET", "/admin/keys", &with_key, &[]).status, 403);

    let admin = bench.run(&["keys", "create", "root", "--scope", "admin"]).succeeded().stdout().trim().to_owned();
    let as_admin = |method: &str, address: &str, body: &str| {
        let headers = [FORM, ("origin", origin.as_str()), ("x-api-key", admin.as_str())];
        server.unfollowed(method, address, &headers, body.as_bytes())
    };
    let listed = as_admin("GET", "/admin/keys", "").text;
    assert!(!listed.contains(&key) && listed.contains("user:bot, group:staff, group:hr"), "it is shown once: {listed}");
    for wrong in
        ["name=&scope=search", "name=x&scope=all", "name=x&scope=search&days=0", "name=x&scope=search&groups=staff"]
    {
        let told = as_admin("POST", "/admin/keys", wrong);
        assert!(told.text.contains("No key was made"), "{wrong}: {}", told.text);
    }
    let id = key.trim_start_matches("qk_").split('_').next().unwrap();
    assert_eq!(as_admin("POST", &format!("/admin/keys/{id}/revoke"), "").status, 303);
    assert_eq!(server.request("GET", "/api/v1/search?q=note", &with_key, &[]).status, 401);
    assert_eq!(as_admin("POST", "/admin/keys/nonesuch/revoke", "").status, 303);
    let day = fs::read_dir(bench.data().join("audit")).unwrap().next().unwrap().unwrap().path();
    let log = fs::read_to_string(day).unwrap();
    let count = |event: &str| log.matches(event).count();
    assert_eq!((count("\"key-made\""), count("\"key-revoked\"")), (1, 1), "none that was refused: {log}");
    assert!(!log.contains(&key), "{log}");
}

#[test]
fn people_are_added_changed_and_removed() {
    let bench = Bench::with_documents(2);
    let log = "[audit]\nenabled = true\n";
    let server = Server::configured(&bench, log, &[&bench.docs().display().to_string()]).ready();
    let origin = format!("http://{}", server.address);
    assert!(server.get("/admin/users").text.contains("nobody gets in without signing in"));
    let harmless = b"name=anna&password=correct+horse&role=search";
    let told = server.request("POST", "/admin/users", &[FORM, ("origin", &origin)], harmless);
    assert!(
        told.status == 200 && told.text.contains("from themselves"),
        "the first one may do everything: {}",
        told.text
    );
    let add = "name=Root&password=correct+horse&role=admin&groups=";
    assert_eq!(press(&server, "/admin/users", add), "/admin/users");
    // From now on people sign in.
    server.get("/api/v1/status").problem(401, "key-missing");
    let sign_in = |name: &str, password: &str| {
        let fields = format!("name={name}&password={password}");
        let headers = [FORM, ("origin", origin.as_str())];
        let reply = server.unfollowed("POST", "/sign-in", &headers, fields.as_bytes());
        let cookie = reply.headers.get("set-cookie").and_then(|cookie| cookie.to_str().ok());
        cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned)
    };
    let root = sign_in("root", "correct+horse").unwrap();
    let asked = |cookie: &str, method: &str, address: &str, fields: &str| {
        let headers = [FORM, ("origin", origin.as_str()), ("cookie", cookie)];
        server.unfollowed(method, address, &headers, fields.as_bytes())
    };
    let does = |address: &str, fields: &str| {
        let reply = asked(&root, "POST", address, fields);
        assert_eq!((reply.status, reply.header("location")), (303, "/admin/users"), "{address}: {}", reply.text);
    };
    does("/admin/users", "name=anna%40example.com&password=battery+staple&role=search&groups=staff,+hr");
    let anna = "/admin/users/anna%40example.com";
    let page = asked(&root, "GET", "/admin/users", "").text;
    assert!(page.contains("anna@example.com") && page.contains("hr, staff") && page.contains(anna), "{page}");
    let session = sign_in("anna%40example.com", "battery+staple").unwrap();
    assert_eq!(asked(&session, "GET", "/api/v1/status", "").status, 200);
    assert_eq!(asked(&session, "GET", "/admin/users", "").status, 403);
    assert_eq!(asked(&session, "POST", "/admin/users/root/remove", "").status, 403);
    // What they may do counts from their next request; another password ends their session.
    does(anna, "role=admin&groups=board");
    assert_eq!(asked(&session, "GET", "/admin/users", "").status, 200);
    does(anna, "role=search&groups=board");
    does(&format!("{anna}/password"), "password=another+staple");
    assert_eq!(asked(&session, "GET", "/api/v1/status", "").status, 401);
    let session = sign_in("anna%40example.com", "another+staple").unwrap();
    does(&format!("{anna}/disable"), "");
    assert_eq!(asked(&session, "GET", "/api/v1/status", "").status, 401);
    assert_eq!(sign_in("anna%40example.com", "another+staple"), None);
    does(&format!("{anna}/enable"), "");
    assert!(sign_in("anna%40example.com", "another+staple").is_some());
    // What makes no sense changes nothing, and nobody shuts themselves out.
    for (address, fields, told) in [
        ("/admin/users", "name=root&password=correct+horse&role=search", "nobody else"),
        ("/admin/users", "name=a+b&password=correct+horse&role=search", "Nothing was changed"),
        ("/admin/users", "name=bert&password=short&role=search", "Nothing was changed"),
        ("/admin/users", "name=bert&password=correct+horse&role=king", "Nothing was changed"),
        ("/admin/users/root", "role=search&groups=", "from themselves"),
        ("/admin/users/root/disable", "", "from themselves"),
        ("/admin/users/ROOT/remove", "", "from themselves"),
    ] {
        let reply = asked(&root, "POST", address, fields);
        assert!(reply.status == 200 && reply.text.contains(told), "{address} {fields}: {}", reply.text);
    }
    let foreign = [FORM, ("origin", "http://evil.example"), ("cookie", root.as_str())];
    assert_eq!(server.request("POST", &format!("{anna}/remove"), &foreign, &[]).status, 403);
    does(&format!("{anna}/remove"), "");
    does(&format!("{anna}/remove"), "");
    assert!(!asked(&root, "GET", "/admin/users", "").text.contains("anna@example.com"));
    let day = fs::read_dir(bench.data().join("audit")).unwrap().next().unwrap().unwrap().path();
    let log = fs::read_to_string(day).unwrap();
    let count = |event: &str| log.lines().filter(|line| line.contains(&format!("\"event\":\"{event}\""))).count();
    let events = ["user-added", "user-changed", "password-changed", "user-disabled", "user-enabled", "user-removed"];
    assert_eq!(events.map(count), [2, 2, 1, 1, 1, 1], "none that was refused: {log}");
    assert!(!log.contains("staple") && log.contains("\"user\":\"anna@example.com\""), "{log}");
}
