//! Tests against a small store of objects in memory, which checks signatures as real ones do.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusty_s3::actions::{DeleteObject, GetObject, PutObject};
use rusty_s3::signing::sign;
use rusty_s3::{Bucket, Credentials, Method, S3Action, UrlStyle};
use storage::{Destination, StoredName, Use};
use url::Url;

use super::*;
use crate::testing::{Asked, Reply, Site};
use crate::{Limits, Mirror, Settings, SyncReport};

const KEY: &str = "quarry-test";
const SECRET: &str = "secret-of-the-test";
/// Objects that are listed at once.
const PAGE: usize = 3;

/// Content and second of each object, by key; and what the next answers are in the place of the right ones.
#[derive(Default)]
struct Objects {
    stored: BTreeMap<String, (Vec<u8>, i64)>,
    failures: Vec<u16>,
    now: i64,
}

struct Store {
    site: Site,
    objects: Arc<Mutex<Objects>>,
    folder: tempfile::TempDir,
}

impl Store {
    fn new() -> Self {
        let objects = Arc::new(Mutex::new(Objects { now: 1_796_083_200, ..Objects::default() }));
        let kept = Arc::clone(&objects);
        let address = Arc::new(Mutex::new(String::new()));
        let known = Arc::clone(&address);
        let site = Site::serve(move |asked| answer(asked, &known.lock().unwrap(), &mut kept.lock().unwrap()));
        address.lock().unwrap().clone_from(&site.address);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
        Self { site, objects, folder }
    }

    fn config(&self) -> BucketConfig {
        BucketConfig {
            endpoint: self.site.address.clone(),
            region: "here-1".to_owned(),
            access_key: KEY.to_owned(),
            secret_key_file: self.folder.path().join("secret"),
            ..BucketConfig::default()
        }
    }

    fn at(&self, address: &str) -> Box<dyn Destination> {
        destination(Path::new(address), &self.config()).unwrap()
    }

    fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().stored.keys().cloned().collect()
    }

    fn passes(&self, seconds: i64) {
        self.objects.lock().unwrap().now += seconds;
    }
}

fn refusal(status: u16, code: &str) -> Reply {
    Reply::of(status).body(format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>"))
}

fn answer(asked: &Asked, address: &str, objects: &mut Objects) -> Reply {
    if let Some(status) = objects.failures.pop() {
        return refusal(status, "SlowDown");
    }
    let url = Url::parse(&format!("{address}{}", asked.target)).unwrap();
    let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let path = percent_encoding::percent_decode_str(url.path()).decode_utf8().unwrap().into_owned();
    let (bucket, key) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    if !is_signed(asked, address, bucket, key, &query, &url) {
        return refusal(403, "SignatureDoesNotMatch");
    }
    if bucket != "backups" {
        return refusal(404, "NoSuchBucket");
    }
    let date = jiff::Timestamp::from_second(objects.now).unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let reply = match (asked.method.as_str(), key) {
        ("GET", "") => list(&query, objects),
        ("GET", key) => match objects.stored.get(key) {
            Some((content, _)) => Reply::of(200).body(content),
            None => refusal(404, "NoSuchKey"),
        },
        ("PUT", key) => {
            objects.stored.insert(key.to_owned(), (asked.bytes.clone(), objects.now));
            Reply::of(200)
        }
        ("DELETE", key) => {
            objects.stored.remove(key);
            Reply::of(204)
        }
        _ => refusal(405, "MethodNotAllowed"),
    };
    reply.with("date", &date)
}

/// Whether the address is the one that the same request has which the test signs itself.
fn is_signed(
    asked: &Asked,
    address: &str,
    bucket: &str,
    key: &str,
    query: &BTreeMap<String, String>,
    url: &Url,
) -> bool {
    let Some(date) = query.get("X-Amz-Date") else { return false };
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).unwrap();
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let endpoint = Url::parse(address).unwrap();
    let bucket = Bucket::new(endpoint, UrlStyle::Path, bucket.to_owned(), "here-1").unwrap();
    let credentials = Credentials::new(KEY, SECRET);
    let held = Duration::from_secs(query["X-Amz-Expires"].parse().unwrap());
    let signed = match (asked.method.as_str(), key) {
        ("GET", "") => {
            let asked = query.iter().filter(|(name, _)| !name.starts_with("X-Amz"));
            let asked = asked.map(|(name, value)| (name.as_str(), value.as_str()));
            let (url, none) = (bucket.base_url().clone(), std::iter::empty());
            sign(&time, Method::Get, url, KEY, SECRET, None, "here-1", held.as_secs(), asked, none)
        }
        ("GET", key) => GetObject::new(&bucket, Some(&credentials), key).sign_with_time(held, &time),
        ("PUT", key) => PutObject::new(&bucket, Some(&credentials), key).sign_with_time(held, &time),
        (_, key) => DeleteObject::new(&bucket, Some(&credentials), key).sign_with_time(held, &time),
    };
    signed == *url
}

fn list(query: &BTreeMap<String, String>, objects: &Objects) -> Reply {
    let (prefix, delimiter) = (&query["prefix"], query.get("delimiter"));
    let after = query.get("continuation-token").cloned().unwrap_or_default();
    let mut entries: Vec<(String, String)> = Vec::new();
    for (key, (content, second)) in &objects.stored {
        let Some(rest) = key.strip_prefix(prefix.as_str()) else { continue };
        let folder = delimiter.and_then(|delimiter| rest.split_once(delimiter.as_str())).map(|(folder, _)| folder);
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let entry = match folder {
            Some(folder) => {
                let name = format!("{prefix}{folder}/");
                let text = format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", encode(&name));
                (name, text)
            }
            None => {
                let modified = jiff::Timestamp::from_second(*second).unwrap();
                let (name, length) = (encode(key), content.len());
                let text = format!(
                    "<Contents><Key>{name}</Key><LastModified>{modified}</LastModified><Size>{length}</Size></Contents>"
                );
                (key.clone(), text)
            }
        };
        if entry.0 > after && entries.last() != Some(&entry) {
            entries.push(entry);
        }
    }
    let next = (entries.len() > PAGE).then(|| entries[PAGE - 1].0.clone());
    let listed: String = entries.iter().take(PAGE).map(|(_, text)| text.as_str()).collect();
    let truncated = next.is_some();
    let next = next.map(|next| format!("<NextContinuationToken>{next}</NextContinuationToken>")).unwrap_or_default();
    let encoding = "<EncodingType>url</EncodingType>";
    Reply::of(200).body(format!(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{encoding}<IsTruncated>{truncated}</IsTruncated>\
         {listed}{next}</ListBucketResult>"
    ))
}

fn stored(name: &str, length: u64) -> StoredName {
    StoredName { name: name.to_owned(), length }
}

#[test]
fn a_bucket_keeps_what_is_put_and_lists_it() {
    let store = Store::new();
    let bucket = store.at("s3://backups/team/quarry/");
    assert!(bucket.list("").unwrap().is_empty());
    let bytes: Vec<u8> = (0..=255).collect();
    bucket.put("objects/ab/abc", b"one").unwrap();
    bucket.put("objects/ab/abc", &bytes).unwrap();
    assert_eq!(bucket.get("objects/ab/abc").unwrap(), bytes);
    for number in 0..7 {
        bucket.put(&format!("objects/0{number}/x"), b"12345").unwrap();
    }
    bucket.put("quarry-backup.json", b"{}").unwrap();
    bucket.put("backups/1.json", b"{}").unwrap();
    let mut expected: Vec<_> = (0..7).map(|number| stored(&format!("objects/0{number}/x"), 5)).collect();
    expected.push(stored("objects/ab/abc", 256));
    assert_eq!(bucket.list("objects").unwrap(), expected, "over several pages");
    let mut top: Vec<String> = bucket.list("").unwrap().into_iter().map(|stored| stored.name).collect();
    top.sort();
    assert_eq!(top, ["backups", "objects", "quarry-backup.json"]);
    // What lies beside the prefix is somebody else's.
    assert!(store.at("s3://backups/team").list("objects").unwrap().is_empty());
    assert!(store.keys().iter().all(|key| key.starts_with("team/quarry/")), "{:?}", store.keys());
    bucket.delete("objects/ab/abc").unwrap();
    bucket.delete("objects/ab/abc").unwrap();
    assert_eq!(bucket.get("objects/ab/abc").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(bucket.local_path().is_none());
    assert_eq!(bucket.place(), "s3://backups/team/quarry/");
}

#[test]
fn keys_that_lead_elsewhere_are_nobodys() {
    let store = Store::new();
    let bucket = store.at("s3://backups/q");
    let keys = ["q/objects/../../other/x", "other/x", "q/objects/ab/abc"];
    for key in keys {
        store.objects.lock().unwrap().stored.insert(key.to_owned(), (b"1".to_vec(), 7));
    }
    assert_eq!(bucket.list("objects").unwrap(), [stored("objects/ab/abc", 1)]);
    for name in ["objects/../../other/x", "..", "./x", "objects/.."] {
        let refused = [bucket.get(name).err(), bucket.put(name, b"2").err(), bucket.delete(name).err()];
        assert!(refused.iter().flatten().all(|error| error.kind() == io::ErrorKind::InvalidInput), "{name}");
        assert_eq!(refused.iter().flatten().count(), 3, "{name}");
    }
    assert_eq!(store.keys().len(), 3, "nothing was removed");
    for good in ["a b", "ü+%2e%2e/x", "a//b", "...", "a\\b", "a?b#c"] {
        bucket.put(good, b"3").unwrap();
        assert_eq!(bucket.get(good).unwrap(), b"3", "{good}");
    }
}

#[test]
fn what_fails_for_a_moment_is_asked_again_and_what_stays_wrong_is_told() {
    let store = Store::new();
    let bucket = store.at("s3://backups");
    store.objects.lock().unwrap().failures = vec![503, 500];
    bucket.put("a", b"1").unwrap();
    assert_eq!(bucket.get("a").unwrap(), b"1");
    let missing = store.at("s3://nowhere").get("a").unwrap_err();
    assert!(
        missing.kind() == io::ErrorKind::Other && missing.to_string().contains("no bucket \"nowhere\""),
        "{missing}"
    );
    std::fs::write(store.folder.path().join("secret"), "another").unwrap();
    let refused = store.at("s3://backups").get("a").unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    assert!(
        refused.to_string().contains("SignatureDoesNotMatch") && !refused.to_string().contains("another"),
        "{refused}"
    );
    let gone = BucketConfig { endpoint: "http://127.0.0.1:9".to_owned(), ..store.config() };
    assert!(destination(Path::new("s3://backups"), &gone).unwrap().get("a").is_err());
    for bad in ["s3://", "s3://a", "s3://a b", "s3://backups/../x", "s3://backups/x?y", "s3://backups//x"] {
        let error = destination(Path::new(bad), &store.config()).err().unwrap().to_string();
        assert!(error.contains("s3://BUCKET/PREFIX"), "{bad}: {error}");
    }
    let without = BucketConfig { access_key: "x".to_owned(), secret_key_file: "/nowhere".into(), ..store.config() };
    assert!(destination(Path::new("s3://backups"), &without).err().unwrap().to_string().contains("/nowhere"));
    assert!(destination(Path::new("/srv/backups"), &without).unwrap().local_path().is_some());
}

#[test]
fn one_writes_while_many_read_and_nothing_is_removed_then() {
    let store = Store::new();
    let (one, other) = (store.at("s3://backups/q"), store.at("s3://backups/q"));
    let writer = one.lock(Use::Write).unwrap().unwrap();
    assert!(other.lock(Use::Write).unwrap().is_none());
    let readers = [one.lock(Use::Read).unwrap().unwrap(), other.lock(Use::Read).unwrap().unwrap()];
    assert!(one.lock(Use::Remove).unwrap().is_none());
    drop(readers);
    let removing = one.lock(Use::Remove).unwrap().unwrap();
    assert!(other.lock(Use::Read).unwrap().is_none());
    assert!(store.at("s3://backups/elsewhere").lock(Use::Write).unwrap().is_some(), "another prefix is another place");
    assert!(one.list("").unwrap().is_empty(), "leases are no backups");
    drop((removing, writer));
    assert_eq!(store.keys(), [""; 0], "nothing is left");
}

#[test]
fn a_lease_of_somebody_who_is_gone_counts_for_nothing() {
    let store = Store::new();
    let bucket = store.at("s3://backups/q");
    let lease = |machine: &str, process: u32| format!("{{\"machine\":{machine:?},\"process\":{process}}}");
    let put = |text: String| {
        let mut objects = store.objects.lock().unwrap();
        let now = objects.now;
        objects.stored.insert("q/leases/write-1".to_owned(), (text.into_bytes(), now));
    };
    // Of another machine: for as long as it may live.
    put(lease("another", 1));
    assert!(bucket.lock(Use::Write).unwrap().is_none());
    store.passes(29 * 60);
    assert!(bucket.lock(Use::Write).unwrap().is_none());
    store.passes(2 * 60);
    assert!(bucket.lock(Use::Write).unwrap().is_some());
    assert_eq!(store.keys(), [""; 0]);
    // Of this machine: the system tells.
    let mine = bucket.lock(Use::Write).unwrap().unwrap();
    let told = store.objects.lock().unwrap().stored.values().next().unwrap().0.clone();
    drop(mine);
    let mut told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    put(told.to_string());
    assert!(bucket.lock(Use::Write).unwrap().is_none(), "this very process");
    told["process"] = serde_json::json!(u32::MAX);
    put(told.to_string());
    assert!(bucket.lock(Use::Write).unwrap().is_some());
    // What cannot be read is somebody's.
    put("{".to_owned());
    assert!(bucket.lock(Use::Write).unwrap().is_none());
}

fn mirrored(
    store: &Store,
    folder: &Path,
    path: &str,
    change: impl FnOnce(&mut Settings),
) -> Result<SyncReport, ConnectError> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut settings = Settings {
        user: Some(KEY.to_owned()),
        password_file: Some(store.folder.path().join("secret")),
        region: Some("here-1".to_owned()),
        allow_private: true,
        pause_ms: 0,
        ..Settings::at(format!("s3+{}{path}", store.site.address))
    };
    change(&mut settings);
    settings.check()?;
    let (_, url) = settings.parsed()?;
    let mut source = BucketSource::new(&settings, url, Arc::clone(&stop))?;
    let limits = Limits { files: 100, file_bytes: 1_000, bytes: 1 << 20, time: Duration::from_secs(60) };
    Mirror::open(folder, limits)?.sync(&mut source, &(), &stop)
}

#[test]
fn what_lies_in_a_bucket_is_mirrored_and_only_what_changed_is_fetched() {
    let (store, folder) = (Store::new(), tempfile::tempdir().unwrap());
    let put = |key: &str, text: &str| {
        let mut objects = store.objects.lock().unwrap();
        let now = objects.now;
        objects.stored.insert(key.to_owned(), (text.as_bytes().to_vec(), now));
    };
    for number in 0..5 {
        put(&format!("wiki/de/{number} ü.md"), "one");
    }
    // The last would lead to the one before it, whose content is not below the prefix.
    ["wiki/de/", "other/x.md", "wiki/../../backups/other/x.md"].iter().for_each(|key| put(key, "two"));
    let sync = || mirrored(&store, folder.path(), "/backups/wiki/", |_| ());
    let report = sync().unwrap();
    assert_eq!((report.fetched, report.unwanted, report.failed), (5, 1, 0), "{report:?}");
    let text = |path: &str| std::fs::read_to_string(folder.path().join("files").join(path)).ok();
    assert_eq!(text("de/3 ü.md").as_deref(), Some("one"));
    assert!(!store.site.targets().iter().any(|target| target.contains("/other/")), "no key leads out");
    let report = sync().unwrap();
    assert_eq!((report.fetched, report.unchanged), (0, 5), "{report:?}");
    assert!(!store.site.targets().iter().any(|target| target.contains(".md?")), "nothing is fetched that is here");
    store.passes(60);
    put("wiki/de/3 ü.md", "three");
    store.objects.lock().unwrap().stored.remove("wiki/de/4 ü.md");
    let report = sync().unwrap();
    assert_eq!((report.fetched, report.removed), (1, 1), "{report:?}");
    assert_eq!((text("de/3 ü.md").as_deref(), text("de/4 ü.md")), (Some("three"), None));
    // The secret signs, and goes nowhere.
    let asked = store.site.asked.lock().unwrap();
    assert!(asked.iter().all(|asked| !asked.headers.contains_key("authorization") && !asked.target.contains(SECRET)));
}

#[test]
fn a_bucket_that_cannot_be_listed_takes_nothing_for_gone() {
    let (store, folder) = (Store::new(), tempfile::tempdir().unwrap());
    store.objects.lock().unwrap().stored.insert("a.md".to_owned(), (b"one".to_vec(), 7));
    mirrored(&store, folder.path(), "/backups/", |_| ()).unwrap();
    let fails = |path: &str, change: fn(&mut Settings)| {
        let error = mirrored(&store, folder.path(), path, change).unwrap_err().to_string();
        assert!(
            folder.path().join("files/a.md").exists() && !error.contains("X-Amz") && !error.contains(SECRET),
            "{error}"
        );
        error
    };
    assert!(fails("/nowhere/", |_| ()).contains("check the address"));
    assert!(fails("/backups/", |settings| settings.region = None).contains("password_file"));
    assert!(fails("/backups/", |settings| settings.user = Some("other".to_owned())).contains("password_file"));
    assert!(fails("/backups/", |settings| settings.allow_private = false).contains("no public address"));
    assert!(fails("/", |_| ()).contains("s3+https://minio.example/BUCKET/PREFIX"));
    assert!(fails("/backups/", |settings| settings.header_file = Some("/x".into())).contains("one way"));
}
