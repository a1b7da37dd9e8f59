//! Tests of WebDAV: a server in the manner of Nextcloud, and lists that are none.

use std::path::Path;

use super::*;
use crate::testing::{Asked, Reply, Site};
use crate::{Limits, Mirror, SyncReport};

const LIMITS: Limits =
    Limits { files: 100, file_bytes: 1_000, bytes: 1 << 20, time: std::time::Duration::from_secs(60) };

fn response(href: &str, rest: &str) -> String {
    format!("<d:response><d:href>{href}</d:href><d:propstat><d:prop>{rest}</d:prop></d:propstat></d:response>")
}

fn list(responses: &[String]) -> Reply {
    let text = format!("<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\">{}</d:multistatus>", responses.concat());
    Reply::of(207).with("content-type", "application/xml").body(text)
}

const FOLDER: &str = "<d:resourcetype><d:collection/></d:resourcetype>";

fn file(tag: &str) -> String {
    format!(
        "<d:resourcetype/><d:getetag>&quot;{tag}&quot;</d:getetag><d:getlastmodified>Fri, 03 May 2024 10:20:30 GMT</d:getlastmodified>\
         <d:getcontentlength>3</d:getcontentlength>"
    )
}

/// A server in the manner of Nextcloud's.
fn answer(asked: &Asked) -> Reply {
    match (asked.method.as_str(), asked.target.as_str()) {
        ("PROPFIND", "/dav/") => list(&[
            response("/dav/", FOLDER),
            response("/dav/a%20b.md", &file("1")),
            response("/dav/deep/", FOLDER),
            response("/dav/deep", FOLDER),
            response("/elsewhere/x.md", &file("9")),
            response("https://evil.example/dav/x.md", &file("9")),
        ]),
        ("PROPFIND", "/dav/deep/") => list(&[
            response("/dav/deep/", FOLDER),
            response("/dav/", FOLDER),
            response("/dav/deep/c&amp;d.md", &file("2")),
            response("/dav/deep/..%2f..%2fetc", &file("3")),
        ]),
        ("PROPFIND", "/dav/deep") => Reply::of(404),
        ("GET", "/dav/a%20b.md") => Reply::of(200).body("one"),
        ("GET", "/dav/deep/c&d.md") => Reply::of(200).body("two"),
        ("GET", "/dav/deep/..%2f..%2fetc") => Reply::of(200).body("not out"),
        _ => Reply::of(405),
    }
}

fn sync(folder: &Path, site: &Site, path: &str) -> Result<SyncReport, ConnectError> {
    let stop = Arc::new(AtomicBool::new(false));
    let address = format!("webdav+{}{path}", site.address);
    let settings = Settings { allow_private: true, pause_ms: 0, ..Settings::at(address) };
    let (_, url) = settings.parsed()?;
    let mut connector = WebDav::new(&settings, url, Arc::clone(&stop))?;
    Mirror::open(folder, LIMITS)?.sync(&mut connector, &(), &stop)
}

#[test]
fn folders_are_listed_one_by_one_and_files_by_their_tags() {
    let (site, folder) = (Site::serve(answer), tempfile::tempdir().unwrap());
    let report = sync(folder.path(), &site, "/dav").unwrap();
    assert_eq!((report.fetched, report.unwanted, report.failed), (2, 1, 0), "{report:?}");
    let text = |path: &str| std::fs::read_to_string(folder.path().join("files").join(path)).unwrap();
    assert_eq!((text("a b.md"), text("deep/c&d.md")), ("one".to_owned(), "two".to_owned()));
    let depth = |asked: &Asked| asked.headers.get("depth").cloned();
    assert!(
        site.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| asked.method == "PROPFIND")
            .all(|asked| depth(asked).as_deref() == Some("1"))
    );
    site.targets();
    let report = sync(folder.path(), &site, "/dav/").unwrap();
    assert_eq!((report.fetched, report.unchanged), (0, 2));
    assert!(!site.targets().iter().any(|target| target.contains("md")), "nothing is fetched that is here");
}

#[test]
fn a_list_that_is_none_takes_nothing_for_gone() {
    let (site, folder) = (Site::serve(answer), tempfile::tempdir().unwrap());
    sync(folder.path(), &site, "/dav/").unwrap();
    for (reply, words) in [
        (Reply::of(405), "/remote.php/dav/files/NAME/"),
        (Reply::of(401), "password_file"),
        (Reply::of(404), "check the address"),
        (Reply::of(207).body("<d:multistatus xmlns:d='DAV:'>"), "ends in the middle"),
        (Reply::of(207).body("<html>Welcome</html>"), "is none"),
        (Reply::of(207).body("<d:multistatus xmlns:d='DAV:'></d:other>"), "no list"),
    ] {
        let other = Site::serve(move |_| reply.clone());
        let error = sync(folder.path(), &other, "/dav/").unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
        assert!(folder.path().join("files/a b.md").exists());
    }
}

#[test]
fn what_servers_write_is_read() {
    // Apache's, which names the space otherwise, and one with a default space.
    for text in [
        "<D:multistatus xmlns:D='DAV:' xmlns:lp1='DAV:'><D:response><D:href>/a.md</D:href><D:propstat><D:prop><lp1:getetag>\"x\"\
         </lp1:getetag></D:prop></D:propstat></D:response></D:multistatus>",
        "<multistatus xmlns='DAV:'><response><href>/a.md</href><propstat><prop><getetag>&#34;x&#34;</getetag></prop></propstat>\
         </response></multistatus>",
    ] {
        let found = entries(text.as_bytes()).unwrap();
        assert_eq!((found.len(), found[0].href.as_str(), found[0].tag.as_str()), (1, "/a.md", "\"x\""), "{text}");
    }
}
