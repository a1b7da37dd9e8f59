//! Tests of websites: a small site, with traps.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use super::*;
use crate::testing::{Asked, Reply, Site};
use crate::{Limits, Mirror, SyncReport};

const LIMITS: Limits = Limits { files: 500, file_bytes: 100_000, bytes: 1 << 30, time: Duration::from_secs(60) };

fn settings(site: &Site, path: &str) -> Settings {
    let url = format!("{}{path}", site.address);
    Settings { allow_private: true, pause_ms: 0, max_files: 500, ..Settings::at(url) }
}

fn sync(folder: &Path, settings: &Settings) -> Result<SyncReport, ConnectError> {
    let stop = Arc::new(AtomicBool::new(false));
    let (_, url) = settings.parsed()?;
    let mut website = Website::new(settings, url, Arc::clone(&stop))?;
    Mirror::open(folder, LIMITS)?.sync(&mut website, &(), &stop)
}

fn files(folder: &Path) -> Vec<String> {
    fn below(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(root, &path, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let (root, mut found) = (folder.join("files"), Vec::new());
    below(&root, &root, &mut found);
    found.sort();
    found
}

fn pages(pages: &'static [(&'static str, &'static str)]) -> impl Fn(&Asked) -> Reply + Send + Sync {
    let pages: BTreeMap<&str, &str> = pages.iter().copied().collect();
    move |asked| pages.get(asked.target.as_str()).map_or_else(|| Reply::of(404), |html| Reply::html(html))
}

#[test]
fn a_site_is_followed_by_links_and_sitemaps_within_its_bounds() {
    let site = Site::serve(|asked| {
        match asked.target.as_str() {
        "/robots.txt" => Reply::of(200).body("User-agent: *\nDisallow: /docs/private\nSitemap: /maps/all.xml"),
        "/maps/all.xml" => Reply::of(200)
            .body("<sitemapindex><sitemap><loc>/maps/docs.xml.gz</loc></sitemap><sitemap><loc>https://evil.example/x.xml</loc></sitemap></sitemapindex>"),
        "/maps/docs.xml.gz" => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut packer, b"<urlset><url><loc>/docs/lonely.html</loc><lastmod>2024-05-03</lastmod></url>\
                <url><loc>/elsewhere.html</loc></url></urlset>").unwrap();
            Reply::of(200).body(packer.finish().unwrap())
        }
        "/docs/" => Reply::html(
            "<a href=leave>leave</a><a href=private/pay>pay</a><a href=/other/>other</a><a href=https://evil.example/>evil</a>\
             <a href=hidden.html>hidden</a><a href=dead.html>dead</a><a href=copy.html>copy</a><a href=handbook.pdf>pdf</a>\
             <a href=style.css>css</a><a href=.secret/x.html>x</a><a rel=nofollow href=unfollowed.html>u</a>",
        ),
        "/docs/leave" => Reply::html("<title>Leave</title><p>Thirty days.<a href='?page=2'>2</a>").with("x-robots-tag", "nofollow"),
        "/docs/hidden.html" => Reply::html("<meta name=robots content=noindex><a href=behind.html>behind</a>"),
        "/docs/copy.html" => Reply::html("<link rel=canonical href=original.html>"),
        "/docs/original.html" => Reply::html("<link rel=canonical href=original.html><p>The original."),
        "/docs/behind.html" | "/docs/lonely.html" => Reply::html("<p>Found."),
        "/docs/handbook.pdf" => Reply::of(200).with("content-type", "application/pdf").body("%PDF-1.4"),
        "/docs/style.css" => Reply::of(200).with("content-type", "text/css").body("p {}"),
        _ => Reply::of(404),
    }
    });
    let folder = tempfile::tempdir().unwrap();
    let report = sync(folder.path(), &settings(&site, "/docs/")).unwrap();
    let expected = ["behind.html", "handbook.pdf", "index.html", "leave.html", "lonely.html", "original.html"];
    assert_eq!(files(folder.path()), expected.map(|path| format!("docs/{path}")), "{report:?}");
    assert_eq!((report.fetched, report.failed, report.left_out), (6, 0, None));
    let asked = site.targets();
    for never in ["private", "/other/", "elsewhere", "unfollowed", "page=2", ".secret"] {
        assert!(!asked.iter().any(|target| target.contains(never)), "{never}: {asked:?}");
    }
    let once: HashSet<&String> = asked.iter().collect();
    assert_eq!(once.len(), asked.len(), "each once: {asked:?}");
    let lonely = fs::metadata(folder.path().join("files/docs/lonely.html")).unwrap().modified().unwrap();
    assert_eq!(lonely, std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_714_694_400));
    let manifest = fs::read_to_string(folder.path().join("manifest.jsonl")).unwrap();
    assert!(manifest.contains(&format!("\"url\":\"{}/docs/leave\"", site.address)), "{manifest}");
}

#[test]
fn what_has_not_changed_is_not_sent_again_and_its_links_are_followed_all_the_same() {
    let site = Site::serve(|asked| {
        let tag = format!("\"{}\"", asked.target.len());
        let is_known = |name: &str, value: &str| asked.headers.get(name).is_some_and(|known| known == value);
        let moment = "Fri, 03 May 2024 10:20:30 GMT";
        match asked.target.as_str() {
            "/" | "/a.html" if is_known("if-none-match", &tag) => Reply::of(304),
            "/" => Reply::html("<a href=a.html>a</a>").with("etag", &tag),
            "/a.html" => Reply::html("<a href=b.html>b</a>").with("etag", &tag),
            "/b.html" if is_known("if-modified-since", moment) => Reply::of(304),
            "/b.html" => Reply::html("<a href=c.html>c</a>").with("last-modified", moment),
            "/c.html" => Reply::html("<p>No tag."),
            _ => Reply::of(404),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(sync(folder.path(), &settings(&site, "/")).unwrap().fetched, 4);
    let report = sync(folder.path(), &settings(&site, "/")).unwrap();
    assert_eq!((report.fetched, report.unchanged, report.removed), (0, 4, 0));
    let second = fs::metadata(folder.path().join("files/b.html")).unwrap().modified().unwrap();
    assert_eq!(second, std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_714_731_630));
}

#[test]
fn pages_that_fail_keep_what_they_lead_to() {
    let is_down = Arc::new(AtomicBool::new(false));
    let down = Arc::clone(&is_down);
    let site = Site::serve(move |asked| match asked.target.as_str() {
        "/" => Reply::html("<a href=hub.html>hub</a>"),
        "/hub.html" if down.load(std::sync::atomic::Ordering::Relaxed) => Reply::of(403),
        "/hub.html" => Reply::html("<a href=leaf.html>leaf</a>"),
        "/leaf.html" => Reply::html("<p>leaf"),
        _ => Reply::of(404),
    });
    let folder = tempfile::tempdir().unwrap();
    sync(folder.path(), &settings(&site, "/")).unwrap();
    is_down.store(true, std::sync::atomic::Ordering::Relaxed);
    let report = sync(folder.path(), &settings(&site, "/")).unwrap();
    assert_eq!((report.failed, report.removed), (1, 0));
    assert!(report.problems[0].contains("403") && report.problems[0].contains("token_file"), "{:?}", report.problems);
    assert_eq!(files(folder.path()), ["hub.html", "index.html", "leaf.html"]);
}

#[test]
fn a_site_that_cannot_be_listed_loses_nothing() {
    let mode = Arc::new(Mutex::new("well"));
    let of = Arc::clone(&mode);
    let site = Site::serve(move |asked| match (*of.lock().unwrap(), asked.target.as_str()) {
        ("robots", "/robots.txt") => Reply::of(501),
        ("forbidden", "/robots.txt") => Reply::of(200).body("User-agent: quarry\nDisallow: /"),
        ("maps", "/sitemap.xml") => Reply::of(501),
        ("first", "/") => Reply::of(401),
        ("gone", "/") => Reply::of(404),
        ("moved", "/") => Reply::of(301).with("location", "https://new.example/"),
        (_, "/") => Reply::html("<a href=a.html>a</a>"),
        (_, "/a.html") => Reply::html("<p>a"),
        _ => Reply::of(404),
    });
    let folder = tempfile::tempdir().unwrap();
    sync(folder.path(), &settings(&site, "/")).unwrap();
    for (trouble, words) in [
        ("robots", "501"),
        ("forbidden", "robots.txt does not let quarry"),
        ("maps", "501"),
        ("first", "password_file"),
        ("gone", "check the address"),
        ("moved", "it sends to https://new.example/"),
    ] {
        *mode.lock().unwrap() = trouble;
        let error = sync(folder.path(), &settings(&site, "/")).unwrap_err().to_string();
        assert!(error.contains(words), "{trouble}: {error}");
        assert_eq!(files(folder.path()), ["a.html", "index.html"], "{trouble}");
    }
    *mode.lock().unwrap() = "well";
    assert_eq!(sync(folder.path(), &settings(&site, "/")).unwrap().removed, 0);
}

#[test]
fn more_sitemaps_than_are_read_are_said_and_take_nothing_for_gone() {
    let many = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let are_many = Arc::clone(&many);
    let site = Site::serve(move |asked| match asked.target.as_str() {
        "/sitemap.xml" => {
            let count = if are_many.load(std::sync::atomic::Ordering::Relaxed) { 501 } else { 2 };
            let maps = (0..count).map(|number| format!("<sitemap><loc>/maps/{number}.xml</loc></sitemap>"));
            Reply::of(200).body(format!("<sitemapindex>{}</sitemapindex>", maps.collect::<String>()))
        }
        "/maps/1.xml" if !are_many.load(std::sync::atomic::Ordering::Relaxed) => {
            Reply::of(200).body("<urlset><url><loc>/lonely.html</loc></url></urlset>")
        }
        "/lonely.html" | "/" => Reply::html("<p>Found."),
        _ => Reply::of(404),
    });
    let folder = tempfile::tempdir().unwrap();
    let report = sync(folder.path(), &settings(&site, "/")).unwrap();
    assert_eq!((report.fetched, report.left_out), (2, None));
    many.store(true, std::sync::atomic::Ordering::Relaxed);
    let report = sync(folder.path(), &settings(&site, "/")).unwrap();
    assert!(report.left_out.is_some_and(|reason| reason.contains("more than 500 sitemaps")));
    assert_eq!(files(folder.path()), ["index.html", "lonely.html"]);
}

#[test]
fn traps_end() {
    let site = Site::serve(|asked| {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        match path {
            "/" => Reply::html(
                "<a href=calendar?day=1>calendar</a><a href=round/>round</a><a href=deep/1>deep</a><a href=hop?n=1>hop</a>\
                 <a href=loop-a>loop</a><a href=huge>huge</a><a href=twin-a.html>twin</a><a href=meta.html>meta</a>",
            ),
            "/calendar" => {
                let day: u64 = query.trim_start_matches("day=").parse().unwrap_or(0);
                Reply::html(&format!("<p>Day {day} <a href='?day={}'>next</a>", day + 1))
            }
            path if path.starts_with("/round/") => Reply::html("<a href='round/'>again</a>"),
            path if path.starts_with("/deep/") => {
                let level: u64 = path.trim_start_matches("/deep/").parse().unwrap_or(0);
                Reply::html(&format!("<a href=/deep/{}>deeper</a>", level + 1))
            }
            "/hop" => {
                let n: u64 = query.trim_start_matches("n=").parse().unwrap_or(0);
                Reply::of(302).with("location", &format!("/hop?n={}", n + 1))
            }
            "/loop-a" => Reply::of(302).with("location", "/loop-b"),
            "/loop-b" => Reply::of(302).with("location", "/loop-a"),
            "/huge" => Reply::html(&"x".repeat(200_000)),
            "/twin-a.html" => Reply::html("<link rel=canonical href=twin-b.html><p>a"),
            "/twin-b.html" => Reply::html("<link rel=canonical href=twin-a.html><p>b"),
            "/meta.html" => Reply::html("<meta http-equiv=refresh content='0; url=http://169.254.169.254/latest/'>"),
            _ => Reply::of(404),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let report = sync(folder.path(), &settings(&site, "/")).unwrap();
    assert!(started.elapsed() < Duration::from_secs(50), "{:?}", started.elapsed());
    let found = files(folder.path());
    let of = |name: &str| found.iter().filter(|path| path.starts_with(name)).count();
    assert!(of("calendar") > 0 && of("calendar") <= 17, "{found:?}");
    assert!(of("round") <= 3 && of("deep") <= 16, "{found:?}");
    assert_eq!((of("hop"), of("loop"), of("huge"), of("twin")), (0, 0, 0, 1), "{found:?}");
    let told = report.problems.join("\n");
    assert!(told.contains("/huge: it has more than 100000 bytes") && told.contains("redirects"), "{told}");
    assert!(site.asked.lock().unwrap().iter().all(|asked| asked.headers["host"].starts_with("127.0.0.1")));
}

#[test]
fn private_places_are_refused_and_so_are_redirects_to_them() {
    let site = Site::serve(|asked| match asked.target.as_str() {
        "/" => Reply::html("<a href=out>out</a><a href=in>in</a>"),
        "/out" => Reply::of(302).with("location", "http://169.254.169.254/latest/meta-data/"),
        "/in" => Reply::of(302).with("location", "http://localhost:1/"),
        _ => Reply::of(404),
    });
    let folder = tempfile::tempdir().unwrap();
    let refused = Settings { allow_private: false, ..settings(&site, "/") };
    let error = sync(folder.path(), &refused).unwrap_err();
    assert!(matches!(&error, ConnectError::Private { .. }), "{error}");
    assert!(site.targets().is_empty(), "nobody was asked");
    let report = sync(folder.path(), &settings(&site, "/")).unwrap();
    assert_eq!((report.fetched, report.unwanted, report.failed), (1, 2, 0), "they lie outside: {report:?}");
}

#[test]
fn a_login_goes_to_its_own_host_alone_and_is_never_told() {
    let site =
        Site::serve(|asked| match (asked.headers.get("authorization").map(String::as_str), asked.target.as_str()) {
            (Some("Bearer hunter2"), "/") => Reply::html("<a href=a.html>a</a>"),
            (Some("Bearer hunter2"), "/a.html") => Reply::of(500),
            (Some("Bearer hunter2"), _) => Reply::of(404),
            _ => Reply::of(401),
        });
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "hunter2\n").unwrap();
    let with = Settings { token_file: Some(secret.clone()), ..settings(&site, "/") };
    let mirror = folder.path().join("mirror");
    let report = sync(&mirror, &with).unwrap();
    assert_eq!((report.fetched, report.failed), (1, 1));
    fs::remove_file(&secret).unwrap();
    let error = sync(&mirror, &with).unwrap_err();
    assert!(error.to_string().contains("token_file"), "{error}");
    let mut everything = format!("{report:?} {error:?} {with:?}");
    for path in ["manifest.jsonl", "files/index.html"] {
        everything.push_str(&fs::read_to_string(mirror.join(path)).unwrap());
    }
    assert!(!everything.contains("hunter2"), "{everything}");
}

#[test]
fn a_busy_site_is_given_time() {
    let left = Mutex::new(2);
    let site = Site::serve(move |asked| match asked.target.as_str() {
        "/" if std::mem::replace(&mut *left.lock().unwrap(), 0) > 0 => Reply::of(429).with("retry-after", "1"),
        "/" => Reply::html("<p>Here."),
        "/robots.txt" => Reply::of(200).body("User-agent: *\nCrawl-delay: 0.3"),
        _ => Reply::of(404),
    });
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    assert_eq!(sync(folder.path(), &settings(&site, "/")).unwrap().fetched, 1);
    assert!(started.elapsed() >= Duration::from_millis(1_300), "{:?}", started.elapsed());
    assert_eq!(site.targets(), ["/robots.txt", "/sitemap.xml", "/", "/"]);
}

#[test]
fn a_site_that_shrinks_is_followed() {
    let small = pages(&[("/", "<a href=b.html>b</a>"), ("/b.html", "<p>b")]);
    let site = Site::serve(small);
    let folder = tempfile::tempdir().unwrap();
    sync(folder.path(), &settings(&site, "/")).unwrap();
    let manifest = fs::read_to_string(folder.path().join("manifest.jsonl")).unwrap();
    let stray = manifest.lines().last().unwrap().replace("b.html", "gone.html");
    fs::write(folder.path().join("manifest.jsonl"), format!("{manifest}{stray}\n")).unwrap();
    fs::copy(folder.path().join("files/b.html"), folder.path().join("files/gone.html")).unwrap();
    let report = sync(folder.path(), &settings(&site, "/")).unwrap();
    assert_eq!((report.removed, files(folder.path())), (1, vec!["b.html".to_owned(), "index.html".to_owned()]));
}
