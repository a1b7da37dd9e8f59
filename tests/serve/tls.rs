//! Connections that the server encrypts itself.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::server::{PATIENCE, Server, eventually};
use crate::support::Bench;

/// Writes a certificate for this machine and its key; the certificate, for those who are to trust it.
fn renew(folder: &Path) -> String {
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap().pem();
    fs::write(folder.join("cert.pem"), &certificate).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    certificate
}

/// A client that trusts this certificate and no other.
fn trusting(certificate: &str) -> ureq::Agent {
    let items = parse_pem(certificate.as_bytes()).map(Result::unwrap);
    let roots: Vec<Certificate> = items
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots)).build();
    let config = ureq::Agent::config_builder().http_status_as_error(false).tls_config(tls);
    config.timeout_global(Some(PATIENCE)).proxy(None).build().into()
}

fn settings(folder: &Path) -> String {
    let file = |name: &str| format!("{:?}", folder.join(name).display().to_string());
    format!("[server]\ntls_certificate = {}\ntls_key = {}\n", file("cert.pem"), file("key.pem"))
}

#[test]
fn it_serves_with_a_certificate_and_takes_a_new_one_without_a_restart() {
    let bench = Bench::with_documents(2);
    let folder = bench.root.path().to_path_buf();
    let first = renew(&folder);
    bench.run_with(&["users", "add", "anna", "--admin", "--password-stdin"], "a long enough password\n").succeeded();
    let mut server = Server::configured(&bench, &settings(&folder), &[&bench.docs().display().to_string()]);
    assert!(server.said.iter().any(|line| line.starts_with("quarry: serving https://")), "{:?}", server.said);
    let address = format!("https://{}", server.address);
    let good = trusting(&first);
    assert_eq!(good.get(format!("{address}/health/live")).call().unwrap().status(), 200);
    let signed = good
        .post(format!("{address}/sign-in"))
        .header("origin", &address)
        .config()
        .max_redirects(0)
        .build()
        .send_form([("name", "anna"), ("password", "a long enough password")])
        .unwrap();
    let cookie = signed.headers().get("set-cookie").unwrap().to_str().unwrap();
    assert!(cookie.starts_with("__Host-quarry-session=") && cookie.contains("; Secure"), "{cookie}");
    let in_the_open = ureq::get(format!("http://{}/health/live", server.address)).call();
    assert!(in_the_open.is_err(), "{in_the_open:?}");
    // The commands of its user do not care.
    assert!(bench.run(&["jobs"]).succeeded().stdout().contains("docs"));

    // A certificate without its key changes nothing; both together do.
    fs::write(folder.join("key.pem"), "no key").unwrap();
    std::thread::sleep(Duration::from_secs(6));
    let fresh = trusting(&first);
    assert_eq!(fresh.get(format!("{address}/health/live")).call().unwrap().status(), 200);
    let second = renew(&folder);
    eventually("the new certificate is used", || {
        trusting(&second).get(format!("{address}/health/live")).call().ok().map(|_| ())
    });
    assert!(trusting(&first).get(format!("{address}/health/live")).call().is_err());
    assert_eq!(server.signal("-TERM"), Some(0));
}

#[test]
fn what_is_no_certificate_is_told_with_its_place() {
    let bench = Bench::with_documents(1);
    let folder = bench.root.path().to_path_buf();
    let path = folder.join("quarry.toml");
    let check = |settings: &str| {
        fs::write(&path, settings).unwrap();
        bench.run(&["--config", path.to_str().unwrap(), "config", "check"])
    };
    check(&settings(&folder)).refused(&["server.tls_certificate", "cert.pem"]);
    check("[server]\ntls_certificate = \"cert.pem\"\n").refused(&["expected both"]);
    renew(&folder);
    let theirs = fs::read_to_string(folder.join("key.pem")).unwrap();
    renew(&folder);
    fs::write(folder.join("key.pem"), theirs).unwrap();
    check(&settings(&folder)).refused(&["cannot be used"]);
    renew(&folder);
    check(&settings(&folder)).succeeded();
}
