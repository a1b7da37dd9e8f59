//! Who is asking: users who sign in, keys that act as somebody, and whom a proxy names.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::server::{PATIENCE, Reply, Server};
use crate::support::Bench;

const PASSWORD: &str = "correct horse";

fn add(bench: &Bench, name: &str, more: &[&str]) {
    let args = [&["users", "add", name, "--password-stdin"], more].concat();
    bench.run_with(&args, &format!("{PASSWORD}\n")).succeeded();
}

/// A server with a user `anna`, who is in the group `staff`.
fn with_anna(config: &str) -> (Bench, Server) {
    let bench = Bench::with_documents(2);
    add(&bench, "anna", &["--groups", "staff"]);
    let docs = bench.docs().display().to_string();
    let server = Server::configured(&bench, config, &[&docs]).ready();
    (bench, server)
}

/// What a browser sends with a form of this server's page.
const OWN: [(&str, &str); 3] =
    [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin"), ("accept", "text/html")];

fn enter(server: &Server, name: &str, password: &str, more: &[(&str, &str)]) -> Reply {
    let form = format!("name={name}&password={}&back=%2Fsearch%3Fq%3Dnote", password.replace(' ', "+"));
    server.unfollowed("POST", "/sign-in", &[&OWN, more].concat(), form.as_bytes())
}

/// The cookie that a browser keeps of an answer, as it sends it.
fn cookie(reply: &Reply) -> String {
    reply.header("set-cookie").split(';').next().unwrap().to_string()
}

fn signed_in(server: &Server, name: &str) -> String {
    let reply = enter(server, name, PASSWORD, &[]);
    assert_eq!((reply.status, reply.header("location")), (303, "/search?q=note"), "{}", reply.text);
    cookie(&reply)
}

fn look(server: &Server, path: &str, cookie: &str) -> Reply {
    server.unfollowed("GET", path, &[("accept", "text/html"), ("cookie", cookie)], &[])
}

#[test]
fn people_sign_in_on_a_page_and_out_again() {
    let (_bench, server) = with_anna("");
    let led = look(&server, "/search?q=note&type=markdown", "");
    let expected = "/sign-in?back=%2Fsearch%3Fq%3Dnote%26type%3Dmarkdown";
    assert_eq!((led.status, led.header("location")), (303, expected));
    let page = look(&server, expected, "");
    assert!(page.status == 200 && page.text.contains("value=\"/search?q=note&amp;type=markdown\""), "{}", page.text);
    assert!(page.text.contains("autocomplete=\"current-password\"") && !page.text.contains("/sign-out"));
    let chinese = [("accept", "text/html"), ("accept-language", "zh")];
    assert!(server.request("GET", "/sign-in", &chinese, &[]).text.contains("登录"));

    let entered = enter(&server, "Anna", PASSWORD, &[]);
    let given = entered.header("set-cookie").to_string();
    assert!(given.starts_with("quarry-session=") && given.ends_with("; HttpOnly; SameSite=Lax"), "{given}");
    assert!(given.contains("; Path=/; Max-Age=604800;"), "{given}");
    let cookie = cookie(&entered);
    let page = look(&server, "/search?q=note", &cookie);
    assert!(page.status == 200 && page.text.contains("note-001.md"), "{}", page.text);
    assert!(page.text.contains("title=\"everyone, group:staff, signed-in, user:anna\""), "{}", page.text);
    assert!(page.text.contains("action=\"/sign-out\"") && page.text.contains("Sign out"));
    assert_eq!(look(&server, "/sign-in?back=%2Fstatus", &cookie).header("location"), "/status", "who is known goes on");
    let session = [("cookie", cookie.as_str())];
    server.request("GET", "/api/v1/search?q=note", &session, &[]).expect(200);
    server.request("GET", "/metrics", &session, &[]).problem(403, "scope-missing");

    let left = server.unfollowed("POST", "/sign-out", &[&OWN as &[_], &session].concat(), &[]);
    assert_eq!((left.status, left.header("location")), (303, "/sign-in"));
    assert!(left.header("set-cookie").starts_with("quarry-session=; Path=/; Max-Age=0;"));
    assert_eq!(look(&server, "/search?q=note", &cookie).status, 303, "the token is worth nothing any more");
    server.request("GET", "/api/v1/search?q=note", &session, &[]).problem(401, "key-missing");
}

#[test]
fn nothing_tells_whether_a_name_exists() {
    let (_bench, server) = with_anna("");
    let wrong = enter(&server, "anna", "wrong horse", &[]);
    let unknown = enter(&server, "bert", "wrong horse", &[]);
    assert_eq!((wrong.status, wrong.header("set-cookie"), wrong.header("www-authenticate")), (422, "", ""));
    assert!(wrong.text.contains("Name or password are wrong"), "{}", wrong.text);
    let masked = |reply: &Reply, name: &str| reply.text.replace(&format!("value=\"{name}\""), "");
    assert_eq!(masked(&wrong, "anna"), masked(&unknown, "bert"));
    let mut statuses = Vec::new();
    for name in ["anna", "bert"] {
        statuses.push((0..12).map(|_| enter(&server, name, "wrong horse", &[]).status).collect::<Vec<_>>());
    }
    assert_eq!(statuses[0], statuses[1]);
    assert!(statuses[0].starts_with(&[422; 9]) && statuses[0].ends_with(&[429; 3]), "{statuses:?}");
    let refused = enter(&server, "anna", PASSWORD, &[]);
    assert_eq!(refused.status, 429, "who guesses does not learn that they have guessed right");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 1 && refused.text.contains("You may go on in"));
}

#[test]
fn whoever_signs_in_gets_a_token_that_nobody_chose() {
    let (_bench, server) = with_anna("");
    let planted = "quarry-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let first = cookie(&enter(&server, "anna", PASSWORD, &[("cookie", planted)]));
    assert_ne!(first, planted);
    assert_eq!(look(&server, "/status", planted).status, 303);
    let second = cookie(&enter(&server, "anna", PASSWORD, &[("cookie", &first)]));
    assert_ne!(first, second);
    assert_eq!(look(&server, "/status", &first).status, 303, "the session that the browser had is over");
    assert_eq!(look(&server, "/status", &second).status, 200);
    assert_eq!(look(&server, "/status", &format!("{second}; {planted}")).status, 303, "two cookies are none");
}

#[test]
fn nobody_is_led_to_another_site_and_no_other_site_signs_in_or_out() {
    let (_bench, server) = with_anna("");
    for back in
        ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "%2F%2Fevil.example"]
    {
        let back: String = back.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let form = format!("name=anna&password=correct+horse&back={back}");
        let reply = server.unfollowed("POST", "/sign-in", &OWN, form.as_bytes());
        assert_eq!((reply.status, reply.header("location")), (303, "/"), "{back}");
        let page = look(&server, &format!("/sign-in?back={back}"), "");
        assert!(!page.text.contains("evil") && !page.text.contains("javascript:"), "{back}: {}", page.text);
    }
    let cookie = signed_in(&server, "anna");
    let kind = ("content-type", "application/x-www-form-urlencoded");
    for foreign in [("origin", "http://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        for (path, form) in [("/sign-out", ""), ("/sign-in", "name=anna&password=correct+horse")] {
            let headers = [kind, foreign, ("cookie", &*cookie)];
            server.unfollowed("POST", path, &headers, form.as_bytes()).problem(403, "origin-not-allowed");
        }
    }
    assert_eq!(look(&server, "/status", &cookie).status, 200, "still signed in");
    // Pages let the browser say that a form is theirs, and tell other sites nothing.
    assert_eq!(look(&server, "/sign-in", "").header("referrer-policy"), "same-origin");
}

#[test]
fn what_becomes_of_a_user_counts_while_their_session_lasts() {
    let (bench, server) = with_anna("");
    add(&bench, "root", &["--admin"]);
    let (anna, root) = (signed_in(&server, "anna"), signed_in(&server, "root"));
    assert_eq!(look(&server, "/metrics", &root).status, 200, "administrators may do everything");
    bench.run(&["groups", "remove", "staff", "anna"]).succeeded();
    let groups = bench.run(&["groups", "add", "hr", "anna"]).succeeded().stdout();
    assert!(groups.contains("hr") && !groups.contains("staff"), "{groups}");
    let page = look(&server, "/status", &anna).text;
    assert!(page.contains("\"everyone, group:hr, signed-in, user:anna\""), "{page}");
    bench.run(&["users", "disable", "anna"]).succeeded();
    assert_eq!(look(&server, "/status", &anna).status, 303);
    assert_eq!(enter(&server, "anna", PASSWORD, &[]).status, 422);
    bench.run(&["users", "enable", "anna"]).succeeded();
    assert_eq!(look(&server, "/status", &anna).status, 303, "the session is over for good");
    let anna = signed_in(&server, "anna");
    bench.run_with(&["users", "passwd", "anna", "--password-stdin"], "another horse").succeeded();
    assert_eq!(look(&server, "/status", &anna).status, 303, "another password ends sessions");
    assert_eq!(enter(&server, "anna", "another horse", &[]).status, 303);
    bench.run(&["users", "remove", "root"]).succeeded();
    assert_eq!(look(&server, "/status", &root).status, 303);
    let list = bench.run(&["users", "list"]).succeeded().stdout();
    assert!(list.contains("anna") && !list.contains("root") && !list.contains("argon2"), "{list}");
}

#[test]
fn sessions_outlive_the_server_and_losing_the_users_opens_nothing() {
    let (bench, mut server) = with_anna("");
    let cookie = signed_in(&server, "anna");
    assert_eq!(server.signal("-TERM"), Some(0));
    for name in ["users.json", "sessions.json"] {
        use std::os::unix::fs::PermissionsExt as _;
        let path = bench.data().join(name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        let text = fs::read_to_string(&path).unwrap();
        let token = cookie.split('=').nth(1).unwrap();
        assert!(text.contains("anna") && !text.contains(token) && !text.contains("horse"), "{text}");
    }
    let server = Server::start(&bench, &[]).ready();
    assert_eq!(look(&server, "/status", &cookie).status, 200);
    fs::remove_file(bench.data().join("users.json")).unwrap();
    assert_eq!(look(&server, "/status", &cookie).status, 303, "nobody is anybody any more");
    server.get("/api/v1/status").problem(401, "key-missing");
    drop(server);
    let server = Server::start(&bench, &[]).ready();
    server.get("/api/v1/status").problem(401, "key-missing");
    assert_eq!(look(&server, "/", "").status, 303);
}

#[test]
fn keys_go_on_working_where_people_sign_in() {
    let (bench, server) = with_anna("");
    server.get("/api/v1/status").problem(401, "key-missing");
    assert!(server.get("/").header("www-authenticate").starts_with("Bearer"), "no window of the browser's own");
    let key =
        bench.run(&["keys", "create", "bot", "--as", "user:bot", "--groups", "staff,group:hr", "--sources", "docs"]);
    let key = key.succeeded().stdout().trim().to_string();
    server.request("GET", "/api/v1/search?q=note", &[("x-api-key", &key)], &[]).expect(200);
    let list = bench.run(&["keys", "list"]).succeeded().stdout();
    let list = list.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["user:bot,", "group:staff,", "group:hr", "docs"] {
        assert!(list.contains(part), "{part}: {list}");
    }
    let refused: [(&[&str], &str); 6] = [
        (&["--as", "bot"], "\"bot\" is no principal"),
        (&["--as", "group:staff"], "expected a user"),
        (&["--as", "user:bot", "--groups", "user:anna"], "expected a group"),
        (&["--as", "user:bot", "--groups", ""], "is no principal"),
        (&["--sources", ""], "expected names of sources"),
        (&["--scope", "admin", "--sources", "docs"], "cannot be limited to sources"),
    ];
    for (args, message) in refused {
        bench.run(&[&["keys", "create", "x"], args].concat()).refused(&[message]);
    }
}

#[test]
fn users_are_added_with_care() {
    let bench = Bench::new();
    let add = |name: &str, password: &str| bench.run_with(&["users", "add", name, "--password-stdin"], password);
    add("anna", "short\n").refused(&["5 characters", "expected 10 to 200"]);
    add("a b", "correct horse").refused(&["is no name for a user"]);
    bench.run_with(&["users", "add", "anna"], "correct horse\n").refused(&["--password-stdin"]);
    bench.run(&["users", "remove", "anna"]).refused(&["there is no user \"anna\"", "quarry users list"]);
    bench.run(&["serve", "--listen", "0.0.0.0:0"]).refused(&["without access control", "quarry users add"]);
    add("anna", "correct horse\r\n").succeeded();
    add("ANNA", "correct horse").refused(&["there is a user \"anna\" already"]);
    let left = bench.run(&["users", "disable", "anna"]).succeeded().stderr();
    assert!(left.contains("Nobody may sign in any more"), "{left}");
    bench.run(&["serve", "--listen", "0.0.0.0:0"]).refused(&["without access control"]);
    bench.run(&["groups", "remove", "hr"]).refused(&["nobody is in a group \"hr\""]);
}

#[test]
fn a_server_that_nobody_can_be_let_into_is_set_up_by_a_link_that_is_good_once() {
    let bench = Bench::with_documents(1);
    let path = bench.root.path().join("quarry.toml");
    fs::write(&path, "[auth]\nset_up = true\n").unwrap();
    let serve = ["--config", path.to_str().unwrap(), "serve", "--listen", "0.0.0.0:0"];
    let mut server = Server::spawn(bench.command(&serve));
    server.address = server.address.replace("0.0.0.0", "127.0.0.1");
    let link = server.said.iter().find_map(|line| line.strip_prefix("quarry: http://")).unwrap();
    let link = &link[link.find('/').unwrap()..];
    let token = link.strip_prefix("/set-up?token=").unwrap();
    server.get("/api/v1/status").problem(401, "key-missing");
    assert!(!server.get("/").header("www-authenticate").starts_with("Basic"), "there is nothing to ask for yet");
    assert_eq!(look(&server, "/set-up?token=x", "").status, 410);
    assert!(look(&server, link, "").text.contains(&format!("value=\"{token}\"")));
    let post = |token: &str, name: &str, password: &str, again: &str| {
        let form = format!("token={token}&name={name}&password={password}&again={again}");
        server.unfollowed("POST", "/set-up", &OWN, form.as_bytes())
    };
    for (name, password, again, said) in [
        ("root", "correct+horse", "another+horse", "The two passwords differ"),
        ("root", "short", "short", "10 to 200 characters"),
        ("a+b", "correct+horse", "correct+horse", "1 to 100 letters"),
    ] {
        let reply = post(token, name, password, again);
        assert!(reply.status == 422 && reply.text.contains(said), "{} {}", reply.status, reply.text);
    }
    assert_eq!(post("x", "root", "correct+horse", "correct+horse").status, 410);
    let made = post(token, "root", "correct+horse", "correct+horse");
    assert_eq!((made.status, made.header("location")), (303, "/"), "{}", made.text);
    assert_eq!(look(&server, "/metrics", &cookie(&made)).status, 200, "an administrator, who is signed in");
    assert_eq!(post(token, "evil", "correct+horse", "correct+horse").status, 410, "once");
    assert_eq!(look(&server, link, "").status, 410);
    drop(server);
    bench.run(&["users", "remove", "root"]).succeeded();
    bench.run(&serve).refused(&["without access control"]);
}

#[test]
fn a_proxy_names_users_groups_and_the_scheme() {
    let config = "[auth]\nproxy_header = \"X-User\"\nproxy_groups_header = \"X-Groups\"\nproxy_from = [\"127.0.0.1\"]\n\
                  proxy_scopes = [\"search\"]\n";
    let (_bench, server) = with_anna(config);
    let groups = [("x-user", "Ännä"), ("x-groups", "hr, staff"), ("x-groups", "admins")];
    let page = server.unfollowed("GET", "/status", &groups, &[]);
    let expected = "title=\"everyone, group:admins, group:hr, group:staff, signed-in, user:Ännä\"";
    assert!(page.text.contains(expected) && !page.text.contains("/sign-out"), "{}", page.text);
    let odd = [("x-user", "anna"), ("x-groups", "hr\tstaff")];
    server.request("GET", "/api/v1/status", &odd, &[]).problem(403, "identity-unreadable");
    let started = Instant::now();
    let is_said = |line: &String| line.contains("X-Groups") && line.contains("is no principal");
    while !server.log.lock().unwrap().iter().any(is_said) {
        assert!(started.elapsed() < PATIENCE, "{:?}", server.log.lock().unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    let people = enter(&server, "anna", PASSWORD, &[("x-forwarded-proto", "https")]);
    let given = people.header("set-cookie");
    assert!(
        given.starts_with("__Host-quarry-session=") && given.ends_with("; HttpOnly; SameSite=Lax; Secure"),
        "{given}"
    );
    let secure = [("x-forwarded-proto", "https"), ("cookie", &*cookie(&people))];
    assert_eq!(server.unfollowed("GET", "/status", &secure, &[]).status, 200);
    server.request("GET", "/api/v1/status", &secure[1..], &[]).problem(401, "key-missing");
}

#[test]
fn a_proxy_may_come_by_a_socket_and_only_there_is_it_believed() {
    let bench = Bench::with_documents(1);
    let path = bench.root.path().join("proxy.sock");
    let config = format!(
        "[auth]\nproxy_header = \"X-User\"\nproxy_groups_header = \"X-Groups\"\nproxy_scopes = [\"search\"]\nproxy_socket = {path:?}\n"
    );
    fs::write(&path, "a file").unwrap();
    let file = bench.root.path().join("quarry.toml");
    fs::write(&file, &config).unwrap();
    bench.run(&["--config", file.to_str().unwrap(), "serve", "--listen", "127.0.0.1:0"]).refused(&[
        "cannot listen on the socket",
        "no socket has that name",
        "auth.proxy_socket",
    ]);
    fs::remove_file(&path).unwrap();
    let docs = bench.docs().display().to_string();
    let mut server = Server::configured(&bench, &config, &[&docs]).ready();
    let ask = |headers: &str| {
        let mut stream = UnixStream::connect(&path).unwrap();
        write!(stream, "GET /status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = ask("x-user: anna\r\nx-groups: hr\r\nx-forwarded-for: 10.1.1.1\r\n");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("group:hr, signed-in, user:anna"), "{answer}");
    assert!(ask("").starts_with("HTTP/1.1 401"), "the socket alone is nobody");
    server.request("GET", "/api/v1/status", &[("x-user", "anna")], &[]).problem(401, "key-missing");
    assert_eq!(server.signal("-TERM"), Some(0));
    assert!(!path.exists(), "nothing is left");
}
