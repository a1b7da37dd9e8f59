//! The settings of an identity provider and of a directory, as the real program takes them.

use std::fs;
use std::process::Stdio;

use crate::server::Server;
use crate::support::{Bench, Run};

const SECRET: &str = "a-secret-that-nobody-reads";

fn configured(bench: &Bench, text: &str) -> String {
    let path = bench.root.path().join("quarry.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs a command with the secrets in its environment.
fn run(bench: &Bench, args: &[&str]) -> Run {
    let mut command = bench.command(args);
    command.env("QUARRY_OIDC_CLIENT_SECRET", SECRET).env("QUARRY_LDAP_PASSWORD", SECRET).stdin(Stdio::null());
    Run(command.output().unwrap())
}

#[test]
fn what_is_missing_is_said_before_the_server_starts_and_secrets_are_shown_nowhere() {
    let bench = Bench::with_documents(1);
    let good = "[auth.oidc]\nissuer = \"http://127.0.0.1:9\"\nclient_id = \"quarry\"\npublic_url = \"http://localhost:7700\"\n\
                [auth.ldap]\nurl = \"ldap://127.0.0.1:9\"\nbind_dn = \"cn=q\"\nuser_base = \"dc=x\"\ngroup_base = \"dc=x\"\n";
    let config = configured(&bench, good);
    assert!(run(&bench, &["--config", &config, "config", "check"]).succeeded().stdout().contains("is good"));
    let shown = run(&bench, &["--config", &config, "config", "show"]).succeeded().stdout();
    assert!(
        shown.contains("[auth.oidc]") && shown.contains("recheck_minutes = 15") && !shown.contains(SECRET),
        "{shown}"
    );
    // Without the secrets in the environment.
    let expected = ["QUARRY_OIDC_CLIENT_SECRET", "QUARRY_LDAP_PASSWORD"];
    bench.run(&["--config", &config, "config", "check"]).refused(&expected);
    bench.run(&["--config", &config, "serve", "--listen", "127.0.0.1:0"]).refused(&expected);
    let open =
        good.replace("http://127.0.0.1:9", "http://id.example").replace("ldap://127.0.0.1:9", "ldap://ldap.example");
    let config = configured(&bench, &open);
    run(&bench, &["--config", &config, "config", "check"])
        .refused(&["auth.oidc.issuer: expected an https address", "auth.ldap.url"]);
}

#[test]
fn a_provider_that_does_not_answer_stops_nothing_but_signing_in_and_opens_nothing() {
    let bench = Bench::with_documents(2);
    let secret = bench.root.path().join("secret");
    fs::write(&secret, SECRET).unwrap();
    let key = bench.run(&["keys", "create", "bot"]).succeeded().stdout();
    let key = key.split_whitespace().find(|word| word.starts_with("qk_")).unwrap().to_owned();
    let config = format!(
        "[log]\nlevel = \"debug\"\n[auth.oidc]\nissuer = \"http://127.0.0.1:9\"\nclient_id = \"quarry\"\nclient_secret_file = \"{}\"\n\
         public_url = \"http://localhost:7700\"\n",
        secret.display()
    );
    let docs = bench.docs().display().to_string();
    let server = Server::configured(&bench, &config, &[&docs]).ready();
    let look = |path: &str| server.unfollowed("GET", path, &[("accept", "text/html")], &[]);
    assert_eq!(look("/search?q=note").header("location"), "/sign-in?back=%2Fsearch%3Fq%3Dnote");
    assert!(look("/sign-in").text.contains("/sign-in/provider?back=%2F"));
    let away = look("/sign-in/provider");
    assert!(away.status == 503 && away.text.contains("Signing in is not possible"), "{}", away.text);
    server.get("/api/v1/search?q=note").problem(401, "key-missing");
    server.request("GET", "/api/v1/search?q=note", &[("x-api-key", &key)], &[]).expect(200);
    let log = [server.said.clone(), server.log.lock().unwrap().clone()].concat().join("\n");
    assert!(log.contains("nobody can sign in by http://127.0.0.1:9 yet") && !log.contains(SECRET), "{log}");
}
